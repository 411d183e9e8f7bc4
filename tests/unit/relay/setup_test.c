/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void test_hops_have_keys_in_the_order_of_the_file(void **state)
{
	static const char *const want[] = {
		"submission://a.example:587 as up",
		"submission://a.example:587 as up #2",
		"submission://a.example:587",
		"submission://a.example:587 as up #3",
		"refuse 550 5.7.1 No",
		"refuse 550 5.7.1 No #2",
		"discard",
		"discard #2",
		"no-route",
	};
	struct directory directory;
	const struct setup *setup;
	char whole[2000];

	directory_make(&directory);
	snprintf(whole, sizeof(whole),
	    "account up { login me@a.example; password-file %s; }\n"
	    "domain example.org { recipients any; deliver discard; }\n"
	    "route *@1.example { via submission://a.example:587; account up; }\n"
	    "route *@2.example { via submission://a.example:587; account up; rate 3/m; }\n"
	    "route *@3.example { via submission://a.example:587; }\n"
	    "route *@4.example { via submission://a.example:587; account up; }\n"
	    "route *@5.example { refuse \"550 5.7.1 No\"; }\n"
	    "route *@6.example { refuse \"550 5.7.1 No\"; }\n"
	    "route *@7.example { via discard; }\n",
	    directory_write(&directory, "secret", "pass word\n"));
	setup = fixture_setup(whole);
	directory_remove(&directory);
	assert_int_equal(setup->hop_count, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_string_equal(setup->hops[i].key, want[i]);
		assert_ptr_equal(
		    setup_hop_by_key(setup, span_from_string(want[i])), &setup->hops[i]);
	}
	assert_null(setup_hop_by_key(setup, SPAN("submission://a.example:587 as u")));
	assert_int_equal(setup->hops[1].rate.count, 3);
	assert_int_equal(setup->hops[0].rate.count, 0);
	setup_unref(&setup);
	assert_null(setup);
}

static void test_an_account_is_read_without_its_line_end(void **state)
{
	struct directory directory;
	const struct setup *setup;
	char whole[1000];

	directory_make(&directory);
	snprintf(whole, sizeof(whole),
	    "route * { via submission://a.example; login me@a.example; password-file %s; }\n",
	    directory_write(&directory, "secret", " pass word\r\n"));
	setup = fixture_setup(whole);
	directory_remove(&directory);
	assert_string_equal(setup->hops[0].key, "submission://a.example as me@a.example");
	assert_true(span_equal(setup->hops[0].account->login, SPAN("me@a.example")));
	assert_true(span_equal(buf_span(&setup->hops[0].account->password), SPAN(" pass word")));
	assert_non_null(setup->hops[0].tls);
	setup_unref(&setup);
}

static void test_all_that_cannot_be_read_is_told_in_one_run(void **state)
{
	static const char text[] =
	    "users { file /nowhere/users; }\n"
	    "tls { certificate /nowhere/cert; key /nowhere/key; }\n"
	    "listen a { address 127.0.0.1:587; }\n"
	    "domain example.org { recipients file /nowhere/recipients; deliver discard; }\n"
	    "route *@a.example { via submission://a.example; login a; password-file /nowhere/one; "
	    "}\n"
	    "route *@b.example { via submission://b.example; login b; password-file /nowhere/two; "
	    "}\n"
	    "route * { via submission://c.example; tls-trust /nowhere/trust; }\n";
	static const char *const told[] = {
		"/nowhere/users",
		"/nowhere/cert",
		"/nowhere/recipients",
		"/nowhere/one",
		"/nowhere/two",
		"/nowhere/trust",
	};
	const struct config *config = fixture_config(text);
	struct buf problems;

	buf_init(&problems, 65536);
	assert_null(setup_create(config, NULL, &problems));
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		if (!strstr(buf_string(&problems), told[i]))
			fail_msg("%s is not told:\n%s", told[i], buf_string(&problems));
	assert_null(strstr(buf_string(&problems), "warning"));
	buf_fini(&problems);
	config_unref(&config); /* it stayed ours */
}

static void test_an_empty_secret_is_an_error_with_its_place(void **state)
{
	struct directory directory;
	const struct config *config;
	struct buf problems;
	char whole[1000];

	directory_make(&directory);
	snprintf(whole, sizeof(whole),
	    "route * { via submission://a.example; login me; password-file %s; }\n",
	    directory_write(&directory, "secret", "\n"));
	config = fixture_config(whole);
	buf_init(&problems, 65536);
	assert_null(setup_create(config, NULL, &problems));
	assert_non_null(strstr(buf_string(&problems), "frank.conf:2"));
	assert_non_null(strstr(buf_string(&problems), "error"));
	buf_fini(&problems);
	config_unref(&config);
	directory_remove(&directory);
}

