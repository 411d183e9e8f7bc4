/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_EVENTS_H
#define FRANK_RELAY_EVENTS_H

/*
 * The events of the log: one row each in the table of events.c, with the name that stands in the
 * line, its level and its meaning. The manual's section is printed from the same table.
 */

#include "base/log.h"

enum event {
	EVENT_STARTED,
	EVENT_STOPPING,
	EVENT_STOPPED,
	EVENT_LISTENING,
	EVENT_LISTENING_ENDED,
	EVENT_ACCEPT_TROUBLE,
	EVENT_CONFIG_WARNING,
	EVENT_RELOADED,
	EVENT_RELOAD_REFUSED,
	EVENT_CERTIFICATE_SHOWN,
	EVENT_CERTIFICATE_CHANGED,
	EVENT_CERTIFICATE_EXPIRES,
	EVENT_PASSWORD_CHANGED,
	EVENT_STATE_TROUBLE,
	EVENT_SESSION_REFUSED,
	EVENT_SESSION_CLOSED,
	EVENT_TLS_FAILED,
	EVENT_TLS_INJECTION,
	EVENT_QUIRK_MISSING,
	EVENT_AUTH_SUCCEEDED,
	EVENT_AUTH_FAILED,
	EVENT_AUTH_UNAVAILABLE,
	EVENT_STORE_DOWN,
	EVENT_STORE_UP,
	EVENT_BANNED,
	EVENT_BANS_CHANGED,
	EVENT_XCLIENT,
	EVENT_LIMIT_REACHED,
	EVENT_SENDER_REFUSED,
	EVENT_RECIPIENT_REFUSED,
	EVENT_MESSAGE_ACCEPTED,
	EVENT_MESSAGE_REFUSED,
	EVENT_MESSAGE_DROPPED,
	EVENT_DELIVERED,
	EVENT_DEFERRED,
	EVENT_BOUNCED,
	EVENT_HELD,
	EVENT_DELAY_WARNED,
	EVENT_HOP_PAUSED,
	EVENT_HOP_WAITS,
	EVENT_HOP_RESUMED,
	EVENT_HOP_CROWDED,
	EVENT_HOP_LEARNED,
	EVENT_HEADER_KEPT,
	EVENT_MESSAGE_BROKEN,
	EVENT_QUEUE_CHANGED,
	EVENT_ADMIN_TROUBLE,
	EVENT_TOKEN_REFRESHED,
	EVENT_TOKEN_TROUBLE,
	EVENT_TOKEN_BROKEN,
	EVENT_COUNT,
};

const char *event_name(enum event event);
enum log_level event_level(enum event event);
const char *event_meaning(enum event event); /* a sentence for the manual */

/* log_begin() with the event's name and level. */
void event_begin(struct log_line *line, enum event event);
/* The whole of it for events with one sentence. */
void event_sentence(enum event event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
