/* SPDX-License-Identifier: MIT */
#include "client_runner.h"

#include "base/escape.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRANSCRIPT_MAX = 1 << 20 };

struct run {
	const struct scenario *scenario;
	struct smtp_client client;
	struct buf output, input, transcript, observed;
	struct sasl_ladder ladder;
	struct sasl_memory memory;
	struct span recipients[6];
	size_t recipient_count;
	struct span offered[SMTP_MECHANISMS_MAX], only;
	unsigned messages_left;
	bool first_message, first_ready, in_ladder, closed;
	unsigned seed;
	enum { WHOLE, BYTEWISE, RANDOM } mode;
};

static void note(struct run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct run *r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	assert_true(buf_vprintf(&r->transcript, format, arguments));
	va_end(arguments);
}

static void note_lines(struct run *r, const char *mark, struct span bytes)
{
	while (bytes.len) {
		struct span rest = bytes, line;
		size_t at = span_find_span(rest, SPAN("\r\n"));

		line = span_head(rest, at);
		bytes = span_skip(rest, at < rest.len ? at + 2 : at);
		note(r, "%s ", mark);
		if (line.len > 200) {
			escape_append(&r->transcript, span_head(line, 20));
			note(r, "[...]");
		} else {
			escape_append(&r->transcript, line);
		}
		note(r, "\n");
	}
}

static void observe(void *context, enum smtp_line_kind kind, struct span text)
{
	static const char *const names[] = { "command", "payload", "reply", "content" };
	struct run *r = context;

	assert_true(buf_printf(&r->observed, "%s ", names[kind]));
	escape_append(&r->observed, span_head(text, text.len < 100 ? text.len : 100));
	buf_append_byte(&r->observed, '\n');
	if (r->scenario->password)
		assert_true(
		    span_find_span(text, span_from_string(r->scenario->password)) == text.len);
}

static void flush(struct run *r)
{
	note_lines(r, "C:", buf_span(&r->output));
	buf_clear(&r->output);
}

static void note_reply(struct run *r, const struct smtp_received_reply *reply)
{
	char text[400];

	if (reply->code)
		note(r, " %s", smtp_reply_format(reply, text, sizeof(text)));
	if (reply->cut)
		note(r, " [cut]");
	if (reply->mixed_codes)
		note(r, " [mixed codes]");
}

static void act(struct run *r, const struct sasl_ladder_action *action)
{
	switch (action->kind) {
	case SASL_LADDER_START:
		smtp_client_auth_start(
		    &r->client, action->mechanism, action->has_initial, action->bytes);
		break;
	case SASL_LADDER_RESPOND:
		smtp_client_auth_respond(&r->client, action->bytes);
		break;
	case SASL_LADDER_CANCEL:
		smtp_client_auth_cancel(&r->client);
		break;
	case SASL_LADDER_DONE:
		note(r, "= signed in with %.*s\n", SPAN_ARG(action->mechanism));
		break;
	case SASL_LADDER_GIVE_UP:
		note(r, "= %s\n", action->sentence);
		smtp_client_quit(&r->client);
		break;
	}
}

static void begin_ladder(struct run *r)
{
	const struct smtp_extensions *e = smtp_client_extensions(&r->client);
	struct sasl_ladder_settings settings = {
		.offered = r->offered,
		.offered_count = e->mechanism_count,
		.tls_active = smtp_client_tls_active(&r->client),
		.cleartext_allowed = !r->scenario->no_cleartext,
		.credentials = { span_from_string(r->scenario->login),
		    span_from_string(r->scenario->password) },
		.only = &r->only,
		.only_count = r->scenario->only != NULL,
		.initial_response = r->scenario->initial_response,
	};
	struct sasl_ladder_action action;

	r->only = span_from_string(r->scenario->only);
	for (size_t i = 0; i < e->mechanism_count; i++)
		r->offered[i] = span_from_string(e->mechanisms[i]);
	sasl_ladder_begin(&r->ladder, &settings, &r->memory, &action);
	r->in_ladder = true;
	act(r, &action);
}

static struct smtp_client_transaction transaction_of(const struct run *r)
{
	const struct scenario *s = r->scenario;

	return (struct smtp_client_transaction){
		.reverse_path = span_from_string(s->from),
		.recipients = r->recipients,
		.recipient_count = r->recipient_count,
		.size = s->size,
		.body_8bit = s->body_8bit,
		.smtputf8 = s->smtputf8,
		.requiretls = s->requiretls,
		.ret = s->ret,
		.envid = s->envid,
		.notify = s->notify,
	};
}

