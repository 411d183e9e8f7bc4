/* SPDX-License-Identifier: MIT */
#include "spool/keeper.h"

#include "spool/body.h"
#include "spool/results.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/moment.h"

#include <assert.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH_ACCEPTS_MAX 1000
#define RESULT_DELAY_MS 1000
#define RETRY_MS 5000
#define TIDY_MS 1000        /* without any traffic */
#define QUERY_SLICE_US 5000 /* then new mail has its turn */

/* Answers of a turn for one mailbox. */
struct outbox {
	struct mailbox *to;
	struct mailbox_chain chain;
};

/* Results in id order; a round takes all that wait at its beginning, so that none is overtaken
   for ever. */
struct results {
	struct keeper_result **round, **waiting;
	size_t round_next, round_count, waiting_count, waiting_room;
	int64_t waiting_since_ms; /* monotonic */
	int64_t blocked_until_ms; /* no room even for them */
};

struct keeper {
	struct spool_store *store;
	struct mailbox mailbox;
	struct mailbox *arrivals;
	int64_t result_delay_ms, retry_ms;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool wake, stop; /* under the lock */

	/* The thread's own. */
	struct mailbox_item *accepts, **accepts_last;
	struct mailbox_item *queries, **queries_last;
	struct keeper_results results;
	struct outbox *outboxes;
	size_t outbox_count;
	bool down, full;
	int64_t retry_at_ms; /* monotonic */
	bool tidy_more;
};

/* --- Answers --- */

static void answer(struct keeper *keeper, struct mailbox *to, struct mailbox_item *item)
{
	size_t i = 0;
	while (i < keeper->outbox_count && keeper->outboxes[i].to != to)
		i++;
	if (i == keeper->outbox_count) {
		/* A chain points into itself: the array must not move while one is filled. */
		assert(keeper->outbox_count < KEEPER_MAILBOXES_MAX);
		keeper->outbox_count++;
		keeper->outboxes[i].to = to;
		mailbox_chain_init(&keeper->outboxes[i].chain);
	}
	mailbox_chain_append(&keeper->outboxes[i].chain, item);
}

static void send_answers(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->outbox_count; i++)
		mailbox_post_chain(keeper->outboxes[i].to, &keeper->outboxes[i].chain);
	/* Who ended may have taken its mailbox along. */
	keeper->outbox_count = 0;
}

static void arrive(struct keeper *keeper, struct spool_draft *draft)
{
	if (keeper->arrivals == NULL) {
		spool_draft_destroy(&draft);
		return;
	}
	struct keeper_arrival *arrival = MEM_NEW(struct keeper_arrival);
	arrival->item.kind = KEEPER_ARRIVAL;
	arrival->draft = draft;
	answer(keeper, keeper->arrivals, &arrival->item.link);
}

static void answer_accept(
    struct keeper *keeper, struct keeper_accept *accept, enum keeper_answer result)
{
	accept->answer = result;
	switch (result) {
	case KEEPER_KEPT:
		arrive(keeper, accept->draft);
		accept->draft = NULL;
		break;
	case KEEPER_FULL:
		snprintf(accept->why, sizeof(accept->why), "no room for new mail at present");
		if (accept->draft->body == NULL)
			spool_large_remove(
			    NULL, spool_store_path(keeper->store), accept->draft->message->id);
		break;
	case KEEPER_FAILED:
		/* A large file stays: its row may stand. The next start knows. */
		snprintf(accept->why, sizeof(accept->why),
		    "the message could not be stored safely; please send it again");
		break;
	}
	answer(keeper, accept->item.answer_to, &accept->item.link);
}

static void answer_result(struct keeper *keeper, struct keeper_result *result, bool kept)
{
	struct mailbox *to = result->item.answer_to;
	if (kept || to == NULL)
		spool_result_destroy(&result->result);
	if (to != NULL)
		answer(keeper, to, &result->item.link);
	else
		mem_free(result);
}

/* --- What waits --- */

static void append(struct mailbox_item ***last, struct mailbox_item *item)
{
	item->next = NULL;
	**last = item;
	*last = &item->next;
}

static struct mailbox_item *take_first(struct mailbox_item **first, struct mailbox_item ***last)
{
	struct mailbox_item *item = *first;
	*first = item->next;
	if (*first == NULL)
		*last = first;
	return item;
}

static void sort_mail(struct keeper *keeper, int64_t now_ms)
{
	struct mailbox_item *item = mailbox_take(&keeper->mailbox);
	while (item != NULL) {
		struct mailbox_item *next = item->next;
		switch (keeper_item_of(item)->kind) {
		case KEEPER_ACCEPT:
			append(&keeper->accepts_last, item);
			break;
		case KEEPER_RESULT:
			keeper_results_add(&keeper->results, (struct keeper_result *)item, now_ms);
			break;
		case KEEPER_QUERY:
			append(&keeper->queries_last, item);
			break;
		case KEEPER_ARRIVAL:
			assert(!"an answer was posted");
			break;
		}
		item = next;
	}
}

