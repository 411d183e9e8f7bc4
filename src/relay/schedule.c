/* SPDX-License-Identifier: MIT */
#include "relay/schedule.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/random.h"
#include "relay/events.h"
#include "relay/local.h"
#include "relay/notice.h"
#include "relay/outcome.h"

#include <assert.h>
#include <string.h>

#define SURVEY_BUSY_MS 1000
#define SURVEY_IDLE_MS 5000
#define OVERDUE_MAX 100
#define RELEASE_GATHER_MS 50 /* what goes back to disk goes together */
#define RELEASE_GATHER_MAX 512
#define RETRY_MS 1000 /* to ask the keeper again after its store was down */

static void release_at_once(struct schedule *s);

static int64_t now_ms(struct schedule *s)
{
	return net_loop_wall_ms(s->loop);
}

static void wake_at(struct schedule *s, int64_t at_ms)
{
	int64_t delay = at_ms - now_ms(s);

	if (s->timer_at_ms != 0 && s->timer_at_ms <= at_ms)
		return;
	s->timer_at_ms = at_ms;
	net_timer_start(&s->timer, delay > 0 ? delay : 0);
}

/* ---- hops ---- */

struct hop *schedule_hop(struct schedule *s, struct span key)
{
	struct hop *hop = map_get(s->hops, key);
	char *text;

	if (hop)
		return hop;
	text = span_to_string(key);
	hop = hop_create(text ? text : "?");
	mem_free(text);
	hop_set_setup(hop, setup_hop_by_key(s->setup, key), now_ms(s));
	map_set(s->hops, key, hop);
	list_append(&s->hop_list, &hop->link);
	return hop;
}

static void touch(struct hop *hop)
{
	hop->dirty = true;
}

static void is_due_at(struct schedule *s, struct hop *hop, int64_t at_ms)
{
	if (hop->next_due_ms == 0 || at_ms < hop->next_due_ms)
		hop->next_due_ms = at_ms;
	touch(hop);
	wake_at(s, at_ms);
}

/* ---- in and out of memory ---- */

void schedule_drop_body(struct schedule *s, struct spool_delivery *delivery)
{
	struct spool_body *body = delivery->owner;

	if (!body)
		return;
	delivery->owner = NULL;
	s->body_bytes -= spool_body_span(body).len;
	spool_body_unref(&body);
}

static void keep_body(struct schedule *s, struct spool_delivery *delivery, struct spool_body *body)
{
	size_t len = body ? spool_body_span(body).len : 0;

	delivery->owner = NULL;
	if (!body || s->body_bytes + len > SCHEDULE_BODIES_MAX)
		return;
	s->body_bytes += len;
	delivery->owner = spool_body_ref(body);
}

void schedule_release(struct schedule *s, struct spool_delivery *delivery)
{
	schedule_drop_body(s, delivery);
	s->hand_count--;
	list_append(&s->to_release, &delivery->link);
	if (s->release_count++ > 0)
		return;
	s->release_at_ms = now_ms(s) + RELEASE_GATHER_MS;
	wake_at(s, s->release_at_ms);
}

static bool may_take(struct schedule *s, const struct hop *hop)
{
	return hop->setup && hop->setup->kind != SETUP_HOP_NOWHERE && !s->stopping &&
	       !s->rekeying && hop->frozen == 0 && !hop_is_paused(hop, now_ms(s)) &&
	       hop->ready_count + hop->out < HOP_READY_MAX && s->hand_count <= SCHEDULE_HAND_MAX;
}

/* A delivery has come into our hands: into memory for its hop, or back to disk. */
static void take_in_hand(struct schedule *s, struct spool_delivery *delivery)
{
	struct hop *hop;

	s->hand_count++;
	/* A session that began before a reload has chosen by the old routes. */
	if (s->generation > 0 && !s->stopping && outcome_returned(s, delivery))
		return;
	hop = schedule_hop(s, delivery->hop);
	if (may_take(s, hop)) {
		list_append(&hop->ready, &delivery->link);
		hop->ready_count++;
		touch(hop);
		return;
	}
	is_due_at(s, hop, delivery->next_attempt_ms);
	schedule_release(s, delivery);
}

static void release_hop(struct schedule *s, struct hop *hop)
{
	struct list *link;

	while ((link = list_take_first(&hop->ready)) != NULL) {
		struct spool_delivery *delivery = LIST_ENTRY(link, struct spool_delivery, link);
		hop->ready_count--;
		is_due_at(s, hop, delivery->next_attempt_ms);
		schedule_release(s, delivery);
	}
}

