/* SPDX-License-Identifier: MIT */
#include "relay/admin_client.h"
#include "relay/admin_json.h"
#include "relay/events.h"
#include "relay/queue_work.h"

/*
 * `frank queue` with a running relay: the work goes to the keeper step by step, the next one once
 * the client has taken what came of the last. A change first has the schedule give back what it
 * keeps in memory of the hops concerned, and keeps it from taking more until the change is done;
 * what is in a lane's job, or has a result that is not committed yet, is looked at again for a
 * short while.
 */

#define PASSES_MAX 5
#define PASS_MS 300       /* between them */
#define PASS_SHORT_MS 500 /* only a pass that took no longer is made again */
#define PROGRESS_MS 1000

struct step {
	struct admin_question question; /* first */
	struct queue_work *work;
	int64_t now_ms;
};

struct admin_queue {
	struct queue_work *work; /* NULL while a step has it */
	struct hop **frozen;
	size_t frozen_count;
	unsigned passes;
	int64_t pass_began_ms, told_ms; /* monotonic */
	bool change;
};

static void next_step(struct admin_client *client);

/* ---- hops ---- */

/* Which hops a change is about: those of its ids, those that fit its pattern, or all. */
static bool is_about(const struct queue_work *work, const struct hop *hop)
{
	struct span key = span_from_string(hop->key);

	if (!work->filter.ids)
		return !work->filter.hop.data || spool_pattern_matches(work->filter.hop, key);
	LIST_FOR_EACH (position, &work->hops)
		if (span_equal(LIST_ENTRY(position, struct queue_hop, link)->key, key))
			return true;
	return false;
}

static void freeze(struct admin_client *client)
{
	struct schedule *s = &client->admin->control->schedule;
	struct admin_queue *queue = client->queue;

	LIST_FOR_EACH (position, &s->hop_list) {
		struct hop *hop = LIST_ENTRY(position, struct hop, link);
		if (!is_about(queue->work, hop))
			continue;
		schedule_freeze_hop(s, hop);
		queue->frozen =
		    mem_realloc(queue->frozen, (queue->frozen_count + 1) * sizeof(*queue->frozen));
		queue->frozen[queue->frozen_count++] = hop;
	}
}

static void thaw(struct admin_client *client)
{
	struct schedule *s = &client->admin->control->schedule;
	struct admin_queue *queue = client->queue;

	for (size_t i = 0; i < queue->frozen_count; i++)
		schedule_thaw_hop(s, queue->frozen[i]);
	mem_free(queue->frozen);
	queue->frozen = NULL;
	queue->frozen_count = 0;
}

static void resume(struct admin_client *client)
{
	struct schedule *s = &client->admin->control->schedule;

	LIST_FOR_EACH (position, &s->hop_list) {
		struct hop *hop = LIST_ENTRY(position, struct hop, link);
		if (is_about(client->queue->work, hop))
			schedule_resume_hop(s, hop);
	}
}

static bool is_retry(const struct queue_work *work)
{
	return work->verb == QUEUE_RETRY || work->verb == QUEUE_RUN;
}

/* ---- the end ---- */

static const char *verb_name(enum queue_verb verb)
{
	switch (verb) {
	case QUEUE_LIST:
		return "list";
	case QUEUE_SHOW:
		return "show";
	case QUEUE_RETRY:
		return "retry";
	case QUEUE_HOLD:
		return "hold";
	case QUEUE_RELEASE:
		return "release";
	case QUEUE_DROP:
		return "drop";
	case QUEUE_RUN:
		break;
	}
	return "run";
}

static void log_changed(const struct queue_work *work)
{
	struct log_line line;

	if (!work || work->dry_run || work->changed.deliveries == 0)
		return;
	event_begin(&line, EVENT_QUEUE_CHANGED);
	log_text(&line, "verb", verb_name(work->verb));
	log_number(&line, "messages", (int64_t)work->changed.messages);
	log_number(&line, "deliveries", (int64_t)work->changed.deliveries);
	if (work->changed.in_hand > 0)
		log_number(&line, "in-hand", (int64_t)work->changed.in_hand);
	log_end(&line);
}

/* What was changed stands, also when nobody waits for the report any more. */
static void settle(struct admin_client *client)
{
	struct queue_work *work = client->queue->work;

	client->queue->change = false;
	thaw(client);
	if (work && is_retry(work) && !work->dry_run)
		resume(client);
	log_changed(work);
	schedule_survey(&client->admin->control->schedule);
}

static void discard(struct admin_client *client)
{
	queue_work_destroy(&client->queue->work);
	mem_free(client->queue->frozen);
	mem_free(client->queue);
	client->queue = NULL;
}

void admin_queue_leave(struct admin_client *client)
{
	if (!client->queue)
		return;
	if (client->queue->change && !client->admin->closing)
		settle(client);
	discard(client);
}

static void finish(struct admin_client *client)
{
	struct queue_work *work = client->queue->work;
	int status;

	if (client->queue->change)
		settle(client);
	status = queue_work_finish(work);
	buf_append(&client->out, buf_span(&work->lines));
	discard(client);
	admin_end(client, status);
}

/* ---- steps ---- */

