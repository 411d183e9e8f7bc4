/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "relay/pacing.h"

/* The dice that spread by -20 %, not at all, and by +20 %. */
enum { LOWEST = 0, MIDDLE = 20, HIGHEST = 40 };

static const struct curve_case {
	const char *name;
	struct config_retry retry;
	unsigned attempts;
	uint64_t dice;
	int64_t want_ms;
} curve_cases[] = {
	{ "the first wait is first", { 60000, 3600000, 2 }, 1, MIDDLE, 60000 },
	{ "the second is multiplied once", { 60000, 3600000, 2 }, 2, MIDDLE, 120000 },
	{ "the fourth is multiplied three times", { 60000, 3600000, 2 }, 4, MIDDLE, 480000 },
	{ "max ends the growth", { 60000, 3600000, 2 }, 7, MIDDLE, 3600000 },
	{ "max holds for ever", { 60000, 3600000, 2 }, 4000000000u, MIDDLE, 3600000 },
	{ "a factor of 1 never grows", { 60000, 3600000, 1 }, 4000000000u, MIDDLE, 60000 },
	{ "a factor between whole numbers", { 1000, 3600000, 1.5 }, 3, MIDDLE, 2250 },
	{ "first above max is max", { 60000, 1000, 2 }, 1, MIDDLE, 1000 },
	{ "the spread goes down to 80 %", { 60000, 3600000, 2 }, 1, LOWEST, 48000 },
	{ "the spread goes up to 120 %", { 60000, 3600000, 2 }, 1, HIGHEST, 72000 },
	{ "no attempt yet counts as one", { 60000, 3600000, 2 }, 0, MIDDLE, 60000 },
};

static void test_the_retry_curve(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(curve_cases); i++) {
		const struct curve_case *c = &curve_cases[i];
		int64_t got = pacing_retry_ms(&c->retry, c->attempts, c->dice);
		if (got != c->want_ms)
			fail_msg("%s: %lld", c->name, (long long)got);
	}
}

static void test_no_dice_leave_the_spread(void **state)
{
	struct config_retry retry = { 60000, 3600000, 2 };

	for (uint64_t dice = 0; dice < 1000; dice++)
		assert_in_range(
		    pacing_retry_ms(&retry, 1, dice * 0x9e3779b97f4a7c15u), 48000, 72000);
}

static void succeed(struct pacing_width *width, unsigned times)
{
	while (times-- > 0)
		pacing_width_succeeded(width);
}

static void test_width_grows_after_each_full_width_of_successes(void **state)
{
	struct pacing_width width;

	pacing_width_init(&width, 20);
	assert_int_equal(width.now, 2);
	succeed(&width, 1);
	assert_int_equal(width.now, 2);
	succeed(&width, 1);
	assert_int_equal(width.now, 3);
	succeed(&width, 2);
	assert_int_equal(width.now, 3);
	succeed(&width, 1);
	assert_int_equal(width.now, 4);
	succeed(&width, 10000);
	assert_int_equal(width.now, 20);
}

static void test_width_is_halved_by_failures_and_stays_above_zero(void **state)
{
	struct pacing_width width;

	pacing_width_init(&width, 20);
	succeed(&width, 10000);
	pacing_width_failed(&width);
	assert_int_equal(width.now, 10);
	succeed(&width, 9);
	assert_int_equal(width.now, 10); /* successes before the failure do not count */
	for (unsigned i = 0; i < 10; i++)
		pacing_width_failed(&width);
	assert_int_equal(width.now, 1);
}

static void test_a_complaint_lowers_the_ceiling_which_recovers(void **state)
{
	struct pacing_width width;

	pacing_width_init(&width, 20);
	succeed(&width, 500);
	pacing_width_lower_ceiling(&width, 8);
	assert_int_equal(width.ceiling, 7);
	assert_in_range(width.now, 1, 7);
	succeed(&width, PACING_CEILING_RECOVERY - 1);
	assert_int_equal(width.now, 7);
	assert_int_equal(width.ceiling, 7);
	succeed(&width, 1);
	assert_int_equal(width.ceiling, 8);
	pacing_width_lower_ceiling(&width, 12); /* more than the ceiling is no news */
	assert_int_equal(width.ceiling, 8);
	for (unsigned open = 0; open < 2; open++) {
		pacing_width_lower_ceiling(&width, open);
		assert_int_equal(width.ceiling, 1);
		assert_int_equal(width.now, 1);
	}
}

