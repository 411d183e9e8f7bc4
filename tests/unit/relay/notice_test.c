/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "base/memory.h"
#include "relay/notice.h"
#include "smtp/notify.h"

#include <string.h>

static const struct setup *setup;

static struct spool_delivery *delivery_with_body(
    const char *sender, const char *const *recipients, unsigned flags)
{
	struct spool_delivery *delivery =
	    fixture_delivery(sender, "smtp://a.example", recipients, flags);
	struct buf bytes;

	buf_init(&bytes, 1000);
	buf_append(&bytes,
	    SPAN("Subject: About cake\r\nMessage-ID: <1@x.example>\r\n\r\nSECRET BODY\r\n"));
	delivery->owner = spool_body_create(&bytes);
	return delivery;
}

/* The notice as text; it is made and destroyed with the delivery. */
static struct spool_draft *make(
    struct spool_delivery *delivery, enum message_report_kind kind, const bool *about)
{
	struct spool_body *body = delivery->owner;
	struct notice *notice =
	    notice_create(setup, kind, delivery, 99, FIXTURE_RECEIVED + 5000, NULL);
	struct spool_draft *draft;

	memcpy(notice->about, about, sizeof(notice->about));
	notice_make(notice);
	draft = notice->draft;
	notice->draft = NULL;
	notice_destroy(&notice);
	assert_null(notice);
	spool_body_unref(&body);
	return draft;
}

static bool says(const struct spool_draft *draft, const char *text)
{
	struct span body = spool_body_span(draft->body);

	return span_find_span(body, span_from_string(text)) < body.len;
}

static void test_a_report_is_about_those_who_failed_and_goes_to_the_sender(void **state)
{
	static const char *const to[] = { "ok@a.example", "bad@a.example", "later@a.example",
		NULL };
	static const bool about[SPOOL_RECIPIENTS_MAX] = { false, true, false };
	struct spool_delivery *delivery = delivery_with_body("s@x.example", to, 0), *bounce;
	struct spool_draft *draft;

	delivery->recipients[1].state = SPOOL_RECIPIENT_FAILED;
	spool_text_set(
	    &delivery->recipients[1].reply, SPAN("550 5.1.1 <bad@a.example>: no such user"));
	draft = make(delivery, MESSAGE_REPORT_FAILURE, about);
	assert_non_null(draft);
	assert_int_equal(draft->message->id, 99);
	assert_int_equal(draft->message->envelope.reverse_path.len, 0);
	assert_true(draft->message->envelope.flags & SPOOL_FLAG_NOTICE);
	assert_int_equal(draft->delivery_count, 1);
	bounce = LIST_ENTRY(draft->deliveries.next, struct spool_delivery, link);
	assert_int_equal(bounce->recipient_count, 1);
	assert_true(span_equal(bounce->recipients[0].address, SPAN("s@x.example")));
	assert_true(span_equal(bounce->hop, SPAN("smtp://senders.example")));
	assert_int_equal(bounce->next_attempt_ms, FIXTURE_RECEIVED + 5000);
	assert_int_equal(bounce->expires_ms, FIXTURE_RECEIVED + 5000 + 3 * FIXTURE_HOUR);
	assert_true(says(draft, "bad@a.example"));
	assert_true(says(draft, "no such user"));
	assert_true(says(draft, "Status: 5.1.1"));
	assert_true(says(draft, "Action: failed"));
	assert_true(says(draft, "About cake"));
	assert_false(says(draft, "ok@a.example"));
	assert_false(says(draft, "later@a.example"));
	assert_false(says(draft, "SECRET BODY"));
	spool_draft_destroy(&draft);
}

