/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_WATCH_H
#define FRANK_RELAY_WATCH_H

/*
 * Dialogues as they happen, for `frank trace --follow`: while somebody looks, each classified line
 * goes to control as a RELAY_MAIL_TRACE. While nobody does, the machines have no observer and all
 * of this costs one comparison. A lane has at most WATCH_UNREAD_MAX lines on their way; more are
 * dropped, and a note says how many.
 */

#include "relay/session.h"
#include "trace/line.h"

#define WATCH_UNREAD_MAX 10000

struct relay_mail_trace {
	struct relay_mail mail;
	struct trace_line line;
	uint64_t dropped;         /* lines that should stand before this one */
	_Atomic unsigned *unread; /* of the lane; control takes one off */
};

/* The observer of a session's machine; context is the session. */
void watch_session_line(void *context, enum smtp_line_kind kind, struct span text);
/* Not said by anybody: "connected". */
void watch_session_note(struct session *s, const char *text);
/* An AUTH payload, decoded, which stands for the one that the machine has just announced. */
void watch_session_payload(
    struct session *s, struct span mechanism, unsigned step, struct span decoded);

/* The same for other dialogues of a lane. */
void watch_line(struct lane *lane, const struct trace_dialogue *dialogue, enum smtp_line_kind kind,
    struct span text, bool tls_active);
void watch_note(
    struct lane *lane, const struct trace_dialogue *dialogue, const char *text, bool tls_active);

#endif
