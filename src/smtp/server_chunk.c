/* SPDX-License-Identifier: MIT */
#include "smtp/server_private.h"

#include <inttypes.h>

/*
 * BDAT (RFC 3030). The octets of a chunk follow its command at once and without any leave, so that
 * they are read whatever the answer to the command is: were they taken for commands, whoever writes
 * a message could write commands. A command whose number cannot be read leaves only closing.
 */

struct buf *smtp_server_defer(struct smtp_server *s)
{
	struct buf *output = s->output;

	buf_clear(&s->deferred);
	s->output = &s->deferred;
	return output;
}

static void flush_deferred(struct smtp_server *s)
{
	size_t before_len = s->output->len;

	if (buf_append(s->output, buf_span(&s->deferred)))
		smtp_server_observe_replies(s, before_len);
	buf_clear(&s->deferred);
}

void smtp_server_undefer(struct smtp_server *s, struct buf *output)
{
	s->output = output;
	if (s->phase == SMTP_PHASE_CLOSED)
		flush_deferred(s);
}

/* "BDAT 86 LAST". */
static bool parse(struct span arguments, uint64_t *size_out, bool *last_out)
{
	struct span word;

	if (!span_take_word(&arguments, &word) || word.len > 20 || !span_to_u64(word, size_out))
		return false;
	*last_out = span_take_word(&arguments, &word);
	return !*last_out ||
	       (span_equal_nocase(word, SPAN("LAST")) && !span_take_word(&arguments, &word));
}

bool smtp_server_open_chunk(struct smtp_server *s, const struct smtp_command *command)
{
	uint64_t size;
	bool last;

	if (!parse(command->arguments, &size, &last)) {
		smtp_server_close(s, SMTP_CLOSE_CHUNK, SMTP_REPLY_CLOSING_CHUNK, NULL);
		return false;
	}
	if (size > smtp_server_content_beyond(s)) {
		smtp_server_close(s, SMTP_CLOSE_CONTENT, SMTP_REPLY_CLOSING_CONTENT, NULL);
		return false;
	}
	s->in_chunk = true;
	s->chunk_is_last = last;
	s->chunk_is_discarded = false;
	s->chunk_left = s->chunk_octets = size;
	return true;
}

void smtp_server_enter_chunk(struct smtp_server *s, bool allowed)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_DATA };
	uint64_t before = s->phase == SMTP_PHASE_CHUNKS ? s->reader.octets : 0;

	if (s->phase == SMTP_PHASE_CLOSED)
		return;
	if (!allowed) {
		/* A message that lacks one of its chunks is another message. */
		if (s->phase == SMTP_PHASE_CHUNKS)
			smtp_server_abort(s, SMTP_ABORT_CHUNK);
		s->chunk_is_discarded = true;
	} else if (before + s->chunk_octets > s->settings->size_max_bytes) {
		smtp_server_refuse(s, SMTP_REFUSAL_TOO_LARGE);
		s->chunk_is_discarded = true;
	} else if (s->phase == SMTP_PHASE_RCPT) {
		s->owed = SMTP_OWED_CHUNK;
		smtp_server_push(s, &event);
	}
}

void smtp_server_begin_chunks(struct smtp_server *s, bool accepted)
{
	smtp_data_reader_init(&s->reader);
	s->chunk_is_discarded = !accepted;
	if (accepted)
		smtp_server_enter(s, SMTP_PHASE_CHUNKS);
}

static void end_discarded(struct smtp_server *s)
{
	s->in_chunk = false;
	smtp_server_observe_content(s, s->chunk_octets);
	if (s->refused) {
		smtp_server_reply_refused(s);
		smtp_server_enter(s, SMTP_PHASE_READY);
	} else {
		flush_deferred(s);
	}
}

static bool step_discarded(struct smtp_server *s, struct span *input)
{
	size_t len = s->chunk_left < input->len ? (size_t)s->chunk_left : input->len;

	*input = span_skip(*input, len);
	s->chunk_left -= len;
	if (s->chunk_left == 0)
		end_discarded(s);
	return len > 0 || !s->in_chunk;
}

static void refuse_message(struct smtp_server *s, enum smtp_refusal reason)
{
	smtp_server_refuse(s, reason);
	smtp_server_reply_refused(s);
	smtp_server_enter(s, SMTP_PHASE_READY);
}

/* The last line of a message ends like the others. */
static void end_message(struct smtp_server *s)
{
	if (!smtp_data_chunks_may_end(&s->reader)) {
		refuse_message(s, SMTP_REFUSAL_BARE_CR);
		return;
	}
	if (!s->reader.at_line_start) {
		s->reader.octets += 2;
		if (s->reader.octets > s->settings->size_max_bytes) {
			refuse_message(s, SMTP_REFUSAL_TOO_LARGE);
			return;
		}
		smtp_server_push_content(s, SPAN("\r\n"));
	}
	smtp_server_push_message(s);
}

static void end_chunk(struct smtp_server *s)
{
	s->in_chunk = false;
	smtp_server_observe_content(s, s->chunk_octets);
	if (s->chunk_is_last)
		end_message(s);
	else
		smtp_server_reply(
		    s, SMTP_REPLY_CHUNK_TAKEN, "%" PRIu64 " octets taken", s->chunk_octets);
}

bool smtp_server_step_chunk(struct smtp_server *s, struct span *input)
{
	struct span content;

	if (s->chunk_is_discarded)
		return step_discarded(s, input);
	switch (smtp_data_read_chunk(&s->reader, input, &s->chunk_left, &content)) {
	case SMTP_DATA_NEED_MORE:
		return false;
	case SMTP_DATA_CONTENT:
		smtp_server_push_content(s, content);
		return true;
	case SMTP_DATA_END:
		end_chunk(s);
		return true;
	case SMTP_DATA_BARE_LF:
		smtp_server_refuse(s, SMTP_REFUSAL_BARE_LF);
		break;
	case SMTP_DATA_BARE_CR:
		smtp_server_refuse(s, SMTP_REFUSAL_BARE_CR);
		break;
	}
	s->chunk_is_discarded = true;
	return true;
}
