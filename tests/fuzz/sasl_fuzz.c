/* SPDX-License-Identifier: MIT */
/*
 * A hostile client against the server's side of SASL, and any payload against the description: no
 * password in a sentence, an identity that is whole, nobody signed in who does not know a stored
 * secret, and nothing of a payload but a user name shown. The input: mechanism, whether the user is
 * known and initial response, then responses, each ended by 0xff.
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

static bool holds_password(enum sasl_mechanism mechanism)
{
	return mechanism == SASL_MECHANISM_PLAIN || mechanism == SASL_MECHANISM_LOGIN;
}

static void check_identity(const struct sasl_server *s)
{
	struct span name = buf_span(&s->identity.authcid), authzid = buf_span(&s->identity.authzid);
	struct span password = buf_span(&s->identity.password);

	assert(name.len <= SASL_NAME_MAX && span_find(name, '\0') == name.len);
	assert(password.len <= SASL_PASSWORD_MAX);
	assert(span_find(password, '\0') == password.len);
	assert(authzid.len == 0 || span_equal(authzid, name));
	assert((s->hint != NULL) == s->identity.has_line_end);
	if (holds_password(s->mechanism))
		assert(name.len > 0 && password.len > 0);
	else
		assert(password.len == 0);
}

static void check_sentence(const struct sasl_server *s)
{
	assert(s->sentence[0]);
	for (const char *p = s->sentence; *p; p++)
		assert(*p >= ' ' && *p < 127);
}

static void check_outcome(const struct sasl_server *s, enum sasl_outcome outcome)
{
	switch (outcome) {
	case SASL_OUTCOME_CHALLENGE:
		assert(s->challenge.len <= 372);
		if (s->refused)
			check_sentence(s);
		break;
	case SASL_OUTCOME_IDENTITY:
		check_identity(s);
		break;
	case SASL_OUTCOME_LOOKUP:
		assert(s->identity.authcid.len > 0);
		break;
	case SASL_OUTCOME_PROVED:
		assert(!"the stored secret is known to nobody");
		break;
	case SASL_OUTCOME_REFUSED:
		check_sentence(s);
		break;
	case SASL_OUTCOME_MALFORMED:
		check_sentence(s);
		assert(s->identity.password.len == 0 && s->identity.token.len == 0);
		break;
	}
}

/* A known user's stored secret, which belongs to no password. */
static enum sasl_outcome look_up(struct sasl_server *s, bool known)
{
	static const char key[] = "0123456789abcdef0123456789abcdef";
	struct sasl_scram_verifier verifier = { .iterations = 4096, .salt = SPAN("salt") };
	size_t len;

	if (s->mechanism == SASL_MECHANISM_CRAM_MD5)
		return sasl_server_found_password(s, known ? SPAN("pass-WORD-42") : SPAN(""));
	len = sasl_digest_len(sasl_scram_hash(s->mechanism));
	verifier.stored_key = verifier.server_key = span_of(key, len);
	return sasl_server_found_verifier(s, known ? &verifier : NULL);
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

static enum sasl_outcome settle(struct sasl_server *s, enum sasl_outcome outcome, bool known)
{
	check_outcome(s, outcome);
	if (outcome == SASL_OUTCOME_LOOKUP) {
		outcome = look_up(s, known);
		check_outcome(s, outcome);
	}
	return outcome;
}

static void play(struct sasl_server *s, enum sasl_mechanism mechanism, bool has_initial, bool known,
    struct span rest)
{
	struct span response = SPAN("");
	enum sasl_outcome outcome;
	unsigned step = 0;

	if (has_initial)
		take_response(&rest, &response);
	outcome = settle(s, sasl_server_start(s, mechanism, has_initial, response), known);
	while (outcome == SASL_OUTCOME_CHALLENGE && take_response(&rest, &response)) {
		describe(mechanism, step, response);
		outcome = settle(s, sasl_server_step(s, response), known);
		assert(++step <= 3);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sasl_server_setup setup = {
		.random = SPAN("0123456789abcdef"),
		.hostname = SPAN("relay.example.org"),
		.decoy_key = SPAN("a key"),
		.binding = { SPAN("exporter"), SPAN("") },
		.bound_offered = size > 0 && (data[0] & 0x20),
	};
	struct sasl_server s;
	enum sasl_mechanism mechanism;

	if (size < 1)
		return 0;
	mechanism = (enum sasl_mechanism)((data[0] & 0x1f) % SASL_MECHANISM_COUNT);
	describe(mechanism, data[0] >> 6, span_of(data + 1, size - 1));
	if (!sasl_server_speaks(mechanism))
		return 0;
	sasl_server_init(&s);
	sasl_server_equip(&s, &setup);
	play(&s, mechanism, data[0] & 0x80, data[0] & 0x40, span_of(data + 1, size - 1));
	sasl_server_fini(&s);
	return 0;
}
