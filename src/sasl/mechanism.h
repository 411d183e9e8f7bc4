/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_MECHANISM_H
#define FRANK_SASL_MECHANISM_H

/*
 * The mechanisms Frank speaks, weakest first: which is better is decided by what a thief on the
 * server's side gets. A password sent as it is comes first, then digests of it, then proofs that
 * also prove the server, then those that hold no password at all.
 *
 * To add one: a value here, a row in mechanism.c, a file of its own with its client's and server's
 * side, and a row in each of client.c and server.c.
 */

#include "base/span.h"

enum sasl_mechanism {
	SASL_MECHANISM_LOGIN,              /* draft-murchison-sasl-login */
	SASL_MECHANISM_PLAIN,              /* RFC 4616 */
	SASL_MECHANISM_NTLM,               /* [MS-SMTPNTLM]; client only */
	SASL_MECHANISM_CRAM_MD5,           /* RFC 2195 */
	SASL_MECHANISM_DIGEST_MD5,         /* RFC 2831; client only */
	SASL_MECHANISM_SCRAM_SHA_1,        /* RFC 5802 */
	SASL_MECHANISM_SCRAM_SHA_1_PLUS,   /* the same, bound to the TLS connection */
	SASL_MECHANISM_SCRAM_SHA_256,      /* RFC 7677 */
	SASL_MECHANISM_SCRAM_SHA_256_PLUS, /* the same, bound to the TLS connection */
	SASL_MECHANISM_XOAUTH2,            /* Google's, and Microsoft's */
	SASL_MECHANISM_OAUTHBEARER,        /* RFC 7628 */
	SASL_MECHANISM_GSSAPI,             /* RFC 4752; client only */
	SASL_MECHANISM_EXTERNAL,           /* RFC 4422, appendix A */
	SASL_MECHANISM_COUNT,
};

/* What a mechanism proves an identity with: an account that has it can serve the mechanism. */
enum sasl_secret {
	SASL_SECRET_PASSWORD,
	SASL_SECRET_TOKEN,       /* an OAuth access token */
	SASL_SECRET_CERTIFICATE, /* a certificate shown to the TLS server */
	SASL_SECRET_KERBEROS,    /* a Kerberos ticket */
	SASL_SECRET_COUNT,
};

#define SASL_NAME_MAX 255     /* octets of a user name (RFC 4616, 2) */
#define SASL_PASSWORD_MAX 511 /* octets of a password: what libxcrypt takes */
#define SASL_TOKEN_MAX 7680   /* octets of an access token: with a name it fills an AUTH line */

const char *sasl_mechanism_name(enum sasl_mechanism mechanism);
/* In any case. False when Frank does not speak it. */
bool sasl_mechanism_find(struct span name, enum sasl_mechanism *mechanism_out);

enum sasl_secret sasl_mechanism_secret(enum sasl_mechanism mechanism);
bool sasl_mechanism_is_scram(enum sasl_mechanism mechanism);
/* A -PLUS one, which needs a binding (sasl/binding.h). */
bool sasl_mechanism_is_bound(enum sasl_mechanism mechanism);

/* With CR or LF, as `echo` without -n makes it. */
bool sasl_ends_with_line_end(struct span secret);

#endif
