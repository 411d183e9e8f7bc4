/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_SETUP_H
#define FRANK_RELAY_SETUP_H

/*
 * The configuration in force, with everything that it names loaded: users, certificates, trust
 * anchors, upstream secrets, lists of recipients, and the next hops that follow from it. Immutable
 * and counted: a session keeps the one it began with, jobs take the new one after a reload. A setup
 * is made whole or not at all, so a broken file never replaces a working one.
 */

#include "account/users.h"
#include "config/config.h"
#include "config/match.h"
#include "net/tls.h"
#include "relay/recipients.h"
#include "relay/rewrite.h"
#include "relay/scram_keep.h"
#include "relay/setup_account.h"
#include "relay/setup_auth.h"
#include "smtp/server.h"

#define SETUP_ALIAS_ADDRESSES_MAX 100 /* more are an error: all of them are taken, or none */

/* Where deliveries go: the destination of a route or of a domain. */
enum setup_hop_kind {
	SETUP_HOP_SESSION, /* SMTP or LMTP, through a lane */
	SETUP_HOP_MAILDIR, /* through a worker */
	SETUP_HOP_DISCARD,
	SETUP_HOP_REFUSE,  /* a route's refusal: fails for good */
	SETUP_HOP_NOWHERE, /* no route fits: waits for a better configuration */
};

struct setup_hop {
	char *key; /* "submission://smtp.example.net:587 as up"; names the hop in the queue */
	enum setup_hop_kind kind;
	const struct config_route *route;   /* NULL for a domain and NOWHERE */
	const struct config_domain *domain; /* NULL for a route and NOWHERE */
	const struct config_via *vias;
	size_t via_count;
	const struct setup_account *account; /* lives in the setup; NULL: none */
	struct tls_client_context *tls;      /* SESSION only */
	struct scram_keep *scram;            /* SESSION with an account */
	struct rewrite rewrite;              /* a route's: what it changes on the way out */
	/* A route's, or what holds for domains. */
	struct config_retry retry;
	int64_t lifetime_ms, delay_warning_ms;
	struct config_rate rate;
	unsigned connections_max, messages_per_connection;
};

struct setup_domain {
	struct recipients *recipients; /* for "recipients file" */
	size_t hop;                    /* index into hops */
};

struct setup {
	const struct config *config;
	struct account_stores *stores;  /* who may sign in; may hold nobody */
	struct account_users *users;    /* of the users file; NULL: none configured */
	struct recipients *mailboxes;   /* theirs; NULL without users */
	/* For each listener; NULL without TLS (relay/setup_tls.h). */
	struct tls_server_context **listener_tls;
	struct setup_offer *offers;     /* for each listener: the mechanisms */
	struct setup_account *accounts; /* as config->accounts */
	size_t account_count;           /* those loaded: all of them, but while it is made */
	struct setup_hop *hops;         /* one a route, in order; then one a domain; then NOWHERE */
	size_t hop_count;
	struct setup_domain *domains; /* as config->domains */
	/* For each listener: [0] for strangers, [1] for the networks of relay-from, who need no
	 * AUTH. */
	struct smtp_server_settings (*servers)[2];
	_Atomic unsigned references;
};

/* Loads what the configuration names; password commands may take their time, so that this is not
   called in a loop. previous (may be NULL) lends its ticket keys. Takes the
   reference to config only on success. Each problem is a line in problems_out: errors, after which
   NULL is returned, and warnings. */
const struct setup *setup_create(
    const struct config *config, const struct setup *previous, struct buf *problems_out);
/* The same for "config check": nothing is written. The setup is good for nothing else. */
const struct setup *setup_check(const struct config *config, struct buf *problems_out);
const struct setup *setup_ref(const struct setup *setup);
void setup_unref(const struct setup **setup); /* any thread; NULL is fine */

/* The hop for one recipient of a message: by route, or by the domain that takes it here. Never
 * NULL. */
const struct setup_hop *setup_hop_for(
    const struct setup *setup, const struct config_question *question);
const struct setup_hop *setup_hop_by_route(const struct setup *setup, size_t route);
const struct setup_hop *setup_hop_by_key(const struct setup *setup, struct span key); /* or NULL */

/* The key of a route's hop, as setup_create() makes it. */
void setup_route_key(const struct config *config, size_t route, struct buf *key_out);

/* The listener that has this address, or NULL. */
const struct config_listener *setup_listener_at(
    const struct setup *setup, const struct config_address *address);

#endif
