/* SPDX-License-Identifier: MIT */
#include "config/match.h"

#include "base/escape.h"

#include <arpa/inet.h>
#include <string.h>

bool config_address_split(struct span address, struct span *local_out, struct span *domain_out)
{
	size_t at = address.len;
	while (at && address.data[at - 1] != '@')
		at--;
	*local_out = at ? span_head(address, at - 1) : address;
	*domain_out = at ? span_skip(address, at) : span_of("", 0);
	return at > 0;
}

/* ---- patterns ---- */

static struct span without_dot(struct span domain)
{
	if (domain.len && domain.data[domain.len - 1] == '.')
		domain.len--;
	return domain;
}

bool config_pattern_matches_domain(const struct config_pattern *pattern, struct span domain)
{
	domain = without_dot(domain);
	if (pattern->null_path)
		return false;
	if (pattern->any || !pattern->domain.data)
		return true;
	if (!pattern->subdomains)
		return span_equal_nocase(domain, pattern->domain);
	return domain.len > pattern->domain.len + 1 &&
	       span_ends_with_nocase(domain, pattern->domain) &&
	       domain.data[domain.len - pattern->domain.len - 1] == '.';
}

bool config_pattern_matches(const struct config_pattern *pattern, struct span address)
{
	if (pattern->any)
		return true;
	if (pattern->null_path || !address.len)
		return pattern->null_path && !address.len;
	struct span local, domain;
	bool has_at = config_address_split(address, &local, &domain);
	bool wants_bare = pattern->domain.data && !pattern->domain.len;
	if (has_at == wants_bare)
		return false;
	return (!pattern->local.data || span_equal_nocase(local, pattern->local)) &&
	       config_pattern_matches_domain(pattern, domain);
}

static bool any_pattern_matches(
    const struct config_pattern *patterns, size_t count, struct span address)
{
	for (size_t i = 0; i < count; i++)
		if (config_pattern_matches(&patterns[i], address))
			return true;
	return false;
}

/* ---- networks ---- */

/* The bytes of an address, IPv4 where it is one in disguise. The family, or 0. */
static int address_bytes(const struct sockaddr_storage *address, const unsigned char **bytes_out)
{
	if (address->ss_family == AF_INET) {
		*bytes_out = (const void *)&((const struct sockaddr_in *)address)->sin_addr;
		return AF_INET;
	}
	if (address->ss_family != AF_INET6)
		return 0;
	const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
	bool mapped = IN6_IS_ADDR_V4MAPPED(in6);
	*bytes_out = in6->s6_addr + (mapped ? 12 : 0);
	return mapped ? AF_INET : AF_INET6;
}

bool config_network_contains(
    const struct config_network *network, const struct sockaddr_storage *address)
{
	const unsigned char *bytes = NULL;
	if (address_bytes(address, &bytes) != network->family)
		return false;
	unsigned whole = network->prefix_len / 8, left = network->prefix_len % 8;
	if (memcmp(bytes, network->bytes, whole) != 0)
		return false;
	return !left || ((bytes[whole] ^ network->bytes[whole]) >> (8 - left)) == 0;
}

bool config_networks_contain(
    const struct config_network *networks, size_t count, const struct sockaddr_storage *address)
{
	for (size_t i = 0; i < count; i++)
		if (config_network_contains(&networks[i], address))
			return true;
	return false;
}

bool config_either_contains(const struct config_networks *own, const struct config_networks *top,
    const struct sockaddr_storage *address)
{
	return config_networks_contain(own->items, own->count, address) ||
	       config_networks_contain(top->items, top->count, address);
}

/* ---- logins ---- */

const struct config_login *config_login_find(const struct config *config, struct span login)
{
	for (size_t i = 0; i < config->login_count; i++)
		if (any_pattern_matches(
			config->logins[i].patterns, config->logins[i].pattern_count, login))
			return &config->logins[i];
	return NULL;
}

/* The login itself; a bare one is an address only with the default domain. */
static bool is_login(const struct config *config, struct span login, struct span address)
{
	struct span local, domain;
	if (span_find(login, '@') < login.len)
		return span_equal_nocase(login, address);
	return config->default_domain && config_address_split(address, &local, &domain) &&
	       span_equal_nocase(local, login) &&
	       span_equal_nocase(domain, span_from_string(config->default_domain));
}

static bool has_local_of(
    const struct config_pattern *pattern, struct span login, struct span address)
{
	struct span local, domain, own, ignored;
	config_address_split(login, &own, &ignored);
	return config_address_split(address, &local, &domain) && span_equal_nocase(local, own) &&
	       config_pattern_matches_domain(pattern, domain);
}

static bool allows(const struct config *config, const struct config_send_as *send_as,
    struct span login, struct span address)
{
	switch (send_as->kind) {
	case CONFIG_SEND_AS_PATTERN:
		return config_pattern_matches(&send_as->pattern, address);
	case CONFIG_SEND_AS_LOGIN:
		return is_login(config, login, address);
	case CONFIG_SEND_AS_LOCAL:
		return has_local_of(&send_as->pattern, login, address);
	}
	return false;
}

