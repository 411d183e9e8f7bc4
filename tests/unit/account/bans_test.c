/* SPDX-License-Identifier: MIT */
#include "account/bans.h"

#include "account/bans_file.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define MINUTE 60000LL
#define DAY (24 * 60 * MINUTE)
#define NOW (1000 * DAY)

static const struct account_ban_policy policy = {
	.automatic = true,
	.failures = 10,
	.address_failures = 30,
	.window_ms = 10 * MINUTE,
	.first_ms = 10 * MINUTE,
	.max_ms = DAY,
};

static struct account_address address_of(const char *text)
{
	struct account_address address;

	assert_true(account_address_parse(span_from_string(text), &address));
	return address;
}

static struct account_bans_outcome fail_once(
    struct account_bans *bans, const char *address, const char *login, int64_t now)
{
	struct account_address from = address_of(address);
	struct account_bans_outcome outcome;

	account_bans_failed(bans, &policy, &from, span_from_string(login), now, &outcome);
	return outcome;
}

static bool is_banned(
    struct account_bans *bans, const char *address, const char *login, int64_t now)
{
	struct account_address from = address_of(address);

	return account_bans_login(bans, &from, span_from_string(login), now);
}

static void ten_failures_ban_the_login_at_that_address(void **state)
{
	struct account_bans *bans = account_bans_create(100);

	for (int i = 0; i < 9; i++)
		assert_false(fail_once(bans, "192.0.2.1", "alice", NOW + i).login_banned);
	assert_false(is_banned(bans, "192.0.2.1", "alice", NOW + 9));
	assert_true(fail_once(bans, "192.0.2.1", "alice", NOW + 9).login_banned);
	assert_true(is_banned(bans, "192.0.2.1", "alice", NOW + 10));
	assert_false(is_banned(bans, "192.0.2.1", "bob", NOW + 10));
	assert_false(is_banned(bans, "192.0.2.2", "alice", NOW + 10));
	assert_false(is_banned(bans, "192.0.2.1", "", NOW + 10));
	assert_false(is_banned(bans, "192.0.2.1", "alice", NOW + 9 + 10 * MINUTE));
	account_bans_destroy(&bans);
}

static void failures_that_are_old_do_not_count(void **state)
{
	struct account_bans *bans = account_bans_create(100);

	for (int i = 0; i < 50; i++)
		assert_false(
		    fail_once(bans, "192.0.2.1", "alice", NOW + i * 2 * MINUTE).login_banned);
	account_bans_destroy(&bans);
}

static void thirty_failures_ban_the_address_with_its_network(void **state)
{
	struct account_bans *bans = account_bans_create(100);
	char login[16];

	for (int i = 0; i < 30; i++) {
		snprintf(login, sizeof(login), "user%d", i);
		assert_int_equal(
		    fail_once(bans, "2001:db8::1", login, NOW).address_banned, i == 29);
	}
	assert_true(is_banned(bans, "2001:db8::2", "", NOW + 1));
	assert_false(is_banned(bans, "2001:db8:0:1::1", "", NOW + 1));
	account_bans_destroy(&bans);
}

static void each_ban_is_twice_as_long_up_to_the_longest(void **state)
{
	static const int64_t minutes[] = { 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440 };
	struct account_bans *bans = account_bans_create(100);
	struct account_bans_outcome outcome = { 0 };
	int64_t now = NOW;

	for (size_t i = 0; i < ARRAY_LEN(minutes); i++) {
		for (int n = 0; n < 10; n++)
			outcome = fail_once(bans, "192.0.2.1", "alice", now);
		assert_true(outcome.login_banned);
		assert_int_equal(outcome.login_ban.times, i + 1);
		assert_int_equal(outcome.login_ban.until_ms - now, minutes[i] * MINUTE);
		now = outcome.login_ban.until_ms;
	}
	now += DAY;
	for (int n = 0; n < 10; n++)
		outcome = fail_once(bans, "192.0.2.1", "alice", now);
	assert_int_equal(outcome.login_ban.times, 1);
	account_bans_destroy(&bans);
}

