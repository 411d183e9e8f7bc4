/* SPDX-License-Identifier: MIT */
#include "spool/engine.h"

#include "base/id.h"

#include <assert.h>
#include <string.h>

/* --- In hand --- */

struct hand_key {
	char bytes[12];
};

static struct hand_key hand_key(uint64_t id, unsigned number)
{
	struct hand_key key;
	uint32_t small = number;
	memcpy(key.bytes, &id, 8);
	memcpy(key.bytes + 8, &small, 4);
	return key;
}

struct spool_hop_entry *engine_in_hand(struct spool_store *store, uint64_t id, unsigned number)
{
	struct hand_key key = hand_key(id, number);
	return map_get(store->in_hand, MAP_KEY(key));
}

void engine_take_in_hand(
    struct spool_store *store, struct spool_hop_entry *hop, uint64_t id, unsigned number)
{
	struct hand_key key = hand_key(id, number);
	struct spool_hop_entry *before = map_set(store->in_hand, MAP_KEY(key), hop);
	assert(before == NULL);
	hop->in_hand++;
}

void engine_give_back(struct spool_store *store, uint64_t id, unsigned number)
{
	struct hand_key key = hand_key(id, number);
	struct spool_hop_entry *hop = map_remove(store->in_hand, MAP_KEY(key));
	if (hop != NULL)
		hop->in_hand--;
}

/* --- Effects --- */

void engine_effect(struct spool_store *store, const struct spool_effect *effect)
{
	assert(store->database.in_transaction);
	if (store->effect_count == store->effect_room) {
		store->effect_room = store->effect_room == 0 ? 64 : 2 * store->effect_room;
		store->effects =
		    mem_realloc(store->effects, store->effect_room * sizeof(*store->effects));
	}
	store->effects[store->effect_count++] = *effect;
}

static uint64_t *counter_of(struct spool_hop_entry *hop, enum spool_delivery_state state)
{
	switch (state) {
	case SPOOL_DELIVERY_WAITING:
		return &hop->waiting;
	case SPOOL_DELIVERY_HELD:
		return &hop->held;
	case SPOOL_DELIVERY_BROKEN:
	case SPOOL_DELIVERY_ENDED:
		break;
	}
	return &hop->broken;
}

static void apply_delivery_add(struct spool_store *store, const struct spool_effect *effect)
{
	struct spool_hop_entry *hop = effect->hop;
	++*counter_of(hop, effect->state);
	if (effect->id < hop->oldest)
		hop->oldest = effect->id;
	if (effect->state != SPOOL_DELIVERY_WAITING ||
	    engine_in_hand(store, effect->id, effect->number) != NULL)
		return;
	if (effect->next_ms < hop->next_due_ms)
		hop->next_due_ms = effect->next_ms;
	if (effect->watch_ms < store->next_watch_ms)
		store->next_watch_ms = effect->watch_ms;
}

static void apply_delivery_remove(struct spool_store *store, const struct spool_effect *effect)
{
	struct spool_hop_entry *hop = effect->hop;
	if (hop == NULL)
		return;
	uint64_t *counter = counter_of(hop, effect->state);
	assert(*counter > 0);
	--*counter;
	if (hop->waiting + hop->held + hop->broken == 0) {
		hop->oldest = UINT64_MAX;
		hop->next_due_ms = INT64_MAX;
	}
}

static void apply_body(struct spool_store *store, const struct spool_effect *effect)
{
	bool add = effect->kind == SPOOL_EFFECT_BODY_ADD;
	store->body_bytes += add ? effect->size : 0 - effect->size;
	if (effect->where != SPOOL_WHERE_SEGMENT)
		return;
	struct spool_segment *segment = spool_segments_find(store->segments, effect->generation);
	segment->live_count += add ? 1 : 0 - (uint64_t)1;
	segment->live_bytes += add ? effect->size : 0 - effect->size;
}

/* The row is gone, durably; a file that stays is removed at the next start. */
static void apply_file_remove(struct spool_store *store, const struct spool_effect *effect)
{
	const char *folder = effect->where == SPOOL_WHERE_LARGE ? "large" : "broken";
	char *path = engine_file_path(store->path, folder, effect->id);
	store->files->unlink(store->files->context, path);
	mem_free(path);
}

static void apply(struct spool_store *store, const struct spool_effect *effect)
{
	switch (effect->kind) {
	case SPOOL_EFFECT_DELIVERY_ADD:
		apply_delivery_add(store, effect);
		break;
	case SPOOL_EFFECT_DELIVERY_REMOVE:
		apply_delivery_remove(store, effect);
		break;
	case SPOOL_EFFECT_IN_HAND:
		engine_take_in_hand(store, effect->hop, effect->id, effect->number);
		break;
	case SPOOL_EFFECT_OUT_OF_HAND:
		engine_give_back(store, effect->id, effect->number);
		break;
	case SPOOL_EFFECT_BODY_ADD:
	case SPOOL_EFFECT_BODY_REMOVE:
		apply_body(store, effect);
		break;
	case SPOOL_EFFECT_FILE_REMOVE:
		apply_file_remove(store, effect);
		break;
	case SPOOL_EFFECT_MESSAGE_ADD:
		store->messages++;
		if (effect->id > store->last_id)
			store->last_id = effect->id;
		break;
	case SPOOL_EFFECT_MESSAGE_REMOVE:
		store->messages--;
		break;
	case SPOOL_EFFECT_BROKEN_ADD:
		store->broken++;
		break;
	case SPOOL_EFFECT_BROKEN_REMOVE:
		store->broken--;
		break;
	}
}

/* --- Transactions --- */

bool engine_usable(struct spool_store *store, struct fault *fault_out)
{
	if (store->failed)
		fault_set(fault_out, FAULT_LOCAL, "the spool %s is out of order after a failure",
		    store->path);
	return !store->failed;
}

bool engine_begin(struct spool_store *store, struct fault *fault_out)
{
	assert(!store->failed && store->effect_count == 0);
	if (spool_database_begin(&store->database, fault_out))
		return true;
	store->failed = true;
	return false;
}

bool engine_commit(struct spool_store *store, struct fault *fault_out)
{
	if (!spool_database_commit(&store->database, fault_out)) {
		engine_rollback(store);
		return false;
	}
	for (size_t i = 0; i < store->effect_count; i++)
		apply(store, &store->effects[i]);
	store->effect_count = 0;
	return true;
}

void engine_rollback(struct spool_store *store)
{
	spool_database_rollback(&store->database);
	store->effect_count = 0;
	store->failed = true;
}

char *engine_file_path(const char *spool_path, const char *folder, uint64_t id)
{
	char text[ID_TEXT_SIZE];
	struct buf path;
	buf_init(&path, 4096);
	buf_printf(&path, "%s/%s/%s", spool_path, folder, id_format(id, text));
	return buf_take_string(&path);
}
