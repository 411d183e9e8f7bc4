/* SPDX-License-Identifier: MIT */
#include "sasl/client.h"

#include "base/memory.h"
#include "sasl/bearer.h"
#include "sasl/cram_md5.h"
#include "sasl/external.h"
#include "sasl/login.h"
#include "sasl/plain.h"
#include "sasl/rare.h"
#include "sasl/scram.h"

#include <assert.h>

enum initial {
	INITIAL_NEVER,     /* the server speaks first, or the first message takes long to make */
	INITIAL_PERMITTED, /* and not used by itself */
	INITIAL_PREFERRED,
};

static const struct client_mechanism {
	enum initial initial;
	bool proves_server;
	void (*start)(struct sasl_client *c, bool with_initial, struct buf *out);
	enum sasl_client_result (*step)(
	    struct sasl_client *c, struct span challenge, struct buf *out);
} mechanisms[SASL_MECHANISM_COUNT] = {
	[SASL_MECHANISM_LOGIN] = { INITIAL_PERMITTED, false, sasl_login_client_start,
	    sasl_login_client_step },
	[SASL_MECHANISM_PLAIN] = { INITIAL_PREFERRED, false, sasl_plain_client_start,
	    sasl_plain_client_step },
	[SASL_MECHANISM_NTLM] = { INITIAL_NEVER, false, sasl_rare_client_start,
	    sasl_rare_client_step },
	[SASL_MECHANISM_CRAM_MD5] = { INITIAL_NEVER, false, sasl_cram_client_start,
	    sasl_cram_client_step },
	[SASL_MECHANISM_DIGEST_MD5] = { INITIAL_NEVER, true, sasl_rare_client_start,
	    sasl_rare_client_step },
	[SASL_MECHANISM_SCRAM_SHA_1] = { INITIAL_PREFERRED, true, sasl_scram_client_start,
	    sasl_scram_client_step },
	[SASL_MECHANISM_SCRAM_SHA_1_PLUS] = { INITIAL_PREFERRED, true, sasl_scram_client_start,
	    sasl_scram_client_step },
	[SASL_MECHANISM_SCRAM_SHA_256] = { INITIAL_PREFERRED, true, sasl_scram_client_start,
	    sasl_scram_client_step },
	[SASL_MECHANISM_SCRAM_SHA_256_PLUS] = { INITIAL_PREFERRED, true, sasl_scram_client_start,
	    sasl_scram_client_step },
	[SASL_MECHANISM_XOAUTH2] = { INITIAL_PREFERRED, false, sasl_bearer_client_start,
	    sasl_bearer_client_step },
	[SASL_MECHANISM_OAUTHBEARER] = { INITIAL_PREFERRED, false, sasl_bearer_client_start,
	    sasl_bearer_client_step },
	[SASL_MECHANISM_GSSAPI] = { INITIAL_NEVER, true, sasl_rare_client_start,
	    sasl_rare_client_step },
	[SASL_MECHANISM_EXTERNAL] = { INITIAL_PREFERRED, false, sasl_external_client_start,
	    sasl_external_client_step },
};

/* ---- credentials ---- */

static const char *flaw(struct span bytes, size_t max, const char *const sentences[3])
{
	if (bytes.len == 0)
		return sentences[0];
	if (bytes.len > max)
		return sentences[1];
	return span_find(bytes, '\0') < bytes.len ? sentences[2] : NULL;
}

/* By other means than name and password. A certificate that nobody asked for is no reason to miss a
   password: what is missing is said when it comes to the mechanisms. */
static bool says_who_it_is(const struct sasl_credentials *credentials)
{
	return credentials->certificate || credentials->certificate_unasked ||
	       credentials->kerberos;
}

static const char *login_flaw(const struct sasl_credentials *credentials)
{
	static const char *const login[] = {
		"the login is empty",
		"the login is longer than 255 octets",
		"the login contains a NUL",
	};
	bool needed = credentials->password.len > 0 || credentials->token.len > 0 ||
		      !says_who_it_is(credentials);

	if (credentials->login.len == 0 && !needed)
		return NULL;
	return flaw(credentials->login, SASL_NAME_MAX, login);
}

