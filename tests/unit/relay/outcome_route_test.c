/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "relay/outcome.h"

#include <string.h>

static const struct setup *setup;

static const char *const three[] = { "x@a.example", "y@b.example", "z@a.example", NULL };

static const struct spool_recipient *recipient(const struct spool_delivery *delivery, unsigned i)
{
	assert_in_range(i, 0, delivery->recipient_count - 1);
	return &delivery->recipients[i];
}

static bool is_at(const struct spool_delivery *delivery, const char *hop)
{
	return span_equal(delivery->hop, span_from_string(hop));
}

static void destroy(struct list *more)
{
	struct list *link;

	while ((link = list_take_first(more)) != NULL) {
		struct spool_delivery *delivery = LIST_ENTRY(link, struct spool_delivery, link);
		spool_delivery_destroy(&delivery);
	}
}

static void test_recipients_that_go_elsewhere_are_moved_out(void **state)
{
	struct spool_delivery *delivery = fixture_delivery("s@x.example", "gone", three, 0), *moved;
	struct list more;

	list_init(&more);
	delivery->warn_ms = 1;
	delivery->next_attempt_ms = FIXTURE_RECEIVED + 999;
	assert_true(outcome_route(setup, delivery, &more));
	assert_true(is_at(delivery, "smtp://a.example"));
	assert_int_equal(delivery->recipient_count, 2);
	assert_true(span_equal(recipient(delivery, 0)->address, SPAN("x@a.example")));
	assert_true(span_equal(recipient(delivery, 1)->address, SPAN("z@a.example")));
	assert_int_equal(delivery->expires_ms, FIXTURE_RECEIVED + 2 * FIXTURE_HOUR);
	assert_int_equal(delivery->warn_ms, FIXTURE_RECEIVED + FIXTURE_HOUR);
	assert_int_equal(delivery->next_attempt_ms, FIXTURE_RECEIVED); /* the new way at once */

	assert_ptr_not_equal(more.next, &more);
	moved = LIST_ENTRY(more.next, struct spool_delivery, link);
	assert_ptr_equal(moved->link.next, &more);
	assert_true(is_at(moved, "smtp://b.example"));
	assert_int_equal(moved->recipient_count, 1);
	assert_true(span_equal(recipient(moved, 0)->address, SPAN("y@b.example")));
	assert_int_equal(moved->expires_ms, FIXTURE_RECEIVED + 5 * FIXTURE_HOUR);
	assert_int_equal(moved->warn_ms, 0);

	/* asked again, nothing changes */
	assert_false(outcome_route(setup, delivery, &more));
	assert_false(outcome_route(setup, moved, &more));
	destroy(&more);
	spool_delivery_destroy(&delivery);
}

static void test_the_right_hop_keeps_its_retry_time(void **state)
{
	static const char *const one[] = { "x@a.example", NULL };
	struct spool_delivery *delivery =
	    fixture_delivery("s@x.example", "smtp://a.example", one, 0);
	struct list more;

	list_init(&more);
	delivery->next_attempt_ms = 42;
	assert_true(outcome_route(setup, delivery, &more)); /* its lifetime has changed */
	assert_int_equal(delivery->next_attempt_ms, 42);
	assert_int_equal(delivery->expires_ms, FIXTURE_RECEIVED + 2 * FIXTURE_HOUR);
	assert_int_equal(delivery->warn_ms, 0); /* a warning that was sent is not due again */
	assert_false(outcome_route(setup, delivery, &more));
	assert_true(list_is_empty(&more));
	spool_delivery_destroy(&delivery);
}

static void test_who_is_settled_is_not_asked(void **state)
{
	struct spool_delivery *delivery =
	    fixture_delivery("s@x.example", "smtp://b.example", three, 0);
	struct list more;

	list_init(&more);
	delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
	delivery->recipients[2].state = SPOOL_RECIPIENT_FAILED;
	assert_true(outcome_route(setup, delivery, &more));
	assert_true(is_at(delivery, "smtp://b.example"));
	assert_int_equal(delivery->recipient_count, 3);
	assert_true(list_is_empty(&more));
	delivery->recipients[1].state = SPOOL_RECIPIENT_DELIVERED;
	assert_false(outcome_route(setup, delivery, &more));
	spool_delivery_destroy(&delivery);
}

static void test_sender_client_and_listener_count(void **state)
{
	static const char *const one[] = { "x@c.example", NULL };
	static const struct {
		const char *sender, *hop;
	} cases[] = {
		{ "special@x.example", "smtp://sender.example" },
		{ "s@x.example", "smtp://client.example" },
	};
	struct list more;

	list_init(&more);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spool_delivery *delivery = fixture_delivery(cases[i].sender, "gone", one, 0);
		assert_true(outcome_route(setup, delivery, &more));
		assert_true(is_at(delivery, cases[i].hop));
		spool_delivery_destroy(&delivery);
	}
}

static void test_no_route_is_a_hop_too(void **state)
{
	static const char *const one[] = { "x@nowhere.example", NULL };
	struct spool_delivery *delivery = fixture_delivery("s@x.example", "gone", one, 0);
	struct list more;

	list_init(&more);
	assert_true(outcome_route(setup, delivery, &more));
	assert_true(is_at(delivery, "no-route"));
	spool_delivery_destroy(&delivery);
}

static int begin(void **state)
{
	setup = fixture_setup(
	    "listen lan { address 127.0.0.1:25; auth off; tls off; }\n"
	    "route *@a.example { via smtp://a.example; lifetime 2h; delay-warning 1h; }\n"
	    "route *@b.example { via smtp://b.example; lifetime 5h; delay-warning none; }\n"
	    "route *@c.example { match sender special@x.example; via smtp://sender.example; }\n"
	    "route *@c.example { match client 192.0.2.0/24; match listener lan; via "
	    "smtp://client.example; }\n");
	return 0;
}

static int end(void **state)
{
	setup_unref(&setup);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipients_that_go_elsewhere_are_moved_out),
		cmocka_unit_test(test_the_right_hop_keeps_its_retry_time),
		cmocka_unit_test(test_who_is_settled_is_not_asked),
		cmocka_unit_test(test_sender_client_and_listener_count),
		cmocka_unit_test(test_no_route_is_a_hop_too),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