static void test_a_secret_that_all_may_read_is_a_warning(void **state)
{
	struct directory directory;
	const struct setup *setup;
	struct buf problems;
	char whole[1000];

	directory_make(&directory);
	snprintf(whole, sizeof(whole),
	    "route * { via submission://a.example; login me; password-file %s; }\n",
	    directory_write(&directory, "secret", "pass"));
	chmod(directory_path(&directory, "secret"), 0644);
	buf_init(&problems, 65536);
	setup = setup_create(fixture_config(whole), NULL, &problems);
	assert_non_null(setup);
	assert_non_null(strstr(buf_string(&problems), "warning: "));
	assert_non_null(strstr(buf_string(&problems), "chmod 600"));
	buf_fini(&problems);
	setup_unref(&setup);
	directory_remove(&directory);
}

static void test_an_alias_leads_to_a_hundred_addresses_and_no_more(void **state)
{
	for (unsigned count = SETUP_ALIAS_ADDRESSES_MAX; count <= SETUP_ALIAS_ADDRESSES_MAX + 1;
	     count++) {
		const struct config *config;
		const struct setup *setup;
		struct buf text, problems;

		buf_init(&text, 65536);
		buf_init(&problems, 65536);
		buf_append_string(
		    &text, "domain example.org { recipients any; deliver discard;\nalias all");
		for (unsigned i = 0; i < count; i++)
			buf_printf(&text, " a%u@example.net", i);
		buf_append_string(&text, "; }\nroute * { via discard; }\n");
		config = fixture_config(buf_string(&text));
		setup = setup_create(config, NULL, &problems);
		assert_int_equal(setup != NULL, count == SETUP_ALIAS_ADDRESSES_MAX);
		if (setup)
			setup_unref(&setup);
		else
			config_unref(&config);
		assert_int_equal(problems.len > 0, count > SETUP_ALIAS_ADDRESSES_MAX);
		buf_fini(&text);
		buf_fini(&problems);
	}
}

static const char *hop_for(const struct setup *setup, const char *sender, const char *recipient)
{
	struct config_question question = {
		.sender = span_from_string(sender),
		.recipient = span_from_string(recipient),
	};

	return setup_hop_for(setup, &question)->key;
}

static void test_a_domain_of_ours_comes_before_any_route(void **state)
{
	const struct setup *setup =
	    fixture_setup("domain example.org { recipients any; deliver maildir:/m/%u; }\n"
			  "route * { match sender *@a.example; via smtp://a.example; }\n"
			  "route *@b.example { via lmtp://unix:/run/b; }\n");

	assert_string_equal(hop_for(setup, "x@a.example", "y@example.org"), "maildir:/m/%u");
	assert_string_equal(hop_for(setup, "x@a.example", "y@b.example"), "smtp://a.example");
	assert_string_equal(hop_for(setup, "", "y@b.example"), "lmtp://unix:/run/b");
	assert_string_equal(hop_for(setup, "", "y@c.example"), "no-route");
	assert_string_equal(hop_for(setup, "", "postmaster"), "no-route");
	assert_int_equal(setup_hop_by_route(setup, CONFIG_NO_ROUTE)->kind, SETUP_HOP_NOWHERE);
	assert_int_equal(setup_hop_by_route(setup, 1)->kind, SETUP_HOP_SESSION);
	setup_unref(&setup);
}

static void test_a_hop_has_its_routes_limits_and_a_domain_the_global_ones(void **state)
{
	const struct setup *setup =
	    fixture_setup("retry { first 2m; factor 3; max 2h; }\nlifetime 2d;\ndelay-warning 1h;\n"
			  "domain example.org { recipients any; deliver discard; }\n"
			  "route * { via smtp://a.example; connections-max 3; "
			  "messages-per-connection 7; rate 30/m;\n"
			  "	retry { first 5s; max 1m; } lifetime 1h; delay-warning 10m; }\n");

	assert_int_equal(setup->hops[0].connections_max, 3);
	assert_int_equal(setup->hops[0].messages_per_connection, 7);
	assert_int_equal(setup->hops[0].rate.count, 30);
	assert_int_equal(setup->hops[0].retry.first_ms, 5000);
	assert_int_equal(setup->hops[0].lifetime_ms, FIXTURE_HOUR);
	assert_int_equal(setup->hops[0].delay_warning_ms, 600000);
	assert_int_equal(setup->hops[1].retry.first_ms, 120000);
	assert_int_equal(setup->hops[1].lifetime_ms, 48 * FIXTURE_HOUR);
	assert_int_equal(setup->hops[1].delay_warning_ms, FIXTURE_HOUR);
	setup_unref(&setup);
}

