/* SPDX-License-Identifier: MIT */
#include "spool/pack.h"

#include <assert.h>

#define ENVELOPE_VERSION 2
#define DELIVERY_VERSION 2
#define FIRST_VERSION 1
#define DSN_VERSION 2 /* since when ENVID, NOTIFY and ORCPT are there */
#define NOTIFY_MAX 15 /* all its bits */

static void put_number(struct buf *to, uint64_t number)
{
	while (number >= 0x80) {
		bool fits = buf_append_byte(to, (char)(number | 0x80));
		assert(fits);
		number >>= 7;
	}
	bool fits = buf_append_byte(to, (char)number);
	assert(fits);
}

static void put_time(struct buf *to, int64_t time)
{
	put_number(to, ((uint64_t)time << 1) ^ (uint64_t)(time >> 63));
}

static void put_text(struct buf *to, struct span text)
{
	put_number(to, text.len);
	bool fits = buf_append(to, text);
	assert(fits);
}

static void put_reply(struct buf *to, struct span reply)
{
	if (reply.len > SPOOL_PACK_REPLY_MAX)
		reply.len = SPOOL_PACK_REPLY_MAX;
	put_text(to, reply);
}

static bool take_number(struct span *from, uint64_t *number_out)
{
	uint64_t number = 0;
	for (size_t i = 0; i < 10 && i < from->len; i++) {
		uint64_t byte = (unsigned char)from->data[i];
		number |= (byte & 0x7f) << (7 * i);
		if ((byte & 0x80) == 0) {
			*from = span_skip(*from, i + 1);
			*number_out = number;
			return true;
		}
	}
	return false;
}

static bool take_time(struct span *from, int64_t *time_out)
{
	uint64_t number;
	if (!take_number(from, &number))
		return false;
	*time_out = (int64_t)((number >> 1) ^ (0 - (number & 1)));
	return true;
}

static bool take_small(struct span *from, unsigned limit, unsigned *number_out)
{
	uint64_t number;
	if (!take_number(from, &number) || number > limit)
		return false;
	*number_out = (unsigned)number;
	return true;
}

static bool take_text(struct span *from, struct span *text_out)
{
	struct span rest = *from;
	uint64_t len;
	if (!take_number(&rest, &len) || len > rest.len)
		return false;
	*text_out = span_head(rest, (size_t)len);
	*from = span_skip(rest, (size_t)len);
	return true;
}

static bool take_owned_text(struct span *from, struct span *owned)
{
	struct span text;
	if (!take_text(from, &text))
		return false;
	spool_text_set(owned, text);
	return true;
}

void spool_pack_envelope(struct buf *to, const struct spool_envelope *envelope)
{
	put_number(to, ENVELOPE_VERSION);
	put_text(to, envelope->reverse_path);
	put_text(to, envelope->login);
	put_text(to, envelope->client);
	put_text(to, envelope->helo);
	put_text(to, envelope->listener);
	put_number(to, envelope->flags);
	put_time(to, envelope->received_ms);
	put_text(to, envelope->envid);
}

bool spool_unpack_envelope(struct span from, struct spool_envelope *envelope_out)
{
	struct spool_envelope envelope = { 0 };
	uint64_t version;
	if (!take_number(&from, &version) || version < FIRST_VERSION ||
	    !take_text(&from, &envelope.reverse_path) || !take_text(&from, &envelope.login) ||
	    !take_text(&from, &envelope.client) || !take_text(&from, &envelope.helo) ||
	    !take_text(&from, &envelope.listener) ||
	    !take_small(&from, UINT32_MAX, &envelope.flags) ||
	    !take_time(&from, &envelope.received_ms) ||
	    (version >= DSN_VERSION && !take_text(&from, &envelope.envid)))
		return false;
	*envelope_out = envelope;
	return true;
}

void spool_pack_delivery(struct buf *to, const struct spool_delivery *delivery)
{
	put_number(to, DELIVERY_VERSION);
	put_text(to, delivery->route);
	put_time(to, delivery->expires_ms);
	put_time(to, delivery->warn_ms);
	put_time(to, delivery->last_attempt_ms);
	put_reply(to, delivery->reply);
	put_number(to, delivery->recipient_count);
	for (unsigned i = 0; i < delivery->recipient_count; i++) {
		const struct spool_recipient *recipient = &delivery->recipients[i];
		put_text(to, recipient->address);
		put_number(to, recipient->state);
		put_reply(to, recipient->reply);
		put_reply(to, recipient->remote_id);
		put_number(to, recipient->notify);
		put_text(to, recipient->orcpt);
	}
}

static bool unpack_recipient(struct span *from, uint64_t version, struct spool_delivery *delivery)
{
	struct span address;
	unsigned state;
	if (!take_text(from, &address) || !spool_delivery_add(delivery, address))
		return false;
	struct spool_recipient *recipient = &delivery->recipients[delivery->recipient_count - 1];
	if (!take_small(from, SPOOL_RECIPIENT_DROPPED, &state))
		return false;
	recipient->state = (enum spool_recipient_state)state;
	return take_owned_text(from, &recipient->reply) &&
	       take_owned_text(from, &recipient->remote_id) &&
	       (version < DSN_VERSION || (take_small(from, NOTIFY_MAX, &recipient->notify) &&
					     take_owned_text(from, &recipient->orcpt)));
}

bool spool_unpack_delivery(struct span *from, struct spool_delivery *delivery)
{
	uint64_t version;
	unsigned count;
	if (!take_number(from, &version) || version < FIRST_VERSION ||
	    !take_owned_text(from, &delivery->route) || !take_time(from, &delivery->expires_ms) ||
	    !take_time(from, &delivery->warn_ms) || !take_time(from, &delivery->last_attempt_ms) ||
	    !take_owned_text(from, &delivery->reply) ||
	    !take_small(from, SPOOL_RECIPIENTS_MAX, &count))
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!unpack_recipient(from, version, delivery))
			return false;
	return true;
}

unsigned spool_packed_recipients(struct span from)
{
	uint64_t version;
	struct span text;
	int64_t time;
	unsigned count;
	bool sound = take_number(&from, &version) && take_text(&from, &text) &&
		     take_time(&from, &time) && take_time(&from, &time) &&
		     take_time(&from, &time) && take_text(&from, &text) &&
		     take_small(&from, SPOOL_RECIPIENTS_MAX, &count);
	return sound ? count : 0;
}

void spool_pack_history(struct buf *to, const struct spool_delivery *delivery)
{
	put_number(to, delivery->number);
	put_text(to, delivery->hop);
	put_number(to, delivery->attempts);
	spool_pack_delivery(to, delivery);
}

static bool unpack_ended(struct span *from, struct spool_message *message, struct list *out)
{
	struct span hop;
	unsigned number, attempts;
	if (!take_small(from, UINT32_MAX, &number) || !take_text(from, &hop) ||
	    !take_small(from, UINT32_MAX, &attempts))
		return false;
	struct spool_delivery *delivery = spool_delivery_create(message, hop);
	delivery->number = number;
	delivery->attempts = attempts;
	delivery->state = SPOOL_DELIVERY_ENDED;
	if (!spool_unpack_delivery(from, delivery)) {
		spool_delivery_destroy(&delivery);
		return false;
	}
	list_append(out, &delivery->link);
	return true;
}

bool spool_unpack_history(struct span from, struct spool_message *message, struct list *out)
{
	while (from.len > 0)
		if (!unpack_ended(&from, message, out))
			return false;
	return true;
}
