/* SPDX-License-Identifier: MIT */
#include "sasl/external.h"

#include <assert.h>

/* Server. */

static enum sasl_outcome read_name(struct sasl_server *s, struct span name)
{
	if (name.len > 0 && !sasl_server_take_name(s, name))
		return SASL_OUTCOME_MALFORMED;
	return SASL_OUTCOME_IDENTITY;
}

enum sasl_outcome sasl_external_server_start(
    struct sasl_server *s, bool has_initial, struct span initial)
{
	return has_initial ? read_name(s, initial) : SASL_OUTCOME_CHALLENGE;
}

enum sasl_outcome sasl_external_server_step(struct sasl_server *s, struct span response)
{
	assert(s->step == 1);
	return read_name(s, response);
}

/* Client. */

static void append_name(struct sasl_client *c, struct buf *out)
{
	bool fits = buf_append(out, c->settings.credentials.login);

	assert(fits);
}

void sasl_external_client_start(struct sasl_client *c, bool with_initial, struct buf *out)
{
	if (with_initial)
		append_name(c, out);
}

enum sasl_client_result sasl_external_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out)
{
	if (c->step > 1)
		return SASL_CLIENT_UNEXPECTED;
	c->initial_ignored = c->with_initial;
	append_name(c, out);
	return SASL_CLIENT_RESPOND;
}
