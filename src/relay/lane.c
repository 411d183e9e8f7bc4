/* SPDX-License-Identifier: MIT */
#include "relay/lane.h"

#include "base/memory.h"
#include "relay/events.h"
#include "relay/feed.h"
#include "relay/job.h"
#include "relay/large_write.h"
#include "relay/session.h"
#include "relay/slot.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define NO_PLACE UINT32_MAX
#define DRAIN_LOOK_MS 20
#define DRAIN_LOOKS_MAX 150 /* 3 s */

/* ---- places ---- */

static void grow_places(struct lane *lane)
{
	uint32_t old = lane->place_count, new = old ? old * 2 : 64;

	lane->places = mem_realloc(lane->places, new * sizeof(*lane->places));
	for (uint32_t i = old; i < new; i++)
		lane->places[i] =
		    (struct lane_place){ .next_free = i + 1 < new ? i + 1 : NO_PLACE };
	lane->first_free = old;
	lane->place_count = new;
}

struct account_handle lane_place_take(struct lane *lane, struct session *session)
{
	struct lane_place *place;
	uint32_t index;

	if (lane->first_free == NO_PLACE)
		grow_places(lane);
	index = lane->first_free;
	place = &lane->places[index];
	lane->first_free = place->next_free;
	place->session = session;
	return (struct account_handle){ lane->index, index, place->generation };
}

void lane_place_free(struct lane *lane, struct account_handle handle)
{
	struct lane_place *place = &lane->places[handle.index];

	place->session = NULL;
	place->generation++;
	place->next_free = lane->first_free;
	lane->first_free = handle.index;
}

struct session *lane_place_find(struct lane *lane, struct account_handle handle)
{
	const struct lane_place *place = &lane->places[handle.index];

	return place->generation == handle.generation ? place->session : NULL;
}

size_t lane_draft_share(const struct lane *lane)
{
	return LANE_DRAFTS_MAX / lane->services->lane_count;
}

void lane_tell_control(struct lane *lane, struct relay_mail *mail)
{
	mailbox_chain_append(&lane->to_control, &mail->item);
}

/* ---- answers ---- */

static void log_kept_without_client(const struct submission *submission)
{
	struct log_line line;

	event_begin(&line, EVENT_MESSAGE_ACCEPTED);
	log_id(&line, "message", submission->id);
	log_number(&line, "recipients", submission->recipients);
	log_text(&line, "note", "the client left before the reply");
	log_end(&line);
}

static void on_keeper(struct mailbox_item *item, void *owner)
{
	struct lane *lane = owner;
	struct submission *submission = submission_of(keeper_item_of(item));
	struct session *session = lane_place_find(lane, submission->asker);

	submission->with_keeper = false;
	if (session && session->submission == submission) {
		session_committed(session, submission->accept.answer, submission->accept.why);
		return;
	}
	if (submission->accept.answer == KEEPER_KEPT)
		log_kept_without_client(submission);
	submission_destroy(&submission);
}

static void on_password(struct lane *lane, struct worker_job *job)
{
	struct account_check_answer *answer = account_check_answer_of(job);
	struct session *session = lane_place_find(lane, answer->asker);

	if (session)
		session_password_checked(session, answer);
	account_check_answer_destroy(&answer);
}

static void on_worker(struct mailbox_item *item, void *owner)
{
	struct lane *lane = owner;
	struct worker_job *job = WORKER_JOB_OF(item);
	struct account_handle asker;
	struct session *session;
	uint64_t slot;

	switch (job->kind) {
	case LANE_JOB_PASSWORD:
		on_password(lane, job);
		break;
	case LARGE_WRITE_JOB:
		if (large_write_returned(job, lane->joined, &asker)) {
			session = lane_place_find(lane, asker);
			assert(session); /* a session that ends abandons its file */
			session_written(session);
		}
		break;
	case UPSTREAM_JOB:
		upstream_stepped(job);
		break;
	case FEED_JOB:
		if (feed_returned(job, &slot))
			slot_fed(lane, slot);
		break;
	}
}

/* ---- control's mail ---- */

static void on_accept(int fd, const struct net_address *peer, void *owner)
{
	struct lane_endpoint *endpoint = owner;
	const struct config_listener *listener =
	    setup_listener_at(endpoint->lane->setup, &endpoint->address);

	if (listener && !endpoint->lane->stopping)
		session_accept(endpoint->lane, listener, fd, peer);
	else
		close(fd);
}

