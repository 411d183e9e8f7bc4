/* SPDX-License-Identifier: MIT */
#include "relay/slot_private.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

/*
 * One item of the job after the other: its body, its transaction, the news of it for control. What
 * the hop says about it is in slot_verdict.c.
 */

/* ---- telling control ---- */

struct job_progress *slot_make_progress(struct slot *slot, enum job_progress_kind kind)
{
	struct job_progress *p = MEM_NEW(struct job_progress);

	p->mail.kind = RELAY_MAIL_JOB_PROGRESS;
	p->kind = kind;
	p->slot = slot->id;
	if (slot->learned_news && (kind == JOB_IDLE || kind == JOB_CLOSED)) {
		p->learned = mem_dup(&slot->learned, sizeof(slot->learned));
		slot->learned_news = false;
	}
	return p;
}

void slot_drop_item(struct slot_item *item)
{
	feed_destroy(&item->feed);
	item->count = 0;
	item->begun = false;
}

struct slot_item *slot_item_ahead(struct slot *slot)
{
	return slot->item == &slot->rooms[0] ? &slot->rooms[1] : &slot->rooms[0];
}

void slot_report_item(struct slot *slot, enum job_progress_kind kind)
{
	struct job_item *item = &slot->job->items[slot->next];
	struct job_progress *p;

	if (kind == JOB_UNREACHED && slot_has_tried(slot))
		kind = JOB_ATTEMPTED;
	p = slot_make_progress(slot, kind);

	p->delivery = item->delivery;
	p->body = item->body;
	p->connection_limit = slot->connection_limit;
	for (unsigned i = 0; i < slot->item->count; i++)
		slot->item->tried[slot->item->places[i]] |= slot->item->decided[i];
	memcpy(p->tried, slot->item->tried, sizeof(p->tried));
	memset(slot->item->tried, 0, sizeof(slot->item->tried));
	slot_rewrite_report(slot, p);
	item->delivery = NULL;
	item->body = NULL;
	slot->next++;
	slot->connection_limit = false;
	slot_drop_item(slot->item);
	lane_tell_control(slot->lane, &p->mail);
}

void slot_return_rest(struct slot *slot)
{
	slot_drop_item(slot_item_ahead(slot));
	while (slot->job && slot->next < slot->job->count)
		slot_report_item(slot, JOB_UNREACHED);
	job_destroy(&slot->job);
}

/* ---- content ---- */

/* A content that cannot be finished leaves only closing the connection. */
static void abandon_session(struct slot *slot, const char *text)
{
	slot->ended_by_message = true;
	upstream_abandon(slot->upstream, text);
}

static void begin_item(struct slot *slot, unsigned index)
{
	slot->item->work = &slot->job->items[index];
	slot_collect(slot);
	slot->item->feed =
	    feed_create(slot->lane->services->file_pool, &slot->lane->from_workers.box,
		slot->item->work->delivery->message, slot->item->work->body, slot->id);
	slot_rewrite_begin(slot);
}

static bool session_is_used_up(const struct slot *slot)
{
	unsigned limit = smtp_client_extensions(upstream_client(slot->upstream))->messages_max;

	return slot->messages >= slot->hop->messages_per_connection ||
	       (limit && slot->messages >= limit);
}

/* The next item's body is at hand, and nothing is known that speaks against it. */
static bool may_go_ahead(const struct slot *slot)
{
	return slot->next + 1 < slot->job->count && slot->job->items[slot->next + 1].body &&
	       !slot->stopping && slot->about_us == UPSTREAM_TROUBLE_NONE &&
	       !slot->learned.falls_over_ahead && !session_is_used_up(slot);
}

static bool begin_behind_the_dot(struct slot *slot)
{
	struct smtp_client_transaction transaction;
	struct fault fault;
	struct span bytes;

	begin_item(slot, slot->next + 1);
	if (feed_peek(slot->item->feed, &bytes, &fault) != FEED_BYTES || !slot_fits_plainly(slot))
		return false;
	slot_make_transaction(slot, &transaction);
	if (!smtp_client_mail_ahead(upstream_client(slot->upstream), &transaction))
		return false;
	slot_rewrite_done(slot);
	return true;
}

