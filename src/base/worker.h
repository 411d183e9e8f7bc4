/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_WORKER_H
#define FRANK_BASE_WORKER_H

/*
 * A pool of threads for work that would stall a loop: password hashes, large files. The queue is
 * bounded: a full pool says so at once, and its owner answers 4yz. A finished job is posted to the
 * mailbox of whoever asked; that mailbox holds jobs of workers and nothing else, so that its
 * receiver knows what it takes (a lane has one beside its own, both with the same wake function).
 *
 * Jobs of one share (a client's address, say) are done in their order, and shares in turn: who asks
 * for a thousand things waits for them, and who asks for one waits for one of each share before it.
 */

#include "base/mailbox.h"
#include "base/memory.h"

#include <stddef.h>
#include <stdint.h>

/* Stands inside the owner's structure, which is the pool's from worker_pool_submit() until it is
   posted, and the receiver's afterwards. */
struct worker_job {
	struct mailbox_item item;
	unsigned kind; /* for the receiver's switch; the pool never looks at it */
	void (*run)(struct worker_job *job); /* called once, in one of the threads */
	struct mailbox *reply_to;            /* must outlive the pool. NULL: run() frees the job */
	uint64_t share; /* on whose account it goes; 0 is a share like others */
};

#define WORKER_JOB_OF(mailbox_item) CONTAINER_OF(mailbox_item, struct worker_job, item)

struct worker_pool;

#define WORKER_NICE_MAX 19

/* Starts the threads (at least 1), named name-0, name-1, … (cut at 12 bytes), with all signals
   blocked. queue_max counts jobs that no thread has begun yet. nice goes from 0 (as the
   process) to WORKER_NICE_MAX and lowers the threads' priority. Ends the process when a thread
   cannot be made. */
struct worker_pool *worker_pool_create(
    const char *name, unsigned threads, size_t queue_max, int nice);

/* From now on one share has at most so many jobs in the queue; without this, all of it. */
void worker_pool_limit_shares(struct worker_pool *pool, size_t share_max);

/* Runs every job that was taken, posts it, ends the threads and frees the pool. Waits for all that:
   not for a loop in service. Accepts NULL; clears the pointer. */
void worker_pool_destroy(struct worker_pool **pool);

/* Any thread. False when the queue, or the job's share, is full: the job is still the caller's. */
bool worker_pool_submit(struct worker_pool *pool, struct worker_job *job);

/* Jobs that wait, for the status; already old when it returns. */
size_t worker_pool_waiting(struct worker_pool *pool);

#endif
