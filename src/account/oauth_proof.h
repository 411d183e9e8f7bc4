/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_OAUTH_PROOF_H
#define FRANK_ACCOUNT_OAUTH_PROOF_H

/*
 * What Frank proves to a provider: that who redeems a code is who asked for it (PKCE, RFC 7636,
 * with S256), that an answer belongs to our question (state), and that a request comes from a
 * service account (a JWT signed with RS256: RFC 7515, 7519, 7523).
 */

#include "account/oauth.h"

#define OAUTH_PROOF_TEXT 44 /* 32 bytes in base64url, and a NUL */

struct oauth_proof {
	char verifier[OAUTH_PROOF_TEXT];  /* secret until it is redeemed */
	char challenge[OAUTH_PROOF_TEXT]; /* its SHA-256 */
	char state[OAUTH_PROOF_TEXT];
};

void oauth_proof_make(struct oauth_proof *proof_out);

#define OAUTH_ASSERTION_MAX 8192
#define OAUTH_ASSERTION_LIFETIME_S 3600 /* Google's limit */

/* Appends the signed request of a service account that stands for the account's login, issued at
   now_s (wall). False when the key is no RSA private key (FAULT_LOCAL). */
bool oauth_assertion_make(
    const struct oauth_account *account, int64_t now_s, struct buf *out, struct fault *fault_out);

/* RFC 4648, section 5, without padding. */
bool oauth_base64url(struct buf *out, struct span bytes);

#endif
