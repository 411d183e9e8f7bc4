/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "spool/body.h"

#include "base/id.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_state(struct fixture *fixture, uint64_t id, enum spool_message_state state)
{
	struct spool_entry *entry = fixture_show(fixture, id);
	assert_non_null(entry);
	assert_string_equal(
	    spool_message_state_name(entry->state), spool_message_state_name(state));
	spool_entry_destroy(&entry);
}

static void what_is_accepted_is_there_after_a_restart(void **state)
{
	struct fixture f = { 0 };
	fixture_open(&f);
	static const size_t lengths[] = { 0, 1, 7, 4056, 4064, 4096, 70000, 500000 };
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		fixture_accept(&f, i + 1, lengths[i], FIXTURE_HOP);
	fixture_reopen(&f);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct spool_delivery *delivery = fixture_lease(&f);
		const struct spool_envelope *envelope = &delivery->message->envelope;
		assert_int_equal(delivery->message->size, lengths[delivery->message->id - 1]);
		assert_true(fixture_body_is_intact(delivery->message));
		assert_true(span_equal(envelope->reverse_path, SPAN("ann@example.org")));
		assert_true(span_equal(envelope->login, SPAN("ann")));
		assert_true(span_equal(envelope->client, SPAN("192.0.2.7")));
		assert_true(span_equal(envelope->helo, SPAN("client.example.org")));
		assert_true(span_equal(envelope->listener, SPAN("submission")));
		assert_int_equal(envelope->flags, SPOOL_FLAG_SUBMITTED | SPOOL_FLAG_TLS);
		assert_int_equal(envelope->received_ms, FIXTURE_NOW);
		assert_int_equal(delivery->expires_ms, FIXTURE_NOW + 1000000);
		assert_true(span_equal(delivery->recipients[0].address, SPAN("bob@example.net")));
		delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
		fixture_result(&f, delivery);
	}
	fixture_remove(&f);
}

static void in_hand_is_leased_to_nobody_else(void **state)
{
	struct fixture f = { 0 };
	struct fault fault;
	struct list out;
	list_init(&out);
	fixture_open(&f);
	struct spool_draft *draft = fixture_draft(1, 10, FIXTURE_HOP);
	assert_int_equal(fixture_commit(&f, &draft, 1, NULL, 0, true), SPOOL_COMMIT_KEPT);
	assert_true(spool_store_lease(f.store, SPAN(FIXTURE_HOP), FIXTURE_NOW, 9, &out, &fault));
	assert_true(list_is_empty(&out));
	assert_state(&f, 1, SPOOL_MESSAGE_ACTIVE);
	spool_store_release(f.store, &draft->deliveries);
	spool_draft_destroy(&draft);
	assert_state(&f, 1, SPOOL_MESSAGE_DEFERRED);
	struct spool_delivery *delivery = fixture_lease(&f);
	assert_true(spool_store_lease(f.store, SPAN(FIXTURE_HOP), FIXTURE_NOW, 9, &out, &fault));
	assert_true(list_is_empty(&out));
	fixture_release(&f, delivery);
	fixture_release(&f, fixture_lease(&f));
	fixture_remove(&f);
}

static void a_deferred_delivery_waits_for_its_time(void **state)
{
	struct fixture f = { 0 };
	struct fault fault;
	struct list out;
	list_init(&out);
	fixture_open(&f);
	fixture_accept(&f, 1, 10, FIXTURE_HOP);
	struct spool_delivery *delivery = fixture_lease(&f);
	delivery->attempts = 3;
	delivery->next_attempt_ms = FIXTURE_NOW + 60000;
	spool_text_set(&delivery->reply, SPAN("451 later"));
	spool_text_set(&delivery->recipients[0].reply, SPAN("450 4.2.1 full"));
	fixture_result(&f, delivery);
	fixture_reopen(&f);
	struct spool_hop hop;
	assert_int_equal(spool_store_hops(f.store, 0, &hop, 1), 1);
	assert_int_equal(hop.next_attempt_ms, FIXTURE_NOW + 60000);
	assert_int_equal(hop.waiting, 1);
	assert_true(
	    spool_store_lease(f.store, SPAN(FIXTURE_HOP), FIXTURE_NOW + 59999, 9, &out, &fault));
	assert_true(list_is_empty(&out));
	assert_true(
	    spool_store_lease(f.store, SPAN(FIXTURE_HOP), FIXTURE_NOW + 60000, 9, &out, &fault));
	delivery = LIST_ENTRY(out.next, struct spool_delivery, link);
	assert_int_equal(delivery->attempts, 3);
	assert_true(span_equal(delivery->reply, SPAN("451 later")));
	assert_true(span_equal(delivery->recipients[0].reply, SPAN("450 4.2.1 full")));
	spool_store_release(f.store, &out);
	fixture_remove(&f);
}

