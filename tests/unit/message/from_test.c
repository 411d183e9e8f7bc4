/* SPDX-License-Identifier: MIT */
#include "message/from.h"

#include "base/buf.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static const struct {
	const char *name, *header;
	const char *want; /* addresses, each behind a blank; "!" where it cannot be read */
} cases[] = {
	{ "no From", "To: a@b\r\n", "" },
	{ "one address", "From: alice@example.org\r\nTo: x@y\r\n", " alice@example.org" },
	{ "a name before it", "from: \"Alice, the boss\" <alice@example.org>\r\n",
	    " alice@example.org" },
	{ "an address as its name", "From: alice@example.org <ceo@example.org>\r\n",
	    " ceo@example.org" },
	{ "several", "From: a@b.example, C <c@d.example>\r\n", " a@b.example c@d.example" },
	{ "a fold", "From: Alice\r\n\t<alice@example.org>\r\n", " alice@example.org" },
	{ "a second field", "From: a@b.example\r\nX: y\r\nFrom: c@d.example\r\n",
	    " a@b.example c@d.example" },
	{ "blanks before the colon", "From  : a@b.example\r\n", " a@b.example" },
	{ "a group", "From: all: a@b.example, c@d.example;\r\n", " a@b.example c@d.example" },
	{ "a comment", "From: alice@example.org (ceo@example.org)\r\n", " alice@example.org" },
	{ "a bare name", "From: root\r\n", " root" },
	{ "words without an address", "From: Cron Daemon\r\n", "!" },
	{ "words and nothing", "From: Cron Daemon <>\r\n", "!" },
	{ "an empty field", "From:\r\n", "!" },
	{ "an empty group", "From: nobody:;\r\n", "!" },
	{ "what cannot be read", "From: a@b.example <c@d.example\r\n", "!" },
	{ "readable, then not", "From: a@b.example, \"open\r\n", " a@b.example!" },
	{ "the header ends in it", "From: a@b.example", " a@b.example" },
	{ "other names", "Resent-From: a@b\r\nFromage: a@b\r\n", "" },
};

static void every_address_of_every_from_field_is_found(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct message_from from;
		struct span local, domain;
		enum message_from_result result;
		struct buf found;

		buf_init(&found, 1000);
		message_from_init(&from, span_from_string(cases[i].header));
		while ((result = message_from_next(&from, &local, &domain)) == MESSAGE_FROM_FOUND)
			buf_printf(&found, " %.*s%s%.*s", SPAN_ARG(local), domain.len ? "@" : "",
			    SPAN_ARG(domain));
		if (result == MESSAGE_FROM_UNREADABLE)
			buf_append_byte(&found, '!');
		if (!span_equal(buf_span(&found), span_from_string(cases[i].want)))
			fail_msg("%s: %s", cases[i].name, buf_string(&found));
		buf_fini(&found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address_of_every_from_field_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
