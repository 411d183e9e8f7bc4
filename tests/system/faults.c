/* SPDX-License-Identifier: MIT */
/*
 * A disk that fails on demand, for LD_PRELOAD: while the file $FRANK_FAULT exists, every call that
 * would change something below $FRANK_FAULT_PATH fails with the errno that the file holds as a
 * number. Open files fail too, as on a disk that has gone read-only or bad under a running program.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

/* The errno to fail with; 0 while all is well. Plain read(2) of a small file, through the real
 * calls. */
static int fault(void)
{
	const char *path = getenv("FRANK_FAULT");
	char text[16] = "";
	int fd =
	    path ? REAL(int, "open64", const char *, int, ...)(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof text - 1) < 0)
		text[0] = '\0';
	REAL(int, "close", int)(fd);
	return (int)strtol(text, NULL, 10);
}

static int below(const char *path)
{
	const char *top = getenv("FRANK_FAULT_PATH");

	return top != NULL && strncmp(path, top, strlen(top)) == 0;
}

static int fails_path(const char *path)
{
	int saved = errno, error = below(path) ? fault() : 0;

	errno = error ? error : saved;
	return error;
}

static int fails_fd(int fd)
{
	char link[64], path[4096];
	int saved = errno;
	ssize_t len;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof path - 1);
	errno = saved;
	if (len < 0)
		return 0;
	path[len] = '\0';
	return fails_path(path);
}

#define ON_FD(type, name, parameters, types, arguments)                                            \
	type name parameters                                                                       \
	{                                                                                          \
		if (fails_fd(fd))                                                                  \
			return -1;                                                                 \
		return ((type(*) types)dlsym(RTLD_NEXT, #name))arguments;                          \
	}

ON_FD(ssize_t, write, (int fd, const void *data, size_t len), (int, const void *, size_t),
    (fd, data, len))
ON_FD(ssize_t, pwrite, (int fd, const void *data, size_t len, off_t at),
    (int, const void *, size_t, off_t), (fd, data, len, at))
ON_FD(ssize_t, pwrite64, (int fd, const void *data, size_t len, off_t at),
    (int, const void *, size_t, off_t), (fd, data, len, at))
ON_FD(ssize_t, writev, (int fd, const struct iovec *parts, int count),
    (int, const struct iovec *, int), (fd, parts, count))
ON_FD(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at),
    (int, const struct iovec *, int, off_t), (fd, parts, count, at))
ON_FD(ssize_t, pwritev2, (int fd, const struct iovec *parts, int count, off_t at, int flags),
    (int, const struct iovec *, int, off_t, int), (fd, parts, count, at, flags))
ON_FD(ssize_t, pwritev64v2, (int fd, const struct iovec *parts, int count, off_t at, int flags),
    (int, const struct iovec *, int, off_t, int), (fd, parts, count, at, flags))
ON_FD(int, fsync, (int fd), (int), (fd))
ON_FD(int, fdatasync, (int fd), (int), (fd))
ON_FD(int, ftruncate, (int fd, off_t len), (int, off_t), (fd, len))
ON_FD(int, ftruncate64, (int fd, off_t len), (int, off_t), (fd, len))
ON_FD(int, fallocate, (int fd, int mode, off_t at, off_t len), (int, int, off_t, off_t),
    (fd, mode, at, len))
ON_FD(int, fallocate64, (int fd, int mode, off_t at, off_t len), (int, int, off_t, off_t),
    (fd, mode, at, len))

static int opens(const char *name, int dir, const char *path, int flags, mode_t mode)
{
	int changes = (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_ACCMODE) != O_RDONLY;

	if (changes && (path[0] == '/' || dir == AT_FDCWD ? fails_path(path) : fails_fd(dir)))
		return -1;
	return REAL(int, name, int, const char *, int, ...)(dir, path, flags, mode);
}

static mode_t mode_of(int flags, va_list arguments)
{
	int creates = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;

	return creates ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                                                                 \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		va_list arguments;                                                                 \
		mode_t mode;                                                                       \
                                                                                                   \
		va_start(arguments, flags);                                                        \
		mode = mode_of(flags, arguments);                                                  \
		va_end(arguments);                                                                 \
		return opens("openat", AT_FDCWD, path, flags, mode);                               \
	}
#define OPENAT(name)                                                                               \
	int name(int dir, const char *path, int flags, ...)                                        \
	{                                                                                          \
		va_list arguments;                                                                 \
		mode_t mode;                                                                       \
                                                                                                   \
		va_start(arguments, flags);                                                        \
		mode = mode_of(flags, arguments);                                                  \
		va_end(arguments);                                                                 \
		return opens("openat", dir, path, flags, mode);                                    \
	}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int unlink(const char *path)
{
	return fails_path(path) ? -1 : REAL(int, "unlink", const char *)(path);
}

int rename(const char *from, const char *to)
{
	return fails_path(to) ? -1 : REAL(int, "rename", const char *, const char *)(from, to);
}
