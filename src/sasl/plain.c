/* SPDX-License-Identifier: MIT */
#include "sasl/plain.h"

#include "base/base64.h"

#include <assert.h>

/* Server. */

static size_t count_nul(struct span token)
{
	size_t count = 0;

	for (size_t i = 0; i < token.len; i++)
		count += token.data[i] == '\0';
	return count;
}

/* A token that is base64 of base64 still decodes to something with NULs. */
static bool is_encoded_twice(struct span token)
{
	struct buf again;
	bool twice;

	buf_init_secret(&again, 2048);
	twice = token.len >= 4 && base64_decode(&again, token) && count_nul(buf_span(&again)) > 0;
	buf_fini(&again);
	return twice;
}

/* The accidents of people who make a token by hand, each by its name. */
static enum sasl_outcome explain_token(struct sasl_server *s, struct span token, size_t nuls)
{
	static const char form[] = "it must be NUL user NUL password";

	if (token.len == 0)
		return sasl_server_malformed(s, "the token is empty; %s", form);
	if (nuls == 0 && is_encoded_twice(token))
		return sasl_server_malformed(s, "the token was encoded in base64 twice");
	if (nuls == 0)
		return sasl_server_malformed(s, "the token has no NUL; %s", form);
	if (nuls == 1 && token.data[0] == '\0')
		return sasl_server_malformed(
		    s, "the token has one NUL; %s: the one before the password is missing", form);
	if (nuls == 1)
		return sasl_server_malformed(
		    s, "the token has one NUL; %s: the one before the user is missing", form);
	return sasl_server_malformed(s, "the token has %zu NULs; %s", nuls, form);
}

static struct span take_part(struct span *token)
{
	size_t at = span_find(*token, '\0');
	struct span part = span_head(*token, at);

	*token = span_skip(*token, at < token->len ? at + 1 : at);
	return part;
}

static enum sasl_outcome read_token(struct sasl_server *s, struct span token)
{
	size_t nuls = count_nul(token);
	struct span authzid, authcid;

	if (nuls != 2)
		return explain_token(s, token, nuls);
	authzid = take_part(&token);
	authcid = take_part(&token);
	if (!sasl_server_take_name(s, authcid) || !sasl_server_take_password(s, token))
		return SASL_OUTCOME_MALFORMED;
	if (authzid.len && !span_equal(authzid, authcid))
		return sasl_server_malformed(
		    s, "the token asks to act as another user than the one who signs in");
	buf_append(&s->identity.authzid, authzid);
	return SASL_OUTCOME_IDENTITY;
}

enum sasl_outcome sasl_plain_server_start(
    struct sasl_server *s, bool has_initial, struct span initial)
{
	return has_initial ? read_token(s, initial) : SASL_OUTCOME_CHALLENGE;
}

enum sasl_outcome sasl_plain_server_step(struct sasl_server *s, struct span response)
{
	assert(s->step == 1);
	return read_token(s, response);
}

/* Client. */

static void append_token(struct sasl_client *c, struct buf *out)
{
	bool fits = buf_append_byte(out, '\0') && buf_append(out, c->settings.credentials.login) &&
		    buf_append_byte(out, '\0') && buf_append(out, c->settings.credentials.password);

	assert(fits);
	c->secret_sent = true;
}

void sasl_plain_client_start(struct sasl_client *c, bool with_initial, struct buf *out)
{
	if (with_initial)
		append_token(c, out);
}

/* A server that asks for the token although it has come has ignored the initial response. One that
   asks for a name plays another mechanism: the token holds the password. */
enum sasl_client_result sasl_plain_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out)
{
	if (sasl_prompt_asks_for_name(challenge))
		return SASL_CLIENT_NAME_AGAIN;
	if (c->step > 1)
		return SASL_CLIENT_UNEXPECTED;
	c->initial_ignored = c->with_initial;
	append_token(c, out);
	return SASL_CLIENT_RESPOND;
}
