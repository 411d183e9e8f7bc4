/* SPDX-License-Identifier: MIT */
#include "message/report.h"
#include "base/memory.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define WALL_MS INT64_C(1795231471007)

static struct buf text;

static struct message_report_recipient bob(void)
{
	return (struct message_report_recipient){
		.address = SPAN("bob@example.net"),
		.status = SPAN("5.1.1"),
		.hop = SPAN("mx.example.net"),
		.reply = SPAN("550-5.1.1 <bob@example.net>:\r\n550 5.1.1 No such user\r\n"),
		.attempts = 1,
		.last_attempt_wall_ms = WALL_MS,
	};
}

static struct message_report report_on(const struct message_report_recipient *recipients, size_t n)
{
	return (struct message_report){
		.kind = MESSAGE_REPORT_FAILURE,
		.hostname = SPAN("relay.example.org"),
		.from = SPAN("postmaster@example.org"),
		.to = SPAN("ann@example.org"),
		.report_id = 32,
		.random = 0xabcdef,
		.now_wall_ms = WALL_MS + 1000,
		.message_id = 31,
		.arrival_wall_ms = WALL_MS,
		.subject = SPAN("Lunch"),
		.original_message_id = SPAN("<1@example.org>"),
		.header = SPAN("From: ann@example.org\r\nSubject: Lunch\r\n\r\nbody\r\n"),
		.recipients = recipients,
		.recipient_count = n,
	};
}

static const char *format(const struct message_report *report)
{
	buf_clear(&text);
	assert_true(message_report_format(&text, report));
	return buf_string(&text);
}

static void a_failure_is_told_to_people_and_machines(void **state)
{
	struct message_report_recipient r = bob();
	struct message_report report = report_on(&r, 1);

	assert_string_equal(format(&report),
	    "Date: Sat, 21 Nov 2026 03:24:32 +0000\r\n"
	    "From: Mail relay <postmaster@example.org>\r\n"
	    "To: <ann@example.org>\r\n"
	    "Subject: Your message could not be delivered\r\n"
	    "Message-ID: <0000000000010.0000000000abcdef@relay.example.org>\r\n"
	    "In-Reply-To: <1@example.org>\r\n"
	    "References: <1@example.org>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"=_frank_0000000000abcdef\"\r\n"
	    "\r\n"
	    "This is a report on a delivery, in the form of RFC 3464.\r\n"
	    "\r\n--=_frank_0000000000abcdef\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Description: What happened\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n"
	    "\r\n"
	    "This is the mail relay relay.example.org.\r\n"
	    "\r\n"
	    "Your message could not be delivered to the recipient below.\r\n"
	    "It will not be tried again.\r\n"
	    "\r\n"
	    "  Subject:    Lunch\r\n"
	    "  Message-ID: <1@example.org>\r\n"
	    "  Received:   Sat, 21 Nov 2026 03:24:31 +0000\r\n"
	    "  Queue id:   000000000000z\r\n"
	    "\r\n"
	    "<bob@example.net>\r\n"
	    "  mx.example.net said:\r\n"
	    "      550-5.1.1 <bob@example.net>:\r\n"
	    "      550 5.1.1 No such user\r\n"
	    "  There is no such mailbox: please check the part before the @.\r\n"
	    "  It was tried once, Sat, 21 Nov 2026 03:24:31 +0000.\r\n"
	    "\r\n"
	    "By its queue id the relay's operator finds the message.\r\n"
	    "\r\n--=_frank_0000000000abcdef\r\n"
	    "Content-Type: message/delivery-status\r\n"
	    "Content-Description: Delivery report\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n"
	    "\r\n"
	    "Reporting-MTA: dns; relay.example.org\r\n"
	    "Arrival-Date: Sat, 21 Nov 2026 03:24:31 +0000\r\n"
	    "X-Frank-Message-ID: 000000000000z\r\n"
	    "\r\n"
	    "Final-Recipient: rfc822; bob@example.net\r\n"
	    "Action: failed\r\n"
	    "Status: 5.1.1\r\n"
	    "Remote-MTA: dns; mx.example.net\r\n"
	    "Diagnostic-Code: smtp; 550-5.1.1 <bob@example.net>: 550 5.1.1 No such\r\n"
	    " user\r\n"
	    "Last-Attempt-Date: Sat, 21 Nov 2026 03:24:31 +0000\r\n"
	    "\r\n--=_frank_0000000000abcdef\r\n"
	    "Content-Type: text/rfc822-headers\r\n"
	    "Content-Description: The message's header\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n"
	    "\r\n"
	    "From: ann@example.org\r\n"
	    "Subject: Lunch\r\n"
	    "\r\n--=_frank_0000000000abcdef--\r\n");
}

