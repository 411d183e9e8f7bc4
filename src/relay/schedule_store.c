/* SPDX-License-Identifier: MIT */
#include "relay/schedule_private.h"

#include "base/memory.h"
#include "relay/outcome.h"

#include <assert.h>

#define SURVEY_BUSY_MS 1000
#define SURVEY_IDLE_MS 5000
#define OVERDUE_MAX 100
#define RELEASE_GATHER_MAX 512

/* ---- questions to the keeper ---- */

struct release_query {
	struct keeper_query query; /* first */
	struct list deliveries;
};

static bool run_release(struct keeper_query *query, struct spool_store *store, struct fault *fault)
{
	struct release_query *q = (struct release_query *)query;

	(void)fault;
	spool_store_release(store, &q->deliveries);
	return true;
}

struct lease_query {
	struct keeper_query query;
	struct span hop; /* owned */
	int64_t now_ms;
	size_t max;
	struct list found;
};

static bool run_lease(struct keeper_query *query, struct spool_store *store, struct fault *fault)
{
	struct lease_query *q = (struct lease_query *)query;

	return spool_store_lease(store, q->hop, q->now_ms, q->max, &q->found, fault);
}

struct survey_query {
	struct keeper_query query;
	int64_t now_ms;
	struct list overdue;
	struct spool_stats stats;
	size_t hop_count;
	struct spool_hop hops[SCHEDULE_HOPS_MAX];
	char *keys[SCHEDULE_HOPS_MAX]; /* copies: the store's live until its next change */
};

static bool run_survey(struct keeper_query *query, struct spool_store *store, struct fault *fault)
{
	struct survey_query *q = (struct survey_query *)query;
	size_t all;

	if (!spool_store_lease_overdue(store, q->now_ms, OVERDUE_MAX, &q->overdue, fault))
		return false;
	spool_store_stats(store, &q->stats);
	all = spool_store_hops(store, 0, q->hops, SCHEDULE_HOPS_MAX);
	q->hop_count = all < SCHEDULE_HOPS_MAX ? all : SCHEDULE_HOPS_MAX;
	for (size_t i = 0; i < q->hop_count; i++)
		q->keys[i] = mem_dup(q->hops[i].key.data, q->hops[i].key.len);
	return true;
}

struct rekey_query {
	struct keeper_query query;
	const struct setup *setup;
	struct spool_cursor cursor;
	uint64_t changed;
};

static bool run_route(void *context, struct spool_delivery *delivery, struct list *more)
{
	return outcome_route(context, delivery, more);
}

static bool run_rekey(struct keeper_query *query, struct spool_store *store, struct fault *fault)
{
	struct rekey_query *q = (struct rekey_query *)query;

	return spool_store_rekey(
	    store, &q->cursor, 500, run_route, (void *)q->setup, &q->changed, fault);
}

static void ask(struct schedule *s, struct keeper_query *query,
    bool (*run)(struct keeper_query *, struct spool_store *, struct fault *))
{
	query->run = run;
	query->item.answer_to = &s->from_keeper.box;
	keeper_post_query(s->keeper, query);
}

void schedule_post_releases(struct schedule *s)
{
	struct release_query *q;
	struct list *link;

	if (s->release_count == 0 ||
	    (s->release_count < RELEASE_GATHER_MAX && s->release_at_ms > schedule_now_ms(s)))
		return;
	s->release_count = 0;
	q = MEM_NEW(struct release_query);
	list_init(&q->deliveries);
	while ((link = list_take_first(&s->to_release)) != NULL)
		list_append(&q->deliveries, link);
	ask(s, &q->query, run_release);
}

void schedule_release_at_once(struct schedule *s)
{
	s->release_at_ms = 0;
	schedule_post_releases(s);
}

