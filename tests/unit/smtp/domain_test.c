/* SPDX-License-Identifier: MIT */
#include "smtp/domain.h"

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

static const struct utf8_case {
	const char *name, *text;
	bool want;
} utf8_cases[] = {
	{ "nothing", "", true },
	{ "ASCII", "abc ~", true },
	{ "two octets", "\xc3\xa4", true },
	{ "three", "\xe2\x82\xac", true },
	{ "four", "\xf0\x9f\x93\xa7", true },
	{ "the last of all", "\xf4\x8f\xbf\xbf", true },
	{ "one beyond", "\xf4\x90\x80\x80", false },
	{ "far beyond", "\xf8\x88\x80\x80\x80", false },
	{ "Latin-1", "\xe4", false },
	{ "a continuation alone", "\x80", false },
	{ "cut", "a\xe2\x82", false },
	{ "a slash in two octets", "\xc0\xaf", false },
	{ "a slash in three", "\xe0\x80\xaf", false },
	{ "a surrogate", "\xed\xa0\x80", false },
	{ "a C1 control", "\xc2\x85", false },
	{ "a C0 control", "a\r", false },
	{ "DEL", "\x7f", false },
};

static void utf8_is_well_formed(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(utf8_cases); i++) {
		struct span copy = exact_copy(span_from_string(utf8_cases[i].text));

		if (smtp_text_is_utf8(copy) != utf8_cases[i].want)
			fail_msg("%s", utf8_cases[i].name);
		free((void *)copy.data);
	}
}

static const struct domain_case {
	const char *domain, *want; /* NULL: there is no such form */
} domain_cases[] = {
	{ "example.org", "example.org" },
	{ "a_b.example", "a_b.example" },
	{ "[192.0.2.1]", "[192.0.2.1]" },
	{ "gr\xc3\xbc\xc3\x9f"
	  "e.example",
	    "xn--gre-6ka8l.example" },
	{ "GR\xc3\x9c\xc3\x9f"
	  "E.example",
	    "xn--gre-6ka8l.example" },
	{ "\xe4\xbe\x8b.example", "xn--fsq.example" },
	/* An underscore beside other letters is not dropped. */
	{ "a_b.gr\xc3\xbcn.example", "a_b.xn--grn-ioa.example" },
	/* An ideographic full stop would make two labels of one. */
	{ "gr\xc3\xbcn\xe3\x80\x82"
	  "example",
	    NULL },
	/* "a/c" in one letter. */
	{ "\xe2\x84\x80.example", NULL },
	/* A full-width @. */
	{ "x\xef\xbc\xa0y.example", NULL },
	{ "gr\xc3\xbcn..example", NULL },
	{ "gr\xc3\xbcn.example.", NULL },
	{ ".gr\xc3\xbcn", NULL },
	{ "gr\xc3\xbcn.ex\xff", NULL },
	{ "gr\xc3\xbcn b.example", NULL },
	{ "[tag:\xc3\xbc]", NULL },
};

static void domains_have_a_form_in_ascii(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(domain_cases); i++) {
		struct span whole = span_from_string(domain_cases[i].domain);
		struct buf b;
		bool good;

		buf_init(&b, 1000);
		print_message("%s\n", domain_cases[i].domain);
		good = smtp_domain_append_ascii(&b, whole);
		assert_int_equal(good, domain_cases[i].want != NULL);
		assert_string_equal(buf_string(&b), good ? domain_cases[i].want : "");
		for (size_t len = 0; len < whole.len; len++) {
			struct span copy = exact_copy(span_head(whole, len));

			buf_clear(&b);
			smtp_domain_append_ascii(&b, copy);
			free((void *)copy.data);
		}
		buf_fini(&b);
	}
}

static const struct mailbox_case {
	const char *mailbox, *comparable, *ascii; /* NULL: none */
} mailbox_cases[] = {
	{ "", "", "" },
	{ "a@b", "a@b", "a@b" },
	{ "a@gr\xc3\xbcn.example", "a@xn--grn-ioa.example", "a@xn--grn-ioa.example" },
	{ "\xc3\xa4@gr\xc3\xbcn.example", "\xc3\xa4@xn--grn-ioa.example", NULL },
	{ "\"x@gr\xc3\xbcn\"@b", "\"x@gr\xc3\xbcn\"@b", NULL },
	{ "postmaster", "postmaster", "postmaster" },
	{ "\xc3\xa4", "\xc3\xa4", NULL },
	{ "a@gr\xc3\xbcn..x", "a@gr\xc3\xbcn..x", NULL },
};

static void only_the_domain_of_an_address_changes(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(mailbox_cases); i++) {
		const struct mailbox_case *c = &mailbox_cases[i];
		struct buf b;

		buf_init(&b, 1000);
		assert_true(smtp_mailbox_append_comparable(&b, span_from_string(c->mailbox)));
		assert_string_equal(buf_string(&b), c->comparable);
		buf_clear(&b);
		assert_int_equal(
		    smtp_mailbox_append_ascii(&b, span_from_string(c->mailbox)), c->ascii != NULL);
		assert_string_equal(buf_string(&b), c->ascii ? c->ascii : "");
		buf_fini(&b);
	}
}

static void a_ceiling_changes_nothing(void **state)
{
	struct buf b;

	buf_init(&b, 10);
	buf_append_string(&b, "x");
	assert_false(smtp_mailbox_append_ascii(&b, SPAN("a@gr\xc3\xbcn.example")));
	assert_false(smtp_mailbox_append_comparable(&b, SPAN("a@gr\xc3\xbcn.example")));
	assert_string_equal(buf_string(&b), "x");
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_well_formed),
		cmocka_unit_test(domains_have_a_form_in_ascii),
		cmocka_unit_test(only_the_domain_of_an_address_changes),
		cmocka_unit_test(a_ceiling_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
