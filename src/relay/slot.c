/* SPDX-License-Identifier: MIT */
#include "relay/slot_private.h"

#include "base/memory.h"
#include "relay/watch.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void on_event(struct upstream *u, const struct upstream_event *event, void *owner);

static void destroy(struct slot *slot, enum upstream_trouble trouble, const char *text)
{
	struct lane *lane = slot->lane;
	struct job_progress *p;

	slot_return_rest(slot);
	p = slot_make_progress(slot, JOB_CLOSED);
	p->trouble = trouble;
	p->login_refused = slot->login_refused;
	snprintf(p->text, sizeof(p->text), "%s", text ? text : "");
	if (trouble == UPSTREAM_TROUBLE_TOKEN) {
		p->token = slot->token;
		buf_init_secret(&slot->token, OAUTH_TOKEN_MAX);
	}
	lane_tell_control(lane, &p->mail);
	upstream_destroy(&slot->upstream);
	net_timer_fini(&slot->idle_timer);
	buf_fini(&slot->token);
	for (size_t i = 0; i < ARRAY_LEN(slot->rooms); i++) {
		slot_drop_item(&slot->rooms[i]);
		buf_fini(&slot->rooms[i].sender);
		buf_fini(&slot->rooms[i].fitted);
	}
	setup_unref(&slot->setup);
	list_remove(&slot->link);
	mem_free(slot);
	lane_check_done(lane);
}

/* ---- the session ---- */

static void observe(void *context, const struct trace_dialogue *dialogue, enum smtp_line_kind kind,
    struct span text, bool tls_active)
{
	struct slot *slot = context;
	struct trace_dialogue full = *dialogue;
	unsigned at = slot->next + slot->going_ahead;

	if (slot->job && at < slot->job->count && slot->job->items[at].delivery)
		full.message = slot->job->items[at].delivery->message->id;
	watch_line(slot->lane, &full, kind, text, tls_active);
}

static void watch_slot(struct slot *slot, bool watched)
{
	if (slot->upstream)
		upstream_observe(slot->upstream, watched ? observe : NULL, slot, slot->id);
}

/* The session keeps it: the job may end before a refusal comes back. */
static void take_token(struct slot *slot)
{
	buf_clear(&slot->token);
	buf_append(&slot->token, buf_span(&slot->job->token));
}

static void open_session(struct slot *slot)
{
	const struct setup_hop *hop = slot->job->hop;
	const struct config_route *route = hop->route;
	const struct setup_account *account = hop->account;
	struct upstream_settings settings = {
		.vias = hop->vias,
		.via_count = hop->via_count,
		.ehlo_name =
		    span_from_string(route ? route->ehlo : slot->job->setup->config->hostname),
		.account = account != NULL,
		.certificate = account && account->config->certificate,
		.kerberos = account && account->config->kerberos,
		.mechanisms = route ? route->mechanisms : NULL,
		.mechanism_count = route ? route->mechanism_count : 0,
		.initial_response = route ? route->initial_response : CONFIG_INITIAL_RESPONSE_AUTO,
		.cleartext_auth = route && route->cleartext_auth,
		.scram = hop->scram,
		.tls = hop->tls,
		.tls_name = route ? route->tls_name : NULL,
		.hop = hop->key,
		.slow_pool = slot->lane->services->hash_pool,
		.slow_reply_to = &slot->lane->from_workers.box,
	};

	take_token(slot);
	if (account) {
		settings.login = account->login;
		settings.password = buf_span(&account->password);
		settings.token = buf_span(&slot->token);
	}

	if (route && route->source_socket_len)
		net_address_set(&settings.source, (const struct sockaddr *)&route->source_socket,
		    route->source_socket_len);
	setup_unref(&slot->setup);
	slot->setup = setup_ref(slot->job->setup);
	slot->hop = hop;
	slot->state = SLOT_CONNECTING;
	slot->messages = 0;
	slot->reopen = false;
	slot->upstream =
	    upstream_create(&slot->lane->loop, &settings, &slot->learned, on_event, slot);
	watch_slot(slot, slot->lane->watchers > 0);
}

void slot_leave(struct slot *slot)
{
	slot->state = SLOT_LEAVING;
	smtp_client_quit(upstream_client(slot->upstream));
	upstream_flush(slot->upstream);
}

static void on_idle_timer(void *owner)
{
	struct slot *slot = owner;

	if (slot->state == SLOT_IDLE)
		slot_leave(slot);
}

static void report_idle(struct slot *slot)
{
	job_destroy(&slot->job);
	lane_tell_control(slot->lane, &slot_make_progress(slot, JOB_IDLE)->mail);
}

