/* SPDX-License-Identifier: MIT */
#include "base/escape.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static const struct escape_case {
	struct span bytes;
	const char *want;
} cases[] = {
	{ SPAN("plain text ~!"), "plain text ~!" },
	{ SPAN("a\\b"), "a\\\\b" },
	{ SPAN("a\r\nb\tc"), "a\\r\\nb\\tc" },
	{ SPAN("\0\x1b[2J\x7f"), "\\x00\\x1b[2J\\x7f" },
	{ SPAN("Gr\xc3\xbc\xc3\x9f"), "Gr\xc3\xbc\xc3\x9f" },
	{ SPAN("\xe2\x82\xac\xf0\x9f\x93\xa7"), "\xe2\x82\xac\xf0\x9f\x93\xa7" },
	{ SPAN("Gr\xfc\xdf"), "Gr\\xfc\\xdf" }, /* Latin-1 */
	{ SPAN("\xc3"), "\\xc3" },              /* cut short */
	{ SPAN("\xe2\x82"), "\\xe2\\x82" },
	{ SPAN("\xc0\xaf"), "\\xc0\\xaf" }, /* overlong */
	{ SPAN("\xe0\x80\xaf"), "\\xe0\\x80\\xaf" },
	{ SPAN("\xe0\x83\xbc"), "\\xe0\\x83\\xbc" },
	{ SPAN("\xf0\x82\x82\xac"), "\\xf0\\x82\\x82\\xac" },
	{ SPAN("\xed\xa0\x80"), "\\xed\\xa0\\x80" },          /* a surrogate */
	{ SPAN("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80" }, /* beyond Unicode */
	{ SPAN("\xc2\x9b"), "\\xc2\\x9b" },                   /* CSI, a terminal sequence */
	{ SPAN("\xe2\x80\xae"), "\\xe2\\x80\\xae" },          /* right-to-left override */
	{ SPAN("\xe2\x80\xa8"), "\\xe2\\x80\\xa8" },          /* line separator */
	{ SPAN(""), "" },
};

static void peer_bytes_are_made_fit_to_be_shown(void **state)
{
	struct buf b;

	buf_init(&b, 100);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[64];

		buf_clear(&b);
		assert_true(escape_append(&b, cases[i].bytes));
		assert_string_equal(buf_string(&b), cases[i].want);
		assert_string_equal(escape_to(out, sizeof(out), cases[i].bytes), cases[i].want);
	}
	buf_fini(&b);
}

static void no_byte_escapes_as_a_control(void **state)
{
	for (int i = 0; i < 256; i++) {
		char byte = (char)i, out[8];

		escape_to(out, sizeof(out), span_of(&byte, 1));
		for (const char *at = out; *at; at++)
			assert_in_range(*at, ' ', '~');
	}
}

static void an_append_that_does_not_fit_changes_nothing(void **state)
{
	struct buf b;

	buf_init(&b, 5);
	assert_true(escape_append(&b, SPAN("ab")));
	assert_false(escape_append(&b, SPAN("c\1")));
	assert_string_equal(buf_string(&b), "ab");
	buf_fini(&b);
}

static void what_does_not_fit_is_cut_and_marked(void **state)
{
	char out[8];

	assert_string_equal(escape_to(out, 8, SPAN("1234567")), "1234567");
	assert_string_equal(escape_to(out, 8, SPAN("12345678")), "1234...");
	assert_string_equal(escape_to(out, 8, SPAN("123\1")), "123\\x01");
	assert_string_equal(escape_to(out, 8, SPAN("1234\1")), "1234...");
	assert_string_equal(escape_to(out, 8,
				SPAN("123\1"
				     "4")),
	    "123...");
	assert_string_equal(escape_to(out, 8, SPAN("\1\1")), "\\x01...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peer_bytes_are_made_fit_to_be_shown),
		cmocka_unit_test(no_byte_escapes_as_a_control),
		cmocka_unit_test(an_append_that_does_not_fit_changes_nothing),
		cmocka_unit_test(what_does_not_fit_is_cut_and_marked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
