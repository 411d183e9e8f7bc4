/* SPDX-License-Identifier: MIT */
#include "spool/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

static int system_open(void *context, const char *path, int flags)
{
	int fd;
	do {
		fd = open(path, flags | O_CLOEXEC, 0600);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

static int system_close(void *context, int fd)
{
	/* On Linux the descriptor is gone after EINTR too. */
	return close(fd) != 0 && errno != EINTR ? -errno : 0;
}

static ssize_t system_write(
    void *context, int fd, const void *data, size_t len, uint64_t offset, bool durable)
{
	struct iovec vector = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	ssize_t n;
	do {
		n = durable ? pwritev2(fd, &vector, 1, (off_t)offset, RWF_DSYNC)
			    : pwrite(fd, data, len, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t system_read(void *context, int fd, void *data, size_t len, uint64_t offset)
{
	ssize_t n;
	do {
		n = pread(fd, data, len, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int system_sync(void *context, int fd)
{
	/* Never repeated: after an error the kernel has dropped the pages, and a second sync
	   would say that all is well. */
	return fdatasync(fd) != 0 ? -errno : 0;
}

static int system_truncate(void *context, int fd, uint64_t size)
{
	return ftruncate(fd, (off_t)size) != 0 ? -errno : 0;
}

static int64_t system_size(void *context, int fd)
{
	struct stat status;
	return fstat(fd, &status) != 0 ? -errno : (int64_t)status.st_size;
}

static int system_make_directory(void *context, const char *path)
{
	return mkdir(path, 0700) != 0 && errno != EEXIST ? -errno : 0;
}

static int system_sync_directory(void *context, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int result = fsync(fd) != 0 ? -errno : 0;
	close(fd);
	return result;
}

static int system_rename(void *context, const char *from, const char *to)
{
	return rename(from, to) != 0 ? -errno : 0;
}

static int system_unlink(void *context, const char *path)
{
	return unlink(path) != 0 ? -errno : 0;
}

static int system_list(void *context, const char *path,
    bool (*each)(void *each_context, const char *name), void *each_context)
{
	DIR *directory = opendir(path);
	if (directory == NULL)
		return -errno;
	struct dirent *entry;
	while ((entry = readdir(directory)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!each(each_context, entry->d_name))
			break;
	}
	closedir(directory);
	return 0;
}

static int system_space(void *context, const char *path, struct spool_space *space_out)
{
	struct statvfs status;
	if (statvfs(path, &status) != 0)
		return -errno;
	space_out->total_bytes = (uint64_t)status.f_blocks * status.f_frsize;
	space_out->free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
	return 0;
}

const struct spool_files *spool_files_system(void)
{
	static const struct spool_files system_files = {
		.open = system_open,
		.close = system_close,
		.write = system_write,
		.read = system_read,
		.sync = system_sync,
		.truncate = system_truncate,
		.size = system_size,
		.make_directory = system_make_directory,
		.sync_directory = system_sync_directory,
		.rename = system_rename,
		.unlink = system_unlink,
		.list = system_list,
		.space = system_space,
	};
	return &system_files;
}

int spool_files_write_all(const struct spool_files *files, int fd, const void *data, size_t len,
    uint64_t offset, bool durable)
{
	const char *from = data;
	while (len > 0) {
		ssize_t n = files->write(files->context, fd, from, len, offset, durable);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return -ENOSPC;
		from += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t spool_files_read_all(
    const struct spool_files *files, int fd, void *data, size_t len, uint64_t offset)
{
	size_t got = 0;
	while (got < len) {
		ssize_t n =
		    files->read(files->context, fd, (char *)data + got, len - got, offset + got);
		if (n < 0)
			return n;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}
