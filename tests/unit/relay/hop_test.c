/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "relay/hop.h"

#include <string.h>

#define NOW 1800000000000LL
#define MIDDLE 20 /* the dice that do not spread */
#define MINUTE 60000

static const struct setup_hop setup = {
	.retry = { .first_ms = 10000, .max_ms = 100000, .factor = 2 },
	.connections_max = 20,
};

static struct hop *make(void)
{
	struct hop *hop = hop_create("smtp://mx.example.net:25");

	hop_set_setup(hop, &setup, NOW);
	return hop;
}

static bool fail_at(struct hop *hop, enum upstream_trouble trouble, const char *text, int64_t now)
{
	return hop_failed(hop, trouble, text, now, MIDDLE);
}

static void test_one_connection_until_a_session_has_been_ready(void **state)
{
	struct hop *hop = make();

	assert_int_equal(hop_width(hop, NOW), 1);
	assert_false(hop_works(hop));
	assert_int_equal(hop_width(hop, NOW), PACING_WIDTH_START);
	fail_at(hop, UPSTREAM_TROUBLE_CONNECTION, "refused", NOW);
	assert_int_equal(hop_width(hop, NOW), 0);
	assert_int_equal(hop_width(hop, NOW + HOP_QUICK_RETRY_MS), 1);
	hop_destroy(&hop);
	assert_null(hop);
}

static void test_three_failed_connections_open_the_circuit(void **state)
{
	struct hop *hop = make();
	int64_t now = NOW;

	for (unsigned i = 1; i < HOP_FAILURES_MAX; i++) {
		assert_false(fail_at(hop, UPSTREAM_TROUBLE_CONNECTION, "refused", now));
		assert_int_equal(hop->paused_until_ms, now + HOP_QUICK_RETRY_MS);
		now = hop->paused_until_ms;
		assert_true(hop_is_probing(hop, now));
		assert_false(hop_is_paused(hop, now));
	}
	assert_true(fail_at(hop, UPSTREAM_TROUBLE_CONNECTION, "refused", now));
	assert_int_equal(hop->paused_until_ms, now + 10000);
	assert_true(hop_is_paused(hop, now + 9999));
	hop_destroy(&hop);
}

static void test_connection_trouble_follows_the_retry_curve(void **state)
{
	static const int64_t waits[] = { 10000, 20000, 40000, 80000, 100000, 100000 };
	struct hop *hop = make();
	int64_t now = NOW;

	for (unsigned i = 1; i < HOP_FAILURES_MAX; i++, now = hop->paused_until_ms)
		fail_at(hop, UPSTREAM_TROUBLE_NAME, "no such name", now);
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		bool told = fail_at(hop, UPSTREAM_TROUBLE_NAME, "no such name", now);
		assert_int_equal(told, i == 0);
		assert_int_equal(hop->paused_until_ms - now, waits[i]);
		now = hop->paused_until_ms;
	}
	hop_destroy(&hop);
}

static void test_a_retry_curve_of_hours_pauses_half_an_hour_at_most(void **state)
{
	struct setup_hop slow = setup;
	struct hop *hop = make();
	int64_t now = NOW;

	slow.retry = (struct config_retry){ .first_ms = 7200000, .max_ms = 7200000, .factor = 1 };
	hop_set_setup(hop, &slow, NOW);
	for (unsigned i = 0; i < HOP_FAILURES_MAX; i++) {
		now = hop->paused_until_ms ? hop->paused_until_ms : NOW;
		fail_at(hop, UPSTREAM_TROUBLE_CONNECTION, "refused", now);
	}
	assert_int_equal(hop->paused_until_ms - now, HOP_PAUSE_MAX_MS);
	hop_destroy(&hop);
}

static void test_what_is_said_about_us_pauses_at_once_and_doubles(void **state)
{
	static const enum upstream_trouble troubles[] = {
		UPSTREAM_TROUBLE_AUTH,
		UPSTREAM_TROUBLE_AUTH_TEMPORARY,
		UPSTREAM_TROUBLE_TLS,
		UPSTREAM_TROUBLE_GREETING,
	};
	static const int64_t minutes[] = { 1, 2, 4, 8, 16, 30, 30 };

	for (size_t t = 0; t < ARRAY_LEN(troubles); t++) {
		struct hop *hop = make();
		int64_t now = NOW;
		for (size_t i = 0; i < ARRAY_LEN(minutes); i++) {
			bool told = fail_at(hop, troubles[t], "535 no", now);
			assert_int_equal(told, i == 0);
			assert_int_equal(hop->paused_until_ms - now, minutes[i] * MINUTE);
			now = hop->paused_until_ms;
		}
		hop_destroy(&hop);
	}
}

static void test_no_dice_ask_about_a_login_within_a_minute(void **state)
{
	for (uint64_t dice = 0; dice < 41; dice++) {
		struct hop *hop = make();
		hop_failed(hop, UPSTREAM_TROUBLE_AUTH, "535 no", NOW, dice);
		assert_true(hop->paused_until_ms >= NOW + MINUTE);
		hop_destroy(&hop);
	}
}

