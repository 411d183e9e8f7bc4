/* SPDX-License-Identifier: MIT */
#include "base/fault.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void a_fault_is_one_line(void **state)
{
	struct fault f;

	fault_set(&f, FAULT_TEMPORARY, "said %s", "a\r\nb");
	assert_int_equal(f.kind, FAULT_TEMPORARY);
	assert_string_equal(f.text, "said a  b");
}

static void a_prefix_keeps_kind_and_text(void **state)
{
	struct fault f;

	fault_set(&f, FAULT_LOCAL, "no such file");
	fault_prefix(&f, "users %d", 1);
	assert_int_equal(f.kind, FAULT_LOCAL);
	assert_string_equal(f.text, "users 1: no such file");
	fault_prefix(&f, "reload");
	assert_string_equal(f.text, "reload: users 1: no such file");
}

static void a_fault_may_quote_itself(void **state)
{
	struct fault f;

	fault_set(&f, FAULT_LOCAL, "inner");
	fault_set(&f, FAULT_PERMANENT, "outer (%s)", f.text);
	assert_string_equal(f.text, "outer (inner)");
}

static void longer_text_is_cut(void **state)
{
	char lots[1000];
	struct fault f;

	memset(lots, 'a', sizeof(lots) - 1);
	lots[sizeof(lots) - 1] = '\0';
	fault_set(&f, FAULT_LOCAL, "%s", lots);
	assert_int_equal(strlen(f.text), sizeof(f.text) - 1);
	fault_prefix(&f, "%s", lots);
	assert_int_equal(strlen(f.text), sizeof(f.text) - 1);
	fault_set(&f, FAULT_LOCAL, "short");
	fault_prefix(&f, "%s", lots);
	assert_int_equal(strlen(f.text), sizeof(f.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_is_one_line),
		cmocka_unit_test(a_prefix_keeps_kind_and_text),
		cmocka_unit_test(a_fault_may_quote_itself),
		cmocka_unit_test(longer_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
