/* SPDX-License-Identifier: MIT */
#include "config/near.h"

enum { LEN_MAX = 40 };

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Restricted Damerau-Levenshtein distance over three rows; both lengths are at most LEN_MAX. */
static unsigned distance(struct span a, struct span b)
{
	unsigned rows[3][LEN_MAX + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b.len; j++)
		above[j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			char x = byte_to_lower(a.data[i - 1]), y = byte_to_lower(b.data[j - 1]);
			row[j] = least(above[j - 1] + (x != y), least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && x == byte_to_lower(b.data[j - 2]) &&
			    y == byte_to_lower(a.data[i - 2]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		unsigned *spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b.len];
}

unsigned config_near(struct span typed, struct span known)
{
	if (!typed.len || !known.len || typed.len > LEN_MAX || known.len > LEN_MAX)
		return CONFIG_NEAR_NOT;
	size_t longer = typed.len > known.len ? typed.len : known.len;
	unsigned allowed = longer <= 3 ? 1 : longer <= 8 ? 2 : 3;
	unsigned found = distance(typed, known);
	if (found <= allowed && found < longer)
		return found;
	if (typed.len >= 3 && span_starts_with_nocase(known, typed))
		return 4;
	return CONFIG_NEAR_NOT;
}

bool config_near_keep(struct span typed, const char *known, unsigned *best_distance)
{
	unsigned found = config_near(typed, span_from_string(known));
	if (found >= *best_distance)
		return false;
	*best_distance = found;
	return true;
}