void schedule_release_ready(struct schedule *s)
{
	LIST_FOR_EACH(position, &s->hop_list)
	release_hop(s, LIST_ENTRY(position, struct hop, link));
	release_at_once(s);
}

static void on_arrival(struct schedule *s, struct keeper_item *item)
{
	struct keeper_arrival *arrival = CONTAINER_OF(item, struct keeper_arrival, item);
	struct list *link;

	while ((link = list_take_first(&arrival->draft->deliveries)) != NULL) {
		struct spool_delivery *delivery = LIST_ENTRY(link, struct spool_delivery, link);
		keep_body(s, delivery, arrival->draft->body);
		take_in_hand(s, delivery);
	}
	keeper_arrival_destroy(&arrival);
}

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

static void post_releases(struct schedule *s)
{
	struct release_query *q;
	struct list *link;

	if (s->release_count == 0 ||
	    (s->release_count < RELEASE_GATHER_MAX && s->release_at_ms > now_ms(s)))
		return;
	s->release_count = 0;
	q = MEM_NEW(struct release_query);
	list_init(&q->deliveries);
	while ((link = list_take_first(&s->to_release)) != NULL)
		list_append(&q->deliveries, link);
	ask(s, &q->query, run_release);
}

static void release_at_once(struct schedule *s)
{
	s->release_at_ms = 0;
	post_releases(s);
}

static void start_lease(struct schedule *s, struct hop *hop, size_t max)
{
	struct lease_query *q = MEM_NEW(struct lease_query);

	spool_text_set(&q->hop, span_from_string(hop->key));
	q->now_ms = now_ms(s);
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
		is_due_at(s, hop, now_ms(s) + RETRY_MS);
	}
	while ((link = list_take_first(&q->found)) != NULL) {
		take_in_hand(s, LIST_ENTRY(link, struct spool_delivery, link));
		found++;
	}
	if (found < q->max && q->query.ok)
		hop->next_due_ms = 0; /* until a survey or a result says otherwise */
	touch(hop);
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
	q->now_ms = now_ms(s);
	list_init(&q->overdue);
	s->surveying = true;
	s->survey_again = false;
	ask(s, &q->query, run_survey);
}

static void read_survey(struct schedule *s, struct survey_query *q)
{
	LIST_FOR_EACH(position, &s->hop_list)
	{
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
			is_due_at(s, hop, q->hops[i].next_attempt_ms);
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
	    now_ms(s) + (s->stats.deliveries > s->stats.in_hand ? SURVEY_BUSY_MS : SURVEY_IDLE_MS);
	wake_at(s, s->survey_at_ms);
	if (full || s->survey_again)
		schedule_survey(s);
}

static void start_rekey(struct schedule *s, struct spool_cursor cursor)
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
		s->rekey_at_ms = now_ms(s) + RETRY_MS; /* from its start, when the store is back */
		wake_at(s, s->rekey_at_ms);
		return;
	}
	if (q->query.ok && (again || !cursor.finished) && !s->stopping) {
		start_rekey(s, cursor);
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
	s->release_at_ms = now_ms(s) + RETRY_MS;
	wake_at(s, s->release_at_ms);
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
		LIST_FOR_EACH(position, &s->hop_list)
	touch(LIST_ENTRY(position, struct hop, link));
	if (post->hop) /* not before it is committed: no lease would find it */
		is_due_at(s, post->hop, post->next_attempt_ms);
	if (post->survey)
		schedule_survey(s);
	spool_result_destroy(&post->result.result); /* a store that did not work to the end */
	mem_free(post);
}

