/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SPOOL_RESULTS_H
#define FRANK_SPOOL_RESULTS_H

/*
 * The keeper's results that are not yet durable. They go in id order, because neighbours in the
 * table are then rewritten together: few rewritten pages keep the tail of the accepts short. A
 * round takes all that wait at its beginning, so that none is overtaken for ever. Times are
 * monotonic.
 */

#include "spool/keeper.h"

struct keeper_results {
	struct keeper_result **round, **waiting;
	size_t round_next, round_count, waiting_count, waiting_room;
	int64_t waiting_since_ms;
	int64_t blocked_until_ms; /* no room even for them; the keeper's to set */
};

void keeper_results_fini(struct keeper_results *results); /* what is left is forgotten */

void keeper_results_add(
    struct keeper_results *results, struct keeper_result *result, int64_t now_ms);
size_t keeper_results_count(const struct keeper_results *results);

/* When the first of them must go, unless there are enough for a batch before. */
int64_t keeper_results_due_ms(const struct keeper_results *results, int64_t delay_ms);
/* Whether a batch is to be made now. With delay_ms 0 whatever there is. */
bool keeper_results_due(const struct keeper_results *results, int64_t delay_ms, int64_t now_ms);

/* Lends the next ones, at most max, in id order; begins a round when the last has ended. */
size_t keeper_results_peek(
    struct keeper_results *results, struct spool_result **results_out, size_t max);
/* Takes the first of those, or of what is left. */
struct keeper_result *keeper_results_take(struct keeper_results *results);

#endif