static void the_oldest_due_comes_first_and_hops_do_not_mix(void **state)
{
	struct fixture f = { 0 };
	struct fault fault;
	struct list out;
	list_init(&out);
	fixture_open(&f);
	for (uint64_t id = 1; id <= 20; id++)
		fixture_accept(&f, id, 10, id % 2 ? FIXTURE_HOP : "smtp://other.example:25");
	assert_true(spool_store_lease(f.store, SPAN(FIXTURE_HOP), FIXTURE_NOW, 4, &out, &fault));
	uint64_t want = 1;
	LIST_FOR_EACH (at, &out) {
		struct spool_delivery *delivery = LIST_ENTRY(at, struct spool_delivery, link);
		assert_int_equal(delivery->message->id, want);
		want += 2;
	}
	assert_int_equal(want, 9);
	struct spool_hop hops[2];
	assert_int_equal(spool_store_hops(f.store, 0, hops, 2), 2);
	assert_int_equal(hops[0].waiting + hops[1].waiting, 20);
	assert_int_equal(hops[0].in_hand + hops[1].in_hand, 4);
	assert_int_equal(spool_store_next_due(f.store), FIXTURE_NOW);
	spool_store_release(f.store, &out);
	fixture_remove(&f);
}

static void an_ended_message_is_history_until_it_is_pruned(void **state)
{
	struct fixture f = { .settings = { .history_ms = 1000 } };
	struct fault fault;
	struct spool_stats stats;
	bool more;
	fixture_open(&f);
	fixture_accept(&f, 7, 3000, FIXTURE_HOP);
	struct spool_delivery *delivery = fixture_lease(&f);
	delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
	spool_text_set(&delivery->recipients[0].reply, SPAN("250 2.0.0 Ok: queued as 4Wx"));
	spool_text_set(&delivery->recipients[0].remote_id, SPAN("4Wx"));
	fixture_result(&f, delivery);
	spool_store_stats(f.store, &stats);
	assert_int_equal(stats.messages + stats.deliveries + stats.body_bytes + stats.in_hand, 0);
	struct spool_entry *entry = fixture_show(&f, 7);
	assert_int_equal(entry->state, SPOOL_MESSAGE_DONE);
	assert_int_equal(entry->ended_ms, FIXTURE_NOW);
	delivery = LIST_ENTRY(entry->deliveries.next, struct spool_delivery, link);
	assert_int_equal(delivery->state, SPOOL_DELIVERY_ENDED);
	assert_true(span_equal(delivery->hop, SPAN(FIXTURE_HOP)));
	assert_true(span_equal(delivery->recipients[0].remote_id, SPAN("4Wx")));
	spool_entry_destroy(&entry);
	assert_true(spool_store_tidy(f.store, FIXTURE_NOW + 999, &more, &fault));
	assert_state(&f, 7, SPOOL_MESSAGE_DONE);
	assert_true(spool_store_tidy(f.store, FIXTURE_NOW + 20000, &more, &fault));
	assert_null(fixture_show(&f, 7));
	fixture_remove(&f);
}

static void a_message_ends_with_the_last_of_its_deliveries(void **state)
{
	struct fixture f = { 0 };
	fixture_open(&f);
	struct spool_draft *draft = fixture_draft(1, 100, FIXTURE_HOP);
	spool_draft_add(draft, SPAN("smtp://other.example:25"), SPAN("eve@example.com"));
	assert_int_equal(draft->delivery_count, 2);
	assert_int_equal(fixture_commit(&f, &draft, 1, NULL, 0, false), SPOOL_COMMIT_KEPT);
	spool_draft_destroy(&draft);
	struct spool_delivery *delivery = fixture_lease(&f);
	delivery->recipients[0].state = SPOOL_RECIPIENT_FAILED;
	fixture_result(&f, delivery);
	assert_state(&f, 1, SPOOL_MESSAGE_DEFERRED);
	struct list out;
	struct fault fault;
	list_init(&out);
	assert_true(spool_store_lease(
	    f.store, SPAN("smtp://other.example:25"), FIXTURE_NOW, 1, &out, &fault));
	delivery = LIST_ENTRY(list_take_first(&out), struct spool_delivery, link);
	assert_true(fixture_body_is_intact(delivery->message));
	delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
	fixture_result(&f, delivery);
	assert_state(&f, 1, SPOOL_MESSAGE_BOUNCED);
	struct spool_entry *entry = fixture_show(&f, 1);
	assert_ptr_not_equal(entry->deliveries.next, entry->deliveries.prev);
	spool_entry_destroy(&entry);
	fixture_remove(&f);
}