static void test_a_reload_changes_the_maximum_and_not_what_was_taught(void **state)
{
	struct pacing_width width;

	pacing_width_init(&width, 20);
	succeed(&width, 10000);
	pacing_width_set_max(&width, 5);
	assert_int_equal(width.now, 5);
	pacing_width_set_max(&width, 30);
	assert_int_equal(width.ceiling, 30);
	pacing_width_lower_ceiling(&width, 4);
	pacing_width_set_max(&width, 40);
	assert_int_equal(width.ceiling, 3);
	pacing_width_set_max(&width, 0);
	assert_int_equal(width.now, 1);
}

static void test_a_maximum_of_one_is_never_exceeded(void **state)
{
	struct pacing_width width;

	pacing_width_init(&width, 1);
	succeed(&width, 5000);
	assert_int_equal(width.now, 1);
	assert_int_equal(width.ceiling, 1);
}

static void test_a_rate_gives_what_it_says_and_fills_again(void **state)
{
	struct config_rate rate = { .count = 30, .per_ms = 60000 };
	struct pacing_rate bucket;

	pacing_rate_init(&bucket, &rate, 1000);
	assert_int_equal(pacing_rate_available(&bucket, &rate, 8, 1000), 8);
	assert_int_equal(pacing_rate_available(&bucket, &rate, 99, 1000), 30);
	pacing_rate_take(&bucket, &rate, 30);
	assert_int_equal(pacing_rate_available(&bucket, &rate, 8, 1000), 0);
	assert_in_range(pacing_rate_wait_ms(&bucket, &rate), 2000, 2001);
	assert_int_equal(pacing_rate_available(&bucket, &rate, 8, 2999), 0);
	assert_int_equal(pacing_rate_available(&bucket, &rate, 8, 3001), 1);
	assert_int_equal(pacing_rate_wait_ms(&bucket, &rate), 0);
	/* An idle hour gives a full bucket, not sixty. */
	assert_int_equal(pacing_rate_available(&bucket, &rate, 9999, 3603001), 30);
}

static void test_waiting_as_told_is_enough(void **state)
{
	struct config_rate rate = { .count = 7, .per_ms = 86400000 };
	struct pacing_rate bucket;
	int64_t now = 0;

	pacing_rate_init(&bucket, &rate, now);
	pacing_rate_take(&bucket, &rate, 7);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(pacing_rate_available(&bucket, &rate, 1, now), 0);
		now += pacing_rate_wait_ms(&bucket, &rate);
		assert_int_equal(pacing_rate_available(&bucket, &rate, 1, now), 1);
		pacing_rate_take(&bucket, &rate, 1);
	}
}

static void test_without_a_rate_everything_may_go(void **state)
{
	struct config_rate rate = { 0 };
	struct pacing_rate bucket;

	pacing_rate_init(&bucket, &rate, 0);
	pacing_rate_take(&bucket, &rate, 1000);
	assert_int_equal(pacing_rate_available(&bucket, &rate, 1000, 0), 1000);
	assert_int_equal(pacing_rate_wait_ms(&bucket, &rate), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_retry_curve),
		cmocka_unit_test(test_no_dice_leave_the_spread),
		cmocka_unit_test(test_width_grows_after_each_full_width_of_successes),
		cmocka_unit_test(test_width_is_halved_by_failures_and_stays_above_zero),
		cmocka_unit_test(test_a_complaint_lowers_the_ceiling_which_recovers),
		cmocka_unit_test(test_a_reload_changes_the_maximum_and_not_what_was_taught),
		cmocka_unit_test(test_a_maximum_of_one_is_never_exceeded),
		cmocka_unit_test(test_a_rate_gives_what_it_says_and_fills_again),
		cmocka_unit_test(test_waiting_as_told_is_enough),
		cmocka_unit_test(test_without_a_rate_everything_may_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