static void on_trouble(const struct fault *fault, void *owner)
{
	(void)owner;
	event_sentence(EVENT_ACCEPT_TROUBLE, "%s", fault->text);
}

static void listen_here(struct lane *lane, const struct relay_mail_listen *mail)
{
	struct lane_endpoint *endpoint = MEM_NEW(struct lane_endpoint);
	struct listener_handler handler = {
		.on_accept = on_accept,
		.on_trouble = on_trouble,
		.owner = endpoint,
	};
	struct fault fault;

	endpoint->lane = lane;
	endpoint->address = mail->address;
	endpoint->fd = mail->fd;
	endpoint->listener = listener_open(&lane->loop, mail->fd, &handler, &fault);
	if (!endpoint->listener) {
		on_trouble(&fault, NULL);
		close(endpoint->fd);
		mem_free(endpoint);
		return;
	}
	list_append(&lane->endpoints, &endpoint->link);
}

/* Those who are in the kernel's queue already get a word instead of a reset. */
static void turn_away_queued(struct lane_endpoint *endpoint)
{
	struct net_address peer;
	int fd;

	for (int i = 0; i < 1000 && (fd = listener_take(endpoint->listener, &peer)) >= 0; i++) {
		struct conn *conn = conn_open(&endpoint->lane->loop, fd, &peer, NULL, NULL);
		const struct smtp_reply *reply = smtp_reply_get(SMTP_REPLY_CLOSING_SHUTDOWN);
		buf_printf(
		    conn_output(conn), "%u %s %s\r\n", reply->code, reply->enhanced, reply->text);
		conn_close(&conn, CONN_CLOSE_LINGER);
	}
}

static void close_endpoint(struct lane_endpoint *endpoint)
{
	turn_away_queued(endpoint);
	listener_close(&endpoint->listener);
	close(endpoint->fd);
	list_remove(&endpoint->link);
	mem_free(endpoint);
}

static void unlisten(struct lane *lane, const struct config_address *address)
{
	LIST_FOR_EACH_SAFE (position, &lane->endpoints) {
		struct lane_endpoint *endpoint = LIST_ENTRY(position, struct lane_endpoint, link);
		if (config_address_equal(&endpoint->address, address))
			close_endpoint(endpoint);
	}
}

static void stop(struct lane *lane)
{
	lane->stopping = true;
	LIST_FOR_EACH_SAFE (position, &lane->endpoints)
		close_endpoint(LIST_ENTRY(position, struct lane_endpoint, link));
	LIST_FOR_EACH_SAFE (position, &lane->sessions)
		session_stop(LIST_ENTRY(position, struct session, link));
	slot_stop_all(lane);
	lane_check_done(lane);
}

/* Sessions that wait for a commit are cut too: the keeper commits what it holds all the same. */
static void cut(struct lane *lane)
{
	LIST_FOR_EACH_SAFE (position, &lane->sessions)
		session_cut(LIST_ENTRY(position, struct session, link));
	slot_cut_all(lane);
	lane_check_done(lane);
}

static void set_watchers(struct lane *lane, unsigned watchers)
{
	lane->watchers = watchers;
	LIST_FOR_EACH (position, &lane->sessions)
		session_watch(LIST_ENTRY(position, struct session, link), watchers > 0);
	slot_watch_all(lane, watchers > 0);
}

static void on_control(struct mailbox_item *item, void *owner)
{
	struct lane *lane = owner;
	struct relay_mail *mail = relay_mail_of(item);
	struct job *job;

	switch (mail->kind) {
	case RELAY_MAIL_SETUP:
		setup_unref(&lane->setup);
		lane->setup = ((struct relay_mail_setup *)mail)->setup;
		break;
	case RELAY_MAIL_LISTEN:
		listen_here(lane, (struct relay_mail_listen *)mail);
		break;
	case RELAY_MAIL_UNLISTEN:
		unlisten(lane, &((struct relay_mail_listen *)mail)->address);
		break;
	case RELAY_MAIL_STOP:
		stop(lane);
		break;
	case RELAY_MAIL_CUT:
		cut(lane);
		break;
	case RELAY_MAIL_WATCH:
		set_watchers(lane, ((struct relay_mail_watch *)mail)->watchers);
		break;
	case RELAY_MAIL_JOB:
		job = (struct job *)mail;
		slot_take_job(lane, &job);
		return;
	case RELAY_MAIL_SLOT_CLOSE:
		slot_close(lane, ((struct relay_mail_slot *)mail)->slot);
		break;
	case RELAY_MAIL_LANE_STOPPED:
	case RELAY_MAIL_JOB_PROGRESS:
	case RELAY_MAIL_TRACE:
	case RELAY_MAIL_QUIRKS:
		assert(!"mail for control in a lane");
	}
	mem_free(mail);
}

