/* SPDX-License-Identifier: MIT */
#include "smtp/data_clean.h"

#ifdef __SSE2__

#include <emmintrin.h>

enum { BLOCK_LEN = 64, VECTOR_LEN = 16 };

struct block {
	__m128i vectors[BLOCK_LEN / VECTOR_LEN];
};

static __m128i read_vector(const char *bytes)
{
	return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

static inline uint64_t vector_bits(__m128i bytes, __m128i wanted)
{
	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted));
}

/* A bit for each byte of the block that is the wanted one, the first byte's lowest. */
static inline uint64_t bits_of(const struct block *block, char byte)
{
	__m128i wanted = _mm_set1_epi8(byte);

	return vector_bits(block->vectors[0], wanted) |
	       vector_bits(block->vectors[1], wanted) << VECTOR_LEN |
	       vector_bits(block->vectors[2], wanted) << (2 * VECTOR_LEN) |
	       vector_bits(block->vectors[3], wanted) << (3 * VECTOR_LEN);
}

/* One or two of 64 in ordinary lines: quicker than a call of the library's population count. */
static uint64_t count_bits(uint64_t bits)
{
	uint64_t count = 0;

	for (; bits; bits &= bits - 1)
		count++;
	return count;
}

size_t smtp_data_clean_extent(struct span s, bool at_line_start, uint64_t *line_ends_out)
{
	uint64_t line_start = at_line_start, after_cr = 0;
	size_t at = 0;

	while (s.len - at >= BLOCK_LEN) {
		const char *bytes = s.data + at;
		struct block block = { {
		    read_vector(bytes),
		    read_vector(bytes + VECTOR_LEN),
		    read_vector(bytes + 2 * VECTOR_LEN),
		    read_vector(bytes + 3 * VECTOR_LEN),
		} };
		uint64_t cr = bits_of(&block, '\r'), lf = bits_of(&block, '\n');

		/* Each CR has its LF behind it, and each LF its CR before it. */
		if ((cr << 1 | after_cr) != lf || ((lf << 1 | line_start) & bits_of(&block, '.')))
			break;
		after_cr = cr >> (BLOCK_LEN - 1);
		line_start = lf >> (BLOCK_LEN - 1);
		*line_ends_out += count_bits(lf);
		at += BLOCK_LEN;
	}
	return at - after_cr;
}

#else

size_t smtp_data_clean_extent(struct span s, bool at_line_start, uint64_t *line_ends_out)
{
	return 0;
}

#endif
