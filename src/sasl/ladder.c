/* SPDX-License-Identifier: MIT */
#include "sasl/ladder.h"

#include "base/escape.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum phase {
	PHASE_EXCHANGE,  /* START or RESPOND was the last action */
	PHASE_CANCELLED, /* CANCEL was */
	PHASE_ENDED,
};

enum { CHALLENGES_MAX = 4, CANCELS_MAX = 2, BYTES_MAX = 1024 };

static unsigned bit(enum sasl_mechanism mechanism)
{
	return 1u << mechanism;
}

__attribute__((format(printf, 4, 5))) static void give_up(struct sasl_ladder *l,
    struct sasl_ladder_action *action, enum sasl_trouble trouble, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(l->sentence, sizeof(l->sentence), format, arguments);
	va_end(arguments);
	l->phase = PHASE_ENDED;
	buf_fini(&l->bytes);
	action->kind = SASL_LADDER_GIVE_UP;
	action->trouble = trouble;
	action->sentence = l->sentence;
}

/* Which mechanism, and which way. */

static bool may_use(const struct sasl_ladder *l, enum sasl_mechanism mechanism)
{
	struct span only = l->settings.only_mechanism;

	return only.len == 0 ||
	       span_equal_nocase(only, span_from_string(sasl_mechanism_name(mechanism)));
}

static void find_offered(struct sasl_ladder *l)
{
	enum sasl_mechanism mechanism;

	for (size_t i = 0; i < l->settings.offered_count; i++) {
		if (sasl_mechanism_find(l->settings.offered[i], &mechanism) &&
		    may_use(l, mechanism))
			l->offered |= bit(mechanism);
	}
}

static bool first_way_has_initial(const struct sasl_ladder *l, enum sasl_mechanism mechanism)
{
	if (l->memory->way[mechanism] != SASL_WAY_UNKNOWN)
		return l->memory->way[mechanism] == SASL_WAY_WITH_INITIAL;
	switch (l->settings.initial_response) {
	case SASL_INITIAL_RESPONSE_YES:
		return true;
	case SASL_INITIAL_RESPONSE_NO:
		return false;
	case SASL_INITIAL_RESPONSE_AUTO:
		break;
	}
	return sasl_client_prefers_initial(mechanism);
}

static void start(struct sasl_ladder *l, enum sasl_mechanism mechanism, bool with_initial,
    struct sasl_ladder_action *action)
{
	if (with_initial)
		l->tried_with |= bit(mechanism);
	else
		l->tried_without |= bit(mechanism);
	l->phase = PHASE_EXCHANGE;
	l->challenges = l->cancels = 0;
	l->initial_ignored = false;
	buf_clear(&l->bytes);
	sasl_client_start(&l->client, mechanism, &l->settings.credentials, with_initial, &l->bytes);
	action->kind = SASL_LADDER_START;
	action->mechanism = span_from_string(sasl_mechanism_name(mechanism));
	action->has_initial = with_initial;
	action->bytes = buf_span(&l->bytes);
}

/* The strongest one left; those that failed here before come last. */
static bool find_next_mechanism(const struct sasl_ladder *l, enum sasl_mechanism *mechanism_out)
{
	unsigned left = l->offered & ~(l->tried_with | l->tried_without);
	bool found = false;

	for (int i = 0; i < SASL_MECHANISM_COUNT; i++) {
		if (!(left & 1u << i) ||
		    (found && l->memory->failed[i] && !l->memory->failed[*mechanism_out]))
			continue;
		*mechanism_out = (enum sasl_mechanism)i;
		found = true;
	}
	return found;
}

static void start_next_mechanism(struct sasl_ladder *l, struct sasl_ladder_action *action)
{
	enum sasl_mechanism mechanism;

	if (find_next_mechanism(l, &mechanism))
		start(l, mechanism, first_way_has_initial(l, mechanism), action);
	else
		give_up(l, action, SASL_TROUBLE_CONFUSED,
		    "the server lists mechanisms for signing in and understands none of them: %s",
		    l->last_reply);
}

/* The way that has not been tried of the mechanism in hand, else the next mechanism. */
static void start_other_way(struct sasl_ladder *l, struct sasl_ladder_action *action)
{
	enum sasl_mechanism mechanism = l->client.mechanism;

	if (!(l->tried_with & bit(mechanism)))
		start(l, mechanism, true, action);
	else if (!(l->tried_without & bit(mechanism)))
		start(l, mechanism, false, action);
	else
		start_next_mechanism(l, action);
}

