/* SPDX-License-Identifier: MIT */
#include "account/oauth_work.h"

#include "base/memory.h"

#include <unistd.h>

struct oauth_work *oauth_work_create(
    enum oauth_work_kind kind, const char *directory, const char *label)
{
	struct oauth_work *work = MEM_NEW(struct oauth_work);

	work->job.run = oauth_work_run;
	work->kind = kind;
	work->directory = mem_strdup(directory);
	work->label = mem_strdup(label);
	work->lock_fd = -1;
	oauth_token_init(&work->token);
	return work;
}

void oauth_work_destroy(struct oauth_work **work)
{
	struct oauth_work *gone = *work;

	*work = NULL;
	if (!gone)
		return;
	if (gone->lock_fd >= 0)
		close(gone->lock_fd);
	oauth_token_fini(&gone->token);
	mem_free(gone->directory);
	mem_free(gone->label);
	mem_free(gone);
}

struct oauth_work *oauth_work_of(struct mailbox_item *item)
{
	return CONTAINER_OF(WORKER_JOB_OF(item), struct oauth_work, job);
}

static void look(struct oauth_work *work)
{
	struct oauth_file_stamp known = work->stamp;

	switch (oauth_file_read(
	    work->directory, work->label, &work->token, &work->stamp, &work->fault)) {
	case OAUTH_FILE_FOUND:
		work->result = OAUTH_WORK_FOUND;
		break;
	case OAUTH_FILE_ABSENT:
		work->result = OAUTH_WORK_ABSENT;
		break;
	case OAUTH_FILE_BROKEN:
		work->result = OAUTH_WORK_FAILED;
		return;
	}
	if (oauth_file_stamp_equal(&known, &work->stamp))
		work->result = OAUTH_WORK_SAME;
}

static void open_and_look(struct oauth_work *work)
{
	switch (oauth_file_lock(work->directory, work->label, &work->lock_fd, &work->fault)) {
	case OAUTH_LOCK_HELD:
		look(work);
		break;
	case OAUTH_LOCK_BUSY:
		work->result = OAUTH_WORK_BUSY;
		break;
	case OAUTH_LOCK_FAILED:
		work->result = OAUTH_WORK_FAILED;
		break;
	}
}

void oauth_work_run(struct worker_job *job)
{
	struct oauth_work *work = CONTAINER_OF(job, struct oauth_work, job);

	switch (work->kind) {
	case OAUTH_WORK_LOOK:
		look(work);
		break;
	case OAUTH_WORK_OPEN:
		open_and_look(work);
		break;
	case OAUTH_WORK_SAVE:
		work->result = oauth_file_write(work->directory, work->label, &work->token,
				   &work->stamp, &work->fault)
				   ? OAUTH_WORK_SAME
				   : OAUTH_WORK_FAILED;
		break;
	}
}
