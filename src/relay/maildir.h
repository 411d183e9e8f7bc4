/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_MAILDIR_H
#define FRANK_RELAY_MAILDIR_H

/*
 * Delivery into a Maildir: written under tmp/, synced, renamed into new/, the directory synced.
 * Only then is a message delivered. Blocking: call it from a worker, or from a command.
 *
 * The directory and its three parts are made (0700) when they are missing. The name in new/ is
 * "<seconds>.<message id>_<random>.<host>", so that a second delivery after a crash is a second
 * file and never overwrites.
 */

#include "base/fault.h"
#include "base/span.h"

enum maildir_line_ends {
	MAILDIR_LINE_ENDS_UNIX, /* CRLF becomes LF: what local mail programs expect */
	MAILDIR_LINE_ENDS_KEPT, /* byte for byte */
};

struct maildir_file {
	int directory_fd; /* of the Maildir itself */
	int fd;           /* of the file in tmp/, or -1 */
	enum maildir_line_ends line_ends;
	bool cr_pending; /* a CR ended the last piece */
	char name[256];
};

/* Opens a file for one message in the Maildir at path. host is the name of this machine. */
bool maildir_open(struct maildir_file *file, const char *path, uint64_t message_id,
    const char *host, enum maildir_line_ends line_ends, struct fault *fault_out);

/* Appends a piece. After a failure only maildir_abandon() may follow. */
bool maildir_write(struct maildir_file *file, struct span bytes, struct fault *fault_out);

/* Makes it durable and visible. On success *name_out, if wanted, lends the name in new/ until file
   is used again; on failure nothing is left behind. */
bool maildir_close(struct maildir_file *file, const char **name_out, struct fault *fault_out);

/* Removes what was written; fine on a file that is closed already. */
void maildir_abandon(struct maildir_file *file);

#endif
