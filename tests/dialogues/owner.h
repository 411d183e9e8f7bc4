/* SPDX-License-Identifier: MIT */
#ifndef FRANK_TESTS_DIALOGUES_OWNER_H
#define FRANK_TESTS_DIALOGUES_OWNER_H

/*
 * A small owner of a server machine for scenarios: it accepts what the scenario does not make it
 * refuse, checks PLAIN and LOGIN, and writes down every event, reply and observed line.
 */

#include "dialogues/scenario.h"
#include "sasl/server.h"
#include "smtp/server.h"

struct owner {
	const struct scenario *scenario;
	struct smtp_server_settings settings;
	struct smtp_server server;
	struct buf mechanisms; /* the settings' strings */
	bool answers_late;     /* only once the machine has said WAIT */
	bool closed;           /* CLOSE has come */
	bool xclient;          /* may be said */
	bool tls_pending;      /* STARTTLS has come */
	size_t discarded;      /* bytes behind STARTTLS */

	struct buf input, output;
	struct buf sent;             /* all output so far */
	struct buf events, observed; /* one line each */
	struct buf content;
	struct sasl_server sasl;
	unsigned kept;

	enum smtp_server_event_kind owed; /* NEED_INPUT when nothing is */
	struct buf owed_subject;          /* the address or the mechanism */
	struct buf owed_data;
	bool owed_has_initial;
	char failure[200]; /* empty while all is well */
};

/* False when the scenario's settings make no sense. */
bool owner_init(struct owner *o, const struct scenario *scenario, bool answers_late);
void owner_fini(struct owner *o);

void owner_begin(struct owner *o);                   /* greets, or turns away */
void owner_feed(struct owner *o, struct span bytes); /* bytes have come */
bool owner_act(struct owner *o, struct span action); /* TLS, SHUTDOWN, TIMEOUT */

#endif