static void on_keeper(struct mailbox_item *mail, void *owner)
{
	struct schedule *s = owner;
	struct keeper_item *item = keeper_item_of(mail);

	switch (item->kind) {
	case KEEPER_ARRIVAL:
		on_arrival(s, item);
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

/* ---- giving jobs ---- */

static struct hop_slot *open_slot(struct schedule *s, struct hop *hop)
{
	struct hop_slot *slot = MEM_NEW(struct hop_slot);

	slot->hop = hop;
	slot->id = ++s->last_slot;
	slot->lane = s->next_lane++ % s->lane_count;
	list_append(&hop->slots, &slot->link);
	hop->slot_count++;
	map_set(s->slots, MAP_KEY(slot->id), slot);
	return slot;
}

static void close_slot(struct schedule *s, struct hop_slot *slot)
{
	slot->hop->slot_count--;
	map_remove(s->slots, MAP_KEY(slot->id));
	list_remove(&slot->link);
	mem_free(slot);
}

static struct hop_slot *free_slot(struct schedule *s, struct hop *hop)
{
	unsigned busy = 0;

	LIST_FOR_EACH(position, &hop->slots)
	{
		struct hop_slot *slot = LIST_ENTRY(position, struct hop_slot, link);
		if (!slot->busy && hop_width(hop, now_ms(s)) > 0)
			return slot;
		busy += slot->busy;
	}
	return busy < hop_width(hop, now_ms(s)) ? open_slot(s, hop) : NULL;
}

/* Enough for a pipelined job, and not so many that other slots have nothing to do. */
static unsigned job_size(struct schedule *s, struct hop *hop)
{
	unsigned width = hop_width(hop, now_ms(s));
	size_t share = (hop->ready_count + width - 1) / (width ? width : 1);
	unsigned size = share < JOB_DELIVERIES_MAX ? (unsigned)share : JOB_DELIVERIES_MAX;

	if (!hop->proved || hop_is_probing(hop, now_ms(s)))
		size = 1;
	return pacing_rate_available(&hop->rate, &hop->setup->rate, size, now_ms(s));
}

static void fill_job(
    struct schedule *s, struct hop *hop, struct hop_slot *slot, struct job *job, unsigned size)
{
	job->mail.kind = RELAY_MAIL_JOB;
	job->slot = slot->id;
	job->setup = setup_ref(s->setup);
	job->hop = hop->setup;
	job->learned = hop->learned;
	slot->generation = s->generation;
	while (job->count < size) {
		struct list *link = list_take_first(&hop->ready);
		struct job_item *item = &job->items[job->count++];
		item->delivery = LIST_ENTRY(link, struct spool_delivery, link);
		item->body = item->delivery->owner; /* the reference travels with it */
		item->delivery->owner = NULL;
		hop->ready_count--;
		hop->out++;
		slot->out++;
	}
	pacing_rate_take(&hop->rate, &hop->setup->rate, size);
}

/* The workers' queue is full: nothing has happened to these. */
static void take_back(struct schedule *s, struct hop *hop, struct hop_slot *slot, struct job *job)
{
	for (unsigned i = job->count; i-- > 0;) {
		struct spool_delivery *delivery = job->items[i].delivery;
		delivery->owner = job->items[i].body;
		list_prepend(&hop->ready, &delivery->link);
		hop->ready_count++;
		hop->out--;
	}
	job->count = 0;
	job_destroy(&job);
	close_slot(s, slot);
}

static bool give_job(struct schedule *s, struct hop *hop)
{
	unsigned size = job_size(s, hop);
	struct hop_slot *slot;
	struct job *job;

	if (size == 0) {
		wake_at(s, now_ms(s) + pacing_rate_wait_ms(&hop->rate, &hop->setup->rate));
		return false;
	}
	slot = free_slot(s, hop);
	if (!slot)
		return false;
	job = MEM_NEW(struct job);
	fill_job(s, hop, slot, job, size);
	slot->busy = true;
	if (hop->setup->kind == SETUP_HOP_SESSION) {
		mailbox_chain_append(&s->to_lane[slot->lane], &job->mail.item);
		return true;
	}
	if (local_submit(s->file_pool, &s->from_workers.box, job))
		return true;
	take_back(s, hop, slot, job);
	wake_at(s, now_ms(s) + RETRY_MS);
	return false;
}

static void finish_discarded(struct schedule *s, struct hop *hop, struct spool_delivery *delivery)
{
	bool tried[SPOOL_RECIPIENTS_MAX] = { false };

	for (unsigned i = 0; i < delivery->recipient_count; i++) {
		if (delivery->recipients[i].state != SPOOL_RECIPIENT_WAITING)
			continue;
		tried[i] = true;
		delivery->recipients[i].state = SPOOL_RECIPIENT_DELIVERED;
		spool_text_set(&delivery->recipients[i].reply, SPAN("250 2.0.0 discarded"));
	}
	outcome_attempted(s, hop, delivery, tried);
}

/* Hops that need no slot. */
static void settle_ready(struct schedule *s, struct hop *hop)
{
	struct list *link;

	while (s->uncommitted < SCHEDULE_UNCOMMITTED_MAX &&
	       (link = list_take_first(&hop->ready)) != NULL) {
		struct spool_delivery *delivery = LIST_ENTRY(link, struct spool_delivery, link);
		hop->ready_count--;
		if (hop->setup->kind == SETUP_HOP_DISCARD)
			finish_discarded(s, hop, delivery);
		else
			outcome_refused(s, delivery, &hop->setup->route->refuse);
	}
}

/* A row that was in hand during a reload's sweep may stand under a hop that is no more. A lease
   finds out where it goes now. */
static bool may_lease(struct schedule *s, const struct hop *hop)
{
	if (hop->setup)
		return may_take(s, hop);
	return !s->stopping && !s->rekeying && hop->frozen == 0 &&
	       s->uncommitted < SCHEDULE_UNCOMMITTED_MAX;
}

/* Never more than may be taken: what is given back would be leased again at once. */
static size_t lease_room(struct schedule *s, const struct hop *hop)
{
	size_t room = HOP_READY_MAX - hop->ready_count - hop->out;
	size_t all = s->hand_count < SCHEDULE_HAND_MAX ? SCHEDULE_HAND_MAX - s->hand_count : 0;

	if (hop->setup && (!hop->proved || hop_is_probing(hop, now_ms(s))))
		room = hop->ready_count + hop->out ? 0 : 1;
	return room < all ? room : all;
}

static void lease_more(struct schedule *s, struct hop *hop)
{
	size_t room = lease_room(s, hop);

	if (hop->leasing || hop->next_due_ms == 0 || hop->next_due_ms > now_ms(s) ||
	    hop->ready_count > JOB_DELIVERIES_MAX * 4 || !may_lease(s, hop))
		return;
	if (room > 0)
		start_lease(s, hop, room < SCHEDULE_LEASE_MAX ? room : SCHEDULE_LEASE_MAX);
}

static void dispatch(struct schedule *s, struct hop *hop)
{
	if (hop->setup->kind == SETUP_HOP_DISCARD || hop->setup->kind == SETUP_HOP_REFUSE)
		settle_ready(s, hop);
	while (hop->ready_count > 0 && s->uncommitted < SCHEDULE_UNCOMMITTED_MAX)
		if (!give_job(s, hop))
			break;
}

static void look_at(struct schedule *s, struct hop *hop)
{
	hop->dirty = false;
	if (s->stopping || s->rekeying)
		return;
	if (hop->setup)
		dispatch(s, hop);
	lease_more(s, hop);
	if (hop->paused_until_ms)
		wake_at(s, hop->paused_until_ms);
}

void schedule_turn_end(struct schedule *s)
{
	LIST_FOR_EACH(position, &s->hop_list)
	{
		struct hop *hop = LIST_ENTRY(position, struct hop, link);
		if (hop->dirty)
			look_at(s, hop);
	}
	for (unsigned i = 0; i < s->lane_count; i++)
		mailbox_post_chain(&s->lanes[i]->from_control.box, &s->to_lane[i]);
	post_releases(s);
}

static void on_timer(void *owner)
{
	struct schedule *s = owner;
	int64_t now = now_ms(s);

	s->timer_at_ms = 0;
	if (s->rekey_at_ms != 0 && s->rekey_at_ms <= now) {
		s->rekey_at_ms = 0;
		start_rekey(s, (struct spool_cursor){ 0 });
	}
	if (s->survey_at_ms <= now)
		schedule_survey(s);
	else
		wake_at(s, s->survey_at_ms);
	LIST_FOR_EACH(position, &s->hop_list)
	{
		struct hop *hop = LIST_ENTRY(position, struct hop, link);
		touch(hop);
		if (hop->paused_until_ms > now)
			wake_at(s, hop->paused_until_ms);
		else if (hop->next_due_ms > now)
			wake_at(s, hop->next_due_ms);
	}
}

/* ---- progress ---- */

static void log_paused(const struct hop *hop)
{
	struct log_line line;
	char until[MOMENT_TEXT_MAX];

	event_begin(&line, EVENT_HOP_PAUSED);
	log_text(&line, "hop", hop->key);
	log_text(&line, "trouble", upstream_trouble_name(hop->trouble));
	log_text(&line, "text", hop->why);
	log_text(&line, "until", moment_format_rfc3339(hop->paused_until_ms, until));
	log_end(&line);
}

static void log_resumed(const struct hop *hop)
{
	struct log_line line;

	event_begin(&line, EVENT_HOP_RESUMED);
	log_text(&line, "hop", hop->key);
	log_end(&line);
}

static void learn(struct hop *hop, const struct upstream_learned *learned)
{
	if (!learned)
		return;
	if (learned->greeted) {
		hop->learned = *learned;
		return;
	}
	hop->learned.last_failure_ms = learned->last_failure_ms;
	memcpy(hop->learned.last_failure, learned->last_failure, sizeof(learned->last_failure));
}

static void on_closed(struct schedule *s, struct hop_slot *slot, const struct job_progress *p)
{
	struct hop *hop = slot->hop;

	if (slot->out > 0)
		return; /* a job has crossed this news: the lane opens the slot again for it */
	close_slot(s, slot);
	if (p->trouble == UPSTREAM_TROUBLE_NONE)
		return;
	if (hop_failed(hop, p->trouble, p->text, now_ms(s), random_u64()))
		log_paused(hop);
	wake_at(s, hop->paused_until_ms);
	release_hop(s, hop);
}

static void on_delivery(struct schedule *s, struct hop_slot *slot, struct job_progress *p)
{
	struct hop *hop = slot->hop;
	struct spool_delivery *delivery = p->delivery;

	p->delivery = NULL;
	delivery->owner = p->body;
	p->body = NULL;
	slot->out--;
	hop->out--;
	switch (p->kind) {
	case JOB_ATTEMPTED:
		if (hop_works(hop))
			log_resumed(hop);
		if (p->connection_limit)
			pacing_width_lower_ceiling(&hop->width, hop->slot_count);
		else
			pacing_width_succeeded(&hop->width);
		outcome_attempted(s, hop, delivery, p->tried);
		break;
	case JOB_DAMAGED:
		outcome_damaged(s, delivery);
		break;
	case JOB_UNREACHED:
		if (slot->generation != s->generation && outcome_returned(s, delivery))
			break;
		list_prepend(&hop->ready, &delivery->link);
		hop->ready_count++;
		break;
	case JOB_IDLE:
	case JOB_CLOSED:
		assert(!"progress without a delivery");
	}
}

void schedule_progress(struct schedule *s, struct job_progress *progress)
{
	struct hop_slot *slot = map_get(s->slots, MAP_KEY(progress->slot));
	struct hop *hop;

	assert(slot);
	hop = slot->hop;
	learn(hop, progress->learned);
	switch (progress->kind) {
	case JOB_ATTEMPTED:
	case JOB_DAMAGED:
	case JOB_UNREACHED:
		on_delivery(s, slot, progress);
		break;
	case JOB_IDLE:
		slot->busy = false;
		if (hop_works(hop))
			log_resumed(hop);
		break;
	case JOB_CLOSED:
		on_closed(s, slot, progress);
		break;
	}
	touch(hop);
	if (s->stopping)
		release_hop(s, hop);
	job_progress_destroy(&progress);
}

/* A Maildir job has come back whole. */
static void on_local(struct schedule *s, struct worker_job *worker_job)
{
	struct job *job = local_job(worker_job);
	struct hop_slot *slot = map_get(s->slots, MAP_KEY(job->slot));
	struct hop *hop = slot->hop;

	hop_works(hop);
	for (unsigned i = 0; i < job->count; i++) {
		struct spool_delivery *delivery = job->items[i].delivery;
		delivery->owner = job->items[i].body;
		job->items[i].delivery = NULL;
		job->items[i].body = NULL;
		hop->out--;
		if (local_item_is_damaged(worker_job, i))
			outcome_damaged(s, delivery);
		else
			outcome_attempted(s, hop, delivery, local_item_tried(worker_job, i));
	}
	close_slot(s, slot);
	touch(hop);
	local_destroy(worker_job);
}

static void on_worker(struct mailbox_item *item, void *owner)
{
	struct schedule *s = owner;
	struct worker_job *job = WORKER_JOB_OF(item);

	if (job->kind == LOCAL_JOB)
		on_local(s, job);
	else
		outcome_notice_made(s, job);
}

/* ---- life ---- */

void schedule_init(struct schedule *s, struct net_loop *loop, struct worker_pool *file_pool,
    unsigned node, uint64_t last_id)
{
	*s = (struct schedule){ .loop = loop, .file_pool = file_pool };
	inbox_init(&s->from_keeper, &loop->uv, on_keeper, s);
	inbox_init(&s->from_workers, &loop->uv, on_worker, s);
	net_timer_init(&s->timer, loop, on_timer, s);
	s->hops = map_create();
	s->slots = map_create();
	list_init(&s->hop_list);
	list_init(&s->to_release);
	id_source_init(&s->ids, node, 63);
	s->ids.last = last_id;
}

void schedule_start(struct schedule *s, struct keeper *keeper, struct lane **lanes,
    unsigned lane_count, const struct setup *setup)
{
	s->keeper = keeper;
	s->lanes = lanes;
	s->lane_count = lane_count;
	s->setup = setup_ref(setup);
	s->to_lane = mem_alloc_array(lane_count, sizeof(*s->to_lane));
	for (unsigned i = 0; i < lane_count; i++)
		mailbox_chain_init(&s->to_lane[i]);
	start_rekey(s, (struct spool_cursor){ 0 });
}

struct mailbox *schedule_arrivals(struct schedule *s)
{
	return &s->from_keeper.box;
}

static void close_idle_slots(struct schedule *s, const struct hop *hop)
{
	LIST_FOR_EACH(position, &hop->slots)
	{
		struct hop_slot *slot = LIST_ENTRY(position, struct hop_slot, link);
		struct relay_mail_slot *mail;
		if (slot->busy)
			continue;
		mail = MEM_NEW(struct relay_mail_slot);
		mail->mail.kind = RELAY_MAIL_SLOT_CLOSE;
		mail->slot = slot->id;
		mailbox_chain_append(&s->to_lane[slot->lane], &mail->mail.item);
	}
}

void schedule_set_setup(struct schedule *s, const struct setup *setup)
{
	const struct setup *old = s->setup;

	s->setup = setup_ref(setup);
	s->generation++;
	LIST_FOR_EACH(position, &s->hop_list)
	{
		struct hop *hop = LIST_ENTRY(position, struct hop, link);
		struct span key = span_from_string(hop->key);
		release_hop(s, hop);
		hop_set_setup(hop, setup_hop_by_key(setup, key), now_ms(s));
		close_idle_slots(s, hop);
		touch(hop);
	}
	setup_unref(&old);
	release_at_once(s);
	if (s->rekeying)
		s->rekey_again = true;
	else
		start_rekey(s, (struct spool_cursor){ 0 });
}

bool schedule_forget_hop(struct schedule *s, struct span key)
{
	struct hop *hop = map_get(s->hops, key);

	if (!hop)
		return false;
	memset(&hop->learned, 0, sizeof(hop->learned));
	hop_set_setup(hop, hop->setup, now_ms(s));
	is_due_at(s, hop, now_ms(s));
	return true;
}

void schedule_resume_hop(struct schedule *s, struct hop *hop)
{
	(void)s;
	hop_forgive(hop);
	touch(hop);
}

void schedule_freeze_hop(struct schedule *s, struct hop *hop)
{
	hop->frozen++;
	release_hop(s, hop);
}

void schedule_thaw_hop(struct schedule *s, struct hop *hop)
{
	(void)s;
	assert(hop->frozen > 0);
	hop->frozen--;
	touch(hop);
}

void schedule_stop(struct schedule *s)
{
	s->stopping = true;
	net_timer_stop(&s->timer);
	schedule_release_ready(s);
}

void schedule_workers_ended(struct schedule *s)
{
	s->file_pool = NULL;
	inbox_drain(&s->from_workers);
}

void schedule_fini(struct schedule *s)
{
	inbox_close(&s->from_keeper);
	inbox_close(&s->from_workers);
	net_timer_fini(&s->timer);
	LIST_FOR_EACH_SAFE(position, &s->hop_list)
	{
		struct hop *hop = LIST_ENTRY(position, struct hop, link);
		struct list *link;
		while ((link = list_take_first(&hop->slots)) != NULL)
			mem_free(LIST_ENTRY(link, struct hop_slot, link));
		list_remove(&hop->link);
		hop_destroy(&hop);
	}
	while (!list_is_empty(&s->to_release)) {
		struct list *link = list_take_first(&s->to_release);
		struct spool_delivery *delivery = LIST_ENTRY(link, struct spool_delivery, link);
		spool_delivery_destroy(&delivery);
	}
	map_destroy(&s->hops, NULL);
	map_destroy(&s->slots, NULL);
	mem_free(s->to_lane);
	setup_unref(&s->setup);
}
