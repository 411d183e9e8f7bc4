/* SPDX-License-Identifier: MIT */
#include "message/trace_fields.h"
#include "base/memory.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define WALL_MS INT64_C(1795231471007)

static struct message_trace trace_of_a_submission(void)
{
	return (struct message_trace){
		.protocol = MESSAGE_PROTOCOL_ESMTP,
		.tls_active = true,
		.authenticated = true,
		.helo = SPAN("laptop.example.org"),
		.client_address = SPAN("192.0.2.7"),
		.tls_version = SPAN("TLSv1.3"),
		.tls_cipher = SPAN("TLS_AES_256_GCM_SHA384"),
		.hostname = SPAN("relay.example.org"),
		.message_id = 31,
		.random = 0xabcdef,
		.reverse_path = SPAN("ann@example.org"),
		.recipient = SPAN("bob@example.net"),
		.received_wall_ms = WALL_MS,
		.submitted = true,
	};
}

static struct buf received_text;

static const char *received(const struct message_trace *trace)
{
	buf_clear(&received_text);
	assert_true(message_received_format(&received_text, trace));
	return buf_string(&received_text);
}

static void received_says_who_how_and_when(void **state)
{
	struct message_trace trace = trace_of_a_submission();

	assert_string_equal(received(&trace),
	    "Received: from laptop.example.org ([192.0.2.7]) by relay.example.org\r\n"
	    "\twith ESMTPSA (TLSv1.3 TLS_AES_256_GCM_SHA384) id 000000000000z for\r\n"
	    "\t<bob@example.net>; Sat, 21 Nov 2026 03:24:31 +0000\r\n");
	trace.client_name = SPAN("ppp7.example.com");
	trace.client_address = SPAN("2001:db8::7");
	trace.tls_active = trace.authenticated = false;
	trace.recipient = SPAN("");
	assert_string_equal(received(&trace),
	    "Received: from laptop.example.org (ppp7.example.com [IPv6:2001:db8::7])\r\n"
	    "\tby relay.example.org with ESMTP id 000000000000z;\r\n"
	    "\tSat, 21 Nov 2026 03:24:31 +0000\r\n");
}

static void what_is_unknown_is_left_out(void **state)
{
	struct message_trace trace = trace_of_a_submission();

	trace.helo = SPAN("");
	trace.tls_active = false;
	trace.recipient = SPAN("");
	assert_non_null(strstr(received(&trace), "Received: from [192.0.2.7] ([192.0.2.7]) by"));
	trace.client_address = SPAN("");
	trace.protocol = MESSAGE_PROTOCOL_LOCAL;
	assert_non_null(strstr(received(&trace), "Received: by relay.example.org with local id"));
}

static void the_protocol_is_named_by_its_parts(void **state)
{
	static const struct {
		enum message_protocol protocol;
		bool tls_active, authenticated;
		const char *want;
	} cases[] = {
		{ MESSAGE_PROTOCOL_SMTP, false, false, " with SMTP id" },
		{ MESSAGE_PROTOCOL_ESMTP, false, false, " with ESMTP id" },
		{ MESSAGE_PROTOCOL_ESMTP, true, false, " with ESMTPS id" },
		{ MESSAGE_PROTOCOL_ESMTP, false, true, " with ESMTPA id" },
		{ MESSAGE_PROTOCOL_ESMTP, true, true, " with ESMTPSA id" },
		{ MESSAGE_PROTOCOL_LMTP, false, false, " with LMTP id" },
		{ MESSAGE_PROTOCOL_LMTP, true, true, " with LMTPSA id" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct message_trace trace = trace_of_a_submission();

		trace.helo = SPAN("a");
		trace.tls_version = SPAN("");
		trace.hostname = SPAN("b");
		trace.protocol = cases[i].protocol;
		trace.tls_active = cases[i].tls_active;
		trace.authenticated = cases[i].authenticated;
		assert_non_null(strstr(received(&trace), cases[i].want));
	}
}

static void a_peer_cannot_write_into_the_header(void **state)
{
	static const struct {
		struct span helo;
		const char *want;
	} cases[] = {
		{ SPAN("a\r\nBcc: x"), " a??Bcc??x " },
		{ SPAN("a\0b\x7f\x80\xff"), " a?b??? " },
		{ SPAN("()<>@,;:\\\"."), " ??????????. " },
		{ SPAN("a b\tc"), " a?b?c " },
		{ SPAN("under_score-1.example"), " under_score-1.example " },
		{ SPAN("[192.0.2.1]"), " [192.0.2.1] " },
		{ SPAN("[IPv6:2001:db8::1]"), " [IPv6:2001:db8::1] " },
		{ SPAN("[IPv6:2001\r\n:1]"), " [IPv6?2001???1] " },
		{ SPAN("[a@b]"), " [a?b] " },
		{ SPAN("[]"), " [] " },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct message_trace trace = trace_of_a_submission();

		trace.helo = cases[i].helo;
		assert_non_null(strstr(received(&trace), cases[i].want));
	}
}

/* Printable ASCII in lines with CRLF, every line but the first a continuation. */
static void assert_one_field(const char *text)
{
	for (const char *at = text; *at; at++) {
		if (at[0] == '\r') {
			assert_int_equal(at[1], '\n');
			assert_true(at[2] == '\t' || at[2] == '\0');
			assert_true(at - text > 0 && at[-1] != ' ');
			at++;
		} else {
			assert_true(*at == '\t' || (*at >= ' ' && *at <= '~'));
		}
	}
}

static void hostile_bytes_everywhere_leave_one_field(void **state)
{
	char bytes[2000];
	unsigned dice = 3;

	for (int turn = 0; turn < 500; turn++) {
		struct message_trace trace = trace_of_a_submission();
		struct span text;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			dice = dice * 1103515245 + 12345;
			bytes[i] = (char)(dice >> 16);
		}
		text = span_of(bytes, (size_t)turn * 4);
		trace.helo = trace.client_address = trace.client_name = text;
		trace.tls_version = trace.tls_cipher = trace.hostname = trace.recipient = text;
		assert_one_field(received(&trace));
		assert_true(strlen(received(&trace)) < MESSAGE_PREFIX_MAX);
	}
}

