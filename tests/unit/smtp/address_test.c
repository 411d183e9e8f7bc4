/* SPDX-License-Identifier: MIT */
#include "smtp/address.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A64 A63 "a"
#define A54 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct address_case {
	const char *text;
	enum smtp_address_flaw want;
	const char *mailbox, *local, *domain;
	bool is_quoted, is_literal;
} address_cases[] = {
	{ "a@b", SMTP_ADDRESS_VALID, "a@b", "a", "b" },
	{ "first.last+tag@mail.example.org", SMTP_ADDRESS_VALID, "first.last+tag@mail.example.org",
	    "first.last+tag", "mail.example.org" },
	{ "postmaster", SMTP_ADDRESS_VALID, "postmaster", "postmaster", "" },
	{ "!#$%&'*+-/=?^_`{|}~@b", SMTP_ADDRESS_VALID, "!#$%&'*+-/=?^_`{|}~@b",
	    "!#$%&'*+-/=?^_`{|}~", "b" },
	{ "user%other@b", SMTP_ADDRESS_VALID, "user%other@b", "user%other", "b" },
	{ "\"a@b\"@c", SMTP_ADDRESS_VALID, "\"a@b\"@c", "\"a@b\"", "c", .is_quoted = true },
	{ "\"a\\\"b\\\\\"@c", SMTP_ADDRESS_VALID, "\"a\\\"b\\\\\"@c", "\"a\\\"b\\\\\"", "c",
	    .is_quoted = true },
	{ "\"a b\"", SMTP_ADDRESS_VALID, "\"a b\"", "\"a b\"", "", .is_quoted = true },
	{ "a@[192.0.2.255]", SMTP_ADDRESS_VALID, "a@[192.0.2.255]", "a", "[192.0.2.255]",
	    .is_literal = true },
	{ "a@[IPv6:2001:db8::1]", SMTP_ADDRESS_VALID, "a@[IPv6:2001:db8::1]", "a",
	    "[IPv6:2001:db8::1]", .is_literal = true },
	{ "a@[x400:c=de]", SMTP_ADDRESS_VALID, "a@[x400:c=de]", "a", "[x400:c=de]",
	    .is_literal = true },
	{ "@x.example:a@b", SMTP_ADDRESS_VALID, "a@b", "a", "b" },
	{ "@x,@y:a@b", SMTP_ADDRESS_VALID, "a@b", "a", "b" },
	{ "a@under_score.example", SMTP_ADDRESS_VALID, "a@under_score.example", "a",
	    "under_score.example" },
	{ A64 "@b", SMTP_ADDRESS_VALID, A64 "@b", A64, "b" },
	{ "", SMTP_ADDRESS_EMPTY },
	{ A64 "a@b", SMTP_ADDRESS_LOCAL_TOO_LONG },
	{ "a@" A63 "." A63 "." A63 "." A63 ".b", SMTP_ADDRESS_DOMAIN_TOO_LONG },
	{ "abcdefg@" A63 "." A63 "." A63 "." A54, SMTP_ADDRESS_VALID, NULL },
	{ "abcdefgh@" A63 "." A63 "." A63 "." A54, SMTP_ADDRESS_TOO_LONG },
	{ "a@" A64, SMTP_ADDRESS_BAD_DOMAIN },
	{ ".a@b", SMTP_ADDRESS_BAD_LOCAL },
	{ "a.@b", SMTP_ADDRESS_BAD_LOCAL },
	{ "a..b@c", SMTP_ADDRESS_BAD_LOCAL },
	{ "a b@c", SMTP_ADDRESS_BAD_LOCAL },
	{ "<a@b", SMTP_ADDRESS_BAD_LOCAL },
	{ "a,b@c", SMTP_ADDRESS_BAD_LOCAL },
	{ "\"a@c", SMTP_ADDRESS_BAD_LOCAL },
	{ "\"a\\\"@c", SMTP_ADDRESS_BAD_LOCAL },
	{ "\"a\"b@c", SMTP_ADDRESS_BAD_LOCAL },
	{ "a\"b\"@c", SMTP_ADDRESS_BAD_LOCAL },
	{ "a@", SMTP_ADDRESS_BAD_DOMAIN },
	{ "a@b.", SMTP_ADDRESS_BAD_DOMAIN },
	{ "a@.b", SMTP_ADDRESS_BAD_DOMAIN },
	{ "a@b..c", SMTP_ADDRESS_BAD_DOMAIN },
	{ "a@-b", SMTP_ADDRESS_BAD_DOMAIN },
	{ "a@b-", SMTP_ADDRESS_BAD_DOMAIN },
	{ "a@b c", SMTP_ADDRESS_BAD_DOMAIN },
	{ "a@b@c", SMTP_ADDRESS_BAD_DOMAIN },
	{ "a@[192.0.2.256]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[192.0.2]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[192.0.2.1", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[192.0.2.1]x", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[IPv6:zz]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[IPv6:1:2:3:4:5:6:7:8:9:a]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[IPv6:1:2:3:4:5:6:7:8]", SMTP_ADDRESS_VALID, NULL },
	{ "a@[IPv6:::]", SMTP_ADDRESS_VALID, NULL },
	{ "a@[IPv6:1::]", SMTP_ADDRESS_VALID, NULL },
	{ "a@[IPv6:::ffff:192.0.2.1]", SMTP_ADDRESS_VALID, NULL },
	{ "a@[IPv6:1:2:3:4:5:6:192.0.2.1]", SMTP_ADDRESS_VALID, NULL },
	{ "a@[IPv6:1:2:3:4:5:6:7]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[IPv6:1:2:3:4:5:6:7::]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[IPv6:1::2::3]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[IPv6::::]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[IPv6::1]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[IPv6:1:]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[IPv6:12345::]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[IPv6:192.0.2.1::]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[IPv6:]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[::1]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[tag:]", SMTP_ADDRESS_BAD_LITERAL },
	{ "a@[tag:x]y]", SMTP_ADDRESS_BAD_LITERAL },
	{ "@b", SMTP_ADDRESS_BAD_ROUTE },
	{ "@:a@b", SMTP_ADDRESS_BAD_ROUTE },
	{ "@x,y:a@b", SMTP_ADDRESS_BAD_ROUTE },
	{ "m\xc3\xbcller@b", SMTP_ADDRESS_EIGHT_BIT },
	{ "a@b\x01", SMTP_ADDRESS_BAD_BYTE },
	{ "\"a\tb\"@c", SMTP_ADDRESS_BAD_BYTE },
	{ "\xc3\xbc\x7f@b", SMTP_ADDRESS_BAD_BYTE },
};

