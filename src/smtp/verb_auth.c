/* SPDX-License-Identifier: MIT */
#include "smtp/server_private.h"

#include "base/base64.h"
#include "base/memory.h"
#include "smtp/words.h"

#include <stdio.h>

/* Names that may be shown when they are tried and not offered: any other word in their place may be
   a secret that was typed there. */
#define COMMON_MECHANISMS                                                                          \
	"PLAIN LOGIN CRAM-MD5 DIGEST-MD5 NTLM GSSAPI GS2-KRB5 XOAUTH2 OAUTHBEARER EXTERNAL "       \
	"ANONYMOUS SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS"

static struct span mechanisms(const struct smtp_server *s)
{
	return span_from_string(s->auth_mechanisms);
}

static bool has_mechanisms(const struct smtp_server *s)
{
	return span_trim(mechanisms(s)).len > 0;
}

static bool lacks_tls(const struct smtp_server *s)
{
	return s->settings->auth_needs_tls && !s->tls_active;
}

bool smtp_server_auth_is_offered(const struct smtp_server *s)
{
	return has_mechanisms(s) && !lacks_tls(s);
}

bool smtp_server_offers_auth_equals(const struct smtp_server *s)
{
	return s->allowed & SMTP_QUIRK_BIT(SMTP_QUIRK_AUTH_EQUALS);
}

bool smtp_server_may_auth(struct smtp_server *s)
{
	if (!has_mechanisms(s))
		smtp_server_error(s, SMTP_REPLY_AUTH_NOT_OFFERED, NULL);
	else if (lacks_tls(s) && !s->settings->tls_offered)
		smtp_server_error(s, SMTP_REPLY_AUTH_NEEDS_TLS,
		    "AUTH is offered only under TLS, which this port does not have");
	else if (lacks_tls(s))
		smtp_server_error(s, SMTP_REPLY_AUTH_NEEDS_TLS, NULL);
	else if (s->authenticated)
		smtp_server_error(s, SMTP_REPLY_AUTH_ALREADY, NULL);
	else
		return s->extended ||
		       smtp_server_allow_quirks(s, SMTP_QUIRK_BIT(SMTP_QUIRK_AUTH_AFTER_HELO));
	return false;
}

/* The mechanism as it may be shown: in its usual spelling, misspelled, or as "?". */
static struct span shown_mechanism(const struct smtp_server *s, struct span word)
{
	struct span found = SPAN("?");

	if (smtp_words_contain(mechanisms(s), word, &found) ||
	    smtp_words_contain(SPAN(COMMON_MECHANISMS), word, &found))
		return found;
	if (smtp_words_near(mechanisms(s), word, &found))
		return word;
	return SPAN("?");
}

void smtp_server_observe_auth(struct smtp_server *s, const struct smtp_command *command)
{
	struct span rest = command->arguments, mechanism = SPAN(""), shown;
	char text[64];
	int len;

	span_take_word(&rest, &mechanism);
	rest = span_trim(rest);
	shown = shown_mechanism(s, mechanism);
	len = snprintf(text, sizeof(text), "AUTH%s%.*s", mechanism.len ? " " : "",
	    mechanism.len ? (int)shown.len : 0, shown.data);
	smtp_server_observe_line(s, SMTP_LINE_KIND_COMMAND, span_of(text, (size_t)len));
	if (rest.len > 0)
		smtp_server_observe_payload(s, shown, rest.len);
}

static void refuse_mechanism(struct smtp_server *s, struct span word)
{
	struct span near = shown_mechanism(s, word);

	if (smtp_words_near(mechanisms(s), word, &near))
		smtp_server_error(s, SMTP_REPLY_AUTH_MECHANISM_UNKNOWN,
		    "%.*s is unknown; %.*s is offered", SPAN_ARG(word), SPAN_ARG(near));
	else if (span_equal(near, SPAN("?")))
		smtp_server_error(s, SMTP_REPLY_AUTH_MECHANISM_UNKNOWN,
		    "That is no mechanism; offered: %s", s->auth_mechanisms);
	else
		smtp_server_error(s, SMTP_REPLY_AUTH_MECHANISM_UNKNOWN,
		    "%.*s is not offered; offered: %s", SPAN_ARG(near), s->auth_mechanisms);
}

static bool is_base64_byte(char c)
{
	return byte_is_alpha(c) || byte_is_digit(c) || c == '+' || c == '/';
}

/* The kind of a byte that is not of the alphabet. Never the byte itself: it may be of a
   password that was typed without encoding it. */
static const char *byte_kind(char c)
{
	if (c == ' ' || c == '\t')
		return "a blank";
	if (c == '=')
		return "a = before the end";
	if (c == '-' || c == '_')
		return "of the URL form of base64";
	if (c == '\r' || c == '\n')
		return "a line end";
	if (c == '\0')
		return "a NUL";
	return (unsigned char)c > 126 || c < ' ' ? "not printable" : "not of the alphabet";
}