static void lines_stay_below_78_columns_where_they_can(void **state)
{
	struct message_trace trace = trace_of_a_submission();
	char name[60];

	memset(name, 'a', sizeof(name));
	for (size_t len = 1; len <= sizeof(name); len++) {
		struct span rest, line;

		trace.helo = trace.hostname = trace.client_name = span_of(name, len);
		trace.recipient = span_of(name, len);
		rest = span_from_string(received(&trace));
		while (span_take_until(&rest, '\n', &line))
			assert_true(line.len - 1 < 78);
	}
}

static void only_a_clean_address_is_shown(void **state)
{
	struct message_trace trace = trace_of_a_submission();

	trace.recipient = SPAN("\"b ob\"@example.net");
	assert_non_null(strstr(received(&trace), "<\"b ob\"@example.net>;"));
	trace.recipient = SPAN("b\r\nob@example.net");
	assert_null(strstr(received(&trace), "ob@example.net"));
	trace.recipient = SPAN("b>ob@example.net");
	assert_null(strstr(received(&trace), "ob@example.net"));
}

static void return_path_is_the_reverse_path(void **state)
{
	struct buf b;

	buf_init(&b, 100);
	assert_true(message_return_path_format(&b, SPAN("ann@example.org")));
	assert_true(message_return_path_format(&b, SPAN("")));
	assert_true(message_return_path_format(&b, SPAN("a\r\nBcc: b")));
	assert_string_equal(buf_string(&b), "Return-Path: <ann@example.org>\r\n"
					    "Return-Path: <>\r\nReturn-Path: <>\r\n");
	buf_fini(&b);
}

/* ---- The whole prefix ---- */

#define ID "Message-ID: <000000000000z.0000000000abcdef@relay.example.org>\r\n"
#define DATE "Date: Sat, 21 Nov 2026 03:24:31 +0000\r\n"
#define FROM "From: ann@example.org\r\n"

static const struct prefix_case {
	const char *name;
	struct span content, reverse_path;
	bool submitted;
	const char *want; /* behind Received */
} prefix_cases[] = {
	{ "a complete message", SPAN("Date: x\r\nFrom: y\r\nMessage-ID: z\r\n\r\nbody\r\n"),
	    SPAN("ann@example.org"), true, "" },
	{ "nothing but a subject", SPAN("Subject: x\r\n\r\nbody\r\n"), SPAN("ann@example.org"),
	    true, ID DATE FROM },
	{ "no date", SPAN("From: y\r\nMessage-ID: z\r\n\r\n"), SPAN("ann@example.org"), true,
	    DATE },
	{ "no message id", SPAN("From: y\r\nDate: z\r\n\r\n"), SPAN("ann@example.org"), true, ID },
	{ "no from", SPAN("Date: y\r\nMessage-ID: z\r\n\r\n"), SPAN("ann@example.org"), true,
	    FROM },
	{ "no from and an empty reverse path", SPAN("Date: y\r\nMessage-ID: z\r\n\r\n"), SPAN(""),
	    true, "From: MAILER-DAEMON@relay.example.org\r\n" },
	{ "a reverse path without a domain", SPAN("Date: y\r\nMessage-ID: z\r\n\r\n"), SPAN("root"),
	    true, "From: root@relay.example.org\r\n" },
	{ "a reverse path that is no address", SPAN("Date: y\r\nMessage-ID: z\r\n\r\n"),
	    SPAN("a\r\nBcc: b"), true, "From: MAILER-DAEMON@relay.example.org\r\n" },
	{ "no header", SPAN("Hello world\r\n"), SPAN("ann@example.org"), true,
	    ID DATE FROM "\r\n" },
	{ "no content", SPAN(""), SPAN("ann@example.org"), true, ID DATE FROM "\r\n" },
	{ "a header that runs into the body",
	    SPAN("Date: x\r\nFrom: y\r\nMessage-ID: z\r\nHello world\r\n"), SPAN("ann@example.org"),
	    true, ID DATE FROM "\r\n" },
	{ "an empty header", SPAN("\r\nbody\r\n"), SPAN("ann@example.org"), true, ID DATE FROM },
	{ "mail from outside", SPAN("Subject: x\r\n\r\nbody\r\n"), SPAN("ann@example.org"), false,
	    "" },
	{ "mail from outside without a header", SPAN("Hello world\r\n"), SPAN("ann@example.org"),
	    false, "\r\n" },
};

