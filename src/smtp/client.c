/* SPDX-License-Identifier: MIT */
#include "smtp/client.h"

#include "base/memory.h"
#include "smtp/client_foreign.h"
#include "smtp/client_internal.h"

#include <assert.h>

static bool is_sound_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		if ((unsigned char)name.data[i] <= ' ')
			return false;
	}
	return name.len > 0 && name.len <= 255;
}

void smtp_client_init(
    struct smtp_client *c, const struct smtp_client_settings *settings, struct buf *output)
{
	assert(output->max >= SMTP_CLIENT_OUTPUT_MIN);
	assert(is_sound_name(settings->ehlo_name));
	*c = (struct smtp_client){
		.settings = *settings,
		.output = output,
		.tls_active = settings->tls_active,
	};
	smtp_reply_parser_init(&c->parser);
	buf_init(&c->challenge, SMTP_RECEIVED_OCTETS_KEPT);
}

void smtp_client_fini(struct smtp_client *c)
{
	smtp_reply_parser_fini(&c->parser);
	buf_fini(&c->challenge);
	mem_free(c->accepted);
	c->accepted = NULL;
}

void smtp_client_observe(struct smtp_client *c,
    void (*observe)(void *context, enum smtp_line_kind kind, struct span text), void *context)
{
	c->observe = observe;
	c->observe_context = context;
}

void smtp_client_conceal(struct smtp_client *c, const struct conceal *secrets)
{
	c->parser.conceal = secrets;
}

void smtp_client_show(struct smtp_client *c, enum smtp_line_kind kind, struct span text)
{
	if (c->observe)
		c->observe(c->observe_context, kind, text);
}

bool smtp_client_command(struct smtp_client *c, const char *format, ...)
{
	size_t begin = c->output->len;
	va_list arguments;
	bool fits;

	va_start(arguments, format);
	fits = buf_vprintf(c->output, format, arguments);
	va_end(arguments);
	if (!fits || !buf_append(c->output, SPAN("\r\n"))) {
		buf_truncate(c->output, begin);
		smtp_client_fail(c, SMTP_CLIENT_FAILURE_STUCK);
		return false;
	}
	smtp_client_show(c, SMTP_LINE_KIND_COMMAND,
	    span_head(span_skip(buf_span(c->output), begin), c->output->len - begin - 2));
	return true;
}

void smtp_client_post(struct smtp_client *c, enum smtp_client_event_kind kind)
{
	c->pending |= SMTP_CLIENT_BIT(kind);
}

void smtp_client_ask(struct smtp_client *c, enum smtp_client_owes owes)
{
	c->owes = owes;
}

void smtp_client_enter(struct smtp_client *c, enum smtp_client_stage stage)
{
	c->stage = stage;
	smtp_client_ask(c, SMTP_CLIENT_OWES_NOTHING);
}

void smtp_client_enter_ready(struct smtp_client *c)
{
	smtp_client_enter(c, SMTP_CLIENT_STAGE_READY);
	smtp_client_ask(c, SMTP_CLIENT_OWES_COMMAND);
	smtp_client_post(c, SMTP_CLIENT_READY);
}

enum smtp_client_stage smtp_client_stage(const struct smtp_client *c)
{
	return c->stage;
}

bool smtp_client_reply_is_due(const struct smtp_client *c)
{
	return !c->over && c->owes == SMTP_CLIENT_OWES_NOTHING;
}

const struct smtp_extensions *smtp_client_extensions(const struct smtp_client *c)
{
	return &c->extensions;
}

bool smtp_client_tls_active(const struct smtp_client *c)
{
	return c->tls_active;
}

/* The session up to AUTH. */

static void send_ehlo(struct smtp_client *c)
{
	/* What was learned in clear text counts no more (RFC 3207, 4.2). */
	c->extensions = (struct smtp_extensions){ 0 };
	smtp_client_enter(c, SMTP_CLIENT_STAGE_EHLO);
	smtp_client_command(
	    c, "%s %.*s", c->settings.lmtp ? "LHLO" : "EHLO", SPAN_ARG(c->settings.ehlo_name));
}

static void ask_auth(struct smtp_client *c)
{
	smtp_client_enter(c, SMTP_CLIENT_STAGE_AUTH);
	smtp_client_ask(c, SMTP_CLIENT_OWES_AUTH);
	smtp_client_post(c, SMTP_CLIENT_AUTH);
}