static void test_the_same_reason_is_told_once_and_another_again(void **state)
{
	struct hop *hop = make();
	int64_t now = NOW;

	assert_true(fail_at(hop, UPSTREAM_TROUBLE_AUTH, "535 no", now));
	assert_string_equal(hop->why, "535 no");
	now = hop->paused_until_ms;
	assert_false(fail_at(hop, UPSTREAM_TROUBLE_AUTH, "535 no", now));
	now = hop->paused_until_ms;
	assert_true(fail_at(hop, UPSTREAM_TROUBLE_TLS, "the certificate has expired", now));
	assert_string_equal(hop->why, "the certificate has expired");
	hop_destroy(&hop);
}

static void test_a_storm_of_failing_slots_counts_as_one_failure(void **state)
{
	struct hop *hop = make();

	assert_true(fail_at(hop, UPSTREAM_TROUBLE_AUTH, "535 no", NOW));
	for (unsigned i = 0; i < 19; i++)
		assert_false(fail_at(hop, UPSTREAM_TROUBLE_AUTH, "535 no", NOW + i));
	assert_int_equal(hop->paused_until_ms, NOW + MINUTE);
	hop_destroy(&hop);
}

static void test_success_ends_the_pause_and_says_so_once(void **state)
{
	struct hop *hop = make();

	fail_at(hop, UPSTREAM_TROUBLE_AUTH, "535 no", NOW);
	assert_true(hop_works(hop));
	assert_false(hop_works(hop));
	assert_false(hop_is_paused(hop, NOW));
	assert_false(hop_is_probing(hop, NOW));
	assert_string_equal(hop->why, "");
	assert_int_equal(hop->trouble, UPSTREAM_TROUBLE_NONE);
	/* and the next trouble begins from the beginning */
	assert_true(fail_at(hop, UPSTREAM_TROUBLE_AUTH, "535 no", NOW));
	assert_int_equal(hop->paused_until_ms, NOW + MINUTE);
	hop_destroy(&hop);
}

static void test_a_reload_forgives(void **state)
{
	struct hop *hop = make();

	fail_at(hop, UPSTREAM_TROUBLE_AUTH, "535 no", NOW);
	hop_set_setup(hop, &setup, NOW);
	assert_false(hop_is_paused(hop, NOW));
	assert_string_equal(hop->why, "");
	assert_true(fail_at(hop, UPSTREAM_TROUBLE_AUTH, "535 no", NOW));
	hop_set_setup(hop, NULL, NOW);
	assert_null(hop->setup);
	assert_true(fail_at(hop, UPSTREAM_TROUBLE_AUTH, "535 no", NOW));
	hop_destroy(&hop);
}

static void test_connections_max_holds_from_the_first(void **state)
{
	struct setup_hop narrow = setup;
	struct hop *hop = make();

	narrow.connections_max = 1;
	hop_set_setup(hop, &narrow, NOW);
	hop_works(hop);
	assert_int_equal(hop_width(hop, NOW), 1);
	hop_destroy(&hop);
}

static void test_a_long_reason_is_cut_and_still_told_once(void **state)
{
	struct hop *hop = make();
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_true(fail_at(hop, UPSTREAM_TROUBLE_AUTH, text, NOW));
	assert_int_equal(strlen(hop->why), sizeof(hop->why) - 1);
	assert_false(fail_at(hop, UPSTREAM_TROUBLE_AUTH, text, hop->paused_until_ms));
	hop_destroy(&hop);
}

static void test_a_crowded_hop_gets_fewer_connections_and_no_pause(void **state)
{
	struct hop *hop = make();

	hop_works(hop);
	assert_true(hop_is_crowded(hop, "432 4.3.2", 3, NOW));
	assert_false(hop_is_paused(hop, NOW));
	assert_int_equal(hop->width.ceiling, 3);
	assert_int_equal(hop->pauses, 0);
	assert_false(hop_is_crowded(hop, "432 4.3.2", 2, NOW)); /* no news */
	assert_int_equal(hop->width.ceiling, 2);
	assert_int_equal(hop->failures, 0);
	assert_false(hop_works(hop)); /* it was never paused; its reason is forgotten */
	assert_string_equal(hop->why, "");
	assert_int_equal(hop->width.ceiling, 2);
	hop_destroy(&hop);
}

static void test_a_crowded_hop_without_any_of_ours_rests(void **state)
{
	struct hop *hop = make();

	hop_is_crowded(hop, "421 4.3.2", 0, NOW);
	assert_true(hop_is_paused(hop, NOW + HOP_CROWDED_REST_MS - 1));
	assert_false(hop_is_paused(hop, NOW + HOP_CROWDED_REST_MS));
	assert_int_equal(hop_width(hop, NOW + HOP_CROWDED_REST_MS), 1);
	assert_int_equal(hop->pauses, 0);
	hop_destroy(&hop);
}

