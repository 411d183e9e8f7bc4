/* SPDX-License-Identifier: MIT */
#include "smtp/remote_id.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static const struct id_case {
	const char *name, *text, *want; /* NULL: none */
} id_cases[] = {
	{ "Postfix", "2.0.0 Ok: queued as 51D3C0B2F1", "51D3C0B2F1" },
	{ "Postfix, long ids", "2.0.0 Ok: queued as 4Xz1QW3jq0z1Q", "4Xz1QW3jq0z1Q" },
	{ "Postfix behind amavis",
	    "2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 3F2A", "3F2A" },
	{ "Postfix behind a full stop", "Message queued as 3F2A.", "3F2A" },
	{ "Stalwart", "2.0.0 Message queued with id 123abc.", "123abc" },
	{ "qmail", "ok 1113954693 qp 29052", "1113954693 qp 29052" },
	{ "qmail with something behind", "ok 1113954693 qp 29052 by mx", "1113954693 qp 29052" },
	{ "not qmail", "ok 1113954693 pq 29052", NULL },
	{ "Exchange",
	    "2.6.0 <2f1c@server.contoso.com> [InternalId=106, Hostname=x.y] Queued mail for "
	    "delivery",
	    "106" },
	{ "Exchange 2010",
	    "2.6.0 <2f1c@server.contoso.com> [InternalId=106] Queued mail for delivery", "106" },
	{ "Exchange 2003", "2.6.0 <Alan1@Alan.example.org> Queued mail for delivery",
	    "<Alan1@Alan.example.org>" },
	{ "Exchange 2003, joined from two lines",
	    "2.6.0  <Alan1@Alan.example.org> Queued mail for delivery",
	    "<Alan1@Alan.example.org>" },
	{ "Exchange without an id", "2.6.0 Queued mail for delivery", NULL },
	{ "Exchange with its brackets turned", "2.6.0 >x< Queued mail for delivery", NULL },
	{ "Exim", "OK id=1abcDE-0001-2F", "1abcDE-0001-2F" },
	{ "Sendmail", "2.0.0 h12ABC0123 Message accepted for delivery", "h12ABC0123" },
	{ "OpenSMTPD", "2.0.0 1a2b3c4d Message accepted for delivery", "1a2b3c4d" },
	{ "Sendmail without an id", "Message accepted for delivery", NULL },
	{ "Google", "2.0.0 OK  1700000000 b14-20020a170906si123.45 - gsmtp",
	    "b14-20020a170906si123.45" },
	{ "Dovecot LMTP", "2.0.0 <user@example.org> 4R5tKxyzAB Saved", "4R5tKxyzAB" },
	{ "Amazon SES", "Ok 0100018b2f8a4c1e-9d3c2b1a-0000-000000",
	    "0100018b2f8a4c1e-9d3c2b1a-0000-000000" },
	{ "Frank", "2.0.0 0abcdefghjkmn kept", "0abcdefghjkmn" },
	{ "a word of another length is not Frank's", "2.0.0 0abcdefghjkm kept", NULL },
	{ "no form", "2.0.0 Ok", NULL },
	{ "nothing", "", NULL },
	{ "a status alone", "2.0.0", NULL },
	{ "nothing behind the mark", "2.0.0 Ok: queued as ", NULL },
	{ "escapes in an id", "2.0.0 Ok: queued as \x1b[2J", NULL },
	{ "an id beyond 128 octets",
	    "queued as "
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	    NULL },
};

static void the_known_forms_are_found(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(id_cases); i++) {
		const struct id_case *c = &id_cases[i];
		struct span id = SPAN("untouched");
		bool found = smtp_remote_id_find(span_from_string(c->text), &id);
		struct span want = c->want ? span_from_string(c->want) : SPAN("untouched");

		if (found != (c->want != NULL) || !span_equal(id, want))
			print_error("%s: %.*s\n", c->name, SPAN_ARG(id));
		assert_int_equal(found, c->want != NULL);
		assert_true(span_equal(id, want));
	}
}

static void every_prefix_is_read_without_harm(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(id_cases); i++) {
		struct span all = span_from_string(id_cases[i].text);

		for (size_t n = 0; n < all.len; n++) {
			char *copy = mem_dup(all.data, n);
			struct span id;

			if (smtp_remote_id_find(span_of(copy, n), &id))
				assert_true(id.len > 0 && id.len <= 128);
			mem_free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_known_forms_are_found),
		cmocka_unit_test(every_prefix_is_read_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
