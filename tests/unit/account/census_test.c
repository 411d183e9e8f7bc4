/* SPDX-License-Identifier: MIT */
#include "account/census.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static struct account_address address_of(const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(25) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(25) };
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return account_address_of((struct sockaddr *)&in);
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return account_address_of((struct sockaddr *)&in6);
}

static const struct {
	const char *a, *b;
	bool same;
} address_cases[] = {
	{ "192.0.2.1", "192.0.2.1", true },
	{ "192.0.2.1", "192.0.2.2", false },
	{ "192.0.2.1", "::ffff:192.0.2.1", true },
	{ "::ffff:192.0.2.1", "::ffff:192.0.2.2", false },
	{ "2001:db8::1", "2001:db8::2", true },
	{ "2001:db8::1", "2001:db8:0:1::1", false },
	{ "::1", "::1", true },
	{ "127.0.0.1", "::1", false },
};

static void addresses_are_told_apart(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(address_cases); i++) {
		struct account_address a = address_of(address_cases[i].a);
		struct account_address b = address_of(address_cases[i].b);
		assert_int_equal(memcmp(&a, &b, sizeof(a)) == 0, address_cases[i].same);
	}
}

static void limits_refuse_what_is_beyond_them(void **state)
{
	struct account_census *census = account_census_create();
	struct account_address a = address_of("192.0.2.1"), b = address_of("192.0.2.2");
	struct account_census_limits limits = { .listener_max = 3, .address_max = 2 };
	struct span lan = SPAN("lan"), net = SPAN("net");

	assert_int_equal(account_census_enter(census, lan, &a, limits), ACCOUNT_CENSUS_ENTERED);
	assert_int_equal(account_census_enter(census, net, &a, limits), ACCOUNT_CENSUS_ENTERED);
	assert_int_equal(
	    account_census_enter(census, lan, &a, limits), ACCOUNT_CENSUS_ADDRESS_FULL);
	assert_int_equal(account_census_enter(census, lan, &b, limits), ACCOUNT_CENSUS_ENTERED);
	assert_int_equal(account_census_enter(census, lan, &b, limits), ACCOUNT_CENSUS_ENTERED);
	assert_int_equal(
	    account_census_enter(census, lan, &b, limits), ACCOUNT_CENSUS_LISTENER_FULL);
	assert_int_equal(account_census_listener(census, lan), 3);
	assert_int_equal(account_census_listener(census, net), 1);
	assert_int_equal(account_census_address(census, &a), 2);

	struct account_census_totals totals = account_census_totals(census);
	assert_int_equal(totals.connections, 4);
	assert_int_equal(totals.addresses, 2);
	assert_int_equal(totals.entered, 4);
	assert_int_equal(totals.refused, 2);

	account_census_leave(census, lan, &b);
	assert_int_equal(account_census_enter(census, lan, &b, limits), ACCOUNT_CENSUS_ENTERED);
	account_census_destroy(&census);
	account_census_destroy(&census);
}

static void no_limit_is_no_limit(void **state)
{
	struct account_census *census = account_census_create();
	struct account_address a = address_of("2001:db8::1");
	struct account_census_limits none = { 0 };
	for (int i = 0; i < 1000; i++)
		assert_int_equal(
		    account_census_enter(census, SPAN("x"), &a, none), ACCOUNT_CENSUS_ENTERED);
	assert_int_equal(account_census_address(census, &a), 1000);
	account_census_destroy(&census);
}

static void who_has_no_address_counts_for_the_listener_only(void **state)
{
	struct account_census *census = account_census_create();
	struct sockaddr local = { .sa_family = AF_UNIX };
	struct account_address none = account_address_of(&local);
	struct account_census_limits limits = { .listener_max = 2, .address_max = 1 };
	assert_int_equal(
	    account_census_enter(census, SPAN("x"), &none, limits), ACCOUNT_CENSUS_ENTERED);
	assert_int_equal(
	    account_census_enter(census, SPAN("x"), &none, limits), ACCOUNT_CENSUS_ENTERED);
	assert_int_equal(
	    account_census_enter(census, SPAN("x"), &none, limits), ACCOUNT_CENSUS_LISTENER_FULL);
	assert_int_equal(account_census_totals(census).addresses, 0);
	account_census_leave(census, SPAN("x"), &none);
	assert_int_equal(account_census_listener(census, SPAN("x")), 1);
	account_census_destroy(&census);
}

static void *come_and_go(void *context)
{
	struct account_census *census = context;
	struct account_address a = address_of("192.0.2.1");
	struct account_census_limits limits = { .listener_max = 100, .address_max = 2 };
	for (int i = 0; i < 3000; i++) {
		if (account_census_enter(census, SPAN("x"), &a, limits) != ACCOUNT_CENSUS_ENTERED)
			continue;
		assert_true(account_census_address(census, &a) <= 2);
		account_census_leave(census, SPAN("x"), &a);
	}
	return NULL;
}

static void threads_leave_nothing_behind(void **state)
{
	struct account_census *census = account_census_create();
	pthread_t threads[4];
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, census), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	struct account_census_totals totals = account_census_totals(census);
	assert_int_equal(totals.connections, 0);
	assert_int_equal(totals.addresses, 0);
	assert_int_equal(totals.entered + totals.refused, 12000);
	assert_int_equal(account_census_listener(census, SPAN("x")), 0);
	account_census_destroy(&census);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_told_apart),
		cmocka_unit_test(limits_refuse_what_is_beyond_them),
		cmocka_unit_test(no_limit_is_no_limit),
		cmocka_unit_test(who_has_no_address_counts_for_the_listener_only),
		cmocka_unit_test(threads_leave_nothing_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
