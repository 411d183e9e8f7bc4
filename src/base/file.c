/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool file_write_all(int fd, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.data, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes = span_skip(bytes, (size_t)n);
	}
	return true;
}

static bool give_to_owner(int directory_fd, int fd)
{
	struct stat status;

	if (geteuid() != 0)
		return true;
	return fstat(directory_fd, &status) == 0 && fchown(fd, status.st_uid, status.st_gid) == 0;
}

static bool fill(int directory_fd, int fd, mode_t mode, struct span bytes, struct stat *status)
{
	return fchmod(fd, mode) == 0 && give_to_owner(directory_fd, fd) &&
	       file_write_all(fd, bytes) && fsync(fd) == 0 && fstat(fd, status) == 0;
}

/* A file made from nothing, synced and closed. False: it does not stand there. */
static bool make(
    int directory_fd, const char *fresh, mode_t mode, struct span bytes, struct stat *status)
{
	int fd = openat(
	    directory_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool good;
	int error;

	if (fd < 0)
		return false;
	good = fill(directory_fd, fd, mode, bytes, status);
	error = errno;
	if (close(fd) != 0 && good) {
		good = false;
		error = errno;
	}
	if (!good)
		unlinkat(directory_fd, fresh, 0);
	errno = error;
	return good;
}

bool file_replace_at(
    int directory_fd, const char *name, mode_t mode, struct span bytes, struct stat *status_out)
{
	char fresh[FILE_NAME_MAX + 8];
	struct stat status;
	int error;

	if (strlen(name) > FILE_NAME_MAX) {
		errno = ENAMETOOLONG;
		return false;
	}
	snprintf(fresh, sizeof(fresh), "%s.new", name);
	if (!make(directory_fd, fresh, mode, bytes, &status))
		return false;
	if (renameat(directory_fd, fresh, directory_fd, name) != 0) {
		error = errno;
		unlinkat(directory_fd, fresh, 0);
		errno = error;
		return false;
	}
	if (status_out)
		*status_out = status;
	return fsync(directory_fd) == 0;
}

static int open_directory_of(const char *path, const char *slash)
{
	char *directory;
	int fd;

	if (!slash)
		return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	directory = mem_strdup(path);
	directory[slash == path ? 1 : slash - path] = '\0';
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mem_free(directory);
	return fd;
}

bool file_replace(const char *path, mode_t mode, struct span bytes)
{
	const char *slash = strrchr(path, '/');
	int fd = open_directory_of(path, slash), error;
	bool good;

	if (fd < 0)
		return false;
	good = file_replace_at(fd, slash ? slash + 1 : path, mode, bytes, NULL);
	error = errno;
	close(fd);
	errno = error;
	return good;
}