static void a_delay_says_that_it_goes_on(void **state)
{
	struct message_report_recipient r = bob();
	struct message_report report = report_on(&r, 1);
	const char *got;

	r.reply = SPAN("");
	r.hop = SPAN("");
	r.status = SPAN("");
	r.reason = SPAN("No connection to mx.example.net: it does not answer.");
	r.attempts = 7;
	r.kind = report.kind = MESSAGE_REPORT_DELAY;
	report.give_up_wall_ms = WALL_MS + 5 * INT64_C(86400000);
	got = format(&report);
	assert_non_null(strstr(got, "Subject: Your message is delayed\r\n"));
	assert_non_null(strstr(got, "it is still being tried, until\r\n"
				    "Thu, 26 Nov 2026 03:24:31 +0000.\r\n"));
	assert_non_null(strstr(got, "\r\n  No connection to mx.example.net: it does not answer.\r\n"
				    "  It was tried 7 times, last Sat, 21 Nov 2026"));
	assert_non_null(strstr(got, "\r\nAction: delayed\r\nStatus: 4.0.0\r\n"
				    "Diagnostic-Code: x-frank; No connection to mx.example."));
	assert_non_null(strstr(got, "\r\nWill-Retry-Until: Thu, 26 Nov 2026 03:24:31 +0000\r\n"));
	assert_null(strstr(got, "Remote-MTA"));
	assert_null(strstr(got, "said"));
}

static void each_recipient_has_its_own_fields(void **state)
{
	struct message_report_recipient r[2] = { bob(), bob() };
	struct message_report report = report_on(r, 2);
	const char *got;

	r[1].address = SPAN("carol@example.com");
	r[1].status = SPAN("2.0.0"); /* nonsense in a failure */
	got = format(&report);
	assert_non_null(strstr(got, "to the recipients below"));
	assert_non_null(strstr(got, "\r\n\r\n<carol@example.com>\r\n"));
	assert_non_null(strstr(got, "\r\n\r\nFinal-Recipient: rfc822; bob@example.net\r\n"));
	assert_non_null(strstr(got, "\r\n\r\nFinal-Recipient: rfc822; carol@example.com\r\n"
				    "Action: failed\r\nStatus: 5.0.0\r\n"));
}

static void success_is_told_to_who_asked(void **state)
{
	struct message_report_recipient r = bob();
	struct message_report report = report_on(&r, 1);
	const char *got;

	r.kind = report.kind = MESSAGE_REPORT_RELAYED;
	r.status = SPAN("2.1.5");
	r.reply = SPAN("250 2.1.5 OK");
	got = format(&report);
	assert_non_null(strstr(got, "Subject: Your message was passed on\r\n"));
	assert_non_null(strstr(got, "does not report on deliveries"));
	assert_non_null(strstr(got, "\r\nAction: relayed\r\nStatus: 2.1.5\r\n"));
	r.kind = report.kind = MESSAGE_REPORT_DELIVERED;
	r.status = SPAN("5.0.0"); /* nonsense in a success */
	got = format(&report);
	assert_non_null(strstr(got, "Subject: Your message was delivered\r\n"));
	assert_non_null(strstr(got, "\r\nAction: delivered\r\nStatus: 2.0.0\r\n"));
}

static void one_report_tells_of_failure_and_success(void **state)
{
	struct message_report_recipient r[2] = { bob(), bob() };
	struct message_report report = report_on(r, 2);
	const char *got, *failed, *passed;

	r[1].address = SPAN("carol@example.com");
	r[1].kind = MESSAGE_REPORT_RELAYED;
	r[1].status = SPAN("2.0.0");
	got = format(&report);
	assert_non_null(strstr(got, "Subject: Your message could not be delivered\r\n"));
	failed = strstr(got, "could not be delivered to the recipient below.");
	passed = strstr(got, "was passed on for the recipient below");
	assert_true(failed && passed && failed < passed);
	assert_true(strstr(got, "<bob@example.net>\r\n") < passed);
	assert_true(strstr(got, "<carol@example.com>\r\n") > passed);
	assert_non_null(strstr(got, "Final-Recipient: rfc822; carol@example.com\r\n"
				    "Action: relayed\r\nStatus: 2.0.0\r\n"));
}

