/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SPOOL_PAGE_H
#define FRANK_SPOOL_PAGE_H

/* Entries of the queue, read one by one behind a cursor; for page and for the operator's
   changes. */

#include "spool/engine.h"

/* The ids behind the cursor that a filter may match, at most max, and at most 500. */
struct spool_candidates {
	uint64_t ids[SPOOL_PAGE_MAX];
	size_t count;
	bool last; /* there are none behind these */
};
bool engine_candidates(struct spool_store *store, const struct spool_filter *filter,
    const struct spool_cursor *cursor, size_t max, struct spool_candidates *out,
    struct fault *fault_out);

/* Reads a message with all its deliveries; *entry_out NULL: it is not there. */
bool engine_entry_read(struct spool_store *store, uint64_t id, struct spool_entry **entry_out,
    struct fault *fault_out);

bool engine_filter_matches(const struct spool_filter *filter, const struct spool_entry *entry);
/* Whether this delivery is meant by the filter's hop and to. */
bool engine_filter_matches_delivery(
    const struct spool_filter *filter, const struct spool_delivery *delivery);

/* Moves the cursor behind the candidate at the index. */
void engine_cursor_advance(struct spool_cursor *cursor, const struct spool_filter *filter,
    const struct spool_candidates *candidates, size_t index);

#endif
