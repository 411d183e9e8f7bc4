/* SPDX-License-Identifier: MIT */
#include "spool/message.h"

#include <assert.h>
#include <string.h>

void spool_text_set(struct span *owned, struct span value)
{
	char *copy = value.len > 0 ? mem_dup(value.data, value.len) : NULL;
	mem_free((char *)(uintptr_t)owned->data);
	*owned = span_of(copy, value.len);
}

static void recipient_fini(struct spool_recipient *recipient)
{
	spool_text_set(&recipient->address, span_of(NULL, 0));
	spool_text_set(&recipient->reply, span_of(NULL, 0));
	spool_text_set(&recipient->remote_id, span_of(NULL, 0));
	spool_text_set(&recipient->orcpt, span_of(NULL, 0));
}

struct spool_delivery *spool_delivery_create(struct spool_message *message, struct span hop)
{
	struct spool_delivery *delivery = MEM_NEW(struct spool_delivery);
	delivery->message = spool_message_ref(message);
	delivery->next_attempt_ms = message->envelope.received_ms;
	spool_text_set(&delivery->hop, hop);
	return delivery;
}

void spool_delivery_destroy(struct spool_delivery **delivery)
{
	struct spool_delivery *gone = *delivery;
	*delivery = NULL;
	if (gone == NULL)
		return;
	for (unsigned i = 0; i < gone->recipient_count; i++)
		recipient_fini(&gone->recipients[i]);
	mem_free(gone->recipients);
	spool_text_set(&gone->hop, span_of(NULL, 0));
	spool_text_set(&gone->route, span_of(NULL, 0));
	spool_text_set(&gone->reply, span_of(NULL, 0));
	spool_message_unref(&gone->message);
	mem_free(gone);
}

/* The array grows in powers of two: one recipient is by far the most frequent. */
static struct spool_recipient *recipient_room(struct spool_delivery *delivery)
{
	unsigned count = delivery->recipient_count;
	if (count == SPOOL_RECIPIENTS_MAX)
		return NULL;
	if ((count & (count - 1)) == 0)
		delivery->recipients = mem_realloc(delivery->recipients,
		    (count == 0 ? 1 : 2 * (size_t)count) * sizeof(*delivery->recipients));
	delivery->recipient_count++;
	memset(&delivery->recipients[count], 0, sizeof(*delivery->recipients));
	return &delivery->recipients[count];
}

bool spool_delivery_add(struct spool_delivery *delivery, struct span address)
{
	struct spool_recipient *recipient = recipient_room(delivery);
	if (recipient == NULL)
		return false;
	spool_text_set(&recipient->address, address);
	return true;
}

unsigned spool_delivery_waiting(const struct spool_delivery *delivery)
{
	unsigned waiting = 0;
	for (unsigned i = 0; i < delivery->recipient_count; i++)
		waiting += delivery->recipients[i].state == SPOOL_RECIPIENT_WAITING;
	return waiting;
}

static struct spool_delivery *delivery_like(struct spool_delivery *model, struct span hop)
{
	struct spool_delivery *delivery = spool_delivery_create(model->message, hop);
	delivery->state = model->state;
	delivery->attempts = model->attempts;
	delivery->next_attempt_ms = model->next_attempt_ms;
	delivery->expires_ms = model->expires_ms;
	delivery->warn_ms = model->warn_ms;
	delivery->last_attempt_ms = model->last_attempt_ms;
	spool_text_set(&delivery->route, model->route);
	spool_text_set(&delivery->reply, model->reply);
	return delivery;
}

/* Looks from the end: the last one made for a hop is the one with room. */
static struct spool_delivery *find_room(struct list *deliveries, struct span hop)
{
	for (struct list *at = deliveries->prev; at != deliveries; at = at->prev) {
		struct spool_delivery *delivery = LIST_ENTRY(at, struct spool_delivery, link);
		if (span_equal(delivery->hop, hop))
			return delivery->recipient_count < SPOOL_RECIPIENTS_MAX ? delivery : NULL;
	}
	return NULL;
}

struct spool_delivery *spool_delivery_move(
    struct spool_delivery *delivery, unsigned index, struct span hop, struct list *more)
{
	assert(index < delivery->recipient_count);
	struct spool_delivery *to = find_room(more, hop);
	if (to == NULL) {
		to = delivery_like(delivery, hop);
		list_append(more, &to->link);
	}
	*recipient_room(to) = delivery->recipients[index];
	delivery->recipient_count--;
	memmove(&delivery->recipients[index], &delivery->recipients[index + 1],
	    (delivery->recipient_count - index) * sizeof(*delivery->recipients));
	return to;
}

struct spool_draft *spool_draft_create(struct spool_message **message)
{
	struct spool_draft *draft = MEM_NEW(struct spool_draft);
	draft->message = *message;
	*message = NULL;
	list_init(&draft->deliveries);
	return draft;
}

static void deliveries_destroy(struct list *deliveries)
{
	struct list *link;
	while ((link = list_take_first(deliveries)) != NULL) {
		struct spool_delivery *delivery = LIST_ENTRY(link, struct spool_delivery, link);
		spool_delivery_destroy(&delivery);
	}
}

void spool_draft_destroy(struct spool_draft **draft)
{
	struct spool_draft *gone = *draft;
	*draft = NULL;
	if (gone == NULL)
		return;
	deliveries_destroy(&gone->deliveries);
	spool_body_unref(&gone->body);
	spool_message_unref(&gone->message);
	mem_free(gone);
}

struct spool_delivery *spool_draft_add(
    struct spool_draft *draft, struct span hop, struct span address)
{
	struct spool_delivery *delivery = find_room(&draft->deliveries, hop);
	if (delivery == NULL) {
		delivery = spool_delivery_create(draft->message, hop);
		delivery->number = draft->delivery_count++;
		list_append(&draft->deliveries, &delivery->link);
	}
	spool_delivery_add(delivery, address);
	return delivery;
}

void spool_draft_set_body(struct spool_draft *draft, struct buf *bytes)
{
	assert(draft->body == NULL && bytes->len <= SPOOL_BODY_MEMORY_MAX);
	draft->message->size = bytes->len;
	draft->body = spool_body_create(bytes);
}

struct spool_result *spool_result_create(struct spool_delivery **delivery)
{
	struct spool_result *result = MEM_NEW(struct spool_result);
	result->delivery = *delivery;
	*delivery = NULL;
	list_init(&result->more);
	return result;
}

void spool_result_destroy(struct spool_result **result)
{
	struct spool_result *gone = *result;
	*result = NULL;
	if (gone == NULL)
		return;
	spool_delivery_destroy(&gone->delivery);
	deliveries_destroy(&gone->more);
	spool_draft_destroy(&gone->bounce);
	mem_free(gone);
}
