/* SPDX-License-Identifier: MIT */
#include "smtp/server_private.h"

#include <inttypes.h>
#include <stdio.h>

enum { CONTENT_BEYOND_FACTOR = 4, FINAL_DOT_LEN = 3 };

void smtp_server_push_content(struct smtp_server *s, struct span content)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_CONTENT };

	event.content = content;
	smtp_server_push(s, &event);
}

void smtp_server_observe_content(struct smtp_server *s, uint64_t octets)
{
	char text[32];
	int len;

	if (!s->observe)
		return;
	len = snprintf(text, sizeof(text), "%" PRIu64, octets);
	smtp_server_observe_line(s, SMTP_LINE_KIND_CONTENT, span_of(text, (size_t)len));
}

void smtp_server_push_message(struct smtp_server *s)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_MESSAGE };

	event.message.octets = s->reader.octets;
	s->owed = SMTP_OWED_MESSAGE;
	smtp_server_push(s, &event);
}

void smtp_server_refuse(struct smtp_server *s, enum smtp_refusal reason)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_REFUSED };

	event.refused.reason = reason;
	event.refused.line = s->reader.line;
	event.refused.octets = s->reader.octets;
	/* How far beyond depends on how the bytes came in pieces. */
	if (reason == SMTP_REFUSAL_TOO_LARGE)
		event.refused.octets = s->settings->size_max_bytes;
	s->refused = true;
	s->refusal = reason;
	s->refused_line = s->reader.line;
	smtp_server_push(s, &event);
}

void smtp_server_reply_refused(struct smtp_server *s)
{
	switch (s->refusal) {
	case SMTP_REFUSAL_BARE_LF:
	case SMTP_REFUSAL_BARE_CR:
		smtp_server_reply(s, SMTP_REPLY_BARE_NEWLINE,
		    "Line %" PRIu64 " of the message holds a %s alone; only CR LF ends a line",
		    s->refused_line, s->refusal == SMTP_REFUSAL_BARE_LF ? "LF" : "CR");
		return;
	case SMTP_REFUSAL_TOO_LARGE:
		smtp_server_reply(s, SMTP_REPLY_TOO_LARGE,
		    "The message is larger than the limit of %" PRIu64 " octets",
		    s->settings->size_max_bytes);
		return;
	}
}

uint64_t smtp_server_content_beyond(const struct smtp_server *s)
{
	uint64_t max = s->settings->size_max_bytes;

	return max > UINT64_MAX / CONTENT_BEYOND_FACTOR ? UINT64_MAX : max * CONTENT_BEYOND_FACTOR;
}

/* Whether the end has come is the same however the bytes came in pieces, since the limit holds
   for what is taken together with the end, too. */
static bool step_discard(struct smtp_server *s, struct span *input)
{
	size_t before_len = input->len;
	bool ended = smtp_data_discard(&s->reader, input, &s->discarded);
	uint64_t octets = s->reader.octets + s->discarded;

	if (octets > smtp_server_content_beyond(s)) {
		smtp_server_observe_content(s, smtp_server_content_beyond(s));
		smtp_server_close(s, SMTP_CLOSE_CONTENT, SMTP_REPLY_CLOSING_CONTENT, NULL);
		return true;
	}
	if (ended) {
		smtp_server_observe_content(s, octets - FINAL_DOT_LEN);
		smtp_server_reply_refused(s);
		smtp_server_enter(s, SMTP_PHASE_READY);
	}
	return ended || input->len != before_len;
}

bool smtp_server_step_content(struct smtp_server *s, struct span *input)
{
	struct span content;

	if (s->refused)
		return step_discard(s, input);
	switch (smtp_data_read(&s->reader, input, &content)) {
	case SMTP_DATA_NEED_MORE:
		return false;
	case SMTP_DATA_CONTENT:
		if (s->reader.octets > s->settings->size_max_bytes)
			smtp_server_refuse(s, SMTP_REFUSAL_TOO_LARGE);
		else
			smtp_server_push_content(s, content);
		return true;
	case SMTP_DATA_END:
		smtp_server_observe_content(s, s->reader.octets);
		s->quirks[SMTP_QUIRK_BARE_LF] += s->reader.bare_lfs > 0;
		s->input_behind = input->len > 0;
		smtp_server_push_message(s);
		return true;
	case SMTP_DATA_BARE_LF:
		s->quirks_missed |= SMTP_QUIRK_BIT(SMTP_QUIRK_BARE_LF);
		smtp_server_refuse(s, SMTP_REFUSAL_BARE_LF);
		return true;
	case SMTP_DATA_BARE_CR:
		smtp_server_refuse(s, SMTP_REFUSAL_BARE_CR);
		return true;
	}
	return false;
}