static void what_the_sender_called_things_is_repeated(void **state)
{
	struct message_report_recipient r = bob();
	struct message_report report = report_on(&r, 1);
	const char *got;

	r.original_type = SPAN("rfc822");
	r.original = SPAN("\"b b\"+list@example.net");
	report.envelope_id = SPAN("QQ314159 \r\nX: y");
	got = format(&report);
	assert_non_null(strstr(got, "\r\nOriginal-Envelope-Id: QQ314159 \\x0d\\x0aX: y\r\n"
				    "Reporting-MTA: dns; relay.example.org\r\n"));
	assert_non_null(strstr(got, "\r\nOriginal-Recipient: rfc822; \"b b\"+list@example.net\r\n"
				    "Final-Recipient: rfc822; bob@example.net\r\n"));
}

static const struct whole_case {
	const char *name, *original, *wanted;
} whole_cases[] = {
	{ "all of it", "Subject: x\r\n\r\nbody\r\n",
	    "Content-Type: message/rfc822\r\nContent-Description: The message\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\nSubject: x\r\n\r\nbody\r\n\r\n--" },
	{ "8-bit as it is", "Subject: x\r\n\r\ngr\xc3\xbc\xdf\r\n",
	    "Content-Transfer-Encoding: 8bit\r\n\r\nSubject: x\r\n\r\ngr\xc3\xbc\xdf\r\n" },
	{ "not with a control character", "Subject: x\r\n\r\nbo\x01dy\r\n",
	    "Content-Type: text/rfc822-headers\r\nContent-Description: The message's header\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\nSubject: x\r\n\r\n--" },
};

static void the_original_is_returned_whole_where_it_can_be(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(whole_cases); i++) {
		struct message_report_recipient r = bob();
		struct message_report report = report_on(&r, 1);

		report.header = span_from_string(whole_cases[i].original);
		report.whole = true;
		if (!strstr(format(&report), whole_cases[i].wanted))
			fail_msg("%s:\n%s", whole_cases[i].name, buf_string(&text));
		r.kind = report.kind = MESSAGE_REPORT_DELIVERED;
		assert_null(strstr(format(&report), "message/rfc822"));
	}
}

static void addresses_beyond_ascii_make_a_report_of_their_own_kind(void **state)
{
	struct message_report_recipient r = bob();
	struct message_report report = report_on(&r, 1);
	const char *got;

	r.address = SPAN("gr\xc3\xbc\xc3\x9f"
			 "e@example.net");
	report.to = SPAN("\xc3\xa4nn@example.org");
	report.header = SPAN("Subject: gr\xc3\xbcn\r\n\r\n");
	report.utf8_header = true;
	got = format(&report);
	assert_non_null(strstr(got, "To: <\xc3\xa4nn@example.org>\r\n"));
	assert_non_null(strstr(got, "report-type=global-delivery-status;"));
	assert_non_null(strstr(got, "Content-Type: message/global-delivery-status\r\n"));
	assert_non_null(strstr(got, "\r\nFinal-Recipient: utf-8; gr=C3=BC=C3=9Fe@example.net\r\n"));
	assert_non_null(strstr(got, "Content-Type: message/global-headers\r\n"));
	assert_non_null(strstr(got, "\r\nSubject: gr=C3=BCn\r\n"));
	r.address = SPAN("gr\xfc@example.net"); /* no UTF-8: escaped as ever */
	got = format(&report);
	assert_non_null(strstr(got, "gr\\xfc@example.net"));
}

/* 7-bit, lines that end with CRLF and are not too long; the fields without an encoding, which
   RFC 3464 does not admit there. */
static void assert_well_formed(const char *got)
{
	struct span rest = span_from_string(got), line;

	assert_non_null(strstr(got, "Content-Type: message/delivery-status\r\n"
				    "Content-Description: Delivery report\r\n"
				    "Content-Transfer-Encoding: 7bit\r\n"));
	while (span_take_until(&rest, '\n', &line)) {
		assert_true(line.len >= 1 && line.len - 1 <= 998);
		assert_int_equal(line.data[line.len - 1], '\r');
		for (size_t i = 0; i < line.len - 1; i++) {
			assert_true(line.data[i] == '\t' || line.data[i] >= ' ');
			assert_true(line.data[i] <= '~');
		}
	}
}

