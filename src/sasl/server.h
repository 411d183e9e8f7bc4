/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_SERVER_H
#define FRANK_SASL_SERVER_H

/*
 * The server's side of SASL (RFC 4422): bytes in, bytes out, base64 is the protocol's business. The
 * result of an exchange is an identity that the owner checks; nothing is checked here.
 *
 * A sentence contains nothing of what the client sent.
 */

#include "base/buf.h"
#include "sasl/mechanism.h"

enum sasl_outcome {
	SASL_OUTCOME_CHALLENGE, /* challenge is to be sent, then the response stepped */
	SASL_OUTCOME_IDENTITY,  /* identity is complete */
	SASL_OUTCOME_MALFORMED, /* sentence says what is wrong with what the client sent: 501 */
};

struct sasl_identity {
	struct buf authcid;  /* user name as sent, never empty */
	struct buf authzid;  /* empty, or the same as authcid */
	struct buf password; /* secret, never empty */
	/* Name or password end with CR or LF. They are taken as given; for the log. */
	bool has_line_end;
};

struct sasl_server {
	enum sasl_mechanism mechanism;
	unsigned step;
	struct span challenge; /* static bytes */
	struct sasl_identity identity;
	const char *hint;   /* a remark for the log (static), or NULL */
	char sentence[256]; /* one line without line end */
};

/* For mechanisms: sets the sentence, and is the outcome that goes with it. */
enum sasl_outcome sasl_server_malformed(struct sasl_server *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* For mechanisms: take one part of the identity after checking it. False: the sentence is set. */
bool sasl_server_take_name(struct sasl_server *s, struct span name);
bool sasl_server_take_password(struct sasl_server *s, struct span password);

/* fini wipes the secrets. A machine may be started again and again, which wipes them too. */
void sasl_server_init(struct sasl_server *s);
void sasl_server_fini(struct sasl_server *s);

/* Begins an exchange. initial is decoded, and has no meaning without has_initial. */
enum sasl_outcome sasl_server_start(
    struct sasl_server *s, enum sasl_mechanism mechanism, bool has_initial, struct span initial);
/* Goes on after CHALLENGE with the decoded response. */
enum sasl_outcome sasl_server_step(struct sasl_server *s, struct span response);

#endif
