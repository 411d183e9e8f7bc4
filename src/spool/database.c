/* SPDX-License-Identifier: MIT */
#include "spool/database.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* 2: rows may be of the second form (spool/pack.h); the tables are those of 1. */
#define SCHEMA_VERSION 2
#define SCHEMA_UPGRADABLE 1
#define APPLICATION_ID 0x46726e6b /* "Frnk" */

static const char schema[] =
    "PRAGMA application_id = 1181904491;"
    "PRAGMA user_version = 2;"
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE hop (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE);"
    "CREATE TABLE message ("
    " id INTEGER PRIMARY KEY, place INTEGER NOT NULL, generation INTEGER NOT NULL,"
    " offset INTEGER NOT NULL, size INTEGER NOT NULL, checksum INTEGER NOT NULL,"
    " ended INTEGER, outcome INTEGER NOT NULL, envelope BLOB NOT NULL, history BLOB);"
    "CREATE INDEX message_ended ON message (ended) WHERE ended IS NOT NULL;"
    "CREATE TABLE delivery ("
    " message INTEGER NOT NULL, number INTEGER NOT NULL, hop INTEGER NOT NULL,"
    " state INTEGER NOT NULL, next INTEGER NOT NULL, watch INTEGER, attempts INTEGER NOT NULL,"
    " data BLOB NOT NULL, PRIMARY KEY (message, number)) WITHOUT ROWID;"
    "CREATE INDEX delivery_due ON delivery (hop, next) WHERE state = 0;"
    "CREATE INDEX delivery_watch ON delivery (watch) WHERE state = 0 AND watch IS NOT NULL;";

static const char *const statements[SPOOL_SQL_COUNT] = {
	[SPOOL_SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SPOOL_SQL_COMMIT] = "COMMIT",
	[SPOOL_SQL_ROLLBACK] = "ROLLBACK",
	[SPOOL_SQL_META_GET] = "SELECT value FROM meta WHERE key = ?1",
	[SPOOL_SQL_META_SET] = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)",
	[SPOOL_SQL_HOP_ADD] = "INSERT INTO hop (key) VALUES (?1)",
	[SPOOL_SQL_HOP_ALL] = "SELECT id, key FROM hop",
	[SPOOL_SQL_MESSAGE_ADD] =
	    "INSERT OR IGNORE INTO message (id, place, generation, offset, size, "
	    "checksum, outcome, envelope) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)",
	[SPOOL_SQL_MESSAGE_GET] =
	    "SELECT place, generation, offset, size, checksum, envelope, ended, outcome, "
	    "history FROM message WHERE id = ?1",
	[SPOOL_SQL_MESSAGE_MOVE] =
	    "UPDATE message SET place = ?2, generation = ?3, offset = ?4, checksum = ?5 "
	    "WHERE id = ?1",
	[SPOOL_SQL_MESSAGE_NOTE] = "UPDATE message SET outcome = ?2, history = ?3 WHERE id = ?1",
	[SPOOL_SQL_MESSAGE_END] =
	    "UPDATE message SET outcome = ?2, history = ?3, ended = ?4, place = 0, "
	    "generation = 0, offset = 0 WHERE id = ?1",
	[SPOOL_SQL_MESSAGE_PRUNE] =
	    "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE ended IS NOT "
	    "NULL AND ended < ?1 ORDER BY ended LIMIT ?2)",
	[SPOOL_SQL_MESSAGE_LAST] = "SELECT max(id) FROM message",
	[SPOOL_SQL_MESSAGE_AFTER] = "SELECT id FROM message WHERE id > ?1 ORDER BY id LIMIT ?2",
	[SPOOL_SQL_DELIVERY_ADD] =
	    "INSERT INTO delivery (message, number, hop, state, next, watch, attempts, "
	    "data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[SPOOL_SQL_DELIVERY_GET] =
	    "SELECT number, hop, state, next, watch, attempts, data FROM delivery WHERE "
	    "message = ?1 AND number = ?2",
	[SPOOL_SQL_DELIVERY_OF] =
	    "SELECT number, hop, state, next, watch, attempts, data FROM delivery WHERE "
	    "message = ?1 ORDER BY number",
	[SPOOL_SQL_DELIVERY_COUNT] =
	    "SELECT count(*), max(number) FROM delivery WHERE message = ?1",
	[SPOOL_SQL_DELIVERY_SET] =
	    "UPDATE delivery SET hop = ?3, state = ?4, next = ?5, watch = ?6, attempts = "
	    "?7, data = ?8 WHERE message = ?1 AND number = ?2",
	[SPOOL_SQL_DELIVERY_RETRY] =
	    "UPDATE delivery SET next = ?3, attempts = ?4, data = ?5 WHERE message = ?1 "
	    "AND number = ?2",
	[SPOOL_SQL_DELIVERY_BREAK] =
	    "UPDATE delivery SET state = 2 WHERE message = ?1 AND number = ?2",
	[SPOOL_SQL_DELIVERY_REMOVE] = "DELETE FROM delivery WHERE message = ?1 AND number = ?2",
	[SPOOL_SQL_DELIVERY_AFTER] =
	    "SELECT DISTINCT message FROM delivery WHERE message > ?1 ORDER BY message "
	    "LIMIT ?2",
	[SPOOL_SQL_DELIVERY_DUE] =
	    "SELECT message, number, next FROM delivery WHERE hop = ?1 AND state = 0 AND "
	    "next <= ?2 ORDER BY next LIMIT ?3",
	[SPOOL_SQL_DELIVERY_WATCH] =
	    "SELECT message, number, watch FROM delivery WHERE state = 0 AND watch IS "
	    "NOT NULL AND watch <= ?1 ORDER BY watch LIMIT ?2",
	[SPOOL_SQL_DELIVERY_SCAN] =
	    "SELECT message, number, hop, state, next, watch FROM delivery ORDER BY "
	    "message, number",
};

