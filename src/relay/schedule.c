/* SPDX-License-Identifier: MIT */
#include "relay/schedule_private.h"

#include "base/memory.h"
#include "relay/outcome.h"

#include <assert.h>
#include <string.h>

#define RELEASE_GATHER_MS 50 /* what goes back to disk goes together */

int64_t schedule_now_ms(struct schedule *s)
{
	return net_loop_wall_ms(s->loop);
}

int64_t schedule_clock_ms(struct schedule *s)
{
	return net_loop_now_ms(s->loop);
}

void schedule_wake_in(struct schedule *s, int64_t delay_ms)
{
	int64_t at = schedule_clock_ms(s) + (delay_ms > 0 ? delay_ms : 0);

	if (s->timer_at_ms != 0 && s->timer_at_ms <= at)
		return;
	s->timer_at_ms = at;
	net_timer_start(&s->timer, delay_ms > 0 ? delay_ms : 0);
}

void schedule_wake_at(struct schedule *s, int64_t at_ms)
{
	schedule_wake_in(s, at_ms - schedule_now_ms(s));
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
	hop_set_setup(hop, setup_hop_by_key(s->setup, key), schedule_clock_ms(s));
	map_set(s->hops, key, hop);
	list_append(&s->hop_list, &hop->link);
	schedule_join_siblings(s, hop);
	return hop;
}

void schedule_touch(struct hop *hop)
{
	hop->dirty = true;
}

void schedule_is_due_at(struct schedule *s, struct hop *hop, int64_t at_ms)
{
	if (hop->next_due_ms == 0 || at_ms < hop->next_due_ms)
		hop->next_due_ms = at_ms;
	schedule_touch(hop);
	schedule_wake_at(s, at_ms);
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
	s->release_at_ms = schedule_now_ms(s) + RELEASE_GATHER_MS;
	schedule_wake_at(s, s->release_at_ms);
}

bool schedule_may_take(struct schedule *s, const struct hop *hop)
{
	return hop->setup && hop->setup->kind != SETUP_HOP_NOWHERE && !s->stopping &&
	       !s->rekeying && hop->frozen == 0 && !hop_is_paused(hop, schedule_clock_ms(s)) &&
	       hop->ready_count + hop->out < HOP_READY_MAX && s->hand_count <= SCHEDULE_HAND_MAX;
}

/* A delivery has come into our hands: into memory for its hop, or back to disk. */
void schedule_take_in_hand(struct schedule *s, struct spool_delivery *delivery)
{
	struct hop *hop;

	s->hand_count++;
	/* A session that began before a reload has chosen by the old routes. */
	if (s->generation > 0 && !s->stopping && outcome_returned(s, delivery))
		return;
	hop = schedule_hop(s, delivery->hop);
	if (schedule_may_take(s, hop)) {
		list_append(&hop->ready, &delivery->link);
		hop->ready_count++;
		schedule_touch(hop);
		return;
	}
	schedule_is_due_at(s, hop, delivery->next_attempt_ms);
	schedule_release(s, delivery);
	hop->gives_back_at_ms = s->release_at_ms;
}

void schedule_release_hop(struct schedule *s, struct hop *hop)
{
	struct list *link;

	while ((link = list_take_first(&hop->ready)) != NULL) {
		struct spool_delivery *delivery = LIST_ENTRY(link, struct spool_delivery, link);
		hop->ready_count--;
		schedule_is_due_at(s, hop, delivery->next_attempt_ms);
		schedule_release(s, delivery);
		hop->gives_back_at_ms = s->release_at_ms;
	}
}

void schedule_release_ready(struct schedule *s)
{
	LIST_FOR_EACH (position, &s->hop_list)
		schedule_release_hop(s, LIST_ENTRY(position, struct hop, link));
	schedule_release_at_once(s);
}

void schedule_on_arrival(struct schedule *s, struct keeper_item *item)
{
	struct keeper_arrival *arrival = CONTAINER_OF(item, struct keeper_arrival, item);
	struct list *link;

	s->arrived_ms = schedule_clock_ms(s);
	while ((link = list_take_first(&arrival->draft->deliveries)) != NULL) {
		struct spool_delivery *delivery = LIST_ENTRY(link, struct spool_delivery, link);
		if (delivery->state != SPOOL_DELIVERY_WAITING) {
			spool_delivery_destroy(&delivery); /* held: on disk, and in nobody's hand */
			continue;
		}
		keep_body(s, delivery, arrival->draft->body);
		schedule_take_in_hand(s, delivery);
	}
	keeper_arrival_destroy(&arrival);
}
/* ---- the turn ---- */

static void look_at(struct schedule *s, struct hop *hop)
{
	hop->dirty = false;
	if (s->stopping || s->rekeying)
		return;
	if (hop->setup)
		schedule_dispatch(s, hop);
	schedule_lease_more(s, hop);
	if (hop_is_paused(hop, schedule_clock_ms(s)))
		schedule_wake_in(s, hop->paused_until_ms - schedule_clock_ms(s));
}

