/* SPDX-License-Identifier: MIT */
#include "account/cache.h"

#include "base/memory.h"
#include "base/random.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = 4 };

struct entry {
	struct account_cache_key key;
	int64_t ends_ms; /* 0: free */
};

struct account_cache {
	EVP_MAC_CTX *keyed; /* never used itself: copied for each key */
	int64_t keep_ms;
	pthread_mutex_t lock;
	size_t set_count;       /* a power of two */
	struct entry entries[]; /* WAYS in a row are a set */
};

/* OpenSSL fails here only without memory or without its own provider: nothing can go on then. */
static void require(bool done)
{
	if (done)
		return;
	fputs("frank: OpenSSL cannot compute HMAC-SHA-256\n", stderr);
	abort();
}

static EVP_MAC_CTX *make_keyed(void)
{
	unsigned char secret[32];
	random_bytes(secret, sizeof(secret));
	char digest[] = "SHA256";
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	require(mac != NULL);
	EVP_MAC_CTX *keyed = EVP_MAC_CTX_new(mac);
	require(keyed != NULL && EVP_MAC_init(keyed, secret, sizeof(secret), parameters) == 1);
	EVP_MAC_free(mac); /* the context holds its own reference */
	mem_wipe(secret, sizeof(secret));
	return keyed;
}

struct account_cache *account_cache_create(size_t entries_max, int64_t keep_ms)
{
	assert(entries_max > 0 && keep_ms > 0);
	size_t set_count = 1;
	while (set_count * WAYS < entries_max)
		set_count *= 2;
	struct account_cache *cache =
	    mem_alloc(sizeof(*cache) + set_count * WAYS * sizeof(cache->entries[0]));
	cache->set_count = set_count;
	cache->keep_ms = keep_ms;
	cache->keyed = make_keyed();
	pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

void account_cache_destroy(struct account_cache **cache_pointer)
{
	struct account_cache *cache = *cache_pointer;
	*cache_pointer = NULL;
	if (cache == NULL)
		return;
	EVP_MAC_CTX_free(cache->keyed);
	pthread_mutex_destroy(&cache->lock);
	mem_free(cache);
}

/* Length first, so that no two triples run together into the same bytes. */
static bool update_part(EVP_MAC_CTX *context, struct span part)
{
	uint64_t len = part.len;
	return EVP_MAC_update(context, (const unsigned char *)&len, sizeof(len)) == 1 &&
	       EVP_MAC_update(context, (const unsigned char *)part.data, part.len) == 1;
}

void account_cache_key_make(const struct account_cache *cache, struct span login,
    struct span password, struct span credential, struct account_cache_key *key_out)
{
	EVP_MAC_CTX *context = EVP_MAC_CTX_dup(cache->keyed);
	size_t len;
	require(context != NULL && update_part(context, login) && update_part(context, password) &&
		update_part(context, credential) &&
		EVP_MAC_final(context, key_out->bytes, &len, sizeof(key_out->bytes)) == 1 &&
		len == sizeof(key_out->bytes));
	EVP_MAC_CTX_free(context);
}

static struct entry *set_of(struct account_cache *cache, const struct account_cache_key *key)
{
	uint64_t number;
	memcpy(&number, key->bytes, sizeof(number));
	return &cache->entries[(number & (cache->set_count - 1)) * WAYS];
}

static bool entry_is(const struct entry *entry, const struct account_cache_key *key)
{
	return span_equal_secret(span_of(entry->key.bytes, sizeof(entry->key.bytes)),
	    span_of(key->bytes, sizeof(key->bytes)));
}

bool account_cache_has(
    struct account_cache *cache, const struct account_cache_key *key, int64_t now_ms)
{
	const struct entry *set = set_of(cache, key);
	bool found = false;
	pthread_mutex_lock(&cache->lock);
	for (size_t i = 0; i < WAYS; i++)
		found |= set[i].ends_ms > now_ms && entry_is(&set[i], key);
	pthread_mutex_unlock(&cache->lock);
	return found;
}

void account_cache_store(
    struct account_cache *cache, const struct account_cache_key *key, int64_t now_ms)
{
	struct entry *set = set_of(cache, key);
	pthread_mutex_lock(&cache->lock);
	struct entry *place = &set[0];
	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].ends_ms != 0 && entry_is(&set[i], key)) {
			place = &set[i];
			break;
		}
		if (set[i].ends_ms < place->ends_ms)
			place = &set[i];
	}
	place->key = *key;
	place->ends_ms = now_ms + cache->keep_ms;
	pthread_mutex_unlock(&cache->lock);
}
