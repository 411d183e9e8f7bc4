/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_SETUP_AUTH_H
#define FRANK_RELAY_SETUP_AUTH_H

/*
 * Who may sign in, and with which mechanisms: opens the stores that the configuration names, and
 * works out what each listener may offer. Only what can succeed is offered, under the TLS of the
 * session. For setup.c.
 */

#include "account/stores.h"
#include "config/config.h"
#include "net/conn.h"

/* What a session has, as bits: the place of its list. */
enum setup_offer_state {
	SETUP_OFFER_TLS = 1,
	SETUP_OFFER_BOUND = 2,       /* and a channel binding */
	SETUP_OFFER_CERTIFICATE = 4, /* and a good certificate of the client */
	SETUP_OFFER_STATES = 8,
};

struct setup_offer {
	char *lists[SETUP_OFFER_STATES]; /* "PLAIN LOGIN"; may be empty */
};

/* NULL when a store cannot be opened or read; the problems then say why. *users_out is a reference
   to the users file's set, or NULL without one. */
struct account_stores *setup_auth_open(
    const struct config *config, struct account_users **users_out, struct buf *problems);

/* False when a listener that takes AUTH could never offer any; said in problems. */
bool setup_auth_offer(struct setup_offer *offer, const struct account_stores *stores,
    const struct config_listener *listener, struct buf *problems);
/* The place of the list for a connection as it is now. */
unsigned setup_auth_state(const struct conn *conn);
void setup_auth_offer_fini(struct setup_offer *offer);

#endif
