/* SPDX-License-Identifier: MIT */
#include "smtp/server_private.h"

#include "base/base64.h"
#include "smtp/line.h"

#include <assert.h>
#include <string.h>

enum {
	AUTH_DATA_MAX = SMTP_AUTH_LINE_MAX / 4 * 3,
	CHALLENGE_MAX = AUTH_DATA_MAX - 6,
	AUTH_FAILURES_MAX_DEFAULT = 5,
	OVERLONG_OCTETS_MAX = 1024 * 1024,
	DEFERRED_MAX = 8192,       /* two replies of the longest text */
	TLS_HANDSHAKE_BYTE = 0x16, /* RFC 8446, 5.1: ContentType handshake */
};

void smtp_server_init(
    struct smtp_server *s, const struct smtp_server_settings *settings, struct buf *output)
{
	assert(settings->hostname && settings->size_max_bytes > 0 && settings->recipients_max > 0);
	assert(output->max >= 2 * SMTP_SERVER_OUTPUT_ROOM);
	*s = (struct smtp_server){ .settings = settings, .output = output };
	s->tls_active = settings->tls_active;
	s->allowed = settings->quirks;
	buf_init_secret(&s->auth_data, AUTH_DATA_MAX);
	s->auth_mechanisms = settings->auth_mechanisms;
	buf_init(&s->deferred, DEFERRED_MAX);
	smtp_data_reader_init(&s->reader);
}

void smtp_server_fini(struct smtp_server *s)
{
	buf_fini(&s->auth_data);
	buf_fini(&s->deferred);
}

void smtp_server_observe(struct smtp_server *s,
    void (*observe)(void *context, enum smtp_line_kind kind, struct span text), void *context)
{
	s->observe = observe;
	s->observe_context = context;
}

void smtp_server_greet(struct smtp_server *s)
{
	const char *greeting = s->settings->greeting ? s->settings->greeting : "Frank";

	assert(s->phase == SMTP_PHASE_START);
	smtp_server_reply(s, SMTP_REPLY_GREETING, "%s ESMTP %s", s->settings->hostname, greeting);
	smtp_server_enter(s, SMTP_PHASE_GREETED);
}

void smtp_server_turn_away(struct smtp_server *s, enum smtp_reply_id id, const char *text)
{
	assert(s->phase == SMTP_PHASE_START || s->owed == SMTP_OWED_XCLIENT);
	smtp_server_close(s, SMTP_CLOSE_TURNED_AWAY, id, text);
}

/* The session is between two commands, or between two lines of an AUTH exchange. */
static bool is_at_boundary(const struct smtp_server *s)
{
	return !smtp_server_in_content(s) && !s->owed;
}

static bool input_begins_with_auth(struct span input)
{
	return input.len > 4 && span_starts_with_nocase(input, SPAN("AUTH")) &&
	       (input.data[4] == ' ' || input.data[4] == '\t');
}

static size_t line_limit(const struct smtp_server *s, struct span input)
{
	if (s->phase == SMTP_PHASE_AUTH)
		return SMTP_AUTH_LINE_MAX;
	/* "AUTH", the mechanism's name (at most 20), and the blanks. */
	return input_begins_with_auth(input) ? SMTP_AUTH_LINE_MAX + 32 : SMTP_COMMAND_LINE_MAX;
}

static void refuse_overlong(struct smtp_server *s)
{
	smtp_server_observe_payload(s, SPAN("?"), (size_t)s->overlong_octets);
	if (s->phase == SMTP_PHASE_AUTH) {
		smtp_server_cancel_auth(s);
		smtp_server_error(s, SMTP_REPLY_AUTH_TOO_LONG, NULL);
	} else if (s->overlong_limit > SMTP_COMMAND_LINE_MAX) {
		smtp_server_error(s, SMTP_REPLY_AUTH_TOO_LONG, NULL);
	} else {
		smtp_server_error(s, SMTP_REPLY_LINE_TOO_LONG,
		    "The line is too long; a command may have %d octets", SMTP_COMMAND_LINE_MAX);
	}
}