void slot_go_idle(struct slot *slot)
{
	slot->state = SLOT_IDLE;
	slot->idle_since_ms = net_loop_now_ms(&slot->lane->loop);
	report_idle(slot);
	if (slot->stopping)
		slot_leave(slot);
	else
		net_timer_start(&slot->idle_timer, SLOT_IDLE_MAX_MS);
}

/* ---- events ---- */

static void on_ready(struct slot *slot)
{
	slot->learned_news |= slot->state == SLOT_CONNECTING;
	if (slot->state == SLOT_CONNECTING && slot->hop->account)
		lane_tell_control(slot->lane, &slot_make_progress(slot, JOB_READY)->mail);
	if (slot->state == SLOT_TRANSACTION && slot->about_us != UPSTREAM_TROUBLE_NONE) {
		if (slot_count_decided(slot) > 0)
			slot_report_item(slot, JOB_ATTEMPTED); /* what was refused for good is */
		slot_return_rest(slot);
		slot_leave(slot);
		return;
	}
	if (slot->state == SLOT_TRANSACTION && !slot_end_round(slot))
		slot_report_item(slot, JOB_ATTEMPTED);
	slot_next_item(slot);
}

static void on_probed(struct slot *slot, const struct smtp_client_event *event)
{
	if (!event->stale) {
		slot_next_item(slot);
		return;
	}
	slot->reopen = true;
	slot_leave(slot);
}

static void on_smtp(struct slot *slot, const struct smtp_client_event *event)
{
	if (event->kind == SMTP_CLIENT_RECIPIENT)
		slot_on_recipient(slot, event);
	else if (event->kind == SMTP_CLIENT_CONTENT)
		slot_pump_content(slot);
	else if (event->kind == SMTP_CLIENT_MESSAGE)
		slot_on_message_reply(slot, event);
	else if (event->kind == SMTP_CLIENT_TRANSACTION_FAILED)
		slot_on_transaction_failed(slot, event);
	else if (event->kind == SMTP_CLIENT_PROBED)
		on_probed(slot, event);
}

/* text may be the upstream's, which therefore goes last. */
static void on_over(struct slot *slot, enum upstream_trouble trouble, const char *text)
{
	char kept[sizeof(((struct job_progress *)NULL)->text)];

	snprintf(kept, sizeof(kept), "%s", text ? text : "");
	if (slot->reopen && slot->job && !slot->stopping) {
		upstream_destroy(&slot->upstream);
		slot_drop_item(slot->item);
		slot_drop_item(slot_item_ahead(slot));
		open_session(slot);
		return;
	}
	if (slot->about_us != UPSTREAM_TROUBLE_NONE)
		destroy(slot, slot->about_us, slot->about_us_text);
	else
		destroy(slot, trouble, kept);
}

/* A hop may close a session that has done its work, and the next message finds that out. */
static bool has_served(const struct slot *slot, const struct upstream_event *event)
{
	return slot->state == SLOT_TRANSACTION && slot->messages > 1 && !slot->mail_answered &&
	       event->trouble == UPSTREAM_TROUBLE_CONNECTION && !event->reply;
}

/* A session that broke inside a transaction: what was not decided stays queued, and has been tried
   once the hop had answered MAIL. A session that ended for the message's sake (refused in the
   middle of its content, or unreadable here) says nothing against the hop. */
static void on_failed(struct slot *slot, const struct upstream_event *event)
{
	enum upstream_trouble trouble = event->trouble;
	bool was_idle =
	    slot->state == SLOT_IDLE || slot->state == SLOT_LEAVING || has_served(slot, event);
	bool has_item = slot->job && slot->next < slot->job->count && slot->item->count > 0;

	/* Perhaps it was something else. A round trip a message is all that being wrong costs. */
	if (slot_item_ahead(slot)->begun && trouble == UPSTREAM_TROUBLE_CONNECTION && !event->reply)
		slot->learned.falls_over_ahead = true;
	if (slot->ended_by_message || (has_item && slot_count_decided(slot) == slot->item->count))
		trouble = UPSTREAM_TROUBLE_NONE;
	slot->ended_by_message = false;
	slot->login_refused = event->login_refused;
	slot->learned_news = true;
	if (slot->state == SLOT_TRANSACTION && has_item && slot->mail_answered) {
		slot_decide_ourselves(slot, SPOOL_RECIPIENT_WAITING, event->text);
		slot_report_item(slot, JOB_ATTEMPTED);
	}
	on_over(slot, was_idle ? UPSTREAM_TROUBLE_NONE : trouble, event->text);
}

