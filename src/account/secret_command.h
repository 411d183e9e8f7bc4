/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_SECRET_COMMAND_H
#define FRANK_ACCOUNT_SECRET_COMMAND_H

/*
 * A secret from a program: a password store, a vault's client. The program is run without a shell,
 * in a session of its own (no terminal to ask on), with standard input empty and with our
 * environment. It has SECRET_COMMAND_MS and ends with status 0, or there is no secret; the first
 * line that it prints is it. Then it and what it has started are gone, one way or the other.
 *
 * The call waits for all that: not in a loop.
 */

#include "account/secret.h"

#include <sys/types.h>

#define SECRET_COMMAND_MS 10000
#define SECRET_COMMAND_OUTPUT_MAX 16384 /* bytes that it may print */

/* Whom the program runs as, for a caller that has not dropped its privileges yet. */
struct secret_command_user {
	const char *name;
	uid_t uid;
	gid_t gid;
};

/* argv ends with NULL; its first is a path, or a name that is looked for in PATH. user NULL: as we
   are. Appends the secret to out, a secret buf with room for it. A fault (FAULT_LOCAL) names the
   program and has its exit status and the beginning of what it says on standard error, in printable
   form, and nothing of what it prints. */
bool account_secret_run(const char *const *argv, const struct secret_command_user *user,
    struct buf *out, struct fault *fault_out);

#endif
