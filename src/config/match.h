/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_MATCH_H
#define FRANK_CONFIG_MATCH_H

/*
 * Which route, which domain: the questions asked of a configuration for each message. Case never
 * counts, in domains (RFC 5321, 2.4) and in local parts, where a difference in case only ever was
 * an accident.
 *
 *	*			everything, also the empty reverse-path
 *	*@example.org		every address in that very domain
 *	*.example.org		every address in a domain below it
 *	user@example.org	that address; user@*.example.org and user@* follow
 *	<>			the empty reverse-path (senders)
 *	scanner			that login (logins)
 *
 * Addresses come without brackets. The last "@" divides; a trailing dot of a domain is ignored.
 */

#include "base/buf.h"
#include "config/config.h"

#define CONFIG_NO_ROUTE ((size_t)-1)

struct config_question {
	struct span sender; /* empty: the null reverse-path */
	struct span recipient;
	struct span login;                     /* empty: not authenticated; fits no login pattern */
	const struct sockaddr_storage *client; /* NULL: none (local submission); fits no network */
	const char *listener;                  /* label; NULL: none; fits no listener */
};

/* Index of the first route that fits, or CONFIG_NO_ROUTE. why may be NULL; otherwise it receives a
   line for each route tried, up to and with the one that fits ("frank route test" prints them). */
size_t config_route_find(
    const struct config *config, const struct config_question *question, struct buf *why);

/* The domain block for a domain name (without "@"), the first that fits, or NULL. */
const struct config_domain *config_domain_find(const struct config *config, struct span domain);

/* The login block for a login, the first that fits, or NULL. */
const struct config_login *config_login_find(const struct config *config, struct span login);
/* Whether the block lets this login send under an address; empty is the null reverse-path. */
bool config_login_may_send_as(const struct config *config, const struct config_login *rule,
    struct span login, struct span address);

bool config_pattern_matches(const struct config_pattern *pattern, struct span address);
bool config_pattern_matches_domain(const struct config_pattern *pattern, struct span domain);
/* A v4-mapped IPv6 address is looked up as IPv4. */
bool config_network_contains(
    const struct config_network *network, const struct sockaddr_storage *address);
bool config_networks_contain(
    const struct config_network *networks, size_t count, const struct sockaddr_storage *address);
/* In one of the two: those of a listener, and those at the top. */
bool config_either_contains(const struct config_networks *own, const struct config_networks *top,
    const struct sockaddr_storage *address);

/* Splits at the last "@". False when there is none; then *local_out is all of it. */
bool config_address_split(struct span address, struct span *local_out, struct span *domain_out);

#endif
