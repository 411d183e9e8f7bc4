/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_LARGE_WRITE_H
#define FRANK_RELAY_LARGE_WRITE_H

/*
 * A large body on its way to disk: a lane hands over a piece at a time to a worker of the file
 * pool, which makes, extends or finishes large/<id>. One piece is under way at a time. All
 * functions are the lane's; none blocks.
 */

#include "account/check.h"
#include "base/worker.h"
#include "spool/body.h"

#define LARGE_WRITE_JOB 1 /* worker_job.kind */

struct large_write;

/* No file is made before the first piece. reply_to takes the finished jobs; spool_path is borrowed.
 */
struct large_write *large_write_create(struct worker_pool *pool, struct mailbox *reply_to,
    const char *spool_path, uint64_t id, struct account_handle asker);

/* Takes the bytes out of *piece. False when the pool's queue is full: the piece stays. */
bool large_write_append(struct large_write *w, struct buf *piece);
/* The last piece; afterwards the file is durable and named in the draft, which is taken meanwhile.
 */
bool large_write_finish(struct large_write *w, struct buf *piece, struct spool_draft **draft);

bool large_write_is_busy(const struct large_write *w);

/* After the job has come back. The draft, if it was taken, is given back in either case. */
bool large_write_result(struct large_write *w, struct spool_draft **draft, struct fault *fault_out);

/* Gives up, also while a job is under way; the file is removed by a worker unless it was finished.
   Clears the pointer; NULL is accepted. */
void large_write_abandon(struct large_write **w);
/* The file stays: the keeper has it. */
void large_write_release(struct large_write **w);

/* A job with kind LARGE_WRITE_JOB has come back. True: tell the asker, then large_write_result().
   False: nobody waits any more, and all is freed; with pool_ended set without the help of the pool.
 */
bool large_write_returned(
    struct worker_job *job, bool pool_ended, struct account_handle *asker_out);

#endif