static bool step_overlong(struct smtp_server *s, struct span *input)
{
	size_t before_len = input->len;
	bool ended =
	    smtp_server_takes_lf(s) ? smtp_line_discard_lf(input) : smtp_line_discard(input);

	s->overlong_octets += before_len - input->len;
	if (s->overlong_octets > OVERLONG_OCTETS_MAX) {
		smtp_server_close(s, SMTP_CLOSE_LINE, SMTP_REPLY_CLOSING_LINE, NULL);
		return true;
	}
	if (ended) {
		s->line_overlong = false;
		refuse_overlong(s);
	}
	return ended || input->len != before_len;
}

static void take_line(struct smtp_server *s, struct span line)
{
	s->bare_lf_waiting = false;
	if (s->phase == SMTP_PHASE_AUTH)
		smtp_server_take_auth_line(s, line);
	else
		smtp_server_take_command(s, line);
}

static enum smtp_line_result next_line(
    struct smtp_server *s, struct span *input, size_t limit, struct span *line_out)
{
	enum smtp_line_result result;
	bool was_bare = false;

	if (!smtp_server_takes_lf(s))
		return smtp_line_take(input, limit, line_out);
	result = smtp_line_take_lf(input, limit, line_out, &was_bare);
	s->quirks[SMTP_QUIRK_BARE_LF] += was_bare;
	return result;
}

static bool step_line(struct smtp_server *s, struct span *input)
{
	size_t limit = line_limit(s, *input);
	struct span line;

	if (s->phase == SMTP_PHASE_GREETED && !s->tls_active && input->len > 0 &&
	    input->data[0] == TLS_HANDSHAKE_BYTE) {
		smtp_server_close(s, SMTP_CLOSE_TLS_HELLO, SMTP_REPLY_CLOSING_TLS_HELLO, NULL);
		return true;
	}
	switch (next_line(s, input, limit, &line)) {
	case SMTP_LINE_COMPLETE:
	case SMTP_LINE_BARE_NEWLINE:
		take_line(s, line);
		return true;
	case SMTP_LINE_NEED_MORE:
		s->bare_lf_waiting = span_find(*input, '\n') < input->len;
		return false;
	case SMTP_LINE_TOO_LONG:
		s->line_overlong = true;
		s->overlong_octets = 0;
		s->overlong_limit = limit;
		return true;
	}
	return false;
}

static bool step(struct smtp_server *s, struct span *input)
{
	if (s->in_chunk)
		return smtp_server_step_chunk(s, input);
	if (s->phase == SMTP_PHASE_CONTENT)
		return smtp_server_step_content(s, input);
	return s->line_overlong ? step_overlong(s, input) : step_line(s, input);
}

static bool takes_nothing(const struct smtp_server *s)
{
	return s->owed || s->phase == SMTP_PHASE_START || s->phase == SMTP_PHASE_TLS ||
	       s->phase == SMTP_PHASE_CLOSED;
}

enum smtp_server_event_kind smtp_server_next(
    struct smtp_server *s, struct span *input, struct smtp_server_event *event_out)
{
	for (;;) {
		if (smtp_server_take_queued(s, event_out))
			return event_out->kind;
		if (takes_nothing(s)) {
			if (input->len > 0)
				smtp_server_note_input(s);
			return event_out->kind = SMTP_SERVER_WAIT;
		}
		if (s->output->max - s->output->len < SMTP_SERVER_OUTPUT_ROOM)
			return event_out->kind = SMTP_SERVER_NEED_OUTPUT;
		if (s->shutting_down && is_at_boundary(s))
			smtp_server_close(
			    s, SMTP_CLOSE_SHUTDOWN, SMTP_REPLY_CLOSING_SHUTDOWN, NULL);
		else if (!step(s, input))
			return event_out->kind = SMTP_SERVER_NEED_INPUT;
	}
}

