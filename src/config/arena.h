/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_ARENA_H
#define FRANK_CONFIG_ARENA_H

/*
 * Memory that is given back all at once: one arena holds what a configuration consists of, another
 * what only its making needs. Single pieces are never freed.
 */

#include "base/span.h"

struct config_arena;

struct config_arena *config_arena_create(void);
void config_arena_destroy(struct config_arena **arena);

void *config_arena_alloc(struct config_arena *arena, size_t size); /* zeroed */
/* A copy with a NUL behind it. */
char *config_arena_copy(struct config_arena *arena, struct span bytes);
char *config_arena_format(struct config_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The array with room for one element more than its count: itself, or a copy of twice the size. All
   growth of one array must go through here. */
void *config_arena_grow(struct config_arena *arena, void *array, size_t count, size_t size);

#endif