static const char *password_flaw(const struct sasl_credentials *credentials)
{
	static const char *const password[] = {
		"the password is empty",
		"the password is longer than 511 octets",
		"the password contains a NUL",
	};
	bool needed = credentials->token.len == 0 && !says_who_it_is(credentials);

	if (credentials->password.len == 0 && !needed)
		return NULL;
	return flaw(credentials->password, SASL_PASSWORD_MAX, password);
}

/* RFC 6750, 2.1, and what would end a part of the message. */
static const char *token_flaw(const struct sasl_credentials *credentials)
{
	struct span token = credentials->token;

	if (token.len > SASL_TOKEN_MAX)
		return "the access token is longer than 7680 octets";
	for (size_t i = 0; i < token.len; i++) {
		if (token.data[i] <= ' ' || token.data[i] > '~')
			return "the access token contains a character that no token has";
	}
	for (size_t i = 0; token.len > 0 && i < credentials->login.len; i++) {
		if (credentials->login.data[i] == '\1')
			return "the login contains a control character";
	}
	return NULL;
}

bool sasl_credentials_are_sound(const struct sasl_credentials *credentials, const char **why_out)
{
	const char *why = login_flaw(credentials);

	if (!why)
		why = password_flaw(credentials);
	if (!why)
		why = token_flaw(credentials);
	if (!why && credentials->host.len > 255)
		why = "the host's name is longer than 255 octets";
	if (why)
		*why_out = why;
	return !why;
}

bool sasl_credentials_have(const struct sasl_credentials *credentials, enum sasl_secret secret)
{
	switch (secret) {
	case SASL_SECRET_PASSWORD:
		return credentials->password.len > 0;
	case SASL_SECRET_TOKEN:
		return credentials->token.len > 0;
	case SASL_SECRET_CERTIFICATE:
		return credentials->certificate;
	case SASL_SECRET_KERBEROS:
		return credentials->kerberos;
	case SASL_SECRET_COUNT:
		break;
	}
	return false;
}

bool sasl_credentials_serve(
    const struct sasl_credentials *credentials, enum sasl_mechanism mechanism)
{
	return sasl_credentials_have(credentials, sasl_mechanism_secret(mechanism));
}

/* ---- exchanges ---- */

void sasl_client_start(struct sasl_client *c, enum sasl_mechanism mechanism,
    const struct sasl_client_settings *settings, bool with_initial, struct buf *out)
{
	assert(mechanism < SASL_MECHANISM_COUNT);
	assert(!with_initial || mechanisms[mechanism].initial != INITIAL_NEVER);
	*c = (struct sasl_client){
		.mechanism = mechanism,
		.settings = *settings,
		.with_initial = with_initial,
	};
	mechanisms[mechanism].start(c, with_initial, out);
}

enum sasl_client_result sasl_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out)
{
	c->step++;
	return mechanisms[c->mechanism].step(c, challenge, out);
}

bool sasl_client_may_succeed(const struct sasl_client *c)
{
	return c->server_proved || !mechanisms[c->mechanism].proves_server;
}

/* SCRAM's first answer derives a key; it is the one to the first challenge, or to the second where
   the first only asked for client-first. */
bool sasl_client_is_slow(const struct sasl_client *c)
{
	return c->mechanism == SASL_MECHANISM_GSSAPI ||
	       (sasl_mechanism_is_scram(c->mechanism) && c->step < 2);
}

void sasl_client_fini(struct sasl_client *c)
{
	sasl_scram_client_destroy(&c->scram);
	sasl_rare_destroy(&c->rare);
	mem_wipe(c->sentence, sizeof(c->sentence));
	c->settings = (struct sasl_client_settings){ 0 };
}

bool sasl_client_prefers_initial(enum sasl_mechanism mechanism)
{
	return mechanisms[mechanism].initial == INITIAL_PREFERRED;
}

bool sasl_client_permits_initial(enum sasl_mechanism mechanism)
{
	return mechanisms[mechanism].initial != INITIAL_NEVER;
}

static bool contains_nocase(struct span s, struct span needle)
{
	for (size_t at = 0; at + needle.len <= s.len; at++) {
		if (span_equal_nocase(span_of(s.data + at, needle.len), needle))
			return true;
	}
	return false;
}

bool sasl_prompt_asks_for_name(struct span prompt)
{
	return (contains_nocase(prompt, SPAN("user")) || contains_nocase(prompt, SPAN("name"))) &&
	       !contains_nocase(prompt, SPAN("pass"));
}