static void the_prefix_completes_the_header(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(prefix_cases); i++) {
		const struct prefix_case *c = &prefix_cases[i];
		struct message_trace trace = trace_of_a_submission();
		struct message_header h;
		struct buf b;

		trace.reverse_path = c->reverse_path;
		trace.submitted = c->submitted;
		message_header_init(&h);
		message_header_feed(&h, c->content);
		message_header_end(&h);
		buf_init(&b, MESSAGE_PREFIX_MAX);
		assert_true(message_prefix_format(&b, &h, &trace));
		assert_memory_equal(buf_string(&b), received(&trace), strlen(received(&trace)));
		if (strcmp(buf_string(&b) + strlen(received(&trace)), c->want) != 0)
			fail_msg("%s: %s", c->name, buf_string(&b));
		buf_fini(&b);
	}
}

static struct message_header scan(struct span a, struct span b)
{
	struct message_header h;

	message_header_init(&h);
	message_header_feed(&h, a);
	message_header_feed(&h, b);
	message_header_end(&h);
	return h;
}

/* What every shape becomes with its prefix in front: a proper message with all three fields. */
static void with_its_prefix_every_message_is_proper(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(prefix_cases); i++) {
		struct message_trace trace = trace_of_a_submission();
		struct message_header h = scan(prefix_cases[i].content, SPAN(""));
		struct buf b;

		buf_init(&b, MESSAGE_PREFIX_MAX);
		assert_true(message_prefix_format(&b, &h, &trace));
		h = scan(buf_span(&b), prefix_cases[i].content);
		assert_int_equal(h.shape, MESSAGE_HEADER_PROPER);
		assert_true(h.has_date && h.has_from && h.has_message_id);
		assert_int_equal(h.received_count, 1);
		buf_fini(&b);
	}
}

static void a_header_too_large_gets_received_only(void **state)
{
	struct message_header h = { .shape = MESSAGE_HEADER_TOO_LARGE };
	struct message_trace trace = trace_of_a_submission();
	struct buf b;

	buf_init(&b, MESSAGE_PREFIX_MAX);
	assert_true(message_prefix_format(&b, &h, &trace));
	assert_string_equal(buf_string(&b), received(&trace));
	buf_fini(&b);
}

static void a_ceiling_changes_nothing(void **state)
{
	struct message_header h = scan(SPAN("Hello\r\n"), SPAN(""));
	struct message_trace trace = trace_of_a_submission();
	struct buf b;

	buf_init(&b, 300);
	buf_append_string(&b, "x");
	assert_false(message_prefix_format(&b, &h, &trace));
	assert_string_equal(buf_string(&b), "x");
	buf_fini(&b);
}

static int init_received(void **state)
{
	buf_init(&received_text, MESSAGE_PREFIX_MAX);
	return 0;
}

static int free_received(void **state)
{
	buf_fini(&received_text);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(received_says_who_how_and_when),
		cmocka_unit_test(what_is_unknown_is_left_out),
		cmocka_unit_test(the_protocol_is_named_by_its_parts),
		cmocka_unit_test(a_peer_cannot_write_into_the_header),
		cmocka_unit_test(hostile_bytes_everywhere_leave_one_field),
		cmocka_unit_test(lines_stay_below_78_columns_where_they_can),
		cmocka_unit_test(only_a_clean_address_is_shown),
		cmocka_unit_test(return_path_is_the_reverse_path),
		cmocka_unit_test(the_prefix_completes_the_header),
		cmocka_unit_test(with_its_prefix_every_message_is_proper),
		cmocka_unit_test(a_header_too_large_gets_received_only),
		cmocka_unit_test(a_ceiling_changes_nothing),
	};

	return cmocka_run_group_tests(tests, init_received, free_received);
}
