/* SPDX-License-Identifier: MIT */
#include "relay/scram_keep.h"

#include "base/memory.h"

struct scram_keep *scram_keep_create(void)
{
	struct scram_keep *keep = MEM_NEW(struct scram_keep);

	pthread_mutex_init(&keep->lock, NULL);
	return keep;
}

void scram_keep_destroy(struct scram_keep **keep)
{
	struct scram_keep *k = *keep;

	*keep = NULL;
	if (!k)
		return;
	sasl_scram_cache_fini(&k->cache);
	pthread_mutex_destroy(&k->lock);
	mem_free(k);
}

void scram_keep_get(struct scram_keep *keep, struct sasl_scram_cache *cache_out)
{
	*cache_out = (struct sasl_scram_cache){ 0 };
	if (!keep)
		return;
	pthread_mutex_lock(&keep->lock);
	*cache_out = keep->cache;
	pthread_mutex_unlock(&keep->lock);
}

void scram_keep_put(struct scram_keep *keep, const struct sasl_scram_cache *cache)
{
	if (!keep)
		return;
	pthread_mutex_lock(&keep->lock);
	keep->cache = *cache;
	pthread_mutex_unlock(&keep->lock);
}