static void test_our_own_reason_is_not_put_into_the_hops_mouth(void **state)
{
	static const char *const to[] = { "bad@a.example", NULL };
	static const bool about[SPOOL_RECIPIENTS_MAX] = { true };
	struct spool_delivery *delivery = delivery_with_body("s@x.example", to, 0);
	struct spool_draft *draft;

	delivery->recipients[0].state = SPOOL_RECIPIENT_FAILED;
	spool_text_set(
	    &delivery->recipients[0].reply, SPAN("given up after 5d: the wrong password"));
	draft = make(delivery, MESSAGE_REPORT_FAILURE, about);
	assert_non_null(draft);
	assert_true(says(draft, "the wrong password"));
	assert_false(says(draft, "Diagnostic-Code: smtp"));
	spool_draft_destroy(&draft);
}

static void test_a_delay_says_that_it_is_one(void **state)
{
	static const char *const to[] = { "slow@a.example", NULL };
	static const bool about[SPOOL_RECIPIENTS_MAX] = { true };
	struct spool_delivery *delivery = delivery_with_body("s@x.example", to, 0);
	struct spool_draft *draft;

	spool_text_set(&delivery->recipients[0].reply, SPAN("451 busy"));
	draft = make(delivery, MESSAGE_REPORT_DELAY, about);
	assert_non_null(draft);
	assert_true(says(draft, "Action: delayed"));
	assert_true(says(draft, "Status: 4."));
	spool_draft_destroy(&draft);
}

static const struct wish_case {
	unsigned notify;
	bool failure, delay, success;
} wish_cases[] = {
	{ 0, true, true, false },
	{ SMTP_NOTIFY_NEVER, false, false, false },
	{ SMTP_NOTIFY_FAILURE, true, false, false },
	{ SMTP_NOTIFY_DELAY, false, true, false },
	{ SMTP_NOTIFY_SUCCESS, false, false, true },
	{ SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY, true, true, true },
};

static void test_the_sender_hears_what_it_wants_to(void **state)
{
	static const char *const to[] = { "b@a.example", NULL };

	for (size_t i = 0; i < ARRAY_LEN(wish_cases); i++) {
		const struct wish_case *c = &wish_cases[i];
		struct spool_delivery *d =
		    fixture_delivery("s@x.example", "smtp://a.example", to, 0);
		struct spool_delivery *from_nobody =
		    fixture_delivery("", "smtp://a.example", to, 0);
		struct spool_recipient *r = &d->recipients[0];

		r->notify = c->notify;
		assert_int_equal(notice_is_wanted(d, r, MESSAGE_REPORT_FAILURE), c->failure);
		assert_int_equal(notice_is_wanted(d, r, MESSAGE_REPORT_DELAY), c->delay);
		assert_int_equal(notice_is_wanted(d, r, MESSAGE_REPORT_RELAYED), c->success);
		assert_int_equal(notice_is_wanted(d, r, MESSAGE_REPORT_DELIVERED), c->success);
		assert_false(notice_is_wanted(from_nobody, r, MESSAGE_REPORT_RELAYED));
		r->notify_passed_on = true; /* then the hop tells */
		assert_false(notice_is_wanted(d, r, MESSAGE_REPORT_RELAYED));
		assert_int_equal(notice_is_wanted(d, r, MESSAGE_REPORT_FAILURE), c->failure);
		spool_delivery_destroy(&d);
		spool_delivery_destroy(&from_nobody);
	}
}

static void test_what_needs_tls_is_never_returned_whole(void **state)
{
	static const char *const to[] = { "bad@a.example", NULL };
	static const bool about[SPOOL_RECIPIENTS_MAX] = { true };

	for (unsigned tls = 0; tls < 2; tls++) {
		struct spool_delivery *delivery = delivery_with_body(
		    "s@x.example", to, SPOOL_FLAG_RETURN_FULL | (tls ? SPOOL_FLAG_REQUIRETLS : 0));
		struct spool_draft *draft;

		delivery->recipients[0].state = SPOOL_RECIPIENT_FAILED;
		spool_text_set(&delivery->recipients[0].orcpt, SPAN("rfc822;a+2Bb@c"));
		delivery->message->size = spool_body_span(delivery->owner).len;
		draft = make(delivery, MESSAGE_REPORT_FAILURE, about);
		assert_non_null(draft);
		assert_int_equal(says(draft, "SECRET BODY"), !tls);
		assert_true(says(draft, "Original-Recipient: rfc822; a+b@c\r\n"));
		spool_draft_destroy(&draft);
	}
}

