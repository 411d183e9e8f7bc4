/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_LADDER_H
#define FRANK_SASL_LADDER_H

/*
 * A client's whole AUTH conversation with a server (RFC 4954), as data in and actions out: which
 * mechanism, with or without an initial response, and what after a refusal. The owner carries the
 * actions to the protocol and the answers back.
 *
 * - The strongest mechanism on offer first. No AUTH byte leaves without TLS unless that is allowed.
 * - What is remembered of this server comes first, then the setting; `auto` begins PLAIN with an
 *   initial response and LOGIN without.
 * - 500, 501, 502, 503, 504, or a challenge that asks for the name already sent: the other way is
 *   tried once, in the same session; then the next mechanism. What worked is remembered.
 * - 535 and other refusals end it: trying the same secret again locks accounts. A refusal whose
 *   text says that the mechanism is what is wrong leads to the next mechanism.
 * - 4yz ends it as temporary.
 *
 * All is bounded: each mechanism is begun at most twice, and an exchange has at most four steps.
 */

#include "base/buf.h"
#include "sasl/client.h"

enum sasl_initial_response {
	SASL_INITIAL_RESPONSE_AUTO,
	SASL_INITIAL_RESPONSE_YES,
	SASL_INITIAL_RESPONSE_NO,
};

enum sasl_way {
	SASL_WAY_UNKNOWN,
	SASL_WAY_WITH_INITIAL,
	SASL_WAY_WITHOUT_INITIAL,
};

/* What was learned of a server: plain values, kept by the owner between sessions; zero: nothing. */
struct sasl_memory {
	enum sasl_way way[SASL_MECHANISM_COUNT]; /* what worked, per mechanism */
	bool failed[SASL_MECHANISM_COUNT];       /* listed, and not understood either way, when
						    another one worked: it comes last */
};

struct sasl_ladder_settings {
	const struct span *offered; /* mechanism names as the server lists them; borrowed */
	size_t offered_count;
	bool tls_active;
	bool cleartext_allowed;              /* AUTH without TLS */
	struct sasl_credentials credentials; /* borrowed until the end */
	struct span only_mechanism;          /* empty: any; else the one that may be used */
	enum sasl_initial_response initial_response;
};

enum sasl_ladder_kind {
	SASL_LADDER_START,   /* AUTH mechanism, with bytes as initial response if has_initial */
	SASL_LADDER_RESPOND, /* bytes answer the challenge */
	SASL_LADDER_CANCEL,  /* send "*"; the reply goes to sasl_ladder_reply() like any other */
	SASL_LADDER_DONE,    /* authenticated; memory is up to date */
	SASL_LADDER_GIVE_UP, /* trouble, sentence */
};

enum sasl_trouble {
	SASL_TROUBLE_NONE,
	SASL_TROUBLE_NO_TLS,       /* TLS is missing here, or the server asks for it first */
	SASL_TROUBLE_NOT_OFFERED,  /* the server lists no AUTH */
	SASL_TROUBLE_NO_MECHANISM, /* none of those listed can be used */
	SASL_TROUBLE_CREDENTIALS,  /* login or password cannot be sent by any mechanism */
	SASL_TROUBLE_REFUSED,      /* login refused */
	SASL_TROUBLE_TEMPORARY,    /* 4yz */
	SASL_TROUBLE_CONFUSED,     /* every way tried, none understood */
};

struct sasl_ladder_action {
	enum sasl_ladder_kind kind;
	struct span mechanism; /* static, upper case */
	bool has_initial;
	struct span bytes; /* secret; lives until the next call */
	enum sasl_trouble trouble;
	const char *sentence; /* what and why in plain words, peer text in printable
				 form, no secret; lives as long as the ladder */
};

/* Fields are the ladder's own. */
struct sasl_ladder {
	struct sasl_ladder_settings settings;
	struct sasl_memory *memory;
	struct sasl_client client;
	struct buf bytes;
	unsigned offered;                   /* bit per mechanism that may be used */
	unsigned tried_with, tried_without; /* bits, too */
	bool initial_ignored; /* the server asked for the token although it had come */
	unsigned phase, challenges, cancels;
	char last_reply[240]; /* in printable form */
	char sentence[512];
};

/* Begins. memory is read and, when the login succeeds, written; it outlives the ladder. */
void sasl_ladder_begin(struct sasl_ladder *l, const struct sasl_ladder_settings *settings,
    struct sasl_memory *memory, struct sasl_ladder_action *action_out);
/* Wipes what is secret. */
void sasl_ladder_fini(struct sasl_ladder *l);

/* After START or RESPOND: a 334 came. challenge is decoded, or raw where it is not base64. */
void sasl_ladder_challenge(
    struct sasl_ladder *l, struct span challenge, struct sasl_ladder_action *action_out);
/* After START, RESPOND or CANCEL: the final reply. text is that behind the code, with the enhanced
   status if there is one. */
void sasl_ladder_reply(
    struct sasl_ladder *l, unsigned code, struct span text, struct sasl_ladder_action *action_out);

#endif
