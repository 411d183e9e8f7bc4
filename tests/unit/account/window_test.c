/* SPDX-License-Identifier: MIT */
#include "account/window.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define HOUR 3600000

static void what_happened_within_the_while_counts(void **state)
{
	struct account_window w = { 0 };

	assert_int_equal(account_window_total(&w, HOUR, 5000), 0);
	account_window_add(&w, 1, HOUR, 5000);
	account_window_add(&w, 2, HOUR, 5000 + HOUR / 2);
	assert_int_equal(account_window_total(&w, HOUR, 5000 + HOUR - 1), 3);
	assert_int_equal(account_window_total(&w, HOUR, 5000 + HOUR + HOUR / 8), 2);
	assert_int_equal(account_window_total(&w, HOUR, 5000 + 3 * HOUR), 0);
}

/* A limit of 10 is never passed within any while, wherever that begins. */
static void a_limit_holds_in_every_while(void **state)
{
	struct account_window w = { 0 };
	int64_t taken[4000];
	size_t count = 0;

	for (int64_t now = 0; now < 10000; now += 7) {
		if (account_window_total(&w, 1000, now) >= 10)
			continue;
		account_window_add(&w, 1, 1000, now);
		taken[count++] = now;
	}
	assert_true(count >= 90);
	for (size_t i = 10; i < count; i++)
		assert_true(taken[i] - taken[i - 10] >= 1000);
}

static void another_while_forgets_nothing(void **state)
{
	struct account_window w = { 0 };

	account_window_add(&w, 5, HOUR, HOUR);
	assert_int_equal(account_window_total(&w, 24 * HOUR, HOUR + 1), 5);
	assert_int_equal(account_window_total(&w, 1000, HOUR + 2), 5);
	assert_int_equal(account_window_total(&w, 1000, HOUR + 2000), 0);
}

static void a_clock_that_goes_back_forgets_nothing(void **state)
{
	struct account_window w = { 0 };

	account_window_add(&w, 5, HOUR, 10 * HOUR);
	assert_int_equal(account_window_total(&w, HOUR, 2 * HOUR), 5);
}

static void what_is_taken_back_is_the_latest(void **state)
{
	struct account_window w = { 0 };

	account_window_add(&w, 4, HOUR, HOUR);
	account_window_add(&w, 2, HOUR, HOUR + HOUR / 2);
	account_window_take_back(&w, 3);
	assert_int_equal(account_window_total(&w, HOUR, HOUR + HOUR / 2), 3);
	account_window_take_back(&w, 100);
	assert_int_equal(account_window_total(&w, HOUR, HOUR + HOUR / 2), 0);
}

static void a_count_does_not_wrap(void **state)
{
	struct account_window w = { 0 };

	account_window_add(&w, UINT32_MAX, HOUR, HOUR);
	account_window_add(&w, 10, HOUR, HOUR);
	account_window_add(&w, 10, HOUR, HOUR + HOUR / 2);
	assert_int_equal(account_window_total(&w, HOUR, HOUR + HOUR / 2), UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_happened_within_the_while_counts),
		cmocka_unit_test(a_limit_holds_in_every_while),
		cmocka_unit_test(another_while_forgets_nothing),
		cmocka_unit_test(a_clock_that_goes_back_forgets_nothing),
		cmocka_unit_test(what_is_taken_back_is_the_latest),
		cmocka_unit_test(a_count_does_not_wrap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
