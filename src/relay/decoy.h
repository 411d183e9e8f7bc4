/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_DECOY_H
#define FRANK_RELAY_DECOY_H

/*
 * The secret that salts are made of for users who do not exist (sasl/scram_server.h). Were it
 * another one after a restart, their salts would change while those of users stay, and tell who
 * exists: so it is kept in the state directory. Where that cannot be written it lasts as long as
 * the process.
 */

#include "account/signin.h"

void decoy_key_load(const char *state_path, char out[ACCOUNT_SIGNIN_DECOY_KEY]);

#endif
