/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_SETUP_ACCOUNT_H
#define FRANK_RELAY_SETUP_ACCOUNT_H

/*
 * An account of the configuration with its secrets read, once for all routes that use it. A
 * password comes from its file or its command when the setup is made: at the start, at a reload,
 * and when a hop has refused it and control finds that the file or the command says something else
 * now. Access tokens are not here: they change without a reload (account/oauth_keeper.h).
 */

#include "account/oauth.h"
#include "base/buf.h"
#include "config/config.h"

struct setup_account {
	const struct config_account *config;
	struct span login;           /* may be empty beside a certificate or kerberos */
	struct buf password;         /* secret; empty: none */
	struct oauth_account *oauth; /* NULL: no OAuth */
};

/* Warnings and errors are lines in problems_out; false after an error. user NULL: as we are; else
   the name of the one that password commands run as (the service's, before root has become it). */
bool setup_account_load(struct setup_account *account, const struct config_account *config,
    const char *user, struct buf *problems_out);
void setup_account_fini(struct setup_account *account); /* wipes; also after a failed load */

/* Whether password file or command have another password now. False when they cannot be read. May
   take as long as the command: not in a loop. Any thread: the account is not changed. */
bool setup_account_is_stale(const struct setup_account *account);

#endif
