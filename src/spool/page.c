/* SPDX-License-Identifier: MIT */
#include "spool/page.h"

#include "spool/pack.h"

#include <assert.h>

/* --- Filter --- */

/* Greedy, with one point to go back to: linear for one star, quadratic at worst. */
bool engine_pattern_matches(struct span pattern, struct span text)
{
	size_t p = 0, t = 0, star = pattern.len, mark = 0;
	while (t < text.len) {
		if (p < pattern.len && pattern.data[p] == '*') {
			star = p++;
			mark = t;
		} else if (p < pattern.len &&
			   byte_to_lower(pattern.data[p]) == byte_to_lower(text.data[t])) {
			p++;
			t++;
		} else if (star < pattern.len) {
			p = star + 1;
			t = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.data[p] == '*')
		p++;
	return p == pattern.len;
}

bool spool_pattern_matches(struct span pattern, struct span text)
{
	return engine_pattern_matches(pattern, text);
}

bool engine_filter_matches_delivery(
    const struct spool_filter *filter, const struct spool_delivery *delivery)
{
	if (filter->hop.data != NULL && !engine_pattern_matches(filter->hop, delivery->hop))
		return false;
	if (filter->to.data == NULL)
		return true;
	for (unsigned i = 0; i < delivery->recipient_count; i++)
		if (engine_pattern_matches(filter->to, delivery->recipients[i].address))
			return true;
	return false;
}

bool engine_filter_matches(const struct spool_filter *filter, const struct spool_entry *entry)
{
	const struct spool_envelope *envelope = &entry->message->envelope;
	unsigned states = filter->states != 0 ? filter->states : SPOOL_MESSAGE_QUEUED;
	if ((entry->state & states) == 0)
		return false;
	if (filter->from.data != NULL &&
	    !engine_pattern_matches(filter->from, envelope->reverse_path))
		return false;
	if (filter->received_before_ms > 0 && envelope->received_ms >= filter->received_before_ms)
		return false;
	if (filter->hop.data == NULL && filter->to.data == NULL)
		return true;
	LIST_FOR_EACH (at, &entry->deliveries)
		if (engine_filter_matches_delivery(
			filter, LIST_ENTRY(at, struct spool_delivery, link)))
			return true;
	return false;
}

const char *spool_message_state_name(enum spool_message_state state)
{
	switch (state) {
	case SPOOL_MESSAGE_ACTIVE:
		return "active";
	case SPOOL_MESSAGE_DEFERRED:
		return "deferred";
	case SPOOL_MESSAGE_HELD:
		return "held";
	case SPOOL_MESSAGE_BROKEN:
		return "broken";
	case SPOOL_MESSAGE_DONE:
		return "done";
	case SPOOL_MESSAGE_BOUNCED:
		return "bounced";
	case SPOOL_MESSAGE_DROPPED:
		return "dropped";
	}
	return "unknown";
}

/* --- Candidates --- */

/* With ids given the cursor counts them. */
static void candidates_given(const struct spool_filter *filter, const struct spool_cursor *cursor,
    size_t max, struct spool_candidates *out)
{
	size_t from = (size_t)cursor->id;
	for (size_t i = from; i < filter->id_count && out->count < max; i++)
		out->ids[out->count++] = filter->ids[i];
	out->last = from + out->count >= filter->id_count;
}

bool engine_candidates(struct spool_store *store, const struct spool_filter *filter,
    const struct spool_cursor *cursor, size_t max, struct spool_candidates *out,
    struct fault *fault_out)
{
	unsigned states = filter->states != 0 ? filter->states : SPOOL_MESSAGE_QUEUED;
	bool ended = (states & SPOOL_MESSAGE_ENDED) != 0;
	out->count = 0;
	max = max < SPOOL_PAGE_MAX ? max : SPOOL_PAGE_MAX;
	if (filter->ids != NULL) {
		candidates_given(filter, cursor, max, out);
		return true;
	}
	/* Years of history are no reason to walk it for what is queued. */
	sqlite3_stmt *statement = spool_database_get(&store->database,
	    ended ? SPOOL_SQL_MESSAGE_AFTER : SPOOL_SQL_DELIVERY_AFTER, fault_out);
	if (statement == NULL)
		return false;
	spool_bind_id(statement, 1, cursor->id);
	spool_bind_id(statement, 2, max);
	bool row = true;
	while (row && out->count < max) {
		if (!spool_database_row(&store->database, statement, &row, fault_out))
			return false;
		if (row)
			out->ids[out->count++] = spool_column_id(statement, 0);
	}
	spool_database_done(statement);
	out->last = out->count < max;
	return true;
}

void engine_cursor_advance(struct spool_cursor *cursor, const struct spool_filter *filter,
    const struct spool_candidates *candidates, size_t index)
{
	if (filter->ids != NULL)
		cursor->id++;
	else
		cursor->id = candidates->ids[index];
	cursor->finished = candidates->last && index + 1 == candidates->count;
}

/* --- Entries --- */

void spool_entry_destroy(struct spool_entry **entry)
{
	struct spool_entry *gone = *entry;
	struct list *link;
	*entry = NULL;
	if (gone == NULL)
		return;
	while ((link = list_take_first(&gone->deliveries)) != NULL) {
		struct spool_delivery *delivery = LIST_ENTRY(link, struct spool_delivery, link);
		spool_delivery_destroy(&delivery);
	}
	spool_message_unref(&gone->message);
	mem_free(gone);
}

static enum spool_message_state state_of(
    struct spool_store *store, const struct spool_entry *entry, unsigned outcome)
{
	bool waiting = false, held = false;
	if (entry->ended_ms != 0) {
		if ((outcome & SPOOL_OUTCOME_FAILED) != 0)
			return SPOOL_MESSAGE_BOUNCED;
		return (outcome & SPOOL_OUTCOME_DROPPED) != 0 ? SPOOL_MESSAGE_DROPPED
							      : SPOOL_MESSAGE_DONE;
	}
	LIST_FOR_EACH (at, &entry->deliveries) {
		struct spool_delivery *delivery = LIST_ENTRY(at, struct spool_delivery, link);
		if (delivery->state == SPOOL_DELIVERY_WAITING &&
		    engine_in_hand(store, delivery->message->id, delivery->number) != NULL)
			return SPOOL_MESSAGE_ACTIVE;
		waiting = waiting || delivery->state == SPOOL_DELIVERY_WAITING;
		held = held || delivery->state == SPOOL_DELIVERY_HELD;
	}
	if (waiting)
		return SPOOL_MESSAGE_DEFERRED;
	return held ? SPOOL_MESSAGE_HELD : SPOOL_MESSAGE_BROKEN;
}

bool spool_store_is_in_hand(struct spool_store *store, uint64_t id, unsigned number)
{
	return engine_in_hand(store, id, number) != NULL;
}

/* Rows that cannot be read are left out here: a lease sets them aside. */
static bool read_deliveries(
    struct spool_store *store, struct spool_entry *entry, struct fault *fault_out)
{
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_DELIVERY_OF, fault_out);
	bool row = true;
	if (statement == NULL)
		return false;
	spool_bind_id(statement, 1, entry->message->id);
	while (row) {
		if (!spool_database_row(&store->database, statement, &row, fault_out))
			return false;
		if (!row)
			break;
		struct spool_delivery_row columns;
		engine_delivery_columns(store, statement, &columns);
		struct spool_delivery *delivery = engine_delivery_unpack(&columns, entry->message);
		if (delivery != NULL)
			list_append(&entry->deliveries, &delivery->link);
	}
	spool_database_done(statement);
	return true;
}

