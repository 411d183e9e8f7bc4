/* SPDX-License-Identifier: MIT */
#include "smtp/line.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LEN = 8 };

static const struct line_case {
	const char *name, *input;
	enum smtp_line_result want;
	const char *line, *rest;
} line_cases[] = {
	{ "CRLF ends a line", "NOOP\r\n", SMTP_LINE_COMPLETE, "NOOP", "" },
	{ "an empty line is one", "\r\nx", SMTP_LINE_COMPLETE, "", "x" },
	{ "what follows stays", "NOOP\r\nRSET\r\n", SMTP_LINE_COMPLETE, "NOOP", "RSET\r\n" },
	{ "a bare LF does not end it", "NO\nOP\r\n", SMTP_LINE_BARE_NEWLINE, "NO\nOP", "" },
	{ "a bare CR does not end it", "NO\rOP\r\n", SMTP_LINE_BARE_NEWLINE, "NO\rOP", "" },
	{ "CR CR LF holds a bare CR", "A\r\r\n", SMTP_LINE_BARE_NEWLINE, "A\r", "" },
	{ "LF CR LF holds a bare LF", "\n\r\n", SMTP_LINE_BARE_NEWLINE, "\n", "" },
	{ "a bare LF at its end waits", "NOOP\n", SMTP_LINE_NEED_MORE, NULL, "NOOP\n" },
	{ "nothing waits", "", SMTP_LINE_NEED_MORE, NULL, "" },
	{ "a CR waits for its LF", "NOOP\r", SMTP_LINE_NEED_MORE, NULL, "NOOP\r" },
	{ "eight bytes are the limit", "12345678\r\n", SMTP_LINE_COMPLETE, "12345678", "" },
	{ "eight bytes and a CR may end", "12345678\r", SMTP_LINE_NEED_MORE, NULL, "12345678\r" },
	{ "eight bytes may end", "12345678", SMTP_LINE_NEED_MORE, NULL, "12345678" },
	{ "nine bytes are too many", "123456789", SMTP_LINE_TOO_LONG, NULL, "123456789" },
	{ "nine bytes and CRLF, too", "123456789\r\n", SMTP_LINE_TOO_LONG, NULL, "123456789\r\n" },
	{ "CR and no LF is too long", "12345678\rx", SMTP_LINE_TOO_LONG, NULL, "12345678\rx" },
};

static const struct lf_case {
	const char *name, *input;
	enum smtp_line_result want;
	const char *line, *rest;
	bool was_bare;
} lf_cases[] = {
	{ "LF ends a line", "NOOP\nRSET", SMTP_LINE_COMPLETE, "NOOP", "RSET", true },
	{ "CRLF ends it as ever", "NOOP\r\nx", SMTP_LINE_COMPLETE, "NOOP", "x", false },
	{ "the first of both ends it", "A\nB\r\n", SMTP_LINE_COMPLETE, "A", "B\r\n", true },
	{ "LF alone is an empty line", "\n\r\n", SMTP_LINE_COMPLETE, "", "\r\n", true },
	{ "a CR inside is bare", "N\rP\n", SMTP_LINE_BARE_NEWLINE, "N\rP", "", true },
	{ "CR CR LF holds a bare CR", "A\r\r\n", SMTP_LINE_BARE_NEWLINE, "A\r", "", false },
	{ "no LF waits", "NOOP\r", SMTP_LINE_NEED_MORE, NULL, "NOOP\r", false },
	{ "eight bytes are the limit", "12345678\n", SMTP_LINE_COMPLETE, "12345678", "", true },
	{ "and with CRLF", "12345678\r\n", SMTP_LINE_COMPLETE, "12345678", "", false },
	{ "nine bytes are too many", "123456789\n", SMTP_LINE_TOO_LONG, NULL, "123456789\n",
	    false },
	{ "nine without an end, too", "123456789", SMTP_LINE_TOO_LONG, NULL, "123456789", false },
};

/* A copy without anything behind it, so that reading too far is noticed. */
static struct span exact_copy(struct span s)
{
	char *copy = malloc(s.len ? s.len : 1);

	memcpy(copy, s.data, s.len);
	return span_of(copy, s.len);
}

static void assert_span(struct span got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.data, want, got.len);
}

