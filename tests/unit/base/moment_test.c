/* SPDX-License-Identifier: MIT */
#include "base/moment.h"
#include "base/memory.h"

#include <stdio.h>
#include <time.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void known_moments_are_written_right(void **state)
{
	static const struct {
		int64_t ms;
		const char *rfc3339, *rfc5322;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z", "Thu, 1 Jan 1970 00:00:00 +0000" },
		{ -1, "1969-12-31T23:59:59.999Z", "Wed, 31 Dec 1969 23:59:59 +0000" },
		{ 951782400000, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 +0000" },
		{ 1709164800000, "2024-02-29T00:00:00.000Z", "Thu, 29 Feb 2024 00:00:00 +0000" },
		{ 4107542399999, "2100-02-28T23:59:59.999Z", "Sun, 28 Feb 2100 23:59:59 +0000" },
		{ 4107542400000, "2100-03-01T00:00:00.000Z", "Mon, 1 Mar 2100 00:00:00 +0000" },
		{ 1795231471007, "2026-11-21T03:24:31.007Z", "Sat, 21 Nov 2026 03:24:31 +0000" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[MOMENT_TEXT_MAX];

		assert_string_equal(moment_format_rfc3339_ms(cases[i].ms, text), cases[i].rfc3339);
		assert_string_equal(moment_format_rfc5322(cases[i].ms, text), cases[i].rfc5322);
	}
}

/* A moment of each day of 430 years, against the C library (whose numbers know no locale). */
static void every_day_agrees_with_the_c_library(void **state)
{
	for (int64_t day = -365 * 30; day < 146097; day++) {
		time_t seconds = (time_t)(day * 86400 + (day * 7919 % 86400 + 86400) % 86400);
		char text[MOMENT_TEXT_MAX], want[MOMENT_TEXT_MAX * 2];
		struct tm tm;

		gmtime_r(&seconds, &tm);
		snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
		    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		assert_string_equal(moment_format_rfc3339(seconds * 1000, text), want);
	}
}

static void durations_are_for_people(void **state)
{
	static const struct {
		int64_t ms;
		const char *want;
	} cases[] = {
		{ 0, "0ms" },
		{ 350, "350ms" },
		{ 999, "999ms" },
		{ 1000, "1s" },
		{ 12999, "12s" },
		{ 60000, "1m" },
		{ 245000, "4m 5s" },
		{ 3599999, "59m 59s" },
		{ 3600000, "1h" },
		{ 12000000, "3h 20m" },
		{ 86400000, "1d" },
		{ 86400000 + 3599000, "1d" },
		{ 439200000, "5d 2h" },
		{ -5, "0ms" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[MOMENT_TEXT_MAX];

		assert_string_equal(moment_format_duration(cases[i].ms, text), cases[i].want);
	}
}

static void clocks_run(void **state)
{
	int64_t before = moment_monotonic_us();

	assert_in_range(moment_wall_ms() / 1000 - time(NULL) + 2, 0, 4);
	assert_true(moment_monotonic_us() >= before);
	assert_in_range(moment_monotonic_us() / 1000 - moment_monotonic_ms() + 1000, 0, 1000);
}

static void extreme_values_stay_inside_the_text(void **state)
{
	char text[MOMENT_TEXT_MAX];

	moment_format_rfc3339_ms(INT64_MAX, text);
	moment_format_rfc3339_ms(INT64_MIN + MOMENT_TEXT_MAX, text);
	moment_format_rfc5322(INT64_MAX, text);
	moment_format_duration(INT64_MAX, text);
	assert_string_equal(text, "106751991167d 7h");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_moments_are_written_right),
		cmocka_unit_test(every_day_agrees_with_the_c_library),
		cmocka_unit_test(durations_are_for_people),
		cmocka_unit_test(clocks_run),
		cmocka_unit_test(extreme_values_stay_inside_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
