/* SPDX-License-Identifier: MIT */
#include "base/worker.h"

#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct worker_pool {
	pthread_mutex_t lock;
	pthread_cond_t wanted; /* a job was queued, or the end was declared */
	struct map *shares;    /* those with jobs that wait, by number */
	struct list turns;     /* the same; the first one's oldest job is next */
	size_t waiting, queue_max, share_max;
	bool ending;
	int nice;
	unsigned thread_count;
	pthread_t threads[];
};

struct share {
	struct list link;
	uint64_t number;
	struct mailbox_item *first, **last;
	size_t waiting;
};

static struct share *share_of(struct worker_pool *pool, uint64_t number)
{
	struct share *share = map_get(pool->shares, MAP_KEY(number));
	if (share == NULL) {
		share = MEM_NEW(struct share);
		share->number = number;
		share->last = &share->first;
		list_append(&pool->turns, &share->link);
		map_set(pool->shares, MAP_KEY(number), share);
	}
	return share;
}

/* The share goes behind the others, or away when it has no more. */
static struct mailbox_item *take_turn(struct worker_pool *pool)
{
	struct share *share = LIST_ENTRY(list_take_first(&pool->turns), struct share, link);
	struct mailbox_item *item = share->first;
	share->first = item->next;
	share->waiting--;
	pool->waiting--;
	if (share->first != NULL) {
		list_append(&pool->turns, &share->link);
	} else {
		map_remove(pool->shares, MAP_KEY(share->number));
		mem_free(share);
	}
	item->next = NULL;
	return item;
}

/* The next job; waits for one. NULL when the pool ends and nothing is left. */
static struct worker_job *take_job(struct worker_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	while (pool->waiting == 0 && !pool->ending)
		pthread_cond_wait(&pool->wanted, &pool->lock);
	struct mailbox_item *item = pool->waiting > 0 ? take_turn(pool) : NULL;
	pthread_mutex_unlock(&pool->lock);
	return item != NULL ? WORKER_JOB_OF(item) : NULL;
}

static void *work(void *context)
{
	struct worker_pool *pool = context;
	/* On Linux this is the calling thread's own priority (sched(7)); lowering it cannot fail,
	   and without it the work is done all the same. */
	if (pool->nice > 0)
		(void)setpriority(PRIO_PROCESS, (id_t)gettid(), pool->nice);
	struct worker_job *job;
	while ((job = take_job(pool)) != NULL) {
		struct mailbox *reply_to = job->reply_to; /* run() may free the job */
		job->run(job);
		if (reply_to != NULL)
			mailbox_post(reply_to, &job->item);
	}
	return NULL;
}

static void start_thread(struct worker_pool *pool, const char *name)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, work, pool);
	if (error != 0) {
		fprintf(stderr, "frank: cannot start a worker thread: %s\n", strerror(error));
		abort();
	}
	char thread_name[16];
	snprintf(thread_name, sizeof(thread_name), "%.12s-%u", name, pool->thread_count % 100);
	(void)pthread_setname_np(thread, thread_name);
	pool->threads[pool->thread_count++] = thread;
}

struct worker_pool *worker_pool_create(
    const char *name, unsigned threads, size_t queue_max, int nice)
{
	assert(threads > 0 && queue_max > 0 && nice >= 0 && nice <= WORKER_NICE_MAX);
	struct worker_pool *pool = mem_alloc(sizeof(*pool) + threads * sizeof(pool->threads[0]));
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wanted, NULL);
	pool->shares = map_create();
	list_init(&pool->turns);
	pool->queue_max = pool->share_max = queue_max;
	pool->nice = nice;

	/* A thread inherits the mask: signals are for the control thread alone. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; i < threads; i++)
		start_thread(pool, name);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pool;
}

void worker_pool_limit_shares(struct worker_pool *pool, size_t share_max)
{
	assert(share_max > 0);
	pthread_mutex_lock(&pool->lock);
	pool->share_max = share_max;
	pthread_mutex_unlock(&pool->lock);
}

void worker_pool_destroy(struct worker_pool **pool_pointer)
{
	struct worker_pool *pool = *pool_pointer;
	*pool_pointer = NULL;
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->wanted);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->thread_count; i++)
		pthread_join(pool->threads[i], NULL);
	assert(pool->waiting == 0 && list_is_empty(&pool->turns));
	map_destroy(&pool->shares, NULL);
	pthread_cond_destroy(&pool->wanted);
	pthread_mutex_destroy(&pool->lock);
	mem_free(pool);
}

static void append(struct worker_pool *pool, struct worker_job *job)
{
	struct share *share = share_of(pool, job->share);
	job->item.next = NULL;
	*share->last = &job->item;
	share->last = &job->item.next;
	share->waiting++;
	pool->waiting++;
}

static bool has_room(const struct worker_pool *pool, uint64_t number)
{
	const struct share *share = map_get(pool->shares, MAP_KEY(number));
	return pool->waiting < pool->queue_max &&
	       (share == NULL || share->waiting < pool->share_max);
}

bool worker_pool_submit(struct worker_pool *pool, struct worker_job *job)
{
	assert(job->run != NULL);
	pthread_mutex_lock(&pool->lock);
	assert(!pool->ending);
	bool taken = has_room(pool, job->share);
	if (taken) {
		append(pool, job);
		pthread_cond_signal(&pool->wanted);
	}
	pthread_mutex_unlock(&pool->lock);
	return taken;
}

size_t worker_pool_waiting(struct worker_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	size_t waiting = pool->waiting;
	pthread_mutex_unlock(&pool->lock);
	return waiting;
}
