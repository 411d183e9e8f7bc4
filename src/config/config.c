/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include "base/memory.h"
#include "config/arena.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const struct config *config_ref(const struct config *config)
{
	/* The count is the one thing that changes; the object was never const. */
	unsigned before = atomic_fetch_add_explicit(
	    &((struct config *)config)->references, 1, memory_order_relaxed);
	assert(before > 0);
	return config;
}

void config_unref(const struct config **config)
{
	struct config *last = (struct config *)*config;
	*config = NULL;
	if (!last)
		return;
	unsigned before = atomic_fetch_sub_explicit(&last->references, 1, memory_order_acq_rel);
	assert(before > 0);
	if (before > 1)
		return;
	config_arena_destroy(&last->arena);
	mem_free(last);
}

bool config_route_has_session(const struct config_route *route)
{
	for (size_t i = 0; i < route->via_count; i++)
		if (config_via_is_session(&route->vias[i]))
			return true;
	return false;
}

bool config_address_equal(const struct config_address *a, const struct config_address *b)
{
	/* Unused bytes are zero: the parser clears the whole structure. */
	return a->socket_len == b->socket_len && !memcmp(&a->socket, &b->socket, a->socket_len);
}

const char *config_origin_format(struct config_origin origin, char out[CONFIG_ORIGIN_TEXT_MAX])
{
	if (origin.file && !origin.line)
		snprintf(out, CONFIG_ORIGIN_TEXT_MAX, "%s", origin.file);
	else if (origin.file)
		snprintf(out, CONFIG_ORIGIN_TEXT_MAX, "%s:%u", origin.file, origin.line);
	else
		snprintf(out, CONFIG_ORIGIN_TEXT_MAX, "default");
	return out;
}
