/* SPDX-License-Identifier: MIT */
#include "sasl/server.h"

#include "sasl/login.h"
#include "sasl/plain.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static const struct server_mechanism {
	enum sasl_outcome (*start)(struct sasl_server *s, bool has_initial, struct span initial);
	enum sasl_outcome (*step)(struct sasl_server *s, struct span response);
} mechanisms[SASL_MECHANISM_COUNT] = {
	[SASL_MECHANISM_LOGIN] = { sasl_login_server_start, sasl_login_server_step },
	[SASL_MECHANISM_PLAIN] = { sasl_plain_server_start, sasl_plain_server_step },
};

void sasl_server_init(struct sasl_server *s)
{
	*s = (struct sasl_server){ 0 };
	buf_init(&s->identity.authcid, SASL_NAME_MAX);
	buf_init(&s->identity.authzid, SASL_NAME_MAX);
	buf_init_secret(&s->identity.password, SASL_PASSWORD_MAX);
}

void sasl_server_fini(struct sasl_server *s)
{
	buf_fini(&s->identity.authcid);
	buf_fini(&s->identity.authzid);
	buf_fini(&s->identity.password);
}

static void reset(struct sasl_server *s)
{
	sasl_server_fini(s);
	s->identity.has_line_end = false;
	s->step = 0;
	s->challenge = SPAN("");
	s->hint = NULL;
	s->sentence[0] = '\0';
}

enum sasl_outcome sasl_server_start(
    struct sasl_server *s, enum sasl_mechanism mechanism, bool has_initial, struct span initial)
{
	assert(mechanism < SASL_MECHANISM_COUNT);
	reset(s);
	s->mechanism = mechanism;
	return mechanisms[mechanism].start(s, has_initial, initial);
}

enum sasl_outcome sasl_server_step(struct sasl_server *s, struct span response)
{
	s->step++;
	return mechanisms[s->mechanism].step(s, response);
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
