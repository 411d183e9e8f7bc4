/* SPDX-License-Identifier: MIT */
/*
 * AUTH as a whole: the server machine with every mechanism behind it, and a client that says
 * anything at any time. Nobody is let in without a proof, nobody inside a transaction or, where
 * that is asked for, before TLS; no mail is taken from who has not signed in; and no password is
 * written into a reply or shown to the observer. The first byte chooses the settings.
 */
#include "sasl/server.h"
#include "smtp/server.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LOGIN "anna"
#define PASSWORD "pass-WORD-42"

struct play {
	struct smtp_server_settings settings;
	struct smtp_server server;
	struct sasl_server sasl;
	struct buf input, output;
	bool in_exchange, proved, tls, in_mail, closed;
	bool said_in_clear; /* the password, where an address may stand that is shown */
};

static void observe(void *context, enum smtp_line_kind kind, struct span text)
{
	(void)context;
	if (kind == SMTP_LINE_KIND_AUTH_PAYLOAD)
		assert(span_find_span(text, SPAN(PASSWORD)) == text.len);
}

static void begin(struct play *p, uint8_t choice)
{
	static const struct sasl_server_setup setup = {
		.random = SPAN("0123456789abcdef"),
		.hostname = SPAN("relay.example.org"),
		.decoy_key = SPAN("a key"),
		.binding = { SPAN("exporter"), SPAN("") },
	};

	memset(p, 0, sizeof(*p));
	p->settings = (struct smtp_server_settings){
		.hostname = "relay.example.org",
		.size_max_bytes = 1000,
		.recipients_max = 2,
		.errors_max = 50,
		.auth_failures_max = 3,
		.tls_offered = true,
		.auth_mechanisms = "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 "
				   "SCRAM-SHA-256-PLUS EXTERNAL XOAUTH2 OAUTHBEARER",
		.auth_required = choice & 1,
		.auth_needs_tls = choice & 2,
		.strict = choice & 4,
		.chunking = choice & 8,
		.quirks = choice & 16 ? ~0u : 0,
	};
	buf_init(&p->input, 1 << 24);
	buf_init(&p->output, 4 * SMTP_SERVER_OUTPUT_ROOM);
	sasl_server_init(&p->sasl);
	sasl_server_equip(&p->sasl, &setup);
	smtp_server_init(&p->server, &p->settings, &p->output);
	smtp_server_observe(&p->server, observe, p);
	smtp_server_greet(&p->server);
}

static void end(struct play *p)
{
	smtp_server_fini(&p->server);
	sasl_server_fini(&p->sasl);
	buf_fini(&p->input);
	buf_fini(&p->output);
}

static void succeed(struct play *p)
{
	assert(!p->proved && !p->in_mail);
	assert(p->tls || !p->settings.auth_needs_tls);
	p->proved = true;
	smtp_server_auth_success(&p->server);
}

static bool is_right(const struct sasl_server *s)
{
	return span_equal(buf_span(&s->identity.authcid), SPAN(LOGIN)) &&
	       span_equal(buf_span(&s->identity.password), SPAN(PASSWORD));
}

static enum sasl_outcome look_up(struct sasl_server *s)
{
	static const char key[] = "0123456789abcdef0123456789abcdef";
	struct sasl_scram_verifier verifier = { .iterations = 4096, .salt = SPAN("salt") };

	if (s->mechanism == SASL_MECHANISM_CRAM_MD5)
		return sasl_server_found_password(s, SPAN(PASSWORD));
	verifier.stored_key = verifier.server_key =
	    span_of(key, sasl_digest_len(sasl_scram_hash(s->mechanism)));
	return sasl_server_found_verifier(s, &verifier);
}