static void a_success_forgives_and_exempts_the_address(void **state)
{
	struct account_bans *bans = account_bans_create(100);
	struct account_address from = address_of("192.0.2.1");

	for (int i = 0; i < 9; i++)
		fail_once(bans, "192.0.2.1", "alice", NOW);
	account_bans_succeeded(bans, &from, SPAN("alice"), NOW);
	for (int i = 0; i < 100; i++)
		assert_false(fail_once(bans, "192.0.2.1", "bob", NOW + 1).login_banned);
	for (int i = 0; i < 9; i++)
		assert_false(fail_once(bans, "192.0.2.1", "bob", NOW + DAY + MINUTE).login_banned);
	assert_true(fail_once(bans, "192.0.2.1", "bob", NOW + DAY + MINUTE).login_banned);
	account_bans_destroy(&bans);
}

static void who_has_no_address_is_never_banned(void **state)
{
	struct account_bans *bans = account_bans_create(100);
	struct account_address none = { { 0 } };
	struct account_bans_outcome outcome;

	for (int i = 0; i < 100; i++) {
		account_bans_failed(bans, &policy, &none, SPAN("alice"), NOW, &outcome);
		assert_false(outcome.login_banned || outcome.address_banned);
	}
	account_bans_destroy(&bans);
}

static void memory_is_bounded_and_bans_stay_longest(void **state)
{
	struct account_bans *bans = account_bans_create(20);
	char login[16];
	size_t count;

	for (int i = 0; i < 10; i++)
		fail_once(bans, "192.0.2.1", "alice", NOW);
	for (int i = 0; i < 1000; i++) {
		snprintf(login, sizeof(login), "10.0.%d.%d", i / 250, i % 250);
		fail_once(bans, login, "x", NOW);
	}
	assert_true(is_banned(bans, "192.0.2.1", "alice", NOW + 1));
	mem_free(account_bans_list(bans, NOW + 1, false, &count));
	assert_int_equal(count, 1);
	account_bans_destroy(&bans);
}

static void a_login_of_any_length_and_bytes_is_told_from_others(void **state)
{
	struct account_bans *bans = account_bans_create(100);
	struct account_address from = address_of("192.0.2.1");
	struct account_bans_outcome outcome;
	char login[1000];

	memset(login, 'x', sizeof(login));
	for (int i = 0; i < 10; i++)
		account_bans_failed(
		    bans, &policy, &from, span_of(login, sizeof(login)), NOW, &outcome);
	assert_true(outcome.login_banned);
	assert_true(account_bans_login(bans, &from, span_of(login, 500), NOW));
	assert_false(account_bans_login(bans, &from, span_of(login, 200), NOW));
	assert_false(account_bans_login(bans, &from, span_of("x\0y", 3), NOW));
	account_bans_destroy(&bans);
}

static void removing_ends_and_forgets(void **state)
{
	struct account_bans *bans = account_bans_create(100);
	struct account_address from = address_of("192.0.2.1");

	for (int i = 0; i < 10; i++) {
		fail_once(bans, "192.0.2.1", "alice", NOW);
		fail_once(bans, "192.0.2.1", "bob", NOW);
	}
	assert_int_equal(account_bans_remove(bans, &from, SPAN("alice"), NOW), 1);
	assert_false(is_banned(bans, "192.0.2.1", "alice", NOW));
	assert_true(is_banned(bans, "192.0.2.1", "bob", NOW));
	assert_int_equal(account_bans_remove(bans, &from, span_of(NULL, 0), NOW), 1);
	assert_int_equal(account_bans_remove(bans, &from, span_of(NULL, 0), NOW), 0);
	account_bans_destroy(&bans);
}

