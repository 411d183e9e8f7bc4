/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_CACHE_H
#define FRANK_ACCOUNT_CACHE_H

/*
 * Remembers which passwords were right a short while ago. What is kept is an HMAC-SHA-256 under a
 * random key that lives and dies with the process, over login, password and the credential that it
 * matched: the table holds nothing to crack, and a new hash in the users file makes what was
 * remembered unreachable. The table has a fixed size; within a set of four the entry that ends
 * first makes room. Failures are never remembered. Every function may be called by any thread: the
 * MAC is computed outside the lock, which is held for one look at four entries.
 */

#include "base/span.h"

#define ACCOUNT_CACHE_KEY_BYTES 32

struct account_cache_key {
	unsigned char bytes[ACCOUNT_CACHE_KEY_BYTES];
};

struct account_cache;

/* Room for entries_max (rounded up to a power of two, 40 bytes each), each kept for keep_ms. */
struct account_cache *account_cache_create(size_t entries_max, int64_t keep_ms);
void account_cache_destroy(struct account_cache **cache);

void account_cache_key_make(const struct account_cache *cache, struct span login,
    struct span password, struct span credential, struct account_cache_key *key_out);

bool account_cache_has(
    struct account_cache *cache, const struct account_cache_key *key, int64_t now_ms);
/* A second store of the same key begins its time anew. */
void account_cache_store(
    struct account_cache *cache, const struct account_cache_key *key, int64_t now_ms);

#endif
