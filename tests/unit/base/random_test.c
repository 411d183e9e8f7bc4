/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void every_byte_of_the_run_is_filled(void **state)
{
	unsigned char seen[1000] = { 0 }, bytes[1002];

	for (int turn = 0; turn < 8; turn++) {
		memset(bytes, 0, sizeof(bytes));
		random_bytes(bytes + 1, 1000);
		for (size_t i = 0; i < 1000; i++)
			seen[i] |= bytes[i + 1];
		assert_int_equal(bytes[0] | bytes[1001], 0);
	}
	for (size_t i = 0; i < 1000; i++) /* all eight zero: once in 10^16 runs */
		assert_int_not_equal(seen[i], 0);
}

static void numbers_differ(void **state)
{
	assert_true(random_u64() != random_u64());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_of_the_run_is_filled),
		cmocka_unit_test(numbers_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
