/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_OAUTH_H
#define FRANK_ACCOUNT_OAUTH_H

/*
 * An account that signs in with OAuth tokens (RFC 6749): who it is at which provider, and how it
 * comes by its tokens. Made once from the configuration, with the secrets that it names read; then
 * immutable and counted, so that a refresh under way outlives a reload.
 */

#include "base/buf.h"
#include "base/fault.h"

/* What an AUTH line takes, less the login and what stands around it (RFC 4954, section 4). */
#define OAUTH_TOKEN_MAX 8192
#define OAUTH_KEY_FILE_MAX 16384
#define OAUTH_TRUST_MAX (1024 * 1024)
#define OAUTH_LABEL_MAX 64

enum oauth_provider {
	OAUTH_PROVIDER_OTHER,
	OAUTH_PROVIDER_MICROSOFT, /* its errors are known: AADSTS… */
	OAUTH_PROVIDER_GOOGLE,
};

enum oauth_flow {
	OAUTH_FLOW_DEVICE,             /* RFC 8628 */
	OAUTH_FLOW_CODE,               /* RFC 6749, 4.1, with PKCE (RFC 7636) */
	OAUTH_FLOW_CLIENT_CREDENTIALS, /* RFC 6749, 4.4 */
	OAUTH_FLOW_SERVICE_ACCOUNT,    /* RFC 7523: a signed JWT for the account's login */
};

/* As frank.conf(5) has them: "client-credentials". */
const char *oauth_flow_name(enum oauth_flow flow);
/* Whether somebody has to sign in once (frank token login), and a refresh token goes on from
   there. The others get tokens by themselves. */
bool oauth_flow_is_interactive(enum oauth_flow flow);

/* What the configuration says. Strings may be NULL where the flow does without. */
struct oauth_settings {
	const char *label; /* names the token file: oauth_label_fault() */
	const char *login;
	enum oauth_provider provider;
	enum oauth_flow flow;
	const char *tenant; /* for sentences */
	const char *client_id;
	const char *client_secret_file; /* NULL: a public client */
	const char *key_file;           /* a service account's JSON */
	const char *authorization_endpoint, *device_endpoint, *token_endpoint; /* https */
	const char *scope;
	const char *trust; /* PEM file or directory; NULL: the system's */
};

struct oauth_account {
	struct oauth_settings settings; /* with strings of its own */
	struct buf client_secret;       /* secret; empty: none */
	struct buf key;                 /* secret: a service account's private key, PEM */
	char *key_id, *issuer;          /* of a service account; else NULL */
	struct buf trust;               /* PEM text; empty: the system's, or a directory */
	_Atomic unsigned references;
};

/* Why this cannot be an account's label when its tokens are kept in a file of that name; NULL if it
   can: letters, digits, - _ . @ +, not beginning with a dot, at most OAUTH_LABEL_MAX bytes. */
const char *oauth_label_fault(const char *label);

/* The host of an https address, with its port if it names one; empty when it is too long. */
#define OAUTH_HOST_MAX 256
const char *oauth_host(const char *url, char out[OAUTH_HOST_MAX]);

/* Reads the files that the settings name. *exposed_out (may be NULL) is one of them, borrowed from
   the settings, that everybody may read, or NULL. NULL with a fault (FAULT_LOCAL). */
struct oauth_account *oauth_account_load(
    const struct oauth_settings *settings, const char **exposed_out, struct fault *fault_out);

/* Any thread. unref accepts NULL and clears the pointer. */
struct oauth_account *oauth_account_ref(struct oauth_account *account);
void oauth_account_unref(struct oauth_account **account);

/* Whether tokens got for one serve the other: same login, flow, client, end point, scope. */
bool oauth_account_equal(const struct oauth_account *a, const struct oauth_account *b);

#endif
