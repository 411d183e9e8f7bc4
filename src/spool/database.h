/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SPOOL_DATABASE_H
#define FRANK_SPOOL_DATABASE_H

/*
 * queue.db: the schema, and every statement the store uses, prepared once and kept. WAL with
 * synchronous=FULL: a COMMIT that returned is durable. Checkpoints are the store's own doing.
 *
 * A message row stays as history after its last delivery row is gone. delivery_due leads to what
 * a hop may try next, delivery_watch to what expires or is to be warned of; both leave out what
 * is held.
 */

#include "base/fault.h"
#include "base/span.h"

#include <sqlite3.h>

enum spool_sql {
	SPOOL_SQL_BEGIN,
	SPOOL_SQL_COMMIT,
	SPOOL_SQL_ROLLBACK,
	SPOOL_SQL_META_GET,        /* key -> value */
	SPOOL_SQL_META_SET,        /* key, value */
	SPOOL_SQL_HOP_ADD,         /* key */
	SPOOL_SQL_HOP_ALL,         /* -> id, key */
	SPOOL_SQL_MESSAGE_ADD,     /* id, place, generation, offset, size,
				      checksum, envelope */
	SPOOL_SQL_MESSAGE_GET,     /* id -> place .. envelope, ended, outcome, history */
	SPOOL_SQL_MESSAGE_MOVE,    /* id, place, generation, offset, checksum */
	SPOOL_SQL_MESSAGE_NOTE,    /* id, outcome, history: one of several deliveries ended */
	SPOOL_SQL_MESSAGE_END,     /* id, outcome, history, ended: the last one did */
	SPOOL_SQL_MESSAGE_PRUNE,   /* before, max */
	SPOOL_SQL_MESSAGE_LAST,    /* -> greatest id */
	SPOOL_SQL_MESSAGE_AFTER,   /* id, max -> id */
	SPOOL_SQL_DELIVERY_ADD,    /* message, number, hop, state, next, watch,
				      attempts, data */
	SPOOL_SQL_DELIVERY_GET,    /* message, number -> one row as in OF */
	SPOOL_SQL_DELIVERY_OF,     /* message -> number, hop, state, next, watch,
				      attempts, data */
	SPOOL_SQL_DELIVERY_COUNT,  /* message -> how many, greatest number */
	SPOOL_SQL_DELIVERY_SET,    /* as ADD, for an existing row */
	SPOOL_SQL_DELIVERY_RETRY,  /* message, number, next, attempts, data */
	SPOOL_SQL_DELIVERY_BREAK,  /* message, number */
	SPOOL_SQL_DELIVERY_REMOVE, /* message, number */
	SPOOL_SQL_DELIVERY_AFTER,  /* message, max -> distinct message */
	SPOOL_SQL_DELIVERY_DUE,    /* hop, until, max -> message, number, next */
	SPOOL_SQL_DELIVERY_WATCH,  /* until, max -> message, number, watch */
	SPOOL_SQL_DELIVERY_SCAN,   /* -> message, number, hop, state, next, watch; in order */
	SPOOL_SQL_COUNT,
};

struct spool_database {
	sqlite3 *db;
	char *path;
	int wal_pages; /* in the log since the last checkpoint */
	bool in_transaction;
	sqlite3_stmt *statements[SPOOL_SQL_COUNT];
};

/* Opens, sets the modes, and makes the schema in a new file when create is set. The struct must
   be zeroed. On failure nothing is left open. */
bool spool_database_open(struct spool_database *database, const char *path, const char *vfs,
    bool create, struct fault *fault_out);
void spool_database_close(struct spool_database *database);

/* A statement ready to be bound and stepped; NULL on failure. Borrowed. */
sqlite3_stmt *spool_database_get(
    struct spool_database *database, enum spool_sql sql, struct fault *fault_out);
/* Resets, so that no read outlives its use. */
void spool_database_done(sqlite3_stmt *statement);

/* Steps a statement that gives no rows, and resets it. */
bool spool_database_run(
    struct spool_database *database, sqlite3_stmt *statement, struct fault *fault_out);
/* Steps for a row: true, *row_out says whether there is one. Reset it when done. */
bool spool_database_row(struct spool_database *database, sqlite3_stmt *statement, bool *row_out,
    struct fault *fault_out);

bool spool_database_begin(struct spool_database *database, struct fault *fault_out);
/* False: the outcome is unknown; only closing helps. */
bool spool_database_commit(struct spool_database *database, struct fault *fault_out);
void spool_database_rollback(struct spool_database *database);

/* Empties as much of the log as there is; with truncate all of it, or failure. */
bool spool_database_checkpoint(
    struct spool_database *database, bool truncate, struct fault *fault_out);

/* The last error as a sentence, with what to do when the file is damaged. */
void spool_database_explain(struct spool_database *database, struct fault *fault_out);

/* Bindings and columns as this project's types. Blobs are borrowed until the statement is done.
 */
void spool_bind_id(sqlite3_stmt *statement, int index, uint64_t value);
void spool_bind_time(sqlite3_stmt *statement, int index, int64_t value);
void spool_bind_span(sqlite3_stmt *statement, int index, struct span value);
uint64_t spool_column_id(sqlite3_stmt *statement, int column);
struct span spool_column_span(sqlite3_stmt *statement, int column);

#endif
