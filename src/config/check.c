/* SPDX-License-Identifier: MIT */
#include "config/check.h"

#include "config/table.h"

#include <string.h>

enum { PORT_SMTPS = 465, PORT_SUBMISSION = 587 };

const struct config_statement *config_find(const struct config_statement *block, const char *name)
{
	for (size_t i = 0; i < block->child_count; i++)
		if (!strcmp(block->children[i]->name.text, name))
			return block->children[i];
	return NULL;
}

struct config_place config_place_of(const struct config_statement *block, const char *name)
{
	const struct config_statement *found = config_find(block, name);
	return found ? found->name.place : block->name.place;
}

/* ---- the top ---- */

static void check_hostname(struct config_builder *b, const struct config_statement *root)
{
	struct config_place place = config_place_of(root, "hostname");
	const char *hostname = b->config->hostname;
	if (!hostname)
		config_error(b->report, place,
		    "this machine has no name that can be used: write "
		    "hostname NAME;");
	else if (!strchr(hostname, '.'))
		config_warning(b->report, place,
		    "the hostname \"%s\" has no domain; many servers "
		    "refuse such an EHLO: write hostname NAME;",
		    hostname);
}

static void check_times(struct config_builder *b, struct config_place place,
    const struct config_retry *retry, int64_t lifetime_ms, int64_t delay_warning_ms)
{
	if (retry->max_ms < retry->first_ms)
		config_error(b->report, place, "retry max is shorter than retry first");
	if (delay_warning_ms >= lifetime_ms)
		config_warning(b->report, place,
		    "delay-warning is not before the end of lifetime: "
		    "it is never sent; none says so");
}

static bool accepts_relaying(const struct config *config)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (config->listeners[i].auth != CONFIG_AUTH_MODE_OFF ||
		    config->listeners[i].relay_from_count)
			return true;
	return false;
}

static void check_users(struct config_builder *b, const struct config_statement *root)
{
	const struct config_statement *block = config_find(root, "users");
	if (block && !b->config->users.store_count && !b->config->users.jwks.file)
		config_error(b->report, block->name.place,
		    "\"users\" names nobody: it needs file PATH; or sqlite { … } or dovecot "
		    "SOCKET; or jwks { … }");
}

static void check_top(struct config_builder *b, const struct config_statement *root)
{
	const struct config *config = b->config;
	check_hostname(b, root);
	check_users(b, root);
	check_times(b, config_place_of(root, "retry"), &config->retry, config->lifetime_ms,
	    config->delay_warning_ms);
	if (accepts_relaying(config) && !config->route_count)
		config_warning(b->report, root->name.place,
		    "there is no route: only mail for a "
		    "domain of this configuration can be taken");
}

/* ---- listen ---- */

static void check_listener_tls(struct config_builder *b, const struct config_listener *listener,
    const struct config_statement *block)
{
	struct config_place place = config_place_of(block, "tls");
	if (listener->tls != CONFIG_TLS_MODE_OFF && !listener->certificate_count &&
	    !listener->certificate_name_count)
		config_error(b->report, place,
		    "\"%s\" speaks TLS%s and there is no certificate: "
		    "write tls { certificate PATH; key PATH; } at the top, or tls off; here",
		    listener->label,
		    config_find(block, "tls") ? "" : " (tls starttls is the default)");
	for (size_t i = 0; i < listener->address_count; i++) {
		const struct config_address *address = &listener->addresses[i];
		bool implicit = listener->tls == CONFIG_TLS_MODE_IMPLICIT;
		if (address->any && address->socket.ss_family == AF_INET6)
			continue; /* said of its IPv4 half */
		if (address->port == PORT_SMTPS && !implicit)
			config_error(b->report, place,
			    "clients of port 465 speak TLS from the first "
			    "byte: write tls implicit;");
		if (address->port == PORT_SUBMISSION && implicit)
			config_warning(b->report, place,
			    "clients of port 587 begin without TLS: "
			    "tls implicit belongs to port 465");
	}
}