/* Says where it is wrong; it is. */
static void refuse_payload(struct smtp_server *s, struct span text)
{
	size_t at = 0, end = text.len;

	while (end > 0 && text.len - end < 2 && text.data[end - 1] == '=')
		end--;
	while (at < end && is_base64_byte(text.data[at]))
		at++;
	if (at < end)
		smtp_server_error(s, SMTP_REPLY_AUTH_MALFORMED,
		    "That is not base64: character %zu is %s", at + 1, byte_kind(text.data[at]));
	else if (text.len % 4 != 0)
		smtp_server_error(s, SMTP_REPLY_AUTH_MALFORMED,
		    "That is not base64: %zu characters, which is not a multiple of 4", text.len);
	else
		smtp_server_error(s, SMTP_REPLY_AUTH_MALFORMED,
		    "That is not base64: its last character has bits that belong to nothing");
}

static void push_auth(struct smtp_server *s, enum smtp_server_event_kind kind, bool has_initial)
{
	struct smtp_server_event event = { .kind = kind };

	event.auth.mechanism = s->mechanism;
	event.auth.data = buf_span(&s->auth_data);
	event.auth.has_initial = has_initial;
	s->owed = SMTP_OWED_AUTH;
	smtp_server_push(s, &event);
}

static bool decode(struct smtp_server *s, struct span text)
{
	buf_clear(&s->auth_data);
	return base64_decode(&s->auth_data, text);
}

/* initial is empty when there is none; "=" stands for an empty one (RFC 4954, 4). */
static void begin_exchange(struct smtp_server *s, struct span initial)
{
	bool is_empty_one = span_equal(initial, SPAN("="));

	if (initial.len > SMTP_AUTH_LINE_MAX) {
		smtp_server_error(s, SMTP_REPLY_AUTH_TOO_LONG, NULL);
		return;
	}
	if (!decode(s, is_empty_one ? SPAN("") : initial)) {
		refuse_payload(s, initial);
		return;
	}
	smtp_server_enter(s, SMTP_PHASE_AUTH);
	push_auth(s, SMTP_SERVER_AUTH_BEGIN, initial.len > 0);
}

void smtp_server_handle_auth(struct smtp_server *s, const struct smtp_command *command)
{
	struct span rest = command->arguments, word;

	if (!span_take_word(&rest, &word)) {
		smtp_server_error(s, SMTP_REPLY_ARGUMENTS, "AUTH needs a mechanism; offered: %s",
		    s->auth_mechanisms);
		return;
	}
	if (!smtp_words_contain(mechanisms(s), word, &s->mechanism)) {
		refuse_mechanism(s, word);
		return;
	}
	if (rest.len > 1 && span_trim(rest).len + 1 != rest.len &&
	    !smtp_server_take_quirk(s, SMTP_QUIRK_AUTH_BLANK)) {
		smtp_server_error(s, SMTP_REPLY_SYNTAX,
		    "One blank stands between the mechanism and what follows it");
		return;
	}
	s->quirks[SMTP_QUIRK_AUTH_EQUALS] += s->extended && smtp_server_offers_auth_equals(s);
	begin_exchange(s, span_trim(rest));
}

void smtp_server_cancel_auth(struct smtp_server *s)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_AUTH_CANCELLED };

	buf_fini(&s->auth_data);
	smtp_server_enter(s, SMTP_PHASE_READY);
	smtp_server_push(s, &event);
}

static void cancelled_by_client(struct smtp_server *s)
{
	smtp_server_observe_line(s, SMTP_LINE_KIND_AUTH_PAYLOAD, SPAN("*"));
	smtp_server_cancel_auth(s);
	smtp_server_error(s, SMTP_REPLY_AUTH_CANCELLED, NULL);
}

void smtp_server_take_auth_line(struct smtp_server *s, struct span line)
{
	struct span text = span_trim(line);
	unsigned quirks = text.len != line.len ? SMTP_QUIRK_BIT(SMTP_QUIRK_TRAILING_BLANK) : 0;

	if (span_equal(text, SPAN("*"))) {
		cancelled_by_client(s);
		return;
	}
	smtp_server_observe_payload(s, s->mechanism, text.len);
	if (s->settings->strict && quirks)
		smtp_server_cancel_auth(s);
	if (!smtp_server_allow_quirks(s, quirks))
		return;
	if (decode(s, text)) {
		push_auth(s, SMTP_SERVER_AUTH_RESPONSE, false);
	} else {
		smtp_server_cancel_auth(s);
		refuse_payload(s, text);
	}
}