void schedule_start_lease(struct schedule *s, struct hop *hop, size_t max)
{
	struct lease_query *q = MEM_NEW(struct lease_query);

	/* What the hop gave back a moment ago must be there before it is asked for: otherwise the
	   next survey would be the first to find it. */
	if (s->release_count > 0 && hop->gives_back_at_ms == s->release_at_ms)
		schedule_release_at_once(s);
	spool_text_set(&q->hop, span_from_string(hop->key));
	q->now_ms = schedule_now_ms(s);
	q->max = max;
	list_init(&q->found);
	hop->leasing = true;
	ask(s, &q->query, run_lease);
}

static void on_lease(struct schedule *s, struct lease_query *q)
{
	struct hop *hop = schedule_hop(s, q->hop);
	struct list *link;
	size_t found = 0;

	hop->leasing = false;
	if (!q->query.ok) {
		hop->next_due_ms = 0;
		schedule_is_due_at(s, hop, schedule_now_ms(s) + SCHEDULE_RETRY_MS);
	}
	hop->lease_was_old = false;
	hop->leased_ms = schedule_clock_ms(s);
	while ((link = list_take_first(&q->found)) != NULL) {
		struct spool_delivery *delivery = LIST_ENTRY(link, struct spool_delivery, link);
		hop->lease_was_old |= delivery->attempts > 0;
		schedule_take_in_hand(s, delivery);
		found++;
	}
	if (found < q->max && q->query.ok)
		hop->next_due_ms = 0; /* until a survey or a result says otherwise */
	schedule_touch(hop);
	spool_text_set(&q->hop, SPAN(""));
}

void schedule_survey(struct schedule *s)
{
	struct survey_query *q;

	if (s->surveying || s->stopping) {
		s->survey_again = true;
		return;
	}
	q = MEM_NEW(struct survey_query);
	q->now_ms = schedule_now_ms(s);
	list_init(&q->overdue);
	s->surveying = true;
	s->survey_again = false;
	ask(s, &q->query, run_survey);
}

static void read_survey(struct schedule *s, struct survey_query *q)
{
	LIST_FOR_EACH (position, &s->hop_list) {
		struct hop *hop = LIST_ENTRY(position, struct hop, link);
		hop->waiting = hop->held = 0;
		hop->oldest_ms = 0;
	}
	s->stats = q->stats;
	for (size_t i = 0; i < q->hop_count; i++) {
		struct hop *hop = schedule_hop(s, span_from_string(q->keys[i]));
		hop->waiting = q->hops[i].waiting;
		hop->held = q->hops[i].held;
		hop->oldest_ms = q->hops[i].oldest_ms;
		if (q->hops[i].next_attempt_ms)
			schedule_is_due_at(s, hop, q->hops[i].next_attempt_ms);
		mem_free(q->keys[i]);
	}
}

static void on_survey(struct schedule *s, struct survey_query *q)
{
	struct list *link;
	bool full = false;
	size_t overdue = 0;

	while ((link = list_take_first(&q->overdue)) != NULL) {
		s->hand_count++;
		overdue++;
		if (s->stopping)
			schedule_release(s, LIST_ENTRY(link, struct spool_delivery, link));
		else
			outcome_overdue(s, LIST_ENTRY(link, struct spool_delivery, link));
	}
	full = overdue == OVERDUE_MAX;
	if (q->query.ok)
		read_survey(s, q);
	s->surveying = false;
	s->survey_at_ms =
	    schedule_now_ms(s) +
	    (s->stats.deliveries > s->stats.in_hand ? SURVEY_BUSY_MS : SURVEY_IDLE_MS);
	schedule_wake_at(s, s->survey_at_ms);
	if (full || s->survey_again)
		schedule_survey(s);
}

void schedule_start_rekey(struct schedule *s, struct spool_cursor cursor)
{
	struct rekey_query *q = MEM_NEW(struct rekey_query);

	q->setup = setup_ref(s->setup);
	q->cursor = cursor;
	s->rekeying = true;
	ask(s, &q->query, run_rekey);
}

