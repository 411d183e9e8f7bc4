/* SPDX-License-Identifier: MIT */
#include "relay/schedule_private.h"

#include "base/memory.h"
#include "relay/events.h"
#include "relay/local.h"
#include "relay/outcome.h"

#include <assert.h>
#include <string.h>

#define STARVED_MS 50       /* what has waited so long behind open connections gets one more */
#define NEW_MAIL_MS 1000    /* so long after the last one new mail counts as coming in */
#define OLD_MAIL_PACE_MS 20 /* between two leases of mail that has been tried before */

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

/* Whether what waits deserves a connection more: there is more than one full job of it, or the open
   connections have let it wait. A hop that answers fast is served by few, with larger jobs. */
static bool deserves_slot(struct schedule *s, struct hop *hop)
{
	int64_t now = schedule_clock_ms(s);

	if (list_is_empty(&hop->slots) || hop->ready_count > JOB_DELIVERIES_MAX)
		return true;
	if (hop->starved_since_ms == 0) {
		hop->starved_since_ms = now;
		schedule_wake_in(s, STARVED_MS);
	}
	return now - hop->starved_since_ms >= STARVED_MS;
}

static struct hop_slot *free_slot(struct schedule *s, struct hop *hop)
{
	unsigned width = hop_width(hop, schedule_clock_ms(s));
	unsigned busy = 0;

	LIST_FOR_EACH (position, &hop->slots) {
		struct hop_slot *slot = LIST_ENTRY(position, struct hop_slot, link);
		if (!slot->busy && width > 0)
			return slot;
		busy += slot->busy;
	}
	return busy < width && deserves_slot(s, hop) ? open_slot(s, hop) : NULL;
}

/* Enough for a pipelined job; but of a hop that lets mail wait, not so many that other connections
   have nothing to do. */
static unsigned job_size(struct schedule *s, struct hop *hop)
{
	unsigned width = hop_width(hop, schedule_clock_ms(s));
	unsigned shares = hop->starved_since_ms == 0 || width == 0 ? 1 : width;
	size_t share = (hop->ready_count + shares - 1) / shares;
	unsigned size = share < JOB_DELIVERIES_MAX ? (unsigned)share : JOB_DELIVERIES_MAX;

	if (!hop->proved || hop_is_probing(hop, schedule_clock_ms(s)))
		size = 1;
	return pacing_rate_available(&hop->rate, &hop->setup->rate, size, schedule_clock_ms(s));
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
	struct buf token;
	struct job *job;

	if (schedule_waits_for_sibling(s, hop))
		return false;
	if (size == 0) {
		schedule_wake_in(s, pacing_rate_wait_ms(&hop->rate, &hop->setup->rate));
		return false;
	}
	if (!schedule_sign_in(s, hop, &token))
		return false;
	slot = free_slot(s, hop);
	if (!slot) {
		buf_fini(&token);
		return false;
	}
	job = MEM_NEW(struct job);
	job->token = token;
	fill_job(s, hop, slot, job, size);
	slot->busy = true;
	if (hop->ready_count == 0)
		hop->starved_since_ms = 0;
	if (hop->setup->kind == SETUP_HOP_SESSION) {
		mailbox_chain_append(&s->to_lane[slot->lane], &job->mail.item);
		return true;
	}
	if (local_submit(s->file_pool, &s->from_workers.box, job))
		return true;
	take_back(s, hop, slot, job);
	schedule_wake_at(s, schedule_now_ms(s) + SCHEDULE_RETRY_MS);
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
	outcome_attempted(s, hop, delivery, &(struct outcome_attempt){ .tried = tried });
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
		return schedule_may_take(s, hop);
	return !s->stopping && !s->rekeying && hop->frozen == 0 &&
	       s->uncommitted < SCHEDULE_UNCOMMITTED_MAX;
}

/* Never more than may be taken: what is given back would be leased again at once. */
static size_t lease_room(struct schedule *s, const struct hop *hop)
{
	size_t room = HOP_READY_MAX - hop->ready_count - hop->out;
	size_t all = s->hand_count < SCHEDULE_HAND_MAX ? SCHEDULE_HAND_MAX - s->hand_count : 0;

	if (hop->setup && (!hop->proved || hop_is_probing(hop, schedule_clock_ms(s))))
		room = hop->ready_count + hop->out ? 0 : 1;
	return room < all ? room : all;
}

