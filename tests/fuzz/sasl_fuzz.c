/* SPDX-License-Identifier: MIT */
/*
 * A hostile client against the server's side of SASL, and any payload against the description: no
 * password in a sentence, an identity that is whole, and nothing of a payload but a user name
 * shown. The input: mechanism and initial response, then responses, each ended by 0xff.
 */
#include "sasl/describe.h"
#include "sasl/server.h"

#include <assert.h>
#include <string.h>

static bool take_response(struct span *rest, struct span *response)
{
	if (rest->len == 0)
		return false;
	return span_take_until(rest, (char)0xff, response);
}

static void check_identity(const struct sasl_server *s)
{
	struct span name = buf_span(&s->identity.authcid), authzid = buf_span(&s->identity.authzid);
	struct span password = buf_span(&s->identity.password);

	assert(name.len > 0 && name.len <= SASL_NAME_MAX && span_find(name, '\0') == name.len);
	assert(password.len > 0 && password.len <= SASL_PASSWORD_MAX);
	assert(span_find(password, '\0') == password.len);
	assert(authzid.len == 0 || span_equal(authzid, name));
	assert(s->identity.has_line_end ==
	       (sasl_ends_with_line_end(name) || sasl_ends_with_line_end(password)));
	assert((s->hint != NULL) == s->identity.has_line_end);
}

static void check_outcome(const struct sasl_server *s, enum sasl_outcome outcome)
{
	switch (outcome) {
	case SASL_OUTCOME_CHALLENGE:
		assert(s->challenge.len == 0 || s->mechanism == SASL_MECHANISM_LOGIN);
		break;
	case SASL_OUTCOME_IDENTITY:
		check_identity(s);
		break;
	case SASL_OUTCOME_MALFORMED:
		assert(s->sentence[0] && s->identity.password.len == 0);
		for (const char *p = s->sentence; *p; p++)
			assert(*p >= ' ' && *p < 127);
		break;
	}
}

static void describe(enum sasl_mechanism mechanism, unsigned step, struct span payload)
{
	struct buf out;
	bool fits;

	buf_init(&out, 1024);
	fits = sasl_describe(span_from_string(sasl_mechanism_name(mechanism)), step, payload, &out);
	assert(fits);
	assert(span_starts_with(buf_span(&out), SPAN("[")));
	assert(buf_span(&out).data[out.len - 1] == ']');
	for (size_t i = 0; i < out.len; i++)
		assert((unsigned char)buf_span(&out).data[i] >= ' ');
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sasl_server s;
	struct span rest, response = SPAN("");
	enum sasl_mechanism mechanism;
	enum sasl_outcome outcome;
	bool has_initial;
	unsigned step = 0;

	if (size < 1)
		return 0;
	mechanism = (enum sasl_mechanism)(data[0] % SASL_MECHANISM_COUNT);
	has_initial = data[0] & 0x80;
	rest = span_of(data + 1, size - 1);
	sasl_server_init(&s);
	if (has_initial)
		take_response(&rest, &response);
	outcome = sasl_server_start(&s, mechanism, has_initial, response);
	check_outcome(&s, outcome);
	while (outcome == SASL_OUTCOME_CHALLENGE && take_response(&rest, &response)) {
		describe(mechanism, step, response);
		outcome = sasl_server_step(&s, response);
		check_outcome(&s, outcome);
		assert(++step <= 2);
	}
	sasl_server_fini(&s);
	return 0;
}