/* --- Trouble --- */

static void go_down(struct keeper *keeper, const struct fault *fault)
{
	if (!keeper->down)
		log_sentence(LOG_LEVEL_ERROR, "spool-failed",
		    "%s; new mail is refused with 452 until the spool works again", fault->text);
	keeper->down = true;
	keeper->retry_at_ms = 0;
}

static void try_reopen(struct keeper *keeper, int64_t now_ms)
{
	struct fault fault;
	if (now_ms < keeper->retry_at_ms)
		return;
	if (spool_store_reopen(keeper->store, &fault)) {
		keeper->down = false;
		log_sentence(LOG_LEVEL_WARNING, "spool-recovered",
		    "%s works again; new mail is taken", spool_store_path(keeper->store));
		return;
	}
	keeper->retry_at_ms = now_ms + keeper->retry_ms;
}

static void note_full(struct keeper *keeper, bool full, const struct fault *fault)
{
	if (full && !keeper->full)
		log_sentence(LOG_LEVEL_ERROR, "spool-full", "%s", fault->text);
	if (!full && keeper->full)
		log_sentence(LOG_LEVEL_WARNING, "spool-has-room",
		    "%s has room again; new mail is taken", spool_store_path(keeper->store));
	keeper->full = full;
}

static void refuse_accepts(struct keeper *keeper)
{
	while (keeper->accepts != NULL) {
		struct mailbox_item *item = take_first(&keeper->accepts, &keeper->accepts_last);
		answer_accept(keeper, (struct keeper_accept *)item, KEEPER_FULL);
	}
}

/* --- Batches --- */

static bool results_due(const struct keeper *keeper, bool stopping, int64_t now_ms)
{
	return keeper_results_due(&keeper->results, stopping ? 0 : keeper->result_delay_ms, now_ms);
}

struct turn {
	struct keeper_accept *accepts[BATCH_ACCEPTS_MAX];
	struct spool_draft *drafts[BATCH_ACCEPTS_MAX];
	size_t accept_count;
	struct spool_result *results[SPOOL_BATCH_RESULTS_MAX];
	size_t result_count;
};

static void gather_accepts(struct keeper *keeper, struct turn *turn)
{
	size_t bytes = 0;
	while (keeper->accepts != NULL && turn->accept_count < BATCH_ACCEPTS_MAX) {
		struct keeper_accept *accept = (struct keeper_accept *)keeper->accepts;
		struct spool_body *body = accept->draft->body;
		size_t len = body != NULL ? spool_body_span(body).len : 0;
		if (bytes + len > SPOOL_BATCH_BODIES_MAX)
			break;
		bytes += len;
		take_first(&keeper->accepts, &keeper->accepts_last);
		turn->accepts[turn->accept_count] = accept;
		turn->drafts[turn->accept_count++] = accept->draft;
	}
}

static enum spool_commit_result commit(
    struct keeper *keeper, struct turn *turn, size_t accept_count, struct fault *fault_out)
{
	struct spool_batch batch = {
		.accepts = turn->drafts,
		.accept_count = accept_count,
		.results = turn->results,
		.result_count = turn->result_count,
		.in_hand = keeper->arrivals != NULL,
		.now_ms = moment_wall_ms(),
	};
	return spool_store_commit(keeper->store, &batch, fault_out);
}

static void answer_accepts(struct keeper *keeper, struct turn *turn, enum keeper_answer result)
{
	for (size_t i = 0; i < turn->accept_count; i++)
		answer_accept(keeper, turn->accepts[i], result);
}

static void results_kept(struct keeper *keeper, const struct turn *turn)
{
	for (size_t i = 0; i < turn->result_count; i++)
		answer_result(keeper, keeper_results_take(&keeper->results), true);
}

/* Results go on when there is no room for mail: they are what gives room. */
static void commit_results_alone(struct keeper *keeper, struct turn *turn, int64_t now_ms)
{
	struct fault fault;
	if (turn->result_count == 0)
		return;
	switch (commit(keeper, turn, 0, &fault)) {
	case SPOOL_COMMIT_KEPT:
		results_kept(keeper, turn);
		break;
	case SPOOL_COMMIT_FULL:
		keeper->results.blocked_until_ms = now_ms + keeper->retry_ms;
		break;
	case SPOOL_COMMIT_FAILED:
		go_down(keeper, &fault);
		break;
	}
}

