/* SPDX-License-Identifier: MIT */
#include "spool/store.h"

#include "spool/body.h"
#include "spool/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define DELIVERIES_MAX 100000 /* of one message: far beyond any recipients-max */

/* --- Rows --- */

static bool break_place(struct spool_store *store, uint64_t id, struct fault *fault_out)
{
	struct spool_message_row row;
	bool found;
	if (!engine_message_read(store, id, &row, &found, fault_out))
		return false;
	if (!found)
		return true;
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_MESSAGE_MOVE, fault_out);
	bool ok = statement != NULL;
	if (ok) {
		spool_bind_id(statement, 1, id);
		sqlite3_bind_int(statement, 2, SPOOL_WHERE_BROKEN);
		spool_bind_id(statement, 3, 0);
		spool_bind_id(statement, 4, 0);
		spool_bind_id(statement, 5, row.checksum);
		ok = spool_database_run(&store->database, statement, fault_out);
	}
	engine_effect(store, &(struct spool_effect){ .kind = SPOOL_EFFECT_BODY_REMOVE,
				 .where = row.where,
				 .generation = row.generation,
				 .size = row.size });
	engine_effect(store,
	    &(struct spool_effect){
		.kind = SPOOL_EFFECT_BODY_ADD, .where = SPOOL_WHERE_BROKEN, .size = row.size });
	engine_effect(store, &(struct spool_effect){ .kind = SPOOL_EFFECT_BROKEN_ADD, .id = id });
	engine_message_row_fini(&row);
	return ok;
}

static bool break_delivery(struct spool_store *store, uint64_t id, unsigned number,
    const struct spool_delivery_row *old, struct fault *fault_out)
{
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_DELIVERY_BREAK, fault_out);
	if (statement == NULL)
		return false;
	spool_bind_id(statement, 1, id);
	spool_bind_id(statement, 2, number);
	if (!spool_database_run(&store->database, statement, fault_out))
		return false;
	engine_effect(store, &(struct spool_effect){ .kind = SPOOL_EFFECT_DELIVERY_REMOVE,
				 .state = old->state,
				 .hop = old->hop,
				 .id = id,
				 .number = number });
	if (old->hop != NULL)
		engine_effect(store, &(struct spool_effect){ .kind = SPOOL_EFFECT_DELIVERY_ADD,
					 .state = SPOOL_DELIVERY_BROKEN,
					 .hop = old->hop,
					 .id = id,
					 .number = number,
					 .next_ms = INT64_MAX,
					 .watch_ms = INT64_MAX });
	return true;
}

/* The numbers first: a row must not change under its own cursor. */
static bool break_deliveries(struct spool_store *store, uint64_t id, struct fault *fault_out)
{
	sqlite3_stmt *statement =
	    spool_database_get(&store->database, SPOOL_SQL_DELIVERY_OF, fault_out);
	struct spool_delivery_row *rows = NULL;
	size_t count = 0;
	bool row = true, ok = true;
	if (statement == NULL)
		return false;
	spool_bind_id(statement, 1, id);
	while (ok && row && count < DELIVERIES_MAX) {
		ok = spool_database_row(&store->database, statement, &row, fault_out);
		if (!ok || !row)
			break;
		rows = mem_realloc(rows, (count + 1) * sizeof(*rows));
		engine_delivery_columns(store, statement, &rows[count++]);
	}
	if (ok)
		spool_database_done(statement);
	for (size_t i = 0; i < count && ok; i++)
		ok = break_delivery(store, id, rows[i].number, &rows[i], fault_out);
	mem_free(rows);
	return ok;
}

bool engine_mark_broken(
    struct spool_store *store, uint64_t id, bool moved, const char *reason, struct fault *fault_out)
{
	if (!engine_begin(store, fault_out))
		return false;
	if ((moved && !break_place(store, id, fault_out)) ||
	    !break_deliveries(store, id, fault_out)) {
		engine_rollback(store);
		return false;
	}
	if (!engine_commit(store, fault_out))
		return false;
	if (store->settings.notice != NULL)
		store->settings.notice(store->settings.notice_context, id, reason);
	return true;
}

/* --- Bodies --- */

static bool explain(struct fault *fault_out, const char *what, const char *path, int error)
{
	fault_set(fault_out, FAULT_LOCAL, "cannot %s %s: %s", what, path, strerror(-error));
	return false;
}

