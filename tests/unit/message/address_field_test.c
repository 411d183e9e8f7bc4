/* SPDX-License-Identifier: MIT */
#include "message/address_field.h"
#include "base/buf.h"
#include "base/memory.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* What a value is made of, in one line: "M text|address|local|domain", "N text", "-", "G text",
   ";", and "?" where it cannot be read. */
static void describe(struct span value, struct buf *out)
{
	static const char letters[] = "MN-G;";
	struct message_address_list list = { .rest = value };
	struct message_address a;
	enum message_address_result result;

	buf_clear(out);
	while ((result = message_address_next(&list, &a)) == MESSAGE_ADDRESS_FOUND) {
		buf_printf(out, "%s%c", out->len ? " / " : "", letters[a.kind]);
		if (a.kind == MESSAGE_ADDRESS_MAILBOX)
			buf_printf(out, " %.*s|%.*s|%.*s|%.*s", SPAN_ARG(a.text),
			    SPAN_ARG(a.address), SPAN_ARG(a.local), SPAN_ARG(a.domain));
		else if (a.kind == MESSAGE_ADDRESS_NAME || a.kind == MESSAGE_ADDRESS_GROUP)
			buf_printf(out, " %.*s", SPAN_ARG(a.text));
	}
	if (result == MESSAGE_ADDRESS_UNREADABLE)
		buf_printf(out, "%s?", out->len ? " / " : "");
}

static const struct address_case {
	const char *name, *value, *want;
} cases[] = {
	{ "an address alone", " a@example.org", "M a@example.org|a@example.org|a|example.org" },
	{ "an address with its name", "Ann <a@example.org>",
	    "M Ann <a@example.org>|a@example.org|a|example.org" },
	{ "a name in quotes, with a comma and brackets", "\"Bo, <x>\" <b@example.org>",
	    "M \"Bo, <x>\" <b@example.org>|b@example.org|b|example.org" },
	{ "an encoded name", "=?utf-8?q?=C3=84?= <a@example.org>",
	    "M =?utf-8?q?=C3=84?= <a@example.org>|a@example.org|a|example.org" },
	{ "a bare name", "root", "M root|root|root|" },
	{ "a bare name with a comment behind it", "root (Cron Daemon)",
	    "M root (Cron Daemon)|root|root|" },
	{ "a bare name in brackets", "Root <root>", "M Root <root>|root|root|" },
	{ "words without an address", " Cron Daemon ", "N Cron Daemon" },
	{ "one word in quotes is a name", "\"root\"", "N \"root\"" },
	{ "one encoded word is a name", "=?utf-8?q?root?=", "N =?utf-8?q?root?=" },
	{ "one word that is not ASCII is a name", "M\xc3\xbcller", "N M\xc3\xbcller" },
	{ "empty brackets leave the name", "Cron Daemon <>", "N Cron Daemon" },
	{ "empty brackets alone are nothing", "<>", "-" },
	{ "a name with a dot", "J. R. Doe <j@example.org>",
	    "M J. R. Doe <j@example.org>|j@example.org|j|example.org" },
	{ "an address as the name", "a@example.org <a@example.org>",
	    "M a@example.org <a@example.org>|a@example.org|a|example.org" },
	{ "brackets in the name", "[Shop] Anna <a@example.org>",
	    "M [Shop] Anna <a@example.org>|a@example.org|a|example.org" },
	{ "two addresses", "a@example.org,b@example.org",
	    "M a@example.org|a@example.org|a|example.org / "
	    "M b@example.org|b@example.org|b|example.org" },
	{ "nothing between commas", "a@example.org,, b@example.org,",
	    "M a@example.org|a@example.org|a|example.org / - / "
	    "M b@example.org|b@example.org|b|example.org" },
	{ "folds between them", " a@example.org,\r\n\tb@example.org",
	    "M a@example.org|a@example.org|a|example.org / "
	    "M b@example.org|b@example.org|b|example.org" },
	{ "comments around and in them", "(x) Ann (y) <(z)a@example.org(\\))> (((deep)))",
	    "M (x) Ann (y) <(z)a@example.org(\\))> (((deep)))|a@example.org|a|example.org" },
	{ "a quoted local part", "\"a b\"@example.org",
	    "M \"a b\"@example.org|\"a b\"@example.org|\"a b\"|example.org" },
	{ "an address literal", "a@[192.0.2.1]", "M a@[192.0.2.1]|a@[192.0.2.1]|a|[192.0.2.1]" },
	{ "a source route", "<@one.example,@two.example:a@example.org>",
	    "M <@one.example,@two.example:a@example.org>|"
	    "@one.example,@two.example:a@example.org|a|example.org" },
	{ "a group", "Friends: a@example.org, b;",
	    "G Friends: / M a@example.org|a@example.org|a|example.org / M b|b|b| / ;" },
	{ "an empty group", "undisclosed-recipients:;", "G undisclosed-recipients: / ;" },
	{ "a group among others", "a, Us: b;, c", "M a|a|a| / G Us: / M b|b|b| / ; / M c|c|c|" },
	{ "an empty value", "", "" },
	{ "blanks alone", " \t", "" },
	{ "a comment alone", "(nobody)", "-" },

	{ "an unfinished address", "a@", "?" },
	{ "an address without a local part", "@example.org", "?" },
	{ "words behind an address", "a@example.org Ann", "?" },
	{ "words behind brackets", "<a@example.org> Ann", "?" },
	{ "two addresses without a comma", "<a@example.org> <b@example.org>", "?" },
	{ "an open bracket", "Ann <a@example.org", "?" },
	{ "an open quoted string", "\"Ann <a@example.org>", "?" },
	{ "an open comment", "a@example.org (x", "?" },
	{ "comments nested beyond all measure", "((((((((((((((((((((((x))))))))))))))))))))))",
	    "?" },
	{ "a group that does not end", "Us: a, b", "G Us: / M a|a|a| / ?" },
	{ "a group in a group", "Us: They: a;;", "G Us: / ?" },
	{ "an end without a group", "a;", "?" },
	{ "a bare line feed", "a@example.org,\nb",
	    "M a@example.org|a@example.org|a|example.org / ?" },
	{ "a bare carriage return in quotes", "\"a\rb\" <a@example.org>", "?" },
	{ "a control byte", "a\x01@example.org", "?" },
	{ "quotes in a domain", "a@\"example\".org", "?" },
	{ "an at sign after a comment", "a(x)@example.org", "?" },
};

