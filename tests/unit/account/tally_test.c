/* SPDX-License-Identifier: MIT */
#include "account/tally.h"

#include <stdio.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static const struct account_tally_limit three_an_hour = { 3, 3600000 };

static bool take(struct account_tally *tally, const char *key, int64_t now)
{
	return account_tally_take(
	    tally, span_from_string(key), ACCOUNT_TALLY_MESSAGES, three_an_hour, false, now);
}

static void each_key_has_its_own_count(void **state)
{
	struct account_tally *tally = account_tally_create(10);

	for (int i = 0; i < 3; i++)
		assert_true(take(tally, "alice", 1000));
	assert_false(take(tally, "alice", 1000));
	assert_true(take(tally, "bob", 1000));
	assert_true(account_tally_take(
	    tally, SPAN("alice"), ACCOUNT_TALLY_RECIPIENTS, three_an_hour, false, 1000));
	account_tally_give_back(tally, SPAN("alice"), ACCOUNT_TALLY_MESSAGES, 1);
	assert_true(take(tally, "alice", 1000));
	assert_false(take(tally, "alice", 1000));
	account_tally_destroy(&tally);
	assert_null(tally);
	account_tally_destroy(&tally);
}

static void no_limit_counts_nothing(void **state)
{
	struct account_tally *tally = account_tally_create(10);
	struct account_tally_limit none = { 0, 0 };

	for (int i = 0; i < 100; i++)
		assert_true(account_tally_take(
		    tally, SPAN("alice"), ACCOUNT_TALLY_MESSAGES, none, false, 1000));
	assert_true(take(tally, "alice", 1000));
	account_tally_destroy(&tally);
}

/* A flood that is held is a flood as long as it lasts. */
static void beyond_the_limit_may_count_on(void **state)
{
	struct account_tally *tally = account_tally_create(10);
	int64_t now = 1000;

	for (int i = 0; i < 3; i++)
		assert_true(account_tally_take(
		    tally, SPAN("a"), ACCOUNT_TALLY_MESSAGES, three_an_hour, true, now));
	for (int i = 0; i < 100; i++, now += 600000)
		assert_false(account_tally_take(
		    tally, SPAN("a"), ACCOUNT_TALLY_MESSAGES, three_an_hour, true, now));
	account_tally_destroy(&tally);
}

static void an_alarm_is_raised_once(void **state)
{
	struct account_tally *tally = account_tally_create(10);
	int64_t hour = 3600000, now = hour;

	assert_true(account_tally_alarm(tally, SPAN("a"), hour, now));
	assert_false(account_tally_alarm(tally, SPAN("a"), hour, now + 1));
	assert_false(account_tally_alarm(tally, SPAN("a"), hour, now + 5 * hour));
	assert_true(take(tally, "a", now + 6 * hour)); /* within the limit again */
	assert_true(account_tally_alarm(tally, SPAN("a"), hour, now + 7 * hour));
	assert_true(take(tally, "a", now + 7 * hour + 1));
	assert_false(account_tally_alarm(tally, SPAN("a"), hour, now + 7 * hour + 2));
	account_tally_destroy(&tally);
}

static void sessions_come_and_go(void **state)
{
	struct account_tally *tally = account_tally_create(10);

	assert_true(account_tally_enter(tally, SPAN("a"), 2));
	assert_true(account_tally_enter(tally, SPAN("a"), 2));
	assert_false(account_tally_enter(tally, SPAN("a"), 2));
	assert_true(account_tally_enter(tally, SPAN("a"), 3));
	account_tally_leave(tally, SPAN("a"));
	account_tally_leave(tally, SPAN("a"));
	assert_true(account_tally_enter(tally, SPAN("a"), 2));
	account_tally_destroy(&tally);
}

static void the_least_used_is_forgotten_unless_it_has_a_session(void **state)
{
	struct account_tally *tally = account_tally_create(4);
	char key[16];

	account_tally_enter(tally, SPAN("kept"), 0);
	for (int i = 0; i < 3; i++)
		take(tally, "old", 1000);
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		take(tally, key, 1000);
	}
	assert_true(take(tally, "old", 1000));
	account_tally_leave(tally, SPAN("kept"));
	account_tally_destroy(&tally);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_has_its_own_count),
		cmocka_unit_test(no_limit_counts_nothing),
		cmocka_unit_test(beyond_the_limit_may_count_on),
		cmocka_unit_test(an_alarm_is_raised_once),
		cmocka_unit_test(sessions_come_and_go),
		cmocka_unit_test(the_least_used_is_forgotten_unless_it_has_a_session),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
