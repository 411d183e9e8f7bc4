/* SPDX-License-Identifier: MIT */
#include "account/sqlite.h"

#include "account/password.h"
#include "account/users_line.h"
#include "base/base64.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/moment.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

enum { STEPS_BETWEEN_LOOKS = 1000, CACHE_PAGES = 64 };

static const char *const column_names[ACCOUNT_SQLITE_COLUMN_COUNT] = {
	[ACCOUNT_SQLITE_PASSWORD] = "password",
	[ACCOUNT_SQLITE_SCRAM_SHA_256] = "scram_sha_256",
	[ACCOUNT_SQLITE_SCRAM_SHA_1] = "scram_sha_1",
	[ACCOUNT_SQLITE_SECRET] = "secret",
};

struct account_sqlite {
	char *path, *query;
	int places[ACCOUNT_SQLITE_COLUMN_COUNT]; /* of the columns; -1: not there */
	pthread_mutex_t lock;
	struct list idle; /* handles that nobody uses */
	/* The last hash that was found: what an unknown user's work is like. Nobody comes in by it.
	 */
	char decoy[PASSWORD_HASH_SIZE];
	unsigned iterations;
};

/* A connection with its statement; used by one thread at a time. */
struct handle {
	struct list link;
	sqlite3 *db;
	sqlite3_stmt *select;
	dev_t device; /* of the file that was opened */
	ino_t inode;
	int64_t deadline_ms;
};

void account_found_fini(struct account_found *found)
{
	users_line_fini(&found->user);
	if (found->text != NULL)
		mem_wipe(found->text, found->text_len);
	mem_free(found->text);
	*found = (struct account_found){ 0 };
}

/* ---- one connection ---- */

static void close_handle(struct handle **handle)
{
	if (*handle == NULL)
		return;
	sqlite3_finalize((*handle)->select);
	sqlite3_close((*handle)->db);
	mem_free(*handle);
	*handle = NULL;
}

static bool explain(const struct account_sqlite *db, struct handle *h, struct fault *fault_out)
{
	fault_set(fault_out, FAULT_LOCAL, "%s: %s", db->path,
	    h->db != NULL ? sqlite3_errmsg(h->db) : "no memory");
	return false;
}

/* Ends a query that runs for too long. */
static int look_at_clock(void *context)
{
	const struct handle *h = context;
	return moment_monotonic_ms() >= h->deadline_ms;
}