static void run_batch(struct keeper *keeper, struct turn *turn, bool stopping, int64_t now_ms)
{
	struct fault fault = { 0 };
	turn->accept_count = turn->result_count = 0;
	gather_accepts(keeper, turn);
	if (results_due(keeper, stopping, now_ms))
		turn->result_count =
		    keeper_results_peek(&keeper->results, turn->results, SPOOL_BATCH_RESULTS_MAX);
	if (turn->accept_count + turn->result_count == 0)
		return;
	switch (commit(keeper, turn, turn->accept_count, &fault)) {
	case SPOOL_COMMIT_KEPT:
		answer_accepts(keeper, turn, KEEPER_KEPT);
		results_kept(keeper, turn);
		if (turn->accept_count > 0)
			note_full(keeper, false, &fault);
		break;
	case SPOOL_COMMIT_FULL:
		note_full(keeper, true, &fault);
		answer_accepts(keeper, turn, KEEPER_FULL);
		commit_results_alone(keeper, turn, now_ms);
		break;
	case SPOOL_COMMIT_FAILED:
		answer_accepts(keeper, turn, KEEPER_FAILED);
		go_down(keeper, &fault);
		break;
	}
}

/* --- Queries --- */

static void run_query(struct keeper *keeper, struct keeper_query *query)
{
	if (keeper->down) {
		query->ok = false;
		fault_set(&query->fault, FAULT_LOCAL, "the spool %s does not work at present",
		    spool_store_path(keeper->store));
	} else {
		query->ok = query->run(query, keeper->store, &query->fault);
		if (!query->ok)
			go_down(keeper, &query->fault);
	}
	if (query->item.answer_to != NULL)
		answer(keeper, query->item.answer_to, &query->item.link);
}

static void run_queries(struct keeper *keeper)
{
	int64_t until_us = moment_monotonic_us() + QUERY_SLICE_US;
	while (keeper->queries != NULL) {
		struct mailbox_item *item = take_first(&keeper->queries, &keeper->queries_last);
		run_query(keeper, (struct keeper_query *)item);
		if (moment_monotonic_us() >= until_us)
			break;
	}
}

/* --- The thread --- */

static void tidy(struct keeper *keeper)
{
	struct fault fault;
	keeper->tidy_more = false;
	if (!keeper->down &&
	    !spool_store_tidy(keeper->store, moment_wall_ms(), &keeper->tidy_more, &fault))
		go_down(keeper, &fault);
}

static void turn_once(struct keeper *keeper, struct turn *turn, bool stopping)
{
	int64_t now_ms = moment_monotonic_ms();
	sort_mail(keeper, now_ms);
	if (keeper->down)
		try_reopen(keeper, now_ms);
	if (keeper->down)
		refuse_accepts(keeper);
	else
		run_batch(keeper, turn, stopping, now_ms);
	/* The 250 goes out before anything else is done. */
	send_answers(keeper);
	run_queries(keeper);
	send_answers(keeper);
	tidy(keeper);
}

static int64_t wait_ms(const struct keeper *keeper)
{
	int64_t now_ms = moment_monotonic_ms();
	int64_t wait = TIDY_MS;
	if (keeper->accepts != NULL || keeper->queries != NULL || keeper->tidy_more)
		return 0;
	if (keeper->down)
		return keeper->retry_at_ms > now_ms ? keeper->retry_at_ms - now_ms : 0;
	if (results_due(keeper, false, now_ms))
		return 0;
	if (keeper_results_count(&keeper->results) > 0) {
		int64_t due = keeper_results_due_ms(&keeper->results, keeper->result_delay_ms);
		wait = due - now_ms < wait ? due - now_ms : wait;
	}
	return wait;
}

/* Until somebody posts, or the time is over. True: to stop. */
static bool wait_for_mail(struct keeper *keeper, int64_t duration_ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += duration_ms / 1000;
	until.tv_nsec += (duration_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&keeper->lock);
	while (duration_ms > 0 && !keeper->wake && !keeper->stop)
		if (pthread_cond_timedwait(&keeper->woken, &keeper->lock, &until) != 0)
			break;
	keeper->wake = false;
	bool stop = keeper->stop;
	pthread_mutex_unlock(&keeper->lock);
	return stop;
}

/* What cannot be committed now was at most delivered, and will be delivered once more. */
static void give_results_up(struct keeper *keeper)
{
	size_t left = keeper_results_count(&keeper->results);
	if (left > 0)
		log_sentence(LOG_LEVEL_ERROR, "spool-results-lost",
		    "%zu results could not be kept: those deliveries will be made again", left);
	while (left-- > 0)
		answer_result(keeper, keeper_results_take(&keeper->results), false);
}

