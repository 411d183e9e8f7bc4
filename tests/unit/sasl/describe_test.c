/* SPDX-License-Identifier: MIT */
#include "sasl/describe.h"

#include "base/base64.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static const struct describe_case {
	const char *mechanism;
	unsigned step;
	const char *payload, *want;
} describe_cases[] = {
	{ "PLAIN", 0, "AHNjYW4Ac2VjcmV0", "[PLAIN: user \"scan\", password hidden, 12 octets]" },
	{ "plain", 0,
	    "c2NhbgBzY2FuAHNlY3JldA==", "[plain: user \"scan\", password hidden, 16 octets]" },
	{ "PLAIN", 0, "dXNlcjFAZXhhbXBsZS5uZXQAbm90Lm15LnJlYWwucGFzc3dvcmQ=",
	    "[PLAIN: malformed, hidden, 38 octets]" },
	{ "PLAIN", 0, "AHNlY3JldA==", "[PLAIN: malformed, hidden, 7 octets]" },
	{ "PLAIN", 0, "c2VjcmV0", "[PLAIN: malformed, hidden, 6 octets]" },
	{ "PLAIN", 0, "AHMAZQBjcmV0", "[PLAIN: malformed, hidden, 9 octets]" },
	{ "PLAIN", 0, "=", "[PLAIN: empty, 0 octets]" },
	{ "PLAIN", 0, "not base64!", "[PLAIN: not base64, hidden, 11 octets]" },
	{ "PLAIN", 1, "c2VjcmV0", "[PLAIN: hidden, 6 octets]" },
	{ "LOGIN", 0, "c2Nhbg==", "[LOGIN: user \"scan\", 4 octets]" },
	{ "LOGIN", 1, "c2VjcmV0", "[LOGIN: password hidden, 6 octets]" },
	{ "LOGIN", 2, "c2VjcmV0", "[LOGIN: password hidden, 6 octets]" },
	{ "LOGIN", 1, "*", "[LOGIN: cancelled]" },
	{ "LOGIN", 0, "G1sySg==", "[LOGIN: user \"\\x1b[2J\", 4 octets]" },
	{ "XOAUTH2", 0, "c2VjcmV0", "[XOAUTH2: malformed, hidden, 6 octets]" },
};

static void payloads_show_the_user_and_no_secret(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(describe_cases); i++) {
		const struct describe_case *c = &describe_cases[i];
		struct buf out;

		buf_init(&out, 4096);
		assert_true(sasl_describe(
		    span_from_string(c->mechanism), c->step, span_from_string(c->payload), &out));
		assert_string_equal(buf_string(&out), c->want);
		assert_null(strstr(buf_string(&out), "secret"));
		buf_fini(&out);
	}
}

static void what_does_not_fit_leaves_nothing_behind(void **state)
{
	for (size_t max = 0; max < 47; max++) {
		struct buf out;

		buf_init(&out, max);
		assert_false(sasl_describe(SPAN("PLAIN"), 0, SPAN("AHNjYW4Ac2VjcmV0"), &out));
		assert_int_equal(out.len, 0);
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payloads_show_the_user_and_no_secret),
		cmocka_unit_test(what_does_not_fit_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
