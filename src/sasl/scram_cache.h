/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_SCRAM_CACHE_H
#define FRANK_SASL_SCRAM_CACHE_H

/*
 * The salted passwords of one account at one server (RFC 5802, 5.1: a client may keep them), so
 * that a second session does not derive the key again: 4,096 iterations are about a millisecond,
 * a million a quarter of a second. An entry holds for its password, salt and iterations only, so a
 * changed password misses. The newest of each hash is kept.
 *
 * Plain values, and a secret as good as the password: the owner keeps it where it keeps that one,
 * copies it nowhere and wipes it at the end. Zeroed memory is empty. While a ladder runs, its
 * cache belongs to the ladder's thread.
 */

#include "sasl/digest.h"

#define SASL_SCRAM_SALT_MAX 256

struct sasl_scram_cache {
	struct sasl_scram_cached {
		unsigned iterations; /* 0: no entry */
		size_t salt_len;
		char salt[SASL_SCRAM_SALT_MAX];
		char salted[SASL_DIGEST_MAX];
		char mark[SASL_DIGEST_MAX]; /* digest of salted and password */
	} entries[SASL_HASH_COUNT];
};

/* False when there is no such entry. */
bool sasl_scram_cache_find(const struct sasl_scram_cache *cache, enum sasl_hash hash,
    struct span password, struct span salt, unsigned iterations, char salted_out[SASL_DIGEST_MAX]);
void sasl_scram_cache_put(struct sasl_scram_cache *cache, enum sasl_hash hash, struct span password,
    struct span salt, unsigned iterations, const char *salted);
/* Wipes; leaves it empty. */
void sasl_scram_cache_fini(struct sasl_scram_cache *cache);

#endif
