/* SPDX-License-Identifier: MIT */
#include "spool/recover.h"

#include "base/id.h"
#include "base/random.h"

#include <string.h>

/* --- Meta --- */

static bool meta_get(struct spool_store *store, const char *key, int64_t *value_out,
    bool *found_out, struct fault *fault_out)
{
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_META_GET, fault_out);
	if (statement == NULL)
		return false;
	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	if (!spool_database_row(&store->database, statement, found_out, fault_out))
		return false;
	if (*found_out)
		*value_out = sqlite3_column_int64(statement, 0);
	spool_database_done(statement);
	return true;
}

static bool meta_set(
    struct spool_store *store, const char *key, int64_t value, struct fault *fault_out)
{
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_META_SET, fault_out);
	if (statement == NULL)
		return false;
	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	spool_bind_time(statement, 2, value);
	return spool_database_run(&store->database, statement, fault_out);
}

static bool write_meta(struct spool_store *store, struct fault *fault_out)
{
	store->key = random_u64() >> 1;
	return spool_database_begin(&store->database, fault_out) &&
	       meta_set(store, "key", (int64_t)store->key, fault_out) &&
	       meta_set(store, "node", 0, fault_out) &&
	       spool_database_commit(&store->database, fault_out);
}

bool spool_recover_meta(struct spool_store *store, struct fault *fault_out)
{
	int64_t key = 0, node = 0;
	bool has_key, has_node;
	if (!meta_get(store, "key", &key, &has_key, fault_out) ||
	    !meta_get(store, "node", &node, &has_node, fault_out))
		return false;
	if (!has_key)
		return write_meta(store, fault_out);
	store->key = (uint64_t)key;
	store->node = has_node && node >= 0 && node < 64 ? (unsigned)node : 0;
	return true;
}

/* --- Rows --- */

static bool load_hops(struct spool_store *store, struct fault *fault_out)
{
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_HOP_ALL, fault_out);
	bool row = true;
	while (statement != NULL && row) {
		if (!spool_database_row(&store->database, statement, &row, fault_out))
			return false;
		if (row)
			spool_hops_set_row(store->hops,
			    spool_hops_intern(store->hops, spool_column_span(statement, 1)),
			    sqlite3_column_int64(statement, 0));
	}
	if (statement == NULL)
		return false;
	spool_database_done(statement);
	return true;
}

struct scan {
	struct spool_store *store;
	uint64_t id;       /* message of the rows being read */
	struct map *large; /* ids whose body is large/<id>; NULL: not wanted */
	uint64_t removed;
};

/* The body of a message that has deliveries. */
static bool count_message(struct scan *scan, uint64_t id, struct fault *fault_out)
{
	struct spool_store *store = scan->store;
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_MESSAGE_GET, fault_out);
	bool found;
	if (statement == NULL)
		return false;
	spool_bind_id(statement, 1, id);
	if (!spool_database_row(&store->database, statement, &found, fault_out))
		return false;
	enum spool_where where =
	    found ? (enum spool_where)sqlite3_column_int(statement, 0) : SPOOL_WHERE_NOWHERE;
	uint64_t generation = found ? spool_column_id(statement, 1) : 0;
	uint64_t size = found ? spool_column_id(statement, 3) : 0;
	if (found)
		spool_database_done(statement);
	store->messages++;
	store->body_bytes += size;
	store->broken += where == SPOOL_WHERE_BROKEN;
	if (where == SPOOL_WHERE_LARGE && scan->large != NULL)
		map_set(scan->large, MAP_KEY(id), store);
	if (where == SPOOL_WHERE_SEGMENT) {
		struct spool_segment *segment = spool_segments_find(store->segments, generation);
		segment->live_bytes += size;
		segment->live_count++;
	}
	return true;
}