static struct span exact_copy(struct span s)
{
	char *copy = malloc(s.len ? s.len : 1);

	memcpy(copy, s.data, s.len);
	return span_of(copy, s.len);
}

static void assert_text(struct span got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.data, want, got.len);
}

static void addresses_follow_the_grammar(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(address_cases); i++) {
		const struct address_case *c = &address_cases[i];
		struct span copy = exact_copy(span_from_string(c->text));
		struct smtp_address address = { .mailbox = SPAN("untouched") };

		print_message("%s\n", c->text);
		assert_int_equal(smtp_address_parse(copy, &address), c->want);
		if (c->want != SMTP_ADDRESS_VALID) {
			assert_text(address.mailbox, "untouched");
		} else if (c->mailbox) {
			assert_text(address.mailbox, c->mailbox);
			assert_text(address.local, c->local);
			assert_text(address.domain, c->domain);
			assert_int_equal(address.is_quoted, c->is_quoted);
			assert_int_equal(address.is_literal, c->is_literal);
			assert_false(address.is_null);
		}
		free((void *)copy.data);
	}
}

static const struct utf8_case {
	const char *text;
	enum smtp_address_flaw want;
	bool is_eight_bit;
} utf8_cases[] = {
	{ "a@b", SMTP_ADDRESS_VALID, false },
	{ "m\xc3\xbcller@b", SMTP_ADDRESS_VALID, true },
	{ "a@gr\xc3\xbcn.example", SMTP_ADDRESS_VALID, true },
	{ "\"\xc3\xa4 b\"@gr\xc3\xbcn.example", SMTP_ADDRESS_VALID, true },
	{ "@gr\xc3\xbcn.example:a@b", SMTP_ADDRESS_VALID, true },
	{ "m\xfcller@b", SMTP_ADDRESS_BAD_BYTE, false },
	{ "a\xc2\x85@b", SMTP_ADDRESS_BAD_BYTE, false },
	{ "a@\xe2\x84\x80.example", SMTP_ADDRESS_BAD_DOMAIN, false },
	{ "a@gr\xc3\xbcn..example", SMTP_ADDRESS_BAD_DOMAIN, false },
	{ "a@[\xc3\xbc:x]", SMTP_ADDRESS_BAD_LITERAL, false },
	{ "\xc3\xa4..b@c", SMTP_ADDRESS_BAD_LOCAL, false },
};

