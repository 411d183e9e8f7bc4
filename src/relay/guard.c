/* SPDX-License-Identifier: MIT */
#include "relay/guard.h"

#include "base/memory.h"
#include "base/moment.h"
#include "relay/events.h"
#include "relay/session_private.h"

#include <stdio.h>
#include <string.h>

#define KEY_MAX (ACCOUNT_TALLY_KEY_LEN_MAX + 16)
#define BANNED_FAILURES 4 /* a banned login waits as long as after so many */

static int64_t now_ms(const struct session *s)
{
	return net_loop_now_ms(&s->lane->loop);
}

static int64_t wall_ms(const struct session *s)
{
	return net_loop_wall_ms(&s->lane->loop);
}

/* ---- bans ---- */

static bool is_exempt(const struct session *s)
{
	const struct config_networks *exempt = &s->setup->config->bans.exempt;

	return s->trusted || net_address_is_loopback(&s->peer) ||
	       config_networks_contain(exempt->items, exempt->count, &s->peer.storage);
}

bool guard_bans_address(const struct session *s)
{
	struct account_address address = account_address_of(&s->peer.any);

	return account_bans_address(s->lane->services->bans, &address, wall_ms(s));
}

bool guard_bans_login(const struct session *s, struct span login)
{
	struct account_address address = account_address_of(&s->peer.any);

	return login.len > 0 &&
	       account_bans_login(s->lane->services->bans, &address, login, wall_ms(s));
}

static void log_ban(const struct session *s, const struct account_ban *ban)
{
	char address[ACCOUNT_ADDRESS_TEXT_MAX], until[MOMENT_TEXT_MAX];
	struct log_line line;

	event_begin(&line, EVENT_BANNED);
	log_number(&line, "session", (int64_t)s->number);
	log_text(&line, "client", account_address_format(&ban->address, address));
	if (ban->login_len > 0)
		log_span(&line, "login", span_of(ban->login, ban->login_len));
	log_number(&line, "failures", ban->failures);
	log_number(&line, "times", ban->times);
	log_text(&line, "until", moment_format_rfc3339(ban->until_ms, until));
	log_end(&line);
}

/* first, twice that, and so on. */
static int64_t pause_after(unsigned failures, int64_t first_ms)
{
	int64_t pause = first_ms;

	for (unsigned i = 1; i < failures && pause < GUARD_PAUSE_MAX_MS; i++)
		pause *= 2;
	return pause < GUARD_PAUSE_MAX_MS ? pause : GUARD_PAUSE_MAX_MS;
}

int64_t guard_failed(struct session *s, struct span login)
{
	const struct config_bans *config = &s->setup->config->bans;
	struct account_ban_policy policy = {
		.automatic = config->automatic,
		.failures = config->failures,
		.address_failures = config->address_failures,
		.window_ms = config->window_ms,
		.first_ms = config->first_ms,
		.max_ms = config->max_ms,
	};
	struct account_address address = account_address_of(&s->peer.any);
	struct account_bans_outcome outcome;
	unsigned failures = ++s->login_failures;

	if (is_exempt(s))
		return 0;
	account_bans_failed(
	    s->lane->services->bans, &policy, &address, login, wall_ms(s), &outcome);
	if (outcome.login_banned)
		log_ban(s, &outcome.login_ban);
	if (outcome.address_banned)
		log_ban(s, &outcome.address_ban);
	if (outcome.address_failures > failures)
		failures = outcome.address_failures;
	return config->delay_ms > 0 ? pause_after(failures, config->delay_ms) : 0;
}

int64_t guard_banned_pause(const struct session *s)
{
	const struct config_bans *config = &s->setup->config->bans;

	return config->delay_ms > 0 ? pause_after(BANNED_FAILURES, config->delay_ms) : 0;
}

/* ---- limits of a login ---- */

static struct span make_key(char *key, const char *kind, struct span name)
{
	size_t len = (size_t)snprintf(key, KEY_MAX, "%s", kind);

	for (size_t i = 0; i < name.len && len < KEY_MAX; i++)
		key[len++] = byte_to_lower(name.data[i]);
	return span_of(key, len);
}

static struct span login_key(const struct session *s, char *key)
{
	return make_key(key, "login ", span_from_string(s->login));
}

static struct span address_key(const struct session *s, char *key)
{
	struct account_address address = account_address_of(&s->peer.any);
	char label[KEY_MAX];
	size_t len;

	snprintf(label, sizeof(label), "rate %.64s ", s->listener->label);
	make_key(key, label, span_of("", 0));
	len = strlen(label);
	memcpy(key + len, address.bytes, sizeof(address.bytes));
	return span_of(key, len + sizeof(address.bytes));
}