bool config_login_may_send_as(const struct config *config, const struct config_login *rule,
    struct span login, struct span address)
{
	for (size_t i = 0; i < rule->send_as_count; i++)
		if (allows(config, &rule->send_as[i], login, address))
			return true;
	return rule->send_as_count == 0;
}

/* ---- routes ---- */

static bool listener_matches(const struct config_match *match, const char *listener)
{
	for (size_t i = 0; listener && i < match->listener_count; i++)
		if (!strcmp(match->listeners[i], listener))
			return true;
	return false;
}

static bool match_holds(const struct config_match *match, const struct config_question *question)
{
	switch (match->key) {
	case CONFIG_MATCH_KEY_SENDER:
		return any_pattern_matches(match->patterns, match->pattern_count, question->sender);
	case CONFIG_MATCH_KEY_LOGIN:
		return question->login.len &&
		       any_pattern_matches(match->patterns, match->pattern_count, question->login);
	case CONFIG_MATCH_KEY_CLIENT:
		return question->client && config_networks_contain(match->networks,
					       match->network_count, question->client);
	case CONFIG_MATCH_KEY_LISTENER:
		return listener_matches(match, question->listener);
	}
	return false;
}

/* The first match that does not hold, or NULL. */
static const struct config_match *failing_match(
    const struct config_route *route, const struct config_question *question)
{
	for (size_t i = 0; i < route->match_count; i++)
		if (!match_holds(&route->matches[i], question))
			return &route->matches[i];
	return NULL;
}

/* ---- the explanation ---- */

static void explain_route(struct buf *why, const struct config_route *route)
{
	char origin[CONFIG_ORIGIN_TEXT_MAX];
	buf_append_string(why, "route");
	for (size_t i = 0; i < route->pattern_count; i++)
		buf_printf(why, " %s", route->patterns[i].text);
	buf_printf(why, " (%s): ", config_origin_format(route->origin, origin));
}

static void append_client(struct buf *why, const struct sockaddr_storage *client)
{
	const unsigned char *bytes;
	char text[INET6_ADDRSTRLEN] = "(none)";
	int family = client ? address_bytes(client, &bytes) : 0;
	if (family)
		inet_ntop(family, bytes, text, sizeof(text));
	buf_append_string(why, text);
}

static void append_quoted(struct buf *why, struct span text)
{
	buf_append_byte(why, '<');
	escape_append(why, text);
	buf_append_byte(why, '>');
}

/* "the sender <a@b> does not fit", to be followed by what the route asks for. */
static void explain_asked(
    struct buf *why, enum config_match_key key, const struct config_question *question)
{
	switch (key) {
	case CONFIG_MATCH_KEY_SENDER:
		buf_append_string(why, "the sender ");
		append_quoted(why, question->sender);
		break;
	case CONFIG_MATCH_KEY_LOGIN:
		buf_append_string(why, "the login ");
		escape_append(why, question->login.len ? question->login : SPAN("(none)"));
		break;
	case CONFIG_MATCH_KEY_CLIENT:
		buf_append_string(why, "the client ");
		append_client(why, question->client);
		break;
	case CONFIG_MATCH_KEY_LISTENER:
		buf_append_string(why, "the listener ");
		escape_append(
		    why, span_from_string(question->listener ? question->listener : "(none)"));
		break;
	}
	buf_append_string(why, " does not fit");
}

static void explain_match(
    struct buf *why, const struct config_match *match, const struct config_question *question)
{
	char origin[CONFIG_ORIGIN_TEXT_MAX];
	explain_asked(why, match->key, question);
	for (size_t i = 0; i < match->pattern_count; i++)
		buf_printf(why, " %s", match->patterns[i].text);
	for (size_t i = 0; i < match->network_count; i++)
		buf_printf(why, " %s", match->networks[i].text);
	for (size_t i = 0; i < match->listener_count; i++)
		buf_printf(why, " %s", match->listeners[i]);
	buf_printf(why, " (%s)\n", config_origin_format(match->origin, origin));
}

static bool route_fits(
    const struct config_route *route, const struct config_question *question, struct buf *why)
{
	if (why)
		explain_route(why, route);
	if (!any_pattern_matches(route->patterns, route->pattern_count, question->recipient)) {
		if (why) {
			buf_append_string(why, "the recipient ");
			append_quoted(why, question->recipient);
			buf_append_string(why, " does not fit\n");
		}
		return false;
	}
	const struct config_match *failing = failing_match(route, question);
	if (why && failing)
		explain_match(why, failing, question);
	else if (why)
		buf_append_string(why, "fits\n");
	return !failing;
}

size_t config_route_find(
    const struct config *config, const struct config_question *question, struct buf *why)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (route_fits(&config->routes[i], question, why))
			return i;
	return CONFIG_NO_ROUTE;
}

const struct config_domain *config_domain_find(const struct config *config, struct span domain)
{
	for (size_t i = 0; i < config->domain_count; i++) {
		const struct config_domain *each = &config->domains[i];
		for (size_t j = 0; j < each->pattern_count; j++)
			if (config_pattern_matches_domain(&each->patterns[j], domain))
				return each;
	}
	return NULL;
}
