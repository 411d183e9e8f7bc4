/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_OAUTH_FILE_H
#define FRANK_ACCOUNT_OAUTH_FILE_H

/*
 * The tokens of one account on disk: DIRECTORY/LABEL.json, mode 0600, replaced as a whole (a new
 * file beside it, synced, renamed, the directory synced), so that a crash leaves the old tokens or
 * the new ones. Whoever is about to use the refresh token holds the lock (DIRECTORY/.LABEL.lock)
 * until what came of it is written. All of this blocks on the disk: it is for workers and commands.
 *
 * root writes for whoever owns the directory: files made by root are given to him.
 */

#include "account/oauth.h"

#define OAUTH_FILE_MAX 65536

/* What is in the file. */
struct oauth_token {
	struct buf access, refresh;      /* secret; empty: none */
	int64_t expires_ms, lifetime_ms; /* of the access token; wall; 0: none */
	int64_t refreshed_ms;            /* wall; 0: never */
	int64_t signed_in_ms;            /* wall; 0: never */
	bool dead;                       /* the provider has ended the sign-in */
	char error[1024];                /* why it is dead; or empty */
	int64_t error_ms;
	/* Whom and what the tokens are for: they go nowhere else. */
	char login[256], client[256], token_endpoint[512];
};

void oauth_token_init(struct oauth_token *token);
void oauth_token_fini(struct oauth_token *token);
void oauth_token_copy(struct oauth_token *to, const struct oauth_token *from);

/* Fills in for whom the tokens are; and whether tokens from a file are for this account. */
void oauth_token_set_account(struct oauth_token *token, const struct oauth_account *account);
bool oauth_token_is_for(const struct oauth_token *token, const struct oauth_account *account);

/* Changes whenever the file is replaced. All zero: there is none. */
struct oauth_file_stamp {
	uint64_t device, inode;
	int64_t changed_ns, size;
};
bool oauth_file_stamp_equal(const struct oauth_file_stamp *a, const struct oauth_file_stamp *b);

enum oauth_file_result {
	OAUTH_FILE_FOUND,
	OAUTH_FILE_ABSENT, /* a stamp of zeros */
	OAUTH_FILE_BROKEN, /* fault_out; the stamp is set when the file could be looked at */
};

/* token_out is initialised, and untouched unless FOUND. */
enum oauth_file_result oauth_file_read(const char *directory, const char *label,
    struct oauth_token *token_out, struct oauth_file_stamp *stamp_out, struct fault *fault_out);

/* The caller holds the lock. */
bool oauth_file_write(const char *directory, const char *label, const struct oauth_token *token,
    struct oauth_file_stamp *stamp_out, struct fault *fault_out);

enum oauth_lock {
	OAUTH_LOCK_HELD,
	OAUTH_LOCK_BUSY, /* somebody else is refreshing */
	OAUTH_LOCK_FAILED,
};
/* Never waits. close(2) gives the lock back. Makes the directory (0700) when only that is missing.
 */
enum oauth_lock oauth_file_lock(
    const char *directory, const char *label, int *fd_out, struct fault *fault_out);

#endif
