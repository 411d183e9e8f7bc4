/* SPDX-License-Identifier: MIT */
#include "sasl/bearer.h"

#include "base/escape.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>

enum { ERROR_MAX = 4096 };

/* ---- the message ---- */

/* The scheme's name is compared without case (RFC 7235, 2.1). */
static bool take_token(struct span value, struct span *token_out)
{
	if (!span_starts_with_nocase(value, SPAN("Bearer ")))
		return false;
	*token_out = span_trim(span_skip(value, 7));
	return true;
}

/* key=value pairs, each ended by %x01, and one %x01 more (RFC 7628, 3.1). */
static bool parse_pairs(struct span rest, struct sasl_bearer *bearer)
{
	struct span pair;

	while (rest.len > 1 && span_find(rest, '\1') < rest.len) {
		span_take_until(&rest, '\1', &pair);
		if (span_starts_with(pair, SPAN("auth="))) {
			if (!take_token(span_skip(pair, 5), &bearer->token))
				return false;
		} else if (span_starts_with(pair, SPAN("user="))) {
			bearer->user = span_skip(pair, 5);
		} else if (span_starts_with(pair, SPAN("host="))) {
			bearer->host = span_skip(pair, 5);
		} else if (span_starts_with(pair, SPAN("port="))) {
			bearer->port = span_skip(pair, 5);
		}
	}
	return span_equal(rest, SPAN("\1")) && bearer->token.len > 0;
}

/* "n,a=user," and %x01; no channel binding (RFC 7628, 3.1). */
static bool parse_header(struct span *message, struct sasl_bearer *bearer)
{
	struct span flag, name, end;

	if (!span_take_until(message, ',', &flag) || !span_take_until(message, ',', &name) ||
	    !span_take_until(message, '\1', &end) || end.len > 0)
		return false;
	if (name.len > 0 && !span_starts_with(name, SPAN("a=")))
		return false;
	bearer->user = name.len > 0 ? span_skip(name, 2) : SPAN("");
	return span_equal(flag, SPAN("n")) || span_equal(flag, SPAN("y"));
}

bool sasl_bearer_parse(
    enum sasl_mechanism mechanism, struct span message, struct sasl_bearer *bearer_out)
{
	struct sasl_bearer bearer = { 0 };
	struct span user;

	if (mechanism == SASL_MECHANISM_XOAUTH2) {
		if (!parse_pairs(message, &bearer) || bearer.user.len == 0)
			return false;
	} else {
		if (!parse_header(&message, &bearer))
			return false;
		user = bearer.user;
		if (!parse_pairs(message, &bearer))
			return false;
		bearer.user = user;
	}
	*bearer_out = bearer;
	return true;
}

/* ---- server ---- */

static bool take_user(struct sasl_server *s, struct span user)
{
	struct buf name;
	bool taken;

	buf_init(&name, 3 * SASL_NAME_MAX);
	if (s->mechanism == SASL_MECHANISM_XOAUTH2)
		taken = buf_append(&name, user);
	else
		taken = sasl_scram_read_name(user, &name);
	if (!taken)
		sasl_server_malformed(s, "the user name is malformed or too long");
	else
		taken = name.len == 0 || sasl_server_take_name(s, buf_span(&name));
	buf_fini(&name);
	return taken;
}

static enum sasl_outcome read_message(struct sasl_server *s, struct span message)
{
	struct sasl_bearer bearer;

	if (!sasl_bearer_parse(s->mechanism, message, &bearer))
		return sasl_server_malformed(s, "the message must be: %s",
		    s->mechanism == SASL_MECHANISM_XOAUTH2
			? "user=NAME ^A auth=Bearer TOKEN ^A ^A"
			: "n,a=NAME, ^A auth=Bearer TOKEN ^A ^A");
	if (!take_user(s, bearer.user))
		return SASL_OUTCOME_MALFORMED;
	if (span_find(bearer.token, '\0') < bearer.token.len ||
	    !buf_append(&s->identity.token, bearer.token))
		return sasl_server_malformed(
		    s, "the token has a NUL or more than %d octets", SASL_TOKEN_MAX);
	return SASL_OUTCOME_IDENTITY;
}

