/* SPDX-License-Identifier: MIT */
#include "relay/large_write.h"

#include <assert.h>

#define PIECE_MAX (1024 * 1024)

enum step {
	STEP_APPEND,
	STEP_FINISH,
	STEP_REMOVE,
};

struct large_write {
	struct worker_job job;
	struct worker_pool *pool;
	const char *spool_path;
	uint64_t id;
	struct account_handle asker;
	enum step step;
	struct spool_large *file;  /* NULL before the first piece and when finished */
	struct spool_draft *draft; /* while it is being finished */
	struct buf piece;
	bool busy, abandoned, failed;
	struct fault fault;
};

/* ---- in the worker's thread ---- */

static bool write_piece(struct large_write *w)
{
	if (!w->file)
		w->file = spool_large_create(NULL, w->spool_path, w->id, &w->fault);
	if (!w->file || !spool_large_append(w->file, buf_span(&w->piece), &w->fault))
		return false;
	return w->step != STEP_FINISH || spool_large_finish(&w->file, w->draft, &w->fault);
}

static void run(struct worker_job *job)
{
	struct large_write *w = CONTAINER_OF(job, struct large_write, job);

	if (w->step != STEP_REMOVE && !w->failed)
		w->failed = !write_piece(w);
	if (w->step == STEP_REMOVE || w->failed)
		spool_large_abandon(&w->file);
	buf_fini(&w->piece);
}

/* ---- in the lane ---- */

struct large_write *large_write_create(struct worker_pool *pool, struct mailbox *reply_to,
    const char *spool_path, uint64_t id, struct account_handle asker)
{
	struct large_write *w = MEM_NEW(struct large_write);

	*w = (struct large_write){
		.job = { .kind = LARGE_WRITE_JOB, .run = run, .reply_to = reply_to },
		.pool = pool,
		.spool_path = spool_path,
		.id = id,
		.asker = asker,
	};
	buf_init(&w->piece, PIECE_MAX);
	return w;
}

static bool submit(struct large_write *w, enum step step, struct buf *piece)
{
	struct buf mine = w->piece;

	assert(!w->busy);
	w->step = step;
	w->piece = *piece;
	if (!worker_pool_submit(w->pool, &w->job)) {
		w->piece = mine;
		return false;
	}
	buf_init(piece, piece->max);
	w->busy = true;
	return true;
}

bool large_write_append(struct large_write *w, struct buf *piece)
{
	return submit(w, STEP_APPEND, piece);
}

bool large_write_finish(struct large_write *w, struct buf *piece, struct spool_draft **draft)
{
	w->draft = *draft;
	if (!submit(w, STEP_FINISH, piece)) {
		w->draft = NULL;
		return false;
	}
	*draft = NULL;
	return true;
}

bool large_write_is_busy(const struct large_write *w)
{
	return w->busy;
}

bool large_write_result(struct large_write *w, struct spool_draft **draft, struct fault *fault_out)
{
	assert(!w->busy);
	if (w->draft) {
		*draft = w->draft;
		w->draft = NULL;
	}
	if (w->failed)
		*fault_out = w->fault;
	return !w->failed;
}

static void destroy(struct large_write *w)
{
	spool_draft_destroy(&w->draft);
	buf_fini(&w->piece);
	mem_free(w);
}

static void remove_file(struct large_write *w, bool pool_ended)
{
	struct buf nothing;

	if (w->draft && !w->file && !w->failed) {
		spool_large_remove(NULL, w->spool_path, w->id); /* finished, and nobody wants it */
		destroy(w);
		return;
	}
	buf_init(&nothing, PIECE_MAX);
	if (w->file && !pool_ended && submit(w, STEP_REMOVE, &nothing))
		return;
	spool_large_abandon(&w->file); /* no worker can: a short unlink here after all */
	destroy(w);
}

void large_write_abandon(struct large_write **w)
{
	struct large_write *write = *w;

	*w = NULL;
	if (!write)
		return;
	write->abandoned = true;
	if (!write->busy)
		remove_file(write, false);
}

void large_write_release(struct large_write **w)
{
	if (*w) {
		assert(!(*w)->busy && !(*w)->file);
		destroy(*w);
		*w = NULL;
	}
}

bool large_write_returned(struct worker_job *job, bool pool_ended, struct account_handle *asker_out)
{
	struct large_write *w = CONTAINER_OF(job, struct large_write, job);

	w->busy = false;
	if (!w->abandoned) {
		*asker_out = w->asker;
		return true;
	}
	if (w->step == STEP_REMOVE)
		destroy(w);
	else
		remove_file(w, pool_ended);
	return false;
}
