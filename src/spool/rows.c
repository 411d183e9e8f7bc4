/* SPDX-License-Identifier: MIT */
#include "spool/engine.h"

#include "spool/pack.h"

#include <assert.h>
#include <string.h>

/* --- Rows of messages --- */

static void message_columns(sqlite3_stmt *statement, struct spool_message_row *row)
{
	row->where = (enum spool_where)sqlite3_column_int(statement, 0);
	row->generation = spool_column_id(statement, 1);
	row->offset = spool_column_id(statement, 2);
	row->size = spool_column_id(statement, 3);
	row->checksum = (uint32_t)sqlite3_column_int64(statement, 4);
	row->ended_ms = sqlite3_column_int64(statement, 6);
	row->outcome = (unsigned)sqlite3_column_int(statement, 7);
	buf_init(&row->history, SPOOL_PACK_MAX);
	buf_append(&row->history, spool_column_span(statement, 8));
}

static struct spool_message *message_of(
    struct spool_store *store, uint64_t id, const struct spool_message_row *row, struct span packed)
{
	struct spool_envelope envelope;
	if (!spool_unpack_envelope(packed, &envelope))
		return NULL;
	struct spool_message *message = spool_message_create(id, &envelope);
	message->size = row->size;
	message->place.where = row->where;
	message->place.generation = row->generation;
	message->place.offset = row->offset;
	message->place.checksum = row->checksum;
	if (row->where == SPOOL_WHERE_SEGMENT)
		message->place.segment =
		    spool_segment_ref(spool_segments_find(store->segments, row->generation));
	if (row->where == SPOOL_WHERE_LARGE) {
		message->place.path = engine_file_path(store->path, "large", id);
		message->place.files = store->files;
	}
	return message;
}

bool engine_message_read(struct spool_store *store, uint64_t id, struct spool_message_row *row_out,
    bool *found_out, struct fault *fault_out)
{
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_MESSAGE_GET, fault_out);
	bool found;
	if (statement == NULL)
		return false;
	spool_bind_id(statement, 1, id);
	if (!spool_database_row(&store->database, statement, &found, fault_out))
		return false;
	*found_out = found;
	if (found) {
		memset(row_out, 0, sizeof(*row_out));
		message_columns(statement, row_out);
		row_out->message = message_of(store, id, row_out, spool_column_span(statement, 5));
	}
	spool_database_done(statement);
	return true;
}

void engine_message_row_fini(struct spool_message_row *row)
{
	spool_message_unref(&row->message);
	buf_fini(&row->history);
}

static bool message_add(struct spool_store *store, const struct spool_message *message,
    bool *added_out, struct fault *fault_out)
{
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_MESSAGE_ADD, fault_out);
	if (statement == NULL)
		return false;
	buf_clear(&store->scratch);
	spool_pack_envelope(&store->scratch, &message->envelope);
	spool_bind_id(statement, 1, message->id);
	sqlite3_bind_int(statement, 2, (int)message->place.where);
	spool_bind_id(statement, 3, message->place.generation);
	spool_bind_id(statement, 4, message->place.offset);
	spool_bind_id(statement, 5, message->size);
	spool_bind_id(statement, 6, message->place.checksum);
	spool_bind_span(statement, 7, buf_span(&store->scratch));
	if (!spool_database_run(&store->database, statement, fault_out))
		return false;
	*added_out = sqlite3_changes(store->database.db) == 1;
	return true;
}

bool engine_draft_add(struct spool_store *store, struct spool_draft *draft, bool in_hand,
    bool *added_out, struct fault *fault_out)
{
	struct spool_message *message = draft->message;
	bool added;
	if (!message_add(store, message, &added, fault_out))
		return false;
	*added_out = added;
	if (!added)
		return true;
	engine_effect(
	    store, &(struct spool_effect){ .kind = SPOOL_EFFECT_MESSAGE_ADD, .id = message->id });
	engine_effect(store, &(struct spool_effect){ .kind = SPOOL_EFFECT_BODY_ADD,
				 .where = message->place.where,
				 .generation = message->place.generation,
				 .size = message->size });
	unsigned number = 0;
	LIST_FOR_EACH (at, &draft->deliveries) {
		struct spool_delivery *delivery = LIST_ENTRY(at, struct spool_delivery, link);
		delivery->number = number++;
		if (in_hand && delivery->state == SPOOL_DELIVERY_WAITING)
			engine_effect(
			    store, &(struct spool_effect){ .kind = SPOOL_EFFECT_IN_HAND,
				       .hop = spool_hops_intern(store->hops, delivery->hop),
				       .id = message->id,
				       .number = delivery->number });
		if (!engine_delivery_add(store, delivery, fault_out))
			return false;
	}
	return true;
}

