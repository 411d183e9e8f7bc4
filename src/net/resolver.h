/* SPDX-License-Identifier: MIT */
#ifndef FRANK_NET_RESOLVER_H
#define FRANK_NET_RESOLVER_H

/*
 * Host names to addresses, without blocking the loop: getaddrinfo() on libuv's pool of threads. A
 * numeric host needs no thread. The order is the system's (RFC 6724).
 */

#include "base/fault.h"
#include "base/span.h"
#include "net/address.h"
#include "net/loop.h"

#define RESOLVER_ADDRESSES_MAX 16

struct resolver_result {
	struct net_address addresses[RESOLVER_ADDRESSES_MAX];
	size_t count; /* at least 1 in a success */
};

struct resolver;

/* Called by the loop, once, in a later turn. fault is NULL in a success; otherwise result is NULL.
   All faults are FAULT_TEMPORARY: "no such name: mail.example", "name lookup of x failed: y". */
typedef void resolver_done_fn(
    const struct resolver_result *result, const struct fault *fault, void *owner);

/* Freed by itself after done, or by resolver_cancel(). The owner keeps the deadline. */
struct resolver *resolver_start(
    struct net_loop *loop, struct span host, uint16_t port, resolver_done_fn *done, void *owner);

/* done is not called any more. Clears the pointer; NULL is accepted. Not after done was called. */
void resolver_cancel(struct resolver **r);

#endif