static bool run_look(struct keeper_query *query, struct spool_store *store, struct fault *fault)
{
	return queue_work_look(((struct step *)query)->work, store, fault);
}

static bool run_step(struct keeper_query *query, struct spool_store *store, struct fault *fault)
{
	struct step *step = (struct step *)query;

	return queue_work_step(step->work, store, step->now_ms, fault);
}

/* Gives the work back to its client; false when that one is gone, or the spool does not work. */
static bool take_back(struct step *step)
{
	struct admin_client *client = step->question.client;
	bool ok = step->question.query.ok;
	struct fault fault = step->question.query.fault;

	if (!client) {
		log_changed(step->work);
		queue_work_destroy(&step->work);
		mem_free(step);
		return false;
	}
	client->queue->work = step->work;
	mem_free(step);
	if (ok)
		return true;
	if (client->queue->change)
		settle(client);
	discard(client);
	admin_fail(client, 3, "%s", fault.text);
	return false;
}

static void ask_keeper(struct admin_client *client,
    bool (*run)(struct keeper_query *query, struct spool_store *store, struct fault *fault_out),
    void (*answered)(struct admin_question *question))
{
	struct step *step = MEM_NEW(struct step);

	step->work = client->queue->work;
	step->now_ms = net_loop_wall_ms(&client->admin->control->loop);
	client->queue->work = NULL;
	admin_ask(client, &step->question, run, answered);
}

/* ---- lists ---- */

static void note_pauses(struct admin_client *client)
{
	struct schedule *s = &client->admin->control->schedule;
	struct queue_pauses *pauses = &client->queue->work->pauses;

	queue_pauses_fini(pauses);
	LIST_FOR_EACH (position, &s->hop_list) {
		const struct hop *hop = LIST_ENTRY(position, struct hop, link);
		if (hop->why[0] != '\0')
			queue_pauses_add(pauses, hop->key, hop->why,
			    schedule_pause_ends_ms(s, hop));
	}
}

static void on_list_step(struct admin_question *question)
{
	struct admin_client *client = question->client;

	if (take_back((struct step *)question))
		conn_wake(client->conn);
}

void admin_queue_drained(struct admin_client *client)
{
	struct queue_work *work = client->queue ? client->queue->work : NULL;

	if (!work || client->queue->change)
		return;
	buf_append(&client->out, buf_span(&work->lines));
	buf_clear(&work->lines);
	if (work->finished) {
		finish(client);
	} else if (client->out.len == 0) {
		buf_release(&work->lines);
		note_pauses(client);
		ask_keeper(client, run_step, on_list_step);
	}
}

/* ---- changes ---- */

static void tell_progress(struct admin_client *client)
{
	struct admin_queue *queue = client->queue;
	int64_t now = net_loop_now_ms(&client->admin->control->loop);

	if (now - queue->told_ms < PROGRESS_MS)
		return;
	queue->told_ms = now;
	admin_say(
	    client, json_pack("{s:I}", "progress", (json_int_t)queue->work->changed.messages));
}

static bool wants_another_pass(const struct admin_client *client)
{
	const struct admin_queue *queue = client->queue;
	int64_t now = net_loop_now_ms(&client->admin->control->loop);

	return queue->work->changed.in_hand > 0 && !is_retry(queue->work) &&
	       queue->passes < PASSES_MAX && now - queue->pass_began_ms < PASS_SHORT_MS;
}

static void on_change_step(struct admin_question *question)
{
	struct admin_client *client = question->client;

	if (!take_back((struct step *)question))
		return;
	if (!client->queue->work->finished) {
		tell_progress(client);
		next_step(client);
	} else if (wants_another_pass(client)) {
		net_timer_start(&client->timer, PASS_MS);
	} else {
		finish(client);
	}
}

static void next_step(struct admin_client *client)
{
	ask_keeper(client, run_step, on_change_step);
}

/* A turn after freezing: by then what was given back is on its way to the keeper. */
static void begin_pass(void *owner)
{
	struct admin_client *client = owner;
	struct admin_queue *queue = client->queue;

	queue->passes++;
	queue->pass_began_ms = net_loop_now_ms(&client->admin->control->loop);
	queue_work_rewind(queue->work);
	next_step(client);
}

static void on_looked(struct admin_question *question)
{
	struct admin_client *client = question->client;

	if (!take_back((struct step *)question))
		return;
	if (!is_retry(client->queue->work))
		freeze(client);
	net_timer_start(&client->timer, 0);
}

void admin_queue(struct admin_client *client, const char *verb, const json_t *request)
{
	struct net_loop *loop = &client->admin->control->loop;
	struct queue_work *work;
	struct fault fault;

	work = queue_work_create(verb, request, &fault);
	if (!work) {
		admin_fail(client, 2, "%s", fault.text);
		return;
	}
	client->queue = MEM_NEW(struct admin_queue);
	client->queue->work = work;
	client->queue->change = queue_work_is_change(work);
	client->queue->told_ms = net_loop_now_ms(loop);
	net_timer_init(&client->timer, loop, begin_pass, client);
	if (client->queue->change)
		ask_keeper(client, run_look, on_looked);
	else
		conn_wake(client->conn); /* admin_queue_drained() begins */
}
