/* SPDX-License-Identifier: MIT */
#include "smtp/server_private.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { ERRORS_MAX_DEFAULT = 20 };

void smtp_server_observe_line(struct smtp_server *s, enum smtp_line_kind kind, struct span text)
{
	if (s->observe)
		s->observe(s->observe_context, kind, text);
}

void smtp_server_observe_replies(struct smtp_server *s, size_t before_len)
{
	struct span lines, line;

	/* Replies that are deferred are shown when they are sent. */
	if (!s->observe || s->output == &s->deferred)
		return;
	lines = span_skip(buf_span(s->output), before_len);
	while (span_take_until(&lines, '\n', &line)) {
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		s->observe(s->observe_context, SMTP_LINE_KIND_REPLY, line);
	}
}

void smtp_server_observe_payload(struct smtp_server *s, struct span mechanism, size_t len)
{
	char text[64];
	int text_len;

	if (!s->observe)
		return;
	if (mechanism.len > 32)
		mechanism = span_head(mechanism, 32);
	text_len = snprintf(text, sizeof(text), "%.*s %zu", SPAN_ARG(mechanism), len);
	s->observe(
	    s->observe_context, SMTP_LINE_KIND_AUTH_PAYLOAD, span_of(text, (size_t)text_len));
}

static void append_reply(struct smtp_server *s, enum smtp_reply_id id, struct span text)
{
	size_t before_len = s->output->len;

	/* next() has seen to the room; only a session that is closed from outside may lack it. */
	if (smtp_reply_append(s->output, id, text))
		smtp_server_observe_replies(s, before_len);
}

void smtp_server_vreply(
    struct smtp_server *s, enum smtp_reply_id id, const char *format, va_list arguments)
{
	char text[SMTP_REPLY_TEXT_MAX + 1];
	int len;

	if (!format) {
		append_reply(s, id, SPAN(""));
		return;
	}
	len = vsnprintf(text, sizeof(text), format, arguments);
	assert(len >= 0);
	append_reply(
	    s, id, span_of(text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1));
}

void smtp_server_reply(struct smtp_server *s, enum smtp_reply_id id, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	smtp_server_vreply(s, id, format, arguments);
	va_end(arguments);
}

void smtp_server_error(struct smtp_server *s, enum smtp_reply_id id, const char *format, ...)
{
	unsigned errors_max =
	    s->settings->errors_max ? s->settings->errors_max : ERRORS_MAX_DEFAULT;
	va_list arguments;

	va_start(arguments, format);
	smtp_server_vreply(s, id, format, arguments);
	va_end(arguments);
	if (++s->errors >= errors_max)
		smtp_server_close(s, SMTP_CLOSE_ERRORS, SMTP_REPLY_CLOSING_ERRORS, NULL);
}

void smtp_server_push(struct smtp_server *s, const struct smtp_server_event *event)
{
	assert(s->queued_count < ARRAY_LEN(s->queued));
	s->queued[s->queued_count++] = *event;
}

bool smtp_server_take_queued(struct smtp_server *s, struct smtp_server_event *event_out)
{
	if (s->queued_count == 0)
		return false;
	*event_out = s->queued[0];
	s->queued_count--;
	memmove(&s->queued[0], &s->queued[1], s->queued_count * sizeof(s->queued[0]));
	return true;
}