static void count_waiting(struct spool_store *store, struct spool_hop_entry *hop,
    sqlite3_stmt *statement, uint64_t id, unsigned number)
{
	hop->waiting++;
	if (engine_in_hand(store, id, number) != NULL)
		return;
	int64_t next = sqlite3_column_int64(statement, 4);
	if (next < hop->next_due_ms)
		hop->next_due_ms = next;
	if (sqlite3_column_type(statement, 5) == SQLITE_NULL)
		return;
	int64_t watch = sqlite3_column_int64(statement, 5);
	if (watch < store->next_watch_ms)
		store->next_watch_ms = watch;
}

static bool count_delivery(struct scan *scan, sqlite3_stmt *statement, struct fault *fault_out)
{
	struct spool_store *store = scan->store;
	uint64_t id = spool_column_id(statement, 0);
	struct spool_hop_entry *hop =
	    spool_hops_find_row(store->hops, sqlite3_column_int64(statement, 2));
	int state = sqlite3_column_int(statement, 3);
	if (hop != NULL) {
		if (state == SPOOL_DELIVERY_WAITING)
			count_waiting(store, hop, statement, id,
			    (unsigned)sqlite3_column_int64(statement, 1));
		else if (state == SPOOL_DELIVERY_HELD)
			hop->held++;
		else
			hop->broken++;
		if (id < hop->oldest)
			hop->oldest = id;
	}
	if (id == scan->id)
		return true;
	scan->id = id;
	return count_message(scan, id, fault_out);
}

static bool count_deliveries(struct scan *scan, struct fault *fault_out)
{
	struct spool_database *database = &scan->store->database;
	sqlite3_stmt *statement = spool_database_get(database, SPOOL_SQL_DELIVERY_SCAN, fault_out);
	bool row = true;
	if (statement == NULL)
		return false;
	while (row) {
		if (!spool_database_row(database, statement, &row, fault_out))
			return false;
		if (row && !count_delivery(scan, statement, fault_out)) {
			spool_database_done(statement);
			return false;
		}
	}
	spool_database_done(statement);
	return true;
}

static bool read_last_id(struct spool_store *store, struct fault *fault_out)
{
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_MESSAGE_LAST, fault_out);
	bool row;
	if (statement == NULL || !spool_database_row(&store->database, statement, &row, fault_out))
		return false;
	if (row && spool_column_id(statement, 0) > store->last_id)
		store->last_id = spool_column_id(statement, 0);
	spool_database_done(statement);
	return true;
}

/* --- Files that no row names --- */

/* Only names that are ids: what else lies there is not ours to remove. */
static bool remove_unknown(void *context, const char *name)
{
	struct scan *scan = context;
	uint64_t id;
	if (!id_parse(span_from_string(name), &id) || map_get(scan->large, MAP_KEY(id)) != NULL)
		return true;
	char *path = engine_file_path(scan->store->path, "large", id);
	const struct spool_files *files = scan->store->files;
	if (files->unlink(files->context, path) == 0)
		scan->removed++;
	mem_free(path);
	return true;
}

static bool remove_files(struct scan *scan, struct fault *fault_out)
{
	const struct spool_files *files = scan->store->files;
	struct buf path;
	buf_init(&path, 4096);
	buf_printf(&path, "%s/large", scan->store->path);
	int error = files->list(files->context, buf_string(&path), remove_unknown, scan);
	if (error != 0)
		fault_set(fault_out, FAULT_LOCAL, "cannot read %s: %s", buf_string(&path),
		    strerror(-error));
	buf_fini(&path);
	return error == 0;
}

bool spool_recover_rows(
    struct spool_store *store, bool starting, uint64_t *removed_out, struct fault *fault_out)
{
	struct scan scan = { .store = store };
	store->messages = store->broken = store->body_bytes = 0;
	store->next_watch_ms = INT64_MAX;
	store->compacting = 0;
	spool_hops_reset(store->hops);
	spool_segments_reset_live(store->segments);
	if (starting)
		scan.large = map_create();
	bool ok = load_hops(store, fault_out) && count_deliveries(&scan, fault_out) &&
		  read_last_id(store, fault_out) && (!starting || remove_files(&scan, fault_out));
	map_destroy(&scan.large, NULL);
	*removed_out = scan.removed;
	return ok;
}
