/* SPDX-License-Identifier: MIT */
#include "account/stores.h"

#include "base/map.h"
#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define BIT(mechanism) (1u << SASL_MECHANISM_##mechanism)
#define PASSWORDS (BIT(PLAIN) | BIT(LOGIN))
#define SHA_256 (BIT(SCRAM_SHA_256) | BIT(SCRAM_SHA_256_PLUS))
#define SHA_1 (BIT(SCRAM_SHA_1) | BIT(SCRAM_SHA_1_PLUS))
#define TOKENS (BIT(XOAUTH2) | BIT(OAUTHBEARER))

struct account_stores *account_stores_create(void)
{
	struct account_stores *stores = MEM_NEW(struct account_stores);
	stores->references = 1;
	return stores;
}

struct account_stores *account_stores_ref(struct account_stores *stores)
{
	atomic_fetch_add(&stores->references, 1);
	return stores;
}

void account_stores_unref(struct account_stores **stores)
{
	struct account_stores *mine = *stores;
	*stores = NULL;
	if (mine == NULL || atomic_fetch_sub(&mine->references, 1) > 1)
		return;
	for (size_t i = 0; i < mine->count; i++) {
		account_users_unref(&mine->items[i].users);
		account_sqlite_close(&mine->items[i].sqlite);
		mem_free(mine->items[i].path);
	}
	account_jwks_destroy(&mine->jwks);
	mem_free(mine);
}

static struct account_store *add(
    struct account_stores *stores, enum account_store_kind kind, const char *path)
{
	assert(stores->count < ACCOUNT_STORES_MAX);
	struct account_store *store = &stores->items[stores->count++];
	store->kind = kind;
	store->path = mem_strdup(path);
	return store;
}

struct iterations {
	unsigned number;
	size_t users;
};

static unsigned usual_iterations(const struct account_users *users)
{
	struct map *counts = map_create();
	struct iterations *most = NULL;
	for (size_t i = 0; i < account_users_count(users); i++) {
		const struct account_user *user = account_users_at(users, i);
		for (size_t j = 0; j < user->scram_count; j++) {
			unsigned number = user->scram[j].iterations;
			struct iterations *count = map_get(counts, MAP_KEY(number));
			if (count == NULL) {
				count = MEM_NEW(struct iterations);
				count->number = number;
				map_set(counts, MAP_KEY(number), count);
			}
			count->users++;
			if (most == NULL || count->users > most->users)
				most = count;
		}
	}
	unsigned usual = most != NULL ? most->number : 0;
	map_destroy(&counts, mem_free);
	return usual;
}

void account_stores_add_users(
    struct account_stores *stores, const char *path, struct account_users *users)
{
	add(stores, ACCOUNT_STORE_USERS, path)->users = account_users_ref(users);
	stores->iterations = usual_iterations(users);
}

void account_stores_add_sqlite(
    struct account_stores *stores, const char *path, struct account_sqlite **sqlite)
{
	add(stores, ACCOUNT_STORE_SQLITE, path)->sqlite = *sqlite;
	*sqlite = NULL;
}

void account_stores_add_dovecot(struct account_stores *stores, const char *path)
{
	add(stores, ACCOUNT_STORE_DOVECOT, path);
}

/* ---- what they can serve ---- */

static unsigned serves(const struct account_user *user)
{
	unsigned mask = PASSWORDS;
	if (account_user_scram(user, ACCOUNT_SCRAM_SHA_256) != NULL)
		mask |= SHA_256;
	if (account_user_scram(user, ACCOUNT_SCRAM_SHA_1) != NULL)
		mask |= SHA_1;
	if (user->secret.len > 0)
		mask |= BIT(CRAM_MD5);
	return mask;
}

static void count_users(const struct account_users *users, unsigned *every, unsigned *any)
{
	unsigned all = ~0u, some = PASSWORDS;
	bool nobody = true;
	for (size_t i = 0; i < account_users_count(users); i++) {
		const struct account_user *user = account_users_at(users, i);
		if (!account_user_works(user))
			continue;
		nobody = false;
		all &= serves(user);
		some |= serves(user);
	}
	*every &= nobody ? PASSWORDS : all;
	*any |= some;
}

static unsigned sqlite_serves(const struct account_sqlite *db)
{
	unsigned mask = PASSWORDS;
	if (account_sqlite_has(db, ACCOUNT_SQLITE_SCRAM_SHA_256))
		mask |= SHA_256;
	if (account_sqlite_has(db, ACCOUNT_SQLITE_SCRAM_SHA_1))
		mask |= SHA_1;
	if (account_sqlite_has(db, ACCOUNT_SQLITE_SECRET))
		mask |= BIT(CRAM_MD5);
	return mask;
}

static void count(const struct account_stores *stores, unsigned *every, unsigned *any)
{
	*every = ~0u;
	*any = 0;
	for (size_t i = 0; i < stores->count; i++) {
		const struct account_store *store = &stores->items[i];
		unsigned mask =
		    store->kind == ACCOUNT_STORE_SQLITE ? sqlite_serves(store->sqlite) : PASSWORDS;
		if (store->kind == ACCOUNT_STORE_USERS) {
			count_users(store->users, every, any);
		} else {
			*every &= mask;
			*any |= mask;
		}
	}
	if (stores->count == 0)
		*every = 0;
	if (stores->jwks != NULL) {
		*every |= TOKENS;
		*any |= TOKENS;
	}
}

unsigned account_stores_every(const struct account_stores *stores)
{
	unsigned every, any;
	count(stores, &every, &any);
	return every;
}

unsigned account_stores_any(const struct account_stores *stores)
{
	unsigned every, any;
	count(stores, &every, &any);
	return any;
}

unsigned account_stores_iterations(const struct account_stores *stores)
{
	for (size_t i = 0; stores->iterations == 0 && i < stores->count; i++)
		if (stores->items[i].sqlite != NULL)
			return account_sqlite_iterations(stores->items[i].sqlite);
	return stores->iterations;
}

bool account_stores_locked(const struct account_stores *stores, struct span login)
{
	for (size_t i = 0; i < stores->count; i++) {
		const struct account_store *store = &stores->items[i];
		const struct account_user *user =
		    store->users != NULL ? account_users_find(store->users, login) : NULL;
		if (user != NULL && strcmp(user->scheme, "locked") == 0)
			return true;
	}
	return false;
}

/* ---- their health ---- */

const char *account_store_name(const struct account_store *store, char *out, size_t size)
{
	static const char *const kinds[] = {
		[ACCOUNT_STORE_USERS] = "users file",
		[ACCOUNT_STORE_SQLITE] = "sqlite",
		[ACCOUNT_STORE_DOVECOT] = "dovecot",
	};
	snprintf(out, size, "%s %s", kinds[store->kind], store->path);
	return out;
}

bool account_store_note(struct account_store *store, bool down)
{
	return atomic_exchange(&store->down, down) != down;
}
