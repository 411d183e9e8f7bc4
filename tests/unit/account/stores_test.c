/* SPDX-License-Identifier: MIT */
#include "account/password.h"
#include "account/stores.h"
#include "account/users_scram.h"
#include "base/memory.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define HASH "$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2" /* secret */
#define SHA_256                                                                                    \
	"SCRAM-SHA-256$4096:c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"                \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define SHA_1 "SCRAM-SHA-1$5000:c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define CLEAR "CLEARTEXT$c2VjcmV0"

static struct account_users *users_of(const char *text)
{
	struct account_notes notes = { 0 };
	struct account_users *users = account_users_parse(span_from_string(text), &notes);
	if (users == NULL)
		fail_msg("%s: %s", text, notes.items[0].text);
	return users;
}

static struct account_stores *stores_of(const char *text)
{
	struct account_stores *stores = account_stores_create();
	struct account_users *users = users_of(text);
	account_stores_add_users(stores, "users", users);
	account_users_unref(&users);
	return stores;
}

enum { PASSWORDS = 1, SCRAM_1 = 2, SCRAM_256 = 4, SECRET = 8 };

static unsigned bits_of(unsigned mask)
{
	unsigned bits = 0;
	bits |= mask & 1u << SASL_MECHANISM_PLAIN ? PASSWORDS : 0;
	bits |= mask & 1u << SASL_MECHANISM_SCRAM_SHA_1 ? SCRAM_1 : 0;
	bits |= mask & 1u << SASL_MECHANISM_SCRAM_SHA_256_PLUS ? SCRAM_256 : 0;
	bits |= mask & 1u << SASL_MECHANISM_CRAM_MD5 ? SECRET : 0;
	return bits;
}

static const struct serves_case {
	const char *name, *text;
	unsigned every, any;
} serves_cases[] = {
	{ "an empty file counts as passwords", "", PASSWORDS, PASSWORDS },
	{ "a hash serves passwords", "a:" HASH "\n", PASSWORDS, PASSWORDS },
	{ "all have a verifier", "a:" SHA_256 "\nb:" HASH ":" SHA_256 "\n", PASSWORDS | SCRAM_256,
	    PASSWORDS | SCRAM_256 },
	{ "one has none", "a:" SHA_256 "\nb:" HASH "\n", PASSWORDS, PASSWORDS | SCRAM_256 },
	{ "who is locked does not count", "a:" SHA_1 "\nb:!\n", PASSWORDS | SCRAM_1,
	    PASSWORDS | SCRAM_1 },
	{ "a secret serves CRAM-MD5", "a:" CLEAR ":" HASH "\n", PASSWORDS | SECRET,
	    PASSWORDS | SECRET },
};

static void what_users_can_serve_is_counted(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(serves_cases); i++) {
		const struct serves_case *c = &serves_cases[i];
		struct account_stores *stores = stores_of(c->text);
		if (bits_of(account_stores_every(stores)) != c->every ||
		    bits_of(account_stores_any(stores)) != c->any)
			fail_msg("%s: every %x, any %x", c->name,
			    bits_of(account_stores_every(stores)),
			    bits_of(account_stores_any(stores)));
		account_stores_unref(&stores);
	}
}

static void a_second_store_takes_away_what_it_cannot_serve(void **state)
{
	struct account_stores *stores = stores_of("a:" SHA_256 "\n");
	account_stores_add_dovecot(stores, "/run/auth");
	assert_int_equal(bits_of(account_stores_every(stores)), PASSWORDS);
	assert_int_equal(bits_of(account_stores_any(stores)), PASSWORDS | SCRAM_256);
	account_stores_unref(&stores);
	stores = account_stores_create();
	assert_int_equal(account_stores_every(stores), 0);
	account_stores_unref(&stores);
}

static void the_usual_iterations_are_those_of_most_verifiers(void **state)
{
	struct account_stores *stores = stores_of("a:" SHA_1 "\nb:" SHA_256 "\nc:" SHA_256 "\n");
	assert_int_equal(account_stores_iterations(stores), 4096);
	account_stores_unref(&stores);
	stores = stores_of("a:" HASH "\n");
	assert_int_equal(account_stores_iterations(stores), 0);
	account_stores_unref(&stores);
}

static void a_lock_in_the_file_is_seen(void **state)
{
	struct account_stores *stores = stores_of("a:" HASH "\nb:!" HASH "\n");
	assert_true(account_stores_locked(stores, SPAN("b")));
	assert_false(account_stores_locked(stores, SPAN("a")));
	assert_false(account_stores_locked(stores, SPAN("c")));
	account_stores_unref(&stores);
}

static void only_changes_of_health_are_news(void **state)
{
	struct account_stores *stores = stores_of("");
	struct account_store *store = &stores->items[0];
	assert_false(account_store_note(store, false));
	assert_true(account_store_note(store, true));
	assert_false(account_store_note(store, true));
	assert_true(account_store_note(store, false));
	account_stores_unref(&stores);
}

static void a_stored_secret_is_a_password_and_is_checked_in_form(void **state)
{
	struct account_users *users = users_of("a:" CLEAR "\n");
	assert_true(account_password_check(users, SPAN("a"), SPAN("secret")));
	assert_false(account_password_check(users, SPAN("a"), SPAN("secreT")));
	assert_false(account_password_check(users, SPAN("b"), SPAN("secret")));
	account_users_unref(&users);
	static const char *const bad[] = { "a:CLEARTEXT$\n", "a:CLEARTEXT$!\n",
		"a:CLEARTEXT$AA==\n", "a:" CLEAR ":" CLEAR "\n" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct account_notes notes = { 0 };
		assert_null(account_users_parse(span_from_string(bad[i]), &notes));
	}
}

