/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_JWT_H
#define FRANK_ACCOUNT_JWT_H

/*
 * OAuth access tokens checked on this machine: JWTs (RFC 7519) in the compact form (RFC 7515, 7.1),
 * signed with RS256 or ES256 by a key of the identity provider's set (RFC 7517). Nothing is asked
 * over the network.
 *
 * The token does not choose how it is checked (RFC 8725, 3.1): a key is of one kind, RSA or P-256,
 * and serves the one algorithm of that kind. "none", and HMAC with somebody's public key as its
 * secret, find no key. iss, aud and exp must be there and fit; nbf is heeded; crit is refused.
 */

#include "base/buf.h"
#include "base/fault.h"

#define ACCOUNT_JWKS_FILE_MAX 262144
#define ACCOUNT_JWKS_KEYS_MAX 32
#define ACCOUNT_JWT_CLOCK_S 60 /* that clocks may differ */

struct account_jwks_settings {
	const char *issuer, *audience;
	const char *login_claim;
};

/* Keys and what tokens must say; immutable. */
struct account_jwks;

/* NULL with a fault (FAULT_LOCAL): no JSON, or no key in it that can be used. Keys of other kinds
   are passed over. Strings of the settings are copied. */
struct account_jwks *account_jwks_parse(
    struct span text, const struct account_jwks_settings *settings, struct fault *fault_out);
/* The same from a file. */
struct account_jwks *account_jwks_read(
    const char *path, const struct account_jwks_settings *settings, struct fault *fault_out);
void account_jwks_destroy(struct account_jwks **keys); /* accepts NULL; clears the pointer */
size_t account_jwks_count(const struct account_jwks *keys);

/* Whether the token is good at the time now_s (UTC). Appends whose it is. login is the name that
   came with it, and must be the same; empty: none came. The fault (FAULT_PERMANENT) is for the
   log, and shows nothing of the token. About 0.1 ms of CPU. */
bool account_jwt_check(const struct account_jwks *keys, struct span token, struct span login,
    int64_t now_s, struct buf *login_out, struct fault *fault_out);

#endif
