/* SPDX-License-Identifier: MIT */
#include "base/buf.h"
#include "base/memory.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void assert_holds(const struct buf *b, const char *want)
{
	assert_true(span_equal(buf_span(b), span_from_string(want)));
}

static void an_append_past_the_ceiling_changes_nothing(void **state)
{
	struct buf b;

	buf_init(&b, 5);
	assert_true(buf_append_string(&b, "abc"));
	assert_false(buf_append_string(&b, "def"));
	assert_false(buf_printf(&b, "%d", 100));
	assert_null(buf_reserve(&b, 3));
	assert_holds(&b, "abc");
	assert_true(buf_append_string(&b, "de"));
	assert_false(buf_append_byte(&b, 'f'));
	assert_string_equal(buf_string(&b), "abcde");
	buf_fini(&b);
}

static void consumed_bytes_make_room_under_the_ceiling(void **state)
{
	struct buf b;

	buf_init(&b, 8);
	assert_true(buf_append_string(&b, "12345678"));
	for (int i = 0; i < 100; i++) {
		buf_consume(&b, 3);
		assert_true(buf_append_string(&b, "abc"));
		assert_int_equal(b.len, 8);
		assert_true(b.capacity <= 9);
	}
	assert_holds(&b, "bcabcabc");
	buf_fini(&b);
}

/* The bytes of a stream come out as they went in, whatever is consumed in between. */
static void a_stream_passes_unchanged(void **state)
{
	unsigned in = 0, out = 0, dice = 1;
	struct buf b;

	buf_init(&b, 1000);
	for (int turn = 0; turn < 20000; turn++) {
		dice = dice * 1103515245 + 12345;
		for (unsigned n = dice >> 16 & 31; n && b.len < 1000; n--)
			assert_true(buf_append_byte(&b, (char)in++));
		dice = dice * 1103515245 + 12345;
		for (unsigned n = dice >> 16 & 31; n && b.len; n--) {
			assert_int_equal(buf_span(&b).data[0], (char)out++);
			buf_consume(&b, 1);
		}
		assert_int_equal(b.len, in - out);
	}
	buf_fini(&b);
}

static void an_empty_buf_holds_no_memory(void **state)
{
	struct buf b;

	buf_init(&b, 100);
	assert_null(b.data);
	assert_int_equal(buf_span(&b).len, 0);
	assert_true(buf_append(&b, SPAN("")));
	assert_null(b.data);
	assert_true(buf_append_string(&b, "abc"));
	buf_release(&b);
	assert_holds(&b, "abc");
	buf_consume(&b, 3);
	assert_int_equal(b.start, 0);
	buf_release(&b);
	assert_null(b.data);
	assert_int_equal(b.max, 100);
	buf_fini(&b);
}

static void text_is_formatted_at_the_end(void **state)
{
	struct buf b;

	buf_init(&b, 1000);
	assert_true(buf_printf(&b, "%s-%03d;", "a", 7));
	assert_true(buf_printf(&b, "%200s", "x"));
	assert_int_equal(b.len, 206);
	buf_truncate(&b, 6);
	assert_holds(&b, "a-007;");
	buf_clear(&b);
	assert_holds(&b, "");
	assert_string_equal(buf_string(&b), "");
	buf_fini(&b);
}

static void reserved_room_counts_when_committed(void **state)
{
	struct buf b;
	char *room;

	buf_init(&b, 100);
	room = buf_reserve(&b, 50);
	memcpy(room, "hello", 5);
	assert_int_equal(b.len, 0);
	buf_commit(&b, 5);
	assert_holds(&b, "hello");
	assert_non_null(buf_reserve(&b, 95));
	assert_null(buf_reserve(&b, 96));
	buf_fini(&b);
}

static void a_string_can_be_taken_out(void **state)
{
	struct buf b;
	char *string;

	buf_init(&b, 100);
	buf_append_string(&b, "xxhello");
	buf_consume(&b, 2);
	string = buf_take_string(&b);
	assert_string_equal(string, "hello");
	mem_free(string);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	string = buf_take_string(&b);
	assert_string_equal(string, "");
	mem_free(string);
	buf_fini(&b);
}

static void assert_wiped(const char *memory, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(memory[i], 0);
}

static void a_secret_buf_wipes_what_it_leaves(void **state)
{
	struct buf b;

	buf_init_secret(&b, 64);
	buf_append_string(&b, "password-and-more");
	buf_consume(&b, 8);
	assert_wiped(b.data, 8);
	assert_holds(&b, "-and-more");
	buf_truncate(&b, 4);
	assert_wiped(b.data + 12, 5);
	buf_clear(&b);
	assert_wiped(b.data, 17);
	buf_append_string(&b, "0123456789012345678901234567890123456789012345678901234567890123");
	buf_consume(&b, 40);
	buf_append_string(&b, "abcd"); /* moves to the front */
	assert_int_equal(b.start, 0);
	assert_wiped(b.data + b.len, b.capacity - b.len);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_append_past_the_ceiling_changes_nothing),
		cmocka_unit_test(consumed_bytes_make_room_under_the_ceiling),
		cmocka_unit_test(a_stream_passes_unchanged),
		cmocka_unit_test(an_empty_buf_holds_no_memory),
		cmocka_unit_test(text_is_formatted_at_the_end),
		cmocka_unit_test(reserved_room_counts_when_committed),
		cmocka_unit_test(a_string_can_be_taken_out),
		cmocka_unit_test(a_secret_buf_wipes_what_it_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
