/* SPDX-License-Identifier: MIT */
#include "spool/store.h"

#include "spool/engine.h"

#define CHECKPOINT_PAGES 1000
#define SCARCE_PAGES 100 /* the log must not take the last room */
#define SEGMENTS_BEFORE_COMPACTION 64
#define COMPACT_RECORDS 64 /* in a step */
#define COMPACT_BYTES (1024 * 1024)

/* --- Compaction: copy, sync, move the rows, then the segment is dead --- */

struct moved {
	struct spool_record record;
	struct spool_place place;
};

/* Reads the record's body if its message still lives there. *live_out says so. */
static bool read_live(struct spool_store *store, const struct spool_segment *segment,
    const struct spool_record *record, struct buf *body, bool *live_out, struct fault *fault_out)
{
	struct spool_message_row row;
	bool found;
	*live_out = false;
	if (!engine_message_read(store, record->id, &row, &found, fault_out))
		return false;
	if (!found)
		return true;
	bool here = row.message != NULL && row.ended_ms == 0 && row.where == SPOOL_WHERE_SEGMENT &&
		    row.generation == segment->generation && row.offset == record->offset;
	/* A damaged body stays where it is, for its reader to find out. */
	*live_out =
	    here && spool_segment_read(&row.message->place, record->id, row.size, body) == 1;
	engine_message_row_fini(&row);
	return true;
}

static enum spool_append_result copy_some(struct spool_store *store, struct spool_segment *segment,
    struct moved *moved, size_t *count_out, bool *end_out, struct fault *fault_out)
{
	size_t count = 0, bytes = 0;
	enum spool_append_result result = SPOOL_APPEND_DONE;
	bool ok = true;
	*count_out = 0;
	*end_out = false;
	for (size_t i = 0; i < COMPACT_RECORDS && bytes < COMPACT_BYTES; i++) {
		struct moved *next = &moved[count];
		struct buf body;
		bool live = false;
		if (!spool_segment_next(segment, &store->compacting_offset, &next->record)) {
			*end_out = true;
			break;
		}
		buf_init(&body, SPOOL_BODY_MEMORY_MAX);
		ok = read_live(store, segment, &next->record, &body, &live, fault_out);
		if (ok && live) {
			bytes += body.len;
			result = spool_segments_append(store->segments, next->record.id,
			    buf_span(&body), &next->place, fault_out);
			count += result == SPOOL_APPEND_DONE;
		}
		buf_fini(&body);
		*count_out = count;
		if (!ok)
			return SPOOL_APPEND_FAILED;
		if (result != SPOOL_APPEND_DONE)
			return result;
	}
	return spool_segments_flush(store->segments, fault_out);
}

static bool move_row(struct spool_store *store, const struct spool_segment *from,
    const struct moved *moved, struct fault *fault_out)
{
	const struct spool_place *place = &moved->place;
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_MESSAGE_MOVE, fault_out);
	if (statement == NULL)
		return false;
	spool_bind_id(statement, 1, moved->record.id);
	sqlite3_bind_int(statement, 2, (int)place->where);
	spool_bind_id(statement, 3, place->generation);
	spool_bind_id(statement, 4, place->offset);
	spool_bind_id(statement, 5, place->checksum);
	engine_effect(store, &(struct spool_effect){ .kind = SPOOL_EFFECT_BODY_REMOVE,
				 .where = SPOOL_WHERE_SEGMENT,
				 .generation = from->generation,
				 .size = moved->record.size });
	engine_effect(store, &(struct spool_effect){ .kind = SPOOL_EFFECT_BODY_ADD,
				 .where = SPOOL_WHERE_SEGMENT,
				 .generation = place->generation,
				 .size = moved->record.size });
	return spool_database_run(&store->database, statement, fault_out);
}

static bool move_rows(struct spool_store *store, const struct spool_segment *from,
    const struct moved *moved, size_t count, struct fault *fault_out)
{
	if (count == 0)
		return true;
	if (!engine_begin(store, fault_out))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!move_row(store, from, &moved[i], fault_out)) {
			engine_rollback(store);
			return false;
		}
	}
	return engine_commit(store, fault_out);
}

static struct spool_segment *compaction_source(struct spool_store *store)
{
	if (store->compacting != 0)
		return spool_segments_find(store->segments, store->compacting);
	struct spool_segment *segment = spool_segments_sparse(
	    store->segments, store->settings.compact_above != 0 ? store->settings.compact_above
								: SEGMENTS_BEFORE_COMPACTION);
	if (segment != NULL) {
		store->compacting = segment->generation;
		store->compacting_offset = SPOOL_BLOCK;
	}
	return segment;
}

bool engine_compact(struct spool_store *store, bool *more_out, struct fault *fault_out)
{
	struct spool_segment *segment = compaction_source(store);
	struct moved moved[COMPACT_RECORDS] = { 0 };
	size_t count = 0;
	bool end;
	if (segment == NULL)
		return true;
	enum spool_append_result copied = copy_some(store, segment, moved, &count, &end, fault_out);
	bool ok = copied == SPOOL_APPEND_DONE ? move_rows(store, segment, moved, count, fault_out)
					      : copied == SPOOL_APPEND_FULL;
	for (size_t i = 0; i < count; i++)
		spool_segment_unref(&moved[i].place.segment);
	/* What is still live there is damaged, or cannot be found: never tried again. */
	if (copied != SPOOL_APPEND_DONE || end)
		store->compacting = 0;
	/* There may be another such segment. */
	if (copied == SPOOL_APPEND_DONE)
		*more_out = true;
	if (copied == SPOOL_APPEND_DONE && end && segment->live_count > 0)
		segment->stuck = true;
	return ok;
}

/* --- After the answers --- */

static bool prune(
    struct spool_store *store, int64_t now_ms, bool *more_out, struct fault *fault_out)
{
	if (!engine_prune_due(store, now_ms))
		return true;
	if (!engine_begin(store, fault_out))
		return false;
	if (!engine_prune(store, now_ms, 200, fault_out)) {
		engine_rollback(store);
		return false;
	}
	*more_out = *more_out || store->prune_more;
	return engine_commit(store, fault_out);
}

bool spool_store_tidy(
    struct spool_store *store, int64_t now_ms, bool *more_out, struct fault *fault_out)
{
	bool scarce = engine_scarce(store);
	int limit = store->settings.checkpoint_pages;
	limit = limit > 0 ? limit : CHECKPOINT_PAGES;
	limit = scarce && limit > SCARCE_PAGES ? SCARCE_PAGES : limit;
	bool ok = engine_usable(store, fault_out);
	*more_out = false;
	if (ok && store->database.wal_pages > limit)
		ok = spool_database_checkpoint(&store->database, false, fault_out);
	if (ok) {
		spool_segments_tidy(store->segments, scarce, more_out);
		ok = prune(store, now_ms, more_out, fault_out);
	}
	/* Copying needs room before it gives room. */
	if (ok && !scarce)
		ok = engine_compact(store, more_out, fault_out);
	if (!ok)
		store->failed = true;
	return ok;
}