static void a_bounce_is_kept_together_with_its_result(void **state)
{
	struct fixture f = { 0 };
	fixture_open(&f);
	fixture_accept(&f, 1, 100, FIXTURE_HOP);
	struct spool_delivery *delivery = fixture_lease(&f);
	delivery->recipients[0].state = SPOOL_RECIPIENT_FAILED;
	struct spool_result *result = spool_result_create(&delivery);
	result->bounce = fixture_draft(2, 333, FIXTURE_HOP);
	assert_int_equal(fixture_commit(&f, NULL, 0, &result, 1, false), SPOOL_COMMIT_KEPT);
	/* A batch of unknown outcome comes again: the bounce is there once. */
	assert_int_equal(fixture_commit(&f, NULL, 0, &result, 1, false), SPOOL_COMMIT_KEPT);
	spool_result_destroy(&result);
	assert_state(&f, 1, SPOOL_MESSAGE_BOUNCED);
	struct spool_stats stats;
	spool_store_stats(f.store, &stats);
	assert_int_equal(stats.messages, 1);
	assert_int_equal(stats.body_bytes, 333);
	delivery = fixture_lease(&f);
	assert_int_equal(delivery->message->id, 2);
	assert_true(fixture_body_is_intact(delivery->message));
	fixture_release(&f, delivery);
	fixture_remove(&f);
}

static void recipients_split_off_get_a_delivery_of_their_own_once(void **state)
{
	struct fixture f = { 0 };
	fixture_open(&f);
	struct spool_draft *draft = fixture_draft(1, 100, FIXTURE_HOP);
	spool_draft_add(draft, SPAN(FIXTURE_HOP), SPAN("carol@example.com"));
	spool_draft_add(draft, SPAN(FIXTURE_HOP), SPAN("dave@example.com"));
	assert_int_equal(fixture_commit(&f, &draft, 1, NULL, 0, false), SPOOL_COMMIT_KEPT);
	spool_draft_destroy(&draft);
	struct spool_delivery *delivery = fixture_lease(&f);
	struct spool_result *result = spool_result_create(&delivery);
	spool_delivery_move(result->delivery, 1, SPAN("lmtp://x:24"), &result->more);
	spool_delivery_move(result->delivery, 1, SPAN("lmtp://x:24"), &result->more);
	assert_int_equal(fixture_commit(&f, NULL, 0, &result, 1, false), SPOOL_COMMIT_KEPT);
	assert_int_equal(fixture_commit(&f, NULL, 0, &result, 1, false), SPOOL_COMMIT_KEPT);
	spool_result_destroy(&result);
	struct spool_stats stats;
	spool_store_stats(f.store, &stats);
	assert_int_equal(stats.deliveries, 2);
	struct list out;
	struct fault fault;
	list_init(&out);
	assert_true(spool_store_lease(f.store, SPAN("lmtp://x:24"), FIXTURE_NOW, 9, &out, &fault));
	delivery = LIST_ENTRY(out.next, struct spool_delivery, link);
	assert_int_equal(delivery->recipient_count, 2);
	assert_int_equal(delivery->number, 1);
	spool_store_release(f.store, &out);
	fixture_remove(&f);
}

