/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_REWRITE_MAP_H
#define FRANK_RELAY_REWRITE_MAP_H

/*
 * The file behind "sender map" and "header-from map": a line holds a pattern and the address that
 * stands for what it fits; "#" begins a comment. Patterns are those of a route (config/match.h),
 *and a name without "@", which fits a bare name and nothing else. The first line that fits wins.
 *"*" fits every address but not the empty reverse-path, which only "<>" does. Immutable once read.
 *
 *	root@*			alerts@example.org
 *	*@box.example.net	box@example.org
 *
 * Limits: 16 MiB a file; 1,000,000 lines with one complete address or name before the blank, 10,000
 * with any other pattern (these are compared one by one).
 */

#include "base/fault.h"
#include "base/span.h"

struct rewrite_map;

/* NULL with a sentence that begins "file:line:column" (FAULT_LOCAL). */
struct rewrite_map *rewrite_map_read(const char *path, struct fault *fault_out);
void rewrite_map_destroy(struct rewrite_map **map);

/* The address that stands for this one (empty: the null reverse-path). False: none, *to_out is left
   alone. *to_out lives as long as the map. */
bool rewrite_map_find(const struct rewrite_map *map, struct span address, struct span *to_out);

#endif
