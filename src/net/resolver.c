/* SPDX-License-Identifier: MIT */
#include "net/resolver.h"

#include "base/escape.h"
#include "base/memory.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

enum { HOST_MAX = 255 }; /* RFC 1035, 2.3.4 */

struct resolver {
	uv_getaddrinfo_t request;
	struct net_timer now;   /* answers that need no lookup come in a later turn too */
	resolver_done_fn *done; /* NULL once cancelled */
	void *owner;
	uint16_t port;
	bool asking;
	struct resolver_result result;
	struct fault fault; /* kind FAULT_NONE in a success */
	char host[HOST_MAX + 1];
};

static void destroy(struct resolver *r)
{
	net_timer_fini(&r->now);
	mem_free(r);
}

static void answer(void *owner)
{
	struct resolver *r = owner;
	resolver_done_fn *done = r->done;

	if (done && r->fault.kind == FAULT_NONE)
		done(&r->result, NULL, r->owner);
	else if (done)
		done(NULL, &r->fault, r->owner);
	destroy(r);
}

static bool is_listed(const struct resolver_result *result, const struct net_address *address)
{
	for (size_t i = 0; i < result->count; i++) {
		if (net_address_equal(&result->addresses[i], address))
			return true;
	}
	return false;
}

static void collect(struct resolver *r, const struct addrinfo *info)
{
	struct net_address address;

	for (; info && r->result.count < RESOLVER_ADDRESSES_MAX; info = info->ai_next) {
		net_address_set(&address, info->ai_addr, info->ai_addrlen);
		net_address_set_port(&address, r->port);
		if (address.len && !is_listed(&r->result, &address))
			r->result.addresses[r->result.count++] = address;
	}
}

static void explain(struct resolver *r, int status)
{
	char shown[HOST_MAX + 1];

	escape_to(shown, sizeof(shown), span_from_string(r->host));
	if (status == 0 || status == UV_EAI_NONAME || status == UV_EAI_NODATA ||
	    status == UV_EAI_ADDRFAMILY)
		fault_set(&r->fault, FAULT_TEMPORARY, "no such name: %s", shown);
	else if (status == UV_EAI_AGAIN)
		fault_set(&r->fault, FAULT_TEMPORARY,
		    "name lookup of %s failed: no answer from "
		    "the name server",
		    shown);
	else
		fault_set(&r->fault, FAULT_TEMPORARY, "name lookup of %s failed: %s", shown,
		    uv_strerror(status));
}

static void looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *info)
{
	struct resolver *r = request->data;

	if (status == 0)
		collect(r, info);
	uv_freeaddrinfo(info);
	if (r->result.count == 0)
		explain(r, status);
	answer(r);
}

static void look_up(struct resolver *r, struct net_loop *loop)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	int status;

	r->request.data = r;
	status = uv_getaddrinfo(&loop->uv, &r->request, looked_up, r->host, NULL, &hints);
	r->asking = status == 0;
	if (status) {
		explain(r, status);
		net_timer_start(&r->now, 0);
	}
}

struct resolver *resolver_start(
    struct net_loop *loop, struct span host, uint16_t port, resolver_done_fn *done, void *owner)
{
	struct resolver *r = MEM_NEW(struct resolver);

	r->done = done;
	r->owner = owner;
	r->port = port;
	net_timer_init(&r->now, loop, answer, r);
	if (net_address_parse(host, port, &r->result.addresses[0])) {
		r->result.count = 1;
		net_timer_start(&r->now, 0);
	} else if (host.len == 0 || host.len > HOST_MAX || memchr(host.data, '\0', host.len)) {
		fault_set(&r->fault, FAULT_TEMPORARY,
		    "no such name: it is empty, longer than 255 "
		    "octets, or contains a NUL");
		net_timer_start(&r->now, 0);
	} else {
		memcpy(r->host, host.data, host.len);
		look_up(r, loop);
	}
	return r;
}

void resolver_cancel(struct resolver **resolver)
{
	struct resolver *r = *resolver;

	*resolver = NULL;
	if (!r)
		return;
	assert(r->done);
	r->done = NULL;
	if (!r->asking) {
		destroy(r);
		return;
	}
	net_timer_fini(&r->now);            /* the loop may end before the lookup does */
	uv_cancel((uv_req_t *)&r->request); /* one that runs is dropped later */
}