/* --- Rows of deliveries --- */

/* The next moment at which somebody must look, whether a hop answers or not. */
static int64_t watch_of(const struct spool_delivery *delivery)
{
	int64_t watch = delivery->expires_ms > 0 ? delivery->expires_ms : INT64_MAX;
	if (delivery->warn_ms > 0 && delivery->warn_ms < watch)
		watch = delivery->warn_ms;
	return watch;
}

static bool hop_row(struct spool_store *store, struct spool_hop_entry *hop, struct fault *fault_out)
{
	if (hop->row != 0)
		return true;
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_HOP_ADD, fault_out);
	if (statement == NULL)
		return false;
	spool_bind_span(statement, 1, hop->key);
	if (!spool_database_run(&store->database, statement, fault_out))
		return false;
	spool_hops_set_row(store->hops, hop, sqlite3_last_insert_rowid(store->database.db));
	return true;
}

void engine_delivery_columns(
    struct spool_store *store, sqlite3_stmt *statement, struct spool_delivery_row *row_out)
{
	int state = sqlite3_column_int(statement, 2);
	row_out->number = (unsigned)sqlite3_column_int64(statement, 0);
	row_out->hop = spool_hops_find_row(store->hops, sqlite3_column_int64(statement, 1));
	row_out->state = state >= 0 && state <= SPOOL_DELIVERY_BROKEN
			     ? (enum spool_delivery_state)state
			     : SPOOL_DELIVERY_BROKEN;
	row_out->next_ms = sqlite3_column_int64(statement, 3);
	row_out->watch_ms = sqlite3_column_type(statement, 4) == SQLITE_NULL
				? INT64_MAX
				: sqlite3_column_int64(statement, 4);
	row_out->attempts = (unsigned)sqlite3_column_int64(statement, 5);
	row_out->data = spool_column_span(statement, 6);
}

struct spool_delivery *engine_delivery_unpack(
    const struct spool_delivery_row *row, struct spool_message *message)
{
	if (row->hop == NULL)
		return NULL;
	struct spool_delivery *delivery = spool_delivery_create(message, row->hop->key);
	delivery->number = row->number;
	delivery->state = row->state;
	delivery->next_attempt_ms = row->next_ms;
	delivery->attempts = row->attempts;
	struct span data = row->data;
	if (!spool_unpack_delivery(&data, delivery))
		spool_delivery_destroy(&delivery);
	return delivery;
}

/* Steps to the row (message, number). When *found_out, the statement is to be done. */
static sqlite3_stmt *delivery_find(struct spool_store *store, uint64_t id, unsigned number,
    bool *found_out, struct fault *fault_out)
{
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_DELIVERY_GET, fault_out);
	if (statement == NULL)
		return NULL;
	spool_bind_id(statement, 1, id);
	spool_bind_id(statement, 2, number);
	if (!spool_database_row(&store->database, statement, found_out, fault_out))
		return NULL;
	return statement;
}

bool engine_delivery_read(struct spool_store *store, struct spool_message *message, unsigned number,
    struct spool_delivery **delivery_out, bool *found_out, struct fault *fault_out)
{
	sqlite3_stmt *statement = delivery_find(store, message->id, number, found_out, fault_out);
	if (statement == NULL)
		return false;
	*delivery_out = NULL;
	if (*found_out) {
		struct spool_delivery_row row;
		engine_delivery_columns(store, statement, &row);
		*delivery_out = engine_delivery_unpack(&row, message);
	}
	spool_database_done(statement);
	return true;
}

bool engine_delivery_old(struct spool_store *store, uint64_t id, unsigned number,
    struct spool_delivery_row *row_out, unsigned *recipients_out, bool *found_out,
    struct fault *fault_out)
{
	sqlite3_stmt *statement = delivery_find(store, id, number, found_out, fault_out);
	if (statement == NULL)
		return false;
	if (*found_out) {
		engine_delivery_columns(store, statement, row_out);
		if (recipients_out != NULL)
			*recipients_out = spool_packed_recipients(row_out->data);
		row_out->data = span_of(NULL, 0);
	}
	spool_database_done(statement);
	return true;
}

