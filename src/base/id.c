/* SPDX-License-Identifier: MIT */
#include "base/id.h"

#include <assert.h>

#define EPOCH_MS INT64_C(1577836800000) /* 2020-01-01T00:00:00Z */

enum {
	SEQUENCE_BITS = 10,
	LANE_SHIFT = SEQUENCE_BITS,
	NODE_SHIFT = LANE_SHIFT + 6,
	TIME_SHIFT = NODE_SHIFT + 6,
	TIME_BITS = 41,
	SEQUENCE_MAX = (1 << SEQUENCE_BITS) - 1,
	TEXT_LEN = ID_TEXT_SIZE - 1,
};

void id_source_init(struct id_source *source, unsigned node, unsigned lane)
{
	assert(node < 64 && lane < 64);
	*source = (struct id_source){ .node = node, .lane = lane };
}

static uint64_t time_since_epoch(int64_t wall_ms)
{
	uint64_t ms = wall_ms > EPOCH_MS ? (uint64_t)(wall_ms - EPOCH_MS) : 0;
	uint64_t ms_max = (UINT64_C(1) << TIME_BITS) - 1;

	return ms < ms_max ? ms : ms_max;
}

/* A sequence that is used up in one millisecond borrows from the next one. */
uint64_t id_next(struct id_source *source, int64_t wall_ms)
{
	uint64_t ms = time_since_epoch(wall_ms), sequence = 0;
	uint64_t last_ms = source->last >> TIME_SHIFT, id;

	if (source->last && ms <= last_ms) {
		ms = last_ms;
		sequence = (source->last & SEQUENCE_MAX) + 1;
		if (sequence > SEQUENCE_MAX) {
			ms++;
			sequence = 0;
		}
	}
	assert(ms < UINT64_C(1) << TIME_BITS);
	id = ms << TIME_SHIFT | (uint64_t)source->node << NODE_SHIFT |
	     (uint64_t)source->lane << LANE_SHIFT | sequence;
	source->last = id ? id : 1;
	return source->last;
}

int64_t id_wall_ms(uint64_t id)
{
	return (int64_t)(id >> TIME_SHIFT) + EPOCH_MS;
}

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

const char *id_format(uint64_t id, char out[ID_TEXT_SIZE])
{
	for (int i = TEXT_LEN - 1; i >= 0; i--, id >>= 5)
		out[i] = digits[id & 31];
	out[TEXT_LEN] = '\0';
	return out;
}

bool id_parse(struct span text, uint64_t *id_out)
{
	struct span all = span_of(digits, 32);
	uint64_t id = 0;

	if (text.len != TEXT_LEN || text.data[0] > '7')
		return false;
	for (size_t i = 0; i < text.len; i++) {
		size_t digit = span_find(all, byte_to_lower(text.data[i]));

		if (digit == all.len)
			return false;
		id = id << 5 | digit;
	}
	if (id == 0)
		return false;
	*id_out = id;
	return true;
}