static void test_about_nobody_is_no_report(void **state)
{
	static const char *const to[] = { "x@a.example", NULL };
	static const bool about[SPOOL_RECIPIENTS_MAX] = { false };

	assert_null(make(delivery_with_body("s@x.example", to, 0), MESSAGE_REPORT_FAILURE, about));
}

static void test_one_that_nobody_can_get_is_not_made(void **state)
{
	static const char *const to[] = { "admin@our.example", NULL };
	static const bool about[SPOOL_RECIPIENTS_MAX] = { true };

	assert_null(make(delivery_with_body("", to, 0), MESSAGE_REPORT_FAILURE, about));
}

static const struct addressee_case {
	const char *name, *sender;
	unsigned flags;
	const char *recipient;
	bool has_postmaster;
	enum notice_address want;
	const char *to;
} addressee_cases[] = {
	{ "the sender", "s@x.example", 0, "x@a.example", true, NOTICE_TO_SENDER, "s@x.example" },
	{ "also without a postmaster", "s@x.example", 0, "x@a.example", false, NOTICE_TO_SENDER,
	    "s@x.example" },
	{ "a bounce of somebody else goes to postmaster", "", 0, "x@a.example", true,
	    NOTICE_TO_POSTMASTER, "admin@our.example" },
	{ "or to nobody", "", 0, "x@a.example", false, NOTICE_TO_NOBODY, NULL },
	{ "our notice goes to postmaster", "", SPOOL_FLAG_NOTICE, "s@x.example", true,
	    NOTICE_TO_POSTMASTER, "admin@our.example" },
	{ "even when notices have a reverse-path", "bounces@our.example", SPOOL_FLAG_NOTICE,
	    "s@x.example", true, NOTICE_TO_POSTMASTER, "admin@our.example" },
	{ "a notice to postmaster that fails ends there", "", SPOOL_FLAG_NOTICE,
	    "Admin@OUR.example", true, NOTICE_TO_NOBODY, NULL },
	{ "mail to postmaster that fails still has a sender", "s@x.example", 0, "admin@our.example",
	    true, NOTICE_TO_SENDER, "s@x.example" },
};

static void test_who_is_told(void **state)
{
	const struct config *without = fixture_config("route * { via discard; }\n");

	for (size_t i = 0; i < ARRAY_LEN(addressee_cases); i++) {
		const struct addressee_case *c = &addressee_cases[i];
		const char *const to[] = { c->recipient, NULL };
		struct spool_delivery *delivery = fixture_delivery(c->sender, "h", to, c->flags);
		struct span got;
		enum notice_address address =
		    notice_addressee(c->has_postmaster ? setup->config : without, delivery, &got);
		if (address != c->want || (c->to && !span_equal(got, span_from_string(c->to))))
			fail_msg("%s: %d", c->name, address);
		spool_delivery_destroy(&delivery);
	}
	config_unref(&without);
}

static int begin(void **state)
{
	setup = fixture_setup("postmaster admin@our.example;\n"
			      "route *@x.example { via smtp://senders.example; lifetime 3h; }\n"
			      "route * { via smtp://a.example; }\n");
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
		cmocka_unit_test(test_a_report_is_about_those_who_failed_and_goes_to_the_sender),
		cmocka_unit_test(test_our_own_reason_is_not_put_into_the_hops_mouth),
		cmocka_unit_test(test_a_delay_says_that_it_is_one),
		cmocka_unit_test(test_the_sender_hears_what_it_wants_to),
		cmocka_unit_test(test_what_needs_tls_is_never_returned_whole),
		cmocka_unit_test(test_about_nobody_is_no_report),
		cmocka_unit_test(test_one_that_nobody_can_get_is_not_made),
		cmocka_unit_test(test_who_is_told),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
