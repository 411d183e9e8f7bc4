/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "relay/learned.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[] = "/tmp/frank-learned-XXXXXX";
static char path[64];

static int make(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/hops.json", directory);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory); /* nothing else was left in it */
}

static struct upstream_learned example(void)
{
	struct upstream_learned learned = {
		.greeted = true,
		.mechanism = "LOGIN",
		.tls_version = "TLSv1.3",
		.last_ok_ms = 1800000000123,
		.last_failure_ms = 1700000000456,
		.last_failure = "535 \"no\"",
		.falls_over_ahead = true,
	};

	learned.memory.way[SASL_MECHANISM_LOGIN] = SASL_WAY_WITHOUT_INITIAL;
	learned.memory.way[SASL_MECHANISM_PLAIN] = SASL_WAY_WITH_INITIAL;
	learned.memory.failed[SASL_MECHANISM_NTLM] = true;
	return learned;
}

static json_t *hops_of(const struct upstream_learned *learned)
{
	return json_pack("[o]", learned_hop_json("smtp://a.example as up", learned));
}

static void what_is_saved_comes_back(void **state)
{
	struct upstream_learned before = example(), after;
	json_t *hops = hops_of(&before), *again;
	struct fault fault;
	const char *key;

	assert_true(learned_save(path, hops, &fault));
	again = learned_load(path, &fault);
	assert_non_null(again);
	assert_int_equal(json_array_size(again), 1);
	assert_true(learned_hop_read(json_array_get(again, 0), &key, &after));
	assert_string_equal(key, "smtp://a.example as up");
	assert_memory_equal(&after.memory, &before.memory, sizeof(after.memory));
	assert_string_equal(after.mechanism, "LOGIN");
	assert_string_equal(after.last_failure, "535 \"no\"");
	assert_true(after.falls_over_ahead);
	assert_true(after.last_ok_ms == before.last_ok_ms);
	assert_true(after.last_failure_ms == before.last_failure_ms);
	assert_false(after.greeted); /* extensions and TLS are learned anew */
	json_decref(hops);
	json_decref(again);
}

static void a_hop_that_was_never_reached_is_not_kept(void **state)
{
	struct upstream_learned nothing = { 0 };

	assert_null(learned_hop_json("smtp://a.example", &nothing));
}

static void write_file(struct span text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.data, text.len), text.len);
	close(fd);
}

static void a_file_cut_short_is_refused_as_a_whole(void **state)
{
	struct upstream_learned learned = example();
	json_t *hops = hops_of(&learned);
	json_t *whole = json_pack("{s:i, s:o}", "version", 1, "hops", hops);
	char *text = json_dumps(whole, 0);
	struct fault fault;

	for (size_t len = 0; len < strlen(text); len++) {
		write_file(span_of(text, len));
		assert_null(learned_load(path, &fault));
		assert_int_equal(fault.kind, FAULT_LOCAL);
		assert_non_null(strstr(fault.text, "makes no sense"));
	}
	json_decref(whole);
	free(text);
}

static void no_file_is_no_fault(void **state)
{
	struct fault fault;

	unlink(path);
	assert_null(learned_load(path, &fault));
	assert_int_equal(fault.kind, FAULT_NONE);
}

static void what_makes_no_sense_in_an_entry_is_passed_over(void **state)
{
	static const char *const entries[] = {
		"{}",
		"{\"hop\": 5}",
		"{\"hop\": \"\"}",
		"[]",
		"null",
	};
	static const char odd[] =
	    "{\"hop\": \"x\", \"worked\": \"NONSENSE\", \"initial_response\": [1], "
	    "\"not_understood\": {\"a\": 1}, \"last_ok_ms\": \"y\", \"failure\": 7}";
	struct upstream_learned learned;
	const char *key;
	json_t *object;

	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		object = json_loads(entries[i], JSON_DECODE_ANY, NULL);
		assert_non_null(object);
		assert_false(learned_hop_read(object, &key, &learned));
		json_decref(object);
	}
	object = json_loads(odd, 0, NULL);
	assert_true(learned_hop_read(object, &key, &learned));
	assert_string_equal(learned.mechanism, "");
	assert_true(learned.last_ok_ms == 0);
	json_decref(object);
}

static void a_directory_that_is_not_there_is_named(void **state)
{
	struct upstream_learned learned = example();
	json_t *hops = hops_of(&learned);
	struct fault fault;

	assert_false(learned_save("/nowhere/hops.json", hops, &fault));
	assert_non_null(strstr(fault.text, "/nowhere/hops.json cannot be written"));
	json_decref(hops);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_saved_comes_back),
		cmocka_unit_test(a_hop_that_was_never_reached_is_not_kept),
		cmocka_unit_test(a_file_cut_short_is_refused_as_a_whole),
		cmocka_unit_test(no_file_is_no_fault),
		cmocka_unit_test(what_makes_no_sense_in_an_entry_is_passed_over),
		cmocka_unit_test(a_directory_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