/* Refused for good or for now: the session cannot go on. */
static void fail_refused(struct smtp_client *c)
{
	if (c->parser.reply.code >= 400)
		smtp_client_fail(c, SMTP_CLIENT_FAILURE_REFUSED);
	else
		smtp_client_fail_unexpected(c);
}

static void on_greeting(struct smtp_client *c)
{
	if (c->parser.reply.code != 220) {
		fail_refused(c);
		return;
	}
	c->greeting_masked = smtp_greeting_is_masked(c->parser.reply.text);
	send_ehlo(c);
}

static bool tls_is_required(const struct smtp_client *c)
{
	return !c->tls_active && c->settings.starttls == SMTP_CLIENT_STARTTLS_REQUIRED;
}

/* EHLO is answered: TLS comes before anything else. */
static void decide_tls(struct smtp_client *c)
{
	if (tls_is_required(c) && !c->extensions.starttls) {
		smtp_client_fail(c, SMTP_CLIENT_FAILURE_TLS_NOT_OFFERED);
	} else if (!c->tls_active && c->extensions.starttls &&
		   c->settings.starttls != SMTP_CLIENT_STARTTLS_NEVER) {
		smtp_client_enter(c, SMTP_CLIENT_STAGE_STARTTLS);
		smtp_client_command(c, "STARTTLS");
	} else {
		ask_auth(c);
	}
}

static void on_ehlo(struct smtp_client *c)
{
	const struct smtp_received_reply *reply = &c->parser.reply;

	if (smtp_reply_is_positive(reply)) {
		smtp_ehlo_parse(reply->lines, &c->extensions);
		c->extensions.masked |= c->greeting_masked;
		decide_tls(c);
	} else if (smtp_reply_is_permanent(reply) && !c->settings.lmtp &&
		   !c->settings.auth_required && !tls_is_required(c)) {
		smtp_client_ask(c, SMTP_CLIENT_OWES_HELO);
		smtp_client_post(c, SMTP_CLIENT_EHLO_REFUSED);
	} else {
		fail_refused(c);
	}
}

void smtp_client_helo(struct smtp_client *c)
{
	assert(c->owes == SMTP_CLIENT_OWES_HELO);
	smtp_client_enter(c, SMTP_CLIENT_STAGE_HELO);
	smtp_client_command(c, "HELO %.*s", SPAN_ARG(c->settings.ehlo_name));
}

static void on_helo(struct smtp_client *c)
{
	if (smtp_reply_is_positive(&c->parser.reply))
		ask_auth(c);
	else
		fail_refused(c);
}

static void on_starttls(struct smtp_client *c, bool more_input)
{
	const struct smtp_received_reply *reply = &c->parser.reply;

	if (reply->code == 220 && more_input) {
		smtp_client_fail(c, SMTP_CLIENT_FAILURE_TLS_INJECTION);
	} else if (reply->code == 220) {
		smtp_client_enter(c, SMTP_CLIENT_STAGE_TLS);
		smtp_client_ask(c, SMTP_CLIENT_OWES_TLS);
		smtp_client_post(c, SMTP_CLIENT_STARTTLS);
	} else if (reply->code < 400) {
		smtp_client_fail_unexpected(c);
	} else if (tls_is_required(c)) {
		smtp_client_fail(c, SMTP_CLIENT_FAILURE_TLS_REFUSED);
	} else {
		smtp_client_post(c, SMTP_CLIENT_STARTTLS_REFUSED);
		ask_auth(c);
	}
}

void smtp_client_tls_started(struct smtp_client *c)
{
	assert(c->owes == SMTP_CLIENT_OWES_TLS);
	c->tls_active = true;
	send_ehlo(c);
}

/* The end. */

static void close_session(struct smtp_client *c)
{
	c->over = true;
	smtp_client_enter(c, SMTP_CLIENT_STAGE_CLOSED);
	smtp_client_post(c, SMTP_CLIENT_CLOSED);
}

/* Both sides know where they are, so that QUIT is understood as what it is. */
static bool may_say_quit(const struct smtp_client *c)
{
	if (c->ahead_sent > 0)
		return false;
	if (c->over)
		return c->failure == SMTP_CLIENT_FAILURE_REFUSED ||
		       c->failure == SMTP_CLIENT_FAILURE_TLS_NOT_OFFERED ||
		       c->failure == SMTP_CLIENT_FAILURE_TLS_REFUSED;
	return c->owes == SMTP_CLIENT_OWES_HELO || c->owes == SMTP_CLIENT_OWES_AUTH ||
	       c->owes == SMTP_CLIENT_OWES_COMMAND;
}