static void letters_of_any_script_may_stand_in_addresses(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(utf8_cases); i++) {
		struct span whole = span_from_string(utf8_cases[i].text);
		struct smtp_address address = { 0 };

		print_message("%s\n", utf8_cases[i].text);
		for (size_t len = 0; len <= whole.len; len++) {
			struct span copy = exact_copy(span_head(whole, len));
			enum smtp_address_flaw flaw = smtp_address_parse_utf8(copy, &address);

			if (len == whole.len)
				assert_int_equal(flaw, utf8_cases[i].want);
			free((void *)copy.data);
		}
		if (utf8_cases[i].want == SMTP_ADDRESS_VALID)
			assert_int_equal(address.is_eight_bit, utf8_cases[i].is_eight_bit);
	}
}

/* Nothing is read behind the end, and what is valid stays within the text. */
static void every_prefix_of_an_address_is_judged(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(address_cases); i++) {
		struct span whole = span_from_string(address_cases[i].text);

		for (size_t len = 0; len <= whole.len; len++) {
			struct span copy = exact_copy(span_head(whole, len));
			struct smtp_address address;

			if (smtp_address_parse(copy, &address) == SMTP_ADDRESS_VALID) {
				assert_true(address.mailbox.data >= copy.data);
				assert_ptr_equal(address.mailbox.data + address.mailbox.len,
				    copy.data + copy.len);
			}
			free((void *)copy.data);
		}
	}
}

static void a_nul_is_a_bad_byte(void **state)
{
	struct smtp_address address;

	assert_int_equal(smtp_address_parse(SPAN("a\0@b"), &address), SMTP_ADDRESS_BAD_BYTE);
}

static const struct extent_case {
	const char *text, *stops;
	size_t want;
} extent_cases[] = {
	{ "a@b> SIZE=1", ">", 3 },
	{ "\">\"@b>", ">", 5 },
	{ "\"\\\">\"@b>", ">", 7 },
	{ "a@[>]>", ">", 5 },
	{ "a@b", ">", 3 },
	{ "\"a b\"@c d", " \t", 7 },
	{ "a\tb", " \t", 1 },
	{ "\"a\\", ">", 3 },
	{ "", ">", 0 },
};

static void quotes_and_literals_hide_what_would_end_an_address(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(extent_cases); i++) {
		const struct extent_case *c = &extent_cases[i];

		print_message("%s\n", c->text);
		assert_int_equal(
		    smtp_address_extent(span_from_string(c->text), span_from_string(c->stops)),
		    c->want);
	}
}

static void the_local_part_is_had_without_its_quotes(void **state)
{
	struct smtp_address address;
	struct buf b;

	buf_init(&b, 6);
	assert_int_equal(
	    smtp_address_parse(SPAN("\"a \\\"b\\\\\"@c"), &address), SMTP_ADDRESS_VALID);
	assert_true(smtp_address_append_local(&b, &address));
	assert_text(buf_span(&b), "a \"b\\");
	assert_false(smtp_address_append_local(&b, &address));
	assert_int_equal(b.len, 5);
	buf_clear(&b);
	assert_int_equal(smtp_address_parse(SPAN("a.b@c"), &address), SMTP_ADDRESS_VALID);
	assert_true(smtp_address_append_local(&b, &address));
	assert_text(buf_span(&b), "a.b");
	buf_fini(&b);
}

static void every_flaw_has_a_text(void **state)
{
	for (int flaw = SMTP_ADDRESS_VALID; flaw <= SMTP_ADDRESS_TOO_LONG; flaw++)
		assert_true(strlen(smtp_address_flaw_text(flaw)) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_follow_the_grammar),
		cmocka_unit_test(letters_of_any_script_may_stand_in_addresses),
		cmocka_unit_test(every_prefix_of_an_address_is_judged),
		cmocka_unit_test(a_nul_is_a_bad_byte),
		cmocka_unit_test(quotes_and_literals_hide_what_would_end_an_address),
		cmocka_unit_test(the_local_part_is_had_without_its_quotes),
		cmocka_unit_test(every_flaw_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
