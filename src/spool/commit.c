/* SPDX-License-Identifier: MIT */
#include "spool/store.h"

#include "spool/engine.h"

#include <assert.h>
#include <stdlib.h>

#define ROW_SPACE 1024

/* --- Bodies --- */

static enum spool_append_result append_body(
    struct spool_store *store, struct spool_draft *draft, struct fault *fault_out)
{
	struct spool_message *message = draft->message;
	if (draft->body == NULL) {
		assert(message->place.where == SPOOL_WHERE_LARGE);
		return SPOOL_APPEND_DONE;
	}
	/* A batch given again: the old record is dead bytes. */
	spool_segment_unref(&message->place.segment);
	message->place.where = SPOOL_WHERE_NOWHERE;
	return spool_segments_append(
	    store->segments, message->id, spool_body_span(draft->body), &message->place, fault_out);
}

static enum spool_append_result append_bodies(
    struct spool_store *store, const struct spool_batch *batch, struct fault *fault_out)
{
	enum spool_append_result result = SPOOL_APPEND_DONE;
	for (size_t i = 0; i < batch->accept_count && result == SPOOL_APPEND_DONE; i++)
		result = append_body(store, batch->accepts[i], fault_out);
	for (size_t i = 0; i < batch->result_count && result == SPOOL_APPEND_DONE; i++)
		if (batch->results[i]->bounce != NULL)
			result = append_body(store, batch->results[i]->bounce, fault_out);
	return result == SPOOL_APPEND_DONE ? spool_segments_flush(store->segments, fault_out)
					   : result;
}

static uint64_t space_for(const struct spool_batch *batch)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < batch->accept_count; i++) {
		const struct spool_draft *draft = batch->accepts[i];
		bytes += ROW_SPACE;
		if (draft->body != NULL)
			bytes += spool_body_span(draft->body).len;
	}
	return bytes;
}

/* --- Results --- */

/* A batch of unknown outcome may come a second time: what it has split off is then already gone
   from its row. */
static bool add_split(struct spool_store *store, struct spool_result *result,
    unsigned row_recipients, struct fault *fault_out)
{
	if (list_is_empty(&result->more) || row_recipients == result->delivery->recipient_count)
		return true;
	return engine_deliveries_split(store, &result->more, result->delivery->number, fault_out);
}

static bool write_result(struct spool_store *store, struct spool_result *result,
    const struct spool_delivery_row *old, int64_t now_ms, struct fault *fault_out)
{
	struct spool_delivery *delivery = result->delivery;
	if (spool_delivery_waiting(delivery) == 0)
		return engine_delivery_end(store, delivery, old, now_ms, fault_out);
	/* Set aside while it was under way. */
	if (old->state == SPOOL_DELIVERY_BROKEN)
		delivery->state = SPOOL_DELIVERY_BROKEN;
	return engine_delivery_set(store, delivery, old, fault_out);
}

static bool apply_result(
    struct spool_store *store, struct spool_result *result, int64_t now_ms, struct fault *fault_out)
{
	struct spool_delivery *delivery = result->delivery;
	uint64_t id = delivery->message->id;
	struct spool_delivery_row old;
	unsigned recipients;
	bool found, added;
	if (!engine_delivery_old(store, id, delivery->number, &old, &recipients, &found, fault_out))
		return false;
	engine_effect(
	    store, &(struct spool_effect){
		       .kind = SPOOL_EFFECT_OUT_OF_HAND, .id = id, .number = delivery->number });
	if (!found)
		return true;
	/* What was split off first: the message must not end between two of its deliveries. */
	if (!add_split(store, result, recipients, fault_out) ||
	    !write_result(store, result, &old, now_ms, fault_out))
		return false;
	return result->bounce == NULL ||
	       engine_draft_add(store, result->bounce, false, &added, fault_out);
}

static int order_of_ids(const void *left, const void *right)
{
	const struct spool_result *a = *(struct spool_result *const *)left;
	const struct spool_result *b = *(struct spool_result *const *)right;
	uint64_t x = a->delivery->message->id, y = b->delivery->message->id;
	if (x != y)
		return x < y ? -1 : 1;
	return a->delivery->number < b->delivery->number
		   ? -1
		   : a->delivery->number > b->delivery->number;
}

/* Neighbours in the table are written one after the other. */
static bool apply_results(
    struct spool_store *store, const struct spool_batch *batch, struct fault *fault_out)
{
	if (batch->result_count > 1)
		qsort(batch->results, batch->result_count, sizeof(*batch->results), order_of_ids);
	for (size_t i = 0; i < batch->result_count; i++)
		if (!apply_result(store, batch->results[i], batch->now_ms, fault_out))
			return false;
	return true;
}

/* --- History --- */

bool engine_prune(struct spool_store *store, int64_t now_ms, size_t max, struct fault *fault_out)
{
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_MESSAGE_PRUNE, fault_out);
	if (statement == NULL)
		return false;
	spool_bind_time(statement, 1, now_ms - store->settings.history_ms);
	spool_bind_id(statement, 2, max);
	if (!spool_database_run(&store->database, statement, fault_out))
		return false;
	store->prune_more = (size_t)sqlite3_changes(store->database.db) >= max;
	store->pruned_ms = now_ms;
	return true;
}

bool engine_prune_due(const struct spool_store *store, int64_t now_ms)
{
	return store->prune_more || now_ms - store->pruned_ms >= 10000 || now_ms < store->pruned_ms;
}

/* --- The batch --- */

static bool add_accepts(
    struct spool_store *store, const struct spool_batch *batch, struct fault *fault_out)
{
	for (size_t i = 0; i < batch->accept_count; i++) {
		bool added;
		struct spool_draft *draft = batch->accepts[i];
		if (!engine_draft_add(store, draft, batch->in_hand, &added, fault_out))
			return false;
		if (!added) {
			fault_set(fault_out, FAULT_LOCAL,
			    "%s: a message of this id exists: has the clock gone back?",
			    store->path);
			return false;
		}
	}
	return true;
}

static bool write_rows(
    struct spool_store *store, const struct spool_batch *batch, struct fault *fault_out)
{
	if (!engine_begin(store, fault_out))
		return false;
	/* History goes at least as fast as mail comes. */
	size_t prune = 2 * batch->accept_count + 50;
	if (!add_accepts(store, batch, fault_out) || !apply_results(store, batch, fault_out) ||
	    (engine_prune_due(store, batch->now_ms) &&
		!engine_prune(store, batch->now_ms, prune, fault_out))) {
		engine_rollback(store);
		return false;
	}
	return engine_commit(store, fault_out);
}

enum spool_commit_result spool_store_commit(
    struct spool_store *store, const struct spool_batch *batch, struct fault *fault_out)
{
	assert(batch->result_count <= SPOOL_BATCH_RESULTS_MAX);
	if (!engine_usable(store, fault_out))
		return SPOOL_COMMIT_FAILED;
	if (batch->accept_count > 0 && !spool_store_has_room(store, space_for(batch), fault_out))
		return SPOOL_COMMIT_FULL;
	switch (append_bodies(store, batch, fault_out)) {
	case SPOOL_APPEND_DONE:
		break;
	case SPOOL_APPEND_FULL:
		return SPOOL_COMMIT_FULL;
	case SPOOL_APPEND_FAILED:
		store->failed = true;
		return SPOOL_COMMIT_FAILED;
	}
	return write_rows(store, batch, fault_out) ? SPOOL_COMMIT_KEPT : SPOOL_COMMIT_FAILED;
}