void schedule_turn_end(struct schedule *s)
{
	LIST_FOR_EACH (position, &s->hop_list) {
		struct hop *hop = LIST_ENTRY(position, struct hop, link);
		if (hop->dirty)
			look_at(s, hop);
	}
	for (unsigned i = 0; i < s->lane_count; i++)
		mailbox_post_chain(&s->lanes[i]->from_control.box, &s->to_lane[i]);
	schedule_post_releases(s);
}

static void on_timer(void *owner)
{
	struct schedule *s = owner;
	int64_t now = schedule_now_ms(s);

	s->timer_at_ms = 0;
	if (s->rekey_at_ms != 0 && s->rekey_at_ms <= now) {
		s->rekey_at_ms = 0;
		schedule_start_rekey(s, (struct spool_cursor){ 0 });
	}
	if (s->survey_at_ms <= now)
		schedule_survey(s);
	else
		schedule_wake_at(s, s->survey_at_ms);
	LIST_FOR_EACH (position, &s->hop_list) {
		struct hop *hop = LIST_ENTRY(position, struct hop, link);
		schedule_touch(hop);
		if (hop_is_paused(hop, schedule_clock_ms(s)))
			schedule_wake_in(s, hop->paused_until_ms - schedule_clock_ms(s));
		else if (hop->next_due_ms > now)
			schedule_wake_at(s, hop->next_due_ms);
	}
}

/* ---- life ---- */

void schedule_init(struct schedule *s, struct net_loop *loop, struct worker_pool *file_pool,
    unsigned node, uint64_t last_id)
{
	*s = (struct schedule){ .loop = loop, .file_pool = file_pool };
	inbox_init(&s->from_keeper, &loop->uv, schedule_on_keeper, s);
	inbox_init(&s->from_workers, &loop->uv, schedule_on_worker, s);
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
	schedule_start_rekey(s, (struct spool_cursor){ 0 });
}

struct mailbox *schedule_arrivals(struct schedule *s)
{
	return &s->from_keeper.box;
}

static void close_idle_slots(struct schedule *s, const struct hop *hop)
{
	LIST_FOR_EACH (position, &hop->slots) {
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
	LIST_FOR_EACH (position, &s->hop_list) {
		struct hop *hop = LIST_ENTRY(position, struct hop, link);
		struct span key = span_from_string(hop->key);
		schedule_release_hop(s, hop);
		hop_set_setup(hop, setup_hop_by_key(setup, key), schedule_clock_ms(s));
		close_idle_slots(s, hop);
		schedule_touch(hop);
	}
	setup_unref(&old);
	schedule_release_at_once(s);
	if (s->rekeying)
		s->rekey_again = true;
	else
		schedule_start_rekey(s, (struct spool_cursor){ 0 });
}

bool schedule_forget_hop(struct schedule *s, struct span key)
{
	struct hop *hop = map_get(s->hops, key);

	if (!hop)
		return false;
	memset(&hop->learned, 0, sizeof(hop->learned));
	s->learned_news = true;
	hop_set_setup(hop, hop->setup, schedule_clock_ms(s));
	schedule_is_due_at(s, hop, schedule_now_ms(s));
	schedule_release_siblings(s, hop);
	return true;
}

json_t *schedule_learned_json(struct schedule *s)
{
	json_t *array = json_array();

	s->learned_news = false;
	LIST_FOR_EACH (position, &s->hop_list) {
		const struct hop *hop = LIST_ENTRY(position, struct hop, link);
		json_t *object = learned_hop_json(hop->key, &hop->learned);
		if (object)
			json_array_append_new(array, object);
	}
	return array;
}

/* Only of hops that are configured: what is gone is forgotten. */
void schedule_set_learned(struct schedule *s, const json_t *hops)
{
	const json_t *object;
	size_t i;

	json_array_foreach(hops, i, object)
	{
		struct upstream_learned learned;
		const char *key;
		if (learned_hop_read(object, &key, &learned) &&
		    setup_hop_by_key(s->setup, span_from_string(key)))
			schedule_hop(s, span_from_string(key))->learned = learned;
	}
}

void schedule_resume_hop(struct schedule *s, struct hop *hop)
{
	(void)s;
	hop_forgive(hop);
	schedule_touch(hop);
}

void schedule_freeze_hop(struct schedule *s, struct hop *hop)
{
	hop->frozen++;
	schedule_release_hop(s, hop);
}

void schedule_thaw_hop(struct schedule *s, struct hop *hop)
{
	(void)s;
	assert(hop->frozen > 0);
	hop->frozen--;
	schedule_touch(hop);
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
	LIST_FOR_EACH_SAFE (position, &s->hop_list) {
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
