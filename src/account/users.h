/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_USERS_H
#define FRANK_ACCOUNT_USERS_H

/*
 * The users file: who may sign in. One user a line,
 *
 *	# a comment
 *	scanner:$y$j9T$LUvnUTrHKcfcz0gmrKgaL.$2Yf…		# another
 *	anna:$6$saltsalt$Wm…:SCRAM-SHA-256$4096:c2FsdA==$StoredKey:ServerKey
 *	printer:$y$j9T$…:CLEARTEXT$c2VjcmV0
 *
 * a name, a colon, and credentials separated by colons or blanks: at most one password hash of
 * libxcrypt (what mkpasswd prints), SCRAM verifiers (RFC 5803's, in the form that PostgreSQL uses
 * too), and the password itself in base64 for CRAM-MD5, which cannot do without. A credential that
 *begins with ! or * locks the user: the line stays, nothing matches. Names are compared byte by
 *byte; they are UTF-8 without colon, blanks and control bytes.
 *
 * A set of users never changes. A reload makes a new one, and who still uses the old one holds a
 * reference to it. Every error in the file is reported, with line and column; one is enough to
 * refuse it. A warning is for a line that is understood and cannot work, or should not be so.
 */

#include "base/fault.h"
#include "base/span.h"

#define USERS_FILE_MAX_BYTES (16 * 1024 * 1024) /* 100,000 users with room for comments */
#define USERS_COUNT_MAX 100000
#define USERS_NAME_MAX_BYTES 255
#define USERS_SCRAM_MAX 4 /* verifiers of one user */
#define USERS_SCRAM_ITERATIONS_MAX 10000000
#define USERS_SCRAM_SALT_MAX_BYTES 128
#define USERS_NOTES_MAX 50 /* further errors and warnings are only counted */

enum account_scram_hash {
	ACCOUNT_SCRAM_SHA_1,   /* RFC 5802 */
	ACCOUNT_SCRAM_SHA_256, /* RFC 7677 */
};

#define ACCOUNT_SCRAM_KEY_MAX_BYTES 32

struct account_scram {
	enum account_scram_hash hash;
	unsigned iterations;
	struct span salt;                   /* decoded, as the keys are */
	struct span stored_key, server_key; /* 20 or 32 bytes, as the hash says */
};

struct account_user {
	struct span name;
	struct span hash;   /* libxcrypt string with a NUL behind; or empty */
	const char *scheme; /* "yescrypt", "SCRAM-SHA-256", "locked", "unusable" */
	const struct account_scram *scram;
	size_t scram_count;
	struct span secret; /* the password itself, decoded; empty: not stored */
	unsigned line;      /* in the file, from 1 */
};

enum account_note_kind {
	ACCOUNT_NOTE_WARNING,
	ACCOUNT_NOTE_ERROR,
};

struct account_note {
	enum account_note_kind kind;
	unsigned line, column; /* from 1; both 0 for the file as a whole */
	char text[256];        /* a sentence; never shows a credential */
};

/* What was found in one file. Zeroed memory is empty. */
struct account_notes {
	struct account_note items[USERS_NOTES_MAX];
	size_t count;            /* of items */
	size_t errors, warnings; /* all of them, also those that found no room */
};

/* "path:line:column: sentence", or "path: sentence". Returns out, cut at size. */
const char *account_note_format(
    const struct account_note *note, const char *path, char *out, size_t size);

struct account_users;

/* Reads the file's text. NULL when there are errors; they are in *notes_out, as are the warnings.
   The result is the caller's first reference. */
struct account_users *account_users_parse(struct span text, struct account_notes *notes_out);

/* The same from an open file, read from its start to its end; warns when everybody may read it. A
   file that cannot be read is an error about the file as a whole. */
struct account_users *account_users_read_fd(int fd, struct account_notes *notes_out);
/* Opens, reads and closes. */
struct account_users *account_users_read(const char *path, struct account_notes *notes_out);

/* References may be taken and dropped by any thread. The last one frees and wipes the set. */
struct account_users *account_users_ref(struct account_users *users);
void account_users_unref(struct account_users **users); /* accepts NULL; clears the pointer */

size_t account_users_count(const struct account_users *users);
/* In the order of the file; index below the count. Lives as long as the set. */
const struct account_user *account_users_at(const struct account_users *users, size_t index);
/* NULL when there is no such user. */
const struct account_user *account_users_find(const struct account_users *users, struct span name);

/* The user whose password an unknown user's is compared with, for the same work: the first one of
   the scheme and cost that most users have, or an invented one. Never NULL, and never
   a reason to let anybody in. */
const struct account_user *account_users_decoy(const struct account_users *users);

/* Whether any password can be right. */
bool account_user_works(const struct account_user *user);
/* His verifier for a mechanism's hash, or NULL. */
const struct account_scram *account_user_scram(
    const struct account_user *user, enum account_scram_hash hash);

/* That invented one: a usual hash of nobody's password. */
const struct account_user *account_users_invented(void);

/* Why this cannot be a user's name, to end a sentence with: "contains a colon". NULL if it can. */
const char *account_user_name_fault(struct span name);

#endif
