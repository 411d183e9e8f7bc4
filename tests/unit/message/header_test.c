/* SPDX-License-Identifier: MIT */
#include "message/header.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static struct message_header scan_pieces(struct span content, size_t piece)
{
	struct message_header h;

	message_header_init(&h);
	while (content.len) {
		size_t n = content.len < piece ? content.len : piece;

		message_header_feed(&h, span_head(content, n));
		content = span_skip(content, n);
	}
	message_header_end(&h);
	return h;
}

static void assert_same(const struct message_header *a, const struct message_header *b)
{
	assert_int_equal(a->shape, b->shape);
	assert_int_equal(a->has_date, b->has_date);
	assert_int_equal(a->has_message_id, b->has_message_id);
	assert_int_equal(a->has_from, b->has_from);
	assert_int_equal(a->has_sender, b->has_sender);
	assert_int_equal(a->received_count, b->received_count);
	assert_int_equal(a->header_len, b->header_len);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->eight_bit_header, b->eight_bit_header);
	assert_int_equal(a->eight_bit_body, b->eight_bit_body);
	assert_int_equal(a->line_len_max, b->line_len_max);
	assert_true(span_equal(
	    message_header_value_span(&a->subject), message_header_value_span(&b->subject)));
	assert_true(span_equal(
	    message_header_value_span(&a->message_id), message_header_value_span(&b->message_id)));
	assert_int_equal(a->subject.cut, b->subject.cut);
	assert_int_equal(a->message_id.cut, b->message_id.cut);
}

static struct message_header scan(struct span content)
{
	struct message_header whole = scan_pieces(content, content.len);

	for (size_t piece = 1; piece < 8; piece++) {
		struct message_header h = scan_pieces(content, piece);

		assert_same(&h, &whole);
	}
	return whole;
}

#define PROPER MESSAGE_HEADER_PROPER
#define MISSING MESSAGE_HEADER_MISSING
#define RUNS MESSAGE_HEADER_RUNS_INTO_BODY

static const struct shape_case {
	const char *name;
	struct span content;
	enum message_header_shape want;
	uint64_t header_len;
} shape_cases[] = {
	{ "fields and a body", SPAN("A: b\r\nC: d\r\n\r\nbody\r\n"), PROPER, 12 },
	{ "fields and an empty body", SPAN("A: b\r\n\r\n"), PROPER, 6 },
	{ "fields alone", SPAN("A: b\r\n"), PROPER, 6 },
	{ "a last field without a line end", SPAN("A: b"), PROPER, 4 },
	{ "a last field with half a line end", SPAN("A: b\r"), PROPER, 5 },
	{ "a field without a value", SPAN("A:\r\n\r\n"), PROPER, 4 },
	{ "blanks before the colon", SPAN("A \t: b\r\n\r\n"), PROPER, 8 },
	{ "no space behind the colon", SPAN("A:b\r\n\r\n"), PROPER, 5 },
	{ "an unusual name", SPAN("X-!#$%~: b\r\n\r\n"), PROPER, 12 },
	{ "a continuation line", SPAN("A: b\r\n c\r\n\tNo: d\r\n\r\n"), PROPER, 18 },
	{ "a continuation line of blanks", SPAN("A: b\r\n \r\n\r\n"), PROPER, 9 },
	{ "an empty line at the begin", SPAN("\r\nbody\r\n"), PROPER, 0 },
	{ "a bare LF inside a value", SPAN("A: b\n\nC\r\n\r\n"), PROPER, 9 },
	{ "a bare CR inside a value", SPAN("A: b\rC\r\r\n\r\n"), PROPER, 9 },
	{ "nothing at all", SPAN(""), MISSING, 0 },
	{ "text only", SPAN("Hello world\r\n"), MISSING, 0 },
	{ "one word", SPAN("Hello"), MISSING, 0 },
	{ "a word and a blank", SPAN("Hello "), MISSING, 0 },
	{ "text before an empty line", SPAN("Hello\r\n\r\nA: b\r\n"), MISSING, 0 },
	{ "a first line with a blank", SPAN(" A: b\r\n\r\n"), MISSING, 0 },
	{ "a first line with a tab", SPAN("\tA: b\r\n\r\n"), MISSING, 0 },
	{ "a colon first", SPAN(": b\r\n\r\n"), MISSING, 0 },
	{ "two words before the colon", SPAN("Dear all: b\r\n\r\n"), MISSING, 0 },
	{ "a name beyond ASCII",
	    SPAN("Gr\xc3\xbc\xc3\x9f"
		 "e: b\r\n\r\n"),
	    MISSING, 0 },
	{ "a NUL in the name", SPAN("A\0B: b\r\n\r\n"), MISSING, 0 },
	{ "an envelope line of a mailbox", SPAN("From a@b Sat Nov 21\r\nA: b\r\n\r\n"), MISSING,
	    0 },
	{ "a bare LF at the begin", SPAN("\nbody\r\n"), MISSING, 0 },
	{ "a bare CR at the begin", SPAN("\rbody\r\n"), MISSING, 0 },
	{ "a bare CR alone", SPAN("\r"), MISSING, 0 },
	{ "a lone dot", SPAN(".\r\n"), MISSING, 0 },
	{ "a body right behind the fields", SPAN("A: b\r\nHello world\r\n"), RUNS, 0 },
	{ "a body that ends inside its first word", SPAN("A: b\r\nHell"), RUNS, 0 },
	{ "a body that begins with a CR", SPAN("A: b\r\n\rHello\r\n"), RUNS, 0 },
	{ "a body that is a CR", SPAN("A: b\r\n\r"), RUNS, 0 },
	{ "fields behind the body", SPAN("A: b\r\nHello\r\nC: d\r\n\r\n"), RUNS, 0 },
	{ "a bare LF for the empty line", SPAN("A: b\r\n\nbody\r\n"), RUNS, 0 },
};

