/* SPDX-License-Identifier: MIT */
#include "sasl/rare.h"

#include "base/escape.h"
#include "base/memory.h"

#include <assert.h>
#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer challenges are nobody's: a Kerberos token with all its groups has some kilobytes. */
enum { CHALLENGE_MAX = 9000 };

struct sasl_rare {
	Gsasl *library;
	Gsasl_session *session; /* NULL until the first step */
};

bool sasl_rare_supports(enum sasl_mechanism mechanism)
{
	Gsasl *library;
	bool has;

	assert(mechanism == SASL_MECHANISM_NTLM || mechanism == SASL_MECHANISM_DIGEST_MD5 ||
	       mechanism == SASL_MECHANISM_GSSAPI);
	if (gsasl_init(&library) != GSASL_OK)
		return false;
	has = gsasl_client_support_p(library, sasl_mechanism_name(mechanism));
	gsasl_done(library);
	return has;
}

bool sasl_rare_prepare(struct span text, struct buf *out)
{
	char *in = span_to_string(text), *prepared = NULL;
	bool done;

	if (!in)
		return false;
	done = gsasl_saslprep(in, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) == GSASL_OK &&
	       prepared[0] != '\0' && buf_append_string(out, prepared);
	if (prepared)
		mem_wipe(prepared, strlen(prepared));
	gsasl_free(prepared);
	mem_wipe(in, text.len);
	mem_free(in);
	return done;
}

/* ---- the session ---- */

static void set(struct sasl_rare *rare, Gsasl_property property, struct span value)
{
	if (value.len > 0)
		gsasl_property_set_raw(rare->session, property, value.data, value.len);
}

/* "DOMAIN\user" names the domain that NTLM asks for beside the name. */
static void set_ntlm(struct sasl_rare *rare, const struct sasl_credentials *credentials)
{
	size_t at = span_find(credentials->login, '\\');

	if (at == credentials->login.len) {
		set(rare, GSASL_AUTHID, credentials->login);
		return;
	}
	set(rare, GSASL_REALM, span_head(credentials->login, at));
	set(rare, GSASL_AUTHID, span_skip(credentials->login, at + 1));
}

static void set_where(struct sasl_rare *rare, const struct sasl_credentials *credentials)
{
	set(rare, GSASL_SERVICE,
	    credentials->service.len > 0 ? credentials->service : SPAN("smtp"));
	set(rare, GSASL_HOSTNAME, credentials->host);
}

/* All that the mechanism will ask for: the library's callback comes in the middle of a check, and
   there is none here. */
static bool begin(struct sasl_client *c)
{
	const struct sasl_credentials *credentials = &c->settings.credentials;
	struct sasl_rare *rare = c->rare;

	if (gsasl_init(&rare->library) != GSASL_OK ||
	    gsasl_client_start(rare->library, sasl_mechanism_name(c->mechanism), &rare->session) !=
		GSASL_OK)
		return false;
	set_where(rare, credentials);
	if (c->mechanism == SASL_MECHANISM_NTLM)
		set_ntlm(rare, credentials);
	else if (c->mechanism == SASL_MECHANISM_DIGEST_MD5)
		set(rare, GSASL_AUTHID, credentials->login);
	else
		set(rare, GSASL_AUTHZID, credentials->login);
	if (c->mechanism != SASL_MECHANISM_GSSAPI)
		set(rare, GSASL_PASSWORD, credentials->password);
	return true;
}

void sasl_rare_client_start(struct sasl_client *c, bool with_initial, struct buf *out)
{
	assert(!with_initial);
	c->rare = MEM_NEW(struct sasl_rare);
}

/* The library frees its copies and does not wipe them. */
static void wipe(Gsasl_session *session, Gsasl_property property)
{
	char *value = (char *)(uintptr_t)gsasl_property_fast(session, property);

	if (value)
		mem_wipe(value, strlen(value));
}

