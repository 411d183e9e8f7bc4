/* SPDX-License-Identifier: MIT */
#include "smtp/client_internal.h"

#include "base/base64.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The observer sees mechanism and length only: no payload leaves here but to the output. */
static void show_payload(struct smtp_client *c, size_t octets)
{
	char text[SMTP_MECHANISM_MAX + 32];
	int n = snprintf(text, sizeof(text), "%s %zu", c->mechanism, octets);

	smtp_client_show(c, SMTP_LINE_KIND_AUTH_PAYLOAD, span_of(text, (size_t)n));
}

/* Appends the payload; an empty one in place of nothing is "=" (RFC 4954, 4). */
static bool append_payload(struct smtp_client *c, struct span payload, bool is_initial)
{
	assert(payload.len <= SMTP_CLIENT_PAYLOAD_MAX);
	if (is_initial && payload.len == 0)
		return buf_append_byte(c->output, '=');
	return base64_encode(c->output, payload);
}

static void send_payload(struct smtp_client *c, struct span payload, bool is_initial)
{
	size_t begin = c->output->len;

	if (!append_payload(c, payload, is_initial) || !buf_append(c->output, SPAN("\r\n"))) {
		buf_truncate(c->output, begin);
		smtp_client_fail(c, SMTP_CLIENT_FAILURE_STUCK);
		return;
	}
	show_payload(c, c->output->len - begin - 2);
}

static void send_auth(struct smtp_client *c, struct span initial)
{
	char text[8 + SMTP_MECHANISM_MAX];
	int n = snprintf(text, sizeof(text), "AUTH %s", c->mechanism);

	if (!buf_printf(c->output, "%s ", text)) {
		smtp_client_fail(c, SMTP_CLIENT_FAILURE_STUCK);
		return;
	}
	smtp_client_show(c, SMTP_LINE_KIND_COMMAND, span_of(text, (size_t)n));
	send_payload(c, initial, true);
}

static bool is_mechanism_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!(c >= 'A' && c <= 'Z') && !byte_is_digit(c) && c != '-' && c != '_')
			return false;
	}
	return name.len > 0 && name.len <= SMTP_MECHANISM_MAX;
}

void smtp_client_auth_start(
    struct smtp_client *c, struct span mechanism, bool has_initial, struct span initial)
{
	assert(c->owes == SMTP_CLIENT_OWES_AUTH);
	assert(is_mechanism_name(mechanism));
	memcpy(c->mechanism, mechanism.data, mechanism.len);
	c->mechanism[mechanism.len] = '\0';
	smtp_client_enter(c, SMTP_CLIENT_STAGE_AUTH);
	if (has_initial)
		send_auth(c, initial);
	else
		smtp_client_command(c, "AUTH %s", c->mechanism);
}

void smtp_client_auth_none(struct smtp_client *c)
{
	assert(c->owes == SMTP_CLIENT_OWES_AUTH);
	smtp_client_enter_ready(c);
}

void smtp_client_auth_respond(struct smtp_client *c, struct span response)
{
	assert(c->owes == SMTP_CLIENT_OWES_RESPONSE);
	smtp_client_enter(c, SMTP_CLIENT_STAGE_AUTH);
	send_payload(c, response, false);
}

void smtp_client_auth_cancel(struct smtp_client *c)
{
	char text[SMTP_MECHANISM_MAX + 3];
	int n = snprintf(text, sizeof(text), "%s *", c->mechanism);

	assert(c->owes == SMTP_CLIENT_OWES_RESPONSE);
	smtp_client_enter(c, SMTP_CLIENT_STAGE_AUTH);
	if (buf_append(c->output, SPAN("*\r\n")))
		smtp_client_show(c, SMTP_LINE_KIND_AUTH_PAYLOAD, span_of(text, (size_t)n));
	else
		smtp_client_fail(c, SMTP_CLIENT_FAILURE_STUCK);
}

/* Servers exist that send their prompts unencoded. */
static void read_challenge(struct smtp_client *c, struct span text)
{
	buf_clear(&c->challenge);
	c->challenge_is_base64 = !c->parser.reply.cut && base64_decode(&c->challenge, text);
	if (!c->challenge_is_base64)
		buf_append(&c->challenge, text);
}

void smtp_client_on_auth(struct smtp_client *c)
{
	const struct smtp_received_reply *reply = &c->parser.reply;

	if (reply->code == 334) {
		read_challenge(c, smtp_reply_parser_challenge(&c->parser));
		smtp_client_ask(c, SMTP_CLIENT_OWES_RESPONSE);
		smtp_client_post(c, SMTP_CLIENT_AUTH_CHALLENGE);
	} else if (smtp_reply_is_positive(reply)) {
		smtp_client_enter_ready(c);
		smtp_client_post(c, SMTP_CLIENT_AUTH_REPLY);
	} else if (reply->code >= 400) {
		smtp_client_ask(c, SMTP_CLIENT_OWES_AUTH);
		smtp_client_post(c, SMTP_CLIENT_AUTH_REPLY);
	} else {
		smtp_client_fail_unexpected(c);
	}
}
