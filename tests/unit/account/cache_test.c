/* SPDX-License-Identifier: MIT */
#include "account/cache.h"

#include "base/memory.h"

#include <pthread.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static struct account_cache_key key_of(const struct account_cache *cache, const char *login,
    const char *password, const char *credential)
{
	struct account_cache_key key;
	account_cache_key_make(cache, span_from_string(login), span_from_string(password),
	    span_from_string(credential), &key);
	return key;
}

static void an_entry_is_found_until_its_time_is_over(void **state)
{
	struct account_cache *cache = account_cache_create(8, 1000);
	struct account_cache_key key = key_of(cache, "anna", "secret", "$y$1");
	assert_false(account_cache_has(cache, &key, 5000));
	account_cache_store(cache, &key, 5000);
	assert_true(account_cache_has(cache, &key, 5000));
	assert_true(account_cache_has(cache, &key, 5999));
	assert_false(account_cache_has(cache, &key, 6000));
	account_cache_store(cache, &key, 6000);
	assert_true(account_cache_has(cache, &key, 6999));
	account_cache_destroy(&cache);
	account_cache_destroy(&cache);
}

static void every_part_of_the_key_counts(void **state)
{
	struct account_cache *cache = account_cache_create(64, 1000);
	struct account_cache_key key = key_of(cache, "anna", "secret", "$y$1");
	account_cache_store(cache, &key, 1);
	static const char *const others[][3] = {
		{ "bob", "secret", "$y$1" },
		{ "anna", "Secret", "$y$1" },
		{ "anna", "secret", "$y$2" },
		{ "annas", "ecret", "$y$1" },
		{ "anna", "secret$", "y$1" },
		{ "", "annasecret", "$y$1" },
	};
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct account_cache_key other =
		    key_of(cache, others[i][0], others[i][1], others[i][2]);
		assert_false(account_cache_has(cache, &other, 1));
	}
	key = key_of(cache, "anna", "secret", "$y$1");
	assert_true(account_cache_has(cache, &key, 1));
	account_cache_destroy(&cache);
}

static void another_cache_has_another_key(void **state)
{
	struct account_cache *a = account_cache_create(4, 1000);
	struct account_cache *b = account_cache_create(4, 1000);
	struct account_cache_key in_a = key_of(a, "anna", "secret", "$y$1");
	struct account_cache_key in_b = key_of(b, "anna", "secret", "$y$1");
	assert_memory_not_equal(in_a.bytes, in_b.bytes, sizeof(in_a.bytes));
	account_cache_destroy(&a);
	account_cache_destroy(&b);
}

/* Four places in all: the fifth takes that of the entry which ends first. */
static void the_entry_that_ends_first_makes_room(void **state)
{
	struct account_cache *cache = account_cache_create(4, 1000);
	struct account_cache_key keys[5];
	static const char *const logins[] = { "a", "b", "c", "d", "e" };
	static const int64_t times[] = { 30, 10, 20, 40, 50 };
	for (size_t i = 0; i < 5; i++) {
		keys[i] = key_of(cache, logins[i], "x", "y");
		account_cache_store(cache, &keys[i], times[i]);
	}
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(account_cache_has(cache, &keys[i], 60), i != 1);
	account_cache_destroy(&cache);
}

static void a_key_stands_in_the_table_once(void **state)
{
	struct account_cache *cache = account_cache_create(4, 1000);
	struct account_cache_key a = key_of(cache, "a", "x", "y"), b = key_of(cache, "b", "x", "y");
	account_cache_store(cache, &b, 1);
	for (int i = 2; i < 12; i++)
		account_cache_store(cache, &a, i);
	assert_true(account_cache_has(cache, &b, 900));
	account_cache_destroy(&cache);
}

static void *use(void *context)
{
	struct account_cache *cache = context;
	size_t found = 0;
	for (int i = 0; i < 2000; i++) {
		char login[2] = { (char)('a' + i % 16), '\0' };
		struct account_cache_key key = key_of(cache, login, "x", "y");
		account_cache_store(cache, &key, i + 1);
		found += account_cache_has(cache, &key, i + 1);
	}
	return (void *)(uintptr_t)found;
}

static void threads_share_it(void **state)
{
	struct account_cache *cache = account_cache_create(256, 1000000);
	pthread_t threads[3];
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use, cache), 0);
	for (size_t i = 0; i < 3; i++) {
		void *found;
		pthread_join(threads[i], &found);
		assert_true((uintptr_t)found > 1000);
	}
	account_cache_destroy(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_is_found_until_its_time_is_over),
		cmocka_unit_test(every_part_of_the_key_counts),
		cmocka_unit_test(another_cache_has_another_key),
		cmocka_unit_test(the_entry_that_ends_first_makes_room),
		cmocka_unit_test(a_key_stands_in_the_table_once),
		cmocka_unit_test(threads_share_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
