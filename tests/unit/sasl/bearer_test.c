/* SPDX-License-Identifier: MIT */
#include "sasl/bearer.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#define XOAUTH2 SASL_MECHANISM_XOAUTH2
#define OAUTHBEARER SASL_MECHANISM_OAUTHBEARER
#define TOKEN "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"

static const struct sasl_client_settings someone = {
	.credentials = {
		.login = { "someuser@example.com", 20 },
		.token = { TOKEN, sizeof(TOKEN) - 1 },
		.host = { "server.example.com", 18 },
		.port = 143,
	},
};

static void the_messages_are_those_of_the_documents(void **state)
{
	struct sasl_client c;
	struct buf out;

	buf_init_secret(&out, SASL_CLIENT_BYTES_MAX);
	sasl_client_start(&c, XOAUTH2, &someone, true, &out);
	assert_string_equal(
	    buf_string(&out), "user=someuser@example.com\1auth=Bearer " TOKEN "\1\1");
	sasl_client_fini(&c);
	buf_clear(&out);
	/* RFC 7628, 4.1, whose user is user@example.com. */
	sasl_client_start(&c, OAUTHBEARER, &someone, true, &out);
	assert_string_equal(buf_string(&out),
	    "n,a=someuser@example.com,\1host=server.example.com\1port=143\1auth=Bearer " TOKEN
	    "\1\1");
	sasl_client_fini(&c);
	buf_fini(&out);
}

static const struct error_case {
	const char *name;
	enum sasl_mechanism mechanism;
	const char *challenge, *response, *sentence;
} error_cases[] = {
	{ "RFC 7628's", OAUTHBEARER,
	    "{\"status\":\"invalid_token\",\"scope\":\"example_scope\",\"openid-configuration\":"
	    "\"https://example.com/.well-known/openid-configuration\"}",
	    "\1",
	    "the server says of the token: status \"invalid_token\", scope \"example_scope\"" },
	{ "Google's", XOAUTH2,
	    "{\"status\":\"401\",\"schemes\":\"bearer mac\",\"scope\":\"https://mail.example/\"}",
	    "", "the server says of the token: status \"401\", scope \"https://mail.example/\"" },
	{ "a status as a number", XOAUTH2, "{\"status\":401}", "",
	    "the server says of the token: status 401" },
	{ "words of its own", XOAUTH2, "{\"error\":\"x\",\"error_description\":\"expired\"}", "",
	    "the server says of the token: error \"x\", error_description \"expired\"" },
	{ "no JSON", XOAUTH2, "AUTH failed", "", "the server says of the token: \"AUTH failed\"" },
	{ "half a JSON", XOAUTH2, "{\"status\":", "",
	    "the server says of the token: \"{\"status\":\"" },
	{ "JSON without a word", OAUTHBEARER, "[1,2]", "\1",
	    "the server says of the token: \"[1,2]\"" },
	{ "an escape sequence", XOAUTH2, "{\"status\":\"\\u001b[2J\"}", "",
	    "the server says of the token: status \"\\x1b[2J\"" },
};

static void a_refused_token_is_acknowledged_and_explained(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(error_cases); i++) {
		const struct error_case *e = &error_cases[i];
		struct sasl_client c;
		struct buf out;

		print_message("%s\n", e->name);
		buf_init_secret(&out, SASL_CLIENT_BYTES_MAX);
		sasl_client_start(&c, e->mechanism, &someone, true, &out);
		buf_clear(&out);
		assert_int_equal(sasl_client_step(&c, span_from_string(e->challenge), &out),
		    SASL_CLIENT_RESPOND);
		assert_string_equal(buf_string(&out), e->response);
		assert_string_equal(c.sentence, e->sentence);
		assert_int_equal(sasl_client_step(&c, SPAN("{}"), &out), SASL_CLIENT_UNEXPECTED);
		sasl_client_fini(&c);
		buf_fini(&out);
	}
}

static void a_long_error_is_cut(void **state)
{
	static char challenge[9000];
	struct sasl_client c;
	struct buf out;

	memset(challenge, '"', sizeof(challenge));
	buf_init_secret(&out, SASL_CLIENT_BYTES_MAX);
	sasl_client_start(&c, XOAUTH2, &someone, true, &out);
	assert_int_equal(
	    sasl_client_step(&c, span_of(challenge, sizeof(challenge)), &out), SASL_CLIENT_RESPOND);
	assert_true(strlen(c.sentence) < sizeof(c.sentence));
	assert_non_null(strstr(c.sentence, "...\""));
	sasl_client_fini(&c);
	buf_fini(&out);
}

