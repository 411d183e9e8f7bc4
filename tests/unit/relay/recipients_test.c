/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "relay/recipients.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct recipients *read_text(const char *text, struct fault *fault)
{
	struct directory directory;
	struct recipients *recipients;

	directory_make(&directory);
	recipients = recipients_read(directory_write(&directory, "recipients", text), fault);
	directory_remove(&directory);
	return recipients;
}

static bool contains(const struct recipients *recipients, const char *local, const char *domain)
{
	char mailbox[600];

	snprintf(mailbox, sizeof(mailbox), "%s@%s", local, domain);
	return recipients_contain(recipients, span_from_string(local), span_from_string(mailbox));
}

static void test_local_parts_count_everywhere_and_addresses_there_only(void **state)
{
	struct fault fault;
	struct recipients *r = read_text("# who is here\nann\n  Bob@Example.ORG # the boss\n\n"
					 "\tcarl\t\r\nlast",
	    &fault);

	assert_non_null(r);
	assert_true(contains(r, "ann", "example.org"));
	assert_true(contains(r, "ANN", "example.net"));
	assert_true(contains(r, "bob", "example.org"));
	assert_true(contains(r, "BOB", "EXAMPLE.org"));
	assert_false(contains(r, "bob", "example.net"));
	assert_true(contains(r, "carl", "example.org"));
	assert_true(contains(r, "last", "example.org"));
	assert_false(contains(r, "who", "example.org"));
	assert_false(contains(r, "an", "example.org"));
	assert_false(contains(r, "", "example.org"));
	recipients_destroy(&r);
	assert_null(r);
	recipients_destroy(&r);
}

static void test_an_empty_file_has_nobody(void **state)
{
	struct fault fault;
	struct recipients *r = read_text("", &fault);

	assert_non_null(r);
	assert_false(contains(r, "ann", "example.org"));
	recipients_destroy(&r);
}

static void test_a_wrong_line_is_named(void **state)
{
	struct fault fault = { 0 };

	assert_null(read_text("ann\nbob carl\n", &fault));
	assert_int_equal(fault.kind, FAULT_LOCAL);
	assert_non_null(strstr(fault.text, "recipients:2: "));
}

static void test_a_name_that_is_too_long_is_refused_and_never_asked_for(void **state)
{
	struct fault fault = { 0 };
	char name[400];
	struct recipients *r;

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_null(read_text(name, &fault));
	r = read_text("a\n", &fault);
	assert_false(contains(r, name, "example.org"));
	recipients_destroy(&r);
}

static void test_a_missing_file_is_named(void **state)
{
	struct fault fault = { 0 };

	assert_null(recipients_read("/nowhere/recipients", &fault));
	assert_int_equal(fault.kind, FAULT_LOCAL);
	assert_non_null(strstr(fault.text, "/nowhere/recipients"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_local_parts_count_everywhere_and_addresses_there_only),
		cmocka_unit_test(test_an_empty_file_has_nobody),
		cmocka_unit_test(test_a_wrong_line_is_named),
		cmocka_unit_test(test_a_name_that_is_too_long_is_refused_and_never_asked_for),
		cmocka_unit_test(test_a_missing_file_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
