/* SPDX-License-Identifier: MIT */
#ifndef FRANK_NET_LISTENER_H
#define FRANK_NET_LISTENER_H

/*
 * Accepts connections from a listening socket (net/privilege.h makes it) in one loop. When the
 * process has no descriptors left, accepting rests for a short while, and that is reported once
 * until it works again: clients wait in the kernel's queue meanwhile.
 */

#include "base/fault.h"
#include "net/address.h"
#include "net/loop.h"

struct listener;

struct listener_handler {
	/* Owns fd: non-blocking, close-on-exec, TCP_NODELAY. Must not close the listener's fd. */
	void (*on_accept)(int fd, const struct net_address *peer, void *owner);
	void (*on_trouble)(const struct fault *fault, void *owner); /* may be NULL */
	void *owner;
};

/* Borrows fd, which must stay open until listener_close(). Accepts from the next turn on. NULL when
   the system refuses (FAULT_LOCAL). */
struct listener *listener_open(
    struct net_loop *loop, int fd, const struct listener_handler *handler, struct fault *fault_out);

void listener_stop(struct listener *l); /* the kernel goes on queueing */
void listener_start(struct listener *l);

/* One connection that the kernel already has, or -1: for a graceful stop, before the socket is
   closed. Independent of listener_stop(). */
int listener_take(struct listener *l, struct net_address *peer_out);

/* No callback afterwards, also when called from on_accept; fd may be closed at once. NULL is
   accepted. */
void listener_close(struct listener **l);

#endif