static void each_value_is_read_as_it_is_meant(void **state)
{
	struct buf got;

	(void)state;
	buf_init(&got, 4096);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		describe(span_from_string(cases[i].value), &got);
		if (strcmp(buf_string(&got), cases[i].want) != 0)
			fail_msg("%s:\n got  %s\n want %s", cases[i].name, buf_string(&got),
			    cases[i].want);
	}
	buf_fini(&got);
}

static void a_nul_is_never_read(void **state)
{
	struct message_address_list list = { .rest = SPAN("a\0b@example.org") };
	struct message_address a;

	(void)state;
	assert_int_equal(message_address_next(&list, &a), MESSAGE_ADDRESS_UNREADABLE);
}

static bool lies_in(struct span inner, struct span outer)
{
	return inner.len == 0 ||
	       (inner.data >= outer.data && inner.data + inner.len <= outer.data + outer.len);
}

/* On the heap, so that a byte too far is seen. */
static void every_prefix_comes_to_an_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t len = 0; len <= strlen(cases[i].value); len++) {
			char *copy = mem_alloc(len + 1);
			struct span value = span_of(copy, len);
			struct message_address_list list = { .rest = value };
			struct message_address a;

			memcpy(copy, cases[i].value, len);
			copy = mem_realloc(copy, len ? len : 1);
			value = list.rest = span_of(copy, len);
			while (message_address_next(&list, &a) == MESSAGE_ADDRESS_FOUND) {
				assert_true(lies_in(a.text, value));
				assert_true(lies_in(a.address, a.text));
				assert_true(lies_in(a.local, a.address));
				assert_true(lies_in(a.domain, a.address));
			}
			mem_free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_value_is_read_as_it_is_meant),
		cmocka_unit_test(a_nul_is_never_read),
		cmocka_unit_test(every_prefix_comes_to_an_end),
	};

	return cmocka_run_group_tests_name("message/address_field", tests, NULL, NULL);
}
