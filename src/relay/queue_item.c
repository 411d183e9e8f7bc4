/* SPDX-License-Identifier: MIT */
#include "relay/queue_item.h"

#include "base/memory.h"
#include "relay/admin_json.h"

/* ---- pauses ---- */

void queue_pauses_add(
    struct queue_pauses *pauses, const char *hop, const char *why, int64_t until_ms)
{
	pauses->items = mem_realloc(pauses->items, (pauses->count + 1) * sizeof(*pauses->items));
	pauses->items[pauses->count++] =
	    (struct queue_pause){ mem_strdup(hop), mem_strdup(why), until_ms };
}

void queue_pauses_fini(struct queue_pauses *pauses)
{
	for (size_t i = 0; i < pauses->count; i++) {
		mem_free(pauses->items[i].hop);
		mem_free(pauses->items[i].why);
	}
	mem_free(pauses->items);
	*pauses = (struct queue_pauses){ 0 };
}

static const struct queue_pause *pause_of(const struct queue_pauses *pauses, struct span hop)
{
	for (size_t i = 0; pauses && i < pauses->count; i++)
		if (span_equal(span_from_string(pauses->items[i].hop), hop))
			return &pauses->items[i];
	return NULL;
}

/* ---- recipients ---- */

struct view {
	const struct spool_delivery *delivery;
	const struct queue_pause *pause; /* of its hop, or NULL */
	bool in_hand;
	bool detailed;
};

static enum spool_message_state waiting_state(const struct view *view)
{
	switch (view->delivery->state) {
	case SPOOL_DELIVERY_WAITING:
		return view->in_hand ? SPOOL_MESSAGE_ACTIVE : SPOOL_MESSAGE_DEFERRED;
	case SPOOL_DELIVERY_HELD:
		return SPOOL_MESSAGE_HELD;
	case SPOOL_DELIVERY_BROKEN:
		return SPOOL_MESSAGE_BROKEN;
	case SPOOL_DELIVERY_ENDED:
		break;
	}
	return SPOOL_MESSAGE_DROPPED;
}

static enum spool_message_state state_of(
    const struct view *view, const struct spool_recipient *recipient)
{
	switch (recipient->state) {
	case SPOOL_RECIPIENT_WAITING:
		return waiting_state(view);
	case SPOOL_RECIPIENT_DELIVERED:
		return SPOOL_MESSAGE_DONE;
	case SPOOL_RECIPIENT_FAILED:
		return SPOOL_MESSAGE_BOUNCED;
	case SPOOL_RECIPIENT_DROPPED:
		break;
	}
	return SPOOL_MESSAGE_DROPPED;
}

static struct span reply_of(const struct view *view, const struct spool_recipient *recipient)
{
	if (recipient->reply.len > 0 || recipient->state != SPOOL_RECIPIENT_WAITING)
		return recipient->reply;
	if (view->delivery->reply.len > 0)
		return view->delivery->reply;
	return view->pause ? span_from_string(view->pause->why) : span_of(NULL, 0);
}

static int64_t next_of(const struct view *view)
{
	int64_t next = view->delivery->next_attempt_ms;

	if (view->pause && view->pause->until_ms > next)
		next = view->pause->until_ms;
	return next;
}

static json_t *recipient_json(const struct view *view, const struct spool_recipient *recipient)
{
	const struct spool_delivery *delivery = view->delivery;
	enum spool_message_state state = state_of(view, recipient);
	json_t *object = json_object();

	json_object_set_new(object, "address", admin_json_text(recipient->address));
	json_object_set_new(object, "state", json_string(spool_message_state_name(state)));
	admin_json_set_number(object, "attempts", delivery->attempts);
	if (state == SPOOL_MESSAGE_DEFERRED)
		admin_json_set_time(object, "next", next_of(view));
	admin_json_set_text(object, "reply", reply_of(view, recipient));
	admin_json_set_text(object, "remote_id", recipient->remote_id);
	admin_json_set_text(object, "hop", delivery->hop);
	if (!view->detailed)
		return object;
	admin_json_set_text(object, "route", delivery->route);
	admin_json_set_time(object, "last_attempt", delivery->last_attempt_ms);
	if (state == SPOOL_MESSAGE_DEFERRED || state == SPOOL_MESSAGE_ACTIVE)
		admin_json_set_time(object, "expires", delivery->expires_ms);
	return object;
}

/* ---- messages ---- */

static json_t *recipients_json(const struct spool_entry *entry, struct spool_store *store,
    const struct queue_pauses *pauses, bool detailed)
{
	json_t *array = json_array();

	LIST_FOR_EACH (position, &entry->deliveries) {
		const struct spool_delivery *delivery =
		    LIST_ENTRY(position, struct spool_delivery, link);
		struct view view = {
			.delivery = delivery,
			.pause = pause_of(pauses, delivery->hop),
			.in_hand =
			    delivery->state == SPOOL_DELIVERY_WAITING &&
			    spool_store_is_in_hand(store, entry->message->id, delivery->number),
			.detailed = detailed,
		};
		for (unsigned i = 0; i < delivery->recipient_count; i++)
			json_array_append_new(
			    array, recipient_json(&view, &delivery->recipients[i]));
	}
	return array;
}

json_t *queue_item_json(const struct spool_entry *entry, struct spool_store *store,
    const struct queue_pauses *pauses, bool detailed)
{
	const struct spool_message *message = entry->message;
	const struct spool_envelope *envelope = &message->envelope;
	json_t *object = json_object();

	admin_json_set_id(object, "id", message->id);
	json_object_set_new(object, "state", json_string(spool_message_state_name(entry->state)));
	json_object_set_new(object, "sender", admin_json_text(envelope->reverse_path));
	json_object_set_new(object, "recipients", recipients_json(entry, store, pauses, detailed));
	admin_json_set_number(object, "size", message->size);
	admin_json_set_time(object, "received", envelope->received_ms);
	admin_json_set_text(object, "login", envelope->login);
	admin_json_set_text(object, "client", envelope->client);
	if (!detailed)
		return object;
	admin_json_set_text(object, "helo", envelope->helo);
	admin_json_set_text(object, "listener", envelope->listener);
	admin_json_set_time(object, "ended", entry->ended_ms);
	return object;
}
