/* SPDX-License-Identifier: MIT */
#include "dialogues/owner.h"

#include "base/escape.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_MAX = 8 * 1024 * 1024, OUTPUT_MAX = 4 * SMTP_SERVER_OUTPUT_ROOM };

static const struct reply_name {
	const char *name;
	enum smtp_reply_id id;
} reply_names[] = {
	{ "accepted", SMTP_REPLY_MESSAGE_KEPT },
	{ "auth-temporary", SMTP_REPLY_AUTH_TEMPORARY },
	{ "closing-banned", SMTP_REPLY_CLOSING_BANNED },
	{ "closing-connections", SMTP_REPLY_CLOSING_CONNECTIONS },
	{ "closing-connections-address", SMTP_REPLY_CLOSING_CONNECTIONS_ADDRESS },
	{ "closing-local-error", SMTP_REPLY_CLOSING_LOCAL_ERROR },
	{ "access-denied", SMTP_REPLY_ACCESS_DENIED },
	{ "local-error", SMTP_REPLY_LOCAL_ERROR },
	{ "loop", SMTP_REPLY_LOOP },
	{ "no-space", SMTP_REPLY_NO_SPACE },
	{ "too-busy", SMTP_REPLY_TOO_BUSY },
	{ "recipient-unknown", SMTP_REPLY_RECIPIENT_UNKNOWN },
	{ "relaying-denied", SMTP_REPLY_RELAYING_DENIED },
	{ "sender-not-owned", SMTP_REPLY_SENDER_NOT_OWNED },
	{ "content-refused", SMTP_REPLY_CONTENT_REFUSED },
};

static bool find_reply(struct span name, enum smtp_reply_id *id_out)
{
	for (size_t i = 0; i < ARRAY_LEN(reply_names); i++) {
		if (!span_equal(name, span_from_string(reply_names[i].name)))
			continue;
		*id_out = reply_names[i].id;
		return true;
	}
	return false;
}

static void fail(struct owner *o, const char *text)
{
	if (o->failure[0] == '\0')
		snprintf(o->failure, sizeof(o->failure), "%s", text);
}

/* --- Settings --- */

static bool set_number(struct owner *o, struct span name, uint64_t value)
{
	struct smtp_server_settings *settings = &o->settings;

	if (span_equal(name, SPAN("size")))
		settings->size_max_bytes = value;
	else if (span_equal(name, SPAN("recipients")))
		settings->recipients_max = (unsigned)value;
	else if (span_equal(name, SPAN("errors")))
		settings->errors_max = (unsigned)value;
	else if (span_equal(name, SPAN("commands")))
		settings->commands_max = (unsigned)value;
	else if (span_equal(name, SPAN("auth-failures")))
		settings->auth_failures_max = (unsigned)value;
	else
		return false;
	return true;
}

