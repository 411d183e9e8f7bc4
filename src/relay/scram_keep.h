/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_SCRAM_KEEP_H
#define FRANK_RELAY_SCRAM_KEEP_H

/*
 * The derived keys of one account at one hop, for the sessions of all lanes (sasl/scram_cache.h).
 * Deriving one takes long by design, and a hop with twenty connections shall pay once. A session
 * works on a copy of its own, so nobody waits for a derivation under the lock.
 */

#include "sasl/scram_cache.h"

#include <pthread.h>

struct scram_keep {
	pthread_mutex_t lock;
	struct sasl_scram_cache cache; /* secret */
};

struct scram_keep *scram_keep_create(void);
void scram_keep_destroy(struct scram_keep **keep); /* wipes; NULL is accepted */

/* Any thread; keep may be NULL: nothing is known, nothing is kept. */
void scram_keep_get(struct scram_keep *keep, struct sasl_scram_cache *cache_out);
void scram_keep_put(struct scram_keep *keep, const struct sasl_scram_cache *cache);

#endif