static void what_expires_or_is_to_be_warned_of_is_found(void **state)
{
	struct fixture f = { 0 };
	struct fault fault;
	struct list out;
	list_init(&out);
	fixture_open(&f);
	fixture_accept(&f, 1, 10, FIXTURE_HOP);
	assert_true(spool_store_lease_overdue(f.store, FIXTURE_NOW + 99999, 9, &out, &fault));
	assert_true(list_is_empty(&out));
	assert_true(spool_store_lease_overdue(f.store, FIXTURE_NOW + 100000, 9, &out, &fault));
	struct spool_delivery *delivery =
	    LIST_ENTRY(list_take_first(&out), struct spool_delivery, link);
	delivery->warn_ms = 0;
	fixture_result(&f, delivery);
	assert_true(spool_store_lease_overdue(f.store, FIXTURE_NOW + 999999, 9, &out, &fault));
	assert_true(list_is_empty(&out));
	assert_true(spool_store_lease_overdue(f.store, FIXTURE_NOW + 1000000, 9, &out, &fault));
	assert_false(list_is_empty(&out));
	spool_store_release(f.store, &out);
	fixture_remove(&f);
}

static void change(
    struct fixture *f, enum spool_change what, uint64_t id, struct spool_changed *changed_out)
{
	struct spool_filter filter = { .ids = &id, .id_count = 1 };
	struct spool_cursor cursor = { 0 };
	struct fault fault;
	memset(changed_out, 0, sizeof(*changed_out));
	assert_true(spool_store_change(
	    f->store, what, &filter, &cursor, 10, false, FIXTURE_NOW + 5, changed_out, &fault));
	assert_true(cursor.finished);
}

static void the_operator_holds_releases_retries_and_drops(void **state)
{
	struct fixture f = { 0 };
	struct spool_changed changed;
	struct fault fault;
	struct list out;
	list_init(&out);
	fixture_open(&f);
	fixture_accept(&f, 1, 10, FIXTURE_HOP);
	change(&f, SPOOL_CHANGE_HOLD, 1, &changed);
	assert_int_equal(changed.deliveries, 1);
	assert_state(&f, 1, SPOOL_MESSAGE_HELD);
	assert_true(spool_store_lease(f.store, SPAN(FIXTURE_HOP), INT64_MAX, 9, &out, &fault));
	assert_true(spool_store_lease_overdue(f.store, INT64_MAX, 9, &out, &fault));
	assert_true(list_is_empty(&out));
	change(&f, SPOOL_CHANGE_RETRY, 1, &changed);
	assert_int_equal(changed.deliveries, 0);
	change(&f, SPOOL_CHANGE_RELEASE, 1, &changed);
	assert_int_equal(changed.messages, 1);
	assert_true(
	    spool_store_lease(f.store, SPAN(FIXTURE_HOP), FIXTURE_NOW + 5, 9, &out, &fault));
	assert_false(list_is_empty(&out));
	change(&f, SPOOL_CHANGE_DROP, 1, &changed);
	assert_int_equal(changed.deliveries, 0);
	assert_int_equal(changed.in_hand, 1);
	spool_store_release(f.store, &out);
	change(&f, SPOOL_CHANGE_DROP, 1, &changed);
	assert_int_equal(changed.deliveries, 1);
	assert_state(&f, 1, SPOOL_MESSAGE_DROPPED);
	fixture_remove(&f);
}

static const struct filter_case {
	const char *name;
	const char *hop, *from, *to;
	int64_t before_ms;
	unsigned states;
	size_t want;
} filter_cases[] = {
	{ "nothing given means all that is queued", NULL, NULL, NULL, 0, 0, 2 },
	{ "a hop by pattern", "*other*", NULL, NULL, 0, 0, 1 },
	{ "a hop that is not there", "other", NULL, NULL, 0, 0, 0 },
	{ "a sender in any case", NULL, "ANN@*", NULL, 0, 0, 2 },
	{ "the null reverse-path", NULL, "", NULL, 0, 0, 0 },
	{ "a recipient's domain", NULL, NULL, "*@example.net", 0, 0, 2 },
	{ "older than their coming", NULL, NULL, NULL, FIXTURE_NOW, 0, 0 },
	{ "older than a later moment", NULL, NULL, NULL, FIXTURE_NOW + 1, 0, 2 },
	{ "only held ones", NULL, NULL, NULL, 0, SPOOL_MESSAGE_HELD, 0 },
	{ "history", NULL, NULL, NULL, 0, SPOOL_MESSAGE_ENDED, 1 },
	{ "history of the hop", FIXTURE_HOP, NULL, NULL, 0, SPOOL_MESSAGE_DONE, 1 },
};

static struct span pattern_of(const char *text)
{
	return text != NULL ? span_of(text, strlen(text)) : span_of(NULL, 0);
}

