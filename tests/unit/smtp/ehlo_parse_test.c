/* SPDX-License-Identifier: MIT */
#include "smtp/ehlo_parse.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static const struct ehlo_case {
	const char *name, *lines, *formatted, *mechanisms, *host, *marks;
} ehlo_cases[] = {
	{ "all that is known, in any order and case",
	    "250-mx.example.org at your service\n250-auth plain LOGIN\n250-DSN\n250-starttls\n"
	    "250-Size 157286400\n250-8BITMIME\n250-ENHANCEDSTATUSCODES\n250-CHUNKING\n"
	    "250-SMTPUTF8\n250 PIPELINING\n",
	    "PIPELINING SIZE=157286400 8BITMIME SMTPUTF8 CHUNKING ENHANCEDSTATUSCODES DSN STARTTLS",
	    "PLAIN LOGIN", "mx.example.org", "auth" },
	{ "the reverse order", "250-h\n250-STARTTLS\n250-SIZE 0\n250-PIPELINING\n250 AUTH LOGIN\n",
	    "PIPELINING SIZE STARTTLS", "LOGIN", "h", "auth" },
	{ "nothing but a name", "250 OK\n", "", "", "OK", "" },
	{ "nothing at all", "", "", "", "", "" },
	{ "SIZE without a figure", "250-h\n250 SIZE\n", "SIZE", "", "h", "" },
	{ "SIZE with nonsense", "250-h\n250 SIZE 10MB\n", "SIZE", "", "h", "" },
	{ "SIZE beyond 64 bits", "250-h\n250 SIZE 99999999999999999999\n", "SIZE", "", "h", "" },
	{ "the old AUTH= alone", "250-h\n250-SIZE 20000000\n250-AUTH=LOGIN PLAIN\n250 HELP\n",
	    "SIZE=20000000", "LOGIN PLAIN", "h", "auth equals equals-only" },
	{ "AUTH= beside AUTH", "250-h\n250-AUTH GSSAPI NTLM LOGIN\n250-AUTH=LOGIN\n250 OK\n", "",
	    "GSSAPI NTLM LOGIN", "h", "auth equals" },
	{ "AUTH without mechanisms", "250-h\n250 AUTH\n", "", "", "h", "auth" },
	{ "names that RFC 4422 does not allow",
	    "250-h\n250 AUTH SCRAM-SHA-256 A_B *LOGIN ABCDEFGHIJKLMNOPQRSTU PLAIN\n", "",
	    "SCRAM-SHA-256 A_B PLAIN", "h", "auth dropped" },
	{ "a mechanism named twice", "250-h\n250 AUTH PLAIN plain PLAIN\n", "", "PLAIN", "h",
	    "auth" },
	{ "an extension in the first line",
	    "250-SIZE 20000000\n250-relay.example.org\n250-STARTTLS\n250 HELP\n", "STARTTLS", "",
	    "SIZE", "first-line" },
	{ "AUTH= in the first line", "250-AUTH=LOGIN\n250 HELP\n", "", "", "AUTH=LOGIN",
	    "first-line" },
	{ "lines overwritten by a middlebox",
	    "250-mx1.example.com\n250-8BITMIME\n250-SIZE 14680064\n250 XXXXXXXA\n",
	    "SIZE=14680064 8BITMIME", "", "mx1.example.com", "masked" },
	{ "overwritten in full", "250-h\n250 XXXX\n", "", "", "h", "masked" },
	{ "X alone is an experiment, not a mask",
	    "250-h\n250-X\n250-XRDST\n250-X-EXPS LOGIN\n250 XXX\n", "", "", "h", "" },
	{ "keywords that only begin alike", "250-h\n250-SIZES\n250-STARTTLSX\n250 AUTHS PLAIN\n",
	    "", "", "h", "" },
	{ "blanks and tabs around", "250-h\n250-  SIZE\t 10 \n250 \tPIPELINING\t\n",
	    "PIPELINING SIZE=10", "", "h", "" },
	{ "limits and REQUIRETLS",
	    "250-h\n250-LIMITS RCPTMAX=100 mailmax=5 RCPTDOMAINMAX=2\n250 REQUIRETLS\n",
	    "LIMITS REQUIRETLS", "", "h", "rcpt=100 mail=5 domains=2" },
	{ "limits that are none",
	    "250-h\n250 LIMITS RCPTMAX=many MAILMAX RCPTDOMAINMAX=99999999999 X=1 =2\n", "LIMITS",
	    "", "h", "" },
	{ "a name that is not printable", "250 \x1b[2J\n", "", "", "\\x1b[2J", "" },
};

