/* SPDX-License-Identifier: MIT */
#include "sasl/ladder.h"

#include "base/conceal.h"
#include "base/escape.h"
#include "base/memory.h"
#include "sasl/ladder_words.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum phase {
	PHASE_EXCHANGE,  /* START or RESPOND was the last action */
	PHASE_CANCELLED, /* CANCEL was */
	PHASE_ENDED,
};

enum { CHALLENGES_MAX = 8, CANCELS_MAX = 2, RANDOM_MIN = 16 };

static unsigned bit(enum sasl_mechanism mechanism)
{
	return 1u << mechanism;
}

static struct span name_in_hand(const struct sasl_ladder *l)
{
	if (l->exchanges == 0)
		return SPAN("");
	return span_from_string(sasl_mechanism_name(l->client.mechanism));
}

static void end(struct sasl_ladder *l)
{
	l->phase = PHASE_ENDED;
	buf_fini(&l->bytes);
	sasl_client_fini(&l->client);
}

/* With the sentence that stands there. */
static void give_up_as_said(
    struct sasl_ladder *l, struct sasl_ladder_action *action, enum sasl_trouble trouble)
{
	end(l);
	action->kind = SASL_LADDER_GIVE_UP;
	action->mechanism = name_in_hand(l);
	action->trouble = trouble;
	action->sentence = l->sentence;
}

__attribute__((format(printf, 2, 3))) static void say(
    struct sasl_ladder *l, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(l->sentence, sizeof(l->sentence), format, arguments);
	va_end(arguments);
}

__attribute__((format(printf, 4, 5))) static void give_up(struct sasl_ladder *l,
    struct sasl_ladder_action *action, enum sasl_trouble trouble, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(l->sentence, sizeof(l->sentence), format, arguments);
	va_end(arguments);
	give_up_as_said(l, action, trouble);
}

/* Which mechanism, and which way. */

