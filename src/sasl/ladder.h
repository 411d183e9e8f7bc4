/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_LADDER_H
#define FRANK_SASL_LADDER_H

/*
 * A client's whole AUTH conversation with a server (RFC 4954), as data in and actions out: which
 * mechanism, with or without an initial response, and what after a refusal. The owner carries the
 * actions to the protocol and the answers back.
 *
 * - The strongest mechanism on offer that the credentials can serve comes first. No AUTH byte
 *   leaves without TLS unless that is allowed.
 * - What is remembered of this server comes first, then the setting; `auto` begins LOGIN without an
 *   initial response and the others with one, except where the mechanism has none (NTLM, CRAM-MD5,
 *   DIGEST-MD5, GSSAPI).
 * - 500, 501, 502, 503, 504, or a challenge that asks for the name already sent: the other way is
 *   tried once, in the same session; then the next mechanism. What worked is remembered.
 * - 535 and other refusals end it: trying the same secret again locks accounts. A mechanism with
 *   another secret of the same account (a certificate, then the password) is still tried. A refusal
 *   whose text says that the mechanism is what is wrong leads to the next mechanism.
 * - A server that breaks a mechanism that proves it (a wrong signature, a nonce that is not ours,
 *   too few iterations, a "yes" without proof) gets nothing more: nothing weaker is tried, since
 *   that is what somebody in between would want.
 * - 4yz ends it as temporary.
 *
 * All is bounded: each mechanism is begun at most twice, and an exchange has at most eight steps.
 *
 * A ladder belongs to one thread at a time and uses nothing but its settings, its memory and its
 * cache: a slow step may be taken by a worker while the owner waits.
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
	const struct span *only;             /* names of those that may be used, borrowed */
	size_t only_count;                   /* 0: any */
	enum sasl_initial_response initial_response;
	struct sasl_binding binding; /* borrowed; empty: none, and no -PLUS is used */
	/* At least 16 random octets, fresh for each ladder; borrowed. Without them no SCRAM. */
	struct span random;
	struct sasl_scram_cache *scram_cache; /* or NULL; outlives the ladder */
	unsigned scram_iterations_min;        /* 0: SASL_SCRAM_ITERATIONS_MIN (sasl/scram.h) */
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
	SASL_TROUBLE_CREDENTIALS,  /* login or secret cannot be sent by any mechanism */
	SASL_TROUBLE_REFUSED,      /* login refused */
	SASL_TROUBLE_TEMPORARY,    /* 4yz */
	SASL_TROUBLE_CONFUSED,     /* every way tried, none understood */
	SASL_TROUBLE_UNTRUSTED,    /* the server breaks the mechanism: it may not be the server */
	SASL_TROUBLE_LOCAL,        /* nothing of this account can be tried from here: no ticket */
};

struct sasl_ladder_action {
	enum sasl_ladder_kind kind;
	struct span mechanism; /* static, upper case; GIVE_UP: the last one tried, or empty */
	bool has_initial;
	struct span bytes; /* secret; lives until the next call */
	unsigned payload;  /* START, RESPOND: which payload of the exchange bytes are, from 0; what
			      sasl_describe() calls the step */
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
	bool binding_offered;               /* the server lists a -PLUS mechanism */
	bool unable;                        /* one could not be played from here: last_reply */
	unsigned exchanges;                 /* begun: makes each one's nonce another */
	char random[SASL_DIGEST_MAX];
	unsigned phase, challenges, cancels;
	enum sasl_trouble verdict; /* what it ends with after the cancellation */
	char last_reply[256];      /* in printable form */
	char sentence[512];
};

/* Whether answering the challenge that has come takes long (a derived key, a ticket) and belongs on
   a worker. Beginning and replies never do. */
bool sasl_ladder_is_slow(const struct sasl_ladder *l);

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
