/* SPDX-License-Identifier: MIT */
#include "smtp/reply_parse.h"

#include "base/memory.h"
#include "smtp/reply.h" /* both are used together: their names must not clash */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static const struct line_case {
	const char *line;
	enum smtp_reply_fault want;
	unsigned code;
	bool last;
	unsigned class, subject, detail;
	const char *text;
} line_cases[] = {
	{ "250 2.1.0 Ok", SMTP_REPLY_FAULT_NONE, 250, true, 2, 1, 0, "2.1.0 Ok" },
	{ "250-PIPELINING", SMTP_REPLY_FAULT_NONE, 250, false, 0, 0, 0, "PIPELINING" },
	{ "334", SMTP_REPLY_FAULT_NONE, 334, true, 0, 0, 0, "" },
	{ "334 ", SMTP_REPLY_FAULT_NONE, 334, true, 0, 0, 0, "" },
	{ "354  Go ahead", SMTP_REPLY_FAULT_NONE, 354, true, 0, 0, 0, "Go ahead" },
	{ "535 authorization failed (#5.7.0)", SMTP_REPLY_FAULT_NONE, 535, true, 5, 7, 0,
	    "authorization failed (#5.7.0)" },
	{ "500 #5.5.1 command not recognized", SMTP_REPLY_FAULT_NONE, 500, true, 5, 5, 1,
	    "#5.5.1 command not recognized" },
	{ "451 5.7.3 STARTTLS is required", SMTP_REPLY_FAULT_NONE, 451, true, 5, 7, 3,
	    "5.7.3 STARTTLS is required" },
	{ "535 5.7.139 x", SMTP_REPLY_FAULT_NONE, 535, true, 5, 7, 139, "5.7.139 x" },
	{ "550 5.7.1", SMTP_REPLY_FAULT_NONE, 550, true, 5, 7, 1, "5.7.1" },
	{ "550 5.7.1.2 is no status", SMTP_REPLY_FAULT_NONE, 550, true, 0, 0, 0,
	    "5.7.1.2 is no status" },
	{ "550 5.7.1234 is no status", SMTP_REPLY_FAULT_NONE, 550, true, 0, 0, 0,
	    "5.7.1234 is no status" },
	{ "550 3.7.1 is no status", SMTP_REPLY_FAULT_NONE, 550, true, 0, 0, 0,
	    "3.7.1 is no status" },
	{ "550 (#) and (#5.7.1)", SMTP_REPLY_FAULT_NONE, 550, true, 5, 7, 1, "(#) and (#5.7.1)" },
	{ "599 x", SMTP_REPLY_FAULT_NONE, 599, true, 0, 0, 0, "x" },
	{ "600 x", SMTP_REPLY_FAULT_CODE },
	{ "199 x", SMTP_REPLY_FAULT_CODE },
	{ "000 x", SMTP_REPLY_FAULT_CODE },
	{ "25", SMTP_REPLY_FAULT_NOT_A_REPLY },
	{ "", SMTP_REPLY_FAULT_NOT_A_REPLY },
	{ "2500", SMTP_REPLY_FAULT_NOT_A_REPLY },
	{ "25x x", SMTP_REPLY_FAULT_NOT_A_REPLY },
	{ "250_x", SMTP_REPLY_FAULT_NOT_A_REPLY },
	{ "+OK POP3", SMTP_REPLY_FAULT_NOT_A_REPLY },
};

static void a_line_has_code_separator_and_text(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(line_cases); i++) {
		const struct line_case *c = &line_cases[i];
		struct smtp_reply_line line = { .code = 1 };
		enum smtp_reply_fault fault =
		    smtp_reply_line_parse(span_from_string(c->line), &line);

		if (fault != c->want)
			print_error("%s\n", c->line);
		assert_int_equal(fault, c->want);
		if (fault != SMTP_REPLY_FAULT_NONE) {
			assert_int_equal(line.code, 1); /* untouched */
			continue;
		}
		assert_int_equal(line.code, c->code);
		assert_int_equal(line.last, c->last);
		assert_int_equal(line.status.class, c->class);
		assert_int_equal(line.status.subject, c->subject);
		assert_int_equal(line.status.detail, c->detail);
		assert_true(span_equal(line.text, span_from_string(c->text)));
	}
}