enum sasl_outcome sasl_bearer_server_start(
    struct sasl_server *s, bool has_initial, struct span initial)
{
	return has_initial ? read_message(s, initial) : SASL_OUTCOME_CHALLENGE;
}

enum sasl_outcome sasl_bearer_server_step(struct sasl_server *s, struct span response)
{
	assert(s->step == 1);
	return read_message(s, response);
}

/* ---- client ---- */

static bool append_where(const struct sasl_credentials *credentials, struct buf *out)
{
	bool fits = true;

	if (credentials->host.len > 0)
		fits = buf_append_string(out, "host=") && buf_append(out, credentials->host) &&
		       buf_append_byte(out, '\1');
	if (credentials->port > 0)
		fits = fits && buf_printf(out, "port=%u\1", credentials->port);
	return fits;
}

static void append_message(struct sasl_client *c, struct buf *out)
{
	const struct sasl_credentials *credentials = &c->settings.credentials;
	bool fits;

	if (c->mechanism == SASL_MECHANISM_XOAUTH2)
		fits = buf_append_string(out, "user=") && buf_append(out, credentials->login) &&
		       buf_append_byte(out, '\1');
	else
		fits = buf_append_string(out, "n,a=") &&
		       sasl_scram_append_name(out, credentials->login) &&
		       buf_append_string(out, ",\1") && append_where(credentials, out);
	fits = fits && buf_append_string(out, "auth=Bearer ") &&
	       buf_append(out, credentials->token) && buf_append_string(out, "\1\1");
	assert(fits);
	c->secret_sent = true;
}

void sasl_bearer_client_start(struct sasl_client *c, bool with_initial, struct buf *out)
{
	if (with_initial)
		append_message(c, out);
}

static void append_member(const json_t *object, const char *name, struct buf *words)
{
	const json_t *value = json_object_get(object, name);
	char text[100];

	if (json_is_integer(value))
		buf_printf(words, "%s%s %lld", words->len ? ", " : "", name,
		    (long long)json_integer_value(value));
	else if (json_is_string(value))
		buf_printf(words, "%s%s \"%s\"", words->len ? ", " : "", name,
		    escape_to(text, sizeof(text),
			span_of(json_string_value(value), json_string_length(value))));
}

/* RFC 7628, 3.2.2: status, scope; Google says status, schemes, scope; others add words. */
static void describe_error(struct span challenge, struct buf *words)
{
	static const char *const members[] = { "status", "error", "error_description", "scope" };
	json_t *object = json_loadb(challenge.data, challenge.len, 0, NULL);

	if (json_is_object(object)) {
		for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
			append_member(object, members[i], words);
	}
	json_decref(object);
}

static void explain_error(struct sasl_client *c, struct span challenge)
{
	struct buf words;
	char text[160];

	buf_init(&words, sizeof(c->sentence) - 40);
	if (challenge.len <= ERROR_MAX)
		describe_error(challenge, &words);
	if (words.len > 0)
		snprintf(c->sentence, sizeof(c->sentence), "the server says of the token: %s",
		    buf_string(&words));
	else
		snprintf(c->sentence, sizeof(c->sentence), "the server says of the token: \"%s\"",
		    escape_to(text, sizeof(text), challenge));
	buf_fini(&words);
}

/* An empty challenge asks for the message; one with content is the explanation of a refusal. */
enum sasl_client_result sasl_bearer_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out)
{
	if (c->sentence[0])
		return SASL_CLIENT_UNEXPECTED;
	if (c->secret_sent && challenge.len > 0) {
		explain_error(c, challenge);
		if (c->mechanism == SASL_MECHANISM_OAUTHBEARER)
			buf_append_byte(out, '\1');
		return SASL_CLIENT_RESPOND;
	}
	if (sasl_prompt_asks_for_name(challenge))
		return SASL_CLIENT_NAME_AGAIN;
	if (c->secret_sent && (!c->with_initial || c->initial_ignored))
		return SASL_CLIENT_UNEXPECTED;
	c->initial_ignored = c->secret_sent;
	append_message(c, out);
	return SASL_CLIENT_RESPOND;
}
