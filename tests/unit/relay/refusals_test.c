/* SPDX-License-Identifier: MIT */
#include "relay/refusals.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static unsigned tell_many(struct refusals *refusals, int64_t now_ms, unsigned count)
{
	uint64_t untold;
	unsigned told = 0;

	for (unsigned i = 0; i < count; i++)
		told += refusals_tell(refusals, now_ms, &untold);
	return told;
}

static void few_refusals_are_all_told(void **state)
{
	struct refusals refusals = { 0 };
	uint64_t untold = 99;

	for (int64_t i = 0; i < 100; i++) {
		assert_true(refusals_tell(&refusals, 5000 + i * 1000, &untold));
		assert_int_equal(untold, 0);
	}
}

static void a_flood_is_told_twenty_times_a_second(void **state)
{
	struct refusals refusals = { 0 };

	assert_int_equal(tell_many(&refusals, 5000, 1000), REFUSALS_TOLD_MAX);
	assert_int_equal(tell_many(&refusals, 5999, 1000), 0);
	assert_int_equal(tell_many(&refusals, 6000, 1000), REFUSALS_TOLD_MAX);
}

static void the_next_line_counts_those_that_had_none(void **state)
{
	struct refusals refusals = { 0 };
	uint64_t untold = 99;

	tell_many(&refusals, 5000, 1000);
	assert_true(refusals_tell(&refusals, 9000, &untold));
	assert_int_equal(untold, 1000 - REFUSALS_TOLD_MAX);
	assert_true(refusals_tell(&refusals, 9000, &untold));
	assert_int_equal(untold, 0);
}

static void refused_connections_linger_up_to_a_limit(void **state)
{
	assert_true(refusals_may_linger(1, 0));
	assert_true(refusals_may_linger(10000 + REFUSALS_LINGERING_MAX, 10000));
	assert_false(refusals_may_linger(10001 + REFUSALS_LINGERING_MAX, 10000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_refusals_are_all_told),
		cmocka_unit_test(a_flood_is_told_twenty_times_a_second),
		cmocka_unit_test(the_next_line_counts_those_that_had_none),
		cmocka_unit_test(refused_connections_linger_up_to_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