/* The beginning. */

static void list_offered(const struct sasl_ladder *l, char *out, size_t size)
{
	struct buf list;

	buf_init(&list, 1024);
	for (size_t i = 0; i < l->settings.offered_count; i++) {
		if (i)
			buf_append_byte(&list, ' ');
		buf_append(&list, l->settings.offered[i]);
	}
	escape_to(out, size, buf_span(&list));
	buf_fini(&list);
}

static void give_up_mechanisms(struct sasl_ladder *l, struct sasl_ladder_action *action)
{
	char offered[160], only[40];

	list_offered(l, offered, sizeof(offered));
	if (l->settings.only_mechanism.len)
		give_up(l, action, SASL_TROUBLE_NO_MECHANISM,
		    "the server offers %s for signing in, and only %s may be used%s", offered,
		    escape_to(only, sizeof(only), l->settings.only_mechanism),
		    l->settings.tls_active ? "" : " (without TLS)");
	else
		give_up(l, action, SASL_TROUBLE_NO_MECHANISM,
		    "the server offers %s for signing in, and Frank can use only PLAIN and LOGIN",
		    offered);
}

void sasl_ladder_begin(struct sasl_ladder *l, const struct sasl_ladder_settings *settings,
    struct sasl_memory *memory, struct sasl_ladder_action *action_out)
{
	const char *why;

	*action_out = (struct sasl_ladder_action){ 0 };
	*l = (struct sasl_ladder){ .settings = *settings, .memory = memory };
	buf_init_secret(&l->bytes, BYTES_MAX);
	find_offered(l);
	if (!sasl_credentials_are_sound(&settings->credentials, &why))
		give_up(l, action_out, SASL_TROUBLE_CREDENTIALS, "%s", why);
	else if (!settings->tls_active && !settings->cleartext_allowed)
		give_up(l, action_out, SASL_TROUBLE_NO_TLS,
		    "the connection is not under TLS: the login is not sent in clear text");
	else if (settings->offered_count == 0)
		give_up(l, action_out, SASL_TROUBLE_NOT_OFFERED, "the server does not offer AUTH%s",
		    settings->tls_active ? "" : "; many servers offer it only under TLS");
	else if (l->offered == 0)
		give_up_mechanisms(l, action_out);
	else
		start_next_mechanism(l, action_out);
}

void sasl_ladder_fini(struct sasl_ladder *l)
{
	buf_fini(&l->bytes);
	l->client = (struct sasl_client){ 0 };
	l->settings.credentials = (struct sasl_credentials){ 0 };
}

/* Challenges. */

static void cancel(struct sasl_ladder *l, struct sasl_ladder_action *action)
{
	if (l->cancels++ == CANCELS_MAX) {
		give_up(l, action, SASL_TROUBLE_CONFUSED,
		    "the server goes on asking after the login was cancelled");
		return;
	}
	l->phase = PHASE_CANCELLED;
	action->kind = SASL_LADDER_CANCEL;
}

static void respond(struct sasl_ladder *l, struct sasl_ladder_action *action)
{
	if (l->client.mechanism == SASL_MECHANISM_PLAIN && l->client.with_initial)
		l->initial_ignored = true;
	action->kind = SASL_LADDER_RESPOND;
	action->bytes = buf_span(&l->bytes);
}

static void remember_prompt(struct sasl_ladder *l, struct span challenge)
{
	char text[128];

	snprintf(l->last_reply, sizeof(l->last_reply), "334 asks for \"%s\"",
	    escape_to(text, sizeof(text), challenge));
}

void sasl_ladder_challenge(
    struct sasl_ladder *l, struct span challenge, struct sasl_ladder_action *action_out)
{
	assert(l->phase != PHASE_ENDED);
	*action_out = (struct sasl_ladder_action){ 0 };
	remember_prompt(l, challenge);
	if (l->phase == PHASE_CANCELLED || l->challenges++ == CHALLENGES_MAX) {
		cancel(l, action_out);
		return;
	}
	buf_clear(&l->bytes);
	switch (sasl_client_step(&l->client, challenge, &l->bytes)) {
	case SASL_CLIENT_RESPOND:
		respond(l, action_out);
		break;
	case SASL_CLIENT_NAME_AGAIN:
	case SASL_CLIENT_UNEXPECTED:
		cancel(l, action_out);
		break;
	}
}

