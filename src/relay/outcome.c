/* SPDX-License-Identifier: MIT */
#include "relay/outcome.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/random.h"
#include "message/remedy.h"
#include "relay/events.h"
#include "relay/notice.h"

#include <stdio.h>
#include <string.h>

static int64_t now_ms(struct schedule *s)
{
	return net_loop_wall_ms(s->loop);
}

/* ---- log ---- */

static void log_rewritten(struct log_line *line, const struct outcome_attempt *attempt)
{
	log_text(line, "sender-as", attempt->sender_as);
	log_text(line, "from-as", attempt->from_as);
}

static void log_recipient(const struct spool_delivery *delivery,
    const struct spool_recipient *recipient, enum event event, int64_t now,
    const struct outcome_attempt *attempt)
{
	const struct message_remedy *remedy = message_remedy_find(recipient->reply);
	char text[MOMENT_TEXT_MAX];
	struct log_line line;

	event_begin(&line, event);
	log_id(&line, "message", delivery->message->id);
	log_span(&line, "from", delivery->message->envelope.reverse_path);
	if (attempt)
		log_rewritten(&line, attempt);
	log_span(&line, "to", recipient->address);
	log_span(&line, "hop", delivery->hop);
	log_span(&line, "reply", recipient->reply);
	if (remedy)
		log_text(&line, "means", remedy->meaning);
	if (remedy && remedy->what_to_do[0] != '\0')
		log_text(&line, "do", remedy->what_to_do);
	if (recipient->remote_id.len > 0)
		log_span(&line, "remote-id", recipient->remote_id);
	log_number(&line, "attempts", delivery->attempts);
	log_text(&line, "delay",
	    moment_format_duration(now - delivery->message->envelope.received_ms, text));
	if (event == EVENT_DEFERRED)
		log_text(&line, "next", moment_format_rfc3339(delivery->next_attempt_ms, text));
	log_end(&line);
}

/* ---- routes ---- */

static void question_of(const struct spool_delivery *delivery, unsigned place,
    struct net_address *client, struct config_question *question)
{
	const struct spool_envelope *envelope = &delivery->message->envelope;

	*question = (struct config_question){
		.sender = envelope->reverse_path,
		.recipient = delivery->recipients[place].address,
		.login = envelope->login,
	};
	if (net_address_parse(envelope->client, 0, client))
		question->client = &client->storage;
}

static const struct setup_hop *hop_of(
    const struct setup *setup, const struct spool_delivery *delivery, unsigned place)
{
	struct config_question question;
	const struct setup_hop *hop;
	struct net_address client;
	char *listener = span_to_string(delivery->message->envelope.listener);

	question_of(delivery, place, &client, &question);
	question.listener = listener;
	hop = setup_hop_for(setup, &question);
	mem_free(listener);
	return hop;
}

static void set_times(struct spool_delivery *delivery, const struct setup_hop *hop)
{
	int64_t received = delivery->message->envelope.received_ms;

	delivery->expires_ms = received + hop->lifetime_ms;
	if (delivery->warn_ms != 0)
		delivery->warn_ms = hop->delay_warning_ms ? received + hop->delay_warning_ms : 0;
}

/* Those that go another way than the first one who waits are moved out. */
static bool split(
    const struct setup *setup, struct spool_delivery *delivery, const char *key, struct list *more)
{
	bool moved = false;

	for (unsigned i = 0; i < delivery->recipient_count;) {
		const struct setup_hop *hop = hop_of(setup, delivery, i);
		if (delivery->recipients[i].state != SPOOL_RECIPIENT_WAITING ||
		    strcmp(hop->key, key) == 0) {
			i++;
			continue;
		}
		set_times(spool_delivery_move(delivery, i, span_from_string(hop->key), more), hop);
		moved = true;
	}
	return moved;
}

