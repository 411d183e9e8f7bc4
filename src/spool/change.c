/* SPDX-License-Identifier: MIT */
#include "spool/store.h"

#include "spool/page.h"

/* After a hold a message gets at least a day before it expires. */
#define RELEASED_LIFE_MS (24 * 3600 * 1000)

/* --- The operator's changes --- */

struct step {
	struct spool_store *store;
	enum spool_change change;
	const struct spool_filter *filter;
	bool dry_run;
	int64_t now_ms;
	struct spool_changed changed;
};

static bool applies(enum spool_change change, const struct spool_delivery *delivery)
{
	switch (change) {
	case SPOOL_CHANGE_RETRY:
	case SPOOL_CHANGE_HOLD:
		return delivery->state == SPOOL_DELIVERY_WAITING;
	case SPOOL_CHANGE_RELEASE:
		return delivery->state == SPOOL_DELIVERY_HELD;
	case SPOOL_CHANGE_DROP:
		return delivery->state != SPOOL_DELIVERY_ENDED;
	}
	return false;
}

static void mark_dropped(struct spool_delivery *delivery)
{
	for (unsigned i = 0; i < delivery->recipient_count; i++)
		if (delivery->recipients[i].state == SPOOL_RECIPIENT_WAITING)
			delivery->recipients[i].state = SPOOL_RECIPIENT_DROPPED;
}

static void make_change(const struct step *step, struct spool_delivery *delivery)
{
	switch (step->change) {
	case SPOOL_CHANGE_RETRY:
		delivery->next_attempt_ms = step->now_ms;
		break;
	case SPOOL_CHANGE_HOLD:
		delivery->state = SPOOL_DELIVERY_HELD;
		break;
	case SPOOL_CHANGE_RELEASE:
		delivery->state = SPOOL_DELIVERY_WAITING;
		delivery->next_attempt_ms = step->now_ms;
		if (delivery->expires_ms > 0 &&
		    delivery->expires_ms < step->now_ms + RELEASED_LIFE_MS)
			delivery->expires_ms = step->now_ms + RELEASED_LIFE_MS;
		break;
	case SPOOL_CHANGE_DROP:
		mark_dropped(delivery);
		break;
	}
}

static bool write_change(
    const struct step *step, struct spool_delivery *delivery, struct fault *fault_out)
{
	struct spool_delivery_row old;
	bool found;
	if (!engine_delivery_old(step->store, delivery->message->id, delivery->number, &old, NULL,
		&found, fault_out))
		return false;
	if (!found)
		return true;
	make_change(step, delivery);
	return step->change == SPOOL_CHANGE_DROP
		   ? engine_delivery_end(step->store, delivery, &old, step->now_ms, fault_out)
		   : engine_delivery_set(step->store, delivery, &old, fault_out);
}

static bool change_entry(struct step *step, struct spool_entry *entry, struct fault *fault_out)
{
	uint64_t before = step->changed.deliveries;
	LIST_FOR_EACH (at, &entry->deliveries) {
		struct spool_delivery *delivery = LIST_ENTRY(at, struct spool_delivery, link);
		if (!applies(step->change, delivery) ||
		    !engine_filter_matches_delivery(step->filter, delivery))
			continue;
		if (engine_in_hand(step->store, entry->message->id, delivery->number) != NULL) {
			step->changed.in_hand++;
			continue;
		}
		if (!step->dry_run && !write_change(step, delivery, fault_out))
			return false;
		step->changed.deliveries++;
	}
	step->changed.messages += step->changed.deliveries > before;
	return true;
}

static bool change_candidates(
    struct step *step, const struct spool_candidates *candidates, struct fault *fault_out)
{
	for (size_t i = 0; i < candidates->count; i++) {
		struct spool_entry *entry;
		if (!engine_entry_read(step->store, candidates->ids[i], &entry, fault_out))
			return false;
		bool ok = entry == NULL || !engine_filter_matches(step->filter, entry) ||
			  change_entry(step, entry, fault_out);
		spool_entry_destroy(&entry);
		if (!ok)
			return false;
	}
	return true;
}

/* A dry run is a transaction without a write. */
static bool run_step(
    struct step *step, const struct spool_candidates *candidates, struct fault *fault_out)
{
	if (!engine_begin(step->store, fault_out))
		return false;
	if (change_candidates(step, candidates, fault_out))
		return engine_commit(step->store, fault_out);
	engine_rollback(step->store);
	return false;
}