/* The commands of the next item go out with the end of this one: a round trip less. */
static void go_ahead(struct slot *slot)
{
	struct slot_item *current = slot->item;

	if (!may_go_ahead(slot))
		return;
	slot->item = slot_item_ahead(slot);
	slot->going_ahead = true;
	slot->item->begun = begin_behind_the_dot(slot);
	if (!slot->item->begun)
		slot_drop_item(slot->item);
	slot->going_ahead = false;
	slot->item = current;
}

void slot_pump_content(struct slot *slot)
{
	struct smtp_client *client = upstream_client(slot->upstream);
	struct fault fault;
	struct span bytes;
	size_t taken;

	while (slot->item->feed && smtp_client_stage(client) == SMTP_CLIENT_STAGE_CONTENT) {
		switch (feed_peek(slot->item->feed, &bytes, &fault)) {
		case FEED_BYTES:
			taken = smtp_client_content(client, bytes);
			feed_consume(slot->item->feed, taken);
			if (taken < bytes.len)
				return;
			break;
		case FEED_WAIT:
			return;
		case FEED_END:
			smtp_client_content_end(client);
			feed_destroy(&slot->item->feed);
			go_ahead(slot);
			return;
		case FEED_DAMAGED:
			slot_report_item(slot, JOB_DAMAGED);
			abandon_session(slot, "a stored message is damaged");
			return;
		case FEED_FAILED:
			slot_decide_ourselves(slot, SPOOL_RECIPIENT_WAITING, fault.text);
			abandon_session(slot, fault.text);
			return;
		}
	}
}

/* ---- transactions ---- */

/* A hop's SIZE is heeded before a byte is sent (RFC 1870). */
static bool is_too_large(struct slot *slot)
{
	const struct smtp_extensions *offered =
	    smtp_client_extensions(upstream_client(slot->upstream));
	uint64_t size = feed_size(slot->item->feed);
	char text[200];

	if (!offered->size || offered->size_max == 0 || size <= offered->size_max)
		return false;
	snprintf(text, sizeof(text),
	    "552 5.3.4 the message has %llu octets, and %.80s takes %llu at most",
	    (unsigned long long)size, offered->host, (unsigned long long)offered->size_max);
	slot_decide_ourselves(slot, SPOOL_RECIPIENT_FAILED, text);
	return true;
}

static void send_mail(struct slot *slot)
{
	struct smtp_client_transaction transaction;

	slot_make_transaction(slot, &transaction);
	slot->state = SLOT_TRANSACTION;
	slot->mail_answered = false;
	slot->messages++;
	if (smtp_client_mail(upstream_client(slot->upstream), &transaction))
		return;
	slot_decide_ourselves(
	    slot, SPOOL_RECIPIENT_FAILED, "550 5.1.3 an address of the envelope cannot be sent");
	slot_report_item(slot, JOB_ATTEMPTED);
	slot_next_item(slot);
}

/* The first bytes of the body are at hand before MAIL is said, so that an unreadable message costs
   the session nothing. */
void slot_load(struct slot *slot)
{
	struct fault fault;
	struct span bytes;

	switch (feed_peek(slot->item->feed, &bytes, &fault)) {
	case FEED_BYTES:
	case FEED_END:
		slot_rewrite_done(slot);
		if (!is_too_large(slot) && slot_fit(slot)) {
			send_mail(slot);
			return;
		}
		slot_report_item(slot, JOB_ATTEMPTED);
		break;
	case FEED_WAIT:
		slot->state = SLOT_LOADING;
		return;
	case FEED_DAMAGED:
		slot_report_item(slot, JOB_DAMAGED);
		break;
	case FEED_FAILED:
		slot_decide_ourselves(slot, SPOOL_RECIPIENT_WAITING, fault.text);
		slot_report_item(slot, JOB_ATTEMPTED);
		break;
	}
	slot_next_item(slot);
}

/* The session is ready: on with the job. */
void slot_next_item(struct slot *slot)
{
	if (slot->stopping)
		slot_return_rest(slot);
	if (!slot->job || slot->next == slot->job->count) {
		slot_go_idle(slot);
		return;
	}
	if (session_is_used_up(slot)) {
		slot->reopen = true;
		slot_leave(slot);
		return;
	}
	if (slot_item_ahead(slot)->begun) {
		slot->item = slot_item_ahead(slot);
		slot->item->begun = false;
		send_mail(slot);
		return;
	}
	begin_item(slot, slot->next);
	slot_load(slot);
}