static void filters_choose(void **state)
{
	struct fixture f = { 0 };
	struct fault fault;
	fixture_open(&f);
	fixture_accept(&f, 1, 10, FIXTURE_HOP);
	struct spool_delivery *delivery = fixture_lease(&f);
	delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
	fixture_result(&f, delivery);
	fixture_accept(&f, 2, 10, FIXTURE_HOP);
	fixture_accept(&f, 3, 10, "smtp://other.example:25");
	for (size_t i = 0; i < ARRAY_LEN(filter_cases); i++) {
		const struct filter_case *c = &filter_cases[i];
		struct spool_filter filter = { .hop = pattern_of(c->hop),
			.from = pattern_of(c->from),
			.to = pattern_of(c->to),
			.received_before_ms = c->before_ms,
			.states = c->states };
		struct spool_cursor cursor = { 0 };
		size_t got = 0;
		while (!cursor.finished) {
			struct list out, *link;
			list_init(&out);
			assert_true(spool_store_page(f.store, &filter, &cursor, 1, &out, &fault));
			while ((link = list_take_first(&out)) != NULL) {
				struct spool_entry *entry =
				    LIST_ENTRY(link, struct spool_entry, link);
				spool_entry_destroy(&entry);
				got++;
			}
		}
		if (got != c->want)
			fail_msg("%s: %zu, not %zu", c->name, got, c->want);
	}
	fixture_remove(&f);
}

static bool route_by_recipient(void *context, struct spool_delivery *delivery, struct list *more)
{
	int *calls = context;
	++*calls;
	spool_text_set(&delivery->hop, SPAN("smtp://new.example:25"));
	if (delivery->recipient_count > 1)
		spool_delivery_move(delivery, 0, SPAN("smtp://third.example:25"), more);
	return true;
}

static void a_reload_sends_waiting_mail_the_new_way(void **state)
{
	struct fixture f = { 0 };
	struct fault fault;
	struct spool_cursor cursor = { 0 };
	uint64_t changed = 0;
	int calls = 0;
	fixture_open(&f);
	struct spool_draft *draft = fixture_draft(1, 10, FIXTURE_HOP);
	spool_draft_add(draft, SPAN(FIXTURE_HOP), SPAN("carol@example.com"));
	assert_int_equal(fixture_commit(&f, &draft, 1, NULL, 0, false), SPOOL_COMMIT_KEPT);
	spool_draft_destroy(&draft);
	struct spool_delivery *busy = fixture_lease(&f);
	fixture_accept(&f, 2, 10, FIXTURE_HOP);
	while (!cursor.finished)
		assert_true(spool_store_rekey(
		    f.store, &cursor, 1, route_by_recipient, &calls, &changed, &fault));
	assert_int_equal(calls, 1);
	fixture_release(&f, busy);
	cursor = (struct spool_cursor){ 0 };
	while (!cursor.finished)
		assert_true(spool_store_rekey(
		    f.store, &cursor, 500, route_by_recipient, &calls, &changed, &fault));
	assert_int_equal(calls, 3);
	fixture_reopen(&f);
	struct spool_hop hops[4];
	assert_int_equal(spool_store_hops(f.store, 0, hops, 4), 2);
	struct list out;
	list_init(&out);
	assert_true(spool_store_lease(
	    f.store, SPAN("smtp://new.example:25"), FIXTURE_NOW, 9, &out, &fault));
	assert_true(spool_store_lease(
	    f.store, SPAN("smtp://third.example:25"), FIXTURE_NOW, 9, &out, &fault));
	size_t recipients = 0;
	LIST_FOR_EACH (at, &out)
		recipients += LIST_ENTRY(at, struct spool_delivery, link)->recipient_count;
	assert_int_equal(recipients, 3);
	spool_store_release(f.store, &out);
	fixture_remove(&f);
}

