/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include "net/resolver.h"

#include <stdio.h>
#include <string.h>

static struct resolver_result result;
static struct fault fault;
static int answers;

static void on_done(const struct resolver_result *r, const struct fault *f, void *owner)
{
	assert_ptr_equal(owner, &answers);
	assert_true((r == NULL) != (f == NULL));
	answers++;
	fault = (struct fault){ .kind = FAULT_NONE };
	if (r)
		result = *r;
	else
		fault = *f;
}

static void ask(struct span host)
{
	int before = answers;

	resolver_start(&loop, host, 25, on_done, &answers);
	assert_int_equal(answers, before); /* never at once */
	UNTIL(answers > before);
	assert_int_equal(answers, before + 1);
}

static void numeric_hosts_answer_in_a_later_turn(void **state)
{
	char text[NET_ADDRESS_TEXT_MAX];

	ask(SPAN("192.0.2.1"));
	assert_int_equal(fault.kind, FAULT_NONE);
	assert_int_equal(result.count, 1);
	assert_string_equal(net_address_format(&result.addresses[0], text), "192.0.2.1:25");
	ask(SPAN("[2001:db8::1]"));
	assert_string_equal(net_address_format(&result.addresses[0], text), "[2001:db8::1]:25");
}

static void localhost_is_found(void **state)
{
	ask(SPAN("localhost"));
	assert_int_equal(fault.kind, FAULT_NONE);
	assert_true(result.count >= 1 && result.count <= RESOLVER_ADDRESSES_MAX);
	for (size_t i = 0; i < result.count; i++)
		assert_int_equal(net_address_port(&result.addresses[i]), 25);
}

static void a_name_that_is_none_is_a_temporary_fault(void **state)
{
	static char many[300];

	memset(many, 'a', sizeof(many));
	ask(SPAN(""));
	assert_int_equal(fault.kind, FAULT_TEMPORARY);
	ask(span_of(many, sizeof(many)));
	assert_int_equal(fault.kind, FAULT_TEMPORARY);
	ask(SPAN("local\0host"));
	assert_int_equal(fault.kind, FAULT_TEMPORARY);
	/* With or without a name server to say so (RFC 6761, 6.4). */
	ask(SPAN("no-such-name.invalid"));
	assert_int_equal(fault.kind, FAULT_TEMPORARY);
	assert_non_null(strstr(fault.text, "no-such-name.invalid"));
}

static void a_cancelled_question_has_no_answer(void **state)
{
	struct resolver *named, *numeric;
	int before = answers;

	named = resolver_start(&loop, SPAN("localhost"), 25, on_done, &answers);
	numeric = resolver_start(&loop, SPAN("127.0.0.1"), 25, on_done, &answers);
	resolver_cancel(&named);
	resolver_cancel(&numeric);
	assert_null(named);
	ask(SPAN("localhost"));
	assert_int_equal(answers, before + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(numeric_hosts_answer_in_a_later_turn),
		TEST(localhost_is_found),
		TEST(a_name_that_is_none_is_a_temporary_fault),
		TEST(a_cancelled_question_has_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