static void on_ready(struct run *r)
{
	const struct scenario *s = r->scenario;
	struct smtp_client_transaction t = transaction_of(r);

	if (r->messages_left == 0 || (s->quits && !r->first_message)) {
		smtp_client_quit(&r->client);
		return;
	}
	if (s->probe && !r->first_message) {
		r->first_message = true; /* the probe comes once before each */
		smtp_client_probe(&r->client);
		return;
	}
	r->messages_left--;
	r->first_message = false;
	assert_true(smtp_client_mail(&r->client, &t));
}

/* In pieces, as the owner would. */
static void send_content(struct run *r)
{
	struct span rest = span_from_string(r->scenario->content ? r->scenario->content : "");

	while (rest.len) {
		size_t piece = r->mode == WHOLE ? rest.len : 1;
		size_t taken = smtp_client_content(&r->client, span_head(rest, piece));

		rest = span_skip(rest, taken);
		if (taken < piece)
			flush(r);
	}
	smtp_client_content_end(&r->client);
	if (r->scenario->ahead && r->messages_left > 0) {
		struct smtp_client_transaction next = transaction_of(r);
		note(r, smtp_client_mail_ahead(&r->client, &next) ? "= ahead\n" : "= not ahead\n");
	}
}

static void on_event(struct run *r, const struct smtp_client_event *event)
{
	static const char *const names[] = {
		"WAIT",
		"EHLO_REFUSED",
		"STARTTLS",
		"STARTTLS_REFUSED",
		"AUTH",
		"AUTH_CHALLENGE",
		"AUTH_REPLY",
		"READY",
		"RECIPIENT",
		"CONTENT",
		"MESSAGE",
		"TRANSACTION_FAILED",
		"PROBED",
		"FAILED",
		"CLOSED",
	};
	struct sasl_ladder_action action;
	char text[128];

	flush(r);
	note(r, "* %s", names[event->kind]);
	switch (event->kind) {
	case SMTP_CLIENT_WAIT:
		break;
	case SMTP_CLIENT_EHLO_REFUSED:
		note_reply(r, event->reply);
		if (r->scenario->helo)
			smtp_client_helo(&r->client);
		else
			smtp_client_quit(&r->client);
		break;
	case SMTP_CLIENT_STARTTLS:
		smtp_client_tls_started(&r->client);
		break;
	case SMTP_CLIENT_STARTTLS_REFUSED:
		note_reply(r, event->reply);
		break;
	case SMTP_CLIENT_AUTH: {
		const struct smtp_extensions *e = smtp_client_extensions(&r->client);

		for (size_t i = 0; i < e->mechanism_count; i++)
			note(r, " %s", e->mechanisms[i]);
		note(r, "\n");
		if (r->scenario->login)
			begin_ladder(r);
		else
			smtp_client_auth_none(&r->client);
		return;
	}
	case SMTP_CLIENT_AUTH_CHALLENGE:
		note(r, " \"%s\"%s\n", escape_to(text, sizeof(text), event->challenge),
		    event->challenge_is_base64 ? "" : " not base64");
		sasl_ladder_challenge(&r->ladder, event->challenge, &action);
		act(r, &action);
		return;
	case SMTP_CLIENT_AUTH_REPLY:
		note_reply(r, event->reply);
		note(r, "\n");
		sasl_ladder_reply(&r->ladder, event->reply->code, event->reply->text, &action);
		act(r, &action);
		return;
	case SMTP_CLIENT_READY:
		if (r->scenario->from_ready && r->first_ready) {
			buf_clear(&r->transcript);
			note(r, "* READY");
		}
		r->first_ready = false;
		on_ready(r);
		break;
	case SMTP_CLIENT_RECIPIENT:
		note(r, " %zu", event->recipient);
		note_reply(r, event->reply);
		break;
	case SMTP_CLIENT_CONTENT:
		note(r, "\n");
		send_content(r);
		return;
	case SMTP_CLIENT_MESSAGE:
		if (event->recipient == SMTP_CLIENT_ALL)
			note(r, " all");
		else
			note(r, " %zu", event->recipient);
		note_reply(r, event->reply);
		break;
	case SMTP_CLIENT_TRANSACTION_FAILED:
		note(r, " %s", smtp_client_stage_name(event->stage));
		note_reply(r, event->reply);
		break;
	case SMTP_CLIENT_PROBED:
		note(r, "%s", event->stale ? " stale" : "");
		note_reply(r, event->reply);
		if (event->stale)
			smtp_client_quit(&r->client);
		else
			on_ready(r);
		break;
	case SMTP_CLIENT_FAILED:
		note(r, " %s: %s", smtp_client_stage_name(event->stage), event->fault->text);
		assert_int_equal(event->fault->kind, FAULT_TEMPORARY);
		assert_int_not_equal(event->failure, SMTP_CLIENT_FAILURE_NONE);
		smtp_client_quit(&r->client);
		break;
	case SMTP_CLIENT_CLOSED:
		r->closed = true;
		break;
	}
	note(r, "\n");
}