static void a_token_goes_to_an_empty_challenge_and_to_no_prompt(void **state)
{
	struct sasl_client c;
	struct buf out;

	buf_init_secret(&out, SASL_CLIENT_BYTES_MAX);
	sasl_client_start(&c, XOAUTH2, &someone, false, &out);
	assert_int_equal(out.len, 0);
	assert_int_equal(sasl_client_step(&c, SPAN(""), &out), SASL_CLIENT_RESPOND);
	assert_true(span_starts_with(buf_span(&out), SPAN("user=someuser@")));
	assert_int_equal(sasl_client_step(&c, SPAN(""), &out), SASL_CLIENT_UNEXPECTED);
	sasl_client_fini(&c);
	buf_clear(&out);
	sasl_client_start(&c, XOAUTH2, &someone, false, &out);
	assert_int_equal(sasl_client_step(&c, SPAN("Username:"), &out), SASL_CLIENT_NAME_AGAIN);
	assert_int_equal(out.len, 0);
	sasl_client_fini(&c);
	sasl_client_start(&c, XOAUTH2, &someone, true, &out);
	buf_clear(&out);
	assert_int_equal(sasl_client_step(&c, SPAN(""), &out), SASL_CLIENT_RESPOND);
	assert_true(c.initial_ignored);
	assert_true(span_starts_with(buf_span(&out), SPAN("user=someuser@")));
	buf_clear(&out);
	assert_int_equal(sasl_client_step(&c, SPAN(""), &out), SASL_CLIENT_UNEXPECTED);
	sasl_client_fini(&c);
	buf_fini(&out);
}

static void the_longest_token_fits_one_line(void **state)
{
	static char token[SASL_TOKEN_MAX], name[SASL_NAME_MAX], host[255];
	struct sasl_client_settings settings = {
		.credentials = { .login = span_of(name, sizeof(name)),
		    .token = span_of(token, sizeof(token)),
		    .host = span_of(host, sizeof(host)),
		    .port = 65535 },
	};
	struct sasl_client c;
	struct buf out;
	const char *why;

	memset(token, 't', sizeof(token));
	memset(name, '=', sizeof(name));
	memset(host, 'h', sizeof(host));
	assert_true(sasl_credentials_are_sound(&settings.credentials, &why));
	buf_init_secret(&out, SASL_CLIENT_BYTES_MAX);
	sasl_client_start(&c, OAUTHBEARER, &settings, true, &out);
	/* RFC 4954, 4: the whole line in base64. */
	assert_true((out.len + 2) / 3 * 4 + strlen("AUTH OAUTHBEARER \r\n") <= 12288);
	sasl_client_fini(&c);
	buf_fini(&out);
}

/* ---- server ---- */

static const struct message_case {
	const char *name;
	enum sasl_mechanism mechanism;
	const char *message;
	enum sasl_outcome want;
	const char *user, *token;
} messages[] = {
	{ "XOAUTH2", XOAUTH2, "user=scan@example.org\1auth=Bearer abc\1\1", SASL_OUTCOME_IDENTITY,
	    "scan@example.org", "abc" },
	{ "its scheme in any case", XOAUTH2, "user=scan\1auth=bearer abc\1\1",
	    SASL_OUTCOME_IDENTITY, "scan", "abc" },
	{ "the other order", XOAUTH2, "auth=Bearer abc\1user=scan\1\1", SASL_OUTCOME_IDENTITY,
	    "scan", "abc" },
	{ "another scheme", XOAUTH2, "user=scan\1auth=Basic abc\1\1", SASL_OUTCOME_MALFORMED },
	{ "no user", XOAUTH2, "user=\1auth=Bearer abc\1\1", SASL_OUTCOME_MALFORMED },
	{ "no token", XOAUTH2, "user=scan\1auth=Bearer \1\1", SASL_OUTCOME_MALFORMED },
	{ "no end", XOAUTH2, "user=scan\1auth=Bearer abc\1", SASL_OUTCOME_MALFORMED },
	{ "bytes behind the end", XOAUTH2, "user=scan\1auth=Bearer abc\1\1x",
	    SASL_OUTCOME_MALFORMED },
	{ "nothing", XOAUTH2, "", SASL_OUTCOME_MALFORMED },
	{ "OAUTHBEARER", OAUTHBEARER, "n,a=scan,\1host=h\1port=1\1auth=Bearer abc\1\1",
	    SASL_OUTCOME_IDENTITY, "scan", "abc" },
	{ "a name with a comma", OAUTHBEARER, "n,a=sc=2Can,\1auth=Bearer abc\1\1",
	    SASL_OUTCOME_IDENTITY, "sc,an", "abc" },
	{ "the token's own user", OAUTHBEARER, "n,,\1auth=Bearer abc\1\1", SASL_OUTCOME_IDENTITY,
	    "", "abc" },
	{ "a pair that says another user", OAUTHBEARER, "n,a=scan,\1user=boss\1auth=Bearer abc\1\1",
	    SASL_OUTCOME_IDENTITY, "scan", "abc" },
	{ "a binding", OAUTHBEARER, "p=tls-unique,a=scan,\1auth=Bearer abc\1\1",
	    SASL_OUTCOME_MALFORMED },
	{ "no header", OAUTHBEARER, "user=scan\1auth=Bearer abc\1\1", SASL_OUTCOME_MALFORMED },
	{ "a bad name", OAUTHBEARER, "n,a=sc=an,\1auth=Bearer abc\1\1", SASL_OUTCOME_MALFORMED },
};