static bool open_database(
    const struct account_sqlite *db, struct handle *h, struct fault *fault_out)
{
	struct stat status;
	if (stat(db->path, &status) != 0) {
		fault_set(fault_out, FAULT_LOCAL, "%s: %s", db->path, strerror(errno));
		return false;
	}
	h->device = status.st_dev;
	h->inode = status.st_ino;
	if (sqlite3_open_v2(db->path, &h->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		return explain(db, h, fault_out);
	sqlite3_busy_timeout(h->db, ACCOUNT_SQLITE_WAIT_MS);
	sqlite3_db_config(h->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(h->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_progress_handler(h->db, STEPS_BETWEEN_LOOKS, look_at_clock, h);
	return true;
}

static bool prepare(const struct account_sqlite *db, struct handle *h, struct fault *fault_out)
{
	const char *rest = NULL;
	if (sqlite3_prepare_v2(h->db, db->query, -1, &h->select, &rest) != SQLITE_OK)
		return explain(db, h, fault_out);
	while (rest != NULL && (*rest == ' ' || *rest == '\n' || *rest == '\t' || *rest == ';'))
		rest++;
	const char *why = NULL;
	if (h->select == NULL || (rest != NULL && *rest != '\0'))
		why = "must be one statement";
	else if (!sqlite3_stmt_readonly(h->select) || sqlite3_column_count(h->select) == 0)
		why = "must be a SELECT: it may only read";
	else if (sqlite3_bind_parameter_count(h->select) != 1 ||
		 sqlite3_bind_parameter_index(h->select, ":login") != 1)
		why = "must have one parameter, :login, for the name that signs in";
	if (why != NULL)
		fault_set(fault_out, FAULT_LOCAL, "the query %s", why);
	return why == NULL;
}

static struct handle *open_handle(const struct account_sqlite *db, struct fault *fault_out)
{
	struct handle *h = MEM_NEW(struct handle);
	h->deadline_ms = moment_monotonic_ms() + ACCOUNT_SQLITE_WAIT_MS;
	if (!open_database(db, h, fault_out) || !prepare(db, h, fault_out))
		close_handle(&h);
	return h;
}

/* The file that was opened is the one that has its name still. */
static bool is_current(const struct account_sqlite *db, const struct handle *h)
{
	struct stat status;
	return stat(db->path, &status) == 0 && status.st_dev == h->device &&
	       status.st_ino == h->inode;
}

static struct handle *take_handle(struct account_sqlite *db, struct fault *fault_out)
{
	pthread_mutex_lock(&db->lock);
	struct list *link = list_take_first(&db->idle);
	pthread_mutex_unlock(&db->lock);
	struct handle *h = link != NULL ? LIST_ENTRY(link, struct handle, link) : NULL;
	if (h != NULL && !is_current(db, h))
		close_handle(&h);
	return h != NULL ? h : open_handle(db, fault_out);
}

static void give_back(struct account_sqlite *db, struct handle *h)
{
	sqlite3_reset(h->select);
	sqlite3_clear_bindings(h->select);
	pthread_mutex_lock(&db->lock);
	list_append(&db->idle, &h->link);
	pthread_mutex_unlock(&db->lock);
}

/* ---- columns ---- */

static int column_of(const char *name)
{
	for (int i = 0; i < ACCOUNT_SQLITE_COLUMN_COUNT; i++)
		if (span_equal_nocase(span_from_string(name), span_from_string(column_names[i])))
			return i;
	return -1;
}

static bool find_columns(struct account_sqlite *db, struct handle *h, struct fault *fault_out)
{
	for (int i = 0; i < sqlite3_column_count(h->select); i++) {
		int column = column_of(sqlite3_column_name(h->select, i));
		if (column < 0) {
			fault_set(fault_out, FAULT_LOCAL,
			    "column %d of the query is called \"%s\": write AS password, "
			    "scram_sha_256, scram_sha_1 or secret behind it",
			    i + 1, sqlite3_column_name(h->select, i));
			return false;
		}
		db->places[column] = i;
	}
	return true;
}

struct account_sqlite *account_sqlite_open(
    const char *path, const char *query, struct fault *fault_out)
{
	struct account_sqlite *db = MEM_NEW(struct account_sqlite);
	db->path = mem_strdup(path);
	db->query = mem_strdup(query);
	for (int i = 0; i < ACCOUNT_SQLITE_COLUMN_COUNT; i++)
		db->places[i] = -1;
	pthread_mutex_init(&db->lock, NULL);
	list_init(&db->idle);
	struct handle *h = open_handle(db, fault_out);
	bool good = h != NULL && find_columns(db, h, fault_out);
	close_handle(&h); /* perhaps opened by root: workers open their own */
	if (!good)
		account_sqlite_close(&db);
	return db;
}

void account_sqlite_close(struct account_sqlite **db)
{
	struct account_sqlite *mine = *db;
	*db = NULL;
	if (mine == NULL)
		return;
	struct list *link;
	while ((link = list_take_first(&mine->idle)) != NULL) {
		struct handle *h = LIST_ENTRY(link, struct handle, link);
		close_handle(&h);
	}
	mem_wipe(mine->decoy, sizeof(mine->decoy));
	pthread_mutex_destroy(&mine->lock);
	mem_free(mine->path);
	mem_free(mine->query);
	mem_free(mine);
}

bool account_sqlite_has(const struct account_sqlite *db, enum account_sqlite_column column)
{
	return db->places[column] >= 0;
}

/* ---- a user ---- */

/* What stands in a column, as the users file would have it. */
static bool put_credential(
    const struct account_sqlite *db, struct handle *h, int column, struct buf *line)
{
	int place = db->places[column];
	if (place < 0)
		return true;
	struct span value = span_of(
	    sqlite3_column_blob(h->select, place), (size_t)sqlite3_column_bytes(h->select, place));
	if (value.len == 0)
		return true;
	if (column == ACCOUNT_SQLITE_SECRET)
		return buf_append_string(line, ":" USERS_SECRET_PREFIX) &&
		       base64_encode(line, value);
	return buf_append_byte(line, ':') && buf_append(line, value);
}

static const char *first_error(const struct users_line *line)
{
	for (size_t i = 0; i < line->note_count; i++)
		if (line->notes[i].kind == ACCOUNT_NOTE_ERROR)
			return line->notes[i].text;
	return "nothing usable stands there";
}

/* The columns become a line of a users file, and are read as one. */
static void read_row(const struct account_sqlite *db, struct handle *h, struct account_found *found,
    struct fault *fault_out)
{
	struct users_line line;
	struct buf text;
	bool fits = true;
	buf_init_secret(&text, ACCOUNT_SQLITE_ROW_MAX);
	buf_append_byte(&text, 'x');
	for (int i = 0; i < ACCOUNT_SQLITE_COLUMN_COUNT; i++)
		fits = fits && put_credential(db, h, i, &text);
	*fault_out = (struct fault){ 0 };
	found->text_len = text.len;
	found->text = mem_dup(buf_span(&text).data, text.len);
	if (!fits)
		fault_set(fault_out, FAULT_LOCAL, "%s: a row of more than %d bytes", db->path,
		    ACCOUNT_SQLITE_ROW_MAX);
	else if (users_line_parse(found->text, found->text_len, &line) == USERS_LINE_USER)
		found->user = line.user;
	else
		fault_set(fault_out, FAULT_LOCAL, "%s: %s", db->path, first_error(&line));
	buf_fini(&text);
}

static void remember(struct account_sqlite *db, const struct account_user *user)
{
	struct span hash = user->hash;
	pthread_mutex_lock(&db->lock);
	if (hash.len > 0 && hash.len < sizeof(db->decoy)) {
		memcpy(db->decoy, hash.data, hash.len);
		db->decoy[hash.len] = '\0';
	}
	if (user->scram_count > 0)
		db->iterations = user->scram[0].iterations;
	pthread_mutex_unlock(&db->lock);
}

unsigned account_sqlite_iterations(struct account_sqlite *db)
{
	pthread_mutex_lock(&db->lock);
	unsigned iterations = db->iterations;
	pthread_mutex_unlock(&db->lock);
	return iterations;
}

void account_sqlite_spend(struct account_sqlite *db, struct span password)
{
	char hash[PASSWORD_HASH_SIZE];
	pthread_mutex_lock(&db->lock);
	memcpy(hash, db->decoy, sizeof(hash));
	pthread_mutex_unlock(&db->lock);
	struct account_user decoy = { .hash = span_from_string(hash) };
	(void)account_password_matches(
	    decoy.hash.len > 0 ? &decoy : account_users_invented(), password);
	mem_wipe(hash, sizeof(hash));
}

enum account_sqlite_result account_sqlite_find(struct account_sqlite *db, struct span login,
    struct account_found *found_out, struct fault *fault_out)
{
	struct handle *h = take_handle(db, fault_out);
	if (h == NULL)
		return ACCOUNT_SQLITE_DOWN;
	h->deadline_ms = moment_monotonic_ms() + ACCOUNT_SQLITE_WAIT_MS;
	sqlite3_bind_text(h->select, 1, login.data, (int)login.len, SQLITE_STATIC);
	int result = sqlite3_step(h->select);
	if (result != SQLITE_ROW && result != SQLITE_DONE) {
		explain(db, h, fault_out);
		close_handle(&h);
		return ACCOUNT_SQLITE_DOWN;
	}
	*found_out = (struct account_found){ 0 };
	*fault_out = (struct fault){ 0 };
	if (result == SQLITE_ROW)
		read_row(db, h, found_out, fault_out);
	give_back(db, h);
	remember(db, &found_out->user);
	return result == SQLITE_ROW ? ACCOUNT_SQLITE_FOUND : ACCOUNT_SQLITE_UNKNOWN;
}
