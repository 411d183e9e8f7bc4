/* SPDX-License-Identifier: MIT */
#include "relay/bans_keeper.h"

#include "account/bans_file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "relay/events.h"

struct write_job {
	struct worker_job job;
	char *directory;
	struct account_ban *list;
	size_t count;
};

static void write_file(const char *directory, const struct account_ban *list, size_t count)
{
	struct fault fault;

	if (!bans_file_write(directory, list, count, &fault))
		event_sentence(EVENT_STATE_TROUBLE, "%s", fault.text);
}

static void write_destroy(struct write_job *work)
{
	mem_free(work->directory);
	mem_free(work->list);
	mem_free(work);
}

static void run_write(struct worker_job *job)
{
	struct write_job *work = CONTAINER_OF(job, struct write_job, job);

	write_file(work->directory, work->list, work->count);
	write_destroy(work);
}

/* Two writers at once could put an old file over a new one: the pool's shares keep the order. */
static void on_timer(void *owner)
{
	struct control *c = owner;
	uint64_t changes = account_bans_changes(c->bans);
	struct write_job *work;

	net_timer_start(&c->bans_timer, BANS_KEEPER_WRITE_MS);
	if (changes == c->bans_written || c->stopping)
		return;
	work = MEM_NEW(struct write_job);
	work->job = (struct worker_job){ .run = run_write };
	work->directory = mem_strdup(c->bans_directory);
	work->list = account_bans_list(c->bans, moment_wall_ms(), true, &work->count);
	if (worker_pool_submit(c->file_pool, &work->job))
		c->bans_written = changes;
	else
		write_destroy(work);
}

void bans_keeper_start(struct control *c)
{
	struct fault fault;

	c->bans = account_bans_create(ACCOUNT_BANS_MAX);
	c->services.bans = c->bans;
	c->bans_directory = mem_strdup(c->setup->config->state.path);
	if (!bans_file_read(c->bans_directory, c->bans, &fault))
		event_sentence(EVENT_STATE_TROUBLE, "%s", fault.text);
	c->bans_written = account_bans_changes(c->bans);
	net_timer_init(&c->bans_timer, &c->loop, on_timer, c);
	net_timer_start(&c->bans_timer, BANS_KEEPER_WRITE_MS);
}

void bans_keeper_end(struct control *c)
{
	struct account_ban *list;
	size_t count;

	net_timer_fini(&c->bans_timer);
	if (account_bans_changes(c->bans) != c->bans_written) {
		list = account_bans_list(c->bans, moment_wall_ms(), true, &count);
		write_file(c->bans_directory, list, count);
		mem_free(list);
	}
	account_bans_destroy(&c->bans);
	mem_free(c->bans_directory);
	c->bans_directory = NULL;
}
