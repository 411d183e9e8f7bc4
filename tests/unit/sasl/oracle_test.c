/* SPDX-License-Identifier: MIT */
/*
 * GNU SASL as the other side: our client against its server, our server against its client, for
 * each mechanism that both have, with and without channel binding.
 */
#include "base/memory.h"
#include "sasl/client.h"
#include "sasl/server.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#define LOGIN "sc=an,ner"
#define PASSWORD "secret, =word"
#define RANDOM SPAN("0123456789abcdefghijklmnopqrstuv")
/* base64 of 32 octets each */
#define EXPORTER "ZXh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg="
#define UNIQUE "dW5pcXVlIDEyMw=="

static const struct sasl_binding both = { { "exxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 32 },
	{ "unique 123", 10 } };
static const struct sasl_binding exporter_only = { { "exxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 32 },
	{ "", 0 } };

/* What the other side knows: the hook of the library's context. */
struct other {
	const char *password;
	bool binds;
	bool bound_wrongly;
};

static int answer(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
	const struct other *other = gsasl_callback_hook_get(library);

	switch (property) {
	case GSASL_AUTHID:
		return gsasl_property_set(session, property, LOGIN);
	case GSASL_PASSWORD:
		return gsasl_property_set(session, property, other->password);
	case GSASL_SERVICE:
		return gsasl_property_set(session, property, "smtp");
	case GSASL_HOSTNAME:
		return gsasl_property_set(session, property, "relay.example.org");
	case GSASL_REALM:
		return gsasl_property_set(session, property, "example.org");
	case GSASL_SCRAM_ITER:
		return gsasl_property_set(session, property, "4096");
	case GSASL_CB_TLS_UNIQUE:
		if (!other->binds)
			return GSASL_NO_CALLBACK;
		return gsasl_property_set(
		    session, property, other->bound_wrongly ? EXPORTER : UNIQUE);
	case GSASL_CB_TLS_EXPORTER:
		if (!other->binds)
			return GSASL_NO_CALLBACK;
		return gsasl_property_set(
		    session, property, other->bound_wrongly ? UNIQUE : EXPORTER);
	case GSASL_VALIDATE_SIMPLE:
		return strcmp(gsasl_property_fast(session, GSASL_PASSWORD), other->password) == 0 &&
			       strcmp(gsasl_property_fast(session, GSASL_AUTHID), LOGIN) == 0
			   ? GSASL_OK
			   : GSASL_AUTHENTICATION_ERROR;
	case GSASL_VALIDATE_EXTERNAL:
		return GSASL_OK;
	default:
		return GSASL_NO_CALLBACK;
	}
}

static Gsasl *open_library(struct other *other)
{
	Gsasl *library;

	assert_int_equal(gsasl_init(&library), GSASL_OK);
	gsasl_callback_hook_set(library, other);
	gsasl_callback_set(library, answer);
	return library;
}

/* ---- our client ---- */

/* Plays to the end. True: the library's server accepts, and our client agrees. */
static bool client_is_accepted(enum sasl_mechanism mechanism,
    const struct sasl_client_settings *settings, bool with_initial, struct other *other)
{
	Gsasl *library = open_library(other);
	Gsasl_session *session;
	struct sasl_client c;
	struct buf out;
	bool has_response = with_initial;
	int code;

	assert_int_equal(
	    gsasl_server_start(library, sasl_mechanism_name(mechanism), &session), GSASL_OK);
	buf_init_secret(&out, SASL_CLIENT_BYTES_MAX);
	sasl_client_start(&c, mechanism, settings, with_initial, &out);
	for (;;) {
		char *challenge = NULL;
		size_t len = 0;
		enum sasl_client_result result;

		code = gsasl_step(session, has_response ? buf_span(&out).data : NULL,
		    has_response ? out.len : 0, &challenge, &len);
		has_response = true;
		buf_clear(&out);
		/* RFC 4954, 4: what a server says with its "yes" is a challenge of its own. */
		if ((code != GSASL_OK && code != GSASL_NEEDS_MORE) ||
		    (code == GSASL_OK && len == 0)) {
			gsasl_free(challenge);
			break;
		}
		result = sasl_client_step(&c, span_of(challenge, len), &out);
		gsasl_free(challenge);
		if (result != SASL_CLIENT_RESPOND)
			print_message("%s: %s\n", sasl_mechanism_name(mechanism), c.sentence);
		if (result != SASL_CLIENT_RESPOND || code == GSASL_OK)
			break;
	}
	if (code == GSASL_OK)
		assert_true(sasl_client_may_succeed(&c));
	gsasl_finish(session);
	gsasl_done(library);
	sasl_client_fini(&c);
	buf_fini(&out);
	return code == GSASL_OK;
}

static const struct oracle_case {
	const char *name;
	enum sasl_mechanism mechanism;
	const struct sasl_binding *binding;
	bool binding_offered;
	struct other other;
	bool want;
	const char *password; /* ours, where it is not PASSWORD */
} client_cases[] = {
	{ "PLAIN", SASL_MECHANISM_PLAIN, NULL, false, { PASSWORD }, true },
	{ "LOGIN", SASL_MECHANISM_LOGIN, NULL, false, { PASSWORD }, true },
	{ "CRAM-MD5", SASL_MECHANISM_CRAM_MD5, NULL, false, { PASSWORD }, true },
	{ "CRAM-MD5, wrong", SASL_MECHANISM_CRAM_MD5, NULL, false, { "other" }, false },
	{ "DIGEST-MD5", SASL_MECHANISM_DIGEST_MD5, NULL, false, { PASSWORD }, true },
	{ "DIGEST-MD5, wrong", SASL_MECHANISM_DIGEST_MD5, NULL, false, { "other" }, false },
	{ "EXTERNAL", SASL_MECHANISM_EXTERNAL, NULL, false, { PASSWORD }, true },
	{ "SCRAM-SHA-1", SASL_MECHANISM_SCRAM_SHA_1, NULL, false, { PASSWORD }, true },
	{ "SCRAM-SHA-1, wrong", SASL_MECHANISM_SCRAM_SHA_1, NULL, false, { "other" }, false },
	{ "SCRAM-SHA-256", SASL_MECHANISM_SCRAM_SHA_256, NULL, false, { PASSWORD }, true },
	{ "SCRAM-SHA-256, wrong", SASL_MECHANISM_SCRAM_SHA_256, NULL, false, { "other" }, false },
	{ "SCRAM-SHA-256 with a password that SASLprep changes", SASL_MECHANISM_SCRAM_SHA_256, NULL,
	    false,
	    { "s\xc3\xa4"
	      "a" },
	    true, "s\xc3\xa4\xc2\xaa" },
	{ "SCRAM-SHA-256 at a server that cannot bind, as it says", SASL_MECHANISM_SCRAM_SHA_256,
	    &both, false, { PASSWORD, false }, true },
	{ "SCRAM-SHA-256 beside -PLUS", SASL_MECHANISM_SCRAM_SHA_256, &both, true,
	    { PASSWORD, true }, true },
	{ "SCRAM-SHA-1-PLUS with tls-unique", SASL_MECHANISM_SCRAM_SHA_1_PLUS, &both, true,
	    { PASSWORD, true }, true },
	{ "SCRAM-SHA-1-PLUS with tls-exporter", SASL_MECHANISM_SCRAM_SHA_1_PLUS, &exporter_only,
	    true, { PASSWORD, true }, true },
	{ "SCRAM-SHA-256-PLUS with tls-unique", SASL_MECHANISM_SCRAM_SHA_256_PLUS, &both, true,
	    { PASSWORD, true }, true },
	{ "SCRAM-SHA-256-PLUS with tls-exporter", SASL_MECHANISM_SCRAM_SHA_256_PLUS, &exporter_only,
	    true, { PASSWORD, true }, true },
	{ "SCRAM-SHA-256-PLUS over another connection", SASL_MECHANISM_SCRAM_SHA_256_PLUS,
	    &exporter_only, true, { PASSWORD, true, true }, false },
};

static void our_client_is_accepted_by_its_server(void **state)
{
	for (size_t i = 0; i < 2 * ARRAY_LEN(client_cases); i++) {
		const struct oracle_case *c = &client_cases[i / 2];
		bool with_initial = i % 2;
		struct other other = c->other;
		struct sasl_client_settings settings = {
			.credentials = { .login = SPAN(LOGIN),
			    .password = SPAN(PASSWORD),
			    .host = SPAN("relay.example.org") },
			.binding_offered = c->binding_offered,
			.random = RANDOM,
		};

		/* The library's LOGIN takes an initial response for the password. */
		if (with_initial && (!sasl_client_permits_initial(c->mechanism) ||
					c->mechanism == SASL_MECHANISM_LOGIN))
			continue;
		if (c->binding)
			settings.binding = *c->binding;
		if (c->password)
			settings.credentials.password = span_from_string(c->password);
		print_message("%s\n", c->name);
		assert_int_equal(
		    client_is_accepted(c->mechanism, &settings, with_initial, &other), c->want);
	}
}

/* ---- our server ---- */

static enum sasl_outcome look_up(struct sasl_server *s)
{
	struct sasl_scram_verifier verifier = { .iterations = 4096,
		.salt = SPAN("salt of 15 byte") };
	enum sasl_hash hash;
	char salted[SASL_DIGEST_MAX];
	struct sasl_scram_keys keys;

	assert_true(span_equal(buf_span(&s->identity.authcid), SPAN(LOGIN)));
	if (s->mechanism == SASL_MECHANISM_CRAM_MD5)
		return sasl_server_found_password(s, SPAN(PASSWORD));
	hash = sasl_scram_hash(s->mechanism);
	assert_true(sasl_scram_salt(hash, SPAN(PASSWORD), verifier.salt, 4096, salted));
	assert_true(sasl_scram_keys(hash, salted, &keys));
	verifier.stored_key = span_of(keys.stored_key, sasl_digest_len(hash));
	verifier.server_key = span_of(keys.server_key, sasl_digest_len(hash));
	return sasl_server_found_verifier(s, &verifier);
}

/* How our server ends with the library's client; *client_out is how the client does. */
static enum sasl_outcome serve(enum sasl_mechanism mechanism, const struct sasl_server_setup *setup,
    struct other *other, int *client_out)
{
	Gsasl *library = open_library(other);
	Gsasl_session *session;
	struct sasl_server s;
	enum sasl_outcome outcome;

	assert_int_equal(
	    gsasl_client_start(library, sasl_mechanism_name(mechanism), &session), GSASL_OK);
	sasl_server_init(&s);
	sasl_server_equip(&s, setup);
	outcome = sasl_server_start(&s, mechanism, false, SPAN(""));
	while (outcome == SASL_OUTCOME_CHALLENGE || outcome == SASL_OUTCOME_LOOKUP) {
		char *response = NULL;
		size_t len = 0;

		if (outcome == SASL_OUTCOME_LOOKUP) {
			outcome = look_up(&s);
			continue;
		}
		*client_out =
		    gsasl_step(session, s.challenge.data, s.challenge.len, &response, &len);
		if (*client_out != GSASL_OK && *client_out != GSASL_NEEDS_MORE) {
			outcome = s.refused ? SASL_OUTCOME_REFUSED : SASL_OUTCOME_MALFORMED;
			break;
		}
		outcome = sasl_server_step(&s, span_of(response, len));
		gsasl_free(response);
	}
	if (outcome == SASL_OUTCOME_IDENTITY && s.identity.password.len > 0)
		assert_true(
		    span_equal(buf_span(&s.identity.password), span_from_string(other->password)));
	sasl_server_fini(&s);
	gsasl_finish(session);
	gsasl_done(library);
	return outcome;
}

static const struct server_case {
	const char *name;
	enum sasl_mechanism mechanism;
	const struct sasl_binding *binding;
	struct other other;
	enum sasl_outcome want;
} server_cases[] = {
	{ "PLAIN", SASL_MECHANISM_PLAIN, NULL, { PASSWORD }, SASL_OUTCOME_IDENTITY },
	{ "LOGIN", SASL_MECHANISM_LOGIN, NULL, { PASSWORD }, SASL_OUTCOME_IDENTITY },
	{ "EXTERNAL", SASL_MECHANISM_EXTERNAL, NULL, { PASSWORD }, SASL_OUTCOME_IDENTITY },
	{ "CRAM-MD5", SASL_MECHANISM_CRAM_MD5, NULL, { PASSWORD }, SASL_OUTCOME_PROVED },
	{ "CRAM-MD5, wrong", SASL_MECHANISM_CRAM_MD5, NULL, { "other" }, SASL_OUTCOME_REFUSED },
	{ "SCRAM-SHA-1", SASL_MECHANISM_SCRAM_SHA_1, NULL, { PASSWORD }, SASL_OUTCOME_PROVED },
	{ "SCRAM-SHA-1, wrong", SASL_MECHANISM_SCRAM_SHA_1, NULL, { "other" },
	    SASL_OUTCOME_REFUSED },
	{ "SCRAM-SHA-256", SASL_MECHANISM_SCRAM_SHA_256, NULL, { PASSWORD }, SASL_OUTCOME_PROVED },
	{ "SCRAM-SHA-256, wrong", SASL_MECHANISM_SCRAM_SHA_256, NULL, { "other" },
	    SASL_OUTCOME_REFUSED },
	{ "SCRAM-SHA-1-PLUS", SASL_MECHANISM_SCRAM_SHA_1_PLUS, &both, { PASSWORD, true },
	    SASL_OUTCOME_PROVED },
	{ "SCRAM-SHA-256-PLUS", SASL_MECHANISM_SCRAM_SHA_256_PLUS, &both, { PASSWORD, true },
	    SASL_OUTCOME_PROVED },
	{ "SCRAM-SHA-256-PLUS at a server that has no binding", SASL_MECHANISM_SCRAM_SHA_256_PLUS,
	    NULL, { PASSWORD, true }, SASL_OUTCOME_REFUSED },
	{ "SCRAM-SHA-256-PLUS over another connection", SASL_MECHANISM_SCRAM_SHA_256_PLUS, &both,
	    { PASSWORD, true, true }, SASL_OUTCOME_REFUSED },
};

static void its_client_is_accepted_by_our_server(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(server_cases); i++) {
		const struct server_case *c = &server_cases[i];
		struct other other = c->other;
		struct sasl_server_setup setup = {
			.random = RANDOM,
			.hostname = SPAN("relay.example.org"),
			.decoy_key = SPAN("a key of the process"),
		};
		int client = GSASL_OK;

		if (c->binding)
			setup.binding = *c->binding;
		print_message("%s\n", c->name);
		assert_int_equal(serve(c->mechanism, &setup, &other, &client), c->want);
		if (c->want == SASL_OUTCOME_PROVED)
			assert_int_equal(client, GSASL_OK);
	}
}

static void a_prepared_password_is_the_one_that_the_library_prepares(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "plain ascii", "plain ascii" },
		{ "I\xc2\xadX", "IX" },             /* RFC 4013, 3: a soft hyphen goes */
		{ "\xc2\xaa", "a" },                /* a feminine ordinal */
		{ "\xe2\x85\xa8", "IX" },           /* a Roman numeral nine */
		{ "bell\x07", "bell\x07" },         /* prohibited: taken as it is */
		{ "latin \xe4", "latin \xe4" },     /* not UTF-8: taken as it is */
		{ "\xd8\xa7\x31", "\xd8\xa7\x31" }, /* a bidirectional fault: as it is */
		{ "\xc2\xad", "\xc2\xad" },         /* nothing would be left */
	};
	struct buf out;

	buf_init_secret(&out, SASL_PASSWORD_MAX * 4);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		sasl_scram_prepare(span_from_string(rows[i].in), &out);
		assert_string_equal(buf_string(&out), rows[i].want);
	}
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_client_is_accepted_by_its_server),
		cmocka_unit_test(its_client_is_accepted_by_our_server),
		cmocka_unit_test(a_prepared_password_is_the_one_that_the_library_prepares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