static void test_a_listener_is_found_by_its_address_and_serves_two_kinds_of_clients(void **state)
{
	const struct setup *setup = fixture_setup(
	    "users { file /dev/null; }\n"
	    "listen a { address 127.0.0.1:25 127.0.0.1:26; auth off; tls off; size-max 1MB; }\n"
	    "listen b { address 127.0.0.1:587; auth required; tls off; cleartext-auth yes;\n"
	    "	relay-from 192.0.2.0/24; }\n");
	struct config_address other = setup->config->listeners[0].addresses[1];

	assert_ptr_equal(setup_listener_at(setup, &other), &setup->config->listeners[0]);
	((struct sockaddr_in *)&other.socket)->sin_port = 1;
	assert_null(setup_listener_at(setup, &other));
	assert_string_equal(setup->servers[0][0].auth_mechanisms, "");
	assert_int_equal(setup->servers[0][0].size_max_bytes, 1048576);
	assert_true(setup->servers[1][0].auth_required);
	assert_false(setup->servers[1][1].auth_required);
	assert_string_equal(setup->servers[1][1].auth_mechanisms, "PLAIN LOGIN");
	setup_unref(&setup);
}

static void test_references_keep_it(void **state)
{
	const struct setup *setup = fixture_setup("route * { via discard; }\n"), *other;

	other = setup_ref(setup);
	setup_unref(&setup);
	assert_string_equal(other->hops[0].key, "discard");
	setup_unref(&other);
	setup_unref(&other);
}

static void test_a_route_has_the_key_of_its_hop(void **state)
{
	struct directory directory;
	const struct setup *setup;
	char whole[2000];

	directory_make(&directory);
	snprintf(whole, sizeof(whole),
	    "account up { login me@a.example; password-file %s; }\n"
	    "route *@a.example { via smtp://x.example; }\n"
	    "route *@b.example { via submission://x.example; account up; }\n"
	    "route *@c.example { via submission://x.example; account up; }\n"
	    "route *@d.example { via submission://x.example; }\n"
	    "route *@e.example { via smtp://x.example; }\n"
	    "route *@f.example { via submission://x.example; account up; }\n",
	    directory_write(&directory, "secret", "password\n"));
	setup = fixture_setup(whole);
	directory_remove(&directory);
	for (size_t i = 0; i < setup->config->route_count; i++) {
		struct buf key;
		buf_init(&key, 1000);
		setup_route_key(setup->config, i, &key);
		assert_string_equal(buf_string(&key), setup->hops[i].key);
		buf_fini(&key);
	}
	assert_string_equal(setup->hops[5].key, "submission://x.example as up #3");
	setup_unref(&setup);
}

static void test_a_password_that_is_another_one_now_is_noticed(void **state)
{
	struct directory directory;
	const struct setup *setup;
	char whole[1000];

	directory_make(&directory);
	snprintf(whole, sizeof(whole),
	    "route *@a.example { via submission://a.example; login me; password-file %s; }\n"
	    "route *@b.example { via submission://b.example; login me; "
	    "password-command echo word; }\n",
	    directory_write(&directory, "secret", "password\n"));
	setup = fixture_setup(whole);
	assert_false(setup_account_is_stale(&setup->accounts[0]));
	assert_false(setup_account_is_stale(&setup->accounts[1]));
	assert_true(span_equal(buf_span(&setup->accounts[1].password), SPAN("word")));
	directory_write(&directory, "secret", "another\n");
	assert_true(setup_account_is_stale(&setup->accounts[0]));
	directory_remove(&directory);
	assert_false(setup_account_is_stale(&setup->accounts[0])); /* it cannot be read */
	setup_unref(&setup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_route_has_the_key_of_its_hop),
		cmocka_unit_test(test_a_password_that_is_another_one_now_is_noticed),
		cmocka_unit_test(test_hops_have_keys_in_the_order_of_the_file),
		cmocka_unit_test(test_an_account_is_read_without_its_line_end),
		cmocka_unit_test(test_all_that_cannot_be_read_is_told_in_one_run),
		cmocka_unit_test(test_an_empty_secret_is_an_error_with_its_place),
		cmocka_unit_test(test_a_secret_that_all_may_read_is_a_warning),
		cmocka_unit_test(test_an_alias_leads_to_a_hundred_addresses_and_no_more),
		cmocka_unit_test(test_a_domain_of_ours_comes_before_any_route),
		cmocka_unit_test(test_a_hop_has_its_routes_limits_and_a_domain_the_global_ones),
		cmocka_unit_test(
		    test_a_listener_is_found_by_its_address_and_serves_two_kinds_of_clients),
		cmocka_unit_test(test_references_keep_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
