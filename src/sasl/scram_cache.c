/* SPDX-License-Identifier: MIT */
#include "sasl/scram_cache.h"

#include "base/memory.h"
#include "sasl/mechanism.h"

#include <assert.h>
#include <string.h>

static bool make_mark(
    enum sasl_hash hash, struct span password, const char *salted, char mark_out[SASL_DIGEST_MAX])
{
	struct buf bytes;
	bool done;

	buf_init_secret(&bytes, SASL_DIGEST_MAX + SASL_PASSWORD_MAX);
	done = buf_append(&bytes, span_of(salted, sasl_digest_len(hash))) &&
	       buf_append(&bytes, password) && sasl_digest(hash, buf_span(&bytes), mark_out);
	buf_fini(&bytes);
	return done;
}

bool sasl_scram_cache_find(const struct sasl_scram_cache *cache, enum sasl_hash hash,
    struct span password, struct span salt, unsigned iterations, char salted_out[SASL_DIGEST_MAX])
{
	const struct sasl_scram_cached *entry = &cache->entries[hash];
	char mark[SASL_DIGEST_MAX];
	bool found;

	assert(iterations > 0);
	if (entry->iterations != iterations ||
	    !span_equal(span_of(entry->salt, entry->salt_len), salt))
		return false;
	found = make_mark(hash, password, entry->salted, mark) &&
		span_equal_secret(span_of(mark, sasl_digest_len(hash)),
		    span_of(entry->mark, sasl_digest_len(hash)));
	mem_wipe(mark, sizeof(mark));
	if (found)
		memcpy(salted_out, entry->salted, SASL_DIGEST_MAX);
	return found;
}

void sasl_scram_cache_put(struct sasl_scram_cache *cache, enum sasl_hash hash, struct span password,
    struct span salt, unsigned iterations, const char *salted)
{
	struct sasl_scram_cached *entry = &cache->entries[hash];

	mem_wipe(entry, sizeof(*entry));
	if (salt.len > sizeof(entry->salt) || !make_mark(hash, password, salted, entry->mark))
		return;
	memcpy(entry->salt, salt.data, salt.len);
	memcpy(entry->salted, salted, sasl_digest_len(hash));
	entry->salt_len = salt.len;
	entry->iterations = iterations;
}

void sasl_scram_cache_fini(struct sasl_scram_cache *cache)
{
	mem_wipe(cache, sizeof(*cache));
}
