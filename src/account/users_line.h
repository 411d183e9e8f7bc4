/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_USERS_LINE_H
#define FRANK_ACCOUNT_USERS_LINE_H

/*
 * One line of a users file (account/users.h describes it): its name and its credentials, and what
 * is to be said about them. The set of users is made of these.
 */

#include "account/users.h"

#define USERS_LINE_NOTES_MAX 8

struct users_line_note {
	enum account_note_kind kind;
	unsigned column;
	char text[200];
};

struct users_line {
	struct account_user user; /* valid with USERS_LINE_USER only; line is not set */
	struct users_line_note notes[USERS_LINE_NOTES_MAX];
	size_t note_count;
};

enum users_line_result {
	USERS_LINE_USER,    /* perhaps with warnings */
	USERS_LINE_NOTHING, /* blank, or a comment */
	USERS_LINE_WRONG,   /* at least one error is noted */
};

/* text is the line without its LF (a CR at the end is left aside) and has at least one writable
   byte behind it: separators are overwritten with NUL, so that hashes become strings. The user
   borrows from text. */
enum users_line_result users_line_parse(char *text, size_t len, struct users_line *line_out);

/* What a credential begins with that is the password itself, in base64. */
#define USERS_SECRET_PREFIX "CLEARTEXT$"

/* Frees and wipes what a user holds beside its text. */
void users_line_fini(struct account_user *user);

/* The part of a credential that says how much work its check is: scheme and cost. Two users with
   the same one cost the same. Empty: nothing to check. Borrowed from the user. */
struct span users_line_work(const struct account_user *user);

#endif