bool outcome_route(const struct setup *setup, struct spool_delivery *delivery, struct list *more)
{
	const struct setup_hop *hop = NULL;
	int64_t expires = delivery->expires_ms, warn = delivery->warn_ms;
	bool moved;

	for (unsigned i = 0; i < delivery->recipient_count && !hop; i++)
		if (delivery->recipients[i].state == SPOOL_RECIPIENT_WAITING)
			hop = hop_of(setup, delivery, i);
	if (!hop)
		return false;
	moved = split(setup, delivery, hop->key, more);
	set_times(delivery, hop);
	if (span_equal(delivery->hop, span_from_string(hop->key)))
		return moved || expires != delivery->expires_ms || warn != delivery->warn_ms;
	spool_text_set(&delivery->hop, span_from_string(hop->key));
	delivery->next_attempt_ms = delivery->message->envelope.received_ms;
	return true;
}

/* ---- ends ---- */

static void post(struct schedule *s, struct spool_delivery *delivery, struct list *more,
    struct spool_draft *notice)
{
	struct spool_result *result;
	struct list *link;
	bool survey = notice != NULL;

	schedule_drop_body(s, delivery);
	result = spool_result_create(&delivery);
	result->bounce = notice;
	/* The route belongs to the configuration: it is asked again after each attempt. */
	if (result->delivery->state == SPOOL_DELIVERY_WAITING)
		outcome_route(s->setup, result->delivery, &result->more);
	survey |= !list_is_empty(&result->more);
	while (more && (link = list_take_first(more)) != NULL) {
		list_append(&result->more, link);
		survey = true;
	}
	schedule_post_result(s, result, survey);
}

static void log_held(struct schedule *s, struct spool_delivery *delivery, const bool *about)
{
	for (unsigned i = 0; i < delivery->recipient_count; i++)
		if (about[i] && delivery->recipients[i].state == SPOOL_RECIPIENT_FAILED)
			log_recipient(
			    delivery, &delivery->recipients[i], EVENT_HELD, now_ms(s), NULL);
}

/* Nobody can be told. Who failed waits for the operator; the others go on. */
static void hold_failed(struct schedule *s, struct spool_delivery *delivery, const bool *about)
{
	struct list more;

	log_held(s, delivery, about);
	list_init(&more);
	for (unsigned i = delivery->recipient_count; i-- > 0;) {
		if (!about[i] || delivery->recipients[i].state != SPOOL_RECIPIENT_FAILED)
			continue;
		delivery->recipients[i].state = SPOOL_RECIPIENT_WAITING;
		spool_delivery_move(delivery, i, delivery->hop, &more)->state = SPOOL_DELIVERY_HELD;
	}
	post(s, delivery, &more, NULL);
}

/* A mailbox, or who stands for one (RFC 2033): behind it nobody passes anything on. */
static bool is_final(const struct hop *hop)
{
	const struct setup_hop *setup = hop->setup;

	if (!setup)
		return false;
	return setup->kind == SETUP_HOP_MAILDIR || setup->kind == SETUP_HOP_DISCARD ||
	       (setup->kind == SETUP_HOP_SESSION && setup->vias[0].scheme == CONFIG_SCHEME_LMTP);
}

static bool is_any(const bool *about)
{
	for (unsigned i = 0; i < SPOOL_RECIPIENTS_MAX; i++) {
		if (about[i])
			return true;
	}
	return false;
}

/* A notice about nobody is none: the sender may not want to hear it (RFC 3461, 4.1). */
static void tell_sender(struct schedule *s, struct spool_delivery *delivery,
    enum message_report_kind kind, const bool *about)
{
	struct span to;
	struct notice *notice;

	if (!is_any(about)) {
		post(s, delivery, NULL, NULL);
		return;
	}
	if (notice_addressee(s->setup->config, delivery, &to) == NOTICE_TO_NOBODY) {
		if (kind == MESSAGE_REPORT_FAILURE)
			hold_failed(s, delivery, about);
		else
			post(s, delivery, NULL, NULL);
		return;
	}
	notice = notice_create(
	    s->setup, kind, delivery, id_next(&s->ids, now_ms(s)), now_ms(s), &s->from_workers.box);
	memcpy(notice->about, about, sizeof(notice->about));
	notice->is_final = is_final(schedule_hop(s, delivery->hop));
	if (s->file_pool && worker_pool_submit(s->file_pool, &notice->worker))
		return;
	notice_make(notice); /* the queue is full: a short read here after all */
	outcome_notice_made(s, &notice->worker);
}

