/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_LOCAL_H
#define FRANK_RELAY_LOCAL_H

/*
 * Delivery into Maildirs: a job (relay/job.h) done by a worker of the file pool. Each recipient's
 * file is durable before it counts as delivered.
 */

#include "base/worker.h"
#include "relay/job.h"

#define LOCAL_JOB 4 /* worker_job.kind */

/* Takes the job. False when the pool's queue is full: the job stays the caller's. */
bool local_submit(struct worker_pool *pool, struct mailbox *reply_to, struct job *job);

/* After it has come back: recipients have their states and replies. */
struct job *local_job(struct worker_job *job);
bool local_item_is_damaged(struct worker_job *job, unsigned item);
const bool *local_item_tried(struct worker_job *job, unsigned item); /* by place */
void local_destroy(struct worker_job *job);                          /* with the job */

#endif
