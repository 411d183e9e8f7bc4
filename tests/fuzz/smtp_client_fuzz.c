/* SPDX-License-Identifier: MIT */
/*
 * A hostile server against the client machine, with the ladder and an owner that always does the
 * natural thing. The input: one byte of settings, one that cuts the rest into pieces, the server's
 * bytes; a byte 0xff is a pause, in which the machine is asked again.
 */
#include "base/memory.h"
#include "sasl/ladder.h"
#include "smtp/client.h"
#include "smtp/remote_id.h"

#include <assert.h>
#include <string.h>

enum { EVENTS_MAX = 100000 };

struct fuzz {
	struct smtp_client client;
	struct buf output;
	struct sasl_ladder ladder;
	struct sasl_memory memory;
	struct span offered[SMTP_MECHANISMS_MAX], recipients[5];
	struct smtp_extensions extensions;
	bool in_ladder, tls_started, closed, failed, in_transaction, probing, starttls_required;
	unsigned messages, auth_starts;
	size_t recipients_answered, accepted, messages_answered;
};

static void observe(void *context, enum smtp_line_kind kind, struct span text)
{
	/* A server may say what it likes; what we send shows no secret. */
	if (kind != SMTP_LINE_KIND_REPLY)
		assert(span_find_span(text, SPAN("pass-WORD-42")) == text.len);
	assert(text.len <= SMTP_RECEIVED_LINE_MAX);
}

/* Nothing but whole lines, and never a login in clear text where TLS is required. */
static void check_output(struct fuzz *f)
{
	struct span out = buf_span(&f->output);

	assert(out.len <= SMTP_CLIENT_OUTPUT_MIN);
	assert(out.len == 0 || (out.len >= 2 && memcmp(out.data + out.len - 2, "\r\n", 2) == 0));
	if (f->starttls_required && !f->tls_started) {
		assert(span_find_span(out, SPAN("AUTH")) == out.len);
		assert(span_find_span(out, SPAN("MAIL")) == out.len);
	}
	buf_clear(&f->output);
}

static void act(struct fuzz *f, const struct sasl_ladder_action *action)
{
	switch (action->kind) {
	case SASL_LADDER_START:
		assert(++f->auth_starts <= 2 * SASL_MECHANISM_COUNT);
		smtp_client_auth_start(
		    &f->client, action->mechanism, action->has_initial, action->bytes);
		break;
	case SASL_LADDER_RESPOND:
		smtp_client_auth_respond(&f->client, action->bytes);
		break;
	case SASL_LADDER_CANCEL:
		smtp_client_auth_cancel(&f->client);
		break;
	case SASL_LADDER_DONE:
		break;
	case SASL_LADDER_GIVE_UP:
		assert(action->sentence && action->sentence[0]);
		smtp_client_quit(&f->client);
		break;
	}
}

static void begin_ladder(struct fuzz *f)
{
	struct sasl_ladder_settings settings = {
		.offered = f->offered,
		.tls_active = smtp_client_tls_active(&f->client),
		.cleartext_allowed = true,
		.credentials = { SPAN("login"), SPAN("pass-WORD-42") },
	};
	struct sasl_ladder_action action;

	f->extensions = *smtp_client_extensions(&f->client);
	settings.offered_count = f->extensions.mechanism_count;
	for (size_t i = 0; i < settings.offered_count; i++)
		f->offered[i] = span_from_string(f->extensions.mechanisms[i]);
	assert(!f->in_ladder);
	f->in_ladder = true;
	if (settings.offered_count == 0) {
		smtp_client_auth_none(&f->client);
		f->in_ladder = false;
		return;
	}
	sasl_ladder_begin(&f->ladder, &settings, &f->memory, &action);
	act(f, &action);
}

static void on_ready(struct fuzz *f)
{
	struct smtp_client_transaction t = {
		.reverse_path = SPAN("a@example.org"),
		.recipients = f->recipients,
		.recipient_count = 1 + f->messages % 5,
		.size = 100,
	};

	f->in_transaction = false;
	if (f->messages == 8) {
		smtp_client_quit(&f->client);
	} else if (f->messages % 2 && !f->probing) {
		f->probing = true;
		smtp_client_probe(&f->client);
	} else {
		f->probing = false;
		f->messages++;
		f->in_transaction = true;
		f->recipients_answered = f->accepted = f->messages_answered = 0;
		assert(smtp_client_mail(&f->client, &t));
	}
}

static void send_content(struct fuzz *f)
{
	struct span rest = SPAN(".Subject: x\r\n\r\n.\r\nhello");

	assert(f->accepted > 0);
	while (rest.len) {
		size_t taken = smtp_client_content(&f->client, rest);

		assert(taken > 0);
		rest = span_skip(rest, taken);
	}
	smtp_client_content_end(&f->client);
}