void sasl_rare_destroy(struct sasl_rare **rare)
{
	if (!*rare)
		return;
	if ((*rare)->session) {
		wipe((*rare)->session, GSASL_PASSWORD);
		gsasl_finish((*rare)->session);
	}
	if ((*rare)->library)
		gsasl_done((*rare)->library);
	mem_free(*rare);
	*rare = NULL;
}

/* ---- the exchange ---- */

static enum sasl_client_result unable(struct sasl_client *c, int code)
{
	char host[120];

	if (c->mechanism == SASL_MECHANISM_GSSAPI)
		snprintf(c->sentence, sizeof(c->sentence),
		    "no Kerberos ticket for smtp/%s could be had (%s): klist shows what is in the "
		    "cache, kvno whether the KDC knows the service",
		    escape_to(host, sizeof(host), c->settings.credentials.host),
		    gsasl_strerror_name(code) ? gsasl_strerror_name(code) : "unknown");
	else
		snprintf(c->sentence, sizeof(c->sentence), "%s cannot be played: %s",
		    sasl_mechanism_name(c->mechanism), gsasl_strerror(code));
	return SASL_CLIENT_UNABLE;
}

static enum sasl_client_result read_code(struct sasl_client *c, int code)
{
	switch (code) {
	case GSASL_OK:
		c->server_proved = true;
		return SASL_CLIENT_RESPOND;
	case GSASL_NEEDS_MORE:
		return SASL_CLIENT_RESPOND;
	case GSASL_MECHANISM_CALLED_TOO_MANY_TIMES:
	case GSASL_MECHANISM_PARSE_ERROR:
	case GSASL_SASLPREP_ERROR:
		return SASL_CLIENT_UNEXPECTED;
	case GSASL_AUTHENTICATION_ERROR:
	case GSASL_INTEGRITY_ERROR:
	case GSASL_GSSAPI_UNWRAP_ERROR:
		snprintf(c->sentence, sizeof(c->sentence),
		    "the server does not prove that it knows the secret of %s",
		    sasl_mechanism_name(c->mechanism));
		return SASL_CLIENT_UNTRUSTED;
	default:
		return unable(c, code);
	}
}

static enum sasl_client_result step(struct sasl_client *c, struct span challenge, struct buf *out)
{
	enum sasl_client_result result;
	char *response = NULL;
	size_t len = 0;
	int code;

	code = gsasl_step(c->rare->session, challenge.data, challenge.len, &response, &len);
	result = read_code(c, code);
	if (result == SASL_CLIENT_RESPOND && !buf_append(out, span_of(response, len)))
		result = unable(c, GSASL_MALLOC_ERROR);
	if (response)
		mem_wipe(response, len);
	gsasl_free(response);
	return result;
}

/* Where the client speaks first (NTLM, GSSAPI) the first challenge is the server's "go ahead",
   whatever is in it: Exchange says "NTLM supported". */
static enum sasl_client_result go_ahead(
    struct sasl_client *c, struct span challenge, struct buf *out)
{
	if (sasl_prompt_asks_for_name(challenge))
		return SASL_CLIENT_NAME_AGAIN;
	return step(c, SPAN(""), out);
}

/* An empty challenge of DIGEST-MD5 is none, and the library would read past its end. */
enum sasl_client_result sasl_rare_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out)
{
	bool is_digest = c->mechanism == SASL_MECHANISM_DIGEST_MD5;

	if (challenge.len > CHALLENGE_MAX || c->server_proved)
		return SASL_CLIENT_UNEXPECTED;
	if (is_digest && challenge.len == 0)
		return SASL_CLIENT_UNEXPECTED;
	if (c->step == 1 && !begin(c))
		return unable(c, GSASL_UNKNOWN_MECHANISM);
	if (c->step == 1 && !is_digest)
		return go_ahead(c, challenge, out);
	return step(c, challenge, out);
}
