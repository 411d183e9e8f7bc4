/* SPDX-License-Identifier: MIT */
#include "base/map.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static int values[2000];

static void a_value_is_found_until_it_is_removed(void **state)
{
	struct map *m = map_create();

	assert_null(map_get(m, SPAN("a")));
	assert_null(map_remove(m, SPAN("a")));
	assert_null(map_set(m, SPAN("a"), &values[1]));
	assert_ptr_equal(map_set(m, SPAN("a"), &values[2]), &values[1]);
	assert_int_equal(map_count(m), 1);
	assert_ptr_equal(map_get(m, SPAN("a")), &values[2]);
	assert_ptr_equal(map_remove(m, SPAN("a")), &values[2]);
	assert_null(map_get(m, SPAN("a")));
	assert_int_equal(map_count(m), 0);
	map_destroy(&m, NULL);
	assert_null(m);
	map_destroy(&m, NULL);
}

static void keys_are_bytes_and_are_copied(void **state)
{
	static const struct span keys[] = {
		SPAN(""),
		SPAN("\0"),
		SPAN("\0\0"),
		SPAN("a\0b"),
		SPAN("sixteen bytes!!!"),
		SPAN("seventeen bytes!!"),
		SPAN("a key that is longer than what fits inside a slot"),
	};
	struct map *m = map_create();
	char key[64];

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		memcpy(key, keys[i].data, keys[i].len);
		assert_null(map_set(m, span_of(key, keys[i].len), &values[i]));
		memset(key, 'x', sizeof(key));
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_ptr_equal(map_get(m, keys[i]), &values[i]);
	for (size_t i = 1; i < ARRAY_LEN(keys); i++)
		assert_ptr_equal(map_remove(m, keys[i]), &values[i]);
	assert_ptr_equal(map_get(m, keys[0]), &values[0]);
	map_destroy(&m, NULL);
}

/* Against an array that says the same. */
static void many_changes_leave_what_was_set(void **state)
{
	struct map *m = map_create();
	int *expected[2000] = { 0 };
	unsigned dice = 7;
	size_t count = 0;

	for (int turn = 0; turn < 100000; turn++) {
		uint64_t key;
		int *before;

		dice = dice * 1103515245 + 12345;
		key = dice >> 8 & 1023;
		before = expected[key];
		expected[key] = dice & 1 << 20 ? &values[turn % 2000] : NULL;
		if (expected[key])
			assert_ptr_equal(map_set(m, MAP_KEY(key), expected[key]), before);
		else
			assert_ptr_equal(map_remove(m, MAP_KEY(key)), before);
		count += (expected[key] != NULL) - (before != NULL);
		assert_int_equal(map_count(m), count);
	}
	for (uint64_t key = 0; key < 2000; key++)
		assert_ptr_equal(map_get(m, MAP_KEY(key)), expected[key]);
	map_destroy(&m, NULL);
}

static void a_walk_meets_each_entry_once_and_may_remove_it(void **state)
{
	struct map *m = map_create();
	int met[500] = { 0 };
	size_t position = 0;
	struct span key;
	void *value;

	for (uint64_t i = 0; i < 500; i++)
		map_set(m, MAP_KEY(i), &values[i]);
	while (map_next(m, &position, &key, &value)) {
		uint64_t i;

		memcpy(&i, key.data, sizeof(i));
		assert_ptr_equal(value, &values[i]);
		met[i]++;
		if (i % 3)
			assert_ptr_equal(map_remove(m, MAP_KEY(i)), value);
	}
	for (size_t i = 0; i < 500; i++)
		assert_int_equal(met[i], 1);
	assert_int_equal(map_count(m), 167);
	map_destroy(&m, NULL);
}

static int freed;

static void count_free(void *value)
{
	freed++;
	mem_free(value);
}

static void destroying_frees_each_value(void **state)
{
	struct map *m = map_create();
	char key[32];

	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "a key outside the slot %d", i);
		map_set(m, span_from_string(key), mem_alloc(1));
	}
	freed = 0;
	map_destroy(&m, count_free);
	assert_int_equal(freed, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_found_until_it_is_removed),
		cmocka_unit_test(keys_are_bytes_and_are_copied),
		cmocka_unit_test(many_changes_leave_what_was_set),
		cmocka_unit_test(a_walk_meets_each_entry_once_and_may_remove_it),
		cmocka_unit_test(destroying_frees_each_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
