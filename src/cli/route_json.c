/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"
#include "cli/route.h"

static json_t *origin_json(struct config_origin origin)
{
	char text[CONFIG_ORIGIN_TEXT_MAX];
	return json_string(config_origin_format(origin, text));
}

static json_t *patterns_json(const struct config_pattern *patterns, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(patterns[i].text));
	return list;
}

static json_t *words_json(struct buf *value)
{
	json_t *text = json_string(buf_string(value));
	buf_clear(value);
	return text;
}

static void set_session(json_t *answer, const struct config_route *route,
    const struct config_via *via, struct buf *value)
{
	route_describe_tls(route, via, value);
	json_object_set_new(answer, "tls", words_json(value));
	if (route == NULL || route->account == NULL)
		return;
	json_t *account = json_pack("{s:o}", "place", origin_json(route->account->origin));
	if (route->account->login[0] != '\0')
		json_object_set_new(account, "login", json_string(route->account->login));
	if (route->account->label != NULL)
		json_object_set_new(account, "name", json_string(route->account->label));
	enum sasl_mechanism served[SASL_MECHANISM_COUNT];
	size_t count = route_mechanisms(route, served);
	json_t *mechanisms = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(mechanisms, json_string(sasl_mechanism_name(served[i])));
	json_object_set_new(answer, "account", account);
	json_object_set_new(answer, "mechanisms", mechanisms);
	json_object_set_new(answer, "initial_response",
	    json_string(route_initial_response_name(route->initial_response)));
	json_object_set_new(answer, "cleartext_auth", json_boolean(route->cleartext_auth));
}

static void set_route(json_t *answer, const struct config_route *route, struct buf *value)
{
	json_object_set_new(answer, "route",
	    json_pack("{s:o, s:o}", "patterns",
		patterns_json(route->patterns, route->pattern_count), "place",
		origin_json(route->origin)));
	if (route->via_count == 0) {
		json_t *refuse = json_pack(
		    "{s:i, s:s}", "code", (int)route->refuse.code, "text", route->refuse.text);
		if (route->refuse.enhanced != NULL)
			json_object_set_new(refuse, "status", json_string(route->refuse.enhanced));
		json_object_set_new(answer, "refuse", refuse);
		return;
	}
	json_t *vias = json_array();
	for (size_t i = 0; i < route->via_count; i++)
		json_array_append_new(vias, json_string(route->vias[i].text));
	json_object_set_new(answer, "via", vias);
	if (config_via_is_session(&route->vias[0])) {
		json_object_set_new(answer, "ehlo", json_string(route->ehlo));
		set_session(answer, route, &route->vias[0], value);
	}
}

static void set_domain(json_t *answer, const struct config_domain *domain,
    const struct config_alias *alias, struct buf *value)
{
	json_object_set_new(answer, "domain",
	    json_pack("{s:o, s:o, s:s}", "patterns",
		patterns_json(domain->patterns, domain->pattern_count), "place",
		origin_json(domain->origin), "recipients", route_recipients_words(domain)));
	if (alias != NULL) {
		json_t *addresses = json_array();
		for (size_t i = 0; i < alias->address_count; i++)
			json_array_append_new(addresses, json_string(alias->addresses[i]));
		json_object_set_new(answer, "alias", addresses);
		return;
	}
	json_object_set_new(answer, "via", json_pack("[s]", domain->deliver.text));
	if (config_via_is_session(&domain->deliver))
		set_session(answer, NULL, &domain->deliver, value);
}

static json_t *why_json(const struct route_task *task)
{
	json_t *list = json_array();
	struct span lines = buf_span(&task->why), line;
	while (span_take_until(&lines, '\n', &line))
		json_array_append_new(list, cli_json_text(line));
	return list;
}

static void set_rewriting(const struct route_task *task, json_t *answer)
{
	struct buf sender, from;
	buf_init(&sender, ROUTE_TEXT_MAX);
	buf_init(&from, ROUTE_TEXT_MAX);
	if (route_preview(task, &sender, &from)) {
		if (sender.len > 0)
			json_object_set_new(
			    answer, "sender_becomes", cli_json_text(buf_span(&sender)));
		if (from.len > 0)
			json_object_set_new(answer, "from_becomes", cli_json_text(buf_span(&from)));
	}
	buf_fini(&sender);
	buf_fini(&from);
}

static json_t *alias_json(const struct config_alias *alias)
{
	json_t *addresses = json_array();
	for (size_t i = 0; i < alias->address_count; i++)
		json_array_append_new(addresses, json_string(alias->addresses[i]));
	return addresses;
}

json_t *route_json(struct route_task *task)
{
	struct buf value;
	buf_init(&value, ROUTE_TEXT_MAX);
	json_t *answer = json_pack("{s:o, s:o}", "from", cli_json_text(task->question.sender), "to",
	    cli_json_text(task->question.recipient));
	if (task->domain != NULL)
		set_domain(answer, task->domain, task->alias, &value);
	else if (task->route != NULL)
		set_route(answer, task->route, &value);
	if (task->route != NULL && task->alias != NULL)
		json_object_set_new(answer, "alias", alias_json(task->alias));
	if (task->route != NULL && task->route->via_count > 0)
		set_rewriting(task, answer);
	if (route_has_session(task) && route_describe_utf8(task, &value))
		json_object_set_new(answer, "smtputf8", words_json(&value));
	if (task->learned != NULL)
		json_object_set(answer, "learned", task->learned);
	if (task->relaying != NULL)
		json_object_set_new(answer, "relaying", json_string(task->relaying));
	json_object_set_new(answer, "why", why_json(task));
	buf_fini(&value);
	return answer;
}
