/* SPDX-License-Identifier: MIT */
#include "message/part.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static struct buf whole;

static const char *part(struct span content)
{
	struct message_part part = { .type = "text/plain", .description = "A test" };

	buf_init(&part.content, 100000);
	assert_true(buf_append(&part.content, content));
	buf_clear(&whole);
	assert_true(message_part_append(&whole, "=_b", &part));
	buf_fini(&part.content);
	return buf_string(&whole);
}

#define HEAD                                                                                       \
	"\r\n--=_b\r\nContent-Type: text/plain\r\nContent-Description: A test\r\n"                 \
	"Content-Transfer-Encoding: "

static void plain_content_stands_as_it_is(void **state)
{
	assert_string_equal(part(SPAN("a = b \r\n\tc\r\n")), HEAD "7bit\r\n\r\na = b \r\n\tc\r\n");
	assert_string_equal(part(SPAN("")), HEAD "7bit\r\n\r\n");
}

static void other_content_is_quoted(void **state)
{
	static const struct {
		struct span content;
		const char *want;
	} cases[] = {
		{ SPAN("Gr\xc3\xbc\xc3\x9f"
		       "e = x\r\n"),
		    "Gr=C3=BC=C3=9Fe =3D x\r\n" },
		{ SPAN("\0\x1b\x7f\r\n"), "=00=1B=7F\r\n" },
		{ SPAN("a\nb\r\n"), "a=0Ab\r\n" },
		{ SPAN("a\rb\r\n"), "a=0Db\r\n" },
		{ SPAN("a\r"), "a=0D" },
		{ SPAN("\xff \r\n a\t\r\nb "), "=FF=20\r\n a=09\r\nb=20" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *text = part(cases[i].content);

		assert_memory_equal(text, HEAD "quoted-printable\r\n\r\n", sizeof(HEAD) + 19);
		assert_string_equal(text + sizeof(HEAD) + 19, cases[i].want);
	}
}

static void a_line_too_long_is_quoted(void **state)
{
	char line[1001];
	struct span rest, piece;

	memset(line, 'a', sizeof(line));
	memcpy(line + 998, "\r\n", 2);
	assert_non_null(strstr(part(span_of(line, 1000)), "7bit"));
	memcpy(line + 998, "a\r\n", 3);
	rest = span_from_string(part(span_of(line, 1001)));
	assert_true(span_find_span(rest, SPAN("quoted-printable")) < rest.len);
	while (span_take_until(&rest, '\n', &piece))
		assert_true(piece.len <= 77);
}

/* Decodes what was quoted, for contents of all kinds of bytes. */
static void quoting_loses_nothing(void **state)
{
	char content[500], back[sizeof(content)];
	unsigned dice = 11;

	for (int turn = 0; turn < 200; turn++) {
		size_t len = 0;
		const char *at;

		for (size_t i = 0; i < sizeof(content); i++) {
			static const char often[] = "\r\n\r\n \t=a";

			dice = dice * 1103515245 + 12345;
			content[i] = dice & 1 << 20 ? often[dice >> 24 & 7] : (char)(dice >> 8);
		}
		content[0] = '\0';
		at = part(span_of(content, sizeof(content))) + sizeof(HEAD) + 19;
		while (*at) {
			unsigned byte;

			assert_true(len < sizeof(back) || strcmp(at, "=\r\n") == 0);
			if (strncmp(at, "=\r\n", 3) == 0) {
				at += 3;
			} else if (*at == '=') {
				assert_int_equal(sscanf(at, "=%2X", &byte), 1);
				back[len++] = (char)byte;
				at += 3;
			} else {
				back[len++] = *at++;
			}
		}
		assert_int_equal(len, sizeof(content));
		assert_memory_equal(back, content, len);
	}
}

static void the_boundary_occurs_in_no_part(void **state)
{
	struct message_part parts[2] = { { "a/b", "x" }, { "a/b", "x" } };
	char first[MESSAGE_BOUNDARY_SIZE], second[MESSAGE_BOUNDARY_SIZE];
	char third[MESSAGE_BOUNDARY_SIZE];

	buf_init(&parts[0].content, 1000);
	buf_init(&parts[1].content, 1000);
	message_boundary_choose(first, 7, parts, 2);
	buf_printf(&parts[1].content, "x\r\n--%s\r\n", first);
	message_boundary_choose(second, 7, parts, 2);
	assert_string_not_equal(first, second);
	buf_printf(&parts[0].content, "%s", second);
	message_boundary_choose(third, 7, parts, 2);
	assert_string_not_equal(first, third);
	assert_string_not_equal(second, third);
	assert_non_null(strstr(third, "=_"));
	buf_fini(&parts[0].content);
	buf_fini(&parts[1].content);
}

static int init_whole(void **state)
{
	buf_init(&whole, 100000);
	return 0;
}

static int free_whole(void **state)
{
	buf_fini(&whole);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_content_stands_as_it_is),
		cmocka_unit_test(other_content_is_quoted),
		cmocka_unit_test(a_line_too_long_is_quoted),
		cmocka_unit_test(quoting_loses_nothing),
		cmocka_unit_test(the_boundary_occurs_in_no_part),
	};

	return cmocka_run_group_tests(tests, init_whole, free_whole);
}
