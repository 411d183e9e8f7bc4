/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_STORES_H
#define FRANK_ACCOUNT_STORES_H

/*
 * Where users are looked up, in order, and the keys that tokens are checked with. The first store
 * that knows a user decides. Made once for a configuration, then immutable and counted, but for
 * what is remembered of a store's health.
 */

#include "account/jwt.h"
#include "account/sqlite.h"
#include "account/users.h"
#include "sasl/mechanism.h"

#include <stdatomic.h>

#define ACCOUNT_STORES_MAX 3

enum account_store_kind {
	ACCOUNT_STORE_USERS,
	ACCOUNT_STORE_SQLITE,
	ACCOUNT_STORE_DOVECOT, /* its auth socket: account/dovecot.h */
};

struct account_store {
	enum account_store_kind kind;
	char *path;
	struct account_users *users;
	struct account_sqlite *sqlite;
	atomic_bool down;
};

struct account_stores {
	_Atomic unsigned references;
	struct account_store items[ACCOUNT_STORES_MAX];
	size_t count;
	struct account_jwks *jwks; /* NULL: no tokens */
	unsigned iterations;
};

struct account_stores *account_stores_create(void);
/* References may be taken and dropped by any thread. unref accepts NULL and clears the pointer. */
struct account_stores *account_stores_ref(struct account_stores *stores);
void account_stores_unref(struct account_stores **stores);

/* Behind those that are there. users is referenced, sqlite taken. */
void account_stores_add_users(
    struct account_stores *stores, const char *path, struct account_users *users);
void account_stores_add_sqlite(
    struct account_stores *stores, const char *path, struct account_sqlite **sqlite);
void account_stores_add_dovecot(struct account_stores *stores, const char *path);

/* The mechanisms that users can serve, a bit (1u << enum sasl_mechanism) each: every one of them,
   or any one. Tokens are in both, where there are keys. Users who cannot sign in do not count; a
   store without users counts as one with passwords. */
unsigned account_stores_every(const struct account_stores *stores);
unsigned account_stores_any(const struct account_stores *stores);

/* The iterations that most SCRAM verifiers of a users file have, or the last one found in a
   database, for users who are not there; 0 without any. */
unsigned account_stores_iterations(const struct account_stores *stores);

/* Whether a users file has this name, and locked. */
bool account_stores_locked(const struct account_stores *stores, struct span login);

/* "sqlite /srv/users.db" */
const char *account_store_name(const struct account_store *store, char *out, size_t size);
/* Remembers whether the store answers. True when that is news. */
bool account_store_note(struct account_store *store, bool down);

#endif
