/* SPDX-License-Identifier: MIT */
#include "base/worker.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* Where answers arrive; the wake function makes the waiting of a loop out of a semaphore's. */
struct receiver {
	struct mailbox box;
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool mail;
};

static void wake(void *context)
{
	struct receiver *r = context;
	pthread_mutex_lock(&r->lock);
	r->mail = true;
	pthread_cond_signal(&r->woken);
	pthread_mutex_unlock(&r->lock);
}

static void receiver_init(struct receiver *r)
{
	memset(r, 0, sizeof(*r));
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->woken, NULL);
	mailbox_init(&r->box, wake, r);
}

static void receiver_fini(struct receiver *r)
{
	mailbox_fini(&r->box);
	pthread_cond_destroy(&r->woken);
	pthread_mutex_destroy(&r->lock);
}

static struct mailbox_item *receive(struct receiver *r)
{
	pthread_mutex_lock(&r->lock);
	while (!r->mail)
		pthread_cond_wait(&r->woken, &r->lock);
	r->mail = false;
	pthread_mutex_unlock(&r->lock);
	return mailbox_take(&r->box);
}

/* A door that jobs wait behind. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;
	unsigned arrived;
};

static void gate_init(struct gate *g)
{
	memset(g, 0, sizeof(*g));
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
}

static void gate_pass(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->arrived++;
	pthread_cond_broadcast(&g->changed);
	while (!g->open)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

static void gate_wait_for(struct gate *g, unsigned arrived)
{
	pthread_mutex_lock(&g->lock);
	while (g->arrived < arrived)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

static void gate_open(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->open = true;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

struct job {
	struct worker_job job;
	struct gate *gate;
	unsigned number, result;
	int nice;
	bool signals_blocked;
};

static void run(struct worker_job *worker_job)
{
	struct job *job = CONTAINER_OF(worker_job, struct job, job);
	if (job->gate != NULL)
		gate_pass(job->gate);
	sigset_t blocked;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	job->signals_blocked =
	    sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGHUP) == 1;
	job->nice = getpriority(PRIO_PROCESS, (id_t)gettid());
	job->result = job->number * 2;
}

static void a_job_is_run_and_comes_back_to_its_asker(void **state)
{
	struct receiver r;
	receiver_init(&r);
	struct worker_pool *pool = worker_pool_create("test", 1, 4, 0);
	struct job job = {
		.job = { .kind = 7, .run = run, .reply_to = &r.box },
		.number = 21,
	};
	assert_true(worker_pool_submit(pool, &job.job));
	struct mailbox_item *item = receive(&r);
	assert_ptr_equal(WORKER_JOB_OF(item), &job.job);
	assert_null(item->next);
	assert_int_equal(job.result, 42);
	assert_int_equal(job.job.kind, 7);
	assert_true(job.signals_blocked);
	worker_pool_destroy(&pool);
	assert_null(pool);
	receiver_fini(&r);
}

static void a_full_queue_says_so_and_leaves_the_job_alone(void **state)
{
	struct receiver r;
	struct gate gate;
	receiver_init(&r);
	gate_init(&gate);
	struct worker_pool *pool = worker_pool_create("test", 2, 3, 0);
	struct job jobs[6];
	memset(jobs, 0, sizeof(jobs));
	for (unsigned i = 0; i < 6; i++)
		jobs[i] = (struct job){
			.job = { .run = run, .reply_to = &r.box }, .gate = &gate, .number = i
		};
	assert_true(worker_pool_submit(pool, &jobs[0].job));
	assert_true(worker_pool_submit(pool, &jobs[1].job));
	gate_wait_for(&gate, 2); /* both threads are busy */
	for (unsigned i = 2; i < 5; i++)
		assert_true(worker_pool_submit(pool, &jobs[i].job));
	assert_int_equal(worker_pool_waiting(pool), 3);
	assert_false(worker_pool_submit(pool, &jobs[5].job));
	gate_open(&gate);
	worker_pool_destroy(&pool); /* runs what it took */
	unsigned count = 0;
	for (struct mailbox_item *i = mailbox_take(&r.box); i != NULL; i = i->next)
		count++;
	assert_int_equal(count, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(jobs[i].result, 2 * i);
	assert_int_equal(jobs[5].result, 0);
	receiver_fini(&r);
}

static void one_thread_keeps_the_order(void **state)
{
	struct receiver r;
	receiver_init(&r);
	struct worker_pool *pool = worker_pool_create("test", 1, 100, 0);
	struct job jobs[100];
	for (unsigned i = 0; i < 100; i++) {
		jobs[i] = (struct job){ .job = { .run = run, .reply_to = &r.box }, .number = i };
		assert_true(worker_pool_submit(pool, &jobs[i].job));
	}
	worker_pool_destroy(&pool);
	unsigned number = 0;
	for (struct mailbox_item *i = mailbox_take(&r.box); i != NULL; i = i->next)
		assert_ptr_equal(WORKER_JOB_OF(i), &jobs[number++].job);
	assert_int_equal(number, 100);
	receiver_fini(&r);
}