void outcome_notice_made(struct schedule *s, struct worker_job *job)
{
	struct notice *notice = notice_of(job);
	struct spool_delivery *delivery = notice->delivery;
	struct spool_draft *draft = notice->draft;

	notice->delivery = NULL;
	notice->draft = NULL;
	if (!draft && notice->kind == MESSAGE_REPORT_FAILURE)
		hold_failed(s, delivery, notice->about);
	else
		post(s, delivery, NULL, draft);
	notice_destroy(&notice);
}

/* ---- attempts ---- */

static void give_up(
    struct spool_recipient *recipient, const struct spool_delivery *delivery, int64_t now)
{
	int64_t age = now - delivery->message->envelope.received_ms;
	char text[1600], duration[MOMENT_TEXT_MAX];

	moment_format_duration(age, duration);
	if (recipient->reply.len > 0)
		snprintf(text, sizeof(text), "%.*s (given up after %s)",
		    recipient->reply.len < 1400 ? (int)recipient->reply.len : 1400,
		    recipient->reply.data, duration);
	else
		snprintf(text, sizeof(text), "given up after %s: %.*s", duration,
		    delivery->reply.len < 1400 ? (int)delivery->reply.len : 1400,
		    delivery->reply.len ? delivery->reply.data : "the next hop was never reached");
	recipient->state = SPOOL_RECIPIENT_FAILED;
	spool_text_set(&recipient->reply, span_from_string(text));
}

static bool has_expired(const struct spool_delivery *delivery, int64_t now)
{
	return delivery->expires_ms != 0 && delivery->expires_ms <= now;
}

static void plan_retry(struct schedule *s, struct hop *hop, struct spool_delivery *delivery)
{
	const struct config_retry *retry =
	    hop->setup ? &hop->setup->retry : &s->setup->config->retry;

	delivery->next_attempt_ms =
	    now_ms(s) + pacing_retry_ms(retry, delivery->attempts, random_u64());
}

/* True: it failed for good. */
static bool settle(struct spool_delivery *delivery, struct spool_recipient *recipient, int64_t now,
    const struct outcome_attempt *attempt)
{
	enum event event = EVENT_COUNT;

	if (recipient->state == SPOOL_RECIPIENT_WAITING && has_expired(delivery, now))
		give_up(recipient, delivery, now);
	if (recipient->state == SPOOL_RECIPIENT_DELIVERED)
		event = EVENT_DELIVERED;
	else if (recipient->state == SPOOL_RECIPIENT_FAILED)
		event = EVENT_BOUNCED;
	else if (recipient->state == SPOOL_RECIPIENT_WAITING)
		event = EVENT_DEFERRED;
	if (event != EVENT_COUNT)
		log_recipient(delivery, recipient, event, now, attempt);
	return event == EVENT_BOUNCED;
}

void outcome_attempted(struct schedule *s, struct hop *hop, struct spool_delivery *delivery,
    const struct outcome_attempt *attempt)
{
	bool about[SPOOL_RECIPIENTS_MAX] = { false };
	enum message_report_kind success =
	    is_final(hop) ? MESSAGE_REPORT_DELIVERED : MESSAGE_REPORT_RELAYED;
	enum message_report_kind kind = success;
	int64_t now = now_ms(s);

	delivery->attempts++;
	delivery->last_attempt_ms = now;
	if (spool_delivery_waiting(delivery) > 0)
		plan_retry(s, hop, delivery);
	for (unsigned i = 0; i < delivery->recipient_count; i++) {
		struct spool_recipient *recipient = &delivery->recipients[i];

		if (!attempt->tried[i])
			continue;
		if (settle(delivery, recipient, now, attempt)) {
			about[i] = notice_is_wanted(delivery, recipient, MESSAGE_REPORT_FAILURE);
			kind = about[i] ? MESSAGE_REPORT_FAILURE : kind;
		} else if (recipient->state == SPOOL_RECIPIENT_DELIVERED) {
			about[i] = notice_is_wanted(delivery, recipient, success);
			hop->delivered++;
		}
	}
	tell_sender(s, delivery, kind, about);
}

bool outcome_returned(struct schedule *s, struct spool_delivery *delivery)
{
	struct list more;
	bool changed;

	list_init(&more);
	changed = outcome_route(s->setup, delivery, &more);
	if (changed)
		post(s, delivery, &more, NULL);
	return changed;
}

