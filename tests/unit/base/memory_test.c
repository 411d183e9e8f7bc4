/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void memory_comes_zeroed(void **state)
{
	static const char zeros[256];
	char *dirty = mem_alloc(256), *clean;

	memset(dirty, 0xee, 256);
	mem_free(dirty);
	clean = mem_alloc_array(16, 16);
	assert_memory_equal(clean, zeros, 256);
	mem_free(clean);
}

static void nothing_can_be_asked_for(void **state)
{
	void *a = mem_alloc(0), *b = mem_realloc(NULL, 0), *c = mem_dup(NULL, 0);

	assert_non_null(a);
	assert_non_null(b);
	assert_string_equal(c, "");
	mem_free(a);
	mem_free(b);
	mem_free(c);
	mem_free(NULL);
}

static void a_copy_has_one_nul_behind_it(void **state)
{
	char *copy = mem_dup("abc", 2);

	assert_memory_equal(copy, "ab\0", 3);
	mem_free(copy);
	copy = mem_strdup("text");
	assert_string_equal(copy, "text");
	mem_free(copy);
	assert_null(mem_strdup(NULL));
}

static void wiping_overwrites_exactly_len_bytes(void **state)
{
	char bytes[4] = { 1, 2, 3, 4 };

	mem_wipe(bytes + 1, 2);
	assert_memory_equal(bytes, "\1\0\0\4", 4);
	mem_wipe(NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_comes_zeroed),
		cmocka_unit_test(nothing_can_be_asked_for),
		cmocka_unit_test(a_copy_has_one_nul_behind_it),
		cmocka_unit_test(wiping_overwrites_exactly_len_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
