/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SPOOL_FILES_H
#define FRANK_SPOOL_FILES_H

/*
 * Every touch of a body file goes through this table, so that the crash tests can record writes
 * and syncs and lose what was not synced. queue.db goes through SQLite's own file layer (a VFS),
 * which the tests replace too. All functions return a negative errno on failure, never EINTR.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct spool_space {
	uint64_t total_bytes, free_bytes; /* free for an ordinary process */
};

struct spool_files {
	void *context;
	int (*open)(void *context, const char *path, int flags); /* mode 0600, O_CLOEXEC */
	int (*close)(void *context, int fd);
	/* Short writes are the caller's business. durable: RWF_DSYNC. */
	ssize_t (*write)(
	    void *context, int fd, const void *data, size_t len, uint64_t offset, bool durable);
	ssize_t (*read)(void *context, int fd, void *data, size_t len, uint64_t offset);
	int (*sync)(void *context, int fd); /* fdatasync */
	int (*truncate)(void *context, int fd, uint64_t size);
	int64_t (*size)(void *context, int fd);
	int (*make_directory)(void *context, const char *path); /* 0700; may exist */
	int (*sync_directory)(void *context, const char *path);
	int (*rename)(void *context, const char *from, const char *to);
	int (*unlink)(void *context, const char *path);
	/* Calls `each` for every name but "." and ".."; a false return ends the walk. */
	int (*list)(void *context, const char *path,
	    bool (*each)(void *each_context, const char *name), void *each_context);
	int (*space)(void *context, const char *path, struct spool_space *space_out);
};

const struct spool_files *spool_files_system(void);

/* Writes all of it, short writes or not. 0 or a negative errno. */
int spool_files_write_all(const struct spool_files *files, int fd, const void *data, size_t len,
    uint64_t offset, bool durable);
/* Reads until len or the end of the file; returns how much, or a negative errno. */
ssize_t spool_files_read_all(
    const struct spool_files *files, int fd, void *data, size_t len, uint64_t offset);

#endif