void smtp_server_allow(struct smtp_server *s, unsigned quirks)
{
	s->allowed = s->settings->quirks | quirks;
}

void smtp_server_note_input(struct smtp_server *s)
{
	if (s->owed == SMTP_OWED_MESSAGE)
		s->input_behind = true;
}

static bool is_success(enum smtp_reply_id id)
{
	return smtp_reply_get(id)->code < 400;
}

/* What the answer does to the phase. */
static void settle(struct smtp_server *s, unsigned owed, bool accepted)
{
	switch ((enum smtp_owed)owed) {
	case SMTP_OWED_MAIL:
		if (accepted)
			smtp_server_enter(s, SMTP_PHASE_MAIL);
		break;
	case SMTP_OWED_RCPT:
		s->recipients += accepted;
		if (accepted)
			smtp_server_forgive_command(s);
		if (accepted)
			smtp_server_enter(s, SMTP_PHASE_RCPT);
		break;
	case SMTP_OWED_DATA:
		smtp_data_reader_init(&s->reader);
		s->reader.takes_lf = smtp_server_takes_lf(s);
		if (accepted)
			smtp_server_enter(s, SMTP_PHASE_CONTENT);
		break;
	case SMTP_OWED_CHUNK:
		smtp_server_begin_chunks(s, accepted);
		break;
	case SMTP_OWED_MESSAGE:
		if (accepted)
			s->errors = s->commands = 0;
		smtp_server_enter(s, SMTP_PHASE_READY);
		break;
	case SMTP_OWED_XCLIENT:
		assert(!accepted);
		break;
	case SMTP_OWED_NOTHING:
	case SMTP_OWED_AUTH:
		assert(!"no answer is owed");
	}
}

static void close_after_421(struct smtp_server *s)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_CLOSE };

	event.close = SMTP_CLOSE_ANSWERED;
	smtp_server_abort(s, SMTP_ABORT_CLOSE);
	smtp_server_enter(s, SMTP_PHASE_CLOSED);
	smtp_server_push(s, &event);
}

/* What is said to a chunk is sent when it has been read. */
static struct buf *defer_for_chunk(struct smtp_server *s)
{
	return s->owed == SMTP_OWED_CHUNK ? smtp_server_defer(s) : NULL;
}

void smtp_server_answer(struct smtp_server *s, enum smtp_reply_id id, const char *format, ...)
{
	struct buf *output = defer_for_chunk(s);
	unsigned owed = s->owed;
	va_list arguments;

	assert(owed && owed != SMTP_OWED_AUTH);
	va_start(arguments, format);
	/* A chunk needs no leave. */
	if (owed != SMTP_OWED_CHUNK || !is_success(id))
		smtp_server_vreply(s, id, format, arguments);
	va_end(arguments);
	s->owed = SMTP_OWED_NOTHING;
	settle(s, owed, is_success(id));
	if (smtp_reply_get(id)->code == 421)
		close_after_421(s);
	if (output)
		smtp_server_undefer(s, output);
}

void smtp_server_answer_custom(
    struct smtp_server *s, unsigned code, const char *enhanced, const char *text)
{
	struct smtp_reply reply = { .code = code, .enhanced = enhanced, .text = text };
	struct buf *output = defer_for_chunk(s);
	unsigned owed = s->owed;
	size_t before_len = s->output->len;

	assert(owed && owed != SMTP_OWED_AUTH && code >= 400);
	if (smtp_reply_append_custom(s->output, &reply, SPAN("")))
		smtp_server_observe_replies(s, before_len);
	s->owed = SMTP_OWED_NOTHING;
	settle(s, owed, false);
	if (code == 421)
		close_after_421(s);
	if (output)
		smtp_server_undefer(s, output);
}

