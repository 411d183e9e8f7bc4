/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/match.h"
#include "config/name.h"
#include "config/near.h"
#include "config/network.h"
#include "config/via.h"

#include "memory_source.h"

static const struct pattern_case {
	const char *name, *pattern, *address;
	bool want;
} pattern_cases[] = {
	{ "* fits an address", "*", "a@b.c", true },
	{ "* fits the empty reverse-path", "*", "", true },
	{ "* fits a bare name", "*", "postmaster", true },
	{ "*@domain fits its addresses", "*@b.c", "a@b.c", true },
	{ "case does not count", "*@B.c", "A@b.C", true },
	{ "a trailing dot does not count", "*@b.c", "a@b.c.", true },
	{ "*@domain is not for what lies below", "*@b.c", "a@x.b.c", false },
	{ "*@domain is not for the empty reverse-path", "*@b.c", "", false },
	{ "*@domain is not for a bare name", "*@b.c", "b.c", false },
	{ "*.domain fits below", "*.b.c", "a@x.b.c", true },
	{ "*.domain fits far below", "*.b.c", "a@y.x.b.c", true },
	{ "*.domain is not for the domain itself", "*.b.c", "a@b.c", false },
	{ "*.domain ends at a dot", "*.b.c", "a@xb.c", false },
	{ "*.domain ends at a dot in longer names too", "*.b.c", "a@xyzb.c", false },
	{ "*.domain needs something below", "*.b.c", "a@.b.c", false },
	{ "user@domain fits itself", "user@b.c", "User@b.c", true },
	{ "user@domain fits nobody else", "user@b.c", "user2@b.c", false },
	{ "user@* fits everywhere", "user@*", "user@x", true },
	{ "user@*.domain fits below", "user@*.b.c", "user@x.b.c", true },
	{ "the last @ divides", "*@b.c", "\"x@y\"@b.c", true },
	{ "the last @ divides for others too", "*@y", "x@y@b.c", false },
	{ "<> fits the empty reverse-path", "<>", "", true },
	{ "<> fits nothing else", "<>", "a@b.c", false },
};

static void patterns_fit_what_they_say(void **state)
{
	struct config_arena *arena = config_arena_create();
	for (size_t i = 0; i < sizeof(pattern_cases) / sizeof(pattern_cases[0]); i++) {
		const struct pattern_case *each = &pattern_cases[i];
		struct config_pattern pattern;
		struct fault fault = { 0 };
		assert_true(config_pattern_parse(
		    arena, each->pattern, CONFIG_PATTERN_USE_SENDER, &pattern, &fault));
		if (config_pattern_matches(&pattern, span_from_string(each->address)) != each->want)
			fail_msg("%s", each->name);
	}
	config_arena_destroy(&arena);
}

static void login_patterns_take_bare_names(void **state)
{
	struct config_arena *arena = config_arena_create();
	struct config_pattern pattern;
	struct fault fault = { 0 };
	assert_true(
	    config_pattern_parse(arena, "scanner", CONFIG_PATTERN_USE_LOGIN, &pattern, &fault));
	assert_true(config_pattern_matches(&pattern, SPAN("Scanner")));
	assert_false(config_pattern_matches(&pattern, SPAN("scanner@b.c")));
	assert_false(config_pattern_matches(&pattern, SPAN("scanner2")));
	assert_false(
	    config_pattern_parse(arena, "scan*", CONFIG_PATTERN_USE_LOGIN, &pattern, &fault));
	config_arena_destroy(&arena);
}

static struct sockaddr_storage address_of(const char *text)
{
	struct sockaddr_storage address;
	socklen_t len;
	assert_true(config_ip_parse(text, &address, &len));
	return address;
}

static void networks_contain_what_they_say(void **state)
{
	static const struct {
		const char *network, *address;
		bool want;
	} cases[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "192.168.7.0/25", "192.168.7.127", true },
		{ "192.168.7.0/25", "192.168.7.128", false },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1/32", "192.0.2.0", false },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
		{ "10.0.0.0/8", "::ffff:11.1.2.3", false },
		{ "::ffff:10.0.0.0/104", "10.1.2.3", true },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::1", "::1", true },
		{ "[::1]", "::1", true },
		{ "::1", "::2", false },
		{ "::/0", "10.0.0.1", false },
		{ "fd00::/8", "fdff::1", true },
		{ "fe80::/10", "fec0::1", false },
	};
	struct config_arena *arena = config_arena_create();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_network network;
		struct fault fault = { 0 };
		struct sockaddr_storage address = address_of(cases[i].address);
		assert_true(config_network_parse(arena, cases[i].network, &network, &fault));
		if (config_network_contains(&network, &address) != cases[i].want)
			fail_msg("%s in %s", cases[i].address, cases[i].network);
	}
	config_arena_destroy(&arena);
}

static const char routes[] =
    "tls { certificate c; key k; } users { file u; }\n"
    "listen lan { address *:25; }\n"
    "domain a.example { deliver discard; } domain *.a.example b.example { deliver discard; }\n"
    "route *@no.example { refuse \"550 5.7.1 No\"; }\n"
    "route * { match sender *@s.example <>; via smtp://one; }\n"
    "route * { match login up *@l.example; match client 10.0.0.0/8; via smtp://two; }\n"
    "route * { match listener lan; via smtp://three; }\n"
    "route *@r.example { via smtp://four; }\n";

static size_t find(const struct config *c, const char *sender, const char *recipient,
    const char *login, const char *client, const char *listener)
{
	struct sockaddr_storage address;
	struct config_question question = {
		span_from_string(sender),
		span_from_string(recipient),
		span_from_string(login),
		NULL,
		listener,
	};
	if (client) {
		address = address_of(client);
		question.client = &address;
	}
	return config_route_find(c, &question, NULL);
}