static void on_event(struct fuzz *f, const struct smtp_client_event *event)
{
	struct sasl_ladder_action action;
	struct span id;

	assert(event->reply);
	switch (event->kind) {
	case SMTP_CLIENT_WAIT:
	case SMTP_CLIENT_STARTTLS_REFUSED:
		break;
	case SMTP_CLIENT_EHLO_REFUSED:
		assert(event->reply->code / 100 == 5 && (!f->starttls_required || f->tls_started));
		smtp_client_helo(&f->client);
		break;
	case SMTP_CLIENT_STARTTLS:
		assert(!f->tls_started);
		f->tls_started = true;
		smtp_client_tls_started(&f->client);
		break;
	case SMTP_CLIENT_AUTH:
		assert(!f->starttls_required || f->tls_started);
		begin_ladder(f);
		break;
	case SMTP_CLIENT_AUTH_CHALLENGE:
		assert(event->reply->code == 334);
		sasl_ladder_challenge(&f->ladder, event->challenge, &action);
		act(f, &action);
		break;
	case SMTP_CLIENT_AUTH_REPLY:
		sasl_ladder_reply(&f->ladder, event->reply->code, event->reply->text, &action);
		act(f, &action);
		break;
	case SMTP_CLIENT_READY:
		assert(f->closed == false && f->failed == false);
		on_ready(f);
		break;
	case SMTP_CLIENT_RECIPIENT:
		assert(f->in_transaction && event->recipient == f->recipients_answered);
		f->recipients_answered++;
		f->accepted += smtp_reply_is_positive(event->reply);
		break;
	case SMTP_CLIENT_CONTENT:
		assert(event->reply->code == 354);
		send_content(f);
		break;
	case SMTP_CLIENT_MESSAGE:
		assert(f->accepted > 0 && ++f->messages_answered <= f->accepted);
		if (smtp_remote_id_find(event->reply->text, &id))
			assert(id.len > 0 && id.len <= 128);
		break;
	case SMTP_CLIENT_TRANSACTION_FAILED:
		assert(f->in_transaction && event->reply->code >= 400);
		break;
	case SMTP_CLIENT_PROBED:
		if (event->stale)
			smtp_client_quit(&f->client);
		else
			on_ready(f);
		break;
	case SMTP_CLIENT_FAILED:
		assert(!f->failed && event->failure != SMTP_CLIENT_FAILURE_NONE);
		assert(event->fault->text[0] && event->fault->kind == FAULT_TEMPORARY);
		for (const char *p = event->fault->text; *p; p++)
			assert((unsigned char)*p >= ' ' && *p != 127);
		f->failed = true;
		smtp_client_quit(&f->client);
		break;
	case SMTP_CLIENT_CLOSED:
		assert(!f->closed);
		f->closed = true;
		break;
	}
}

static size_t pump(struct fuzz *f, struct span input)
{
	size_t before = input.len;
	struct smtp_client_event event;

	for (unsigned i = 0; i < EVENTS_MAX; i++) {
		enum smtp_client_event_kind kind = smtp_client_next(&f->client, &input, &event);

		assert(kind == event.kind);
		assert(!f->closed || kind == SMTP_CLIENT_WAIT);
		if (kind == SMTP_CLIENT_WAIT) {
			check_output(f);
			return before - input.len;
		}
		on_event(f, &event);
		check_output(f);
	}
	assert(!"the machine goes on without end");
	return 0;
}

static void start(struct fuzz *f, unsigned choice)
{
	struct smtp_client_settings settings = {
		.ehlo_name = SPAN("fuzz.example.org"),
		.starttls = (enum smtp_client_starttls)(choice % 3),
		.tls_active = choice & 4,
		.auth_required = choice & 8,
		.lmtp = choice & 16,
		.pipelining_off = choice & 32,
	};

	f->starttls_required =
	    settings.starttls == SMTP_CLIENT_STARTTLS_REQUIRED && !settings.tls_active;
	for (size_t i = 0; i < 5; i++)
		f->recipients[i] = SPAN("b@example.net");
	buf_init(&f->output, SMTP_CLIENT_OUTPUT_MIN);
	smtp_client_init(&f->client, &settings, &f->output);
	smtp_client_observe(&f->client, observe, f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { 0 };
	struct buf input;
	size_t piece;

	if (size < 2)
		return 0;
	buf_init(&input, 1 << 20);
	start(&f, data[0]);
	piece = data[1] ? data[1] : size;
	data += 2;
	size -= 2;
	pump(&f, SPAN(""));
	while (size && !f.closed) {
		size_t n = piece < size ? piece : size;
		const uint8_t *pause = memchr(data, 0xff, n);

		if (pause)
			n = (size_t)(pause - data);
		buf_append(&input, span_of(data, n));
		buf_consume(&input, pump(&f, buf_span(&input)));
		n += pause != NULL;
		data += n;
		size -= n;
	}
	smtp_client_eof(&f.client);
	pump(&f, buf_span(&input));
	assert(f.closed);
	smtp_client_fini(&f.client);
	if (f.in_ladder)
		sasl_ladder_fini(&f.ladder);
	buf_fini(&f.output);
	buf_fini(&input);
	return 0;
}