void outcome_refused(
    struct schedule *s, struct spool_delivery *delivery, const struct config_refusal *refusal)
{
	struct hop *hop = schedule_hop(s, delivery->hop);
	bool tried[SPOOL_RECIPIENTS_MAX] = { false };
	char reply[1200];

	snprintf(reply, sizeof(reply), "%u %s%s%s", refusal->code,
	    refusal->enhanced ? refusal->enhanced : "", refusal->enhanced ? " " : "",
	    refusal->text);
	for (unsigned i = 0; i < delivery->recipient_count; i++) {
		if (delivery->recipients[i].state != SPOOL_RECIPIENT_WAITING)
			continue;
		tried[i] = true;
		spool_text_set(&delivery->recipients[i].reply, span_from_string(reply));
		if (refusal->code >= 500)
			delivery->recipients[i].state = SPOOL_RECIPIENT_FAILED;
	}
	outcome_attempted(s, hop, delivery, &(struct outcome_attempt){ .tried = tried });
}

/* ---- overdue ---- */

static void warn(struct schedule *s, struct spool_delivery *delivery)
{
	bool about[SPOOL_RECIPIENTS_MAX] = { false };

	delivery->warn_ms = 0;
	for (unsigned i = 0; i < delivery->recipient_count; i++) {
		about[i] =
		    delivery->recipients[i].state == SPOOL_RECIPIENT_WAITING &&
		    notice_is_wanted(delivery, &delivery->recipients[i], MESSAGE_REPORT_DELAY);
		if (about[i])
			log_recipient(delivery, &delivery->recipients[i], EVENT_DELAY_WARNED,
			    now_ms(s), NULL);
	}
	tell_sender(s, delivery, MESSAGE_REPORT_DELAY, about);
}

static void remember_reason(struct schedule *s, struct spool_delivery *delivery)
{
	const struct hop *hop = schedule_hop(s, delivery->hop);

	if (hop->why[0] != '\0')
		spool_text_set(&delivery->reply, span_from_string(hop->why));
	else if (hop->setup && hop->setup->kind == SETUP_HOP_NOWHERE)
		spool_text_set(&delivery->reply, SPAN("no route leads to this recipient"));
}

void outcome_overdue(struct schedule *s, struct spool_delivery *delivery)
{
	bool about[SPOOL_RECIPIENTS_MAX] = { false };
	int64_t now = now_ms(s);

	remember_reason(s, delivery);
	if (!has_expired(delivery, now)) {
		warn(s, delivery);
		return;
	}
	for (unsigned i = 0; i < delivery->recipient_count; i++) {
		about[i] = delivery->recipients[i].state == SPOOL_RECIPIENT_WAITING;
		if (!about[i])
			continue;
		give_up(&delivery->recipients[i], delivery, now);
		log_recipient(delivery, &delivery->recipients[i], EVENT_BOUNCED, now, NULL);
		about[i] =
		    notice_is_wanted(delivery, &delivery->recipients[i], MESSAGE_REPORT_FAILURE);
	}
	tell_sender(s, delivery, MESSAGE_REPORT_FAILURE, about);
}

/* ---- damage ---- */

struct aside_query {
	struct keeper_query query;
	uint64_t id;
	bool broken;
};

static bool run_set_aside(
    struct keeper_query *query, struct spool_store *store, struct fault *fault)
{
	struct aside_query *q = (struct aside_query *)query;

	return spool_store_set_aside(
	    store, q->id, "its body fails its checksum", &q->broken, fault);
}

void outcome_damaged(struct schedule *s, struct spool_delivery *delivery)
{
	struct aside_query *q = MEM_NEW(struct aside_query);
	uint64_t id = delivery->message->id;

	event_sentence(EVENT_MESSAGE_BROKEN,
	    "message %llu: its stored body is damaged; it is set aside, not sent",
	    (unsigned long long)id);
	q->id = id;
	q->query.run = run_set_aside;
	q->query.item.answer_to = &s->from_keeper.box;
	keeper_post_query(s->keeper, &q->query);
	delivery->next_attempt_ms = now_ms(s);
	schedule_release(s, delivery);
}
