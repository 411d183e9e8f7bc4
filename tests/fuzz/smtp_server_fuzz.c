/* SPDX-License-Identifier: MIT */

/*
 * Plays the same bytes to the server machine whole and in pieces: replies and events must be the
 * same, replies well-formed, and nothing may come after CLOSE. The first two bytes choose
 * settings and cuts.
 */

#include "base/escape.h"
#include "smtp/server.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORD_MAX = 64 * 1024 * 1024 };

struct play {
	struct smtp_server_settings settings;
	struct smtp_server server;
	struct buf input, output, sent, events, content;
	bool closed;
};

/* Whether QUIT comes early depends on the cuts: it is always let pass. */
static unsigned choose_quirks(uint8_t choice)
{
	unsigned quirks = SMTP_QUIRK_BIT(SMTP_QUIRK_EARLY_QUIT);

	for (unsigned i = 0; choice & 32 && i < SMTP_QUIRK_COUNT; i++)
		if (smtp_quirk_is_named(i))
			quirks |= SMTP_QUIRK_BIT(i);
	return quirks;
}

static void choose_settings(struct smtp_server_settings *settings, uint8_t choice)
{
	*settings = (struct smtp_server_settings){
		.hostname = "relay.example.org",
		.size_max_bytes = choice & 1 ? 50 : 10000,
		.recipients_max = 2,
		.errors_max = choice & 2 ? 5 : 1000,
		.auth_failures_max = 2,
		.tls_offered = choice & 4,
		.tls_required = choice & 8,
		.auth_mechanisms = choice & 16 ? "PLAIN LOGIN" : NULL,
		.auth_required = choice & 32,
		.auth_needs_tls = choice & 64,
		.strict = choice & 128,
		.quirks = choose_quirks(choice),
		.chunking = !(choice & 8),
		.dsn = !(choice & 8),
		.smtputf8 = !(choice & 8),
		.limits = !(choice & 8),
		.requiretls = !(choice & 8),
	};
}

static void begin(struct play *p, uint8_t choice)
{
	memset(p, 0, sizeof(*p));
	choose_settings(&p->settings, choice);
	buf_init(&p->input, RECORD_MAX);
	buf_init(&p->output, 4 * SMTP_SERVER_OUTPUT_ROOM);
	buf_init(&p->sent, RECORD_MAX);
	buf_init(&p->events, RECORD_MAX);
	buf_init(&p->content, RECORD_MAX);
	smtp_server_init(&p->server, &p->settings, &p->output);
	smtp_server_greet(&p->server);
}

static void end(struct play *p)
{
	smtp_server_fini(&p->server);
	buf_fini(&p->input);
	buf_fini(&p->output);
	buf_fini(&p->sent);
	buf_fini(&p->events);
	buf_fini(&p->content);
}

/* What comes decides: a challenge, success, or failure. */
static void answer_auth(struct play *p, struct span response)
{
	char choice = response.len > 0 ? response.data[0] : 'c';

	if (choice == 'c')
		smtp_server_auth_challenge(&p->server, SPAN("Password:"));
	else if (choice == 's')
		smtp_server_auth_success(&p->server);
	else
		smtp_server_auth_failure(&p->server,
		    choice == 't' ? SMTP_REPLY_AUTH_TEMPORARY : SMTP_REPLY_AUTH_REJECTED, NULL);
}

static void answer_address(struct play *p, struct span mailbox, enum smtp_reply_id accept)
{
	bool refused = span_starts_with(mailbox, SPAN("no"));

	assert(mailbox.len <= SMTP_MAILBOX_MAX);
	smtp_server_answer(&p->server, refused ? SMTP_REPLY_RELAYING_DENIED : accept,
	    refused ? "%.*s is refused" : NULL, SPAN_ARG(mailbox));
}

/* Nothing that was accepted could be read as two messages by anybody. */
static void check_content(struct span content)
{
	for (size_t i = 0; i < content.len; i++) {
		if (content.data[i] == '\r')
			assert(i + 1 < content.len && content.data[i + 1] == '\n');
		if (content.data[i] == '\n')
			assert(i > 0 && content.data[i - 1] == '\r');
	}
}

static void take_message(struct play *p, uint64_t octets)
{
	assert(octets == p->content.len && octets <= p->settings.size_max_bytes);
	check_content(buf_span(&p->content));
	escape_append(&p->events, buf_span(&p->content));
	buf_clear(&p->content);
	smtp_server_answer(&p->server, SMTP_REPLY_MESSAGE_KEPT, NULL);
}

