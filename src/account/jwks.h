/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_JWKS_H
#define FRANK_ACCOUNT_JWKS_H

/*
 * The keys of a set (RFC 7517) as OpenSSL has them, for jwt.c: RSA of 2,048 to 8,192 bits for
 * RS256, P-256 for ES256. A key that says that it is for something else (use, alg) is passed over.
 */

#include "account/jwt.h"

#include <openssl/evp.h>

enum account_jwk_kind {
	ACCOUNT_JWK_RSA, /* RS256 */
	ACCOUNT_JWK_EC,  /* ES256 */
};

struct account_jwk {
	enum account_jwk_kind kind;
	char *id; /* kid, or NULL */
	EVP_PKEY *key;
};

struct account_jwks {
	char *issuer, *audience, *login_claim;
	struct account_jwk keys[ACCOUNT_JWKS_KEYS_MAX];
	size_t count;
};

/* Base64 of the URL form without padding (RFC 7515, 2). False when malformed or too long for
   out. */
bool account_base64url_decode(struct buf *out, struct span text);

#endif
