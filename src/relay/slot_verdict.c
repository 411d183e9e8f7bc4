/* SPDX-License-Identifier: MIT */
#include "relay/slot_private.h"

#include "message/remedy.h"
#include "smtp/remote_id.h"

#include <stdio.h>
#include <string.h>

static struct spool_recipient *recipient_at(struct slot *slot, size_t index)
{
	struct spool_delivery *delivery = slot->item->work->delivery;

	return &delivery->recipients[slot->item->places[index]];
}

static bool speaks_of(struct span text, const char *word)
{
	for (size_t i = 0; i + strlen(word) <= text.len; i++)
		if (span_starts_with_nocase(span_skip(text, i), span_from_string(word)))
			return true;
	return false;
}

static const struct message_remedy *remedy_of(const struct smtp_received_reply *reply)
{
	char text[2048];

	return message_remedy_find(span_from_string(smtp_reply_format(reply, text, sizeof(text))));
}

static void notice_limit(struct slot *slot, const struct smtp_received_reply *reply)
{
	const struct message_remedy *remedy = remedy_of(reply);

	if (remedy && remedy->kind == MESSAGE_REMEDY_LIMIT)
		slot->connection_limit = true;
	if (smtp_reply_is_temporary(reply) &&
	    (speaks_of(reply->text, "too many connections") || speaks_of(reply->text, "rate") ||
		speaks_of(reply->text, "concurrent") || speaks_of(reply->text, "connection limit")))
		slot->connection_limit = true;
}

static void decide(struct slot *slot, size_t index, const struct smtp_received_reply *reply)
{
	struct spool_recipient *recipient = recipient_at(slot, index);
	char text[2048];
	struct span id;

	if (slot->item->decided[index])
		return;
	slot->item->decided[index] = true;
	spool_text_set(
	    &recipient->reply, span_from_string(smtp_reply_format(reply, text, sizeof(text))));
	if (smtp_reply_is_positive(reply)) {
		recipient->state = SPOOL_RECIPIENT_DELIVERED;
		recipient->notify_passed_on =
		    smtp_client_extensions(upstream_client(slot->upstream))->dsn;
		if (smtp_remote_id_find(reply->text, &id))
			spool_text_set(&recipient->remote_id, id);
	} else if (smtp_reply_is_permanent(reply)) {
		recipient->state = SPOOL_RECIPIENT_FAILED;
	} else {
		notice_limit(slot, reply);
	}
}

unsigned slot_count_decided(const struct slot *slot)
{
	unsigned count = 0;

	for (unsigned i = 0; i < slot->item->count; i++)
		count += slot->item->decided[i];
	return count;
}

static void decide_all(struct slot *slot, const struct smtp_received_reply *reply)
{
	for (size_t i = 0; i < slot->item->count; i++)
		decide(slot, i, reply);
}

/* Our own reason for whoever is undecided. */
void slot_decide_ourselves(struct slot *slot, enum spool_recipient_state state, const char *text)
{
	for (size_t i = 0; i < slot->item->count; i++) {
		if (slot->item->decided[i])
			continue;
		slot->item->decided[i] = true;
		recipient_at(slot, i)->state = state;
		spool_text_set(&recipient_at(slot, i)->reply, span_from_string(text));
	}
}

/* 530 and 538 to a command of the transaction speak of our login, not of the message. */
static bool is_about_us(const struct smtp_received_reply *reply)
{
	return reply->code == 530 || reply->code == 538;
}

static void complain_about_us(struct slot *slot, const struct smtp_received_reply *reply)
{
	char text[400];

	smtp_reply_format(reply, text, sizeof(text));
	slot->about_us = UPSTREAM_TROUBLE_AUTH;
	snprintf(slot->about_us_text, sizeof(slot->about_us_text),
	    "%.100s wants us to sign in: %.300s%s", upstream_peer(slot->upstream), text,
	    slot->hop->account ? "" : "; give the route an account");
}

void slot_on_recipient(struct slot *slot, const struct smtp_client_event *event)
{
	slot->mail_answered = true;
	if (is_about_us(event->reply))
		complain_about_us(slot, event->reply);
	else if (!smtp_reply_is_positive(event->reply))
		decide(slot, event->recipient, event->reply);
}

void slot_on_message_reply(struct slot *slot, const struct smtp_client_event *event)
{
	if (event->recipient == SMTP_CLIENT_ALL)
		decide_all(slot, event->reply);
	else
		decide(slot, event->recipient, event->reply);
}

void slot_on_transaction_failed(struct slot *slot, const struct smtp_client_event *event)
{
	slot->mail_answered = true;
	if (is_about_us(event->reply))
		complain_about_us(slot, event->reply);
	else
		decide_all(slot, event->reply);
}