void smtp_client_quit(struct smtp_client *c)
{
	if (c->stage == SMTP_CLIENT_STAGE_QUIT || c->stage == SMTP_CLIENT_STAGE_CLOSED)
		return;
	c->pending = 0;
	if (!may_say_quit(c)) {
		close_session(c);
		return;
	}
	c->over = false;
	smtp_client_enter(c, SMTP_CLIENT_STAGE_QUIT);
	if (!smtp_client_command(c, "QUIT")) {
		c->pending = 0;
		close_session(c);
	}
}

void smtp_client_eof(struct smtp_client *c)
{
	c->eof = true;
}

void smtp_client_timeout(struct smtp_client *c)
{
	c->timed_out = true;
}

static void on_end_of_input(struct smtp_client *c, struct span rest)
{
	if (c->stage == SMTP_CLIENT_STAGE_QUIT)
		close_session(c);
	else if (c->probing)
		smtp_client_on_probe(c);
	else if (c->stage == SMTP_CLIENT_STAGE_GREETING && rest.len)
		smtp_client_fail_malformed(c, SMTP_REPLY_FAULT_NOT_A_REPLY, rest);
	else
		smtp_client_fail(
		    c, c->eof ? SMTP_CLIENT_FAILURE_CLOSED : SMTP_CLIENT_FAILURE_TIMEOUT);
}

/* The loop. */

static void on_reply(struct smtp_client *c, bool more_input)
{
	if (c->stage == SMTP_CLIENT_STAGE_QUIT) {
		close_session(c);
	} else if (c->probing) {
		smtp_client_on_probe(c);
	} else if (c->parser.reply.code == 421) {
		smtp_client_fail(c, SMTP_CLIENT_FAILURE_LEAVING);
	} else if (c->owes == SMTP_CLIENT_OWES_CONTENT) {
		smtp_client_on_early(c);
	} else if (c->owes != SMTP_CLIENT_OWES_NOTHING) {
		smtp_client_fail_unexpected(c);
	} else {
		switch (c->stage) {
		case SMTP_CLIENT_STAGE_GREETING:
			on_greeting(c);
			break;
		case SMTP_CLIENT_STAGE_EHLO:
			on_ehlo(c);
			break;
		case SMTP_CLIENT_STAGE_HELO:
			on_helo(c);
			break;
		case SMTP_CLIENT_STAGE_STARTTLS:
			on_starttls(c, more_input);
			break;
		case SMTP_CLIENT_STAGE_AUTH:
			smtp_client_on_auth(c);
			break;
		case SMTP_CLIENT_STAGE_RSET:
		case SMTP_CLIENT_STAGE_MAIL:
		case SMTP_CLIENT_STAGE_RCPT:
		case SMTP_CLIENT_STAGE_DATA:
			smtp_client_on_step(c);
			break;
		case SMTP_CLIENT_STAGE_CONTENT:
			smtp_client_on_early(c);
			break;
		case SMTP_CLIENT_STAGE_MESSAGE:
			smtp_client_on_message(c);
			break;
		case SMTP_CLIENT_STAGE_TLS:
		case SMTP_CLIENT_STAGE_READY:
		case SMTP_CLIENT_STAGE_QUIT:
		case SMTP_CLIENT_STAGE_CLOSED:
			assert(!"a stage that awaits no reply");
		}
	}
}

static void on_malformed(struct smtp_client *c, enum smtp_reply_fault fault, struct span seen)
{
	if (c->stage == SMTP_CLIENT_STAGE_QUIT)
		close_session(c);
	else
		smtp_client_fail_malformed(c, fault, seen);
}

/* Reads one reply and acts on it. False: there is nothing to read. */
static bool read_reply(struct smtp_client *c, struct span *input)
{
	enum smtp_reply_fault fault;
	struct span line;

	if (c->stage == SMTP_CLIENT_STAGE_GREETING && smtp_foreign_is_tls(*input)) {
		smtp_client_fail_malformed(c, SMTP_REPLY_FAULT_NOT_A_REPLY, *input);
		return true;
	}
	for (;;) {
		switch (smtp_reply_parser_next(&c->parser, input, &line, &fault)) {
		case SMTP_REPLY_RESULT_NEED_MORE:
			return false;
		case SMTP_REPLY_RESULT_LINE:
			smtp_client_show(c, SMTP_LINE_KIND_REPLY, line);
			break;
		case SMTP_REPLY_RESULT_COMPLETE:
			smtp_client_show(c, SMTP_LINE_KIND_REPLY, line);
			on_reply(c, input->len > 0);
			return true;
		case SMTP_REPLY_RESULT_MALFORMED:
			smtp_client_show(c, SMTP_LINE_KIND_REPLY, line);
			on_malformed(c, fault, line);
			return true;
		}
	}
}

