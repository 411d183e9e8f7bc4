/* SPDX-License-Identifier: MIT */
#include "net/listener.h"

#include "base/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
	ACCEPTS_PER_TURN = 64, /* then others have their turn; the kernel keeps the rest */
	REST_MS = 100,         /* after the descriptors ran out */
};

struct listener {
	uv_poll_t poll;
	struct net_timer rest;
	struct listener_handler handler;
	int fd;
	bool accepting, closed;
	bool trouble_reported;
};

static int accept_one(struct listener *l, struct net_address *peer_out)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int fd;

	do {
		fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd >= 0)
		net_address_set(peer_out, (struct sockaddr *)&peer, len);
	return fd;
}

static void report(struct listener *l, int error)
{
	struct fault fault;

	if (l->trouble_reported)
		return;
	l->trouble_reported = true;
	if (!l->handler.on_trouble)
		return;
	if (error == EMFILE || error == ENFILE)
		fault_set(&fault, FAULT_LOCAL,
		    "no file descriptors left (%s): new connections "
		    "wait until some end; raise LimitNOFILE or ulimit -n",
		    strerror(error));
	else
		fault_set(&fault, FAULT_LOCAL, "cannot accept connections: %s", strerror(error));
	l->handler.on_trouble(&fault, l->handler.owner);
}

static void readable(uv_poll_t *poll, int status, int events);

static void rest_over(void *owner)
{
	struct listener *l = owner;

	if (l->accepting)
		uv_poll_start(&l->poll, UV_READABLE, readable);
}

static void take_a_rest(struct listener *l, int error)
{
	uv_poll_stop(&l->poll);
	net_timer_start(&l->rest, REST_MS);
	report(l, error);
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct listener *l = poll->data;
	struct net_address peer;
	int fd;

	for (int i = 0; i < ACCEPTS_PER_TURN && l->accepting && !l->closed; i++) {
		fd = accept_one(l, &peer);
		if (fd < 0) {
			if (errno != EAGAIN)
				take_a_rest(l, errno);
			return;
		}
		l->trouble_reported = false;
		l->handler.on_accept(fd, &peer, l->handler.owner);
	}
}

struct listener *listener_open(
    struct net_loop *loop, int fd, const struct listener_handler *handler, struct fault *fault_out)
{
	struct listener *l = MEM_NEW(struct listener);
	int error = uv_poll_init(&loop->uv, &l->poll, fd);

	if (error) {
		fault_set(fault_out, FAULT_LOCAL, "cannot watch a listening socket: %s",
		    uv_strerror(error));
		mem_free(l);
		return NULL;
	}
	l->poll.data = l;
	l->fd = fd;
	l->handler = *handler;
	net_timer_init(&l->rest, loop, rest_over, l);
	listener_start(l);
	return l;
}

void listener_stop(struct listener *l)
{
	l->accepting = false;
	net_timer_stop(&l->rest);
	uv_poll_stop(&l->poll);
}

void listener_start(struct listener *l)
{
	l->accepting = true;
	if (!net_timer_is_running(&l->rest))
		uv_poll_start(&l->poll, UV_READABLE, readable);
}

int listener_take(struct listener *l, struct net_address *peer_out)
{
	return accept_one(l, peer_out);
}

static void closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

void listener_close(struct listener **listener)
{
	struct listener *l = *listener;

	*listener = NULL;
	if (!l)
		return;
	l->closed = true;
	l->accepting = false;
	net_timer_fini(&l->rest);
	uv_close((uv_handle_t *)&l->poll, closed);
}