bool engine_entry_read(
    struct spool_store *store, uint64_t id, struct spool_entry **entry_out, struct fault *fault_out)
{
	struct spool_message_row row;
	bool found;
	if (!engine_message_read(store, id, &row, &found, fault_out))
		return false;
	*entry_out = NULL;
	if (!found)
		return true;
	/* Damaged, but still to be seen. */
	if (row.message == NULL)
		row.message = spool_message_create(id, &(struct spool_envelope){ 0 });
	struct spool_entry *entry = MEM_NEW(struct spool_entry);
	list_init(&entry->deliveries);
	entry->message = spool_message_ref(row.message);
	entry->ended_ms = row.ended_ms;
	spool_unpack_history(buf_span(&row.history), row.message, &entry->deliveries);
	unsigned outcome = row.outcome;
	engine_message_row_fini(&row);
	if (!read_deliveries(store, entry, fault_out)) {
		spool_entry_destroy(&entry);
		return false;
	}
	entry->state = state_of(store, entry, outcome);
	*entry_out = entry;
	return true;
}

bool spool_store_page(struct spool_store *store, const struct spool_filter *filter,
    struct spool_cursor *cursor, size_t max, struct list *out, struct fault *fault_out)
{
	struct spool_candidates candidates;
	if (!engine_usable(store, fault_out))
		return false;
	if (!engine_candidates(store, filter, cursor, max, &candidates, fault_out)) {
		store->failed = true;
		return false;
	}
	cursor->finished = candidates.count == 0;
	for (size_t i = 0; i < candidates.count; i++) {
		struct spool_entry *entry;
		if (!engine_entry_read(store, candidates.ids[i], &entry, fault_out)) {
			store->failed = true;
			return false;
		}
		if (entry != NULL && engine_filter_matches(filter, entry))
			list_append(out, &entry->link);
		else
			spool_entry_destroy(&entry);
		engine_cursor_advance(cursor, filter, &candidates, i);
	}
	return true;
}
