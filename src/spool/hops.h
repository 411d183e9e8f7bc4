/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SPOOL_HOPS_H
#define FRANK_SPOOL_HOPS_H

/*
 * The hops of the queue in memory: key, row, and what is counted for each, so that no count is
 * ever a walk over rows. An entry lives as long as the table: what is in hand points to it.
 */

#include "base/span.h"

struct spool_hop_entry {
	int64_t row;                    /* in the table `hop`; 0: none yet */
	struct span key;                /* owned */
	uint64_t waiting, held, broken; /* deliveries */
	uint64_t in_hand;
	int64_t next_due_ms; /* of those not in hand, or earlier; INT64_MAX: none */
	uint64_t oldest;     /* no delivery of an older message than this id is here */
};

struct spool_hops;

struct spool_hops *spool_hops_create(void);
void spool_hops_destroy(struct spool_hops **hops);

/* NULL when there is none. */
struct spool_hop_entry *spool_hops_find(struct spool_hops *hops, struct span key);
struct spool_hop_entry *spool_hops_intern(struct spool_hops *hops, struct span key);
struct spool_hop_entry *spool_hops_find_row(struct spool_hops *hops, int64_t row);
void spool_hops_set_row(struct spool_hops *hops, struct spool_hop_entry *hop, int64_t row);
/* Forgets rows and counts, except what is in hand. */
void spool_hops_reset(struct spool_hops *hops);

size_t spool_hops_count(const struct spool_hops *hops);
struct spool_hop_entry *spool_hops_at(struct spool_hops *hops, size_t index);

#endif