static void bans_come_back_from_their_file(void **state)
{
	struct account_bans *bans = account_bans_create(100), *again = account_bans_create(100);
	char directory[] = "/tmp/frank-bans-XXXXXX", path[64];
	struct account_ban *list, ever = { .until_ms = ACCOUNT_BANS_FOR_EVER, .since_ms = NOW };
	struct fault fault;
	struct stat status;
	size_t count;

	assert_non_null(mkdtemp(directory));
	for (int i = 0; i < 10; i++)
		fail_once(bans, "192.0.2.1", "al\xffice\n", NOW);
	ever.address = address_of("2001:db8::1");
	account_bans_add(bans, &ever);
	list = account_bans_list(bans, NOW, true, &count);
	assert_int_equal(count, 2);
	snprintf(path, sizeof(path), "%s/below/bans.json", directory);
	*strrchr(path, '/') = '\0'; /* made when it is missing */
	assert_true(bans_file_write(path, list, count, &fault));
	assert_true(bans_file_read(path, again, &fault));
	strcat(path, "/bans.json");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_true(is_banned(again, "192.0.2.1", "al\xffice\n", NOW + 1));
	assert_true(is_banned(again, "2001:db8::9", "", NOW + 10000 * DAY));
	mem_free(list);
	account_bans_destroy(&bans);
	account_bans_destroy(&again);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	rmdir(directory);
}

static const struct {
	const char *name, *text;
	size_t bans;
	bool good;
} file_cases[] = {
	{ "nothing", "", 0, false },
	{ "half a file", "{\"bans\":[{\"addr", 0, false },
	{ "another shape", "[]", 0, false },
	{ "no bans", "{\"bans\":[]}", 0, true },
	{ "one is broken, the others hold",
	    "{\"bans\":[{\"address\":\"x\",\"until_ms\":99},"
	    "{\"address\":\"192.0.2.1\",\"until_ms\":99999999999999}]}",
	    1, false },
	{ "numbers beyond all",
	    "{\"bans\":[{\"address\":\"192.0.2.1\",\"until_ms\":1,"
	    "\"failures\":-1}]}",
	    0, false },
	{ "a login that is no base64",
	    "{\"bans\":[{\"address\":\"192.0.2.1\",\"until_ms\":9999999999999,\"login\":\"!\"}]}",
	    0, false },
};

static void a_broken_file_is_said_to_be_so(void **state)
{
	char directory[] = "/tmp/frank-bans-XXXXXX", path[64];

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/bans.json", directory);
	for (size_t i = 0; i < ARRAY_LEN(file_cases); i++) {
		struct account_bans *bans = account_bans_create(100);
		struct fault fault = { 0 };
		FILE *file = fopen(path, "w");
		size_t count;
		fputs(file_cases[i].text, file);
		fclose(file);
		if (bans_file_read(directory, bans, &fault) != file_cases[i].good)
			fail_msg("%s", file_cases[i].name);
		assert_int_equal(fault.text[0] == '\0', file_cases[i].good);
		mem_free(account_bans_list(bans, NOW, false, &count));
		assert_int_equal(count, file_cases[i].bans);
		account_bans_destroy(&bans);
	}
	unlink(path);
	rmdir(directory);
}

static void no_file_holds_no_bans(void **state)
{
	struct account_bans *bans = account_bans_create(100);
	struct fault fault;

	assert_true(bans_file_read("/nonexistent", bans, &fault));
	account_bans_destroy(&bans);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_failures_ban_the_login_at_that_address),
		cmocka_unit_test(failures_that_are_old_do_not_count),
		cmocka_unit_test(thirty_failures_ban_the_address_with_its_network),
		cmocka_unit_test(each_ban_is_twice_as_long_up_to_the_longest),
		cmocka_unit_test(a_success_forgives_and_exempts_the_address),
		cmocka_unit_test(who_has_no_address_is_never_banned),
		cmocka_unit_test(memory_is_bounded_and_bans_stay_longest),
		cmocka_unit_test(a_login_of_any_length_and_bytes_is_told_from_others),
		cmocka_unit_test(removing_ends_and_forgets),
		cmocka_unit_test(bans_come_back_from_their_file),
		cmocka_unit_test(a_broken_file_is_said_to_be_so),
		cmocka_unit_test(no_file_holds_no_bans),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