static void the_shape_is_recognised(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(shape_cases); i++) {
		struct message_header h = scan(shape_cases[i].content);

		if (h.shape != shape_cases[i].want || h.header_len != shape_cases[i].header_len)
			fail_msg("%s: shape %d, length %d", shape_cases[i].name, (int)h.shape,
			    (int)h.header_len);
		assert_int_equal(h.size, shape_cases[i].content.len);
	}
}

static void every_prefix_is_decided(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(shape_cases); i++) {
		for (size_t n = 0; n <= shape_cases[i].content.len; n++) {
			struct message_header h = scan(span_head(shape_cases[i].content, n));

			assert_int_not_equal(h.shape, MESSAGE_HEADER_UNDECIDED);
			assert_true(h.header_len <= n);
		}
	}
}

static void the_shape_is_decided_as_soon_as_it_can_be(void **state)
{
	struct message_header h;

	message_header_init(&h);
	message_header_feed(&h, SPAN("A: b\r\n\r"));
	assert_int_equal(h.shape, MESSAGE_HEADER_UNDECIDED);
	message_header_feed(&h, SPAN("\n"));
	assert_int_equal(h.shape, MESSAGE_HEADER_PROPER);
	message_header_init(&h);
	message_header_feed(&h, SPAN("Hello w"));
	assert_int_equal(h.shape, MESSAGE_HEADER_MISSING);
}

static void fields_are_found_by_their_whole_name(void **state)
{
	struct message_header h = scan(SPAN("DATE: x\r\nmessage-id : y\r\n"
					    "From:z\r\nSender:\r\n\r\n"));

	assert_true(h.has_date && h.has_message_id && h.has_from && h.has_sender);
	h = scan(SPAN("Resent-Date: x\r\nMessage-IDs: y\r\nFro: z\r\nSender-\r\n From: x\r\n\r\n"));
	assert_false(h.has_date || h.has_message_id || h.has_from || h.has_sender);
	h = scan(SPAN("A: b\r\n\r\nDate: x\r\nFrom: z\r\nReceived: y\r\n"));
	assert_false(h.has_date || h.has_from || h.received_count);
	h = scan(SPAN("A: Date:\r\n Date: x\r\n\tFrom: z\r\n\r\n"));
	assert_false(h.has_date || h.has_from);
}

static void received_fields_are_counted(void **state)
{
	struct message_header h = scan(SPAN("Received: a\r\n\tReceived: b\r\nRECEIVED:c\r\n"
					    "X-Received: d\r\nReceived : e\r\n\r\n"
					    "Received: f\r\n"));

	assert_int_equal(h.received_count, 3);
}

