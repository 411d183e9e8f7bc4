/* SPDX-License-Identifier: MIT */
#include "relay/admin_client.h"
#include "relay/admin_json.h"
#include "relay/events.h"
#include "sasl/mechanism.h"

#include <string.h>

/*
 * `frank hop`: what was learned of next hops, and how they are used now. Those that the
 * configuration names are shown even when nothing was sent there yet.
 */

#define FOUND_NAMED_MAX 5 /* keys, when a part of a key fits several */

/* ---- one hop ---- */

static json_t *extensions_json(const struct smtp_extensions *extensions)
{
	json_t *array = json_array();
	struct span words, word;
	struct buf text;

	buf_init(&text, 1024);
	smtp_extensions_format(extensions, &text);
	words = buf_span(&text);
	while (span_take_word(&words, &word))
		json_array_append_new(array, admin_json_text(word));
	buf_fini(&text);
	return array;
}

static json_t *mechanisms_json(const struct smtp_extensions *extensions)
{
	json_t *array = json_array();

	for (size_t i = 0; i < extensions->mechanism_count; i++)
		json_array_append_new(
		    array, admin_json_text(span_from_string(extensions->mechanisms[i])));
	return array;
}

static void set_initial_response(json_t *object, const struct upstream_learned *learned)
{
	enum sasl_mechanism mechanism;

	if (!sasl_mechanism_find(span_from_string(learned->mechanism), &mechanism))
		return;
	switch (learned->memory.way[mechanism]) {
	case SASL_WAY_UNKNOWN:
		break;
	case SASL_WAY_WITH_INITIAL:
		json_object_set_new(object, "initial_response", json_string("yes"));
		break;
	case SASL_WAY_WITHOUT_INITIAL:
		json_object_set_new(object, "initial_response", json_string("no"));
		break;
	}
}

static void set_learned(json_t *object, const struct upstream_learned *learned)
{
	json_t *failure;

	if (learned->greeted) {
		json_object_set_new(object, "extensions", extensions_json(&learned->extensions));
		json_object_set_new(object, "mechanisms", mechanisms_json(&learned->extensions));
		admin_json_set_string(
		    object, "tls", learned->tls_version[0] ? learned->tls_version : "none");
	}
	if (learned->falls_over_ahead)
		json_object_set_new(object, "falls_over_ahead", json_true());
	admin_json_set_string(object, "worked", learned->mechanism);
	set_initial_response(object, learned);
	admin_json_set_time(object, "last_ok", learned->last_ok_ms);
	if (learned->last_failure_ms == 0)
		return;
	failure = json_object();
	admin_json_set_time(failure, "time", learned->last_failure_ms);
	admin_json_set_string(failure, "text", learned->last_failure);
	json_object_set_new(object, "last_failure", failure);
}

static void set_use(json_t *object, struct schedule *s, const struct hop *hop)
{
	if (hop->why[0] != '\0') {
		admin_json_set_time(object, "paused_until", schedule_pause_ends_ms(s, hop));
		admin_json_set_string(object, "why", hop->why);
	}
	admin_json_set_number(object, "waiting", hop->waiting);
	admin_json_set_number(object, "held", hop->held);
	admin_json_set_number(object, "active", hop->ready_count + hop->out);
	admin_json_set_number(object, "connections", hop->slot_count);
	admin_json_set_number(object, "width", hop->width.now);
	admin_json_set_number(object, "delivered", hop->delivered);
}

static void set_account(json_t *object, const struct setup_hop *setup)
{
	const struct setup_account *account = setup ? setup->account : NULL;

	if (account && account->login.len > 0)
		admin_json_set_text(object, "account", account->login);
	else if (account)
		admin_json_set_string(object, "account", account->config->label);
}

static json_t *hop_json(
    struct schedule *s, const char *key, const struct setup_hop *setup, const struct hop *hop)
{
	json_t *object = json_object();

	admin_json_set_string(object, "hop", key);
	set_account(object, setup);
	if (!setup)
		json_object_set_new(object, "configured", json_false());
	if (hop) {
		set_learned(object, &hop->learned);
		set_use(object, s, hop);
	}
	return object;
}