static void advance(struct spool_cursor *cursor, const struct spool_filter *filter,
    const struct spool_candidates *candidates)
{
	cursor->finished = candidates->count == 0;
	for (size_t i = 0; i < candidates->count; i++)
		engine_cursor_advance(cursor, filter, candidates, i);
}

bool spool_store_change(struct spool_store *store, enum spool_change change,
    const struct spool_filter *filter, struct spool_cursor *cursor, size_t max, bool dry_run,
    int64_t now_ms, struct spool_changed *changed_out, struct fault *fault_out)
{
	struct step step = { store, change, filter, dry_run, now_ms, { 0 } };
	struct spool_candidates candidates;
	if (!engine_usable(store, fault_out))
		return false;
	if (!engine_candidates(store, filter, cursor, max, &candidates, fault_out)) {
		store->failed = true;
		return false;
	}
	if (candidates.count > 0 && !run_step(&step, &candidates, fault_out))
		return false;
	advance(cursor, filter, &candidates);
	changed_out->messages += step.changed.messages;
	changed_out->deliveries += step.changed.deliveries;
	changed_out->in_hand += step.changed.in_hand;
	return true;
}

/* --- New routes --- */

struct rekey {
	struct spool_store *store;
	bool (*route)(void *context, struct spool_delivery *delivery, struct list *more);
	void *context;
	uint64_t changed;
};

static void destroy_all(struct list *deliveries)
{
	struct list *link;
	while ((link = list_take_first(deliveries)) != NULL) {
		struct spool_delivery *delivery = LIST_ENTRY(link, struct spool_delivery, link);
		spool_delivery_destroy(&delivery);
	}
}

static bool write_rekeyed(struct rekey *rekey, struct spool_delivery *delivery, struct list *more,
    struct fault *fault_out)
{
	struct spool_delivery_row old;
	bool found;
	if (!engine_delivery_old(rekey->store, delivery->message->id, delivery->number, &old, NULL,
		&found, fault_out))
		return false;
	if (!found)
		return true;
	rekey->changed++;
	return engine_deliveries_split(rekey->store, more, delivery->number, fault_out) &&
	       (delivery->recipient_count == 0
		       ? engine_delivery_end(rekey->store, delivery, &old, 0, fault_out)
		       : engine_delivery_set(rekey->store, delivery, &old, fault_out));
}

static bool rekey_entry(struct rekey *rekey, struct spool_entry *entry, struct fault *fault_out)
{
	bool ok = true;
	LIST_FOR_EACH (at, &entry->deliveries) {
		struct spool_delivery *delivery = LIST_ENTRY(at, struct spool_delivery, link);
		if (delivery->state != SPOOL_DELIVERY_WAITING ||
		    engine_in_hand(rekey->store, entry->message->id, delivery->number) != NULL)
			continue;
		struct list more;
		list_init(&more);
		if (rekey->route(rekey->context, delivery, &more))
			ok = write_rekeyed(rekey, delivery, &more, fault_out);
		destroy_all(&more);
		if (!ok)
			break;
	}
	return ok;
}

static bool rekey_candidates(
    struct rekey *rekey, const struct spool_candidates *candidates, struct fault *fault_out)
{
	for (size_t i = 0; i < candidates->count; i++) {
		struct spool_entry *entry;
		if (!engine_entry_read(rekey->store, candidates->ids[i], &entry, fault_out))
			return false;
		bool ok = entry == NULL || rekey_entry(rekey, entry, fault_out);
		spool_entry_destroy(&entry);
		if (!ok)
			return false;
	}
	return true;
}

bool spool_store_rekey(struct spool_store *store, struct spool_cursor *cursor, size_t max,
    bool (*route)(void *context, struct spool_delivery *delivery, struct list *more), void *context,
    uint64_t *changed_out, struct fault *fault_out)
{
	static const struct spool_filter all = { .states = SPOOL_MESSAGE_QUEUED };
	struct rekey rekey = { store, route, context, 0 };
	struct spool_candidates candidates;
	if (!engine_usable(store, fault_out))
		return false;
	if (!engine_candidates(store, &all, cursor, max, &candidates, fault_out)) {
		store->failed = true;
		return false;
	}
	if (candidates.count > 0) {
		if (!engine_begin(store, fault_out))
			return false;
		if (!rekey_candidates(&rekey, &candidates, fault_out)) {
			engine_rollback(store);
			return false;
		}
		if (!engine_commit(store, fault_out))
			return false;
	}
	advance(cursor, &all, &candidates);
	*changed_out += rekey.changed;
	return true;
}