static enum smtp_client_stage stage_of_event(
    const struct smtp_client *c, enum smtp_client_event_kind kind)
{
	switch (kind) {
	case SMTP_CLIENT_WAIT:
		return c->stage;
	case SMTP_CLIENT_EHLO_REFUSED:
		return SMTP_CLIENT_STAGE_EHLO;
	case SMTP_CLIENT_STARTTLS:
	case SMTP_CLIENT_STARTTLS_REFUSED:
		return SMTP_CLIENT_STAGE_STARTTLS;
	case SMTP_CLIENT_AUTH:
	case SMTP_CLIENT_AUTH_CHALLENGE:
	case SMTP_CLIENT_AUTH_REPLY:
		return SMTP_CLIENT_STAGE_AUTH;
	case SMTP_CLIENT_READY:
		return SMTP_CLIENT_STAGE_READY;
	case SMTP_CLIENT_RECIPIENT:
		return SMTP_CLIENT_STAGE_RCPT;
	case SMTP_CLIENT_CONTENT:
		return SMTP_CLIENT_STAGE_CONTENT;
	case SMTP_CLIENT_MESSAGE:
		return SMTP_CLIENT_STAGE_MESSAGE;
	case SMTP_CLIENT_TRANSACTION_FAILED:
		return c->failed_stage;
	case SMTP_CLIENT_PROBED:
		return SMTP_CLIENT_STAGE_RSET;
	case SMTP_CLIENT_FAILED:
		return c->failure_stage;
	case SMTP_CLIENT_CLOSED:
		return SMTP_CLIENT_STAGE_CLOSED;
	}
	return c->stage;
}

/* Fills *event for the first of the pending events, in the order in which they are due. */
static bool take_pending(struct smtp_client *c, struct smtp_client_event *event)
{
	static const enum smtp_client_event_kind order[] = {
		SMTP_CLIENT_EHLO_REFUSED,
		SMTP_CLIENT_STARTTLS,
		SMTP_CLIENT_STARTTLS_REFUSED,
		SMTP_CLIENT_AUTH,
		SMTP_CLIENT_AUTH_CHALLENGE,
		SMTP_CLIENT_AUTH_REPLY,
		SMTP_CLIENT_RECIPIENT,
		SMTP_CLIENT_CONTENT,
		SMTP_CLIENT_MESSAGE,
		SMTP_CLIENT_TRANSACTION_FAILED,
		SMTP_CLIENT_PROBED,
		SMTP_CLIENT_FAILED,
		SMTP_CLIENT_CLOSED,
		SMTP_CLIENT_READY,
	};

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		if (!(c->pending & SMTP_CLIENT_BIT(order[i])))
			continue;
		c->pending &= ~SMTP_CLIENT_BIT(order[i]);
		event->kind = order[i];
		event->stage = stage_of_event(c, order[i]);
		return true;
	}
	return false;
}

enum smtp_client_event_kind smtp_client_next(
    struct smtp_client *c, struct span *input, struct smtp_client_event *event_out)
{
	*event_out = (struct smtp_client_event){
		.kind = SMTP_CLIENT_WAIT,
		.reply = &c->parser.reply,
	};
	for (;;) {
		event_out->stage = c->stage;
		if (take_pending(c, event_out) || c->over)
			break;
		/* During the handshake the bytes are those of TLS. */
		if (c->stage != SMTP_CLIENT_STAGE_TLS) {
			smtp_client_fill(c);
			if (c->pending || read_reply(c, input))
				continue;
		}
		if (!c->eof && !c->timed_out)
			break;
		smtp_reply_parser_reset(&c->parser);
		on_end_of_input(c, *input);
	}
	event_out->recipient = c->recipient;
	event_out->challenge = buf_span(&c->challenge);
	event_out->challenge_is_base64 = c->challenge_is_base64;
	event_out->stale = c->over;
	event_out->failure = c->failure;
	event_out->fault = &c->fault;
	return event_out->kind;
}
