/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_OAUTH_FETCH_H
#define FRANK_ACCOUNT_OAUTH_FETCH_H

/*
 * One access token for a command (route test --connect): what is stored if it is still good,
 * otherwise a refresh by the rules of the keeper, so that a relay that runs at the same time and
 * the command never use one refresh token twice. Blocks, with a loop of its own.
 */

#include "account/oauth.h"

/* Appends the token to token_out, a secret buf with room for OAUTH_TOKEN_MAX. timeout_ms limits the
   whole; it should be more than HTTPS_TIMEOUT_MS. */
bool oauth_fetch(const char *directory, struct oauth_account *account, int64_t timeout_ms,
    struct buf *token_out, struct fault *fault_out);

#endif