static void text_beyond_ascii_is_quoted_for_people_and_escaped_in_fields(void **state)
{
	struct message_report_recipient r = bob();
	struct message_report report = report_on(&r, 1);
	const char *got;

	r.reply = SPAN("550 Empf\xc3\xa4nger unbekannt\r\n\x1b[2J");
	report.header = SPAN("Subject: Gr\xc3\xbc\xc3\x9f"
			     "e\r\n\r\n");
	got = format(&report);
	assert_well_formed(got);
	assert_non_null(strstr(got, "      550 Empf=C3=A4nger unbekannt\r\n      \\x1b[2J\r\n"));
	assert_non_null(strstr(got, "smtp; 550 Empf\\xc3\\xa4nger unbekannt \\x1b[2J\r\n"));
	assert_non_null(strstr(got, "quoted-printable\r\n\r\nSubject: Gr=C3=BC=C3=9Fe\r\n"));
}

static void nothing_foreign_adds_a_field(void **state)
{
	static const struct span evil = SPAN("x\r\nBcc: evil\r\n\r\nbody\0\x1b\xff");
	struct message_report_recipient r = { .original_type = evil,
		.original = evil,
		.address = evil,
		.status = evil,
		.hop = evil,
		.reply = evil,
		.reason = evil,
		.attempts = 2,
		.last_attempt_wall_ms = WALL_MS };
	struct message_report report = report_on(&r, 1);
	const char *got;

	report.hostname = report.from = report.to = report.subject = report.envelope_id = evil;
	report.original_message_id = evil;
	report.header = SPAN("X: y\r\n\r\n");
	got = format(&report);
	assert_well_formed(got);
	assert_null(strstr(got, "\nBcc"));
	assert_non_null(strstr(got, "\r\nTo: <x\\x0d\\x0aBcc: evil\\x0d\\x0a"));
	assert_null(strstr(got, "References"));
	report.original_message_id = SPAN("<a@b>\r\nBcc: <evil>");
	assert_null(strstr(format(&report), "References"));
}

static void an_address_keeps_its_backslash(void **state)
{
	struct message_report_recipient r = bob();
	struct message_report report = report_on(&r, 1);

	r.address = SPAN("\"b\\\"ob\"@example.net");
	report.to = SPAN("\"a\\\\nn\"@example.org");
	assert_non_null(strstr(format(&report), "rfc822; \"b\\\"ob\"@example.net\r\n"));
	assert_non_null(strstr(format(&report), "To: <\"a\\\\nn\"@example.org>\r\n"));
}

/* Replies, subjects and names of every length and kind. */
static void foreign_text_of_any_length_stays_within_its_lines(void **state)
{
	static const char kinds[][8] = { "a", "a b", "\xc3\xa4", "\1", " ", "\\", "a\n",
		"=_frank" };
	size_t max = 6000;
	char *bytes = mem_alloc(max);

	for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
		for (size_t i = 0; i < max; i++)
			bytes[i] = kinds[kind][i % strlen(kinds[kind])];
		for (size_t len = 1; len <= max; len += len < 1100 ? 1 + len / 11 : 487) {
			struct message_report_recipient r = bob();
			struct message_report report = report_on(&r, 1);
			struct span foreign = span_of(bytes, len);

			r.hop = r.reply = r.reason = foreign;
			report.hostname = report.from = report.subject = foreign;
			/* Letters stay in addresses: that is another kind of report. */
			if (kinds[kind][0] != '\xc3')
				r.address = report.to = foreign;
			report.original_message_id = report.header = foreign;
			assert_well_formed(format(&report));
		}
	}
	mem_free(bytes);
}

static void a_word_too_long_is_continued(void **state)
{
	struct message_report_recipient r = bob();
	struct message_report report = report_on(&r, 1);
	char word[2000];
	const char *got;

	memset(word, 'a', sizeof(word));
	r.reply = span_of(word, sizeof(word));
	got = strstr(format(&report), "Diagnostic-Code: smtp; aaa");
	assert_non_null(got);
	assert_non_null(strstr(got, "a\r\n aaa"));
	assert_null(strstr(got, "\r\na"));
}

