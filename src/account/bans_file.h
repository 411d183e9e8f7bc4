/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_BANS_FILE_H
#define FRANK_ACCOUNT_BANS_FILE_H

/*
 * Bans on disk: DIRECTORY/bans.json, mode 0600, replaced as a whole (a new file beside it, synced,
 * renamed, the directory synced). It blocks on the disk: it is for workers, and for the start.
 */

#include "account/bans.h"
#include "base/fault.h"

#define BANS_FILE_MAX (48 * 1024 * 1024) /* bytes that are read */

/* Adds what the file holds. A file that is not there holds nothing. */
bool bans_file_read(const char *directory, struct account_bans *bans, struct fault *fault_out);

/* Makes the directory (0700) when only that is missing. */
bool bans_file_write(
    const char *directory, const struct account_ban *list, size_t count, struct fault *fault_out);

#endif
