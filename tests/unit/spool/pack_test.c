/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "spool/engine.h"
#include "spool/pack.h"

#include <string.h>

static struct spool_delivery *sample(struct spool_message *message)
{
	struct spool_delivery *delivery = spool_delivery_create(message, SPAN("lmtp://x:24"));
	delivery->expires_ms = FIXTURE_NOW;
	delivery->warn_ms = -1;
	delivery->last_attempt_ms = INT64_MAX;
	delivery->attempts = 300;
	delivery->number = 70000;
	spool_text_set(&delivery->route, SPAN("*"));
	spool_text_set(&delivery->reply, SPAN("421 \0 no"));
	for (int i = 0; i < 3; i++)
		spool_delivery_add(delivery, SPAN("x@example.org"));
	delivery->recipients[1].state = SPOOL_RECIPIENT_FAILED;
	spool_text_set(&delivery->recipients[1].reply, SPAN("550 5.1.1 no"));
	spool_text_set(&delivery->recipients[2].remote_id, SPAN("4Wx"));
	delivery->recipients[0].notify = 15;
	spool_text_set(&delivery->recipients[2].orcpt, SPAN("rfc822;x+2By@example.org"));
	return delivery;
}

static void a_delivery_comes_back_as_it_went(void **state)
{
	struct spool_message *message = spool_message_create(1, &(struct spool_envelope){ 0 });
	struct spool_delivery *delivery = sample(message);
	struct buf packed;
	struct list out;
	buf_init(&packed, SPOOL_PACK_MAX);
	list_init(&out);
	spool_pack_history(&packed, delivery);
	spool_pack_history(&packed, delivery);
	assert_true(spool_unpack_history(buf_span(&packed), message, &out));
	struct spool_delivery *got = LIST_ENTRY(out.prev, struct spool_delivery, link);
	assert_int_equal(got->number, 70000);
	assert_int_equal(got->attempts, 300);
	assert_int_equal(got->warn_ms, -1);
	assert_int_equal(got->last_attempt_ms, INT64_MAX);
	assert_true(span_equal(got->reply, SPAN("421 \0 no")));
	assert_int_equal(got->recipient_count, 3);
	assert_int_equal(got->recipients[1].state, SPOOL_RECIPIENT_FAILED);
	assert_true(span_equal(got->recipients[2].remote_id, SPAN("4Wx")));
	assert_int_equal(got->recipients[0].notify, 15);
	assert_int_equal(got->recipients[1].notify, 0);
	assert_true(span_equal(got->recipients[2].orcpt, SPAN("rfc822;x+2By@example.org")));
	struct list *link;
	while ((link = list_take_first(&out)) != NULL) {
		got = LIST_ENTRY(link, struct spool_delivery, link);
		spool_delivery_destroy(&got);
	}
	buf_fini(&packed);
	spool_delivery_destroy(&delivery);
	spool_message_unref(&message);
}

static void no_prefix_of_a_delivery_is_taken_for_one(void **state)
{
	struct spool_message *message = spool_message_create(1, &(struct spool_envelope){ 0 });
	struct spool_delivery *delivery = sample(message);
	struct buf packed;
	buf_init(&packed, SPOOL_PACK_MAX);
	spool_pack_delivery(&packed, delivery);
	assert_int_equal(spool_packed_recipients(buf_span(&packed)), 3);
	for (size_t len = 0; len <= packed.len; len++) {
		/* A copy of exactly this length: reading beyond it is seen by the sanitizer. */
		char *copy = mem_alloc(len + (len == 0));
		memcpy(copy, buf_span(&packed).data, len);
		struct span from = span_of(copy, len);
		struct spool_delivery *got = spool_delivery_create(message, SPAN("h"));
		assert_int_equal(spool_unpack_delivery(&from, got), len == packed.len);
		spool_delivery_destroy(&got);
		mem_free(copy);
	}
	buf_fini(&packed);
	spool_delivery_destroy(&delivery);
	spool_message_unref(&message);
}

static void no_prefix_of_an_envelope_is_taken_for_one(void **state)
{
	struct spool_envelope envelope = { .reverse_path = SPAN("a@b"),
		.login = SPAN("l"),
		.client = SPAN("::1"),
		.helo = SPAN("h"),
		.listener = SPAN("s"),
		.flags = 1000,
		.received_ms = FIXTURE_NOW,
		.envid = SPAN("QQ314159") };
	struct spool_envelope got;
	struct buf packed;
	buf_init(&packed, SPOOL_PACK_MAX);
	spool_pack_envelope(&packed, &envelope);
	for (size_t len = 0; len < packed.len; len++)
		assert_false(spool_unpack_envelope(span_head(buf_span(&packed), len), &got));
	assert_true(spool_unpack_envelope(buf_span(&packed), &got));
	assert_true(span_equal(got.listener, SPAN("s")));
	assert_true(span_equal(got.envid, SPAN("QQ314159")));
	assert_int_equal(got.flags, 1000);
	buf_fini(&packed);
}

static void a_draft_makes_a_further_delivery_past_a_hundred_recipients(void **state)
{
	struct spool_message *message = spool_message_create(1, &(struct spool_envelope){ 0 });
	struct spool_draft *draft = spool_draft_create(&message);
	for (int i = 0; i < 250; i++)
		spool_draft_add(draft, SPAN("h"), SPAN("a@b"));
	assert_int_equal(draft->delivery_count, 3);
	struct spool_delivery *first =
	    LIST_ENTRY(draft->deliveries.next, struct spool_delivery, link);
	assert_int_equal(first->recipient_count, SPOOL_RECIPIENTS_MAX);
	assert_false(spool_delivery_add(first, SPAN("a@b")));
	spool_draft_destroy(&draft);
}

static const struct pattern_case {
	const char *pattern, *text;
	bool want;
} pattern_cases[] = {
	{ "", "", true },
	{ "", "a", false },
	{ "*", "", true },
	{ "*", "abc", true },
	{ "a@b", "A@B", true },
	{ "*@b", "x@y@b", true },
	{ "*@b", "x@b.c", false },
	{ "a*c*e", "abcde", true },
	{ "a*c*e", "abcdef", false },
	{ "**", "x", true },
	{ "*.example", "example", false },
	{ "a*", "b", false },
};

static void patterns_match_the_whole_text(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(pattern_cases); i++) {
		const struct pattern_case *c = &pattern_cases[i];
		if (engine_pattern_matches(
			span_from_string(c->pattern), span_from_string(c->text)) != c->want)
			fail_msg("%s against %s", c->pattern, c->text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_delivery_comes_back_as_it_went),
		cmocka_unit_test(no_prefix_of_a_delivery_is_taken_for_one),
		cmocka_unit_test(no_prefix_of_an_envelope_is_taken_for_one),
		cmocka_unit_test(a_draft_makes_a_further_delivery_past_a_hundred_recipients),
		cmocka_unit_test(patterns_match_the_whole_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