/* Ten jobs of one share, then one of another: it is the second one done. */
static void shares_are_served_in_turn(void **state)
{
	struct receiver r;
	struct gate gate;
	receiver_init(&r);
	gate_init(&gate);
	struct worker_pool *pool = worker_pool_create("test", 1, 100, 0);
	struct job jobs[12], blocker = { .job = { .run = run, .reply_to = &r.box }, .gate = &gate };
	assert_true(worker_pool_submit(pool, &blocker.job));
	gate_wait_for(&gate, 1);
	for (unsigned i = 0; i < 12; i++) {
		jobs[i] = (struct job){ .number = i };
		jobs[i].job =
		    (struct worker_job){ .run = run, .reply_to = &r.box, .share = i >= 10 };
		assert_true(worker_pool_submit(pool, &jobs[i].job));
	}
	assert_int_equal(worker_pool_waiting(pool), 12);
	gate_open(&gate);
	worker_pool_destroy(&pool);
	const unsigned order[] = { 0, 10, 1, 11, 2, 3, 4, 5, 6, 7, 8, 9 };
	struct mailbox_item *item = mailbox_take(&r.box)->next;
	for (unsigned i = 0; i < 12; i++, item = item->next)
		assert_ptr_equal(WORKER_JOB_OF(item), &jobs[order[i]].job);
	assert_null(item);
	receiver_fini(&r);
}

static void one_share_does_not_fill_the_queue(void **state)
{
	struct receiver r;
	struct gate gate;
	receiver_init(&r);
	gate_init(&gate);
	struct worker_pool *pool = worker_pool_create("test", 1, 100, 0);
	struct job jobs[5], blocker = { .job = { .run = run, .reply_to = &r.box }, .gate = &gate };
	worker_pool_limit_shares(pool, 3);
	assert_true(worker_pool_submit(pool, &blocker.job));
	gate_wait_for(&gate, 1);
	for (unsigned i = 0; i < 5; i++) {
		jobs[i] = (struct job){ .number = i };
		jobs[i].job =
		    (struct worker_job){ .run = run, .reply_to = &r.box, .share = i == 4 };
		assert_int_equal(worker_pool_submit(pool, &jobs[i].job), i != 3);
	}
	gate_open(&gate);
	worker_pool_destroy(&pool);
	assert_non_null(mailbox_take(&r.box));
	receiver_fini(&r);
}

static void a_nice_pool_runs_at_lower_priority(void **state)
{
	struct receiver r;
	receiver_init(&r);
	struct worker_pool *pool = worker_pool_create("a name that is too long", 1, 1, 12);
	struct job job = { .job = { .run = run, .reply_to = &r.box } };
	int own = getpriority(PRIO_PROCESS, 0);
	assert_true(worker_pool_submit(pool, &job.job));
	worker_pool_destroy(&pool);
	assert_int_equal(job.nice, own > 12 ? own : 12);
	assert_int_equal(getpriority(PRIO_PROCESS, 0), own);
	assert_non_null(mailbox_take(&r.box));
	receiver_fini(&r);
}

static void run_counting(struct worker_job *worker_job)
{
	struct job *job = CONTAINER_OF(worker_job, struct job, job);
	atomic_fetch_add((_Atomic unsigned *)(void *)job->gate, 1);
	mem_free(job);
}

static void a_job_without_an_asker_frees_itself(void **state)
{
	_Atomic unsigned count = 0;
	struct worker_pool *pool = worker_pool_create("test", 3, 50, 0);
	unsigned taken = 0;
	for (unsigned i = 0; i < 200; i++) {
		struct job *job = MEM_NEW(struct job);
		job->job.run = run_counting;
		job->gate = (struct gate *)(void *)&count;
		if (worker_pool_submit(pool, &job->job))
			taken++;
		else
			mem_free(job);
	}
	worker_pool_destroy(&pool);
	assert_int_equal(count, taken);
	assert_true(taken >= 50);
	worker_pool_destroy(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_is_run_and_comes_back_to_its_asker),
		cmocka_unit_test(a_full_queue_says_so_and_leaves_the_job_alone),
		cmocka_unit_test(one_thread_keeps_the_order),
		cmocka_unit_test(shares_are_served_in_turn),
		cmocka_unit_test(one_share_does_not_fill_the_queue),
		cmocka_unit_test(a_nice_pool_runs_at_lower_priority),
		cmocka_unit_test(a_job_without_an_asker_frees_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
