/* SPDX-License-Identifier: MIT */
#include "message/status_words.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void only_codes_of_three_numbers_are_valid(void **state)
{
	static const struct {
		struct span status;
		bool valid;
	} cases[] = {
		{ SPAN("5.1.1"), true },
		{ SPAN("4.4.7"), true },
		{ SPAN("2.0.0"), true },
		{ SPAN("5.7.509"), true },
		{ SPAN("5.123.999"), true },
		{ SPAN(""), false },
		{ SPAN("5"), false },
		{ SPAN("5."), false },
		{ SPAN("5.1"), false },
		{ SPAN("5.1."), false },
		{ SPAN("5..1"), false },
		{ SPAN("3.1.1"), false },
		{ SPAN("55.1.1"), false },
		{ SPAN("5.1.1000"), false },
		{ SPAN("5.1.1 "), false },
		{ SPAN("5.1.1.1"), false },
		{ SPAN("5.1.a"), false },
		{ SPAN("5.1.1\r\n"), false },
		{ SPAN("5-1-1"), false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(message_status_is_valid(cases[i].status), cases[i].valid);
}

static void words_do_not_depend_on_the_class(void **state)
{
	assert_string_equal(message_status_words(SPAN("5.2.2")), "The mailbox is full.");
	assert_string_equal(message_status_words(SPAN("4.2.2")), "The mailbox is full.");
	assert_string_equal(message_status_words(SPAN("2.2.2")), "");
	assert_string_equal(message_status_words(SPAN("5.2.22")), "");
	assert_string_equal(message_status_words(SPAN("5.0.0")), "");
	assert_string_equal(message_status_words(SPAN("nonsense")), "");
	assert_string_equal(message_status_words(SPAN("")), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_codes_of_three_numbers_are_valid),
		cmocka_unit_test(words_do_not_depend_on_the_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
