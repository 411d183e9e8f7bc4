/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "cli/screen.h"

#include <stdlib.h>
#include <string.h>

/* ---- parsing ---- */

static const struct duration_case {
	const char *text;
	int64_t seconds; /* -1: refused */
} duration_cases[] = {
	{ "0s", 0 },
	{ "90s", 90 },
	{ "5m", 300 },
	{ "12h", 43200 },
	{ "7d", 604800 },
	{ "1h30m", 5400 },
	{ "1d2h3m4s", 93784 },
	{ "36500d", 36500ll * 86400 },
	{ "36501d", -1 },
	{ "36500d1s", -1 },
	{ "99999999999999999999d", -1 },
	{ "18446744073709551615s", -1 },
	{ "", -1 },
	{ "h", -1 },
	{ "5", -1 },
	{ "5 m", -1 },
	{ "-5m", -1 },
	{ "5w", -1 },
	{ "5M", -1 },
	{ "1h30", -1 },
	{ "1.5h", -1 },
};

static void durations_are_numbers_with_units(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(duration_cases); i++) {
		const struct duration_case *c = &duration_cases[i];
		int64_t seconds = -1;
		bool good = cli_duration_parse(span_from_string(c->text), &seconds);
		if (good != (c->seconds >= 0) || (good && seconds != c->seconds))
			fail_msg("\"%s\": %s, %lld", c->text, good ? "taken" : "refused",
			    (long long)seconds);
		if (!good && seconds != -1)
			fail_msg("\"%s\": refused, and the output is touched", c->text);
	}
}

static void times_are_rfc3339_in_utc_and_nothing_else(void **state)
{
	static const char time[] = "2026-11-21T03:24:31Z";
	static const char *const wrong[] = {
		"2026-11-21 03:24:31Z",
		"2026-11-21T03:24:31",
		"2026-11-21T03:24:31Zx",
		"26-11-21T03:24:31Z",
		"2026-1x-21T03:24:31Z",
	};
	int64_t at = 0;

	(void)state;
	assert_true(cli_time_parse(span_from_string(time), &at));
	assert_int_equal(at, 1795231471000);
	for (size_t i = 0; i < sizeof(time) - 1; i++)
		assert_false(cli_time_parse(span_of(time, i), &at));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(cli_time_parse(span_from_string(wrong[i]), &at));
}

/* ---- printing ---- */

static char *printed;
static size_t printed_len;

static FILE *begin(void)
{
	return open_memstream(&printed, &printed_len);
}

static void expect(FILE *stream, const char *want)
{
	fclose(stream);
	assert_string_equal(printed, want);
	free(printed);
}

static void text_is_escaped_and_cut_to_its_columns(void **state)
{
	static const struct {
		const char *text;
		unsigned columns;
		const char *want;
	} cases[] = {
		{ "short", 10, "short" },
		{ "exactly", 7, "exactly" },
		{ "too long", 7, "too lo…" },
		{ "all of it, however long it may be", 0, "all of it, however long it may be" },
		{ "\033[2J", 20, "\\x1b[2J" },
		{ "ab\033", 5, "ab…" }, /* no half of an escape */
		{ "größer", 6, "größer" },
		{ "größer", 5, "größ…" },
		{ "", 3, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		FILE *stream = begin();
		cli_screen_put(stream, span_from_string(cases[i].text), cases[i].columns);
		expect(stream, cases[i].want);
	}
}

static void cells_are_filled_up(void **state)
{
	FILE *stream = begin();

	(void)state;
	cli_screen_put_cell(stream, SPAN("größe"), 7);
	cli_screen_put_cell(stream, SPAN("much too long"), 7);
	expect(stream, "größe  much t…");
}

static void blocks_are_broken_between_words(void **state)
{
	static const struct {
		const char *text;
		unsigned width;
		const char *want;
	} cases[] = {
		{ "one two", 40, "  one two\n" },
		{ "550 5.1.1 there is no such user here at all", 30,
		    "  550 5.1.1 there is no such\n  user here at all\n" },
		{ "550 5.1.1 there is no such user here at all", 0,
		    "  550 5.1.1 there is no such user here at all\n" },
		{ "a-word-that-is-longer-than-the-line short", 22,
		    "  a-word-that-is-long…\n  short\n" },
		{ "", 40, "  \n" },
		{ "end   ", 40, "  end\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		FILE *stream = begin();
		cli_screen_put_block(stream, span_from_string(cases[i].text), 2, cases[i].width);
		expect(stream, cases[i].want);
	}
}

static void sizes_have_at_most_four_characters(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *want;
	} cases[] = {
		{ 0, "0" },
		{ 999, "999" },
		{ 1000, "1.0K" },
		{ 4096, "4.0K" },
		{ 10240, "10K" },
		{ 1023 * 1024, "1.0M" },
		{ 52428800, "50M" },
		{ UINT64_MAX, "16E" },
	};
	char text[CLI_SCREEN_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(cli_screen_size(cases[i].bytes, text), cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_numbers_with_units),
		cmocka_unit_test(times_are_rfc3339_in_utc_and_nothing_else),
		cmocka_unit_test(text_is_escaped_and_cut_to_its_columns),
		cmocka_unit_test(cells_are_filled_up),
		cmocka_unit_test(blocks_are_broken_between_words),
		cmocka_unit_test(sizes_have_at_most_four_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
