/* SPDX-License-Identifier: MIT */
#include "config/check.h"

#include "base/memory.h"
#include "config/mechanism.h"
#include "config/oauth.h"

#include <string.h>

/* ---- what signs in ---- */

/* Sources of which an account has one; a certificate may come beside it. */
static size_t count_sources(const struct config_account *account, const char *names[4])
{
	size_t count = 0;
	if (account->password_file)
		names[count++] = "password-file";
	if (account->password_command)
		names[count++] = "password-command";
	if (account->oauth)
		names[count++] = "oauth";
	if (account->kerberos)
		names[count++] = "kerberos";
	return count;
}

/* For an account of its own the statement is one directive of the route, and has no children. */
static void check_sources(struct config_builder *b, const struct config_account *account,
    const struct config_statement *block)
{
	const char *names[4];
	size_t count = count_sources(account, names);
	if (count > 1)
		config_error(b->report, config_place_of(block, names[1]),
		    "an account signs in with one of them: %s or %s", names[0], names[1]);
	else if (!count && !account->label)
		config_error(b->report, block->name.place,
		    "login and password-file go together: \"password-file\" is missing, "
		    "or \"password-command\"");
	else if (!count && !account->certificate)
		config_error(b->report, block->name.place,
		    "\"account %s\" has nothing to sign in with: it needs password-file PATH; or "
		    "password-command COMMAND …; or oauth { … }, certificate and key, or "
		    "kerberos yes;",
		    account->label);
	if (*account->login)
		return;
	if (!account->label)
		config_error(b->report, block->name.place,
		    "login and %s go together: \"login\" is missing",
		    count ? names[0] : "password-file");
	else if (count && !account->kerberos)
		config_error(b->report, block->name.place, "\"account %s\" needs login NAME;",
		    account->label);
}

static void check_certificate(struct config_builder *b, const struct config_account *account,
    const struct config_statement *block)
{
	if (account->certificate && !account->key)
		config_error(b->report, config_place_of(block, "certificate"),
		    "certificate and key go together: \"key\" is missing");
	if (account->key && !account->certificate)
		config_error(b->report, config_place_of(block, "key"),
		    "certificate and key go together: \"certificate\" is missing");
}

/* Tokens are kept in a file of the account's name. */
static bool is_file_name(const char *label)
{
	bool good = *label != '.' && strlen(label) <= 64;
	for (const char *c = label; good && *c; c++)
		good = byte_is_alpha(*c) || byte_is_digit(*c) || strchr("._+-@", *c);
	return good;
}

static void check_tokens(struct config_builder *b, const struct config_account *account,
    const struct config_statement *block)
{
	char shown[CONFIG_SHOWN_MAX];
	if (!account->oauth)
		return;
	if (!is_file_name(account->label))
		config_error(b->report, block->words[0].place,
		    "\"%s\" names the file of the tokens too: at most 64 of a-z A-Z 0-9 . _ + - @, "
		    "and no leading dot",
		    config_shown(span_from_string(account->label), shown));
	config_oauth_check(b, account->oauth, config_find(block, "oauth"));
}

/* ---- mechanisms ---- */

static const char *secret_name(enum config_secret secret)
{
	switch (secret) {
	case CONFIG_SECRET_PASSWORD:
		return "a password";
	case CONFIG_SECRET_TOKEN:
		return "an oauth block";
	case CONFIG_SECRET_CERTIFICATE:
		return "a certificate";
	case CONFIG_SECRET_KERBEROS:
		return "kerberos yes";
	}
	return "";
}

/* A mechanism that the account cannot serve would never be used. */
static void check_mechanisms(struct config_builder *b, const struct config_account *account,
    const char *const *names, size_t count, struct config_place place)
{
	unsigned secrets = config_account_secrets(account);
	for (size_t i = 0; i < count; i++) {
		struct fault fault = { 0 };
		const struct config_mechanism *mechanism = config_mechanism_find(names[i], &fault);
		if (secrets && !(mechanism->needs & secrets))
			config_error(b->report, place, "%s needs %s, which the account has not",
			    names[i], secret_name(mechanism->needs));
	}
}

/* ---- accounts ---- */

static void check_use(struct config_builder *b, const struct config_account *account,
    const struct config_statement *block)
{
	for (size_t i = 0; i < b->config->route_count; i++)
		if (b->config->routes[i].account == account)
			return;
	config_warning(
	    b->report, block->name.place, "no route uses the account \"%s\"", account->label);
}

static void check_label(struct config_builder *b, size_t index)
{
	char text[CONFIG_ORIGIN_TEXT_MAX];
	const struct config_account *account = &b->config->accounts[index];
	for (size_t i = 0; account->label && i < index; i++) {
		const struct config_account *other = &b->config->accounts[i];
		if (other->label && !strcmp(other->label, account->label))
			config_error(b->report, b->accounts.statements[index]->name.place,
			    "there is an account \"%s\" already, at %s", other->label,
			    config_origin_format(other->origin, text));
	}
}

void config_check_accounts(struct config_builder *b)
{
	for (size_t i = 0; i < b->config->account_count; i++) {
		const struct config_account *account = &b->config->accounts[i];
		const struct config_statement *block = b->accounts.statements[i];
		check_sources(b, account, block);
		check_certificate(b, account, block);
		check_tokens(b, account, block);
		check_mechanisms(b, account, account->mechanisms, account->mechanism_count,
		    config_place_of(block, "mechanisms"));
		if (account->label)
			check_use(b, account, block);
		check_label(b, i);
	}
}

/* ---- what a route asks of its account ---- */

static void warn_idle(
    struct config_builder *b, const struct config_statement *block, const char *name)
{
	config_warning(b->report, config_place_of(block, name),
	    "\"%s\" has no effect: this route has no account", name);
}

/* What is given to whoever answers, or NULL. */
static const char *exposed_secret(const struct config_account *account)
{
	unsigned secrets = config_account_secrets(account);
	if (secrets & CONFIG_SECRET_PASSWORD)
		return "password";
	return secrets & CONFIG_SECRET_TOKEN ? "token" : NULL;
}

static void check_no_account(struct config_builder *b, const struct config_route *route,
    const struct config_statement *block)
{
	if (route->cleartext_auth)
		warn_idle(b, block, "cleartext-auth");
	if (route->initial_response != CONFIG_INITIAL_RESPONSE_AUTO)
		warn_idle(b, block, "initial-response");
	if (route->mechanism_count)
		warn_idle(b, block, "mechanisms");
}

static void check_account(struct config_builder *b, const struct config_route *route,
    const struct config_statement *block)
{
	const struct config_account *account = route->account;
	const char *secret = exposed_secret(account);
	if (!route->tls_verify && secret)
		config_warning(b->report, config_place_of(block, "tls-verify"),
		    "with tls-verify no the %s goes to whoever answers", secret);
	if (route->cleartext_auth && account->oauth)
		config_error(b->report, config_place_of(block, "cleartext-auth"),
		    "a token is never sent without TLS: it opens the mailbox to whoever reads it; "
		    "leave cleartext-auth out");
	if (config_find(block, "mechanisms"))
		check_mechanisms(b, account, route->mechanisms, route->mechanism_count,
		    config_place_of(block, "mechanisms"));
}

void config_check_route_account(struct config_builder *b, const struct config_route *route,
    const struct config_statement *block)
{
	if (route->account)
		check_account(b, route, block);
	else
		check_no_account(b, route, block);
	if (!route->tls_verify && (route->tls_trust || route->tls_name))
		config_warning(b->report, config_place_of(block, "tls-verify"),
		    "with tls-verify no, tls-trust and tls-name have no effect");
}