static void test_a_sibling_is_paused_longer_than_the_hop_that_was_refused(void **state)
{
	struct hop *hop = make(), *sibling = make();

	hop_works(sibling);
	fail_at(hop, UPSTREAM_TROUBLE_AUTH, "535 5.7.8 no", NOW);
	hop_login_refused(hop, 7);
	assert_true(hop_pauses_with(sibling, hop));
	assert_int_equal(sibling->paused_until_ms, hop->paused_until_ms + HOP_SIBLING_REST_MS);
	assert_non_null(strstr(sibling->why, hop->key));
	assert_non_null(strstr(sibling->why, "535 5.7.8 no"));
	assert_false(sibling->proved);
	assert_false(hop_is_proof(sibling, 7));
	assert_true(hop_is_proof(sibling, 8));
	assert_false(hop_pauses_with(sibling, hop)); /* no news */
	/* The curve goes on where the one who asked stood. */
	fail_at(sibling, UPSTREAM_TROUBLE_AUTH, "535 5.7.8 no", sibling->paused_until_ms);
	assert_int_equal(sibling->pauses, 2);
	assert_true(hop_works(sibling));
	assert_true(hop_is_proof(sibling, 1));
	hop_destroy(&hop);
	hop_destroy(&sibling);
}

static void test_a_sibling_with_a_longer_pause_keeps_it(void **state)
{
	struct hop *hop = make(), *sibling = make();

	for (int64_t now = NOW; sibling->pauses < 3; now = sibling->paused_until_ms)
		fail_at(sibling, UPSTREAM_TROUBLE_TLS, "no TLS", now);
	fail_at(hop, UPSTREAM_TROUBLE_AUTH, "535 5.7.8 no", NOW);
	hop_login_refused(hop, 7);
	hop_pauses_with(sibling, hop);
	assert_true(sibling->paused_until_ms > hop->paused_until_ms + HOP_SIBLING_REST_MS);
	hop_destroy(&hop);
	hop_destroy(&sibling);
}

static void test_a_hop_without_a_token_waits_until_there_is_one(void **state)
{
	struct hop *hop = make();

	hop_works(hop);
	assert_true(hop_lacks_token(hop, "a refresh is under way", false, NOW));
	assert_false(hop_lacks_token(hop, "a refresh is under way", false, NOW + 1));
	assert_true(hop_is_paused(hop, NOW + MINUTE));
	assert_int_equal(hop->pauses, 0); /* nobody is needed */
	assert_true(hop_lacks_token(hop, "a refresh is under way", true, NOW + 2)); /* louder */
	assert_true(hop_lacks_token(hop, "frank token login up", true, NOW + 2));
	assert_int_equal(hop->pauses, 1);
	hop_has_token(hop, NOW + 3);
	assert_false(hop_is_paused(hop, NOW + 3));
	assert_true(hop_is_probing(hop, NOW + 3));
	assert_int_equal(hop_width(hop, NOW + 3), 1);
	assert_true(hop_works(hop));
	hop_destroy(&hop);
}

static void test_a_token_does_not_end_a_pause_for_another_reason(void **state)
{
	struct hop *hop = make();

	fail_at(hop, UPSTREAM_TROUBLE_AUTH, "535", NOW);
	hop_has_token(hop, NOW + 1);
	assert_true(hop_is_paused(hop, NOW + 1));
	hop_destroy(&hop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_connection_until_a_session_has_been_ready),
		cmocka_unit_test(test_three_failed_connections_open_the_circuit),
		cmocka_unit_test(test_connection_trouble_follows_the_retry_curve),
		cmocka_unit_test(test_a_retry_curve_of_hours_pauses_half_an_hour_at_most),
		cmocka_unit_test(test_what_is_said_about_us_pauses_at_once_and_doubles),
		cmocka_unit_test(test_no_dice_ask_about_a_login_within_a_minute),
		cmocka_unit_test(test_the_same_reason_is_told_once_and_another_again),
		cmocka_unit_test(test_a_storm_of_failing_slots_counts_as_one_failure),
		cmocka_unit_test(test_success_ends_the_pause_and_says_so_once),
		cmocka_unit_test(test_a_reload_forgives),
		cmocka_unit_test(test_connections_max_holds_from_the_first),
		cmocka_unit_test(test_a_long_reason_is_cut_and_still_told_once),
		cmocka_unit_test(test_a_crowded_hop_gets_fewer_connections_and_no_pause),
		cmocka_unit_test(test_a_crowded_hop_without_any_of_ours_rests),
		cmocka_unit_test(test_a_sibling_is_paused_longer_than_the_hop_that_was_refused),
		cmocka_unit_test(test_a_sibling_with_a_longer_pause_keeps_it),
		cmocka_unit_test(test_a_hop_without_a_token_waits_until_there_is_one),
		cmocka_unit_test(test_a_token_does_not_end_a_pause_for_another_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
