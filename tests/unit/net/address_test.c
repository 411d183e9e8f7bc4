/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/address.h"

#include <arpa/inet.h>
#include <string.h>

static const struct host_case {
	const char *name, *host;
	const char *want, *want_host; /* NULL: refused */
} host_cases[] = {
	{ "IPv4", "192.0.2.1", "192.0.2.1:25", "192.0.2.1" },
	{ "IPv6", "2001:db8::1", "[2001:db8::1]:25", "2001:db8::1" },
	{ "IPv6 in brackets", "[2001:db8::1]", "[2001:db8::1]:25", "2001:db8::1" },
	{ "IPv6 with a zone", "fe80::1%lo", "[fe80::1%lo]:25", "fe80::1%lo" },
	{ "mapped IPv4 is IPv4", "::ffff:192.0.2.1", "192.0.2.1:25", "192.0.2.1" },
	{ "unknown zone", "fe80::1%nosuchlink", NULL, NULL },
	{ "IPv4 in brackets", "[192.0.2.1]", NULL, NULL },
	{ "open bracket", "[2001:db8::1", NULL, NULL },
	{ "too few numbers", "192.0.2", NULL, NULL },
	{ "octal is a trap", "0300.0.2.1", NULL, NULL },
	{ "name", "mail.example", NULL, NULL },
	{ "nothing", "", NULL, NULL },
	{ "empty brackets", "[]", NULL, NULL },
	{ "blank", "192.0.2.1 ", NULL, NULL },
};

static void numeric_hosts_are_parsed_and_shown(void **state)
{
	char text[NET_ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < sizeof(host_cases) / sizeof(host_cases[0]); i++) {
		const struct host_case *h = &host_cases[i];
		struct net_address address;
		bool parsed = net_address_parse(span_from_string(h->host), 25, &address);

		if (parsed != (h->want != NULL))
			fail_msg("%s", h->name);
		if (!parsed)
			continue;
		assert_string_equal(net_address_format(&address, text), h->want);
		assert_string_equal(net_address_format_host(&address, text), h->want_host);
		assert_int_equal(net_address_port(&address), 25);
	}
}

static void a_long_host_or_a_nul_is_refused(void **state)
{
	struct net_address address;
	char text[500];

	memset(text, '1', sizeof(text));
	for (size_t len = 0; len < sizeof(text); len++)
		assert_false(net_address_parse(span_of(text, len), 25, &address));
	assert_false(net_address_parse(SPAN("192.0.2.1\0"), 25, &address));
}

static void mapped_addresses_from_the_system_are_unmapped(void **state)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(99) };
	struct net_address address, v4;

	inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr);
	net_address_set(&address, (struct sockaddr *)&v6, sizeof(v6));
	assert_true(net_address_parse(SPAN("192.0.2.1"), 99, &v4));
	assert_true(net_address_equal(&address, &v4));
}

static void equality_heeds_family_address_and_port(void **state)
{
	struct net_address a, b, none = { .len = 0 };

	assert_true(net_address_parse(SPAN("192.0.2.1"), 25, &a));
	b = a;
	assert_true(net_address_equal(&a, &b));
	net_address_set_port(&b, 26);
	assert_false(net_address_equal(&a, &b));
	assert_true(net_address_parse(SPAN("192.0.2.2"), 25, &b));
	assert_false(net_address_equal(&a, &b));
	assert_true(net_address_parse(SPAN("2001:db8::1"), 25, &b));
	assert_false(net_address_equal(&a, &b));
	assert_false(net_address_equal(&a, &none));
	assert_true(net_address_equal(&none, &none));
}

static void paths_are_addresses_too(void **state)
{
	char text[NET_ADDRESS_TEXT_MAX], path[200];
	struct net_address address, other;

	assert_true(net_address_from_path(SPAN("/run/x"), &address));
	assert_string_equal(net_address_format(&address, text), "unix:/run/x");
	assert_int_equal(net_address_port(&address), 0);
	assert_true(net_address_from_path(SPAN("/run/y"), &other));
	assert_false(net_address_equal(&address, &other));
	memset(path, 'x', sizeof(path));
	assert_true(net_address_from_path(span_of(path, 107), &address));
	assert_false(net_address_from_path(span_of(path, 108), &address));
	assert_false(net_address_from_path(SPAN(""), &address));
	assert_false(net_address_from_path(SPAN("a\0b"), &address));
}

static void an_absent_address_is_unknown(void **state)
{
	char text[NET_ADDRESS_TEXT_MAX];
	struct net_address none = { .len = 0 };
	struct sockaddr short_one = { .sa_family = AF_INET };

	assert_string_equal(net_address_format(&none, text), "unknown");
	net_address_set(&none, &short_one, sizeof(sa_family_t));
	assert_int_equal(none.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numeric_hosts_are_parsed_and_shown),
		cmocka_unit_test(a_long_host_or_a_nul_is_refused),
		cmocka_unit_test(mapped_addresses_from_the_system_are_unmapped),
		cmocka_unit_test(equality_heeds_family_address_and_port),
		cmocka_unit_test(paths_are_addresses_too),
		cmocka_unit_test(an_absent_address_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