static const struct reply_case {
	const char *input;
	enum smtp_reply_result want;
	enum smtp_reply_fault fault;
	unsigned code;
	const char *text;
	bool mixed_codes;
} reply_cases[] = {
	{ "250 ok\r\n", SMTP_REPLY_RESULT_COMPLETE, 0, 250, "ok", false },
	{ "250-a\r\n250-\r\n250 b\r\n", SMTP_REPLY_RESULT_COMPLETE, 0, 250, "a b", false },
	{ "550-5.7.26 one\r\n550-5.7.26  two\r\n550 5.7.26 three\r\n", SMTP_REPLY_RESULT_COMPLETE,
	    0, 550, "5.7.26 one two three", false },
	{ "550-5.7.26 one\r\n550 5.7.1 two\r\n", SMTP_REPLY_RESULT_COMPLETE, 0, 550,
	    "5.7.26 one 5.7.1 two", false },
	{ "250-a\r\n550 b\r\n", SMTP_REPLY_RESULT_COMPLETE, 0, 550, "a b", true },
	{ "250 a\rb\r\n", SMTP_REPLY_RESULT_COMPLETE, 0, 250, "a\rb", false },
	{ "250 a\nb\r\n", SMTP_REPLY_RESULT_MALFORMED, SMTP_REPLY_FAULT_BARE_LF, 0, NULL, false },
	{ "250 a\n", SMTP_REPLY_RESULT_MALFORMED, SMTP_REPLY_FAULT_BARE_LF, 0, NULL, false },
	{ "\n", SMTP_REPLY_RESULT_MALFORMED, SMTP_REPLY_FAULT_BARE_LF, 0, NULL, false },
	{ "250-a\r\nnonsense\r\n", SMTP_REPLY_RESULT_MALFORMED, SMTP_REPLY_FAULT_NOT_A_REPLY, 0,
	    NULL, false },
	{ "250-a\r\n650 b\r\n", SMTP_REPLY_RESULT_MALFORMED, SMTP_REPLY_FAULT_CODE, 0, NULL,
	    false },
};

/* Until the reply is complete or malformed, or nothing more can be taken. */
static enum smtp_reply_result drain(
    struct smtp_reply_parser *parser, struct span *input, enum smtp_reply_fault *fault)
{
	struct span line;
	enum smtp_reply_result result;

	do
		result = smtp_reply_parser_next(parser, input, &line, fault);
	while (result == SMTP_REPLY_RESULT_LINE);
	return result;
}

static void check_reply(const struct reply_case *c, bool bytewise)
{
	struct smtp_reply_parser parser;
	struct span all = span_from_string(c->input), input = { all.data, 0 };
	enum smtp_reply_result result = SMTP_REPLY_RESULT_NEED_MORE;
	enum smtp_reply_fault fault = SMTP_REPLY_FAULT_NONE;
	const char *end = all.data + all.len;

	smtp_reply_parser_init(&parser);
	while (result == SMTP_REPLY_RESULT_NEED_MORE && input.data + input.len < end) {
		input.len = bytewise ? input.len + 1 : (size_t)(end - input.data);
		result = drain(&parser, &input, &fault);
	}
	if (result != c->want)
		print_error("%s\n", c->input);
	assert_int_equal(result, c->want);
	assert_int_equal(fault, c->fault);
	if (result == SMTP_REPLY_RESULT_COMPLETE) {
		assert_int_equal(parser.reply.code, c->code);
		assert_int_equal(parser.reply.mixed_codes, c->mixed_codes);
		assert_true(span_equal(parser.reply.text, span_from_string(c->text)));
		assert_false(parser.reply.cut);
	}
	smtp_reply_parser_fini(&parser);
}

