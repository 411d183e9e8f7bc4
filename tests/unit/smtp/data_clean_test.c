/* SPDX-License-Identifier: MIT */
#include "smtp/data_clean.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* The same question, asked byte by byte. */
static bool is_clean(struct span s, bool at_line_start)
{
	for (size_t i = 0; i < s.len; i++) {
		bool after_cr = i > 0 && s.data[i - 1] == '\r';
		bool starts_line = i > 0 ? s.data[i - 1] == '\n' : at_line_start;

		if ((s.data[i] == '\n') != after_cr || (s.data[i] == '.' && starts_line))
			return false;
	}
	return s.len == 0 || s.data[s.len - 1] != '\r';
}

static size_t count_line_ends(struct span s)
{
	size_t count = 0;

	for (size_t i = 0; i < s.len; i++)
		count += s.data[i] == '\n';
	return count;
}

static void check(struct span s, bool at_line_start)
{
	char *copy = malloc(s.len ? s.len : 1);
	uint64_t line_ends = 7;
	size_t extent;

	memcpy(copy, s.data, s.len);
	s = span_of(copy, s.len);
	extent = smtp_data_clean_extent(s, at_line_start, &line_ends);
	assert_true(extent <= s.len);
	assert_true(is_clean(span_head(s, extent), at_line_start));
	assert_int_equal(line_ends, 7 + count_line_ends(span_head(s, extent)));
#ifdef __SSE2__
	/* And it did not give up early: the block where it ended is not clean. */
	if (s.len - extent > 64)
		assert_false(is_clean(span_head(s, extent + 65), at_line_start) &&
			     is_clean(span_head(s, extent + 64), at_line_start));
#endif
	free(copy);
}

static void fill_with_lines(char *text, size_t len, size_t line_len)
{
	memset(text, 'x', len);
	for (size_t i = line_len; i + 1 < len; i += line_len + 2)
		memcpy(text + i, "\r\n", 2);
}

/* A byte of trouble at each place, in lines of each length: beside the edges of blocks above all.
 */
static void trouble_is_never_skipped(void **state)
{
	static const char trouble[] = { '\r', '\n', '.', 'x' };
	char text[260];

	for (size_t line_len = 0; line_len < 80; line_len++) {
		for (size_t at = 0; at < sizeof(text); at++) {
			for (size_t i = 0; i < sizeof(trouble); i++) {
				fill_with_lines(text, sizeof(text), line_len);
				text[at] = trouble[i];
				check(span_of(text, sizeof(text)), true);
				check(span_of(text, sizeof(text) - at % 70), false);
			}
		}
	}
}

static void every_prefix_of_clean_content_is_clean(void **state)
{
	char text[200];

	for (size_t line_len = 0; line_len < 70; line_len++) {
		fill_with_lines(text, sizeof(text), line_len);
		for (size_t len = 0; len <= sizeof(text); len++)
			check(span_of(text, len), true);
	}
}

static void noise_is_never_taken_for_clean(void **state)
{
	static const char letters[] = "\r\n.xxxx";
	unsigned random = 1;
	char text[300];

	for (unsigned round = 0; round < 3000; round++) {
		for (size_t i = 0; i < sizeof(text); i++) {
			random = random * 1103515245u + 12345u;
			text[i] = letters[(random >> 16) % (3 + round % 5)];
			if (text[i] == '\r' && i + 1 < sizeof(text) && round % 2)
				text[++i] = '\n';
		}
		check(span_of(text, sizeof(text)), round % 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trouble_is_never_skipped),
		cmocka_unit_test(every_prefix_of_clean_content_is_clean),
		cmocka_unit_test(noise_is_never_taken_for_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
