/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_MAP_H
#define FRANK_BASE_MAP_H

/*
 * A hash map from byte strings to pointers. Keys are copied; values belong to the caller. The hash
 * is keyed by a random seed for each map, so that peers cannot choose colliding keys. For numbers,
 * pass their bytes (MAP_KEY). Open addressing, grows at 3/4.
 */

#include "base/span.h"

struct map;

#define MAP_KEY(variable) span_of(&(variable), sizeof(variable))

struct map *map_create(void);
/* Frees the map; free_value (may be NULL) is called for each value. Clears the pointer. */
void map_destroy(struct map **m, void (*free_value)(void *value));

size_t map_count(const struct map *m);
void *map_get(const struct map *m, struct span key); /* NULL when absent */
/* Sets and returns the value that was there before, or NULL. value must not be NULL. */
void *map_set(struct map *m, struct span key, void *value);
void *map_remove(struct map *m, struct span key); /* the removed value, or NULL */

/* Walks all entries in no order: start with *position = 0. key_out may be NULL. The map must not be
   changed during the walk, except that the entry just returned may be removed. */
bool map_next(const struct map *m, size_t *position, struct span *key_out, void **value_out);

#endif
