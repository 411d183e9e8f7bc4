/* SPDX-License-Identifier: MIT */
#include "relay/watch.h"

#include "base/base64.h"
#include "sasl/describe.h"

#include <stdatomic.h>

/* Control has other things to do than to follow a lane at full speed. */
static void tell(struct lane *lane, struct relay_mail_trace *mail)
{
	if (atomic_load_explicit(&lane->watch_unread, memory_order_relaxed) >= WATCH_UNREAD_MAX) {
		lane->watch_dropped++;
		trace_line_fini(&mail->line);
		mem_free(mail);
		return;
	}
	atomic_fetch_add_explicit(&lane->watch_unread, 1, memory_order_relaxed);
	mail->unread = &lane->watch_unread;
	mail->dropped = lane->watch_dropped;
	lane->watch_dropped = 0;
	mail->mail.kind = RELAY_MAIL_TRACE;
	lane_tell_control(lane, &mail->mail);
}

void watch_line(struct lane *lane, const struct trace_dialogue *dialogue, enum smtp_line_kind kind,
    struct span text, bool tls_active)
{
	struct relay_mail_trace *mail = MEM_NEW(struct relay_mail_trace);

	trace_line_init(
	    &mail->line, dialogue, kind, text, tls_active, net_loop_wall_ms(&lane->loop));
	tell(lane, mail);
}

void watch_note(
    struct lane *lane, const struct trace_dialogue *dialogue, const char *text, bool tls_active)
{
	struct relay_mail_trace *mail;

	if (lane->watchers == 0)
		return;
	mail = MEM_NEW(struct relay_mail_trace);
	trace_line_init_note(
	    &mail->line, dialogue, text, tls_active, net_loop_wall_ms(&lane->loop));
	tell(lane, mail);
}

static struct trace_dialogue dialogue_of(const struct session *s)
{
	return (struct trace_dialogue){
		.number = s->number,
		.role = TRACE_ROLE_SERVER,
		.peer = conn_peer_text(s->conn),
		.login = s->login,
		.message = s->submission ? s->submission->id : 0,
	};
}

/* A payload that no mechanism got to see (malformed, or at the wrong time) is shown as announced.
 */
static void show_payload_seen(struct session *s)
{
	struct trace_dialogue dialogue = dialogue_of(s);
	char *seen = s->payload_seen;

	if (!seen)
		return;
	s->payload_seen = NULL;
	watch_line(s->lane, &dialogue, SMTP_LINE_KIND_AUTH_PAYLOAD, span_from_string(seen),
	    s->smtp.tls_active);
	mem_free(seen);
}

void watch_session_line(void *context, enum smtp_line_kind kind, struct span text)
{
	struct session *s = context;
	struct trace_dialogue dialogue = dialogue_of(s);

	show_payload_seen(s);
	if (kind == SMTP_LINE_KIND_AUTH_PAYLOAD)
		s->payload_seen = mem_dup(text.data, text.len);
	else
		watch_line(s->lane, &dialogue, kind, text, s->smtp.tls_active);
}

void watch_session_note(struct session *s, const char *text)
{
	struct trace_dialogue dialogue = dialogue_of(s);

	watch_note(s->lane, &dialogue, text, s->smtp.tls_active);
}

void watch_session_payload(
    struct session *s, struct span mechanism, unsigned step, struct span decoded)
{
	struct trace_dialogue dialogue = dialogue_of(s);
	struct buf encoded, shown;

	if (!s->payload_seen)
		return;
	buf_init_secret(&encoded, SMTP_AUTH_LINE_MAX * 2);
	buf_init(&shown, 1024);
	if (base64_encode(&encoded, decoded) &&
	    sasl_describe(mechanism, step, buf_span(&encoded), &shown)) {
		watch_line(s->lane, &dialogue, SMTP_LINE_KIND_AUTH_PAYLOAD, buf_span(&shown),
		    s->smtp.tls_active);
		mem_free(s->payload_seen);
		s->payload_seen = NULL;
	}
	buf_fini(&encoded);
	buf_fini(&shown);
}