static void replies_are_the_same_whole_and_octet_by_octet(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(reply_cases); i++) {
		check_reply(&reply_cases[i], false);
		check_reply(&reply_cases[i], true);
	}
}

static void every_prefix_of_a_reply_needs_more(void **state)
{
	static const char text[] = "250-a.example\r\n250-SIZE 10\r\n250 HELP\r\n";

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		struct smtp_reply_parser parser;
		struct span input = span_of(text, n);
		enum smtp_reply_fault fault;

		smtp_reply_parser_init(&parser);
		assert_int_equal(drain(&parser, &input, &fault), SMTP_REPLY_RESULT_NEED_MORE);
		smtp_reply_parser_fini(&parser);
	}
}

static void a_reply_after_another_starts_afresh(void **state)
{
	struct smtp_reply_parser parser;
	struct span input = SPAN("550-5.1.1 a\r\n250 5.1.1 b\r\n354 go\r\n");
	enum smtp_reply_fault fault;

	smtp_reply_parser_init(&parser);
	assert_int_equal(drain(&parser, &input, &fault), SMTP_REPLY_RESULT_COMPLETE);
	assert_int_equal(parser.reply.line_count, 2);
	assert_true(span_equal(parser.reply.lines, SPAN("550-5.1.1 a\n250 5.1.1 b\n")));
	assert_int_equal(drain(&parser, &input, &fault), SMTP_REPLY_RESULT_COMPLETE);
	assert_int_equal(parser.reply.code, 354);
	assert_int_equal(parser.reply.line_count, 1);
	assert_int_equal(parser.reply.status.class, 0);
	assert_false(parser.reply.mixed_codes);
	assert_true(span_equal(parser.reply.text, SPAN("go")));
	smtp_reply_parser_fini(&parser);
}

/* A reply of n lines "250-xxx...", each of the given length, and a last one. */
static struct buf long_reply(size_t lines, size_t length)
{
	struct buf b;

	buf_init(&b, 1 << 24);
	for (size_t i = 0; i < lines; i++) {
		buf_append_string(&b, "250-");
		for (size_t n = 4; n < length; n++)
			buf_append_byte(&b, 'x');
		buf_append_string(&b, "\r\n");
	}
	buf_append_string(&b, "250 end\r\n");
	return b;
}

static const struct limit_case {
	size_t lines, length;
	enum smtp_reply_result want;
	enum smtp_reply_fault fault;
	bool cut;
} limit_cases[] = {
	{ 99, 10, SMTP_REPLY_RESULT_COMPLETE, 0, false },
	{ 100, 10, SMTP_REPLY_RESULT_COMPLETE, 0, true },
	{ 999, 10, SMTP_REPLY_RESULT_COMPLETE, 0, true },
	{ 1000, 10, SMTP_REPLY_RESULT_MALFORMED, SMTP_REPLY_FAULT_ENDLESS, false },
	{ 1, 4096, SMTP_REPLY_RESULT_COMPLETE, 0, false },
	{ 1, 4097, SMTP_REPLY_RESULT_MALFORMED, SMTP_REPLY_FAULT_TOO_LONG, false },
	{ 3, 4096, SMTP_REPLY_RESULT_COMPLETE, 0, false },
	{ 4, 4096, SMTP_REPLY_RESULT_COMPLETE, 0, true },
};

static void what_is_beyond_the_limits_is_cut_or_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(limit_cases); i++) {
		const struct limit_case *c = &limit_cases[i];
		struct buf text = long_reply(c->lines, c->length);
		struct span input = buf_span(&text);
		struct smtp_reply_parser parser;
		enum smtp_reply_fault fault = SMTP_REPLY_FAULT_NONE;

		smtp_reply_parser_init(&parser);
		assert_int_equal(drain(&parser, &input, &fault), c->want);
		assert_int_equal(fault, c->fault);
		if (c->want == SMTP_REPLY_RESULT_COMPLETE) {
			assert_int_equal(parser.reply.cut, c->cut);
			assert_int_equal(parser.reply.line_count, c->lines + 1);
			assert_true(parser.reply.lines.len <= SMTP_RECEIVED_OCTETS_KEPT);
		}
		smtp_reply_parser_fini(&parser);
		buf_fini(&text);
	}
}