/* What is said of TLS where none is. */
static void check_idle_tls(struct config_builder *b, const struct config_listener *listener,
    const struct config_statement *block)
{
	static const char *const idle[] = { "certificate", "tls-policy" };
	for (size_t i = 0; i < 2 && listener->tls == CONFIG_TLS_MODE_OFF; i++)
		if (config_find(block, idle[i]))
			config_warning(b->report, config_place_of(block, idle[i]),
			    "%s has no effect with tls off", idle[i]);
	if (listener->certificate_count > CONFIG_CERTIFICATES_MAX)
		config_error(b->report, block->name.place,
		    "\"%s\" would show %zu certificates; %d are the limit", listener->label,
		    listener->certificate_count, CONFIG_CERTIFICATES_MAX);
}

/* ---- tls ---- */

static bool is_shown(const struct config *config, size_t certificate)
{
	for (size_t i = 0; i < config->listener_count; i++)
		for (size_t j = 0; j < config->listeners[i].certificate_count; j++)
			if (config->listeners[i].certificates[j] == certificate)
				return true;
	return false;
}

static void check_certificates(struct config_builder *b)
{
	for (size_t i = 0; i < b->config->certificate_count; i++) {
		const struct config_certificate *certificate = &b->config->certificates[i];
		const struct config_statement *block = b->certificates.statements[i];
		bool set = config_find(block, "certificate");
		if (certificate->certificate && !certificate->key)
			config_error(b->report, block->name.place,
			    "\"tls\" needs key PATH; beside its certificate");
		if (set && !certificate->certificate && certificate->key)
			config_error(b->report, config_place_of(block, "key"),
			    "certificate auto makes its own key: leave key out");
		if (certificate->label && !is_shown(b->config, i))
			config_warning(b->report, block->name.place,
			    "no listener shows this certificate: write certificate %s; in one",
			    certificate->label);
	}
}

/* Pairs of listeners that would bind the same socket, or bear the same label. */
static void check_listener_pair(struct config_builder *b, size_t first, size_t second)
{
	char text[CONFIG_ORIGIN_TEXT_MAX];
	const struct config_listener *a = &b->config->listeners[first];
	const struct config_listener *c = &b->config->listeners[second];
	const struct config_statement *block = b->listeners.statements[second];
	if (first != second && !strcmp(a->label, c->label))
		config_error(b->report, block->name.place,
		    "there is a listener \"%s\" already, at %s", c->label,
		    config_origin_format(a->origin, text));
	for (size_t i = 0; i < c->address_count; i++) {
		size_t limit = first == second ? i : a->address_count;
		for (size_t j = 0; j < limit; j++) {
			if (!c->addresses[i].port ||
			    !config_address_equal(&a->addresses[j], &c->addresses[i]))
				continue;
			config_error(b->report, config_place_of(block, "address"),
			    "\"%s\" is bound already "
			    "by \"%s\", at %s",
			    c->addresses[i].text, a->label,
			    config_origin_format(a->addresses[j].origin, text));
			return;
		}
	}
}

static void check_listeners(struct config_builder *b)
{
	for (size_t i = 0; i < b->config->listener_count; i++) {
		check_listener_tls(b, &b->config->listeners[i], b->listeners.statements[i]);
		check_idle_tls(b, &b->config->listeners[i], b->listeners.statements[i]);
		config_check_listener_auth(b, &b->config->listeners[i], b->listeners.statements[i]);
		for (size_t j = 0; j <= i; j++)
			check_listener_pair(b, j, i);
	}
}

/* ---- domain ---- */

static void check_domain_pair(struct config_builder *b, size_t first, size_t second)
{
	char text[CONFIG_ORIGIN_TEXT_MAX];
	const struct config_domain *a = &b->config->domains[first],
				   *c = &b->config->domains[second];
	for (size_t i = 0; i < c->pattern_count; i++) {
		size_t limit = first == second ? i : a->pattern_count;
		for (size_t j = 0; j < limit; j++)
			if (span_equal_nocase(span_from_string(a->patterns[j].text),
				span_from_string(c->patterns[i].text)))
				config_error(b->report,
				    b->domains.statements[second]->words[i].place,
				    "the domain \"%s\" is there already, at %s",
				    c->patterns[i].text, config_origin_format(a->origin, text));
	}
}