/* New mail goes first: while some comes in, what has been tried before follows at this pace. */
static bool gives_way(struct schedule *s, const struct hop *hop)
{
	int64_t now = schedule_clock_ms(s), left = hop->leased_ms + OLD_MAIL_PACE_MS - now;

	if (!hop->lease_was_old || now >= s->arrived_ms + NEW_MAIL_MS || left <= 0)
		return false;
	schedule_wake_at(s, schedule_now_ms(s) + left);
	return true;
}

void schedule_lease_more(struct schedule *s, struct hop *hop)
{
	size_t room = lease_room(s, hop);

	if (hop->leasing || hop->next_due_ms == 0 || hop->next_due_ms > schedule_now_ms(s) ||
	    hop->ready_count > JOB_DELIVERIES_MAX * 4 || !may_lease(s, hop))
		return;
	if (room > 0 && !gives_way(s, hop))
		schedule_start_lease(s, hop, room < SCHEDULE_LEASE_MAX ? room : SCHEDULE_LEASE_MAX);
}

void schedule_dispatch(struct schedule *s, struct hop *hop)
{
	if (hop->setup->kind == SETUP_HOP_DISCARD || hop->setup->kind == SETUP_HOP_REFUSE)
		settle_ready(s, hop);
	while (hop->ready_count > 0 && s->uncommitted < SCHEDULE_UNCOMMITTED_MAX)
		if (!give_job(s, hop))
			break;
}

/* ---- progress ---- */

/* What a session found out that the next ones will use. */
static void log_learned(const struct hop *hop, const struct upstream_learned *learned)
{
	enum sasl_mechanism mechanism;
	struct log_line line;
	enum sasl_way way;

	if (!sasl_mechanism_find(span_from_string(learned->mechanism), &mechanism))
		return;
	way = learned->memory.way[mechanism];
	if (strcmp(hop->learned.mechanism, learned->mechanism) == 0 &&
	    hop->learned.memory.way[mechanism] == way)
		return;
	event_begin(&line, EVENT_HOP_LEARNED);
	log_text(&line, "hop", hop->key);
	log_text(&line, "mechanism", learned->mechanism);
	if (way != SASL_WAY_UNKNOWN)
		log_text(&line, "initial-response", way == SASL_WAY_WITH_INITIAL ? "yes" : "no");
	log_end(&line);
}

static void learn(struct schedule *s, struct hop *hop, const struct upstream_learned *learned)
{
	if (!learned)
		return;
	s->learned_news = true;
	if (learned->greeted) {
		log_learned(hop, learned);
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
	schedule_trouble(s, hop, p);
	if (!hop->proved)
		schedule_touch_siblings(s, hop);
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
		schedule_works(slot);
		if (p->connection_limit)
			pacing_width_lower_ceiling(&hop->width, hop->slot_count);
		else
			pacing_width_succeeded(&hop->width);
		outcome_attempted(s, hop, delivery,
		    &(struct outcome_attempt){ p->tried, p->sender_as, p->from_as });
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
	case JOB_READY:
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
	learn(s, hop, progress->learned);
	switch (progress->kind) {
	case JOB_ATTEMPTED:
	case JOB_DAMAGED:
	case JOB_UNREACHED:
		on_delivery(s, slot, progress);
		break;
	case JOB_READY:
		slot->signed_in = true;
		schedule_login_works(s, slot);
		break;
	case JOB_IDLE:
		slot->busy = false;
		schedule_works(slot);
		break;
	case JOB_CLOSED:
		on_closed(s, slot, progress);
		break;
	}
	schedule_touch(hop);
	if (s->stopping)
		schedule_release_hop(s, hop);
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
			outcome_attempted(s, hop, delivery,
			    &(struct outcome_attempt){ .tried = local_item_tried(worker_job, i) });
	}
	close_slot(s, slot);
	schedule_touch(hop);
	local_destroy(worker_job);
}

void schedule_on_worker(struct mailbox_item *item, void *owner)
{
	struct schedule *s = owner;
	struct worker_job *job = WORKER_JOB_OF(item);

	if (job->kind == LOCAL_JOB)
		on_local(s, job);
	else
		outcome_notice_made(s, job);
}
