/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_RECIPIENTS_H
#define FRANK_RELAY_RECIPIENTS_H

/*
 * The recipients of a domain, from its file: one a line, a whole address or a local part, which
 * then counts in every domain of the block; "#" begins a comment. Or from the users, whose names
 * are the same two kinds. Case does not count. Immutable once read.
 *
 * Limits: 16 MiB a file, 1,000,000 lines.
 */

#include "account/users.h"
#include "base/fault.h"
#include "base/span.h"

struct recipients;

/* NULL with a sentence that names file and line (FAULT_LOCAL). */
struct recipients *recipients_read(const char *path, struct fault *fault_out);
struct recipients *recipients_of_users(const struct account_users *users);
void recipients_destroy(struct recipients **recipients);
bool recipients_contain(
    const struct recipients *recipients, struct span local, struct span mailbox);

#endif
