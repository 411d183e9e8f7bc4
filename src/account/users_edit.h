/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_USERS_EDIT_H
#define FRANK_ACCOUNT_USERS_EDIT_H

/*
 * Changes one line of a users file and leaves every other byte as it is: comments, order, blank
 * lines, line ends. The file is replaced as a whole (a new file beside it, synced, renamed, the
 * directory synced), so that a reader sees the old one or the new one, and so does a power cut.
 */

#include "account/users.h"
#include "base/buf.h"

enum users_edit_result {
	USERS_EDIT_DONE,
	USERS_EDIT_NO_SUCH_USER,
	USERS_EDIT_EXISTS,
	USERS_EDIT_TOO_LARGE, /* for the ceiling of out */
};

/* These append the whole new text to out; text is a file that account_users_parse() accepts, so a
   name stands in it once. credential needs no check: it comes from account_password_hash().
   Unless DONE, out is unchanged. A replaced line keeps the comment at its end. */
enum users_edit_result users_edit_add(
    struct span text, struct span name, struct span credential, struct buf *out);
enum users_edit_result users_edit_replace(
    struct span text, struct span name, struct span credential, struct buf *out);
enum users_edit_result users_edit_remove(struct span text, struct span name, struct buf *out);

/* An editor's hold on a file: nobody else who asks for it gets it meanwhile. */
struct users_file {
	int fd;
	char *path;      /* with symbolic links resolved */
	struct buf text; /* secret; what was in the file when it was locked */
};

/* Waits for another editor to end. may_create makes an empty file of mode 0640 if there is none,
   and says so in *created_out. On failure there is nothing to close. */
bool users_file_open(struct users_file *file, const char *path, bool may_create, bool *created_out,
    struct fault *fault_out);
/* Puts text in the file's place, with its owner, group and mode (never writable for everybody).
   What was opened stays locked, and is the old text still: replace once, then close. */
bool users_file_replace(struct users_file *file, struct span text, struct fault *fault_out);
/* Accepts one that was never opened, if its memory is zeroed with fd -1. */
void users_file_close(struct users_file *file);

#endif
