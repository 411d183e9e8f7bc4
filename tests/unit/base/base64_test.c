/* SPDX-License-Identifier: MIT */
#include "base/base64.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static const struct {
	struct span bytes, text;
} vectors[] = {
	/* RFC 4648, 10, and our own */
	{ SPAN(""), SPAN("") },
	{ SPAN("f"), SPAN("Zg==") },
	{ SPAN("fo"), SPAN("Zm8=") },
	{ SPAN("foo"), SPAN("Zm9v") },
	{ SPAN("foob"), SPAN("Zm9vYg==") },
	{ SPAN("fooba"), SPAN("Zm9vYmE=") },
	{ SPAN("foobar"), SPAN("Zm9vYmFy") },
	{ SPAN("\0user\0pass"), SPAN("AHVzZXIAcGFzcw==") },
	{ SPAN("\xff\xfe\xfd\xfb\xef\xbe"), SPAN("//79++++") },
};

static void the_vectors_go_both_ways(void **state)
{
	struct buf b;

	buf_init(&b, 100);
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		buf_clear(&b);
		assert_true(base64_encode(&b, vectors[i].bytes));
		assert_true(span_equal(buf_span(&b), vectors[i].text));
		buf_clear(&b);
		assert_true(base64_decode(&b, vectors[i].text));
		assert_true(span_equal(buf_span(&b), vectors[i].bytes));
	}
	buf_fini(&b);
}

static void malformed_text_is_refused_and_leaves_no_trace(void **state)
{
	static const struct span malformed[] = {
		SPAN("Z"),
		SPAN("Zg"),
		SPAN("Zg="),
		SPAN("Zg==="),
		SPAN("="),
		SPAN("===="),
		SPAN("Z==="),
		SPAN("=g=="),
		SPAN("Zg=g"),
		SPAN("Zg==Zg=="),
		SPAN("Zm9=Zm9v"),
		SPAN("Zm8=\n"),
		SPAN("Zm 8"),
		SPAN(" Zm8"),
		SPAN("Zm9v\r\n"),
		SPAN("Zm9\0"),
		SPAN("Zm-_"),
		SPAN("Zm9\xff"),
		SPAN("Zh=="),
		SPAN("Zm9="),
		SPAN("/x=="),
	};
	struct buf b;

	buf_init(&b, 100);
	buf_append_string(&b, "x");
	for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
		assert_false(base64_decode(&b, malformed[i]));
		assert_string_equal(buf_string(&b), "x");
	}
	buf_fini(&b);
}

static void every_byte_outside_the_alphabet_is_refused(void **state)
{
	struct buf b;
	int valid = 0;

	buf_init(&b, 1000);
	for (int i = 0; i < 256; i++) {
		char text[8] = { 'A', 'A', (char)i, 'A', 'A', 'A', 'A', 'A' };

		valid += base64_decode(&b, span_of(text, 8));
	}
	assert_int_equal(valid, 64);
	buf_fini(&b);
}

static void the_ceiling_holds(void **state)
{
	struct buf b;

	buf_init(&b, 3);
	assert_false(base64_encode(&b, SPAN("f")));
	assert_false(base64_decode(&b, SPAN("Zm9vYg==")));
	assert_int_equal(b.len, 0);
	assert_true(base64_decode(&b, SPAN("Zm9v")));
	buf_fini(&b);
}

static void a_refused_secret_is_wiped(void **state)
{
	struct buf b;

	buf_init_secret(&b, 100);
	assert_false(base64_decode(&b, SPAN("c2VjcmV0c2VjcmV0!!!!")));
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(b.data[i], 0);
	buf_fini(&b);
}

static void all_lengths_go_round(void **state)
{
	char bytes[256];
	struct buf text, back;

	buf_init(&text, 1000);
	buf_init(&back, 1000);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 151 + 7);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		buf_clear(&text);
		buf_clear(&back);
		assert_true(base64_encode(&text, span_of(bytes, len)));
		assert_true(base64_decode(&back, buf_span(&text)));
		assert_true(span_equal(buf_span(&back), span_of(bytes, len)));
	}
	buf_fini(&text);
	buf_fini(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_go_both_ways),
		cmocka_unit_test(malformed_text_is_refused_and_leaves_no_trace),
		cmocka_unit_test(every_byte_outside_the_alphabet_is_refused),
		cmocka_unit_test(the_ceiling_holds),
		cmocka_unit_test(a_refused_secret_is_wiped),
		cmocka_unit_test(all_lengths_go_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
