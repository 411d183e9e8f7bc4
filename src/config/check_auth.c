/* SPDX-License-Identifier: MIT */
#include "config/check.h"

#include "config/mechanism.h"

#include <string.h>

/* ---- what a listener offers ---- */

/* Why a mechanism can never be offered there; NULL: it can. */
static const char *mechanism_fault(const struct config_builder *b,
    const struct config_listener *listener, const struct config_mechanism *mechanism)
{
	static const char *const client_only[] = { "NTLM", "DIGEST-MD5", "GSSAPI" };
	size_t len = strlen(mechanism->name);
	for (size_t i = 0; i < sizeof(client_only) / sizeof(client_only[0]); i++)
		if (!strcmp(mechanism->name, client_only[i]))
			return "is spoken towards next hops only, not towards clients";
	if (mechanism->needs == CONFIG_SECRET_CERTIFICATE && !listener->client_ca)
		return "needs client-ca PATH; here";
	if (mechanism->needs == CONFIG_SECRET_TOKEN && !b->config->users.jwks.file)
		return "needs users { jwks { … } } at the top";
	if (mechanism->needs == CONFIG_SECRET_PASSWORD && !b->config->users.store_count)
		return "needs users with passwords: users { file PATH; } at the top";
	if (listener->tls == CONFIG_TLS_MODE_OFF && len > 5 &&
	    !strcmp(mechanism->name + len - 5, "-PLUS"))
		return "binds the login to TLS, which this port has not";
	return NULL;
}

static void check_mechanisms(struct config_builder *b, const struct config_listener *listener,
    const struct config_statement *block)
{
	for (size_t i = 0; i < listener->mechanism_count; i++) {
		struct fault fault = { 0 };
		const struct config_mechanism *mechanism =
		    config_mechanism_find(listener->mechanisms[i], &fault);
		const char *why = mechanism_fault(b, listener, mechanism);
		if (why)
			config_error(b->report, config_place_of(block, "mechanisms"), "%s %s",
			    mechanism->name, why);
	}
}

static void check_auth_off(struct config_builder *b, const struct config_listener *listener,
    const struct config_statement *block)
{
	static const char *const idle[] = { "cleartext-auth", "mechanisms", "client-ca" };
	const bool set[] = { listener->cleartext_auth, listener->mechanism_count > 0,
		listener->client_ca };
	for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++)
		if (set[i])
			config_warning(b->report, config_place_of(block, idle[i]),
			    "%s has no effect with auth off", idle[i]);
	if (!listener->relay_from_count && !b->config->domain_count)
		config_warning(b->report, config_place_of(block, "auth"),
		    "\"%s\" can take no mail: auth is off, and "
		    "there is neither relay-from nor a domain",
		    listener->label);
}

void config_check_listener_auth(struct config_builder *b, const struct config_listener *listener,
    const struct config_statement *block)
{
	const struct config_users *users = &b->config->users;
	struct config_place place = config_place_of(block, "auth");
	if (listener->client_ca && listener->tls == CONFIG_TLS_MODE_OFF)
		config_error(b->report, config_place_of(block, "client-ca"),
		    "a certificate is shown under TLS only, which this port has not");
	if (listener->auth == CONFIG_AUTH_MODE_OFF) {
		check_auth_off(b, listener, block);
		return;
	}
	if (!users->store_count && !users->jwks.file && !listener->client_ca)
		config_error(b->report, place,
		    "\"%s\" lets clients sign in%s and there are no "
		    "users: write users { file PATH; } at the top, or auth off; here",
		    listener->label,
		    config_find(block, "auth") ? "" : " (auth required is the default)");
	if (listener->tls == CONFIG_TLS_MODE_OFF && !listener->cleartext_auth)
		config_error(b->report, place,
		    "\"%s\" could never offer AUTH: without TLS it needs "
		    "cleartext-auth yes; or write auth off;",
		    listener->label);
	check_mechanisms(b, listener, block);
}