static void effect_row(struct spool_store *store, enum spool_effect_kind kind,
    const struct spool_delivery *delivery, struct spool_hop_entry *hop)
{
	engine_effect(store, &(struct spool_effect){ .kind = kind,
				 .state = delivery->state,
				 .hop = hop,
				 .id = delivery->message->id,
				 .number = delivery->number,
				 .next_ms = delivery->next_attempt_ms,
				 .watch_ms = watch_of(delivery) });
}

/* ADD and SET take the same values in the same order. */
static bool delivery_write(struct spool_store *store, enum spool_sql sql,
    const struct spool_delivery *delivery, struct fault *fault_out)
{
	struct spool_hop_entry *hop = spool_hops_intern(store->hops, delivery->hop);
	assert(delivery->state != SPOOL_DELIVERY_ENDED);
	if (!hop_row(store, hop, fault_out))
		return false;
	sqlite3_stmt *statement = spool_database_get(&store->database, sql, fault_out);
	if (statement == NULL)
		return false;
	buf_clear(&store->scratch);
	spool_pack_delivery(&store->scratch, delivery);
	spool_bind_id(statement, 1, delivery->message->id);
	spool_bind_id(statement, 2, delivery->number);
	spool_bind_time(statement, 3, hop->row);
	sqlite3_bind_int(statement, 4, (int)delivery->state);
	spool_bind_time(statement, 5, delivery->next_attempt_ms);
	if (watch_of(delivery) != INT64_MAX)
		spool_bind_time(statement, 6, watch_of(delivery));
	spool_bind_id(statement, 7, delivery->attempts);
	spool_bind_span(statement, 8, buf_span(&store->scratch));
	if (!spool_database_run(&store->database, statement, fault_out))
		return false;
	effect_row(store, SPOOL_EFFECT_DELIVERY_ADD, delivery, hop);
	return true;
}

bool engine_delivery_add(
    struct spool_store *store, const struct spool_delivery *delivery, struct fault *fault_out)
{
	return delivery_write(store, SPOOL_SQL_DELIVERY_ADD, delivery, fault_out);
}

/* The usual case, and the cheap one: columns that are not named cost no index. */
static bool delivery_retry(
    struct spool_store *store, const struct spool_delivery *delivery, struct fault *fault_out)
{
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_DELIVERY_RETRY, fault_out);
	if (statement == NULL)
		return false;
	buf_clear(&store->scratch);
	spool_pack_delivery(&store->scratch, delivery);
	spool_bind_id(statement, 1, delivery->message->id);
	spool_bind_id(statement, 2, delivery->number);
	spool_bind_time(statement, 3, delivery->next_attempt_ms);
	spool_bind_id(statement, 4, delivery->attempts);
	spool_bind_span(statement, 5, buf_span(&store->scratch));
	if (!spool_database_run(&store->database, statement, fault_out))
		return false;
	effect_row(store, SPOOL_EFFECT_DELIVERY_ADD, delivery,
	    spool_hops_find(store->hops, delivery->hop));
	return true;
}

static void effect_old(struct spool_store *store, uint64_t id, const struct spool_delivery_row *old)
{
	engine_effect(store, &(struct spool_effect){ .kind = SPOOL_EFFECT_DELIVERY_REMOVE,
				 .state = old->state,
				 .hop = old->hop,
				 .id = id,
				 .number = old->number });
}

bool engine_delivery_set(struct spool_store *store, const struct spool_delivery *delivery,
    const struct spool_delivery_row *old, struct fault *fault_out)
{
	effect_old(store, delivery->message->id, old);
	bool same = old->hop != NULL && span_equal(old->hop->key, delivery->hop) &&
		    old->state == delivery->state && old->watch_ms == watch_of(delivery);
	return same ? delivery_retry(store, delivery, fault_out)
		    : delivery_write(store, SPOOL_SQL_DELIVERY_SET, delivery, fault_out);
}

static bool delivery_remove(
    struct spool_store *store, uint64_t id, unsigned number, struct fault *fault_out)
{
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_DELIVERY_REMOVE, fault_out);
	if (statement == NULL)
		return false;
	spool_bind_id(statement, 1, id);
	spool_bind_id(statement, 2, number);
	return spool_database_run(&store->database, statement, fault_out);
}

static bool delivery_count(struct spool_store *store, uint64_t id, unsigned *count_out,
    unsigned *greatest_out, struct fault *fault_out)
{
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_DELIVERY_COUNT, fault_out);
	bool found;
	if (statement == NULL)
		return false;
	spool_bind_id(statement, 1, id);
	if (!spool_database_row(&store->database, statement, &found, fault_out))
		return false;
	*count_out = found ? (unsigned)sqlite3_column_int64(statement, 0) : 0;
	*greatest_out = found ? (unsigned)sqlite3_column_int64(statement, 1) : 0;
	spool_database_done(statement);
	return true;
}