/* Until the machine waits. */
static void pump(struct run *r)
{
	struct smtp_client_event event;

	while (!r->closed) {
		struct span input = buf_span(&r->input);
		size_t before = input.len;
		enum smtp_client_event_kind kind = smtp_client_next(&r->client, &input, &event);

		assert_non_null(event.reply);
		assert_int_equal(kind, event.kind);
		if (kind == SMTP_CLIENT_WAIT) {
			buf_consume(&r->input, before - input.len);
			flush(r);
			return;
		}
		/* The event may borrow nothing from the input. */
		if (before > input.len)
			buf_consume(&r->input, before - input.len);
		on_event(r, &event);
		flush(r);
	}
}

static void feed(struct run *r, struct span bytes)
{
	while (bytes.len && !r->closed) {
		size_t piece = r->mode == WHOLE      ? bytes.len
			       : r->mode == BYTEWISE ? 1
						     : 1 + (size_t)rand_r(&r->seed) % bytes.len;

		assert_true(buf_append(&r->input, span_head(bytes, piece)));
		bytes = span_skip(bytes, piece);
		pump(r);
	}
}

static void play(struct run *r)
{
	const char *const *server = r->scenario->server;
	struct buf chunk;

	buf_init(&chunk, 1 << 20);
	pump(r);
	for (size_t i = 0; server[i] && !r->closed; i++) {
		struct span line = span_from_string(server[i]);

		if (span_equal(line, SPAN("<EOF>"))) {
			note(r, "S: <EOF>\n");
			smtp_client_eof(&r->client);
			pump(r);
			continue;
		}
		if (span_equal(line, SPAN("<TIMEOUT>"))) {
			note(r, "S: <TIMEOUT>\n");
			smtp_client_timeout(&r->client);
			pump(r);
			continue;
		}
		buf_clear(&chunk);
		if (span_starts_with(line, SPAN("<RAW>")))
			buf_append(&chunk, span_skip(line, 5));
		else
			assert_true(buf_append(&chunk, line) && buf_append(&chunk, SPAN("\r\n")));
		note_lines(r, "S:", buf_span(&chunk));
		feed(r, buf_span(&chunk));
	}
	if (!r->closed)
		note(r, "...\n");
	buf_fini(&chunk);
}

static void start(struct run *r, const struct scenario *s)
{
	struct smtp_client_settings settings = s->settings;

	r->scenario = s;
	buf_init(&r->output, SMTP_CLIENT_OUTPUT_MIN);
	buf_init(&r->input, 1 << 20);
	buf_init(&r->transcript, TRANSCRIPT_MAX);
	buf_init(&r->observed, TRANSCRIPT_MAX);
	while (r->recipient_count < 6 && s->to[r->recipient_count]) {
		r->recipients[r->recipient_count] = span_from_string(s->to[r->recipient_count]);
		r->recipient_count++;
	}
	r->messages_left = s->messages ? s->messages : s->from != NULL;
	r->first_message = r->first_ready = true;
	if (settings.ehlo_name.len == 0)
		settings.ehlo_name = SPAN("me.example.org");
	smtp_client_init(&r->client, &settings, &r->output);
	smtp_client_observe(&r->client, observe, r);
}

static void finish(struct run *r)
{
	smtp_client_fini(&r->client);
	if (r->in_ladder)
		sasl_ladder_fini(&r->ladder);
	buf_fini(&r->output);
	buf_fini(&r->input);
	buf_fini(&r->transcript);
	buf_fini(&r->observed);
}

static void run_once(const struct scenario *s, int mode, unsigned seed)
{
	struct run r = { .mode = mode, .seed = seed };

	start(&r, s);
	play(&r);
	if (strcmp(buf_string(&r.transcript), s->want) != 0)
		print_error(
		    "mode %d, seed %u, transcript:\n%s", mode, seed, buf_string(&r.transcript));
	assert_string_equal(buf_string(&r.transcript), s->want);
	if (s->observed)
		assert_string_equal(buf_string(&r.observed), s->observed);
	finish(&r);
}

void run_scenario(void **state)
{
	const struct scenario *s = *state;

	run_once(s, WHOLE, 0);
	run_once(s, BYTEWISE, 0);
	for (unsigned seed = 1; seed <= 8; seed++)
		run_once(s, RANDOM, seed);
}