static void messages_end_in_an_identity_or_a_sentence(void **state)
{
	for (size_t i = 0; i < 2 * ARRAY_LEN(messages); i++) {
		const struct message_case *m = &messages[i / 2];
		bool with_initial = i % 2;
		struct sasl_server s;
		enum sasl_outcome outcome;

		print_message("%s\n", m->name);
		sasl_server_init(&s);
		outcome =
		    sasl_server_start(&s, m->mechanism, with_initial, span_from_string(m->message));
		if (!with_initial) {
			assert_int_equal(outcome, SASL_OUTCOME_CHALLENGE);
			assert_int_equal(s.challenge.len, 0);
			outcome = sasl_server_step(&s, span_from_string(m->message));
		}
		assert_int_equal(outcome, m->want);
		if (m->want == SASL_OUTCOME_IDENTITY) {
			assert_true(
			    span_equal(buf_span(&s.identity.authcid), span_from_string(m->user)));
			assert_true(
			    span_equal(buf_span(&s.identity.token), span_from_string(m->token)));
		} else {
			assert_true(s.sentence[0]);
			assert_int_equal(s.identity.token.len, 0);
		}
		sasl_server_fini(&s);
	}
}

static void a_rejected_token_is_told_to_the_client(void **state)
{
	static const enum sasl_mechanism mechanisms[] = { XOAUTH2, OAUTHBEARER };

	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		struct sasl_client c;
		struct sasl_server s;
		struct buf out;

		buf_init_secret(&out, SASL_CLIENT_BYTES_MAX);
		sasl_server_init(&s);
		sasl_client_start(&c, mechanisms[i], &someone, true, &out);
		assert_int_equal(sasl_server_start(&s, mechanisms[i], true, buf_span(&out)),
		    SASL_OUTCOME_IDENTITY);
		assert_true(
		    span_equal(buf_span(&s.identity.authcid), SPAN("someuser@example.com")));
		assert_int_equal(sasl_server_reject(&s), SASL_OUTCOME_CHALLENGE);
		assert_true(s.refused);
		buf_clear(&out);
		assert_int_equal(sasl_client_step(&c, s.challenge, &out), SASL_CLIENT_RESPOND);
		assert_true(span_starts_with(
		    span_from_string(c.sentence), SPAN("the server says of the token: status ")));
		assert_int_equal(sasl_server_step(&s, buf_span(&out)), SASL_OUTCOME_REFUSED);
		sasl_client_fini(&c);
		sasl_server_fini(&s);
		buf_fini(&out);
	}
}

static void every_prefix_of_a_message_is_read_without_harm(void **state)
{
	static const char message[] = "n,a=scan,\1host=h\1auth=Bearer abc\1\1";

	for (size_t i = 0; i < sizeof(message); i++) {
		char *copy = mem_dup(message, i);
		struct sasl_bearer bearer;

		assert_int_equal(sasl_bearer_parse(OAUTHBEARER, span_of(copy, i), &bearer),
		    i == sizeof(message) - 1);
		assert_false(sasl_bearer_parse(XOAUTH2, span_of(copy, i), &bearer));
		mem_free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_messages_are_those_of_the_documents),
		cmocka_unit_test(a_refused_token_is_acknowledged_and_explained),
		cmocka_unit_test(a_long_error_is_cut),
		cmocka_unit_test(a_token_goes_to_an_empty_challenge_and_to_no_prompt),
		cmocka_unit_test(the_longest_token_fits_one_line),
		cmocka_unit_test(messages_end_in_an_identity_or_a_sentence),
		cmocka_unit_test(a_rejected_token_is_told_to_the_client),
		cmocka_unit_test(every_prefix_of_a_message_is_read_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
