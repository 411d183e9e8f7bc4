/* SPDX-License-Identifier: MIT */
#include "cli/send.h"

#include "base/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* Reads the bytes as from a file. */
static void read_back(struct span bytes, struct send_message *message)
{
	char path[64];
	struct fault fault;
	int fd = memfd_create("message", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes.data, bytes.len), bytes.len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_true(send_message_read(message, path, &fault));
	close(fd);
}

static void line_ends_become_crlf_and_nothing_else_changes(void **state)
{
	static const struct {
		struct span in, out;
		unsigned mended;
	} cases[] = {
		{ SPAN(""), SPAN(""), 0 },
		{ SPAN("a: b\r\n\r\nc\r\n"), SPAN("a: b\r\n\r\nc\r\n"), 0 },
		{ SPAN("a: b\n\nc\n"), SPAN("a: b\r\n\r\nc\r\n"), 3 },
		{ SPAN("\n"), SPAN("\r\n"), 1 },
		{ SPAN("a\rb\n\r"), SPAN("a\rb\r\n\r"), 1 },
		{ SPAN("\r\r\n\n"), SPAN("\r\r\n\r\n"), 1 },
		{ SPAN("no end"), SPAN("no end"), 0 },
		{ SPAN("\0\n\xff"), SPAN("\0\r\n\xff"), 1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct send_message message;
		read_back(cases[i].in, &message);
		assert_true(span_equal(buf_span(&message.content), cases[i].out));
		assert_int_equal(message.line_ends_mended, cases[i].mended);
		send_message_fini(&message);
	}
}

/* The reader takes pieces of 64 KiB: a CR may end one, and its LF begin the next. */
static void a_crlf_between_two_pieces_stays_one(void **state)
{
	enum { BEFORE = 65535 };
	char *text = mem_alloc(BEFORE + 3);
	struct send_message message;
	memset(text, 'x', BEFORE);
	memcpy(text + BEFORE, "\r\ny", 3);
	read_back(span_of(text, BEFORE + 3), &message);
	assert_true(span_equal(buf_span(&message.content), span_of(text, BEFORE + 3)));
	assert_int_equal(message.line_ends_mended, 0);
	send_message_fini(&message);
	mem_free(text);
}

static void header_and_bytes_above_127_are_noticed(void **state)
{
	static const struct {
		struct span in;
		bool has_header, eight_bit;
	} cases[] = {
		{ SPAN("Subject: x\r\n\r\nbody\r\n"), true, false },
		{ SPAN("Subject: x\r\n\r\nb\xc3\xb6"
		       "dy\r\n"),
		    true, true },
		{ SPAN("just text\r\n"), false, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct send_message message;
		read_back(cases[i].in, &message);
		assert_int_equal(message.has_header, cases[i].has_header);
		assert_int_equal(message.eight_bit, cases[i].eight_bit);
		send_message_fini(&message);
	}
}

static void make(
    struct send_message *message, const char *from, const char *subject, const char *body)
{
	static const struct span to[] = { SPAN("b@example.net"), SPAN("c@example.net") };
	send_message_make(message, from, to, 2, subject, body);
	assert_true(message->has_header);
	assert_int_equal(message->line_ends_mended, 0);
}

static void a_made_up_message_has_the_fields_it_needs(void **state)
{
	static const char *const wanted[] = {
		"Date: ",
		"From: <a@example.org>\r\n",
		"@example.org>\r\nSubject: hello\r\n",
		"To: <b@example.net>,\r\n <c@example.net>\r\n",
		"Message-ID: <",
		"\r\n\r\none\r\ntwo\r\n",
	};
	struct send_message message;
	make(&message, "a@example.org", "hello", "one\ntwo");
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		assert_non_null(strstr(buf_string(&message.content), wanted[i]));
	assert_null(strstr(buf_string(&message.content), "MIME-Version"));
	assert_false(message.eight_bit);
	send_message_fini(&message);
}

static void the_null_sender_still_has_a_from_field(void **state)
{
	struct send_message message;
	make(&message, "", "x", "y");
	assert_non_null(strstr(buf_string(&message.content), "From: <postmaster@localhost>\r\n"));
	send_message_fini(&message);
}

/* Each encoded-word stands for itself: no character is cut in two, no line is longer than 76. */
static void a_subject_in_utf_8_is_encoded_in_whole_characters(void **state)
{
	struct send_message message;
	make(&message, "a@example.org",
	    "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
	    "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
	    "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc",
	    "body \xc3\xbc");
	const char *text = buf_string(&message.content);
	/* 19 characters of two octets are 38: the 39th octet would be half of one. */
	assert_non_null(strstr(text, "Subject: =?UTF-8?B?"
				     "w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7w="
				     "?=\r\n =?UTF-8?B?w7zDvMO8w7zDvA==?=\r\n"));
	assert_non_null(strstr(text, "Content-Type: text/plain; charset=utf-8\r\n"));
	assert_true(message.eight_bit);
	send_message_fini(&message);
}

static void a_file_that_is_not_there_is_named(void **state)
{
	struct send_message message = { 0 };
	struct fault fault;
	assert_false(send_message_read(&message, "/nonexistent/file", &fault));
	assert_non_null(strstr(fault.text, "/nonexistent/file: No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_ends_become_crlf_and_nothing_else_changes),
		cmocka_unit_test(a_crlf_between_two_pieces_stays_one),
		cmocka_unit_test(header_and_bytes_above_127_are_noticed),
		cmocka_unit_test(a_made_up_message_has_the_fields_it_needs),
		cmocka_unit_test(the_null_sender_still_has_a_from_field),
		cmocka_unit_test(a_subject_in_utf_8_is_encoded_in_whole_characters),
		cmocka_unit_test(a_file_that_is_not_there_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
