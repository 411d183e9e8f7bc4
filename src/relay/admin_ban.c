/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "base/moment.h"
#include "relay/admin_client.h"
#include "relay/admin_json.h"
#include "relay/events.h"

#include <string.h>

/*
 * `frank ban`: who is turned away, by failures or by an operator.
 */

#define ADDED_DEFAULT_MS (24 * 3600 * 1000LL)
#define SECONDS_MAX (100LL * 366 * 24 * 3600)

static json_t *ban_json(const struct account_ban *ban)
{
	char address[ACCOUNT_ADDRESS_TEXT_MAX];
	json_t *object = json_object();

	admin_json_set_string(object, "address", account_address_format(&ban->address, address));
	admin_json_set_text(object, "login", span_of(ban->login, ban->login_len));
	admin_json_set_time(object, "since", ban->since_ms);
	if (ban->until_ms != ACCOUNT_BANS_FOR_EVER)
		admin_json_set_time(object, "until", ban->until_ms);
	json_object_set_new(object, "by", json_string(ban->failures > 0 ? "failures" : "operator"));
	if (ban->failures > 0) {
		admin_json_set_number(object, "failures", ban->failures);
		admin_json_set_number(object, "times", ban->times);
	}
	return object;
}

static void list(struct admin_client *client)
{
	struct account_bans *bans = client->admin->control->bans;
	size_t count;
	struct account_ban *all = account_bans_list(bans, moment_wall_ms(), false, &count);

	for (size_t i = 0; i < count; i++)
		admin_say(client, json_pack("{s:o}", "ban", ban_json(&all[i])));
	mem_free(all);
	admin_end(client, 0);
}

static void log_change(const struct account_ban *ban, const char *verb, size_t count)
{
	char address[ACCOUNT_ADDRESS_TEXT_MAX];
	struct log_line line;

	event_begin(&line, EVENT_BANS_CHANGED);
	log_text(&line, "verb", verb);
	log_text(&line, "client", account_address_format(&ban->address, address));
	if (ban->login_len > 0)
		log_span(&line, "login", span_of(ban->login, ban->login_len));
	log_number(&line, "bans", (int64_t)count);
	log_end(&line);
}

static void add(struct admin_client *client, struct account_ban *ban, const json_t *request)
{
	const json_t *seconds = json_object_get(request, "seconds");
	json_int_t length = json_integer_value(seconds);

	ban->since_ms = moment_wall_ms();
	ban->until_ms = ban->since_ms + ADDED_DEFAULT_MS;
	if (json_is_true(json_object_get(request, "for_ever"))) {
		ban->until_ms = ACCOUNT_BANS_FOR_EVER;
	} else if (seconds) {
		if (length < 1 || length > SECONDS_MAX) {
			admin_fail(client, 2, "the length of the ban is no good");
			return;
		}
		ban->until_ms = ban->since_ms + length * 1000;
	}
	account_bans_add(client->admin->control->bans, ban);
	log_change(ban, "add", 1);
	admin_say(client, json_pack("{s:o}", "ban", ban_json(ban)));
	admin_end(client, 0);
}

static void take_off(struct admin_client *client, const struct account_ban *ban, bool has_login)
{
	struct span login = has_login ? span_of(ban->login, ban->login_len) : span_of(NULL, 0);
	size_t count = account_bans_remove(
	    client->admin->control->bans, &ban->address, login, moment_wall_ms());

	if (count == 0) {
		admin_fail(client, 1, "there is no such ban; frank ban list shows all");
		return;
	}
	log_change(ban, "remove", count);
	admin_say(client, json_pack("{s:I}", "removed", (json_int_t)count));
	admin_end(client, 0);
}

void admin_ban(struct admin_client *client, const char *verb, const json_t *request)
{
	struct account_ban ban = { .since_ms = 0 };
	struct span address, login;
	bool has_login;

	if (strcmp(verb, "list") == 0) {
		list(client);
		return;
	}
	if (!admin_json_get_text(request, "address", &address) || !address.data ||
	    !account_address_parse(address, &ban.address)) {
		admin_fail(
		    client, 2, "the address is none: write for example 192.0.2.7 or 2001:db8::7");
	} else if (!admin_json_get_text(request, "login", &login) ||
		   (login.data && (login.len == 0 || login.len > ACCOUNT_BANS_LOGIN_MAX))) {
		admin_fail(client, 2, "the login is no good");
	} else {
		has_login = login.data != NULL;
		if (has_login)
			memcpy(ban.login, login.data, ban.login_len = login.len);
		if (strcmp(verb, "add") == 0)
			add(client, &ban, request);
		else
			take_off(client, &ban, has_login);
	}
}