static void a_line_too_long_is_found_without_its_end(void **state)
{
	struct buf text = long_reply(1, 5000);
	struct smtp_reply_parser parser;
	enum smtp_reply_fault fault;

	smtp_reply_parser_init(&parser);
	for (size_t n = 0; n < 5000; n++) {
		struct span input = span_head(buf_span(&text), n);
		enum smtp_reply_result result = drain(&parser, &input, &fault);

		assert_int_equal(
		    result, n <= 4096 ? SMTP_REPLY_RESULT_NEED_MORE : SMTP_REPLY_RESULT_MALFORMED);
	}
	smtp_reply_parser_fini(&parser);
	buf_fini(&text);
}

static void a_reply_is_shown_on_one_printable_line(void **state)
{
	struct smtp_received_reply reply = {
		.code = 550,
		.text = SPAN("5.7.1 no\x1b[2J way"),
	};
	char text[64], little[16];

	assert_string_equal(
	    smtp_reply_format(&reply, text, sizeof(text)), "550 5.7.1 no\\x1b[2J way");
	smtp_reply_format(&reply, little, sizeof(little));
	assert_true(strlen(little) < sizeof(little));
	assert_memory_equal(little, "550 5.7.", 8);
}

static void a_reply_does_not_repeat_a_secret(void **state)
{
	static const char replies[] = "535-5.7.8 AUTH PLAIN AHRlc3QAU2VjcmV0LTQy\r\n"
				      "535 5.7.8 Secret-42 is wrong\r\n"
				      "334 U2VjcmV0LTQy\r\n"
				      "Secret-42?\r\n";
	static const char *const lines[] = { "535-5.7.8 AUTH PLAIN [hidden]",
		"535 5.7.8 [hidden] is wrong", "334 [hidden]", "[hidden]" };
	struct span input = span_of(replies, sizeof(replies) - 1), line;
	struct smtp_reply_parser parser;
	enum smtp_reply_fault fault;
	struct conceal conceal;

	conceal_init(&conceal);
	conceal_add(&conceal, SPAN("Secret-42"));
	smtp_reply_parser_init(&parser);
	parser.conceal = &conceal;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		enum smtp_reply_result result =
		    smtp_reply_parser_next(&parser, &input, &line, &fault);
		assert_true(span_equal(line, span_from_string(lines[i])));
		if (i == 1) {
			assert_true(span_equal(parser.reply.text,
			    SPAN("5.7.8 AUTH PLAIN [hidden] [hidden] is wrong")));
			assert_int_equal(span_find_span(parser.reply.lines, SPAN("ecret")),
			    parser.reply.lines.len);
		}
		if (i == 2) { /* a mechanism gets it as it came */
			assert_true(span_equal(parser.reply.text, SPAN("[hidden]")));
			assert_true(
			    span_equal(smtp_reply_parser_challenge(&parser), SPAN("U2VjcmV0LTQy")));
		}
		assert_int_equal(result, i == 0   ? SMTP_REPLY_RESULT_LINE
					 : i == 3 ? SMTP_REPLY_RESULT_MALFORMED
						  : SMTP_REPLY_RESULT_COMPLETE);
	}
	smtp_reply_parser_fini(&parser);
	conceal_fini(&conceal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_code_separator_and_text),
		cmocka_unit_test(replies_are_the_same_whole_and_octet_by_octet),
		cmocka_unit_test(every_prefix_of_a_reply_needs_more),
		cmocka_unit_test(a_reply_after_another_starts_afresh),
		cmocka_unit_test(what_is_beyond_the_limits_is_cut_or_refused),
		cmocka_unit_test(a_line_too_long_is_found_without_its_end),
		cmocka_unit_test(a_reply_is_shown_on_one_printable_line),
		cmocka_unit_test(a_reply_does_not_repeat_a_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