static bool set_flag(struct owner *o, struct span name)
{
	const struct {
		struct span name;
		bool *flag;
		bool value;
	} flags[] = {
		{ SPAN("tls-offered"), &o->settings.tls_offered, true },
		{ SPAN("tls-active"), &o->settings.tls_active, true },
		{ SPAN("tls-required"), &o->settings.tls_required, true },
		{ SPAN("auth-required"), &o->settings.auth_required, true },
		{ SPAN("cleartext-auth"), &o->settings.auth_needs_tls, false },
		{ SPAN("strict"), &o->settings.strict, true },
		{ SPAN("chunking"), &o->settings.chunking, true },
		{ SPAN("dsn"), &o->settings.dsn, true },
		{ SPAN("smtputf8"), &o->settings.smtputf8, true },
		{ SPAN("limits"), &o->settings.limits, true },
		{ SPAN("requiretls"), &o->settings.requiretls, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (!span_equal(name, flags[i].name))
			continue;
		*flags[i].flag = flags[i].value;
		return true;
	}
	return false;
}

static bool set_mechanisms(struct owner *o, struct span list)
{
	struct span name;

	while (span_take_until(&list, ',', &name)) {
		if (o->mechanisms.len > 0)
			buf_append_byte(&o->mechanisms, ' ');
		buf_append(&o->mechanisms, name);
	}
	o->settings.auth_mechanisms = buf_string(&o->mechanisms);
	return true;
}

static bool set_quirks(struct owner *o, struct span list)
{
	struct span name;

	while (span_take_until(&list, ',', &name)) {
		unsigned i = 0;

		while (
		    i < SMTP_QUIRK_COUNT && !span_equal(name, span_from_string(smtp_quirk_name(i))))
			i++;
		if (i == SMTP_QUIRK_COUNT || !smtp_quirk_is_named(i))
			return false;
		o->settings.quirks |= SMTP_QUIRK_BIT(i);
	}
	return true;
}

static bool set_word(struct owner *o, struct span word)
{
	struct span name;
	uint64_t number;
	enum smtp_reply_id id;

	if (set_flag(o, word))
		return true;
	if (span_equal(word, SPAN("xclient")))
		return o->xclient = true;
	span_take_until(&word, '=', &name);
	if (span_equal(name, SPAN("auth")))
		return set_mechanisms(o, word);
	if (span_equal(name, SPAN("quirks")))
		return set_quirks(o, word);
	if (span_equal(name, SPAN("turn-away")))
		return find_reply(word, &id);
	return span_to_u64(word, &number) && set_number(o, name, number);
}

static void observe(void *context, enum smtp_line_kind kind, struct span text)
{
	static const char *const kinds[] = { "command ", "auth ", "reply ", "content " };
	struct owner *o = context;

	buf_append_string(&o->observed, kinds[kind]);
	escape_append(&o->observed, text);
	buf_append_byte(&o->observed, '\n');
}

static void init_bufs(struct owner *o)
{
	buf_init(&o->mechanisms, 1000);
	buf_init(&o->input, RECORD_MAX);
	buf_init(&o->output, OUTPUT_MAX);
	buf_init(&o->sent, RECORD_MAX);
	buf_init(&o->events, RECORD_MAX);
	buf_init(&o->observed, RECORD_MAX);
	buf_init(&o->content, RECORD_MAX);
	buf_init(&o->owed_subject, RECORD_MAX);
	buf_init(&o->owed_data, RECORD_MAX);
}

bool owner_init(struct owner *o, const struct scenario *scenario, bool answers_late)
{
	struct span words = buf_span(&scenario->settings), line, word;

	*o = (struct owner){ .scenario = scenario, .answers_late = answers_late };
	init_bufs(o);
	o->settings.hostname = "relay.example.org";
	o->settings.size_max_bytes = 1000000;
	o->settings.recipients_max = 100;
	o->settings.auth_needs_tls = true;
	while (span_take_until(&words, '\n', &line)) {
		while (span_take_word(&line, &word)) {
			if (set_word(o, word))
				continue;
			fprintf(stderr, "%s: unknown setting\n", scenario->path);
			return false;
		}
	}
	smtp_server_init(&o->server, &o->settings, &o->output);
	smtp_server_allow_xclient(&o->server, o->xclient);
	smtp_server_observe(&o->server, observe, o);
	sasl_server_init(&o->sasl);
	return true;
}

void owner_fini(struct owner *o)
{
	smtp_server_fini(&o->server);
	sasl_server_fini(&o->sasl);
	buf_fini(&o->mechanisms);
	buf_fini(&o->input);
	buf_fini(&o->output);
	buf_fini(&o->sent);
	buf_fini(&o->events);
	buf_fini(&o->observed);
	buf_fini(&o->content);
	buf_fini(&o->owed_subject);
	buf_fini(&o->owed_data);
}

/* --- Answers --- */

/* The scenario's answer to this event and subject. */
static bool find_answer(struct owner *o, const char *event, struct span subject,
    enum smtp_reply_id *id_out, struct span *text_out)
{
	struct span answers = buf_span(&o->scenario->answers), line, word, pattern, reply;

	while (span_take_until(&answers, '\n', &line)) {
		if (!span_take_word(&line, &word) || !span_take_word(&line, &pattern) ||
		    !span_take_word(&line, &reply) || !find_reply(reply, id_out)) {
			fail(o, "an answer: line is malformed");
			return false;
		}
		if (!span_equal(word, span_from_string(event)) ||
		    !pattern_matches(pattern, subject))
			continue;
		*text_out = span_trim(line);
		return true;
	}
	return false;
}

static void answer_transaction(struct owner *o, const char *event, enum smtp_reply_id accept)
{
	enum smtp_reply_id id;
	struct span text;

	if (!find_answer(o, event, buf_span(&o->owed_subject), &id, &text))
		smtp_server_answer(&o->server, accept, NULL);
	else if (text.len == 0)
		smtp_server_answer(&o->server, id, NULL);
	else
		smtp_server_answer(&o->server, id, "%.*s", SPAN_ARG(text));
}

static void answer_message(struct owner *o)
{
	enum smtp_reply_id id;
	struct span text;

	if (find_answer(o, "message", SPAN("-"), &id, &text))
		smtp_server_answer(&o->server, id, NULL);
	else
		smtp_server_answer(
		    &o->server, SMTP_REPLY_MESSAGE_KEPT, "Accepted as m%u", ++o->kept);
}

static bool login_is_right(struct owner *o)
{
	struct span users = buf_span(&o->scenario->users), line, name, password;

	while (span_take_until(&users, '\n', &line)) {
		if (span_take_word(&line, &name) && span_take_word(&line, &password) &&
		    span_equal(name, buf_span(&o->sasl.identity.authcid)) &&
		    span_equal(password, buf_span(&o->sasl.identity.password)))
			return true;
	}
	return false;
}

static void check_login(struct owner *o)
{
	enum smtp_reply_id id;
	struct span text;

	if (find_answer(o, "auth", buf_span(&o->sasl.identity.authcid), &id, &text))
		smtp_server_auth_failure(&o->server, id, NULL);
	else if (login_is_right(o))
		smtp_server_auth_success(&o->server);
	else
		smtp_server_auth_failure(&o->server, SMTP_REPLY_AUTH_REJECTED, NULL);
}

static enum sasl_outcome step_sasl(struct owner *o)
{
	enum sasl_mechanism mechanism;

	if (o->owed == SMTP_SERVER_AUTH_RESPONSE)
		return sasl_server_step(&o->sasl, buf_span(&o->owed_data));
	if (!sasl_mechanism_find(buf_span(&o->owed_subject), &mechanism))
		abort();
	return sasl_server_start(&o->sasl, mechanism, o->owed_has_initial, buf_span(&o->owed_data));
}

static void answer_auth(struct owner *o)
{
	switch (step_sasl(o)) {
	case SASL_OUTCOME_CHALLENGE:
		smtp_server_auth_challenge(&o->server, o->sasl.challenge);
		return;
	case SASL_OUTCOME_IDENTITY:
		check_login(o);
		return;
	case SASL_OUTCOME_MALFORMED:
		smtp_server_auth_failure(&o->server, SMTP_REPLY_AUTH_MALFORMED, o->sasl.sentence);
		return;
	case SASL_OUTCOME_LOOKUP:
	case SASL_OUTCOME_PROVED:
	case SASL_OUTCOME_REFUSED:
		abort(); /* the dialogues offer PLAIN and LOGIN, which end with an identity */
	}
}

static void answer(struct owner *o)
{
	switch (o->owed) {
	case SMTP_SERVER_XCLIENT:
		smtp_server_become(&o->server, &o->settings, o->owed_has_initial);
		break;
	case SMTP_SERVER_MAIL:
		answer_transaction(o, "mail", SMTP_REPLY_SENDER_OK);
		break;
	case SMTP_SERVER_RCPT:
		answer_transaction(o, "rcpt", SMTP_REPLY_RECIPIENT_OK);
		break;
	case SMTP_SERVER_DATA:
		answer_transaction(o, "data", SMTP_REPLY_START_CONTENT);
		break;
	case SMTP_SERVER_MESSAGE:
		answer_message(o);
		break;
	case SMTP_SERVER_AUTH_BEGIN:
	case SMTP_SERVER_AUTH_RESPONSE:
		answer_auth(o);
		break;
	default:
		fail(o, "WAIT, and nothing is owed");
		break;
	}
	o->owed = SMTP_SERVER_NEED_INPUT;
}

static void owe(struct owner *o, enum smtp_server_event_kind kind, struct span subject)
{
	o->owed = kind;
	buf_clear(&o->owed_subject);
	buf_append(&o->owed_subject, subject);
	if (!o->answers_late)
		answer(o);
}

/* --- Events, written down --- */

static void note_mail(struct owner *o, const struct smtp_server_event *event)
{
	buf_printf(&o->events, " <%.*s>", SPAN_ARG(event->mail.address.mailbox));
	if (event->mail.size)
		buf_printf(&o->events, " size=%" PRIu64, event->mail.size);
	if (event->mail.is_eight_bit)
		buf_append(&o->events, SPAN(" 8bit"));
	if (event->mail.smtputf8)
		buf_append(&o->events, SPAN(" smtputf8"));
	if (event->mail.requiretls)
		buf_append(&o->events, SPAN(" requiretls"));
	if (event->mail.ret)
		buf_printf(&o->events, " ret=%u", (unsigned)event->mail.ret);
	if (event->mail.envid.len)
		buf_printf(&o->events, " envid=%.*s", SPAN_ARG(event->mail.envid));
	owe(o, event->kind, event->mail.address.mailbox);
}

static void note_rcpt(struct owner *o, const struct smtp_server_event *event)
{
	buf_printf(&o->events, " <%.*s>", SPAN_ARG(event->rcpt.address.mailbox));
	if (event->rcpt.address.domain.len == 0)
		buf_append(&o->events, SPAN(" without domain"));
	if (event->rcpt.notify)
		buf_printf(&o->events, " notify=%u", event->rcpt.notify);
	if (event->rcpt.orcpt.len)
		buf_printf(&o->events, " orcpt=%.*s", SPAN_ARG(event->rcpt.orcpt));
	owe(o, event->kind, event->rcpt.address.mailbox);
}

static void note_auth(struct owner *o, const struct smtp_server_event *event)
{
	buf_printf(&o->events, " %.*s", SPAN_ARG(event->auth.mechanism));
	if (event->kind == SMTP_SERVER_AUTH_RESPONSE || event->auth.has_initial) {
		buf_append(&o->events, SPAN(" ["));
		escape_append(&o->events, event->auth.data);
		buf_append(&o->events, SPAN("]"));
	}
	o->owed_has_initial = event->auth.has_initial;
	buf_clear(&o->owed_data);
	buf_append(&o->owed_data, event->auth.data);
	owe(o, event->kind, event->auth.mechanism);
}

static void note_message(struct owner *o, const struct smtp_server_event *event)
{
	buf_printf(&o->events, " %" PRIu64 " [", event->message.octets);
	escape_append(&o->events, buf_span(&o->content));
	buf_append(&o->events, SPAN("]"));
	if (event->message.octets != o->content.len)
		fail(o, "the message's size is not that of its content");
	buf_clear(&o->content);
	owe(o, event->kind, SPAN("-"));
}

static void note_refused(struct owner *o, const struct smtp_server_event *event)
{
	buf_printf(&o->events, " %s", smtp_refusal_name(event->refused.reason));
	if (event->refused.reason != SMTP_REFUSAL_TOO_LARGE)
		buf_printf(&o->events, " line %" PRIu64, event->refused.line);
	buf_clear(&o->content);
}

static void note_starttls(struct owner *o, struct span *input)
{
	o->tls_pending = true;
	o->discarded += input->len;
	*input = span_skip(*input, input->len);
}

/* input is what stands behind the event; STARTTLS throws it away. */
static void note(struct owner *o, const struct smtp_server_event *event, struct span *input)
{
	size_t before_len = o->events.len;

	if (event->kind == SMTP_SERVER_CONTENT) {
		buf_append(&o->content, event->content);
		return;
	}
	buf_append_string(&o->events, smtp_server_event_name(event->kind));
	switch (event->kind) {
	case SMTP_SERVER_HELLO:
		buf_printf(&o->events, " %s %.*s", event->hello.extended ? "ehlo" : "helo",
		    SPAN_ARG(event->hello.name));
		break;
	case SMTP_SERVER_STARTTLS:
		note_starttls(o, input);
		break;
	case SMTP_SERVER_AUTH_BEGIN:
	case SMTP_SERVER_AUTH_RESPONSE:
		note_auth(o, event);
		break;
	case SMTP_SERVER_XCLIENT:
		buf_printf(&o->events, " %.*s helo=%.*s login=%.*s",
		    SPAN_ARG(event->xclient.address), SPAN_ARG(event->xclient.helo),
		    SPAN_ARG(event->xclient.login));
		o->owed_has_initial = event->xclient.login.len > 0;
		owe(o, event->kind, event->xclient.address);
		break;
	case SMTP_SERVER_MAIL:
		note_mail(o, event);
		break;
	case SMTP_SERVER_RCPT:
		note_rcpt(o, event);
		break;
	case SMTP_SERVER_DATA:
		owe(o, event->kind, SPAN("-"));
		break;
	case SMTP_SERVER_MESSAGE:
		note_message(o, event);
		break;
	case SMTP_SERVER_REFUSED:
		note_refused(o, event);
		break;
	case SMTP_SERVER_ABORTED:
		buf_printf(&o->events, " %s recipients=%u", smtp_abort_name(event->aborted.reason),
		    event->aborted.recipients);
		buf_clear(&o->content);
		break;
	case SMTP_SERVER_CLOSE:
		buf_printf(&o->events, " %s", smtp_close_name(event->close));
		o->closed = true;
		break;
	default:
		break;
	}
	if (o->events.len == before_len)
		fail(o, "an event left no trace");
	buf_append_byte(&o->events, '\n');
}

/* --- The loop --- */

static void flush(struct owner *o)
{
	buf_append(&o->sent, buf_span(&o->output));
	buf_clear(&o->output);
}

/* One call of next(), on a copy that ends where the input ends. False: it has to be fed. */
static bool turn(struct owner *o)
{
	struct span whole = buf_span(&o->input), rest;
	char *copy = malloc(whole.len ? whole.len : 1);
	struct smtp_server_event event;
	enum smtp_server_event_kind kind;
	size_t before_len = whole.len;

	memcpy(copy, whole.data, whole.len);
	rest = span_of(copy, whole.len);
	kind = smtp_server_next(&o->server, &rest, &event);
	if (o->closed && kind != SMTP_SERVER_WAIT)
		fail(o, "an event came after CLOSE");
	if (kind == SMTP_SERVER_WAIT && rest.len != before_len)
		fail(o, "input was taken while an answer is owed");
	if (kind > SMTP_SERVER_WAIT)
		note(o, &event, &rest);
	buf_consume(&o->input, before_len - rest.len);
	free(copy);
	if (kind == SMTP_SERVER_NEED_OUTPUT)
		flush(o);
	if (kind == SMTP_SERVER_NEED_INPUT && rest.len >= SMTP_SERVER_INPUT_MIN)
		fail(o, "the machine leaves more input than it has announced");
	if (kind != SMTP_SERVER_WAIT)
		return kind != SMTP_SERVER_NEED_INPUT;
	if (o->closed || o->tls_pending || o->owed == SMTP_SERVER_NEED_INPUT)
		return false;
	answer(o);
	return true;
}

static void pump(struct owner *o)
{
	while (o->failure[0] == '\0' && turn(o))
		;
	flush(o);
}

static bool find_turn_away(struct owner *o, enum smtp_reply_id *id_out)
{
	struct span settings = buf_span(&o->scenario->settings);
	size_t at = span_find_span(settings, SPAN("turn-away="));
	struct span word;

	if (at == settings.len)
		return false;
	settings = span_skip(settings, at + strlen("turn-away="));
	settings = span_head(settings, span_find(settings, '\n'));
	return span_take_word(&settings, &word) && find_reply(word, id_out);
}

void owner_begin(struct owner *o)
{
	enum smtp_reply_id id;

	if (find_turn_away(o, &id))
		smtp_server_turn_away(&o->server, id, NULL);
	else
		smtp_server_greet(&o->server);
	pump(o);
}

void owner_feed(struct owner *o, struct span bytes)
{
	if (o->closed)
		return;
	if (o->tls_pending) {
		o->discarded += bytes.len;
		return;
	}
	buf_append(&o->input, bytes);
	pump(o);
}

bool owner_act(struct owner *o, struct span action)
{
	if (span_equal(action, SPAN("TLS"))) {
		if (!o->tls_pending)
			return false;
		o->tls_pending = false;
		buf_printf(&o->events, "tls discarded=%zu\n", o->discarded);
		smtp_server_tls_started(&o->server);
	} else if (span_equal(action, SPAN("SHUTDOWN"))) {
		smtp_server_shutdown(&o->server);
	} else if (span_equal(action, SPAN("TIMEOUT"))) {
		smtp_server_timeout(&o->server);
	} else {
		return false;
	}
	pump(o);
	return true;
}
