/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CLI_TOKEN_LOGIN_H
#define FRANK_CLI_TOKEN_LOGIN_H

/*
 * `frank token login`: somebody signs in once, in a browser, and what the provider gives is stored
 * for the relay. All talk goes to standard error.
 */

#include "account/oauth.h"

struct token_login_settings {
	const char *directory; /* STATE/tokens: there, and ours to write */
	struct oauth_account *account;
	uint16_t port; /* to listen on, with the code flow; 0: any */
};

/* Blocks until somebody has signed in, or that has failed. False with a fault: FAULT_LOCAL when it
   could not be tried or stored, other kinds when the provider has refused. */
bool token_login(const struct token_login_settings *settings, struct fault *fault_out);

#endif
