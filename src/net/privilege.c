/* SPDX-License-Identifier: MIT */
#include "net/privilege.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 4096 }; /* the kernel cuts it to net.core.somaxconn */

/* ---- files ---- */

int privilege_open(const char *path, int flags, mode_t mode, struct fault *fault_out)
{
	int fd = open(path, flags | O_CLOEXEC, mode);

	if (fd < 0)
		fault_set(fault_out, FAULT_LOCAL, "cannot open %s: %s", path, strerror(errno));
	return fd;
}

static bool read_all(int fd, const char *path, struct buf *b, struct fault *fault_out)
{
	char piece[4096];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			fault_set(
			    fault_out, FAULT_LOCAL, "cannot read %s: %s", path, strerror(errno));
			return false;
		}
		if (!buf_append(b, span_of(piece, (size_t)n))) {
			fault_set(
			    fault_out, FAULT_LOCAL, "%s is larger than %zu bytes", path, b->max);
			return false;
		}
	}
	return true;
}

bool privilege_read(const char *path, struct buf *b, struct fault *fault_out)
{
	size_t before = b->len;
	struct stat status;
	bool done = false;
	int fd = privilege_open(path, O_RDONLY | O_NONBLOCK, 0, fault_out);

	if (fd < 0)
		return false;
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		fault_set(fault_out, FAULT_LOCAL, "%s is not a regular file", path);
	else
		done = read_all(fd, path, b, fault_out);
	close(fd);
	if (!done)
		buf_truncate(b, before);
	return done;
}

/* ---- sockets ---- */

static void explain_bind(const struct net_address *address, int error, struct fault *fault_out)
{
	char text[NET_ADDRESS_TEXT_MAX];

	net_address_format(address, text);
	if (error == EADDRINUSE)
		fault_set(fault_out, FAULT_LOCAL,
		    "cannot listen on %s: another program already "
		    "listens there (ss -ltnp shows which)",
		    text);
	else if (error == EACCES && address->any.sa_family != AF_UNIX)
		fault_set(fault_out, FAULT_LOCAL,
		    "cannot listen on %s: a port below 1024 needs "
		    "root, or CAP_NET_BIND_SERVICE",
		    text);
	else if (error == EADDRNOTAVAIL)
		fault_set(fault_out, FAULT_LOCAL,
		    "cannot listen on %s: this machine does not have "
		    "that address",
		    text);
	else
		fault_set(fault_out, FAULT_LOCAL, "cannot listen on %s: %s", text, strerror(error));
}

static bool option_on(int fd, int level, int name)
{
	int on = 1;

	return setsockopt(fd, level, name, &on, sizeof(on)) == 0;
}

/* TCP_NODELAY is inherited by what is accepted, which saves a call for each connection. */
static bool set_options(int fd, const struct net_address *address)
{
	if (address->any.sa_family == AF_UNIX)
		return true;
	if (!option_on(fd, SOL_SOCKET, SO_REUSEADDR) || !option_on(fd, IPPROTO_TCP, TCP_NODELAY))
		return false;
	return address->any.sa_family != AF_INET6 || option_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
}

/* Nobody answers: the file is left over from a process that died. */
static void remove_stale_path(const struct net_address *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	if (connect(fd, &address->any, address->len) != 0 && errno == ECONNREFUSED)
		unlink(address->local.sun_path);
	close(fd);
}

/* alone: bound without SO_REUSEPORT, which the kernel grants only if nobody else has the port, and
   opened to company afterwards. -1 with errno. */
static int listen_on(const struct net_address *address, bool alone, bool shared)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -1;
	if (set_options(fd, address) && (alone || option_on(fd, SOL_SOCKET, SO_REUSEPORT)) &&
	    bind(fd, &address->any, address->len) == 0 &&
	    (!alone || !shared || option_on(fd, SOL_SOCKET, SO_REUSEPORT)) &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

bool privilege_listen(
    const struct net_address *address, size_t count, int fds_out[], struct fault *fault_out)
{
	struct net_address bound = *address;
	int fds[256];
	size_t i;

	assert(address->len && count > 0 && count <= sizeof(fds) / sizeof(fds[0]));
	assert(address->any.sa_family != AF_UNIX || count == 1);
	if (address->any.sa_family == AF_UNIX)
		remove_stale_path(address);
	for (i = 0; i < count; i++) {
		fds[i] = listen_on(&bound, i == 0, count > 1);
		if (fds[i] < 0)
			break;
		if (i == 0 && address->any.sa_family != AF_UNIX)
			getsockname(fds[0], &bound.any, &bound.len);
	}
	if (i < count) {
		explain_bind(address, errno, fault_out);
		while (i > 0)
			close(fds[--i]);
		return false;
	}
	memcpy(fds_out, fds, count * sizeof(fds[0]));
	return true;
}
