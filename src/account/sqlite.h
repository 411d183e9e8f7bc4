/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_SQLITE_H
#define FRANK_ACCOUNT_SQLITE_H

/*
 * Users in an SQLite database of somebody else. The operator's query is a prepared statement: the
 * login is bound to its one parameter, :login, and is never part of the text; the statement may
 * only read. What a column holds is told by its name: password (a hash as in the users file),
 * scram_sha_256 and scram_sha_1 (verifiers), secret (the password itself). Blocks on the disk:
 * for workers only.
 *
 * The database is opened when it is needed and kept open, once for each worker; a file that took
 * its place is seen. A database that is locked for longer than ACCOUNT_SQLITE_WAIT_MS, or a query
 * that runs for longer than that, is down.
 */

#include "account/users.h"
#include "base/buf.h"

#define ACCOUNT_SQLITE_WAIT_MS 3000
#define ACCOUNT_SQLITE_ROW_MAX 4096 /* octets of all credentials of one user */

enum account_sqlite_column {
	ACCOUNT_SQLITE_PASSWORD,
	ACCOUNT_SQLITE_SCRAM_SHA_256,
	ACCOUNT_SQLITE_SCRAM_SHA_1,
	ACCOUNT_SQLITE_SECRET,
	ACCOUNT_SQLITE_COLUMN_COUNT,
};

struct account_sqlite;

/* One user of his own, with what he borrows from. Zeroed memory is empty. */
struct account_found {
	struct account_user user;
	char *text; /* secret */
	size_t text_len;
};
void account_found_fini(struct account_found *found); /* wipes */

/* Opens the database once to look at the query. NULL with a fault (FAULT_LOCAL): it cannot be
   opened, or the query is no single SELECT of those columns with :login in it. */
struct account_sqlite *account_sqlite_open(
    const char *path, const char *query, struct fault *fault_out);
void account_sqlite_close(struct account_sqlite **db); /* nobody uses it any more */

bool account_sqlite_has(const struct account_sqlite *db, enum account_sqlite_column column);

enum account_sqlite_result {
	ACCOUNT_SQLITE_FOUND,   /* *found_out is the caller's */
	ACCOUNT_SQLITE_UNKNOWN, /* no row */
	ACCOUNT_SQLITE_DOWN,    /* *fault_out says why */
};

/* Any thread, several at a time. A row that holds nothing usable is a user who cannot sign in; why
   is then in *fault_out, of kind FAULT_LOCAL, otherwise that is FAULT_NONE. */
enum account_sqlite_result account_sqlite_find(struct account_sqlite *db, struct span login,
    struct account_found *found_out, struct fault *fault_out);

/* The iterations of the last SCRAM verifier that was found; 0: none was. */
unsigned account_sqlite_iterations(struct account_sqlite *db);

/* Works on a password as if it were checked, for a user that is not there: with a hash like the
   last one that was found, or a usual one. Any thread. */
void account_sqlite_spend(struct account_sqlite *db, struct span password);

#endif
