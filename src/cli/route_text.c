/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"
#include "cli/route.h"
#include "cli/screen.h"

static void row(const char *name, struct buf *value)
{
	printf("%-18s%s\n", name, buf_string(value));
	buf_clear(value);
}

static void origin_row(const char *name, struct buf *value, struct config_origin origin)
{
	char text[CONFIG_ORIGIN_TEXT_MAX];
	buf_printf(value, " (%s)", config_origin_format(origin, text));
	row(name, value);
}

static void print_session(
    const struct config_route *route, const struct config_via *via, struct buf *value)
{
	route_describe_tls(route, via, value);
	row("TLS", value);
	if (route == NULL || route->account == NULL) {
		buf_append_string(value, "none");
		row("account", value);
		return;
	}
	route_describe_account(route->account, value);
	origin_row("account", value, route->account->origin);
	route_describe_mechanisms(route, value);
	buf_append_string(value, ": the first of them that the hop offers");
	row("mechanisms", value);
	route_describe_initial(route, value);
	row("initial response", value);
}

static void print_vias(const struct config_route *route, struct buf *value)
{
	for (size_t i = 0; i < route->via_count; i++) {
		buf_append_string(value, route->vias[i].text);
		origin_row(i == 0 ? "hop" : "then", value, route->vias[i].origin);
	}
}

static void print_route(const struct config_route *route, struct buf *value)
{
	route_describe_patterns(route->patterns, route->pattern_count, value);
	origin_row("route", value, route->origin);
	if (route->via_count == 0) {
		buf_printf(value, "%u %s%s%s", route->refuse.code,
		    route->refuse.enhanced != NULL ? route->refuse.enhanced : "",
		    route->refuse.enhanced != NULL ? " " : "", route->refuse.text);
		row("refuse", value);
		return;
	}
	print_vias(route, value);
	if (!config_via_is_session(&route->vias[0]))
		return;
	buf_append_string(value, route->ehlo);
	row("EHLO name", value);
	print_session(route, &route->vias[0], value);
}

static void print_alias(const struct config_alias *alias, struct buf *value)
{
	buf_printf(value, "%s:", alias->name);
	for (size_t i = 0; i < alias->address_count; i++)
		buf_printf(value, " %s", alias->addresses[i]);
	origin_row("alias", value, alias->origin);
	printf("Each of these addresses is then routed by itself: ask again with it.\n");
}

static void print_domain(
    const struct config_domain *domain, const struct config_alias *alias, struct buf *value)
{
	route_describe_patterns(domain->patterns, domain->pattern_count, value);
	origin_row("domain", value, domain->origin);
	if (alias != NULL) {
		print_alias(alias, value);
		return;
	}
	buf_append_string(value, route_recipients_words(domain));
	row("recipients", value);
	buf_append_string(value, domain->deliver.text);
	origin_row("hop", value, domain->deliver.origin);
	if (config_via_is_session(&domain->deliver))
		print_session(NULL, &domain->deliver, value);
}

/* Addresses come from the command line and from maps. */
static void escaped_row(const char *name, struct buf *value)
{
	if (value->len == 0)
		return;
	printf("%-18s", name);
	cli_screen_put(stdout, buf_span(value), 0);
	putchar('\n');
	buf_clear(value);
}

static void print_rewriting(const struct route_task *task, struct buf *value)
{
	struct buf from;
	buf_init(&from, ROUTE_TEXT_MAX);
	if (route_preview(task, value, &from)) {
		escaped_row("sender becomes", value);
		escaped_row("From becomes", &from);
	}
	buf_clear(value);
	buf_fini(&from);
}

/* ---- what a relay that runs has learned ---- */

static void print_learned(const json_t *learned)
{
	struct span why = cli_json_get(learned, "why"), worked = cli_json_get(learned, "worked");
	struct span initial = cli_json_get(learned, "initial_response");
	const json_t *word;
	size_t i;
	if (json_object_get(learned, "mechanisms") != NULL) {
		printf("%-18soffers", "learned");
		json_array_foreach(json_object_get(learned, "mechanisms"), i, word)
		    printf(" %s", json_string_value(word));
		printf("%s\n", i == 0 ? " no AUTH" : "");
	}
	if (worked.len > 0)
		printf("%-18s%.*s worked%s, TLS %s\n", "", SPAN_ARG(worked),
		    initial.len == 0                   ? ""
		    : span_equal(initial, SPAN("yes")) ? " with an initial response"
						       : " without an initial response",
		    json_string_value(json_object_get(learned, "tls")));
	if (why.len > 0) {
		printf("%-18s", "paused");
		cli_screen_put(stdout, why, 0);
		putchar('\n');
	}
}

static void print_why(const struct route_task *task)
{
	const struct config_domain *domain = task->domain;
	struct span lines = buf_span(&task->why), line;
	if (domain != NULL)
		puts("why               the recipient's domain is taken here, from anyone; "
		     "routes are not asked");
	else if (task->config->route_count == 0)
		puts("why               there is no route in the configuration");
	for (bool first = true; span_take_until(&lines, '\n', &line); first = false)
		printf("%-18s%.*s\n", first ? "why" : "", SPAN_ARG(line));
	if (domain == NULL && task->route == NULL)
		puts("No route fits: the message would wait for a configuration that has one.");
}

void route_print(struct route_task *task)
{
	struct buf value;
	buf_init(&value, ROUTE_TEXT_MAX);
	if (task->domain != NULL)
		print_domain(task->domain, task->alias, &value);
	else if (task->route != NULL)
		print_route(task->route, &value);
	if (task->route != NULL && task->alias != NULL)
		print_alias(task->alias, &value);
	if (task->route != NULL && task->route->via_count > 0)
		print_rewriting(task, &value);
	if (route_has_session(task) && route_describe_utf8(task, &value))
		row("SMTPUTF8", &value);
	if (task->learned != NULL)
		print_learned(task->learned);
	if (task->relaying != NULL)
		printf("%-18s%s\n", "relaying", task->relaying);
	print_why(task);
	buf_fini(&value);
}