void smtp_server_auth_challenge(struct smtp_server *s, struct span challenge)
{
	size_t before_len = s->output->len;

	assert(s->owed == SMTP_OWED_AUTH && challenge.len <= CHALLENGE_MAX);
	buf_append(s->output, SPAN("334 "));
	base64_encode(s->output, challenge);
	buf_append(s->output, SPAN("\r\n"));
	smtp_server_observe_replies(s, before_len);
	s->owed = SMTP_OWED_NOTHING;
}

static void end_exchange(struct smtp_server *s)
{
	assert(s->owed == SMTP_OWED_AUTH);
	s->owed = SMTP_OWED_NOTHING;
	buf_fini(&s->auth_data);
	smtp_server_enter(s, SMTP_PHASE_READY);
}

void smtp_server_auth_success(struct smtp_server *s)
{
	end_exchange(s);
	s->authenticated = true;
	smtp_server_reply(s, SMTP_REPLY_AUTHENTICATED, NULL);
}

void smtp_server_auth_failure(struct smtp_server *s, enum smtp_reply_id id, const char *text)
{
	unsigned failures_max = s->settings->auth_failures_max ? s->settings->auth_failures_max
							       : AUTH_FAILURES_MAX_DEFAULT;

	assert(!is_success(id));
	end_exchange(s);
	smtp_server_reply(s, id, text ? "%s" : NULL, text);
	if (smtp_reply_get(id)->code == 421)
		close_after_421(s);
	else if (smtp_reply_get(id)->code >= 500 && ++s->auth_failures >= failures_max)
		smtp_server_close(
		    s, SMTP_CLOSE_AUTH_FAILURES, SMTP_REPLY_CLOSING_AUTH_FAILURES, NULL);
}

void smtp_server_offer_auth(struct smtp_server *s, const char *mechanisms)
{
	assert(s->phase != SMTP_PHASE_AUTH);
	s->auth_mechanisms = mechanisms;
	s->mechanism = SPAN("");
}

void smtp_server_tls_started(struct smtp_server *s)
{
	assert(s->phase == SMTP_PHASE_TLS);
	s->tls_active = true;
	s->extended = s->hello_done = s->authenticated = false;
	s->hello_name[0] = '\0';
	smtp_server_enter(s, SMTP_PHASE_GREETED);
}

void smtp_server_shutdown(struct smtp_server *s)
{
	s->shutting_down = true;
}

/* What bare LFs have to do with it that nothing more came; NULL: nothing. */
static const char *explain_silence(struct smtp_server *s)
{
	bool in_content = s->phase == SMTP_PHASE_CONTENT;

	if (in_content && s->reader.lone_dot)
		return "Waited too long for CR LF . CR LF, which alone ends a message: LF . LF "
		       "came; closing";
	if (in_content && s->refused && s->refusal == SMTP_REFUSAL_BARE_LF)
		return "Waited too long for CR LF . CR LF, which alone ends a message: an LF "
		       "alone came; closing";
	if (!s->bare_lf_waiting)
		return NULL;
	s->quirks_missed |= SMTP_QUIRK_BIT(SMTP_QUIRK_BARE_LF);
	return "Waited too long for CR LF, which alone ends a line: an LF came; closing";
}

void smtp_server_timeout(struct smtp_server *s)
{
	const char *text = explain_silence(s);

	smtp_server_close(s, SMTP_CLOSE_TIMEOUT, SMTP_REPLY_CLOSING_IDLE, text);
}

bool smtp_server_answer_is_owed(const struct smtp_server *s)
{
	return s->owed != SMTP_OWED_NOTHING;
}

bool smtp_server_in_content(const struct smtp_server *s)
{
	return s->phase == SMTP_PHASE_CONTENT || s->in_chunk;
}

enum smtp_phase smtp_server_phase(const struct smtp_server *s)
{
	return s->phase;
}

struct span smtp_server_hello_name(const struct smtp_server *s)
{
	return span_from_string(s->hello_name);
}