static void append_mark(struct buf *b, bool set, const char *mark)
{
	if (set)
		buf_printf(b, "%s%s", b->len ? " " : "", mark);
}

static void append_limit(struct buf *b, const char *name, unsigned limit)
{
	append_mark(b, limit != 0, name);
	if (limit != 0)
		buf_printf(b, "=%u", limit);
}

static void check(const struct ehlo_case *c)
{
	struct smtp_extensions e;
	struct buf text;

	buf_init(&text, 4096);
	smtp_ehlo_parse(span_from_string(c->lines), &e);
	assert_true(e.esmtp);
	assert_true(smtp_extensions_format(&e, &text));
	assert_string_equal(buf_string(&text), c->formatted);
	buf_clear(&text);
	for (size_t i = 0; i < e.mechanism_count; i++)
		append_mark(&text, true, e.mechanisms[i]);
	assert_string_equal(buf_string(&text), c->mechanisms);
	assert_string_equal(e.host, c->host);
	buf_clear(&text);
	append_mark(&text, e.auth, "auth");
	append_mark(&text, e.auth_equals, "equals");
	append_mark(&text, e.auth_equals_only, "equals-only");
	append_mark(&text, e.masked, "masked");
	append_mark(&text, e.extension_in_first_line, "first-line");
	append_mark(&text, e.mechanisms_dropped, "dropped");
	append_limit(&text, "rcpt", e.recipients_max);
	append_limit(&text, "mail", e.messages_max);
	append_limit(&text, "domains", e.domains_max);
	assert_string_equal(buf_string(&text), c->marks);
	buf_fini(&text);
}

static void extensions_are_read_in_any_order_and_form(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(ehlo_cases); i++) {
		print_message("%s\n", ehlo_cases[i].name);
		check(&ehlo_cases[i]);
	}
}

static void no_more_than_32_mechanisms_are_kept(void **state)
{
	struct smtp_extensions e;
	struct buf lines;

	buf_init(&lines, 4096);
	buf_append_string(&lines, "250-h\n250 AUTH");
	for (int i = 0; i < 40; i++)
		buf_printf(&lines, " M%d", i);
	buf_append_string(&lines, "\n");
	smtp_ehlo_parse(buf_span(&lines), &e);
	assert_int_equal(e.mechanism_count, SMTP_MECHANISMS_MAX);
	assert_true(e.mechanisms_dropped);
	assert_true(smtp_extensions_offer_mechanism(&e, SPAN("m31")));
	assert_false(smtp_extensions_offer_mechanism(&e, SPAN("M32")));
	buf_fini(&lines);
}

static void every_prefix_is_read_without_harm(void **state)
{
	struct span all = span_from_string(ehlo_cases[0].lines);

	for (size_t n = 0; n <= all.len; n++) {
		char *copy = mem_dup(all.data, n);
		struct smtp_extensions e;

		smtp_ehlo_parse(span_of(copy, n), &e);
		assert_true(e.mechanism_count <= 2);
		mem_free(copy);
	}
}

static void a_list_that_does_not_fit_leaves_nothing_behind(void **state)
{
	struct smtp_extensions e = { .pipelining = true, .dsn = true };
	struct buf text;

	buf_init(&text, 12);
	assert_false(smtp_extensions_format(&e, &text));
	assert_int_equal(text.len, 0);
	buf_fini(&text);
}

static void stars_in_a_greeting_are_a_middlebox(void **state)
{
	assert_true(smtp_greeting_is_masked(SPAN("****************************************")));
	assert_true(smtp_greeting_is_masked(SPAN("************02******")));
	assert_false(smtp_greeting_is_masked(SPAN("mx.example.org *** no spam *** ESMTP")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extensions_are_read_in_any_order_and_form),
		cmocka_unit_test(no_more_than_32_mechanisms_are_kept),
		cmocka_unit_test(every_prefix_is_read_without_harm),
		cmocka_unit_test(a_list_that_does_not_fit_leaves_nothing_behind),
		cmocka_unit_test(stars_in_a_greeting_are_a_middlebox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
