/* SPDX-License-Identifier: MIT */
#include "base/crc32c.h"
#include "base/memory.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* By the definition, one bit at a time: what both forms are held against. */
static uint32_t by_definition(uint32_t crc, const char *bytes, size_t len)
{
	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned char)bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	return ~crc;
}

static void the_vectors_of_the_rfc_come_out(void **state)
{
	char bytes[32];

	assert_int_equal(crc32c(0, SPAN("123456789")), 0xe3069283);
	assert_int_equal(crc32c(0, SPAN("")), 0);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc32c(0, span_of(bytes, 32)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(0, span_of(bytes, 32)), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		bytes[i] = (char)i;
	assert_int_equal(crc32c(0, span_of(bytes, 32)), 0x46dd794e);
}

static void pieces_give_the_same_as_the_whole(void **state)
{
	char bytes[200];
	uint32_t seed = 0xdeadbeef;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 37 + 11);
	for (size_t at = 0; at <= sizeof(bytes); at++) {
		struct span whole = span_of(bytes, sizeof(bytes));
		uint32_t crc = crc32c(seed, span_head(whole, at));

		assert_int_equal(crc, by_definition(seed, bytes, at));
		assert_int_equal(crc32c(crc, span_skip(whole, at)), crc32c(seed, whole));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_the_rfc_come_out),
		cmocka_unit_test(pieces_give_the_same_as_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