/* Replies. */

static bool contains_nocase(struct span s, struct span needle)
{
	for (size_t at = 0; at + needle.len <= s.len; at++) {
		if (span_equal_nocase(span_of(s.data + at, needle.len), needle))
			return true;
	}
	return false;
}

/* The refusal is about the mechanism, not about the secret. */
static bool blames_mechanism(struct span text)
{
	return span_starts_with(text, SPAN("5.7.4 ")) || span_starts_with(text, SPAN("5.5.4 ")) ||
	       contains_nocase(text, SPAN("(#5.7.4)")) || contains_nocase(text, SPAN("(#5.5.4)")) ||
	       contains_nocase(text, SPAN("mechanism")) ||
	       contains_nocase(text, SPAN("unrecognized authentication type"));
}

/* Every other mechanism tried was not understood: a refused secret would have ended the ladder. */
static void remember_success(struct sasl_ladder *l, bool with_initial)
{
	l->memory->way[l->client.mechanism] =
	    with_initial ? SASL_WAY_WITH_INITIAL : SASL_WAY_WITHOUT_INITIAL;
	for (int i = 0; i < SASL_MECHANISM_COUNT; i++) {
		if ((l->tried_with | l->tried_without) & 1u << i)
			l->memory->failed[i] = i != (int)l->client.mechanism;
	}
}

static void finish(struct sasl_ladder *l, struct sasl_ladder_action *action)
{
	bool with_initial = l->client.with_initial && !l->initial_ignored;

	remember_success(l, with_initial);
	l->phase = PHASE_ENDED;
	buf_fini(&l->bytes);
	action->kind = SASL_LADDER_DONE;
	action->mechanism = span_from_string(sasl_mechanism_name(l->client.mechanism));
	action->has_initial = with_initial;
}

static void on_cancelled(struct sasl_ladder *l, unsigned code, struct sasl_ladder_action *action)
{
	if (code < 400)
		give_up(l, action, SASL_TROUBLE_CONFUSED,
		    "the server accepts a login that was cancelled: %s", l->last_reply);
	else if (code < 500)
		give_up(l, action, SASL_TROUBLE_TEMPORARY,
		    "the server cannot check the login now: %s", l->last_reply);
	else
		start_other_way(l, action);
}

static void on_refused(
    struct sasl_ladder *l, unsigned code, struct span text, struct sasl_ladder_action *action)
{
	if (code >= 500 && code <= 504) {
		start_other_way(l, action);
	} else if ((code == 530 || code == 538) && !l->settings.tls_active) {
		give_up(l, action, SASL_TROUBLE_NO_TLS,
		    "the server takes a login only under TLS: %s", l->last_reply);
	} else if (blames_mechanism(text)) {
		l->tried_with |= bit(l->client.mechanism);
		l->tried_without |= bit(l->client.mechanism);
		start_next_mechanism(l, action);
	} else {
		give_up(l, action, SASL_TROUBLE_REFUSED, "the server refused the login: %s",
		    l->last_reply);
	}
}

static void remember_reply(struct sasl_ladder *l, unsigned code, struct span text)
{
	int n = snprintf(l->last_reply, sizeof(l->last_reply), "%u ", code);

	escape_to(l->last_reply + n, sizeof(l->last_reply) - (size_t)n, text);
}

void sasl_ladder_reply(
    struct sasl_ladder *l, unsigned code, struct span text, struct sasl_ladder_action *action_out)
{
	assert(l->phase != PHASE_ENDED);
	*action_out = (struct sasl_ladder_action){ 0 };
	if (l->phase != PHASE_CANCELLED)
		remember_reply(l, code, text);
	if (l->phase == PHASE_CANCELLED)
		on_cancelled(l, code, action_out);
	else if (code >= 200 && code < 300)
		finish(l, action_out);
	else if (code < 500)
		give_up(l, action_out, SASL_TROUBLE_TEMPORARY,
		    "the server cannot check the login now: %s", l->last_reply);
	else
		on_refused(l, code, text, action_out);
}
