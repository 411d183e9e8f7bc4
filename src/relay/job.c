/* SPDX-License-Identifier: MIT */
#include "relay/job.h"

#include "base/memory.h"

void job_destroy(struct job **job)
{
	struct job *j = *job;

	*job = NULL;
	if (!j)
		return;
	for (unsigned i = 0; i < j->count; i++) {
		spool_delivery_destroy(&j->items[i].delivery);
		spool_body_unref(&j->items[i].body);
	}
	buf_fini(&j->token);
	setup_unref(&j->setup);
	mem_free(j);
}

void job_progress_destroy(struct job_progress **progress)
{
	struct job_progress *p = *progress;

	*progress = NULL;
	if (!p)
		return;
	spool_delivery_destroy(&p->delivery);
	spool_body_unref(&p->body);
	buf_fini(&p->token);
	mem_free(p->learned);
	mem_free(p->sender_as);
	mem_free(p->from_as);
	mem_free(p);
}
