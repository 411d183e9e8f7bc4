/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/mechanism.h"
#include "sasl/mechanism.h"

/* The configuration names the mechanisms, src/sasl speaks them: the two lists are one. */

static void the_mechanisms_are_those_that_are_spoken(void **state)
{
	static const enum config_secret secrets[SASL_SECRET_COUNT] = {
		[SASL_SECRET_PASSWORD] = CONFIG_SECRET_PASSWORD,
		[SASL_SECRET_TOKEN] = CONFIG_SECRET_TOKEN,
		[SASL_SECRET_CERTIFICATE] = CONFIG_SECRET_CERTIFICATE,
		[SASL_SECRET_KERBEROS] = CONFIG_SECRET_KERBEROS,
	};
	assert_int_equal(config_mechanism_count, SASL_MECHANISM_COUNT);
	for (size_t i = 0; i < config_mechanism_count; i++) {
		const struct config_mechanism *each = &config_mechanisms[i];
		enum sasl_mechanism spoken;
		assert_true(sasl_mechanism_find(span_from_string(each->name), &spoken));
		assert_int_equal(spoken, i);
		assert_int_equal(secrets[sasl_mechanism_secret(spoken)], each->needs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mechanisms_are_those_that_are_spoken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