static bool sync_folder(struct spool_store *store, const char *name, struct fault *fault_out)
{
	struct buf path;
	buf_init(&path, 4096);
	buf_printf(&path, "%s/%s", store->path, name);
	int error = store->files->sync_directory(store->files->context, buf_string(&path));
	if (error != 0)
		explain(fault_out, "sync", buf_string(&path), error);
	buf_fini(&path);
	return error == 0;
}

static bool write_aside(
    struct spool_store *store, uint64_t id, struct span bytes, struct fault *fault_out)
{
	const struct spool_files *files = store->files;
	char *path = engine_file_path(store->path, "broken", id);
	int fd = files->open(files->context, path, O_WRONLY | O_CREAT | O_TRUNC);
	int error = fd < 0 ? fd : 0;
	if (error == 0)
		error = spool_files_write_all(files, fd, bytes.data, bytes.len, 0, false);
	if (error == 0)
		error = files->sync(files->context, fd);
	if (fd >= 0)
		files->close(files->context, fd);
	if (error != 0)
		explain(fault_out, "keep a damaged body as", path, error);
	mem_free(path);
	return error == 0 && sync_folder(store, "broken", fault_out);
}

/* *sound_out, or what was found is kept under broken/. */
static bool check_segment(struct spool_store *store, const struct spool_message *message,
    bool *sound_out, struct fault *fault_out)
{
	struct buf bytes;
	buf_init(&bytes, SPOOL_BODY_MEMORY_MAX);
	int result = spool_segment_read(&message->place, message->id, message->size, &bytes);
	bool ok = result >= 0;
	*sound_out = result == 1;
	if (result < 0)
		explain(fault_out, "read", message->place.segment->path, result);
	else if (result == 0 && bytes.len > 0)
		ok = write_aside(store, message->id, buf_span(&bytes), fault_out);
	buf_fini(&bytes);
	return ok;
}

static bool check_large(struct spool_store *store, struct spool_message *message, bool *sound_out,
    struct fault *fault_out)
{
	struct spool_reader *reader = spool_reader_open(message, fault_out);
	enum spool_read_result result = SPOOL_READ_MORE;
	struct span bytes;
	if (reader == NULL)
		return false;
	while (result == SPOOL_READ_MORE)
		result = spool_reader_next(reader, &bytes, fault_out);
	spool_reader_close(&reader);
	*sound_out = result == SPOOL_READ_END;
	if (result != SPOOL_READ_DAMAGED)
		return result == SPOOL_READ_END;
	const struct spool_files *files = store->files;
	char *to = engine_file_path(store->path, "broken", message->id);
	int error = files->rename(files->context, message->place.path, to);
	if (error != 0 && error != -ENOENT)
		explain(fault_out, "keep a damaged body as", to, error);
	mem_free(to);
	return (error == 0 || error == -ENOENT) && sync_folder(store, "broken", fault_out) &&
	       sync_folder(store, "large", fault_out);
}

static bool check_body(struct spool_store *store, struct spool_message *message, bool *sound_out,
    struct fault *fault_out)
{
	switch (message->place.where) {
	case SPOOL_WHERE_SEGMENT:
		return check_segment(store, message, sound_out, fault_out);
	case SPOOL_WHERE_LARGE:
		return check_large(store, message, sound_out, fault_out);
	case SPOOL_WHERE_NOWHERE:
	case SPOOL_WHERE_BROKEN:
		break;
	}
	*sound_out = true;
	return true;
}

bool spool_store_set_aside(struct spool_store *store, uint64_t id, const char *reason,
    bool *broken_out, struct fault *fault_out)
{
	struct spool_message_row row;
	bool found, sound = true;
	if (!engine_usable(store, fault_out))
		return false;
	if (!engine_message_read(store, id, &row, &found, fault_out)) {
		store->failed = true;
		return false;
	}
	*broken_out = found && row.where == SPOOL_WHERE_BROKEN;
	bool look = found && row.message != NULL && row.ended_ms == 0 && !*broken_out;
	bool ok = !look || check_body(store, row.message, &sound, fault_out);
	if (found)
		engine_message_row_fini(&row);
	if (!ok || sound)
		return ok;
	*broken_out = true;
	return engine_mark_broken(store, id, true, reason, fault_out);
}
