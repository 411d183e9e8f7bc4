/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_ADMIN_TOKEN_H
#define FRANK_RELAY_ADMIN_TOKEN_H

/*
 * An OAuth account as JSON: account, login, flow, provider, state (valid, pending, broken), dead,
 * expires, last_refresh, signed_in, next_try, last_error{time text}. What is absent has no key.
 */

#include "account/oauth_keeper.h"

#include <jansson.h>

json_t *admin_token_json(const struct oauth_report *report);

#endif