/* ---- the thread ---- */

static void on_turn_end(void *owner)
{
	struct lane *lane = owner;

	keeper_post_chain(lane->services->keeper, &lane->to_keeper);
	mailbox_post_chain(lane->services->control, &lane->to_control);
}

/* Connections that linger, so that a last reply arrives, get a moment (net/conn bounds it). */
static void on_drain_timer(void *owner)
{
	struct lane *lane = owner;

	account_dovecots_fini(&lane->dovecots);
	if (lane->loop.conn_count == 0 || ++lane->drain_looks > DRAIN_LOOKS_MAX)
		net_loop_stop(&lane->loop);
	else
		net_timer_start(&lane->drain_timer, DRAIN_LOOK_MS);
}

void lane_check_done(struct lane *lane)
{
	if (lane->stopping && !lane->joined && list_is_empty(&lane->sessions) &&
	    list_is_empty(&lane->slots) && !net_timer_is_running(&lane->drain_timer))
		net_timer_start(&lane->drain_timer, 0);
}

static void *run(void *argument)
{
	struct lane *lane = argument;
	struct relay_mail_lane *last = MEM_NEW(struct relay_mail_lane);

	net_loop_run(&lane->loop);
	last->mail.kind = RELAY_MAIL_LANE_STOPPED;
	last->lane = lane->index;
	mailbox_post(lane->services->control, &last->mail.item);
	return NULL;
}

static bool start_thread(struct lane *lane)
{
	char name[16];
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&lane->thread, NULL, run, lane);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error == 0) {
		snprintf(name, sizeof(name), "lane-%u", lane->index);
		pthread_setname_np(lane->thread, name);
	}
	return error == 0;
}

struct lane *lane_start(const struct lane_services *services, unsigned index, uint64_t last_id,
    const struct setup *setup, struct fault *fault_out)
{
	struct lane *lane = MEM_NEW(struct lane);

	lane->services = services;
	lane->index = index;
	if (!net_loop_init(&lane->loop, NULL, on_turn_end, lane, fault_out)) {
		mem_free(lane);
		return NULL;
	}
	inbox_init(&lane->from_control, &lane->loop.uv, on_control, lane);
	inbox_init(&lane->from_keeper, &lane->loop.uv, on_keeper, lane);
	inbox_init(&lane->from_workers, &lane->loop.uv, on_worker, lane);
	net_timer_init(&lane->drain_timer, &lane->loop, on_drain_timer, lane);
	mailbox_chain_init(&lane->to_control);
	mailbox_chain_init(&lane->to_keeper);
	id_source_init(&lane->ids, services->node, index);
	lane->ids.last = last_id;
	list_init(&lane->endpoints);
	list_init(&lane->sessions);
	list_init(&lane->slots);
	account_dovecots_init(&lane->dovecots, &lane->loop);
	lane->first_free = NO_PLACE;
	lane->setup = setup_ref(setup);
	if (!start_thread(lane)) {
		fault_set(fault_out, FAULT_LOCAL, "cannot start a thread");
		lane_join(&lane);
	}
	return lane;
}

/* Answers that came after the loop had ended find nobody and are freed by the same handlers. */
void lane_join(struct lane **lane)
{
	struct lane *l = *lane;

	*lane = NULL;
	if (!l)
		return;
	if (l->thread)
		pthread_join(l->thread, NULL);
	l->joined = true;
	net_timer_fini(&l->drain_timer);
	inbox_close(&l->from_control);
	inbox_close(&l->from_keeper);
	inbox_close(&l->from_workers);
	net_loop_fini(&l->loop);
	setup_unref(&l->setup);
	mem_free(l->places);
	mem_free(l);
}
