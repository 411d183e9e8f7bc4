/* SPDX-License-Identifier: MIT */
#include "smtp/xclient.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void attributes_are_told_apart(void **state)
{
	struct smtp_xclient x;
	struct span wrong;

	assert_true(smtp_xclient_parse(
	    SPAN("NAME=a.example addr=IPV6:2001:db8::7 PORT=25 PROTO=esmtp HELO=b LOGIN=c+40d "
		 "DESTADDR=::1 DESTPORT=25"),
	    &x, &wrong));
	assert_true(span_equal(x.address, SPAN("2001:db8::7")));
	assert_true(span_equal(x.port, SPAN("25")));
	assert_true(span_equal(x.protocol, SPAN("esmtp")));
	assert_true(span_equal(x.helo, SPAN("b")));
	assert_true(span_equal(x.login, SPAN("c+40d")));
}

static void what_is_not_said_and_what_is_not_known_differ(void **state)
{
	struct smtp_xclient x;
	struct span wrong;

	assert_true(smtp_xclient_parse(SPAN("ADDR=[UNAVAILABLE] LOGIN=[tempunavail]"), &x, &wrong));
	assert_true(x.address.data && x.address.len == 0);
	assert_true(x.login.data && x.login.len == 0);
	assert_null(x.helo.data);
}

static const char *const wrong_cases[] = { "ADDR", "ADDR=", "=x", "COLOR=red", "PROTO=LMTP",
	"HELO=a+", "HELO=a+zz", "LOGIN=a\x01", "NAME=ok ADDR" };

static void what_cannot_be_understood_is_named(void **state)
{
	struct smtp_xclient x;
	struct span wrong;

	for (size_t i = 0; i < ARRAY_LEN(wrong_cases); i++) {
		if (smtp_xclient_parse(span_from_string(wrong_cases[i]), &x, &wrong))
			fail_msg("%s", wrong_cases[i]);
		assert_true(wrong.len > 0);
	}
	assert_false(smtp_xclient_parse(SPAN(""), &x, &wrong));
	assert_int_equal(wrong.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_are_told_apart),
		cmocka_unit_test(what_is_not_said_and_what_is_not_known_differ),
		cmocka_unit_test(what_cannot_be_understood_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
