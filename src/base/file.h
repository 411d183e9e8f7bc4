/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_FILE_H
#define FRANK_BASE_FILE_H

/*
 * Small files that are replaced as a whole: whoever reads one meanwhile, or after a crash, finds
 * the old content or the new one. It is written beside as NAME.new, synced and renamed, and the
 * directory is synced. These functions block on the disk, and say by errno what went wrong.
 */

#include "base/span.h"

#include <sys/stat.h>

#define FILE_NAME_MAX 240 /* octets of a name that can be replaced */

/* In spite of short writes and signals. */
bool file_write_all(int fd, struct span bytes);

/* name stands in the directory and has no slash. What root makes belongs to whom the directory
   belongs. On failure the old file stands, unless only the last sync failed, and nothing is left
   behind. status_out (may be NULL) is that of the new file. */
bool file_replace_at(
    int directory_fd, const char *name, mode_t mode, struct span bytes, struct stat *status_out);
/* By its path. */
bool file_replace(const char *path, mode_t mode, struct span bytes);

#endif
