/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_DOVECOT_H
#define FRANK_ACCOUNT_DOVECOT_H

/*
 * Asks Dovecot about passwords, over its auth socket (Dovecot's authentication protocol 1.1,
 * client's side: the socket that Postfix and Exim use). One connection serves all questions of a
 * loop, many at a time: Dovecot holds refusals back for two seconds, and nobody else waits for
 * that.
 *
 * The connection is made when it is needed, and again after it was lost: a Dovecot that comes back
 * is asked with the next login. Questions that are under way when it is lost, or that get no answer
 * in ACCOUNT_DOVECOT_MS, are answered DOWN.
 */

#include "account/check.h"
#include "net/loop.h"

#define ACCOUNT_DOVECOT_MS 20000
#define ACCOUNT_DOVECOT_CONNECT_MS 3000
#define ACCOUNT_DOVECOT_QUESTIONS_MAX 1024 /* under way at one time */

/* The sockets that one loop asks. Everything here is for its thread. */
struct account_dovecots {
	struct net_loop *loop;
	struct list clients;
};

void account_dovecots_init(struct account_dovecots *pool, struct net_loop *loop);
/* Closes. What is under way is answered DOWN. */
void account_dovecots_fini(struct account_dovecots *pool);

/* PENDING; BUSY when too much is under way; FAIL for a password that cannot be one. The answer is
   PASS, FAIL (an unknown user, or a wrong password: Dovecot does not say which) or DOWN. */
enum account_check_result account_dovecot_ask(
    struct account_dovecots *pool, const char *path, const struct account_check_question *question);

#endif
