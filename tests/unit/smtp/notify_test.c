/* SPDX-License-Identifier: MIT */
#include "smtp/notify.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static struct span exact_copy(struct span s)
{
	char *copy = malloc(s.len ? s.len : 1);

	memcpy(copy, s.data, s.len);
	return span_of(copy, s.len);
}

static void xtext_escapes_are_two_upper_hex_digits(void **state)
{
	assert_true(smtp_xtext_is_valid(SPAN("")));
	assert_true(smtp_xtext_is_valid(SPAN("<>")));
	assert_true(smtp_xtext_is_valid(SPAN("e+3Dmc2@example.org")));
	assert_false(smtp_xtext_is_valid(SPAN("e+3dmc2")));
	assert_false(smtp_xtext_is_valid(SPAN("e+3")));
	assert_false(smtp_xtext_is_valid(SPAN("e+")));
	assert_false(smtp_xtext_is_valid(SPAN("a=b")));
	assert_false(smtp_xtext_is_valid(SPAN("a b")));
	assert_false(smtp_xtext_is_valid(SPAN("\xff")));
}

static void xtext_is_decoded(void **state)
{
	struct buf b;

	buf_init(&b, 12);
	assert_true(smtp_xtext_decode(SPAN("a+2Bb+40c"), &b));
	assert_string_equal(buf_string(&b), "a+b@c");
	assert_false(smtp_xtext_decode(SPAN("0123456789"), &b));
	assert_string_equal(buf_string(&b), "a+b@c");
	buf_clear(&b);
	assert_true(smtp_xtext_decode(SPAN("+2+zz+"), &b));
	assert_string_equal(buf_string(&b), "+2+zz+");
	buf_fini(&b);
}

#define N SMTP_NOTIFY_NEVER
#define S SMTP_NOTIFY_SUCCESS
#define F SMTP_NOTIFY_FAILURE
#define D SMTP_NOTIFY_DELAY

static const struct notify_case {
	const char *value;
	unsigned want; /* 0: refused */
	const char *formatted;
} notify_cases[] = {
	{ "NEVER", N, "NEVER" },
	{ "never", N, "NEVER" },
	{ "SUCCESS", S, "SUCCESS" },
	{ "delay,Success,FAILURE", S | F | D, "SUCCESS,FAILURE,DELAY" },
	{ "FAILURE,DELAY", F | D, "FAILURE,DELAY" },
	{ "", 0, NULL },
	{ ",", 0, NULL },
	{ "NEVER,SUCCESS", 0, NULL },
	{ "SUCCESS,SUCCESS", 0, NULL },
	{ "SUCCESS,", 0, NULL },
	{ ",SUCCESS", 0, NULL },
	{ "SUCCESS,,DELAY", 0, NULL },
	{ "SUCCES", 0, NULL },
	{ "SUCCESS DELAY", 0, NULL },
};

static void notify_is_never_or_a_list(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(notify_cases); i++) {
		const struct notify_case *c = &notify_cases[i];
		struct span whole = span_from_string(c->value);
		char text[SMTP_NOTIFY_TEXT_MAX];
		unsigned got = 77;

		print_message("%s\n", c->value);
		assert_int_equal(smtp_notify_parse(whole, &got), c->want != 0);
		assert_int_equal(got, c->want ? c->want : 77);
		if (c->want)
			assert_string_equal(smtp_notify_format(got, text), c->formatted);
		for (size_t len = 0; len < whole.len; len++) {
			struct span copy = exact_copy(span_head(whole, len));

			smtp_notify_parse(copy, &got);
			free((void *)copy.data);
		}
	}
}

static void ret_is_one_of_two(void **state)
{
	enum smtp_return ret = SMTP_RETURN_UNSAID;

	assert_true(smtp_return_parse(SPAN("hdrs"), &ret));
	assert_int_equal(ret, SMTP_RETURN_HEADERS);
	assert_true(smtp_return_parse(SPAN("FULL"), &ret));
	assert_int_equal(ret, SMTP_RETURN_FULL);
	assert_false(smtp_return_parse(SPAN("FULLY"), &ret));
	assert_false(smtp_return_parse(SPAN(""), &ret));
	assert_int_equal(ret, SMTP_RETURN_FULL);
}

#define X20 "xxxxxxxxxxxxxxxxxxxx"
#define X100 X20 X20 X20 X20 X20

static void envid_stands_for_a_hundred_printable_characters(void **state)
{
	assert_true(smtp_envid_is_valid(SPAN("QQ314159")));
	assert_true(smtp_envid_is_valid(SPAN("a+20b")));
	assert_true(smtp_envid_is_valid(SPAN(X100)));
	assert_true(smtp_envid_is_valid(SPAN("+2B" X20 X20 X20 X20 "xxxxxxxxxxxxxxxxxxx")));
	assert_false(smtp_envid_is_valid(SPAN(X100 "x")));
	assert_false(smtp_envid_is_valid(SPAN("")));
	assert_false(smtp_envid_is_valid(SPAN("a+0D+0Ab")));
	assert_false(smtp_envid_is_valid(SPAN("a+7F")));
	assert_false(smtp_envid_is_valid(SPAN("a+E4")));
	assert_false(smtp_envid_is_valid(SPAN("a b")));
	assert_false(smtp_envid_is_valid(SPAN("\xc3\xa4")));
}

static const struct orcpt_case {
	const char *value;
	bool want, want_utf8;
} orcpt_cases[] = {
	{ "rfc822;Bob@example.net", true, true },
	{ "RFC822;a+2Bb@example.net", true, true },
	{ "x-type;anything", true, true },
	{ "utf-8;a\\x{E4}@example.net", true, true },
	{ "utf-8;\xc3\xa4@example.net", false, true },
	{ "utf-8;\xe4@example.net", false, false },
	{ "rfc822;\xc3\xa4@example.net", false, false },
	{ "rfc822;", false, false },
	{ "utf-8;", false, false },
	{ ";a@b", false, false },
	{ "a@b", false, false },
	{ "rfc 822;a@b", false, false },
	{ "rfc822;a@b+0D+0ABcc:", false, false },
	{ "rfc822;a b", false, false },
	{ "rfc822;a=b", false, false },
	{ "", false, false },
};

static void orcpt_is_a_type_and_an_address(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(orcpt_cases); i++) {
		const struct orcpt_case *c = &orcpt_cases[i];
		struct span whole = span_from_string(c->value);

		print_message("%s\n", c->value);
		assert_int_equal(smtp_orcpt_is_valid(whole, false), c->want);
		assert_int_equal(smtp_orcpt_is_valid(whole, true), c->want_utf8);
		for (size_t len = 0; len < whole.len; len++) {
			struct span copy = exact_copy(span_head(whole, len));

			smtp_orcpt_is_valid(copy, true);
			free((void *)copy.data);
		}
	}
	assert_false(smtp_orcpt_is_valid(SPAN("rfc822;" X100 X100 X100 X100 X100), false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xtext_escapes_are_two_upper_hex_digits),
		cmocka_unit_test(xtext_is_decoded),
		cmocka_unit_test(notify_is_never_or_a_list),
		cmocka_unit_test(ret_is_one_of_two),
		cmocka_unit_test(envid_stands_for_a_hundred_printable_characters),
		cmocka_unit_test(orcpt_is_a_type_and_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