static void large_bodies_live_and_go_with_their_rows(void **state)
{
	struct fixture f = { 0 };
	struct fault fault;
	char text[ID_TEXT_SIZE], name[64];
	fixture_open(&f);
	struct spool_large *large = spool_large_create(NULL, f.path, 5, &fault);
	assert_non_null(large);
	struct buf body;
	fixture_body(5, 300000, &body);
	assert_true(spool_large_append(large, span_head(buf_span(&body), 100001), &fault));
	assert_true(spool_large_append(large, span_skip(buf_span(&body), 100001), &fault));
	buf_fini(&body);
	struct spool_draft *draft = fixture_draft(5, 0, FIXTURE_HOP);
	spool_body_unref(&draft->body);
	assert_true(spool_large_finish(&large, draft, &fault));
	assert_int_equal(fixture_commit(&f, &draft, 1, NULL, 0, false), SPOOL_COMMIT_KEPT);
	spool_draft_destroy(&draft);
	/* One that was never acknowledged, and one that somebody put there. */
	large = spool_large_create(NULL, f.path, 6, &fault);
	assert_true(spool_large_append(large, SPAN("x"), &fault));
	draft = fixture_draft(6, 0, FIXTURE_HOP);
	spool_body_unref(&draft->body);
	assert_true(spool_large_finish(&large, draft, &fault));
	spool_draft_destroy(&draft);
	fixture_reopen(&f);
	snprintf(name, sizeof(name), "large/%s", id_format(6, text));
	assert_false(fixture_file_exists(&f, name));
	snprintf(name, sizeof(name), "large/%s", id_format(5, text));
	assert_true(fixture_file_exists(&f, name));
	struct spool_delivery *delivery = fixture_lease(&f);
	assert_true(fixture_body_is_intact(delivery->message));
	delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
	fixture_result(&f, delivery);
	assert_false(fixture_file_exists(&f, name));
	fixture_remove(&f);
}