/* --- The end of a delivery, and of its message --- */

static unsigned outcome_of(const struct spool_delivery *delivery)
{
	unsigned outcome = 0;
	for (unsigned i = 0; i < delivery->recipient_count; i++) {
		if (delivery->recipients[i].state == SPOOL_RECIPIENT_FAILED)
			outcome |= SPOOL_OUTCOME_FAILED;
		if (delivery->recipients[i].state == SPOOL_RECIPIENT_DROPPED)
			outcome |= SPOOL_OUTCOME_DROPPED;
	}
	return outcome;
}

static void effect_body_gone(
    struct spool_store *store, uint64_t id, const struct spool_message_row *row)
{
	engine_effect(store, &(struct spool_effect){ .kind = SPOOL_EFFECT_BODY_REMOVE,
				 .where = row->where,
				 .generation = row->generation,
				 .size = row->size });
	if (row->where == SPOOL_WHERE_LARGE || row->where == SPOOL_WHERE_BROKEN)
		engine_effect(
		    store, &(struct spool_effect){
			       .kind = SPOOL_EFFECT_FILE_REMOVE, .where = row->where, .id = id });
	if (row->where == SPOOL_WHERE_BROKEN)
		engine_effect(
		    store, &(struct spool_effect){ .kind = SPOOL_EFFECT_BROKEN_REMOVE, .id = id });
	engine_effect(
	    store, &(struct spool_effect){ .kind = SPOOL_EFFECT_MESSAGE_REMOVE, .id = id });
}

static bool message_write_end(struct spool_store *store, uint64_t id, bool last, int64_t now_ms,
    const struct spool_message_row *row, struct fault *fault_out)
{
	enum spool_sql sql = last ? SPOOL_SQL_MESSAGE_END : SPOOL_SQL_MESSAGE_NOTE;
	sqlite3_stmt *statement = spool_database_get(&store->database, sql, fault_out);
	if (statement == NULL)
		return false;
	spool_bind_id(statement, 1, id);
	sqlite3_bind_int(statement, 2, (int)row->outcome);
	spool_bind_span(statement, 3, buf_span(&row->history));
	if (last)
		spool_bind_time(statement, 4, now_ms);
	return spool_database_run(&store->database, statement, fault_out);
}

static bool message_note_end(struct spool_store *store, const struct spool_delivery *delivery,
    bool last, int64_t now_ms, struct fault *fault_out)
{
	uint64_t id = delivery->message->id;
	struct spool_message_row row;
	bool found;
	if (!engine_message_read(store, id, &row, &found, fault_out))
		return false;
	if (!found)
		return true;
	row.outcome |= outcome_of(delivery);
	if (delivery->recipient_count > 0)
		spool_pack_history(&row.history, delivery);
	bool ok = message_write_end(store, id, last, now_ms, &row, fault_out);
	if (ok && last)
		effect_body_gone(store, id, &row);
	engine_message_row_fini(&row);
	return ok;
}

bool engine_delivery_end(struct spool_store *store, const struct spool_delivery *delivery,
    const struct spool_delivery_row *old, int64_t now_ms, struct fault *fault_out)
{
	uint64_t id = delivery->message->id;
	unsigned left, greatest;
	effect_old(store, id, old);
	return delivery_remove(store, id, old->number, fault_out) &&
	       delivery_count(store, id, &left, &greatest, fault_out) &&
	       message_note_end(store, delivery, left == 0, now_ms, fault_out);
}

bool engine_deliveries_split(
    struct spool_store *store, struct list *more, unsigned at_least, struct fault *fault_out)
{
	if (list_is_empty(more))
		return true;
	struct spool_delivery *first = LIST_ENTRY(more->next, struct spool_delivery, link);
	unsigned count, greatest;
	if (!delivery_count(store, first->message->id, &count, &greatest, fault_out))
		return false;
	unsigned number = (greatest > at_least ? greatest : at_least) + 1;
	LIST_FOR_EACH (at, more) {
		struct spool_delivery *delivery = LIST_ENTRY(at, struct spool_delivery, link);
		delivery->number = number++;
		if (!engine_delivery_add(store, delivery, fault_out))
			return false;
	}
	return true;
}