void spool_database_explain(struct spool_database *database, struct fault *fault_out)
{
	int code = database->db != NULL ? sqlite3_extended_errcode(database->db) : SQLITE_NOMEM;
	const char *text = database->db != NULL ? sqlite3_errmsg(database->db) : "no memory";
	int plain = code & 0xff;
	if (plain == SQLITE_CORRUPT || plain == SQLITE_NOTADB)
		fault_set(fault_out, FAULT_LOCAL,
		    "%s is damaged (%s): keep a copy of the spool directory, then try "
		    "\"sqlite3 queue.db .recover\"; the bodies are in segment/ and large/",
		    database->path, text);
	else if (plain == SQLITE_FULL)
		fault_set(fault_out, FAULT_LOCAL, "%s: no room on the disk", database->path);
	else if (plain == SQLITE_READONLY)
		fault_set(fault_out, FAULT_LOCAL, "%s cannot be written", database->path);
	else
		fault_set(
		    fault_out, FAULT_LOCAL, "%s: %s (SQLite code %d)", database->path, text, code);
}

static int note_wal(void *context, sqlite3 *db, const char *name, int pages)
{
	struct spool_database *database = context;
	database->wal_pages = pages;
	return SQLITE_OK;
}

static bool execute(struct spool_database *database, const char *sql, struct fault *fault_out)
{
	if (sqlite3_exec(database->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return true;
	spool_database_explain(database, fault_out);
	return false;
}

static bool pragma_number(
    struct spool_database *database, const char *sql, int64_t *value_out, struct fault *fault_out)
{
	sqlite3_stmt *statement;
	bool ok = sqlite3_prepare_v2(database->db, sql, -1, &statement, NULL) == SQLITE_OK;
	if (ok && (ok = sqlite3_step(statement) == SQLITE_ROW))
		*value_out = sqlite3_column_int64(statement, 0);
	if (!ok)
		spool_database_explain(database, fault_out);
	sqlite3_finalize(statement);
	return ok;
}

/* The rows stay as they are, and are read as such. The mark keeps an older program from misreading
   the rows that come from now on. */
static bool upgrade(struct spool_database *database, struct fault *fault_out)
{
	return execute(database, "BEGIN IMMEDIATE", fault_out) &&
	       execute(database, "PRAGMA user_version = 2", fault_out) &&
	       execute(database, "COMMIT", fault_out);
}

static bool check_version(struct spool_database *database, bool create, struct fault *fault_out)
{
	int64_t version, application, tables;
	if (!pragma_number(database, "PRAGMA user_version", &version, fault_out) ||
	    !pragma_number(database, "PRAGMA application_id", &application, fault_out) ||
	    !pragma_number(database, "SELECT count(*) FROM sqlite_schema", &tables, fault_out))
		return false;
	if (version == SCHEMA_VERSION && application == APPLICATION_ID)
		return true;
	if (version == SCHEMA_UPGRADABLE && application == APPLICATION_ID)
		return upgrade(database, fault_out);
	if (tables != 0 || version != 0) {
		fault_set(fault_out, FAULT_LOCAL,
		    "%s is %s (form %lld; this version knows form %d)", database->path,
		    application == APPLICATION_ID ? "of a later version of frank"
						  : "not a queue of frank",
		    (long long)version, SCHEMA_VERSION);
		return false;
	}
	if (!create) {
		fault_set(fault_out, FAULT_LOCAL, "%s holds no queue yet", database->path);
		return false;
	}
	return execute(database, "BEGIN IMMEDIATE", fault_out) &&
	       execute(database, schema, fault_out) && execute(database, "COMMIT", fault_out);
}

/* SQLite silently opens what it cannot write as read-only. */
static bool check_writable(struct spool_database *database, struct fault *fault_out)
{
	if (sqlite3_db_readonly(database->db, "main") == 0)
		return true;
	fault_set(fault_out, FAULT_LOCAL, "%s cannot be written", database->path);
	return false;
}

static bool set_up(struct spool_database *database, bool create, struct fault *fault_out)
{
	sqlite3_extended_result_codes(database->db, 1);
	/* Somebody may look into the queue with sqlite3; a reader blocks nothing but the end of a
	   checkpoint. */
	sqlite3_busy_timeout(database->db, 2000);
	sqlite3_wal_hook(database->db, note_wal, database);
	if (!check_writable(database, fault_out) ||
	    !execute(database,
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		"PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY;"
		"PRAGMA cache_size = -16384; PRAGMA cell_size_check = ON;",
		fault_out))
		return false;
	/* wal_autocheckpoint = 0 took our hook away. */
	sqlite3_wal_hook(database->db, note_wal, database);
	return check_version(database, create, fault_out);
}

bool spool_database_open(struct spool_database *database, const char *path, const char *vfs,
    bool create, struct fault *fault_out)
{
	database->path = mem_strdup(path);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (create ? SQLITE_OPEN_CREATE : 0);
	bool ok = sqlite3_open_v2(path, &database->db, flags, vfs) == SQLITE_OK;
	if (!ok)
		spool_database_explain(database, fault_out);
	if (!ok || !set_up(database, create, fault_out)) {
		spool_database_close(database);
		return false;
	}
	return true;
}

void spool_database_close(struct spool_database *database)
{
	for (size_t i = 0; i < SPOOL_SQL_COUNT; i++) {
		sqlite3_finalize(database->statements[i]);
		database->statements[i] = NULL;
	}
	if (database->db != NULL) {
		int result = sqlite3_close(database->db);
		assert(result != SQLITE_BUSY);
	}
	database->db = NULL;
	mem_free(database->path);
	database->path = NULL;
	database->wal_pages = 0;
	database->in_transaction = false;
}

sqlite3_stmt *spool_database_get(
    struct spool_database *database, enum spool_sql sql, struct fault *fault_out)
{
	sqlite3_stmt **statement = &database->statements[sql];
	if (*statement == NULL && sqlite3_prepare_v3(database->db, statements[sql], -1,
				      SQLITE_PREPARE_PERSISTENT, statement, NULL) != SQLITE_OK) {
		spool_database_explain(database, fault_out);
		return NULL;
	}
	return *statement;
}

void spool_database_done(sqlite3_stmt *statement)
{
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
}

bool spool_database_run(
    struct spool_database *database, sqlite3_stmt *statement, struct fault *fault_out)
{
	bool ok = sqlite3_step(statement) == SQLITE_DONE;
	if (!ok)
		spool_database_explain(database, fault_out);
	spool_database_done(statement);
	return ok;
}

bool spool_database_row(struct spool_database *database, sqlite3_stmt *statement, bool *row_out,
    struct fault *fault_out)
{
	int result = sqlite3_step(statement);
	if (result != SQLITE_ROW && result != SQLITE_DONE) {
		spool_database_explain(database, fault_out);
		spool_database_done(statement);
		return false;
	}
	*row_out = result == SQLITE_ROW;
	return true;
}

static bool run_plain(struct spool_database *database, enum spool_sql sql, struct fault *fault_out)
{
	sqlite3_stmt *statement = spool_database_get(database, sql, fault_out);
	return statement != NULL && spool_database_run(database, statement, fault_out);
}

bool spool_database_begin(struct spool_database *database, struct fault *fault_out)
{
	assert(!database->in_transaction);
	database->in_transaction = run_plain(database, SPOOL_SQL_BEGIN, fault_out);
	return database->in_transaction;
}

bool spool_database_commit(struct spool_database *database, struct fault *fault_out)
{
	assert(database->in_transaction);
	database->in_transaction = false;
	return run_plain(database, SPOOL_SQL_COMMIT, fault_out);
}

void spool_database_rollback(struct spool_database *database)
{
	struct fault ignored;
	database->in_transaction = false;
	/* Some errors have rolled back already. */
	if (sqlite3_get_autocommit(database->db) == 0)
		run_plain(database, SPOOL_SQL_ROLLBACK, &ignored);
}

bool spool_database_checkpoint(
    struct spool_database *database, bool truncate, struct fault *fault_out)
{
	int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
	int result = sqlite3_wal_checkpoint_v2(database->db, NULL, mode, NULL, NULL);
	/* Busy: somebody reads; the log grows a little and the next one gets it. */
	if (result == SQLITE_OK || (result == SQLITE_BUSY && !truncate)) {
		database->wal_pages = 0;
		return true;
	}
	spool_database_explain(database, fault_out);
	return false;
}

void spool_bind_id(sqlite3_stmt *statement, int index, uint64_t value)
{
	sqlite3_bind_int64(statement, index, (sqlite3_int64)value);
}

void spool_bind_time(sqlite3_stmt *statement, int index, int64_t value)
{
	sqlite3_bind_int64(statement, index, value);
}

void spool_bind_span(sqlite3_stmt *statement, int index, struct span value)
{
	sqlite3_bind_blob64(
	    statement, index, value.data != NULL ? value.data : "", value.len, SQLITE_STATIC);
}

uint64_t spool_column_id(sqlite3_stmt *statement, int column)
{
	return (uint64_t)sqlite3_column_int64(statement, column);
}

struct span spool_column_span(sqlite3_stmt *statement, int column)
{
	const void *data = sqlite3_column_blob(statement, column);
	return span_of(data, data != NULL ? (size_t)sqlite3_column_bytes(statement, column) : 0);
}
