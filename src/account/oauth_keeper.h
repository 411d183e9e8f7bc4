/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_OAUTH_KEEPER_H
#define FRANK_ACCOUNT_OAUTH_KEEPER_H

/*
 * Keeps a valid access token for each OAuth account, for all threads, from one loop. It refreshes
 * ahead of expiry and writes what it got to the token file (account/oauth_file.h): a refresh token
 * that the provider has rotated is on stable storage before it is used. While the provider is down
 * it tries again with a growing pause (1 s to 30 s, with jitter). An account whose sign-in has
 * ended is broken until `frank token login` writes a new file, which the keeper sees at once
 * (inotify, and a look each minute). What only the settings can mend is tried again every 5 minutes
 * and after each reload.
 *
 * A refresh holds the account's lock file, so that two processes never use one refresh token
 * twice. Files are read and written in the pool of workers; the loop never waits. The library does
 * not log: a notice is for its owner to log.
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
	const char *directory; /* STATE/tokens; made 0700 if it is not there */
	/* Borrowed. NULL: files are read and written in the loop, for a command of one account. */
	struct worker_pool *file_pool;
	/* The state of an account may have changed: ask oauth_keeper_token() again. Called by the
	   loop, never from within a function of the keeper; so are the others. Each may be NULL. */
	void (*on_changed)(const char *label, void *owner);
	/* text is for the log: a sentence without secrets. */
	void (*on_notice)(
	    const char *label, enum oauth_notice notice, const char *text, void *owner);
	/* oauth_keeper_stop() was called, and now nothing is under way any more. */
	void (*on_stopped)(void *owner);
	void *owner;
};

/* Does nothing until accounts are set. NULL when libcurl cannot be had (FAULT_LOCAL). */
struct oauth_keeper *oauth_keeper_create(
    struct net_loop *loop, const struct oauth_keeper_settings *settings, struct fault *fault_out);

/* No refresh begins any more. One under way goes on, for HTTPS_TIMEOUT_MS at most: its provider may
   have rotated the refresh token already, and what is not written then is lost. */
void oauth_keeper_stop(struct oauth_keeper *keeper);
bool oauth_keeper_is_busy(const struct oauth_keeper *keeper);
/* The pool must be gone. Accepts NULL; clears the pointer. */
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
enum oauth_token_state oauth_keeper_token(
    struct oauth_keeper *keeper, struct span label, struct buf *token_out, struct fault *why_out);

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
	const char *label, *login;
	char provider[OAUTH_HOST_MAX]; /* host of its token end point */
	enum oauth_flow flow;
	enum oauth_token_state state;
	bool dead;              /* somebody has to act, even if the token is VALID for a while */
	int64_t expires_ms;     /* wall; 0: no token */
	int64_t refreshed_ms;   /* wall; 0: never */
	int64_t signed_in_ms;   /* wall; 0: never, or not needed */
	int64_t next_try_ms;    /* wall; 0: none is planned */
	const char *last_error; /* a sentence; NULL: the last refresh was a success */
	int64_t last_error_ms;
};

/* False when there is no account of that index (in the order of oauth_keeper_set_accounts()). */
bool oauth_keeper_report(
    struct oauth_keeper *keeper, size_t index, struct oauth_report *report_out);

#endif
