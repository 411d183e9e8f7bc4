/* SPDX-License-Identifier: MIT */
#include "sasl/ladder_words.h"

#include "base/escape.h"
#include "sasl/rare.h"

#include <stdio.h>

enum { LIST_MAX = 1024 };

static bool is_allowed(const struct sasl_ladder_settings *settings, enum sasl_mechanism mechanism)
{
	struct span name = span_from_string(sasl_mechanism_name(mechanism));

	for (size_t i = 0; i < settings->only_count; i++) {
		if (span_equal_nocase(settings->only[i], name))
			return true;
	}
	return settings->only_count == 0;
}

/* Beyond the secret, what this connection or this machine must have for it. */
static bool is_playable(const struct sasl_ladder_settings *settings, enum sasl_mechanism mechanism)
{
	struct span data;

	if (sasl_mechanism_is_bound(mechanism) && !sasl_binding_choose(&settings->binding, &data))
		return false;
	if (sasl_mechanism_is_scram(mechanism))
		return settings->random.len > 0;
	if (mechanism == SASL_MECHANISM_NTLM || mechanism == SASL_MECHANISM_DIGEST_MD5 ||
	    mechanism == SASL_MECHANISM_GSSAPI)
		return sasl_rare_supports(mechanism);
	return mechanism != SASL_MECHANISM_EXTERNAL || settings->tls_active;
}

unsigned sasl_ladder_usable(const struct sasl_ladder_settings *settings)
{
	enum sasl_mechanism mechanism;
	unsigned usable = 0;

	for (size_t i = 0; i < settings->offered_count; i++) {
		if (sasl_mechanism_find(settings->offered[i], &mechanism) &&
		    is_allowed(settings, mechanism) &&
		    sasl_credentials_serve(&settings->credentials, mechanism) &&
		    is_playable(settings, mechanism))
			usable |= 1u << mechanism;
	}
	return usable;
}

bool sasl_ladder_binding_is_offered(const struct sasl_ladder_settings *settings)
{
	for (size_t i = 0; i < settings->offered_count; i++) {
		if (span_ends_with_nocase(settings->offered[i], SPAN("-PLUS")))
			return true;
	}
	return false;
}

/* ---- why none ---- */

static void list_names(const struct span *names, size_t count, char *out, size_t size)
{
	struct buf list;

	buf_init(&list, LIST_MAX);
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_append_byte(&list, ' ');
		buf_append(&list, names[i]);
	}
	escape_to(out, size, buf_span(&list));
	buf_fini(&list);
}

/* Bits of the secrets that the mechanisms on offer want. */
static unsigned wanted_secrets(const struct sasl_ladder_settings *settings, bool *allowed_out)
{
	enum sasl_mechanism mechanism;
	unsigned wanted = 0;

	*allowed_out = false;
	for (size_t i = 0; i < settings->offered_count; i++) {
		if (!sasl_mechanism_find(settings->offered[i], &mechanism))
			continue;
		*allowed_out = *allowed_out || is_allowed(settings, mechanism);
		if (is_allowed(settings, mechanism))
			wanted |= 1u << sasl_mechanism_secret(mechanism);
	}
	return wanted;
}

/* Whether the account has it, of use or not. */
static bool is_there(const struct sasl_ladder_settings *settings, enum sasl_secret secret)
{
	return sasl_credentials_have(&settings->credentials, secret) ||
	       (secret == SASL_SECRET_CERTIFICATE && settings->credentials.certificate_unasked);
}

static void add_words(struct buf *words, const char *text)
{
	buf_printf(words, "%s%s", words->len > 0 ? " and " : "", text);
}

/* "a password and no oauth block": what there is, then what is wanted and missing. */
static void compare_secrets(
    const struct sasl_ladder_settings *settings, unsigned wanted, struct buf *words)
{
	static const char *const has[SASL_SECRET_COUNT] = { "a password", "an access token",
		"a certificate", "kerberos" };
	static const char *const lacks[SASL_SECRET_COUNT] = { "no password", "no oauth block",
		"no certificate", "no kerberos" };

	for (int i = 0; i < SASL_SECRET_COUNT; i++) {
		if (is_there(settings, (enum sasl_secret)i))
			add_words(words, has[i]);
	}
	for (int i = 0; i < SASL_SECRET_COUNT; i++) {
		if ((wanted & 1u << i) && !is_there(settings, (enum sasl_secret)i))
			add_words(words, lacks[i]);
	}
}

const char *sasl_ladder_certificate_words(const struct sasl_ladder_settings *settings)
{
	if (!settings->credentials.certificate_unasked)
		return "";
	if (!settings->tls_active)
		return "; the certificate can be shown under TLS only";
	return "; the server did not ask for the certificate in the TLS handshake, as it must be "
	       "set up to do before EXTERNAL can work";
}

/* What is missing, beyond the secret, for the strongest mechanism that is wanted; NULL: the secret
   is. */
static const char *find_obstacle(const struct sasl_ladder_settings *settings)
{
	enum sasl_mechanism mechanism;
	const char *found = NULL;

	for (size_t i = 0; i < settings->offered_count; i++) {
		if (!sasl_mechanism_find(settings->offered[i], &mechanism) ||
		    !is_allowed(settings, mechanism) ||
		    !sasl_credentials_serve(&settings->credentials, mechanism))
			continue;
		if (sasl_mechanism_is_bound(mechanism))
			found = "on this connection: nothing of its TLS can be bound to";
		else if (mechanism == SASL_MECHANISM_EXTERNAL)
			found = "on this connection: a certificate is shown under TLS only";
		else
			found = "here: this machine's GNU SASL was built without it";
	}
	return found;
}

static void explain_secrets(const struct sasl_ladder_settings *settings, unsigned wanted,
    const char *offered, char *out, size_t size)
{
	struct buf words;

	buf_init(&words, 200);
	compare_secrets(settings, wanted, &words);
	snprintf(out, size, "the server offers %s for signing in; the account has %s%s", offered,
	    buf_string(&words), sasl_ladder_certificate_words(settings));
	buf_fini(&words);
}

void sasl_ladder_explain(const struct sasl_ladder_settings *settings, char *out, size_t size)
{
	char offered[160], only[80];
	const char *obstacle = find_obstacle(settings);
	bool allowed;
	unsigned wanted = wanted_secrets(settings, &allowed);

	list_names(settings->offered, settings->offered_count, offered, sizeof(offered));
	list_names(settings->only, settings->only_count, only, sizeof(only));
	if (settings->only_count > 0 && !allowed)
		snprintf(out, size,
		    "the server offers %s for signing in, and only %s may be used%s%s", offered,
		    only, settings->tls_active ? "" : " (without TLS)",
		    sasl_ladder_certificate_words(settings));
	else if (!allowed)
		snprintf(out, size,
		    "the server offers %s for signing in, and Frank speaks nothing of that%s",
		    offered, sasl_ladder_certificate_words(settings));
	else if (obstacle)
		snprintf(out, size,
		    "the server offers %s for signing in, and that cannot be done %s", offered,
		    obstacle);
	else
		explain_secrets(settings, wanted, offered, out, size);
}