static void act(struct play *p, const struct smtp_server_event *event)
{
	if (event->kind != SMTP_SERVER_CONTENT)
		buf_printf(&p->events, "%s ", smtp_server_event_name(event->kind));
	switch (event->kind) {
	case SMTP_SERVER_NEED_INPUT:
	case SMTP_SERVER_NEED_OUTPUT:
	case SMTP_SERVER_WAIT:
		abort();
	case SMTP_SERVER_HELLO:
		buf_append(&p->events, event->hello.name);
		break;
	case SMTP_SERVER_STARTTLS:
		smtp_server_tls_started(&p->server);
		break;
	case SMTP_SERVER_AUTH_BEGIN:
	case SMTP_SERVER_AUTH_RESPONSE:
		escape_append(&p->events, event->auth.data);
		answer_auth(p, event->auth.data);
		break;
	case SMTP_SERVER_AUTH_CANCELLED:
		break;
	case SMTP_SERVER_XCLIENT:
		buf_append(&p->events, event->xclient.address);
		buf_append(&p->events, event->xclient.helo);
		smtp_server_become(&p->server, p->server.settings, event->xclient.login.len > 0);
		break;
	case SMTP_SERVER_MAIL:
		buf_append(&p->events, event->mail.address.mailbox);
		assert(event->mail.smtputf8 || !event->mail.address.is_eight_bit);
		assert(event->mail.envid.len <= SMTP_ENVID_MAX);
		answer_address(p, event->mail.address.mailbox, SMTP_REPLY_SENDER_OK);
		break;
	case SMTP_SERVER_RCPT:
		assert(event->rcpt.address.local.len > 0);
		assert(event->rcpt.orcpt.len <= SMTP_ORCPT_MAX);
		buf_append(&p->events, event->rcpt.orcpt);
		buf_append(&p->events, event->rcpt.address.mailbox);
		answer_address(p, event->rcpt.address.mailbox, SMTP_REPLY_RECIPIENT_OK);
		break;
	case SMTP_SERVER_DATA:
		smtp_server_answer(&p->server, SMTP_REPLY_START_CONTENT, NULL);
		break;
	case SMTP_SERVER_CONTENT:
		assert(event->content.len > 0);
		buf_append(&p->content, event->content);
		return;
	case SMTP_SERVER_MESSAGE:
		take_message(p, event->message.octets);
		break;
	case SMTP_SERVER_REFUSED:
		buf_printf(&p->events, "%s %lu", smtp_refusal_name(event->refused.reason),
		    (unsigned long)event->refused.octets);
		buf_clear(&p->content);
		break;
	case SMTP_SERVER_ABORTED:
		buf_printf(&p->events, "%s %u", smtp_abort_name(event->aborted.reason),
		    event->aborted.recipients);
		buf_clear(&p->content);
		break;
	case SMTP_SERVER_CLOSE:
		buf_append_string(&p->events, smtp_close_name(event->close));
		p->closed = true;
		break;
	}
	buf_append_byte(&p->events, '\n');
}

static void flush(struct play *p)
{
	buf_append(&p->sent, buf_span(&p->output));
	buf_clear(&p->output);
}

static void pump(struct play *p)
{
	for (;;) {
		struct span rest = buf_span(&p->input);
		size_t before_len = rest.len;
		struct smtp_server_event event;
		enum smtp_server_event_kind kind = smtp_server_next(&p->server, &rest, &event);

		assert(kind == event.kind && rest.len <= before_len);
		assert(!p->closed || (kind == SMTP_SERVER_WAIT && rest.len == before_len));
		if (kind > SMTP_SERVER_WAIT)
			act(p, &event);
		buf_consume(&p->input, before_len - rest.len);
		flush(p);
		if (kind == SMTP_SERVER_NEED_INPUT)
			assert(rest.len < SMTP_SERVER_INPUT_MIN);
		if (kind == SMTP_SERVER_NEED_INPUT || kind == SMTP_SERVER_WAIT)
			return;
	}
}

static void check_replies(struct span lines)
{
	while (lines.len > 0) {
		size_t end = span_find_span(lines, SPAN("\r\n"));

		assert(end + 2 <= lines.len);
		assert(end + 2 <= SMTP_REPLY_LINE_MAX);
		for (size_t i = 0; i < end; i++)
			assert(lines.data[i] >= ' ' && lines.data[i] <= '~');
		lines = span_skip(lines, end + 2);
	}
}

/* cuts 0: all at once. */
static void play(struct play *p, uint8_t choice, struct span wire, unsigned cuts)
{
	begin(p, choice);
	pump(p);
	while (wire.len > 0) {
		size_t len = wire.len;

		cuts = cuts * 1103515245u + 12345u * (cuts != 0);
		if (cuts != 0 && len > 1 + (cuts >> 16) % 7)
			len = 1 + (cuts >> 16) % 7;
		buf_append(&p->input, span_head(wire, len));
		wire = span_skip(wire, len);
		pump(p);
	}
	check_replies(buf_span(&p->sent));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play whole, pieces;
	struct span wire;

	if (size < 2)
		return 0;
	wire = span_of(data + 2, size - 2);
	play(&whole, data[0], wire, 0);
	play(&pieces, data[0], wire, data[1] + 1u);
	assert(span_equal(buf_span(&whole.sent), buf_span(&pieces.sent)));
	assert(span_equal(buf_span(&whole.events), buf_span(&pieces.events)));
	end(&whole);
	end(&pieces);
	return 0;
}