static bool first_way_has_initial(const struct sasl_ladder *l, enum sasl_mechanism mechanism)
{
	if (!sasl_client_permits_initial(mechanism))
		return false;
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

/* Every exchange has octets of its own, made of those of the ladder. */
static void make_random(struct sasl_ladder *l)
{
	struct buf seed;
	bool made;

	if (l->settings.random.len == 0)
		return;
	buf_init_secret(&seed, 256);
	made = buf_printf(&seed, "%u ", l->exchanges) &&
	       buf_append(&seed, span_head(l->settings.random, RANDOM_MIN)) &&
	       sasl_digest(SASL_HASH_SHA_256, buf_span(&seed), l->random);
	buf_fini(&seed);
	assert(made);
}

static void start_client(struct sasl_ladder *l, enum sasl_mechanism mechanism, bool with_initial)
{
	struct sasl_client_settings settings = {
		.credentials = l->settings.credentials,
		.binding = l->settings.binding,
		.binding_offered = l->binding_offered,
		.scram_cache = l->settings.scram_cache,
		.scram_iterations_min = l->settings.scram_iterations_min,
	};

	l->exchanges++;
	make_random(l);
	settings.random = span_of(l->random, sizeof(l->random));
	buf_clear(&l->bytes);
	sasl_client_fini(&l->client);
	sasl_client_start(&l->client, mechanism, &settings, with_initial, &l->bytes);
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
	start_client(l, mechanism, with_initial);
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
	else if (l->unable)
		give_up(l, action, SASL_TROUBLE_LOCAL, "%s", l->last_reply);
	else
		give_up(l, action, SASL_TROUBLE_CONFUSED,
		    "the server lists mechanisms for signing in and understands none of them: %s",
		    l->last_reply);
}

/* The way that has not been tried of the mechanism in hand, else the next mechanism. */
static void start_other_way(struct sasl_ladder *l, struct sasl_ladder_action *action)
{
	enum sasl_mechanism mechanism = l->client.mechanism;

	if (!(l->tried_with & bit(mechanism)) && sasl_client_permits_initial(mechanism))
		start(l, mechanism, true, action);
	else if (!(l->tried_without & bit(mechanism)))
		start(l, mechanism, false, action);
	else
		start_next_mechanism(l, action);
}

/* The beginning. */

static void give_up_unusable(struct sasl_ladder *l, struct sasl_ladder_action *action)
{
	sasl_ladder_explain(&l->settings, l->sentence, sizeof(l->sentence));
	give_up_as_said(l, action, SASL_TROUBLE_NO_MECHANISM);
}

void sasl_ladder_begin(struct sasl_ladder *l, const struct sasl_ladder_settings *settings,
    struct sasl_memory *memory, struct sasl_ladder_action *action_out)
{
	const char *why;

	*action_out = (struct sasl_ladder_action){ 0 };
	*l = (struct sasl_ladder){ .settings = *settings, .memory = memory };
	assert(settings->random.len == 0 || settings->random.len >= RANDOM_MIN);
	buf_init_secret(&l->bytes, SASL_CLIENT_BYTES_MAX);
	l->offered = sasl_ladder_usable(settings);
	l->binding_offered = sasl_ladder_binding_is_offered(settings);
	if (!sasl_credentials_are_sound(&settings->credentials, &why))
		give_up(l, action_out, SASL_TROUBLE_CREDENTIALS, "%s", why);
	else if (!settings->tls_active && !settings->cleartext_allowed)
		give_up(l, action_out, SASL_TROUBLE_NO_TLS,
		    "the connection is not under TLS: the login is not sent in clear text");
	else if (settings->offered_count == 0)
		give_up(l, action_out, SASL_TROUBLE_NOT_OFFERED,
		    "the server does not offer AUTH%s%s",
		    settings->tls_active ? "" : "; many servers offer it only under TLS",
		    sasl_ladder_certificate_words(settings));
	else if (l->offered == 0)
		give_up_unusable(l, action_out);
	else
		start_next_mechanism(l, action_out);
}

void sasl_ladder_fini(struct sasl_ladder *l)
{
	end(l);
	mem_wipe(l->random, sizeof(l->random));
	l->settings = (struct sasl_ladder_settings){ 0 };
}

/* Challenges. */

static void cancel(struct sasl_ladder *l, struct sasl_ladder_action *action)
{
	if (l->cancels++ == CANCELS_MAX && l->verdict != SASL_TROUBLE_NONE) {
		give_up_as_said(l, action, l->verdict);
		return;
	}
	if (l->cancels > CANCELS_MAX) {
		give_up(l, action, SASL_TROUBLE_CONFUSED,
		    "the server goes on asking after the login was cancelled");
		return;
	}
	l->phase = PHASE_CANCELLED;
	action->kind = SASL_LADDER_CANCEL;
}

/* An initial response that was ignored is no payload of the exchange. */
static void respond(struct sasl_ladder *l, struct sasl_ladder_action *action)
{
	bool counts_initial = l->client.with_initial && !l->client.initial_ignored;

	action->kind = SASL_LADDER_RESPOND;
	action->bytes = buf_span(&l->bytes);
	action->payload = l->client.step - 1 + counts_initial;
}

/* The server breaks the mechanism: nothing follows the cancellation. */
static void distrust(struct sasl_ladder *l, struct sasl_ladder_action *action)
{
	say(l, "%s: %s", sasl_mechanism_name(l->client.mechanism), l->client.sentence);
	l->verdict = SASL_TROUBLE_UNTRUSTED;
	cancel(l, action);
}

static void strike_mechanism(struct sasl_ladder *l)
{
	l->tried_with |= bit(l->client.mechanism);
	l->tried_without |= bit(l->client.mechanism);
}

static void pass_over(struct sasl_ladder *l, struct sasl_ladder_action *action)
{
	snprintf(l->last_reply, sizeof(l->last_reply), "%s", l->client.sentence);
	l->unable = true;
	strike_mechanism(l);
	cancel(l, action);
}

/* A challenge is the server's word, and may repeat ours. */
static void hide_secrets(const struct sasl_ladder *l, char *text, size_t size)
{
	struct conceal conceal;

	if (text[0] == '\0')
		return;
	conceal_init(&conceal);
	conceal_add(&conceal, l->settings.credentials.password);
	conceal_add(&conceal, l->settings.credentials.token);
	conceal_hide_in(&conceal, text, size);
	conceal_fini(&conceal);
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
	enum sasl_client_result result;

	assert(l->phase != PHASE_ENDED);
	*action_out = (struct sasl_ladder_action){ 0 };
	remember_prompt(l, challenge);
	hide_secrets(l, l->last_reply, sizeof(l->last_reply));
	if (l->phase == PHASE_CANCELLED || l->challenges++ == CHALLENGES_MAX) {
		cancel(l, action_out);
		return;
	}
	buf_clear(&l->bytes);
	result = sasl_client_step(&l->client, challenge, &l->bytes);
	hide_secrets(l, l->client.sentence, sizeof(l->client.sentence));
	switch (result) {
	case SASL_CLIENT_RESPOND:
		respond(l, action_out);
		break;
	case SASL_CLIENT_NAME_AGAIN:
	case SASL_CLIENT_UNEXPECTED:
		cancel(l, action_out);
		break;
	case SASL_CLIENT_UNTRUSTED:
		distrust(l, action_out);
		break;
	case SASL_CLIENT_UNABLE:
		pass_over(l, action_out);
		break;
	}
}

bool sasl_ladder_is_slow(const struct sasl_ladder *l)
{
	return l->phase == PHASE_EXCHANGE && sasl_client_is_slow(&l->client);
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
	bool with_initial = l->client.with_initial && !l->client.initial_ignored;

	if (!sasl_client_may_succeed(&l->client)) {
		give_up(l, action, SASL_TROUBLE_UNTRUSTED,
		    "%s: the server accepts the login and does not prove that it knows the secret",
		    sasl_mechanism_name(l->client.mechanism));
		return;
	}
	remember_success(l, with_initial);
	end(l);
	action->kind = SASL_LADDER_DONE;
	action->mechanism = name_in_hand(l);
	action->has_initial = with_initial;
}

static void on_cancelled(struct sasl_ladder *l, unsigned code, struct sasl_ladder_action *action)
{
	if (l->verdict != SASL_TROUBLE_NONE)
		give_up_as_said(l, action, l->verdict);
	else if (code < 400)
		give_up(l, action, SASL_TROUBLE_CONFUSED,
		    "the server accepts a login that was cancelled: %s", l->last_reply);
	else if (code < 500)
		give_up(l, action, SASL_TROUBLE_TEMPORARY,
		    "the server cannot check the login now: %s", l->last_reply);
	else
		start_other_way(l, action);
}

/* What this secret could still be used with. */
static void strike_secret(struct sasl_ladder *l)
{
	enum sasl_secret refused = sasl_mechanism_secret(l->client.mechanism);

	for (int i = 0; i < SASL_MECHANISM_COUNT; i++) {
		if (sasl_mechanism_secret((enum sasl_mechanism)i) == refused)
			l->offered &= ~(1u << i);
	}
}

static void refuse(struct sasl_ladder *l, struct sasl_ladder_action *action)
{
	enum sasl_mechanism next;

	strike_secret(l);
	if (find_next_mechanism(l, &next))
		start_next_mechanism(l, action);
	else if (l->client.sentence[0])
		give_up(l, action, SASL_TROUBLE_REFUSED, "the server refused the login: %s; %s",
		    l->last_reply, l->client.sentence);
	else
		give_up(l, action, SASL_TROUBLE_REFUSED, "the server refused the login: %s",
		    l->last_reply);
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
		strike_mechanism(l);
		start_next_mechanism(l, action);
	} else {
		refuse(l, action);
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
