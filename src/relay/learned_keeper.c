/* SPDX-License-Identifier: MIT */
#include "relay/learned_keeper.h"

#include "base/memory.h"
#include "relay/control_private.h"
#include "relay/events.h"

struct save_job {
	struct worker_job job;
	char *path;
	json_t *hops;
};

static void save(const char *path, json_t *hops)
{
	struct fault fault;

	if (!learned_save(path, hops, &fault))
		event_sentence(EVENT_STATE_TROUBLE, "%s", fault.text);
	json_decref(hops);
}

static void run_save(struct worker_job *job)
{
	struct save_job *work = CONTAINER_OF(job, struct save_job, job);

	save(work->path, work->hops);
	mem_free(work->path);
	mem_free(work);
}

static void on_timer(void *owner)
{
	struct control *c = owner;
	struct save_job *work;

	net_timer_start(&c->learned_timer, LEARNED_SAVE_MS);
	if (!c->schedule.learned_news || c->stopping)
		return;
	work = MEM_NEW(struct save_job);
	work->job = (struct worker_job){ .run = run_save };
	work->path = mem_strdup(c->learned_path);
	work->hops = schedule_learned_json(&c->schedule);
	if (worker_pool_submit(c->file_pool, &work->job))
		return;
	c->schedule.learned_news = true; /* the next time */
	json_decref(work->hops);
	mem_free(work->path);
	mem_free(work);
}

void learned_keeper_start(struct control *c)
{
	struct fault fault;
	struct buf path;
	json_t *hops;

	buf_init(&path, 8192);
	buf_printf(&path, "%s/hops.json", c->setup->config->state.path);
	c->learned_path = buf_take_string(&path);
	buf_fini(&path);
	hops = learned_load(c->learned_path, &fault);
	if (hops)
		schedule_set_learned(&c->schedule, hops);
	else if (fault.kind != FAULT_NONE)
		event_sentence(EVENT_STATE_TROUBLE, "%s", fault.text);
	json_decref(hops);
	net_timer_init(&c->learned_timer, &c->loop, on_timer, c);
	net_timer_start(&c->learned_timer, LEARNED_SAVE_MS);
}

void learned_keeper_end(struct control *c)
{
	if (c->schedule.learned_news)
		save(c->learned_path, schedule_learned_json(&c->schedule));
	net_timer_fini(&c->learned_timer);
	mem_free(c->learned_path);
	c->learned_path = NULL;
}