static void on_event(struct upstream *u, const struct upstream_event *event, void *owner)
{
	struct slot *slot = owner;

	switch (event->kind) {
	case UPSTREAM_NOTE:
		if (slot->lane->watchers > 0) {
			struct trace_dialogue dialogue = {
				.number = slot->id,
				.role = TRACE_ROLE_CLIENT,
				.peer = slot->upstream ? upstream_peer(u) : NULL,
				.hop = slot->hop->key,
			};
			watch_note(slot->lane, &dialogue, event->text, false);
		}
		break;
	case UPSTREAM_READY:
		on_ready(slot);
		break;
	case UPSTREAM_SMTP:
		on_smtp(slot, event->smtp);
		break;
	case UPSTREAM_DRAINED:
		if (slot->state == SLOT_TRANSACTION)
			slot_pump_content(slot);
		break;
	case UPSTREAM_FAILED:
		on_failed(slot, event);
		break;
	case UPSTREAM_CLOSED:
		on_over(slot, UPSTREAM_TROUBLE_NONE, NULL);
		break;
	}
}

/* ---- control's orders ---- */

static struct slot *find(struct lane *lane, uint64_t id)
{
	LIST_FOR_EACH (position, &lane->slots) {
		struct slot *slot = LIST_ENTRY(position, struct slot, link);
		if (slot->id == id)
			return slot;
	}
	return NULL;
}

static struct slot *create(struct lane *lane, uint64_t id)
{
	struct slot *slot = MEM_NEW(struct slot);

	slot->lane = lane;
	slot->id = id;
	buf_init_secret(&slot->token, OAUTH_TOKEN_MAX);
	for (size_t i = 0; i < ARRAY_LEN(slot->rooms); i++) {
		buf_init(&slot->rooms[i].sender, SMTP_CLIENT_PATH_MAX);
		buf_init(&slot->rooms[i].fitted, SLOT_FITTED_MAX);
	}
	slot->item = &slot->rooms[0];
	net_timer_init(&slot->idle_timer, &lane->loop, on_idle_timer, slot);
	list_append(&lane->slots, &slot->link);
	return slot;
}

static void use_open_session(struct slot *slot)
{
	int64_t idle_ms = net_loop_now_ms(&slot->lane->loop) - slot->idle_since_ms;

	net_timer_stop(&slot->idle_timer);
	if (slot->job->setup != slot->setup) {
		slot->reopen = true; /* a reload: its logins and policies count from now on */
		slot_leave(slot);
	} else if (idle_ms >= SLOT_PROBE_AFTER_MS) {
		slot->state = SLOT_PROBING;
		smtp_client_probe(upstream_client(slot->upstream));
		upstream_flush(slot->upstream);
	} else {
		slot_next_item(slot);
		if (slot->upstream)
			upstream_flush(slot->upstream);
	}
}

void slot_take_job(struct lane *lane, struct job **job)
{
	struct slot *slot = find(lane, (*job)->slot);

	if (!slot) {
		slot = create(lane, (*job)->slot);
		slot->learned = (*job)->learned;
	}
	assert(!slot->job);
	slot->job = *job;
	slot->next = 0;
	*job = NULL;
	if (lane->stopping)
		destroy(slot, UPSTREAM_TROUBLE_NONE, NULL);
	else if (!slot->upstream)
		open_session(slot);
	else if (slot->state == SLOT_IDLE)
		use_open_session(slot);
	else
		slot->reopen = true; /* it is leaving: a new session follows */
}

void slot_close(struct lane *lane, uint64_t id)
{
	struct slot *slot = find(lane, id);

	if (slot && slot->state == SLOT_IDLE && !slot->job)
		slot_leave(slot);
}

void slot_fed(struct lane *lane, uint64_t id)
{
	struct slot *slot = find(lane, id);

	if (!slot || !slot->item->feed)
		return;
	if (slot->state == SLOT_LOADING)
		slot_load(slot);
	else
		slot_pump_content(slot);
	if (slot->upstream)
		upstream_flush(slot->upstream);
}

void slot_stop_all(struct lane *lane)
{
	LIST_FOR_EACH_SAFE (position, &lane->slots) {
		struct slot *slot = LIST_ENTRY(position, struct slot, link);
		slot->stopping = true;
		if (slot->state == SLOT_IDLE)
			slot_leave(slot);
		else if (slot->state == SLOT_CONNECTING)
			destroy(slot, UPSTREAM_TROUBLE_NONE, NULL);
	}
}

void slot_cut_all(struct lane *lane)
{
	LIST_FOR_EACH_SAFE (position, &lane->slots)
		destroy(LIST_ENTRY(position, struct slot, link), UPSTREAM_TROUBLE_NONE, NULL);
}

void slot_watch_all(struct lane *lane, bool watched)
{
	LIST_FOR_EACH (position, &lane->slots)
		watch_slot(LIST_ENTRY(position, struct slot, link), watched);
}
