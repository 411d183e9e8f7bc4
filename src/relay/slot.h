/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_SLOT_H
#define FRANK_RELAY_SLOT_H

/*
 * A connection to a next hop in a lane, and the job it works on: one transaction a delivery, one
 * after the other on the same session. A session that has been idle for 5 s is probed with RSET
 * before it is used; when that finds it dead, a new one is opened and no message is the worse for
 * it.
 */

#include "relay/job.h"
#include "relay/lane.h"

#define SLOT_PROBE_AFTER_MS 5000
#define SLOT_IDLE_MAX_MS 30000 /* then QUIT */

struct slot;

/* Takes the job. */
void slot_take_job(struct lane *lane, struct job **job);
void slot_close(struct lane *lane, uint64_t slot);

/* A worker has read more of a body. */
void slot_fed(struct lane *lane, uint64_t slot);

/* At a stop: ends at the next delivery; what was not reached is given back. */
void slot_stop_all(struct lane *lane);
/* At once. */
void slot_cut_all(struct lane *lane);
/* Somebody looks at dialogues now, or no longer. */
void slot_watch_all(struct lane *lane, bool watched);

#endif