static void a_folded_field_unfolds_to_the_reply(void **state)
{
	struct message_report_recipient r = bob();
	struct message_report report = report_on(&r, 1);
	struct span rest, line;
	struct buf value;
	const char *at;

	r.reply = SPAN("550-one two   three four five six seven eight nine ten eleven twelve\r\n"
		       "550 thirteen\tfourteen https://example.net/a/very/long/address/that/does/"
		       "not/fit/into/one/line/of/seventy-two/columns fifteen ");
	at = strstr(format(&report), "Diagnostic-Code:");
	assert_non_null(at);
	rest = span_from_string(at);
	buf_init(&value, 1000);
	while (span_take_until(&rest, '\n', &line) && (!value.len || line.data[0] == ' ')) {
		assert_true(span_trim(span_head(line, line.len - 1)).len > 0);
		buf_append(&value, span_head(line, line.len - 1));
	}
	assert_string_equal(buf_string(&value),
	    "Diagnostic-Code: smtp; 550-one two three four five six seven eight nine ten "
	    "eleven twelve 550 thirteen fourteen "
	    "https://example.net/a/very/long/address/that/does/not/fit/into/one/"
	    "line/of/seventy-two/columns fifteen");
	buf_fini(&value);
}

static void the_original_header_is_cut_at_a_line(void **state)
{
	struct message_report_recipient r = bob();
	struct message_report report = report_on(&r, 1);
	size_t len = MESSAGE_REPORT_HEADER_MAX + 1000;
	char *header = mem_alloc(len);
	const char *got, *begin, *end;

	memset(header, 'x', len);
	for (size_t i = 0; i + 50 <= len; i += 50)
		memcpy(header + i, "X: y\r\n", 6), memcpy(header + i + 6, "Y: ", 3),
		    memcpy(header + i + 48, "\r\n", 2);
	report.header = span_of(header, len);
	got = format(&report);
	assert_well_formed(got);
	begin = strstr(got, "\r\n\r\nX: y\r\n") + 4;
	end = strstr(begin, "\r\n--=_");
	assert_true((size_t)(end - begin) <= MESSAGE_REPORT_HEADER_MAX);
	assert_true((size_t)(end - begin) > MESSAGE_REPORT_HEADER_MAX - 50);
	assert_memory_equal(end - 2, "\r\n", 2);
	mem_free(header);
}

static void only_the_header_is_shown(void **state)
{
	struct message_report_recipient r = bob();
	struct message_report report = report_on(&r, 1);

	report.header = SPAN("X: y\r\n\r\nthe secret body\r\n");
	assert_null(strstr(format(&report), "secret"));
	report.header = SPAN("\r\nthe secret body\r\n");
	assert_null(strstr(format(&report), "secret"));
}

static void a_ceiling_changes_nothing(void **state)
{
	struct message_report_recipient r = bob();
	struct message_report report = report_on(&r, 1);
	size_t len = strlen(format(&report));
	struct buf b;

	for (size_t max = 1; max <= len; max++) {
		buf_init(&b, max);
		buf_append_string(&b, "x");
		assert_false(message_report_format(&b, &report));
		assert_string_equal(buf_string(&b), "x");
		buf_fini(&b);
	}
	buf_init(&b, len);
	assert_true(message_report_format(&b, &report));
	buf_fini(&b);
}

static int init_text(void **state)
{
	buf_init(&text, 1 << 20);
	return 0;
}

static int free_text(void **state)
{
	buf_fini(&text);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_told_to_people_and_machines),
		cmocka_unit_test(a_delay_says_that_it_goes_on),
		cmocka_unit_test(each_recipient_has_its_own_fields),
		cmocka_unit_test(success_is_told_to_who_asked),
		cmocka_unit_test(one_report_tells_of_failure_and_success),
		cmocka_unit_test(what_the_sender_called_things_is_repeated),
		cmocka_unit_test(the_original_is_returned_whole_where_it_can_be),
		cmocka_unit_test(addresses_beyond_ascii_make_a_report_of_their_own_kind),
		cmocka_unit_test(text_beyond_ascii_is_quoted_for_people_and_escaped_in_fields),
		cmocka_unit_test(nothing_foreign_adds_a_field),
		cmocka_unit_test(an_address_keeps_its_backslash),
		cmocka_unit_test(foreign_text_of_any_length_stays_within_its_lines),
		cmocka_unit_test(a_word_too_long_is_continued),
		cmocka_unit_test(a_folded_field_unfolds_to_the_reply),
		cmocka_unit_test(the_original_header_is_cut_at_a_line),
		cmocka_unit_test(only_the_header_is_shown),
		cmocka_unit_test(a_ceiling_changes_nothing),
	};

	return cmocka_run_group_tests(tests, init_text, free_text);
}
