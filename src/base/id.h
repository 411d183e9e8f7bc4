/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_ID_H
#define FRANK_BASE_ID_H

/*
 * Message ids: 63 bits from milliseconds since 2020 (41), node (6), lane (6) and a sequence (10),
 * never going back within a lane. The text form is 13 characters of Crockford's base 32 in lower
 * case; it sorts as the number does. A message keeps its id for life.
 */

#include "base/span.h"

#define ID_TEXT_SIZE 14 /* with its NUL */

struct id_source {
	uint64_t last;
	unsigned node, lane; /* below 64 each */
};

void id_source_init(struct id_source *source, unsigned node, unsigned lane);
/* Greater than every id this source gave before, even when the clock goes back. Never 0. */
uint64_t id_next(struct id_source *source, int64_t wall_ms);

/* When the id was made, in wall milliseconds. */
int64_t id_wall_ms(uint64_t id);

const char *id_format(uint64_t id, char out[ID_TEXT_SIZE]);
bool id_parse(struct span text, uint64_t *id_out); /* either case */

#endif