static void finish(struct keeper *keeper, struct turn *turn)
{
	keeper->retry_at_ms = 0;
	do {
		size_t before = keeper_results_count(&keeper->results);
		turn_once(keeper, turn, true);
		if (keeper->down && keeper->retry_at_ms > 0)
			break;
		if (keeper->accepts == NULL && keeper->queries == NULL &&
		    keeper_results_count(&keeper->results) == before)
			break;
	} while (true);
	refuse_accepts(keeper);
	while (keeper->queries != NULL)
		run_queries(keeper);
	give_results_up(keeper);
	send_answers(keeper);
	spool_store_close(&keeper->store);
}

static void *keeper_main(void *argument)
{
	struct keeper *keeper = argument;
	struct turn *turn = MEM_NEW(struct turn);
	pthread_setname_np(pthread_self(), "keeper");
	while (!wait_for_mail(keeper, wait_ms(keeper))) {
		sched_yield(); /* who is about to post may: a larger batch for the same sync */
		turn_once(keeper, turn, false);
	}
	finish(keeper, turn);
	mem_free(turn);
	return NULL;
}

static void wake(void *context)
{
	struct keeper *keeper = context;
	pthread_mutex_lock(&keeper->lock);
	keeper->wake = true;
	pthread_cond_signal(&keeper->woken);
	pthread_mutex_unlock(&keeper->lock);
}

static void note_broken(void *context, uint64_t id, const char *sentence)
{
	struct log_line line;
	log_begin(&line, LOG_LEVEL_ERROR, "message-broken");
	log_id(&line, "message", id);
	log_text(&line, "text", sentence);
	log_end(&line);
}

static void start_thread(struct keeper *keeper)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&keeper->thread, NULL, keeper_main, keeper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	/* As with memory: without it nothing can go on, and nothing is lost. */
	if (error != 0)
		abort();
}

struct keeper *keeper_start(struct spool_store **store, const struct keeper_settings *settings)
{
	struct keeper *keeper = MEM_NEW(struct keeper);
	pthread_condattr_t attributes;
	keeper->store = *store;
	*store = NULL;
	keeper->arrivals = settings->arrivals;
	keeper->result_delay_ms =
	    settings->result_delay_ms > 0 ? settings->result_delay_ms : RESULT_DELAY_MS;
	keeper->retry_ms = settings->retry_ms > 0 ? settings->retry_ms : RETRY_MS;
	keeper->accepts_last = &keeper->accepts;
	keeper->queries_last = &keeper->queries;
	keeper->outboxes = mem_alloc_array(KEEPER_MAILBOXES_MAX, sizeof(*keeper->outboxes));
	mailbox_init(&keeper->mailbox, wake, keeper);
	pthread_mutex_init(&keeper->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&keeper->woken, &attributes);
	pthread_condattr_destroy(&attributes);
	spool_store_set_notice(keeper->store, note_broken, NULL);
	start_thread(keeper);
	return keeper;
}

void keeper_stop(struct keeper **keeper)
{
	struct keeper *gone = *keeper;
	*keeper = NULL;
	if (gone == NULL)
		return;
	pthread_mutex_lock(&gone->lock);
	gone->stop = true;
	pthread_cond_signal(&gone->woken);
	pthread_mutex_unlock(&gone->lock);
	pthread_join(gone->thread, NULL);
	mailbox_fini(&gone->mailbox);
	pthread_mutex_destroy(&gone->lock);
	pthread_cond_destroy(&gone->woken);
	keeper_results_fini(&gone->results);
	mem_free(gone->outboxes);
	mem_free(gone);
}

/* --- Posting --- */

void keeper_accept_prepare(struct keeper_accept *accept)
{
	assert(accept->draft != NULL && accept->item.answer_to != NULL);
	accept->item.kind = KEEPER_ACCEPT;
}

void keeper_post_chain(struct keeper *keeper, struct mailbox_chain *chain)
{
	mailbox_post_chain(&keeper->mailbox, chain);
}

void keeper_post_accept(struct keeper *keeper, struct keeper_accept *accept)
{
	keeper_accept_prepare(accept);
	mailbox_post(&keeper->mailbox, &accept->item.link);
}

void keeper_post_result(struct keeper *keeper, struct keeper_result *result)
{
	assert(result->result != NULL);
	result->item.kind = KEEPER_RESULT;
	mailbox_post(&keeper->mailbox, &result->item.link);
}

void keeper_post_query(struct keeper *keeper, struct keeper_query *query)
{
	query->item.kind = KEEPER_QUERY;
	mailbox_post(&keeper->mailbox, &query->item.link);
}

void keeper_arrival_destroy(struct keeper_arrival **arrival)
{
	struct keeper_arrival *gone = *arrival;
	*arrival = NULL;
	if (gone == NULL)
		return;
	spool_draft_destroy(&gone->draft);
	mem_free(gone);
}
