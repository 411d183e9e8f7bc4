/* SPDX-License-Identifier: MIT */
#include "base/span.h"
#include "base/memory.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void comparisons_ignore_case_in_ascii_only(void **state)
{
	assert_true(span_equal(SPAN("a\0b"), SPAN("a\0b")));
	assert_false(span_equal(SPAN("a\0b"), SPAN("a\0c")));
	assert_false(span_equal(SPAN("ab"), SPAN("abc")));
	assert_true(span_equal(span_of(NULL, 0), SPAN("")));
	assert_true(span_equal_nocase(SPAN("Mail FROM"), SPAN("mAIL from")));
	assert_false(span_equal_nocase(SPAN("ab"), SPAN("abc")));
	assert_false(span_equal_nocase(SPAN("abc"), SPAN("ab")));
	assert_false(span_equal_nocase(SPAN("\xc4"), SPAN("\xe4")));
	assert_false(span_equal_nocase(SPAN("@["), SPAN("`{")));
	assert_true(span_starts_with(SPAN("abc"), SPAN("ab")));
	assert_false(span_starts_with(SPAN("ab"), SPAN("abc")));
	assert_false(span_starts_with(SPAN("Abc"), SPAN("ab")));
	assert_true(span_starts_with_nocase(SPAN("Abc"), SPAN("ab")));
	assert_true(span_ends_with_nocase(SPAN("x@Example.ORG"), SPAN("@example.org")));
	assert_false(span_ends_with_nocase(SPAN("org"), SPAN("example.org")));
}

static void secrets_are_compared_whole(void **state)
{
	assert_true(span_equal_secret(SPAN("secret"), SPAN("secret")));
	assert_false(span_equal_secret(SPAN("secret"), SPAN("secreT")));
	assert_false(span_equal_secret(SPAN("secret"), SPAN("xecret")));
	assert_false(span_equal_secret(SPAN("secret"), SPAN("secret ")));
	assert_true(span_equal_secret(SPAN(""), span_of(NULL, 0)));
}

static void what_is_not_found_is_at_the_end(void **state)
{
	assert_int_equal(span_find(SPAN("a:b"), ':'), 1);
	assert_int_equal(span_find(SPAN("ab"), ':'), 2);
	assert_int_equal(span_find(span_of(NULL, 0), ':'), 0);
	assert_int_equal(span_find_span(SPAN("a\r\n.\r\n"), SPAN("\r\n.")), 1);
	assert_int_equal(span_find_span(SPAN("abc"), SPAN("cd")), 3);
	assert_int_equal(span_find_span(SPAN("abc"), SPAN("abcd")), 3);
	assert_int_equal(span_find_span(SPAN("abc"), SPAN("")), 0);
}

static void trimming_takes_blanks_at_both_ends(void **state)
{
	assert_true(span_equal(span_trim(SPAN(" \ta b\t ")), SPAN("a b")));
	assert_true(span_equal(span_trim(SPAN(" \t ")), SPAN("")));
	assert_true(span_equal(span_trim(SPAN("\ra\n")), SPAN("\ra\n")));
}

static void pieces_end_at_the_separator_or_the_end(void **state)
{
	struct span s = SPAN("a,,b"), piece = SPAN("untouched");

	assert_true(span_take_until(&s, ',', &piece));
	assert_true(span_equal(piece, SPAN("a")));
	assert_true(span_take_until(&s, ',', &piece));
	assert_true(span_equal(piece, SPAN("")));
	assert_true(span_take_until(&s, ',', &piece));
	assert_true(span_equal(piece, SPAN("b")));
	piece = SPAN("untouched");
	assert_false(span_take_until(&s, ',', &piece));
	assert_true(span_equal(piece, SPAN("untouched")));
}

static void words_are_runs_of_non_blanks(void **state)
{
	struct span s = SPAN("  MAIL\tFROM:<> "), word;

	assert_true(span_take_word(&s, &word));
	assert_true(span_equal(word, SPAN("MAIL")));
	assert_true(span_take_word(&s, &word));
	assert_true(span_equal(word, SPAN("FROM:<>")));
	assert_false(span_take_word(&s, &word));
	assert_true(span_equal(word, SPAN("FROM:<>")));
	assert_true(span_equal(s, SPAN(" ")));
}

static void numbers_are_digits_that_fit(void **state)
{
	static const struct {
		struct span text;
		bool valid;
		uint64_t value;
	} cases[] = {
		{ SPAN("0"), true, 0 },
		{ SPAN("007"), true, 7 },
		{ SPAN("18446744073709551615"), true, UINT64_MAX },
		{ SPAN("18446744073709551616"), false, 0 },
		{ SPAN("99999999999999999999"), false, 0 },
		{ SPAN(""), false, 0 },
		{ SPAN("-1"), false, 0 },
		{ SPAN("+1"), false, 0 },
		{ SPAN(" 1"), false, 0 },
		{ SPAN("1k"), false, 0 },
		{ SPAN("1\0"), false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t value = 4711;

		assert_int_equal(span_to_u64(cases[i].text, &value), cases[i].valid);
		assert_true(value == (cases[i].valid ? cases[i].value : 4711));
	}
}

static void a_string_holds_no_nul(void **state)
{
	char *string = span_to_string(span_head(SPAN("path/file"), 4));

	assert_string_equal(string, "path");
	mem_free(string);
	assert_null(span_to_string(SPAN("a\0b")));
	string = span_to_string(span_of(NULL, 0));
	assert_string_equal(string, "");
	mem_free(string);
}

static void classes_know_ascii_only(void **state)
{
	int digits = 0, letters = 0, changed = 0;

	for (int c = 0; c < 256; c++) {
		digits += byte_is_digit((char)c);
		letters += byte_is_alpha((char)c);
		changed += byte_to_lower((char)c) != (char)c;
	}
	assert_int_equal(digits, 10);
	assert_int_equal(letters, 52);
	assert_int_equal(changed, 26);
	assert_int_equal(byte_to_lower('Z'), 'z');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparisons_ignore_case_in_ascii_only),
		cmocka_unit_test(secrets_are_compared_whole),
		cmocka_unit_test(what_is_not_found_is_at_the_end),
		cmocka_unit_test(trimming_takes_blanks_at_both_ends),
		cmocka_unit_test(pieces_end_at_the_separator_or_the_end),
		cmocka_unit_test(words_are_runs_of_non_blanks),
		cmocka_unit_test(numbers_are_digits_that_fit),
		cmocka_unit_test(a_string_holds_no_nul),
		cmocka_unit_test(classes_know_ascii_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
