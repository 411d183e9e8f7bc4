/* SPDX-License-Identifier: MIT */
#include "sasl/login.h"

#include <assert.h>

/* Server. */

enum { STEP_NAME = 1, STEP_PASSWORD = 2 };

static enum sasl_outcome read_name(struct sasl_server *s, struct span name)
{
	if (!sasl_server_take_name(s, name))
		return SASL_OUTCOME_MALFORMED;
	s->challenge = SPAN("Password:");
	return SASL_OUTCOME_CHALLENGE;
}

enum sasl_outcome sasl_login_server_start(
    struct sasl_server *s, bool has_initial, struct span initial)
{
	if (has_initial)
		return read_name(s, initial);
	s->challenge = SPAN("Username:");
	return SASL_OUTCOME_CHALLENGE;
}

enum sasl_outcome sasl_login_server_step(struct sasl_server *s, struct span response)
{
	if (s->step == STEP_NAME)
		return read_name(s, response);
	assert(s->step == STEP_PASSWORD);
	if (!sasl_server_take_password(s, response))
		return SASL_OUTCOME_MALFORMED;
	return SASL_OUTCOME_IDENTITY;
}

/* Client. */

static enum sasl_client_result respond(struct buf *out, struct span bytes)
{
	bool fits = buf_append(out, bytes);

	assert(fits);
	return SASL_CLIENT_RESPOND;
}

void sasl_login_client_start(struct sasl_client *c, bool with_initial, struct buf *out)
{
	if (with_initial)
		respond(out, c->settings.credentials.login);
}

enum sasl_client_result sasl_login_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out)
{
	bool name_sent = c->with_initial || c->step > 1;

	if (!name_sent)
		return respond(out, c->settings.credentials.login);
	if (sasl_prompt_asks_for_name(challenge)) {
		/* Behind an initial response the other way is better than a guess. */
		if (c->with_initial || c->name_repeated || c->secret_sent)
			return SASL_CLIENT_NAME_AGAIN;
		c->name_repeated = true;
		return respond(out, c->settings.credentials.login);
	}
	if (c->secret_sent)
		return SASL_CLIENT_UNEXPECTED;
	c->secret_sent = true;
	return respond(out, c->settings.credentials.password);
}