static void follow(struct play *p, enum sasl_outcome outcome)
{
	p->in_exchange = outcome == SASL_OUTCOME_CHALLENGE;
	switch (outcome) {
	case SASL_OUTCOME_CHALLENGE:
		smtp_server_auth_challenge(&p->server, p->sasl.challenge);
		return;
	case SASL_OUTCOME_LOOKUP:
		follow(p, look_up(&p->sasl));
		return;
	case SASL_OUTCOME_IDENTITY:
		if (is_right(&p->sasl)) {
			succeed(p);
			return;
		}
		break;
	case SASL_OUTCOME_PROVED:
		assert(p->sasl.mechanism == SASL_MECHANISM_CRAM_MD5);
		succeed(p);
		return;
	case SASL_OUTCOME_REFUSED:
		break;
	case SASL_OUTCOME_MALFORMED:
		smtp_server_auth_failure(&p->server, SMTP_REPLY_AUTH_MALFORMED, p->sasl.sentence);
		return;
	}
	smtp_server_auth_failure(&p->server, SMTP_REPLY_AUTH_REJECTED, NULL);
}

static void begin_exchange(struct play *p, const struct smtp_server_event *event)
{
	enum sasl_mechanism mechanism;
	bool known = sasl_mechanism_find(event->auth.mechanism, &mechanism);

	assert(known && sasl_server_speaks(mechanism));
	follow(
	    p, sasl_server_start(&p->sasl, mechanism, event->auth.has_initial, event->auth.data));
}

static void start_tls(struct play *p)
{
	p->tls = true;
	p->proved = p->in_mail = p->in_exchange = false;
	smtp_server_tls_started(&p->server);
}

static void act(struct play *p, const struct smtp_server_event *event)
{
	switch (event->kind) {
	case SMTP_SERVER_AUTH_BEGIN:
		assert(!p->proved && !p->in_mail);
		begin_exchange(p, event);
		break;
	case SMTP_SERVER_AUTH_RESPONSE:
		assert(p->in_exchange);
		follow(p, sasl_server_step(&p->sasl, event->auth.data));
		break;
	case SMTP_SERVER_AUTH_CANCELLED:
		p->in_exchange = false;
		break;
	case SMTP_SERVER_STARTTLS:
		start_tls(p);
		break;
	case SMTP_SERVER_MAIL:
		assert(!p->in_exchange && (p->proved || !p->settings.auth_required));
		p->in_mail = true;
		smtp_server_answer(&p->server, SMTP_REPLY_SENDER_OK, NULL);
		break;
	case SMTP_SERVER_RCPT:
		smtp_server_answer(&p->server, SMTP_REPLY_RECIPIENT_OK, NULL);
		break;
	case SMTP_SERVER_DATA:
		smtp_server_answer(&p->server, SMTP_REPLY_START_CONTENT, NULL);
		break;
	case SMTP_SERVER_MESSAGE:
		p->in_mail = false;
		smtp_server_answer(&p->server, SMTP_REPLY_MESSAGE_KEPT, NULL);
		break;
	case SMTP_SERVER_REFUSED:
	case SMTP_SERVER_ABORTED:
		p->in_mail = false;
		break;
	case SMTP_SERVER_CLOSE:
		p->closed = true;
		break;
	case SMTP_SERVER_XCLIENT:
		assert(!"XCLIENT is not allowed");
		break;
	case SMTP_SERVER_HELLO:
	case SMTP_SERVER_CONTENT:
	case SMTP_SERVER_NEED_INPUT:
	case SMTP_SERVER_NEED_OUTPUT:
	case SMTP_SERVER_WAIT:
		break;
	}
}

static bool step(struct play *p)
{
	struct span rest = buf_span(&p->input);
	size_t before_len = rest.len;
	struct smtp_server_event event;

	smtp_server_next(&p->server, &rest, &event);
	act(p, &event);
	buf_consume(&p->input, before_len - rest.len);
	assert(p->said_in_clear ||
	       span_find_span(buf_span(&p->output), SPAN(PASSWORD)) == p->output.len);
	buf_clear(&p->output);
	return event.kind != SMTP_SERVER_NEED_INPUT && event.kind != SMTP_SERVER_WAIT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play p;

	if (size < 1)
		return 0;
	begin(&p, data[0]);
	buf_append(&p.input, span_of(data + 1, size - 1));
	p.said_in_clear = span_find_span(buf_span(&p.input), SPAN(PASSWORD)) < p.input.len;
	while (!p.closed && step(&p))
		;
	end(&p);
	return 0;
}