static void a_line_ends_in_crlf_only(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(line_cases); i++) {
		const struct line_case *c = &line_cases[i];
		struct span copy = exact_copy(span_from_string(c->input)), input = copy;
		struct span line = SPAN("untouched");

		print_message("%s\n", c->name);
		assert_int_equal(smtp_line_take(&input, MAX_LEN, &line), c->want);
		assert_span(line, c->line ? c->line : "untouched");
		assert_span(input, c->rest);
		free((void *)copy.data);
	}
}

/* A line that is complete is so only with its last byte; what is too long is so with each more. */
static void every_prefix_of_a_line_waits_or_is_too_long(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(line_cases); i++) {
		struct span whole = span_from_string(line_cases[i].input);
		size_t end = span_find_span(whole, SPAN("\r\n"));

		for (size_t len = 0; len < whole.len && len < end + 2; len++) {
			struct span copy = exact_copy(span_head(whole, len)), input = copy, line;
			bool fits =
			    len <= MAX_LEN || (len == MAX_LEN + 1 && copy.data[MAX_LEN] == '\r');

			assert_int_equal(smtp_line_take(&input, MAX_LEN, &line),
			    fits ? SMTP_LINE_NEED_MORE : SMTP_LINE_TOO_LONG);
			assert_int_equal(input.len, len);
			free((void *)copy.data);
		}
	}
}

static void discarding_goes_through_the_crlf(void **state)
{
	struct span input = SPAN("junk\nmore\rjunk\r\nNOOP\r\n");

	assert_true(smtp_line_discard(&input));
	assert_span(input, "NOOP\r\n");
	input = SPAN("junk");
	assert_false(smtp_line_discard(&input));
	assert_int_equal(input.len, 0);
	input = SPAN("junk\r");
	assert_false(smtp_line_discard(&input));
	assert_span(input, "\r");
	input = SPAN("");
	assert_false(smtp_line_discard(&input));
}

static const struct flaw_case {
	const char *name;
	struct span line;
	enum smtp_line_flaw want;
	size_t position;
} flaw_cases[] = {
	{ "printable ASCII is clean", SPAN("MAIL FROM:<a@b>\t~"), SMTP_LINE_CLEAN, 0 },
	{ "nothing is clean", SPAN(""), SMTP_LINE_CLEAN, 0 },
	{ "LF", SPAN("a\nb"), SMTP_LINE_BARE_LF, 2 },
	{ "CR", SPAN("\r"), SMTP_LINE_BARE_CR, 1 },
	{ "NUL", SPAN("ab\0"), SMTP_LINE_NUL, 3 },
	{ "backspace", SPAN("a\b"), SMTP_LINE_CONTROL, 2 },
	{ "delete", SPAN("a\x7f"), SMTP_LINE_CONTROL, 2 },
	{ "the first flaw counts", SPAN("a\b\n"), SMTP_LINE_CONTROL, 2 },
	{ "bytes above 127", SPAN("a\xc3\xbc\xff"), SMTP_LINE_EIGHT_BIT, 2 },
	{ "bytes above 127 come last", SPAN("\xff\n"), SMTP_LINE_BARE_LF, 2 },
};

static void flaws_are_found_with_their_position(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(flaw_cases); i++) {
		const struct flaw_case *c = &flaw_cases[i];
		size_t position = 0;

		print_message("%s\n", c->name);
		assert_int_equal(smtp_line_check(c->line, &position), c->want);
		assert_int_equal(position, c->position);
	}
}

static void lines_end_in_lf_where_it_is_allowed(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(lf_cases); i++) {
		const struct lf_case *c = &lf_cases[i];
		struct span copy = exact_copy(span_from_string(c->input)), input = copy, line;
		bool was_bare = false;

		print_message("%s\n", c->name);
		assert_int_equal(smtp_line_take_lf(&input, MAX_LEN, &line, &was_bare), c->want);
		assert_int_equal(was_bare, c->was_bare);
		assert_span(input, c->rest);
		if (c->line)
			assert_span(line, c->line);
		free((char *)copy.data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_ends_in_crlf_only),
		cmocka_unit_test(every_prefix_of_a_line_waits_or_is_too_long),
		cmocka_unit_test(discarding_goes_through_the_crlf),
		cmocka_unit_test(flaws_are_found_with_their_position),
		cmocka_unit_test(lines_end_in_lf_where_it_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