bool guard_succeeded(struct session *s, struct span login, char why_out[GUARD_WHY_MAX])
{
	const struct config_login *rule = config_login_find(s->setup->config, login);
	struct account_address address = account_address_of(&s->peer.any);
	unsigned max = rule ? rule->sessions : 0;
	char key[KEY_MAX];

	if (!account_address_is_none(&address))
		account_bans_succeeded(s->lane->services->bans, &address, login, wall_ms(s));
	s->rule = rule;
	if (max == 0)
		return true;
	s->counted_login =
	    account_tally_enter(s->lane->services->tally, make_key(key, "login ", login), max);
	if (!s->counted_login)
		snprintf(why_out, GUARD_WHY_MAX,
		    "This login has %u sessions open, which is its limit; close one of them", max);
	return s->counted_login;
}

void guard_leave(struct session *s)
{
	char key[KEY_MAX];

	if (s->counted_login)
		account_tally_leave(s->lane->services->tally, login_key(s, key));
	s->counted_login = false;
	s->rule = NULL;
}

static const char *unit(int64_t per_ms)
{
	return per_ms <= 1000           ? "a second"
	       : per_ms <= 60 * 1000    ? "a minute"
	       : per_ms <= 3600 * 1000L ? "an hour"
					: "a day";
}

static struct account_tally_limit limit_of(struct config_rate rate)
{
	return (struct account_tally_limit){ rate.count, rate.per_ms };
}

/* One line an event: an alarm that rings for each message is heard by nobody. */
static void alarm_about(
    struct session *s, struct span key, struct config_rate rate, const char *what, bool held)
{
	struct log_line line;

	if (!account_tally_alarm(s->lane->services->tally, key, rate.per_ms, now_ms(s)))
		return;
	session_begin_line(s, &line, EVENT_LIMIT_REACHED);
	log_text(&line, "what", what);
	log_number(&line, "limit", rate.count);
	log_text(&line, "per", unit(rate.per_ms));
	log_text(&line, "action", held ? "hold" : "reject");
	log_end(&line);
}

static enum guard_answer take(struct session *s, struct span key, enum account_tally_what what,
    struct config_rate rate, bool hold, char why_out[GUARD_WHY_MAX])
{
	const char *name = what == ACCOUNT_TALLY_MESSAGES ? "messages" : "recipients";
	bool within = account_tally_take(
	    s->lane->services->tally, key, what, limit_of(rate), hold, now_ms(s));

	if (within)
		return GUARD_TAKE;
	alarm_about(s, key, rate, name, hold);
	if (hold) {
		s->hold = true;
		return GUARD_TAKE;
	}
	snprintf(why_out, GUARD_WHY_MAX, "%u %s %s are the limit; try again later", rate.count,
	    name, unit(rate.per_ms));
	return GUARD_REFUSE;
}

enum guard_answer guard_message(struct session *s, char why_out[GUARD_WHY_MAX])
{
	const struct config_login *rule = s->login ? s->rule : NULL;
	char key[KEY_MAX];

	if (s->listener->rate.count > 0) {
		if (take(s, address_key(s, key), ACCOUNT_TALLY_MESSAGES, s->listener->rate, false,
			why_out) == GUARD_REFUSE)
			return GUARD_REFUSE;
		s->taken_of_address = true;
	}
	if (!rule || rule->rate.count == 0)
		return GUARD_TAKE;
	if (take(s, login_key(s, key), ACCOUNT_TALLY_MESSAGES, rule->rate,
		rule->on_limit == CONFIG_ON_LIMIT_HOLD, why_out) == GUARD_REFUSE)
		return GUARD_REFUSE;
	s->taken_messages = 1;
	return GUARD_TAKE;
}

enum guard_answer guard_recipient(struct session *s, char why_out[GUARD_WHY_MAX])
{
	const struct config_login *rule = s->login ? s->rule : NULL;
	char key[KEY_MAX];

	if (!rule || rule->recipients.count == 0)
		return GUARD_TAKE;
	if (take(s, login_key(s, key), ACCOUNT_TALLY_RECIPIENTS, rule->recipients,
		rule->on_limit == CONFIG_ON_LIMIT_HOLD, why_out) == GUARD_REFUSE)
		return GUARD_REFUSE;
	s->taken_recipients++;
	return GUARD_TAKE;
}

void guard_end_transaction(struct session *s, bool kept)
{
	struct account_tally *tally = s->lane->services->tally;
	char key[KEY_MAX];

	if (!kept && s->taken_of_address)
		account_tally_give_back(tally, address_key(s, key), ACCOUNT_TALLY_MESSAGES, 1);
	if (!kept && s->taken_messages > 0)
		account_tally_give_back(tally, login_key(s, key), ACCOUNT_TALLY_MESSAGES, 1);
	if (!kept && s->taken_recipients > 0)
		account_tally_give_back(
		    tally, login_key(s, key), ACCOUNT_TALLY_RECIPIENTS, s->taken_recipients);
	s->taken_of_address = false;
	s->taken_messages = s->taken_recipients = 0;
	s->hold = false;
}
