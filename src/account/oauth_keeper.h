/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_OAUTH_KEEPER_H
#define FRANK_ACCOUNT_OAUTH_KEEPER_H

/*
 * Keeps a valid access token for each OAuth account, for all threads, from one loop. It refreshes
 * ahead of expiry, writes what it got to the token file (account/oauth_file.h), and only then
 * hands it out: a refresh token that the provider has rotated is on stable storage before it is
 * used. While the provider is down it tries again with a growing pause (1 s to 1 m, and jitter).
 * An account whose sign-in has ended is broken until `frank token login` writes a new file: the
 * keeper sees that at once (inotify, and a look once a minute).
 *
 * A refresh holds the account's lock file, so that two processes never use one refresh token
 * twice. Files are read and written in the pool of workers; the loop never waits. The library does
 * not log: a notice is for its owner to log and count.
 */

#include "account/oauth.h"
#include "base/worker.h"
#include "net/loop.h"

#define OAUTH_KEEPER_ACCOUNTS_MAX 1000

struct oauth_keeper;

enum oauth_token_state {
	OAUTH_TOKEN_VALID,
	OAUTH_TOKEN_PENDING, /* wait: the first token, a refresh, or the provider is down */
	OAUTH_TOKEN_BROKEN,  /* somebody has to act; the sentence says how */
};

enum oauth_notice {
	OAUTH_NOTICE_REFRESHED, /* a new token is there */
	OAUTH_NOTICE_TROUBLE,   /* a refresh failed and is tried again; once for each sentence */
	OAUTH_NOTICE_BROKEN,    /* likewise */
};

struct oauth_keeper_settings {
	const char *directory;         /* STATE/tokens; made 0700 if it is not there */
	struct worker_pool *file_pool; /* borrowed. NULL: files are read and written in the loop */
	/* The state of an account may have changed: ask oauth_keeper_token() again. Called by the
	   loop, never from within a function of the keeper. */
	void (*on_changed)(const char *label, void *owner);
	/* text is for the log: a sentence without secrets. */
	void (*on_notice)(
	    const char *label, enum oauth_notice notice, const char *text, void *owner);
	void *owner;
};

/* Does nothing until accounts are set. NULL when libcurl cannot be had (FAULT_LOCAL). */
struct oauth_keeper *oauth_keeper_create(struct net_loop *loop,
    const struct oauth_keeper_settings *settings, struct fault *fault_out);

/* No refresh begins any more, and no callback comes; a file being written is finished. Call it
   before the pool is destroyed. */
void oauth_keeper_stop(struct oauth_keeper *keeper);
/* After the pool. Accepts NULL; clears the pointer. */
void oauth_keeper_destroy(struct oauth_keeper **keeper);

/* The accounts of a new configuration; each is referenced. What is known of one that is still there
   stays, and one that is in trouble is tried again at once. NULL entries are passed over. */
void oauth_keeper_set_accounts(
    struct oauth_keeper *keeper, struct oauth_account *const accounts[], size_t count);

/*
 * VALID: the access token is appended to token_out, a secret buf with room for OAUTH_TOKEN_MAX.
 * Otherwise why_out is a sentence for people: FAULT_TEMPORARY for PENDING, FAULT_LOCAL for BROKEN.
 * A label that was never set is BROKEN.
 */
enum oauth_token_state oauth_keeper_token(struct oauth_keeper *keeper, struct span label,
    struct buf *token_out, struct fault *why_out);

/*
 * A hop has refused the account's token (535). token is the one that it refused, empty for the
 * present one. True: the account is PENDING now, or has another token already, and it is worth
 * another try when it is VALID. False: what was refused is a token that came from such a forced
 * refresh within the last OAUTH_KEEPER_FORCED_MS, or the account is broken: a new token does not
 * help.
 */
#define OAUTH_KEEPER_FORCED_MS (10 * 60 * 1000)
bool oauth_keeper_rejected(struct oauth_keeper *keeper, struct span label, struct span token);

/* For status and token list. Strings are borrowed until the next turn of the loop. */
struct oauth_report {
	const char *label, *login, *provider_host;
	enum oauth_flow flow;
	enum oauth_token_state state;
	int64_t expires_ms;    /* wall; 0: no token */
	int64_t refreshed_ms;  /* wall; 0: never */
	int64_t signed_in_ms;  /* wall; 0: never, or not needed */
	int64_t next_try_ms;   /* wall; 0: none is planned */
	const char *last_error; /* a sentence; NULL: the last refresh was a success */
	int64_t last_error_ms;
};

/* False when there is no account of that index (in the order of oauth_keeper_set_accounts()). */
bool oauth_keeper_report(
    struct oauth_keeper *keeper, size_t index, struct oauth_report *report_out);

#endif
