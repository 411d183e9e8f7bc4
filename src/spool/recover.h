/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SPOOL_RECOVER_H
#define FRANK_SPOOL_RECOVER_H

/*
 * What memory counts is counted from the rows at each start and after each failure: one walk
 * over the deliveries in id order. At a start nobody writes large bodies yet, so files without a
 * row are removed.
 */

#include "spool/engine.h"

/* Reads, or in a new queue makes, the queue's key and node. */
bool spool_recover_meta(struct spool_store *store, struct fault *fault_out);

bool spool_recover_rows(
    struct spool_store *store, bool starting, uint64_t *removed_out, struct fault *fault_out);

#endif