static void a_second_process_is_refused_with_the_first_one_named(void **state)
{
	struct fixture f = { 0 };
	fixture_open(&f);
	pid_t child = fork();
	if (child == 0) {
		struct fault fault;
		char want[64];
		struct spool_store *second = spool_store_open(f.path, &f.settings, &fault);
		snprintf(want, sizeof(want), "in use by process %ld", (long)getppid());
		_exit(second == NULL && strstr(fault.text, want) != NULL ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	fixture_remove(&f);
}

static void no_room_is_said_before_the_disk_is_full(void **state)
{
	struct fixture f = { .settings = { .min_free_bytes = UINT64_MAX / 2 } };
	fixture_open(&f);
	struct spool_draft *draft = fixture_draft(1, 10, FIXTURE_HOP);
	assert_int_equal(fixture_commit(&f, &draft, 1, NULL, 0, false), SPOOL_COMMIT_FULL);
	spool_draft_destroy(&draft);
	assert_null(fixture_show(&f, 1));
	fixture_remove(&f);
}

static void dead_segments_are_used_again_and_never_while_somebody_reads(void **state)
{
	struct fixture f = { .settings = { .segment_size = 1024 * 1024 } };
	struct fault fault;
	struct spool_stats stats;
	bool more;
	fixture_open(&f);
	fixture_accept(&f, 1, 200000, FIXTURE_HOP);
	struct spool_delivery *delivery = fixture_lease(&f);
	struct spool_message *reader = spool_message_ref(delivery->message);
	delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
	fixture_result(&f, delivery);
	for (uint64_t id = 2; id < 60; id++) {
		fixture_accept(&f, id, 200000, FIXTURE_HOP);
		delivery = fixture_lease(&f);
		delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
		fixture_result(&f, delivery);
		assert_true(spool_store_tidy(f.store, FIXTURE_NOW, &more, &fault));
		assert_true(fixture_body_is_intact(reader));
	}
	spool_store_stats(f.store, &stats);
	assert_in_range(stats.segments, 1, 7);
	spool_message_unref(&reader);
	fixture_remove(&f);
}

static void sparse_segments_are_compacted(void **state)
{
	struct fixture f = { .settings = { .segment_size = 1024 * 1024, .compact_above = 2 } };
	struct fault fault;
	struct spool_stats before, after;
	bool more = true;
	fixture_open(&f);
	for (uint64_t id = 1; id <= 60; id++)
		fixture_accept(&f, id, 100000, FIXTURE_HOP);
	for (uint64_t id = 1; id <= 60; id++) {
		struct spool_changed changed;
		if (id % 10 != 0)
			change(&f, SPOOL_CHANGE_DROP, id, &changed);
	}
	spool_store_stats(f.store, &before);
	for (int i = 0; i < 1000 && more; i++)
		assert_true(spool_store_tidy(f.store, FIXTURE_NOW, &more, &fault));
	spool_store_stats(f.store, &after);
	assert_false(more);
	assert_int_equal(after.body_bytes, before.body_bytes);
	fixture_reopen(&f);
	spool_store_stats(f.store, &after);
	assert_int_equal(after.body_bytes, 6 * 100000);
	size_t moved = 0;
	for (uint64_t id = 10; id <= 60; id += 10) {
		struct spool_entry *entry = fixture_show(&f, id);
		assert_true(fixture_body_is_intact(entry->message));
		/* Ten to a segment: where it was first is known. */
		moved += entry->message->place.generation > (id + 9) / 10;
		spool_entry_destroy(&entry);
	}
	assert_in_range(moved, 4, 6);
	fixture_remove(&f);
}

static void without_direct_writes_it_works_too(void **state)
{
	struct fixture f = {
		.settings = { .segment_size = 1024 * 1024, .avoid_direct = true },
	};
	fixture_open(&f);
	assert_non_null(strstr(spool_store_describe(f.store), "fdatasync"));
	for (uint64_t id = 1; id <= 30; id++)
		fixture_accept(&f, id, 100000, FIXTURE_HOP);
	fixture_reopen(&f);
	for (uint64_t id = 1; id <= 30; id++) {
		struct spool_entry *entry = fixture_show(&f, id);
		assert_true(fixture_body_is_intact(entry->message));
		spool_entry_destroy(&entry);
	}
	fixture_remove(&f);
}

static void after_a_failure_it_is_reopened_and_keeps_what_is_in_hand(void **state)
{
	struct fixture f = { 0 };
	struct fault fault;
	fixture_open(&f);
	fixture_accept(&f, 1, 10, FIXTURE_HOP);
	fixture_accept(&f, 2, 10, FIXTURE_HOP);
	struct spool_delivery *first = fixture_lease(&f);
	assert_true(spool_store_reopen(f.store, &fault));
	struct spool_delivery *second = fixture_lease(&f);
	assert_int_not_equal(first->message->id, second->message->id);
	first->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
	fixture_result(&f, first);
	fixture_release(&f, second);
	struct spool_stats stats;
	spool_store_stats(f.store, &stats);
	assert_int_equal(stats.messages, 1);
	assert_int_equal(stats.in_hand, 0);
	fixture_remove(&f);
}

static void an_id_that_exists_is_not_overwritten(void **state)
{
	struct fixture f = { 0 };
	struct fault fault;
	fixture_open(&f);
	fixture_accept(&f, 1, 10, FIXTURE_HOP);
	struct spool_draft *draft = fixture_draft(1, 99, FIXTURE_HOP);
	assert_int_equal(fixture_commit(&f, &draft, 1, NULL, 0, false), SPOOL_COMMIT_FAILED);
	spool_draft_destroy(&draft);
	assert_true(spool_store_reopen(f.store, &fault));
	struct spool_entry *entry = fixture_show(&f, 1);
	assert_int_equal(entry->message->size, 10);
	assert_true(fixture_body_is_intact(entry->message));
	spool_entry_destroy(&entry);
	assert_int_equal(spool_store_last_id(f.store), 1);
	fixture_remove(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_accepted_is_there_after_a_restart),
		cmocka_unit_test(in_hand_is_leased_to_nobody_else),
		cmocka_unit_test(a_deferred_delivery_waits_for_its_time),
		cmocka_unit_test(the_oldest_due_comes_first_and_hops_do_not_mix),
		cmocka_unit_test(an_ended_message_is_history_until_it_is_pruned),
		cmocka_unit_test(a_message_ends_with_the_last_of_its_deliveries),
		cmocka_unit_test(a_bounce_is_kept_together_with_its_result),
		cmocka_unit_test(recipients_split_off_get_a_delivery_of_their_own_once),
		cmocka_unit_test(what_expires_or_is_to_be_warned_of_is_found),
		cmocka_unit_test(the_operator_holds_releases_retries_and_drops),
		cmocka_unit_test(filters_choose),
		cmocka_unit_test(a_reload_sends_waiting_mail_the_new_way),
		cmocka_unit_test(large_bodies_live_and_go_with_their_rows),
		cmocka_unit_test(a_second_process_is_refused_with_the_first_one_named),
		cmocka_unit_test(no_room_is_said_before_the_disk_is_full),
		cmocka_unit_test(dead_segments_are_used_again_and_never_while_somebody_reads),
		cmocka_unit_test(sparse_segments_are_compacted),
		cmocka_unit_test(without_direct_writes_it_works_too),
		cmocka_unit_test(after_a_failure_it_is_reopened_and_keeps_what_is_in_hand),
		cmocka_unit_test(an_id_that_exists_is_not_overwritten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
