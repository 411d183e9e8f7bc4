/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_SERVER_H
#define FRANK_SASL_SERVER_H

/*
 * The server's side of SASL (RFC 4422): bytes in, bytes out, base64 is the protocol's business. The
 * result of an exchange is an identity that the owner checks, or, where the mechanism proves
 * knowledge of a stored secret, one that is proved: the owner looks the user up in between.
 *
 *	PLAIN, LOGIN, XOAUTH2,		IDENTITY; the owner checks password, token or certificate,
 *	OAUTHBEARER, EXTERNAL		and a refused token is told by sasl_server_reject()
 *	SCRAM-*				LOOKUP -> sasl_server_found_verifier() -> CHALLENGE ...
 *					-> PROVED
 *	CRAM-MD5			LOOKUP -> sasl_server_found_password() -> PROVED
 *
 * An unknown user is played to the end like a known one. A sentence contains nothing of what the
 * client sent.
 */

#include "base/buf.h"
#include "sasl/binding.h"
#include "sasl/mechanism.h"
#include "sasl/scram.h"

#define SASL_SERVER_RANDOM_MIN 16

enum sasl_outcome {
	SASL_OUTCOME_CHALLENGE, /* challenge is to be sent, then the response stepped */
	SASL_OUTCOME_IDENTITY,  /* identity is complete, and nothing of it is checked */
	SASL_OUTCOME_LOOKUP,    /* identity.authcid is to be looked up */
	SASL_OUTCOME_PROVED,    /* identity.authcid is who it says: signed in */
	SASL_OUTCOME_REFUSED,   /* the login is refused: 535; sentence is for the log only */
	SASL_OUTCOME_MALFORMED, /* sentence says what is wrong with what the client sent: 501 */
};

struct sasl_identity {
	struct buf authcid;  /* user name as sent; empty only with a token or a certificate */
	struct buf authzid;  /* empty, or the same as authcid */
	struct buf password; /* secret; empty without one */
	struct buf token;    /* secret; empty without one */
	/* Name or password end with CR or LF. They are taken as given; for the log. */
	bool has_line_end;
};

/* What the mechanisms need beside the client's bytes. Borrowed while an exchange runs. */
struct sasl_server_setup {
	struct span random;    /* SASL_SERVER_RANDOM_MIN octets or more, fresh for each exchange;
				  for CRAM-MD5 and SCRAM */
	struct span hostname;  /* for CRAM-MD5's challenge */
	struct span decoy_key; /* secret, the same for as long as possible: makes an unknown
				  user's salt, which must not change from try to try */
	unsigned decoy_iterations; /* what most users have; 0: SASL_SCRAM_ITERATIONS_MIN */
	struct sasl_binding binding;
	bool bound_offered; /* the client was offered a -PLUS mechanism */
};

struct sasl_server {
	enum sasl_mechanism mechanism;
	unsigned step;         /* client's messages so far */
	struct span challenge; /* lives until the next call */
	/* The login has failed, and challenge tells the client's machine why (RFC 5802, 7; RFC
	   7628, 3.2.2). Whatever comes back, a cancellation too, ends in 535; or 535 at once. */
	bool refused;
	struct sasl_server_setup setup;
	struct sasl_identity identity;
	const char *hint;   /* a remark for the log (static), or NULL */
	char sentence[256]; /* one line without line end */
	struct buf said;    /* what challenge points into, where it is not static */
	struct sasl_scram_server *scram;
};

/* For mechanisms: sets the sentence, and is the outcome that goes with it. */
enum sasl_outcome sasl_server_malformed(struct sasl_server *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* For mechanisms: take one part of the identity after checking it. False: the sentence is set. */
bool sasl_server_take_name(struct sasl_server *s, struct span name);
bool sasl_server_take_password(struct sasl_server *s, struct span password);
/* For mechanisms: the login has failed; explanation goes to the client as a challenge, unless it
   is empty. sentence is for the log. */
enum sasl_outcome sasl_server_refuse(
    struct sasl_server *s, const char *explanation, const char *sentence);

/* Whether the mechanism has a server's side here. */
bool sasl_server_speaks(enum sasl_mechanism mechanism);

/* fini wipes the secrets. A machine may be started again and again, which wipes them too. */
void sasl_server_init(struct sasl_server *s);
void sasl_server_fini(struct sasl_server *s);

/* Before start, for mechanisms that need any of it. */
void sasl_server_equip(struct sasl_server *s, const struct sasl_server_setup *setup);

/* Begins an exchange. initial is decoded, and has no meaning without has_initial. The mechanism
   must be one that is spoken. */
enum sasl_outcome sasl_server_start(
    struct sasl_server *s, enum sasl_mechanism mechanism, bool has_initial, struct span initial);
/* Goes on after CHALLENGE with the decoded response. */
enum sasl_outcome sasl_server_step(struct sasl_server *s, struct span response);

/* After LOOKUP in a SCRAM mechanism: what is stored of the user for this hash, or NULL when there
   is no such user or nothing is stored. Copied. */
enum sasl_outcome sasl_server_found_verifier(
    struct sasl_server *s, const struct sasl_scram_verifier *verifier);
/* After LOOKUP in CRAM-MD5: the user's password; empty when there is none. */
enum sasl_outcome sasl_server_found_password(struct sasl_server *s, struct span password);
/* After IDENTITY, when the owner refuses it: tells the client's machine, where the mechanism has
   words for it. */
enum sasl_outcome sasl_server_reject(struct sasl_server *s);

#endif