static void on_rekey(struct schedule *s, struct rekey_query *q)
{
	bool again = s->rekey_again;
	struct spool_cursor cursor = q->cursor;

	setup_unref(&q->setup);
	if (again)
		cursor = (struct spool_cursor){ 0 };
	s->rekey_again = false;
	if (!q->query.ok && !s->stopping) {
		s->rekey_at_ms = schedule_now_ms(s) +
				 SCHEDULE_RETRY_MS; /* from its start, when the store is back */
		schedule_wake_at(s, s->rekey_at_ms);
		return;
	}
	if (q->query.ok && (again || !cursor.finished) && !s->stopping) {
		schedule_start_rekey(s, cursor);
		return;
	}
	s->rekeying = false;
	schedule_survey(s);
}

/* The store is down: what we gave back is still in hand over there, so it must be given back again.
 */
static void on_release_failed(struct schedule *s, struct release_query *q)
{
	struct list *link;

	while ((link = list_take_first(&q->deliveries)) != NULL)
		list_append(&s->to_release, link);
	s->release_count = 1;
	s->release_at_ms = schedule_now_ms(s) + SCHEDULE_RETRY_MS;
	schedule_wake_at(s, s->release_at_ms);
}

static void on_query(struct schedule *s, struct keeper_item *item)
{
	struct keeper_query *query = CONTAINER_OF(item, struct keeper_query, item);

	if (query->run == run_lease)
		on_lease(s, (struct lease_query *)query);
	else if (query->run == run_survey)
		on_survey(s, (struct survey_query *)query);
	else if (query->run == run_rekey)
		on_rekey(s, (struct rekey_query *)query);
	else if (query->run == run_release && !query->ok)
		on_release_failed(s, (struct release_query *)query);
	mem_free(query);
}

/* ---- results ---- */

struct result_post {
	struct keeper_result result;
	struct hop *hop; /* of a delivery that goes on waiting; NULL: it has ended */
	int64_t next_attempt_ms;
	bool survey;
};

void schedule_post_result(struct schedule *s, struct spool_result *result, bool survey)
{
	struct result_post *post = MEM_NEW(struct result_post);
	struct spool_delivery *delivery = result->delivery;

	schedule_drop_body(s, delivery);
	s->hand_count--;
	if (spool_delivery_waiting(delivery) > 0 && delivery->state == SPOOL_DELIVERY_WAITING) {
		post->hop = schedule_hop(s, delivery->hop);
		post->next_attempt_ms = delivery->next_attempt_ms;
	}
	post->survey = survey;
	post->result.result = result;
	post->result.item.answer_to = &s->from_keeper.box;
	s->uncommitted++;
	keeper_post_result(s->keeper, &post->result);
}

static void on_result(struct schedule *s, struct keeper_item *item)
{
	struct result_post *post =
	    (struct result_post *)CONTAINER_OF(item, struct keeper_result, item);

	if (s->uncommitted-- == SCHEDULE_UNCOMMITTED_MAX)
		LIST_FOR_EACH (position, &s->hop_list)
			schedule_touch(LIST_ENTRY(position, struct hop, link));
	if (post->hop) /* not before it is committed: no lease would find it */
		schedule_is_due_at(s, post->hop, post->next_attempt_ms);
	if (post->survey)
		schedule_survey(s);
	spool_result_destroy(&post->result.result); /* a store that did not work to the end */
	mem_free(post);
}

void schedule_on_keeper(struct mailbox_item *mail, void *owner)
{
	struct schedule *s = owner;
	struct keeper_item *item = keeper_item_of(mail);

	switch (item->kind) {
	case KEEPER_ARRIVAL:
		schedule_on_arrival(s, item);
		break;
	case KEEPER_RESULT:
		on_result(s, item);
		break;
	case KEEPER_QUERY:
		on_query(s, item);
		break;
	case KEEPER_ACCEPT:
		assert(!"an accept in the schedule");
	}
}
