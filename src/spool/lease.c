/* SPDX-License-Identifier: MIT */
#include "spool/store.h"

#include "spool/engine.h"

#include <assert.h>

#define LEASE_MAX 1000

/* A delivery found by an index, before its row is read. */
struct found {
	uint64_t id;
	unsigned number;
	int64_t when_ms;
};

/* Reads the message, or takes the one just read: many deliveries of a message often stand
   together. */
static bool message_for(struct spool_store *store, uint64_t id, struct spool_message **message,
    bool *found_out, struct fault *fault_out)
{
	if (*message != NULL && (*message)->id == id) {
		*found_out = true;
		return true;
	}
	struct spool_message_row row;
	spool_message_unref(message);
	if (!engine_message_read(store, id, &row, found_out, fault_out))
		return false;
	if (*found_out) {
		*message = row.message;
		row.message = NULL;
		engine_message_row_fini(&row);
	}
	return true;
}

/* Takes one in hand. A row that cannot be read is set aside with its message: that is no
   failure. */
static bool take(struct spool_store *store, uint64_t id, unsigned number,
    struct spool_message **message, struct list *out, struct fault *fault_out)
{
	struct spool_delivery *delivery = NULL;
	bool found;
	if (!message_for(store, id, message, &found, fault_out))
		return false;
	if (found && *message == NULL)
		return engine_mark_broken(store, id, false, "its envelope is damaged", fault_out);
	if (!found)
		return engine_mark_broken(store, id, false, "its row is lost", fault_out);
	if (!engine_delivery_read(store, *message, number, &delivery, &found, fault_out))
		return false;
	if (!found)
		return true;
	if (delivery == NULL)
		return engine_mark_broken(store, id, false, "a delivery is damaged", fault_out);
	if (delivery->state != SPOOL_DELIVERY_WAITING) {
		spool_delivery_destroy(&delivery);
		return true;
	}
	engine_take_in_hand(store, spool_hops_find(store->hops, delivery->hop), id, number);
	list_append(out, &delivery->link);
	return true;
}

static bool take_all(struct spool_store *store, const struct found *all, size_t count,
    struct list *out, struct fault *fault_out)
{
	struct spool_message *message = NULL;
	bool ok = true;
	for (size_t i = 0; i < count && ok; i++)
		ok = take(store, all[i].id, all[i].number, &message, out, fault_out);
	spool_message_unref(&message);
	if (!ok)
		store->failed = true;
	return ok;
}

/* Walks an index from its beginning: those in hand are passed over; at most max others that are
   not later than `until` are noted, and *next_out is when the one behind them comes (INT64_MAX:
   none). */
static bool walk(struct spool_store *store, sqlite3_stmt *statement, int64_t until_ms, size_t max,
    struct found *all, size_t *count_out, int64_t *next_out, struct fault *fault_out)
{
	size_t count = 0;
	int64_t next = INT64_MAX;
	bool row = true;
	while (row && next == INT64_MAX) {
		if (!spool_database_row(&store->database, statement, &row, fault_out))
			return false;
		if (!row)
			break;
		struct found found = { spool_column_id(statement, 0),
			(unsigned)sqlite3_column_int64(statement, 1),
			sqlite3_column_int64(statement, 2) };
		if (engine_in_hand(store, found.id, found.number) != NULL)
			continue;
		if (count < max && found.when_ms <= until_ms)
			all[count++] = found;
		else
			next = found.when_ms;
	}
	spool_database_done(statement);
	*count_out = count;
	*next_out = next;
	return true;
}

bool spool_store_lease(struct spool_store *store, struct span hop_key, int64_t now_ms, size_t max,
    struct list *out, struct fault *fault_out)
{
	struct spool_hop_entry *hop = spool_hops_find(store->hops, hop_key);
	struct found all[LEASE_MAX];
	size_t count;
	int64_t next;
	if (!engine_usable(store, fault_out))
		return false;
	if (hop == NULL || hop->row == 0 || hop->next_due_ms > now_ms)
		return true;
	max = max < LEASE_MAX ? max : LEASE_MAX;
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_DELIVERY_DUE, fault_out);
	if (statement == NULL)
		return false;
	spool_bind_time(statement, 1, hop->row);
	spool_bind_time(statement, 2, INT64_MAX);
	spool_bind_id(statement, 3, max + hop->in_hand + 1);
	if (!walk(store, statement, now_ms, max, all, &count, &next, fault_out)) {
		store->failed = true;
		return false;
	}
	hop->next_due_ms = next;
	return take_all(store, all, count, out, fault_out);
}

bool spool_store_lease_overdue(struct spool_store *store, int64_t now_ms, size_t max,
    struct list *out, struct fault *fault_out)
{
	struct found all[LEASE_MAX];
	size_t count;
	int64_t next;
	if (!engine_usable(store, fault_out))
		return false;
	if (store->next_watch_ms > now_ms)
		return true;
	max = max < LEASE_MAX ? max : LEASE_MAX;
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_DELIVERY_WATCH, fault_out);
	if (statement == NULL)
		return false;
	spool_bind_time(statement, 1, INT64_MAX);
	spool_bind_id(statement, 2, max + map_count(store->in_hand) + 1);
	if (!walk(store, statement, now_ms, max, all, &count, &next, fault_out)) {
		store->failed = true;
		return false;
	}
	store->next_watch_ms = next;
	return take_all(store, all, count, out, fault_out);
}

bool spool_store_lease_one(struct spool_store *store, uint64_t id, unsigned number,
    struct list *out, struct fault *fault_out)
{
	struct found one = { .id = id, .number = number };
	struct spool_message_row row;
	bool found;
	if (!engine_usable(store, fault_out))
		return false;
	if (engine_in_hand(store, id, number) != NULL)
		return true;
	/* An unknown id is no damage here, as it would be when an index leads to it. */
	if (!engine_message_read(store, id, &row, &found, fault_out)) {
		store->failed = true;
		return false;
	}
	if (!found)
		return true;
	bool ended = row.ended_ms != 0;
	engine_message_row_fini(&row);
	return ended || take_all(store, &one, 1, out, fault_out);
}

static void lower(int64_t *bound, int64_t value)
{
	if (value > 0 && value < *bound)
		*bound = value;
}

void spool_store_release(struct spool_store *store, struct list *deliveries)
{
	struct list *link;
	while ((link = list_take_first(deliveries)) != NULL) {
		struct spool_delivery *delivery = LIST_ENTRY(link, struct spool_delivery, link);
		uint64_t id = delivery->message->id;
		struct spool_hop_entry *hop = engine_in_hand(store, id, delivery->number);
		if (hop != NULL) {
			engine_give_back(store, id, delivery->number);
			/* The owner may have changed the times; the row still has the old ones.
			 */
			lower(&hop->next_due_ms, 1);
			lower(&store->next_watch_ms, 1);
		}
		spool_delivery_destroy(&delivery);
	}
}
