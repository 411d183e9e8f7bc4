/* SPDX-License-Identifier: MIT */
#include "config/arena.h"

#include "base/memory.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Every piece is an allocation of its own, so that the sanitizers see an overrun. */
struct piece {
	struct piece *next;
	max_align_t data[];
};

struct config_arena {
	struct piece *pieces;
};

struct config_arena *config_arena_create(void)
{
	return MEM_NEW(struct config_arena);
}

void config_arena_destroy(struct config_arena **arena)
{
	if (!*arena)
		return;
	while ((*arena)->pieces) {
		struct piece *piece = (*arena)->pieces;
		(*arena)->pieces = piece->next;
		mem_free(piece);
	}
	mem_free(*arena);
	*arena = NULL;
}

void *config_arena_alloc(struct config_arena *arena, size_t size)
{
	assert(size < SIZE_MAX / 2);
	struct piece *piece = mem_alloc(sizeof(*piece) + size);
	piece->next = arena->pieces;
	arena->pieces = piece;
	return piece->data;
}

char *config_arena_copy(struct config_arena *arena, struct span bytes)
{
	char *copy = config_arena_alloc(arena, bytes.len + 1);
	if (bytes.len)
		memcpy(copy, bytes.data, bytes.len);
	return copy;
}

char *config_arena_format(struct config_arena *arena, const char *format, ...)
{
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	int len = vsnprintf(NULL, 0, format, arguments);
	assert(len >= 0);
	char *text = config_arena_alloc(arena, (size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	va_end(arguments);
	return text;
}

void *config_arena_grow(struct config_arena *arena, void *array, size_t count, size_t size)
{
	bool full = (count & (count - 1)) == 0; /* room is always a power of two */
	if (!full)
		return array;
	void *larger = config_arena_alloc(arena, (count ? 2 * count : 1) * size);
	if (count)
		memcpy(larger, array, count * size);
	return larger;
}
