/* SPDX-License-Identifier: MIT */
#include "smtp/reply.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void assert_text(struct span got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.data, want, got.len);
}

/* RFC 2034, 4: the class of the enhanced status is that of the code. */
static void every_reply_is_whole(void **state)
{
	for (int id = 0; id < SMTP_REPLY_COUNT; id++) {
		const struct smtp_reply *reply = smtp_reply_get(id);

		assert_in_range(reply->code, 200, 559);
		assert_non_null(reply->text);
		assert_null(strchr(reply->text, '%'));
		if (reply->enhanced)
			assert_int_equal(reply->enhanced[0], '0' + reply->code / 100);
		else
			assert_true(reply->code < 400);
	}
}

static const struct append_case {
	enum smtp_reply_id id;
	struct span text;
	const char *want;
} append_cases[] = {
	{ SMTP_REPLY_BYE, SPAN(""), "221 2.0.0 Bye\r\n" },
	{ SMTP_REPLY_CHALLENGE, SPAN(""), "334 \r\n" },
	{ SMTP_REPLY_MESSAGE_KEPT, SPAN("Kept as x1"), "250 2.0.0 Kept as x1\r\n" },
	{ SMTP_REPLY_AUTH_REJECTED, SPAN("a\r\n250 b\0\xff"), "535 5.7.8 a??250 b??\r\n" },
};

static void a_reply_is_printable_lines(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(append_cases); i++) {
		struct buf b;

		buf_init(&b, 10000);
		assert_true(smtp_reply_append(&b, append_cases[i].id, append_cases[i].text));
		assert_text(buf_span(&b), append_cases[i].want);
		buf_fini(&b);
	}
}

static void assert_lines(struct span lines, size_t *octets_out)
{
	*octets_out = 0;
	while (lines.len > 0) {
		size_t end = span_find_span(lines, SPAN("\r\n"));
		bool is_last = end + 2 == lines.len;

		assert_true(end < lines.len && end + 2 <= SMTP_REPLY_LINE_MAX);
		assert_true(
		    span_starts_with(lines, is_last ? SPAN("550 5.7.1 ") : SPAN("550-5.7.1 ")));
		*octets_out += end - strlen("550 5.7.1 ");
		lines = span_skip(lines, end + 2);
	}
}

/* Of any length, with blanks and without. */
static void long_texts_become_lines_of_512_octets(void **state)
{
	char text[3000];

	for (size_t len = 400; len <= sizeof(text); len += 7) {
		for (size_t blank = 0; blank <= 600; blank += 200) {
			struct buf b;
			size_t octets;

			memset(text, 'x', sizeof(text));
			for (size_t i = blank; blank && i < len; i += blank)
				text[i] = ' ';
			buf_init(&b, 10000);
			assert_true(
			    smtp_reply_append(&b, SMTP_REPLY_RELAYING_DENIED, span_of(text, len)));
			assert_lines(buf_span(&b), &octets);
			assert_in_range(
			    octets, (len < 2000 ? len : 2000) - 10, len < 2000 ? len : 2000);
			buf_fini(&b);
		}
	}
}

static void a_reply_that_does_not_fit_is_not_begun(void **state)
{
	for (size_t max = 1; max < 3000; max++) {
		char text[1900];
		struct buf b;

		memset(text, 'x', sizeof(text));
		buf_init(&b, max);
		if (!smtp_reply_append(&b, SMTP_REPLY_RELAYING_DENIED, span_of(text, 1900)))
			assert_int_equal(b.len, 0);
		else
			assert_true(span_ends_with_nocase(buf_span(&b), SPAN("x\r\n")));
		buf_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reply_is_whole),
		cmocka_unit_test(a_reply_is_printable_lines),
		cmocka_unit_test(long_texts_become_lines_of_512_octets),
		cmocka_unit_test(a_reply_that_does_not_fit_is_not_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
