/* SPDX-License-Identifier: MIT */
#include "sasl/server.h"

#include "sasl/bearer.h"
#include "sasl/cram_md5.h"
#include "sasl/external.h"
#include "sasl/login.h"
#include "sasl/plain.h"
#include "sasl/scram_server.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

/* One reply line holds it in base64. */
enum { SAID_MAX = 372 };

/* Those without a row have no server's side. */
static const struct server_mechanism {
	enum sasl_outcome (*start)(struct sasl_server *s, bool has_initial, struct span initial);
	enum sasl_outcome (*step)(struct sasl_server *s, struct span response);
} mechanisms[SASL_MECHANISM_COUNT] = {
	[SASL_MECHANISM_LOGIN] = { sasl_login_server_start, sasl_login_server_step },
	[SASL_MECHANISM_PLAIN] = { sasl_plain_server_start, sasl_plain_server_step },
	[SASL_MECHANISM_CRAM_MD5] = { sasl_cram_server_start, sasl_cram_server_step },
	[SASL_MECHANISM_SCRAM_SHA_1] = { sasl_scram_server_start, sasl_scram_server_step },
	[SASL_MECHANISM_SCRAM_SHA_1_PLUS] = { sasl_scram_server_start, sasl_scram_server_step },
	[SASL_MECHANISM_SCRAM_SHA_256] = { sasl_scram_server_start, sasl_scram_server_step },
	[SASL_MECHANISM_SCRAM_SHA_256_PLUS] = { sasl_scram_server_start, sasl_scram_server_step },
	[SASL_MECHANISM_XOAUTH2] = { sasl_bearer_server_start, sasl_bearer_server_step },
	[SASL_MECHANISM_OAUTHBEARER] = { sasl_bearer_server_start, sasl_bearer_server_step },
	[SASL_MECHANISM_EXTERNAL] = { sasl_external_server_start, sasl_external_server_step },
};

bool sasl_server_speaks(enum sasl_mechanism mechanism)
{
	return mechanisms[mechanism].start != NULL;
}

void sasl_server_init(struct sasl_server *s)
{
	*s = (struct sasl_server){ 0 };
	buf_init(&s->identity.authcid, SASL_NAME_MAX);
	buf_init(&s->identity.authzid, SASL_NAME_MAX);
	buf_init_secret(&s->identity.password, SASL_PASSWORD_MAX);
	buf_init_secret(&s->identity.token, SASL_TOKEN_MAX);
	buf_init(&s->said, SAID_MAX);
}

static void forget_identity(struct sasl_server *s)
{
	buf_fini(&s->identity.authcid);
	buf_fini(&s->identity.authzid);
	buf_fini(&s->identity.password);
	buf_fini(&s->identity.token);
}

void sasl_server_fini(struct sasl_server *s)
{
	forget_identity(s);
	buf_fini(&s->said);
	sasl_scram_server_destroy(&s->scram);
	s->challenge = SPAN("");
}

static void reset(struct sasl_server *s)
{
	sasl_server_fini(s);
	s->identity.has_line_end = false;
	s->step = 0;
	s->refused = false;
	s->hint = NULL;
	s->sentence[0] = '\0';
}

void sasl_server_equip(struct sasl_server *s, const struct sasl_server_setup *setup)
{
	s->setup = *setup;
}

enum sasl_outcome sasl_server_start(
    struct sasl_server *s, enum sasl_mechanism mechanism, bool has_initial, struct span initial)
{
	assert(mechanism < SASL_MECHANISM_COUNT && sasl_server_speaks(mechanism));
	reset(s);
	s->mechanism = mechanism;
	s->step = has_initial;
	return mechanisms[mechanism].start(s, has_initial, initial);
}

enum sasl_outcome sasl_server_step(struct sasl_server *s, struct span response)
{
	s->step++;
	s->challenge = SPAN("");
	if (s->refused)
		return SASL_OUTCOME_REFUSED;
	return mechanisms[s->mechanism].step(s, response);
}

enum sasl_outcome sasl_server_found_verifier(
    struct sasl_server *s, const struct sasl_scram_verifier *verifier)
{
	assert(sasl_mechanism_is_scram(s->mechanism));
	return sasl_scram_server_found(s, verifier);
}

enum sasl_outcome sasl_server_found_password(struct sasl_server *s, struct span password)
{
	assert(s->mechanism == SASL_MECHANISM_CRAM_MD5);
	return sasl_cram_server_found(s, password);
}

/* ---- refusals ---- */

enum sasl_outcome sasl_server_refuse(
    struct sasl_server *s, const char *explanation, const char *sentence)
{
	snprintf(s->sentence, sizeof(s->sentence), "%s", sentence);
	if (explanation[0] == '\0')
		return SASL_OUTCOME_REFUSED;
	s->refused = true;
	s->challenge = span_from_string(explanation);
	return SASL_OUTCOME_CHALLENGE;
}

/* RFC 7628, 3.2.2, and what Google's clients read. */
enum sasl_outcome sasl_server_reject(struct sasl_server *s)
{
	static const char sentence[] = "the identity is not accepted";

	if (s->mechanism == SASL_MECHANISM_OAUTHBEARER)
		return sasl_server_refuse(s, "{\"status\":\"invalid_token\"}", sentence);
	if (s->mechanism == SASL_MECHANISM_XOAUTH2)
		return sasl_server_refuse(
		    s, "{\"status\":\"401\",\"schemes\":\"bearer\"}", sentence);
	return sasl_server_refuse(s, "", sentence);
}

enum sasl_outcome sasl_server_malformed(struct sasl_server *s, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(s->sentence, sizeof(s->sentence), format, arguments);
	va_end(arguments);
	sasl_server_fini(s);
	return SASL_OUTCOME_MALFORMED;
}

/* ---- parts of the identity ---- */

/* Takes one part; what is the noun for the sentence. */
static bool take_part(struct sasl_server *s, struct buf *part, const char *what, struct span bytes)
{
	if (bytes.len == 0) {
		sasl_server_malformed(s, "the %s is empty", what);
		return false;
	}
	if (span_find(bytes, '\0') < bytes.len) {
		sasl_server_malformed(s, "the %s contains a NUL", what);
		return false;
	}
	buf_clear(part);
	if (!buf_append(part, bytes)) {
		sasl_server_malformed(s, "the %s is longer than %zu octets", what, part->max);
		return false;
	}
	if (sasl_ends_with_line_end(bytes))
		s->identity.has_line_end = true;
	return true;
}

bool sasl_server_take_name(struct sasl_server *s, struct span name)
{
	if (!take_part(s, &s->identity.authcid, "user name", name))
		return false;
	if (sasl_ends_with_line_end(name))
		s->hint = "the user name ends with a line end: was it made by echo without -n?";
	return true;
}

bool sasl_server_take_password(struct sasl_server *s, struct span password)
{
	if (!take_part(s, &s->identity.password, "password", password))
		return false;
	if (sasl_ends_with_line_end(password))
		s->hint = "the password ends with a line end: was it made by echo without -n?";
	return true;
}