static void say_hop(struct admin_client *client, const char *key)
{
	struct schedule *s = &client->admin->control->schedule;
	struct span span = span_from_string(key);

	admin_say(client,
	    json_pack("{s:o}", "hop",
		hop_json(s, key, setup_hop_by_key(s->setup, span), map_get(s->hops, span))));
}

/* ---- all of them ---- */

static bool is_place(const struct setup_hop *hop)
{
	return hop->kind != SETUP_HOP_NOWHERE && hop->kind != SETUP_HOP_REFUSE;
}

/* A key stands once, although several routes may lead there. */
static bool stands_before(const struct setup *setup, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(setup->hops[i].key, setup->hops[index].key) == 0)
			return true;
	return false;
}

/* Calls found for each key that contains the part; an equal one is the only one. Returns how
   many. */
static size_t find_keys(struct schedule *s, struct span part,
    void (*found)(struct admin_client *client, const char *key), struct admin_client *client)
{
	size_t count = 0;

	for (size_t i = 0; i < s->setup->hop_count; i++) {
		const struct setup_hop *hop = &s->setup->hops[i];
		struct span key = span_from_string(hop->key);
		if (!is_place(hop) || stands_before(s->setup, i) ||
		    (part.len > 0 && span_find_span(key, part) == key.len))
			continue;
		count++;
		if (found)
			found(client, hop->key);
	}
	LIST_FOR_EACH (position, &s->hop_list) {
		const struct hop *hop = LIST_ENTRY(position, struct hop, link);
		struct span key = span_from_string(hop->key);
		const struct setup_hop *setup = setup_hop_by_key(s->setup, key);
		if ((setup && is_place(setup)) ||
		    (part.len > 0 && span_find_span(key, part) == key.len))
			continue;
		count++;
		if (found)
			found(client, hop->key);
	}
	return count;
}

/* ---- the verbs ---- */

static void forget(struct admin_client *client, const char *key)
{
	struct log_line line;

	if (schedule_forget_hop(&client->admin->control->schedule, span_from_string(key))) {
		event_begin(&line, EVENT_QUEUE_CHANGED);
		log_text(&line, "verb", "hop-forget");
		log_text(&line, "hop", key);
		log_end(&line);
	}
	say_hop(client, key);
}

static void say_note(struct admin_client *client, const char *key)
{
	admin_say(client, json_pack("{s:o}", "note", admin_json_text(span_from_string(key))));
}

static void on_one(struct admin_client *client, const char *verb, struct span part)
{
	struct schedule *s = &client->admin->control->schedule;
	bool forgets = strcmp(verb, "forget") == 0;
	char *whole = span_to_string(part);
	size_t count;

	if (whole && (setup_hop_by_key(s->setup, part) || map_get(s->hops, part))) {
		(forgets ? forget : say_hop)(client, whole);
		admin_end(client, 0);
		mem_free(whole);
		return;
	}
	mem_free(whole);
	count = find_keys(s, part, NULL, client);
	if (count == 1) {
		find_keys(s, part, forgets ? forget : say_hop, client);
		admin_end(client, 0);
	} else if (count == 0) {
		admin_fail(client, 1, "no hop has that in its name; frank hop list shows all");
	} else {
		if (count <= FOUND_NAMED_MAX)
			find_keys(s, part, say_note, client);
		admin_fail(client, 1, "%zu hops have that in their names; say more of it", count);
	}
}

void admin_hop(struct admin_client *client, const char *verb, const json_t *request)
{
	struct schedule *s = &client->admin->control->schedule;
	struct span part;

	if (strcmp(verb, "list") == 0) {
		find_keys(s, span_of("", 0), say_hop, client);
		admin_end(client, 0);
	} else if (!admin_json_get_text(request, "hop", &part) || part.len == 0) {
		admin_fail(client, 2, "the name of a hop is missing");
	} else {
		on_one(client, verb, part);
	}
}
