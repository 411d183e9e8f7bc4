/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_OAUTH_WORK_H
#define FRANK_ACCOUNT_OAUTH_WORK_H

/*
 * The keeper's errands to the disk, each a worker's job: look at a token file, take its lock and
 * read it, write it. A job owns all that it touches and knows nothing of the keeper, so it may end
 * after whoever asked has gone.
 */

#include "account/oauth_file.h"
#include "base/worker.h"

enum oauth_work_kind {
	OAUTH_WORK_LOOK, /* reads the file unless it is what the stamp says */
	OAUTH_WORK_OPEN, /* takes the lock, then the same */
	OAUTH_WORK_SAVE, /* writes, under the lock that came with the job */
};

enum oauth_work_result {
	OAUTH_WORK_SAME,   /* the file is what the stamp said; or it was written */
	OAUTH_WORK_FOUND,  /* token is what is in it now */
	OAUTH_WORK_ABSENT, /* there is none now */
	OAUTH_WORK_BUSY,   /* OPEN: somebody else has the lock */
	OAUTH_WORK_FAILED, /* fault */
};

struct oauth_work {
	struct worker_job job; /* its kind is not used */
	void *owner;           /* the asker's; NULL once that has gone */
	enum oauth_work_kind kind;
	char *directory, *label;
	struct oauth_token token;
	struct oauth_file_stamp stamp; /* in: what is known; out: what is there */
	int lock_fd;                   /* -1: none */
	enum oauth_work_result result;
	struct fault fault;
};

struct oauth_work *oauth_work_create(
    enum oauth_work_kind kind, const char *directory, const char *label);
/* Gives the lock back, if it still has it. Accepts NULL; clears the pointer. */
void oauth_work_destroy(struct oauth_work **work);
struct oauth_work *oauth_work_of(struct mailbox_item *item);

/* What the worker calls. */
void oauth_work_run(struct worker_job *job);

#endif