static void a_new_verifier_is_read_back_and_matches(void **state)
{
	struct buf text;
	for (int hash = ACCOUNT_SCRAM_SHA_1; hash <= ACCOUNT_SCRAM_SHA_256; hash++) {
		buf_init_secret(&text, 1024);
		buf_append_string(&text, "a:");
		assert_true(
		    users_scram_make((enum account_scram_hash)hash, SPAN("p\xc3\xa4ss"), &text));
		struct account_users *users = users_of(buf_string(&text));
		assert_true(account_password_check(users, SPAN("a"), SPAN("p\xc3\xa4ss")));
		assert_false(account_password_check(users, SPAN("a"), SPAN("pass")));
		assert_int_equal(
		    account_users_at(users, 0)->scram[0].iterations, USERS_SCRAM_ITERATIONS);
		account_users_unref(&users);
		buf_fini(&text);
	}
}

/* ---- SQLite ---- */

static char path[64];

static int make_database(void **state)
{
	sqlite3 *db;
	snprintf(path, sizeof(path), "/tmp/frank-stores-%ld.db", (long)getpid());
	unlink(path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db,
		"CREATE TABLE users (name TEXT, hash TEXT, scram TEXT, plain TEXT);"
		"INSERT INTO users VALUES ('anna', '" HASH "', '" SHA_256 "', 'secret');"
		"INSERT INTO users VALUES ('empty', NULL, '', NULL);"
		"INSERT INTO users VALUES ('odd', '" HASH ":x', NULL, NULL);",
		NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	return 0;
}

static int remove_database(void **state)
{
	return unlink(path);
}

#define QUERY(columns) "SELECT " columns " FROM users WHERE name = :login"

static void a_row_becomes_a_user(void **state)
{
	struct account_found found = { 0 };
	struct fault fault = { 0 };
	struct account_sqlite *db = account_sqlite_open(
	    path, QUERY("plain AS secret, hash AS Password, scram AS scram_sha_256"), &fault);
	assert_non_null(db);
	assert_false(account_sqlite_has(db, ACCOUNT_SQLITE_SCRAM_SHA_1));
	assert_int_equal(
	    account_sqlite_find(db, SPAN("anna"), &found, &fault), ACCOUNT_SQLITE_FOUND);
	assert_true(span_equal(found.user.hash, SPAN(HASH)));
	assert_true(span_equal(found.user.secret, SPAN("secret")));
	assert_int_equal(found.user.scram_count, 1);
	assert_int_equal(account_sqlite_iterations(db), 4096);
	account_found_fini(&found);
	assert_int_equal(
	    account_sqlite_find(db, SPAN("x' OR 1 --"), &found, &fault), ACCOUNT_SQLITE_UNKNOWN);
	static const char *const hopeless[] = { "empty", "odd" };
	for (size_t i = 0; i < ARRAY_LEN(hopeless); i++) {
		assert_int_equal(
		    account_sqlite_find(db, span_from_string(hopeless[i]), &found, &fault),
		    ACCOUNT_SQLITE_FOUND);
		assert_int_equal(fault.kind, FAULT_LOCAL);
		assert_false(account_user_works(&found.user));
		account_found_fini(&found);
	}
	account_sqlite_close(&db);
}

static void another_file_in_its_place_is_seen(void **state)
{
	struct account_found found = { 0 };
	struct fault fault = { 0 };
	char aside[80];
	struct account_sqlite *db = account_sqlite_open(path, QUERY("hash AS password"), &fault);
	snprintf(aside, sizeof(aside), "%s.aside", path);
	assert_int_equal(
	    account_sqlite_find(db, SPAN("anna"), &found, &fault), ACCOUNT_SQLITE_FOUND);
	account_found_fini(&found);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(
	    account_sqlite_find(db, SPAN("anna"), &found, &fault), ACCOUNT_SQLITE_DOWN);
	assert_non_null(strstr(fault.text, path));
	assert_int_equal(rename(aside, path), 0);
	assert_int_equal(
	    account_sqlite_find(db, SPAN("anna"), &found, &fault), ACCOUNT_SQLITE_FOUND);
	account_found_fini(&found);
	account_sqlite_close(&db);
}

/* Nothing in a query can hold a worker for ever. */
static void a_query_without_end_is_ended(void **state)
{
	struct account_found found = { 0 };
	struct fault fault = { 0 };
	struct account_sqlite *db = account_sqlite_open(path,
	    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
	    "SELECT i AS password FROM n WHERE i = :login",
	    &fault);
	assert_non_null(db);
	assert_int_equal(
	    account_sqlite_find(db, SPAN("anna"), &found, &fault), ACCOUNT_SQLITE_DOWN);
	assert_non_null(strstr(fault.text, "interrupted"));
	account_sqlite_close(&db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_users_can_serve_is_counted),
		cmocka_unit_test(a_second_store_takes_away_what_it_cannot_serve),
		cmocka_unit_test(the_usual_iterations_are_those_of_most_verifiers),
		cmocka_unit_test(a_lock_in_the_file_is_seen),
		cmocka_unit_test(only_changes_of_health_are_news),
		cmocka_unit_test(a_stored_secret_is_a_password_and_is_checked_in_form),
		cmocka_unit_test(a_new_verifier_is_read_back_and_matches),
		cmocka_unit_test(a_row_becomes_a_user),
		cmocka_unit_test(another_file_in_its_place_is_seen),
		cmocka_unit_test(a_query_without_end_is_ended),
	};
	return cmocka_run_group_tests(tests, make_database, remove_database);
}