static void check_domains(struct config_builder *b)
{
	for (size_t i = 0; i < b->config->domain_count; i++) {
		const struct config_domain *domain = &b->config->domains[i];
		if (domain->recipients == CONFIG_RECIPIENTS_USERS && !b->config->users.file)
			config_error(b->report,
			    config_place_of(b->domains.statements[i], "recipients"),
			    "the recipients of \"%s\" are the users%s, and there are none: "
			    "write users { file PATH; } at the top, or recipients any; or "
			    "recipients file PATH; here",
			    domain->patterns[0].text,
			    config_find(b->domains.statements[i], "recipients") ? ""
										: " (the default)");
		for (size_t j = 0; j <= i; j++)
			check_domain_pair(b, j, i);
	}
}

/* ---- route ---- */

/* What only a connection obeys, on a route that makes none, and what nothing obeys on one that
   refuses. */
static void check_idle_directives(struct config_builder *b, const struct config_route *route,
    const struct config_statement *block)
{
	unsigned idle = 0;
	if (!config_route_has_session(route))
		idle |= CONFIG_FLAG_SESSION;
	if (route->refuse.code)
		idle |= CONFIG_FLAG_DELIVERY;
	for (size_t i = 0; i < block->child_count; i++) {
		const struct config_word *name = &block->children[i]->name;
		if (config_directive_find(CONFIG_BLOCK_ROUTE, name->text)->flags & idle)
			config_error(b->report, name->place, "\"%s\" has no effect: this route %s",
			    name->text, route->refuse.code ? "refuses" : "makes no connection");
	}
}

static void check_vias(struct config_builder *b, const struct config_route *route,
    const struct config_statement *block)
{
	for (size_t i = 0; i < route->via_count; i++) {
		const struct config_via *via = &route->vias[i];
		if (via->host && via->port == PORT_SMTPS && via->scheme != CONFIG_SCHEME_SMTPS)
			config_warning(b->report, config_place_of(block, "via"),
			    "port 465 speaks TLS from "
			    "the first byte: smtps://%s",
			    via->host);
	}
	if (!route->via_count && !route->refuse.code)
		config_error(b->report, block->name.place,
		    "the route goes nowhere: it needs via URL; "
		    "or refuse \"550 …\";");
	if (route->via_count && route->refuse.code)
		config_error(b->report, config_place_of(block, "refuse"),
		    "the route has a via: it cannot "
		    "refuse too");
}

/* A route that takes everything hides those behind it. */
static bool takes_all(const struct config_route *route)
{
	for (size_t i = 0; !route->match_count && i < route->pattern_count; i++)
		if (route->patterns[i].any)
			return true;
	return false;
}

static void check_routes(struct config_builder *b)
{
	const struct config_route *all = NULL;
	char text[CONFIG_ORIGIN_TEXT_MAX];
	for (size_t i = 0; i < b->config->route_count; i++) {
		const struct config_route *route = &b->config->routes[i];
		const struct config_statement *block = b->routes.statements[i];
		check_vias(b, route, block);
		check_idle_directives(b, route, block);
		config_check_route_account(b, route, block);
		config_check_rewriting(b, route, block);
		check_times(b, config_place_of(block, "retry"), &route->retry, route->lifetime_ms,
		    route->delay_warning_ms);
		if (all)
			config_warning(b->report, block->name.place,
			    "this route is never reached: "
			    "the one at %s takes everything",
			    config_origin_format(all->origin, text));
		else if (takes_all(route))
			all = route;
	}
}

void config_check(struct config_builder *b, const struct config_statement *root)
{
	check_top(b, root);
	check_certificates(b);
	check_listeners(b);
	check_domains(b);
	config_check_accounts(b);
	check_routes(b);
}