static void the_first_route_that_fits_wins(void **state)
{
	struct config_report report;
	const struct config *c = memory_load(span_from_string(routes), &report);
	assert_non_null(c);
	assert_int_equal(find(c, "x@s.example", "x@no.example", NULL, NULL, NULL), 0);
	assert_int_equal(find(c, "x@s.example", "x@y", NULL, NULL, NULL), 1);
	assert_int_equal(find(c, "", "x@y", "up", "10.0.0.1", "lan"), 1);
	assert_int_equal(find(c, "x@y", "x@y", "up", "10.0.0.1", "lan"), 2);
	assert_int_equal(find(c, "x@y", "x@y", "x@l.example", "::ffff:10.0.0.1", NULL), 2);
	assert_int_equal(find(c, "x@y", "x@y", "up", "11.0.0.1", "lan"), 3);
	assert_int_equal(find(c, "x@y", "x@y", NULL, "10.0.0.1", "lan"), 3);
	assert_int_equal(find(c, "x@y", "x@r.example", "up", NULL, "wan"), 4);
	assert_int_equal(find(c, "x@y", "x@y", "up", NULL, NULL), CONFIG_NO_ROUTE);
	config_unref(&c);
	config_report_fini(&report);
}

static void the_choice_is_explained(void **state)
{
	struct config_report report;
	const struct config *c = memory_load(span_from_string(routes), &report);
	struct sockaddr_storage client = address_of("11.0.0.1");
	struct config_question question = {
		SPAN("x@y"),
		SPAN("a\r\nb@r.example"),
		SPAN("up"),
		&client,
		"wan",
	};
	struct buf why;
	buf_init(&why, 10000);
	assert_int_equal(config_route_find(c, &question, &why), 4);
	assert_string_equal(buf_string(&why),
	    "route *@no.example (/etc/frank/frank.conf:4): the recipient <a\\r\\nb@r.example> does "
	    "not "
	    "fit\n"
	    "route * (/etc/frank/frank.conf:5): the sender <x@y> does not fit *@s.example <> "
	    "(/etc/frank/frank.conf:5)\n"
	    "route * (/etc/frank/frank.conf:6): the client 11.0.0.1 does not fit 10.0.0.0/8 "
	    "(/etc/frank/frank.conf:6)\n"
	    "route * (/etc/frank/frank.conf:7): the listener wan does not fit lan "
	    "(/etc/frank/frank.conf:7)\n"
	    "route *@r.example (/etc/frank/frank.conf:8): fits\n");
	buf_fini(&why);
	config_unref(&c);
	config_report_fini(&report);
}

static void domains_are_found_by_their_patterns(void **state)
{
	struct config_report report;
	const struct config *c = memory_load(span_from_string(routes), &report);
	assert_ptr_equal(config_domain_find(c, SPAN("A.example")), &c->domains[0]);
	assert_ptr_equal(config_domain_find(c, SPAN("x.a.example")), &c->domains[1]);
	assert_ptr_equal(config_domain_find(c, SPAN("b.example.")), &c->domains[1]);
	assert_null(config_domain_find(c, SPAN("c.example")));
	assert_null(config_domain_find(c, SPAN("")));
	config_unref(&c);
	config_report_fini(&report);
}

static void paths_admit_nothing_that_leaves_them(void **state)
{
	static const struct {
		const char *local, *domain, *want;
	} cases[] = {
		{ "anna", "a.example", "/m/a.example/anna/x" },
		{ "Anna.B+x_y-1", "A", "/m/a/anna.b+x_y-1/x" },
		{ "..", "a", NULL },
		{ ".a", "a", NULL },
		{ "a/b", "a", NULL },
		{ "", "a", NULL },
		{ "a", "", NULL },
		{ "a", "..", NULL },
		{ "a b", "a", NULL },
		{ "\xc3\xbc", "a", NULL },
		{ "%u", "a", NULL },
		{ "a", "[10.0.0.1]", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out;
		buf_init(&out, 100);
		bool done = config_path_expand("/m/%d/%u/x", span_from_string(cases[i].local),
		    span_from_string(cases[i].domain), &out);
		assert_int_equal(done, cases[i].want != NULL);
		assert_string_equal(buf_string(&out), done ? cases[i].want : "");
		buf_fini(&out);
	}
	struct buf out;
	buf_init(&out, 100);
	assert_false(config_path_expand("/m/%u", span_of("a\0b", 3), SPAN("a"), &out));
	buf_fini(&out);
}

static void near_names_are_near(void **state)
{
	static const struct {
		const char *typed, *known;
		bool want;
	} cases[] = {
		{ "hostnme", "hostname", true },
		{ "hsotname", "hostname", true },
		{ "cert", "certificate", true },
		{ "size_max", "size-max", true },
		{ "recipient-max", "recipients-max", true },
		{ "TLS", "tls", true },
		{ "xyz", "tls", false },
		{ "via", "tls", false },
		{ "", "tls", false },
		{ "a-name-that-is-longer-than-any-of-the-table-can-be", "tls", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if ((config_near(span_from_string(cases[i].typed),
			 span_from_string(cases[i].known)) < CONFIG_NEAR_NOT) != cases[i].want)
			fail_msg("%s and %s", cases[i].typed, cases[i].known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_fit_what_they_say),
		cmocka_unit_test(login_patterns_take_bare_names),
		cmocka_unit_test(networks_contain_what_they_say),
		cmocka_unit_test(the_first_route_that_fits_wins),
		cmocka_unit_test(the_choice_is_explained),
		cmocka_unit_test(domains_are_found_by_their_patterns),
		cmocka_unit_test(paths_admit_nothing_that_leaves_them),
		cmocka_unit_test(near_names_are_near),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