static void values_are_kept_unfolded(void **state)
{
	static const struct {
		struct span content, subject;
		bool cut;
	} cases[] = {
		{ SPAN("Subject: hello\r\n\r\n"), SPAN("hello"), false },
		{ SPAN("Subject:hello \t\r\n"), SPAN("hello"), false },
		{ SPAN("Subject: a\r\n b\r\n\tc\r\nX: y\r\n\r\n"), SPAN("a b\tc"), false },
		{ SPAN("Subject:\r\n folded\r\n"), SPAN("folded"), false },
		{ SPAN("Subject: first\r\nSubject: second\r\n"), SPAN("first"), false },
		{ SPAN("Subject:\r\nSubject: second\r\n"), SPAN("second"), false },
		{ SPAN("Subject: \0\xff\n\rx\r\n"), SPAN("\0\xff\n\rx"), false },
		{ SPAN("Subject: no line end"), SPAN("no line end"), false },
		{ SPAN("X-Subject: x\r\n\r\nSubject: body\r\n"), SPAN(""), false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct message_header h = scan(cases[i].content);

		assert_true(span_equal(message_header_value_span(&h.subject), cases[i].subject));
		assert_int_equal(h.subject.cut, cases[i].cut);
	}
}

static void a_long_value_is_cut(void **state)
{
	for (int len = MESSAGE_HEADER_VALUE_MAX - 1; len <= MESSAGE_HEADER_VALUE_MAX + 1; len++) {
		char content[MESSAGE_HEADER_VALUE_MAX + 100];
		struct message_header h;

		snprintf(content, sizeof(content), "Message-ID: %0*d  \r\n\r\n", len, 7);
		h = scan(span_from_string(content));
		assert_int_equal(h.message_id.cut, len > MESSAGE_HEADER_VALUE_MAX);
		assert_int_equal(h.message_id.len,
		    len > MESSAGE_HEADER_VALUE_MAX ? MESSAGE_HEADER_VALUE_MAX : len);
	}
}

static void eight_bit_is_told_apart_for_header_and_body(void **state)
{
	static const struct {
		struct span content;
		bool header, body;
	} cases[] = {
		{ SPAN("A: b\r\n\r\nseven\x7f\r\n"), false, false },
		{ SPAN("A: \x80\r\n\r\nseven\r\n"), true, false },
		{ SPAN("Subject: \xff\r\n\r\nseven\r\n"), true, false },
		{ SPAN("A: b\r\n\r\n\xc3\xbc\r\n"), false, true },
		{ SPAN("A: b\r\n\r\n01234567012345670123\xc3\xbc\r\n"), false, true },
		{ SPAN("A: \xc3\xbc\r\n\r\n\xc3\xbc\r\n"), true, true },
		{ SPAN("\xc3\xbc\r\n"), false, true },
		{ SPAN("A: \xc3\xbc\r\nbody\r\n"), false, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct message_header h = scan(cases[i].content);

		assert_int_equal(h.eight_bit_header, cases[i].header);
		assert_int_equal(h.eight_bit_body, cases[i].body);
	}
}

static void the_longest_line_excludes_its_line_end(void **state)
{
	static const struct {
		struct span content;
		uint64_t want;
	} cases[] = {
		{ SPAN(""), 0 },
		{ SPAN("\r\n"), 0 },
		{ SPAN("abc\r\n"), 3 },
		{ SPAN("abc"), 3 },
		{ SPAN("A: bcd\r\n\r\nxy\r\n"), 6 },
		{ SPAN("A: b\r\n\r\nxyzxyz"), 6 },
		{ SPAN("A: b\r\n\r\nxy\nz\rxyz\r\n"), 8 },
		{ SPAN("A: b\r\n\r\nxyzxy\r\r\n"), 6 },
		{ SPAN("A: b\r\n\r\n12345\n\r\n"), 6 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct message_header h = scan(cases[i].content);

		assert_int_equal(h.line_len_max, cases[i].want);
	}
}

/* n bytes of header, in lines of 64 bytes. */
static struct message_header scan_large(size_t n, size_t piece)
{
	char *content = mem_alloc(n + 32);
	struct message_header h;

	for (size_t i = 0; i < n; i++)
		content[i] = "X: y"[i % 64 < 4 ? i % 64 : 3];
	for (size_t i = 62; i < n; i += 64)
		memcpy(content + i, "\r\n", 2);
	memcpy(content + n,
	    "\r\nb\xff"
	    "dy\r\n",
	    9);
	h = scan_pieces(span_of(content, n + 8), piece);
	mem_free(content);
	return h;
}

static void a_header_is_looked_at_up_to_the_limit(void **state)
{
	static const size_t pieces[] = { 1, 1000, 65536, 1 << 20 };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct message_header h = scan_large(MESSAGE_HEADER_SIZE_MAX - 64, pieces[i]);

		assert_int_equal(h.shape, MESSAGE_HEADER_PROPER);
		assert_int_equal(h.header_len, MESSAGE_HEADER_SIZE_MAX - 64);
		h = scan_large(MESSAGE_HEADER_SIZE_MAX, pieces[i]);
		assert_int_equal(h.shape, MESSAGE_HEADER_TOO_LARGE);
		assert_int_equal(h.header_len, MESSAGE_HEADER_SIZE_MAX);
		assert_true(h.eight_bit_body);
		assert_false(h.eight_bit_header);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shape_is_recognised),
		cmocka_unit_test(every_prefix_is_decided),
		cmocka_unit_test(the_shape_is_decided_as_soon_as_it_can_be),
		cmocka_unit_test(fields_are_found_by_their_whole_name),
		cmocka_unit_test(received_fields_are_counted),
		cmocka_unit_test(values_are_kept_unfolded),
		cmocka_unit_test(a_long_value_is_cut),
		cmocka_unit_test(eight_bit_is_told_apart_for_header_and_body),
		cmocka_unit_test(the_longest_line_excludes_its_line_end),
		cmocka_unit_test(a_header_is_looked_at_up_to_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
