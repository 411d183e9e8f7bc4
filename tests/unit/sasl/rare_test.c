/* SPDX-License-Identifier: MIT */
/* What GNU SASL plays for us (DIGEST-MD5, NTLM, GSSAPI), and CRAM-MD5, which is ours. */
#include "sasl/cram_md5.h"
#include "sasl/rare.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct sasl_client_settings tim = {
	.credentials = {
		.login = { "tim", 3 },
		.password = { "tanstaaftanstaaf", 16 },
		.host = { "hop.example.net", 15 },
	},
};

static enum sasl_client_result step(
    struct sasl_client *c, enum sasl_mechanism mechanism, struct span challenge, struct buf *out)
{
	buf_init_secret(out, SASL_CLIENT_BYTES_MAX);
	sasl_client_start(c, mechanism, &tim, false, out);
	return sasl_client_step(c, challenge, out);
}

/* ---- CRAM-MD5 ---- */

static void the_published_digest_comes_out(void **state)
{
	struct sasl_client c;
	struct buf out;

	assert_int_equal(step(&c, SASL_MECHANISM_CRAM_MD5,
			     SPAN("<1896.697170952@postoffice.reston.mci.net>"), &out),
	    SASL_CLIENT_RESPOND);
	assert_string_equal(buf_string(&out), "tim b913a602c7eda7a495b4e6e7334d3890");
	assert_int_equal(
	    sasl_client_step(&c, SPAN("<again@example.org>"), &out), SASL_CLIENT_UNEXPECTED);
	sasl_client_fini(&c);
	buf_fini(&out);
}

static void no_digest_answers_what_is_no_challenge(void **state)
{
	static char long_text[SASL_CRAM_CHALLENGE_MAX + 1];
	const struct {
		struct span challenge;
		enum sasl_client_result want;
	} rows[] = {
		{ SPAN(""), SASL_CLIENT_UNEXPECTED },
		{ SPAN("Username:"), SASL_CLIENT_NAME_AGAIN },
		{ span_of(long_text, sizeof(long_text)), SASL_CLIENT_UNEXPECTED },
		{ span_of(long_text, sizeof(long_text) - 1), SASL_CLIENT_RESPOND },
		{ SPAN("<user.name@hop.example.net>"), SASL_CLIENT_RESPOND },
		{ SPAN("\0\xff"), SASL_CLIENT_RESPOND },
	};

	memset(long_text, 'x', sizeof(long_text));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sasl_client c;
		struct buf out;

		assert_int_equal(
		    step(&c, SASL_MECHANISM_CRAM_MD5, rows[i].challenge, &out), rows[i].want);
		assert_int_equal(out.len > 0, rows[i].want == SASL_CLIENT_RESPOND);
		sasl_client_fini(&c);
		buf_fini(&out);
	}
}

static const struct cram_case {
	const char *name, *response;
	enum sasl_outcome want;
	const char *sentence;
} cram_cases[] = {
	{ "a digest", "tim b913a602c7eda7a495b4e6e7334d3890", SASL_OUTCOME_LOOKUP, "" },
	{ "a name with a blank", "tim b b913a602c7eda7a495b4e6e7334d3890", SASL_OUTCOME_LOOKUP,
	    "" },
	{ "no name", " b913a602c7eda7a495b4e6e7334d3890", SASL_OUTCOME_MALFORMED,
	    "the user name is empty" },
	{ "a short digest", "tim b913a602c7eda7a495b4e6e7334d389", SASL_OUTCOME_MALFORMED,
	    "the response must be: user, blank, 32 hexadecimal digits" },
	{ "no hexadecimal digits", "tim x913a602c7eda7a495b4e6e7334d3890", SASL_OUTCOME_MALFORMED,
	    "the digest is not 32 hexadecimal digits" },
	{ "nothing", "", SASL_OUTCOME_MALFORMED,
	    "the response must be: user, blank, 32 hexadecimal digits" },
};

static void a_cram_server_looks_the_user_up_and_compares(void **state)
{
	const struct sasl_server_setup setup = { .random = SPAN("0123456789abcdef"),
		.hostname = SPAN("relay.example.org") };

	for (size_t i = 0; i < ARRAY_LEN(cram_cases); i++) {
		struct sasl_server s;

		sasl_server_init(&s);
		sasl_server_equip(&s, &setup);
		assert_int_equal(sasl_server_start(&s, SASL_MECHANISM_CRAM_MD5, true, SPAN("")),
		    SASL_OUTCOME_MALFORMED);
		assert_int_equal(sasl_server_start(&s, SASL_MECHANISM_CRAM_MD5, false, SPAN("")),
		    SASL_OUTCOME_CHALLENGE);
		assert_true(span_equal(
		    s.challenge, SPAN("<30313233343536373839616263646566@relay.example.org>")));
		assert_int_equal(sasl_server_step(&s, span_from_string(cram_cases[i].response)),
		    cram_cases[i].want);
		assert_string_equal(s.sentence, cram_cases[i].sentence);
		if (cram_cases[i].want == SASL_OUTCOME_LOOKUP)
			assert_int_equal(sasl_server_found_password(&s, SPAN("tanstaaftanstaaf")),
			    SASL_OUTCOME_REFUSED);
		sasl_server_fini(&s);
	}
}

static void both_of_our_cram_sides_agree(void **state)
{
	const struct sasl_server_setup setup = { .random = SPAN("0123456789abcdef"),
		.hostname = SPAN("relay.example.org") };
	const struct {
		struct span password;
		enum sasl_outcome want;
	} rows[] = {
		{ SPAN("tanstaaftanstaaf"), SASL_OUTCOME_PROVED },
		{ SPAN("other"), SASL_OUTCOME_REFUSED },
		{ SPAN(""), SASL_OUTCOME_REFUSED },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sasl_server s;
		struct sasl_client c;
		struct buf out;

		sasl_server_init(&s);
		sasl_server_equip(&s, &setup);
		sasl_server_start(&s, SASL_MECHANISM_CRAM_MD5, false, SPAN(""));
		assert_int_equal(
		    step(&c, SASL_MECHANISM_CRAM_MD5, s.challenge, &out), SASL_CLIENT_RESPOND);
		assert_int_equal(sasl_server_step(&s, buf_span(&out)), SASL_OUTCOME_LOOKUP);
		assert_int_equal(sasl_server_found_password(&s, rows[i].password), rows[i].want);
		assert_int_equal(s.identity.password.len, 0);
		sasl_client_fini(&c);
		sasl_server_fini(&s);
		buf_fini(&out);
	}
}

/* Who has no password is not signed in by the digest of none. */
static void a_user_without_a_password_cannot_sign_in(void **state)
{
	const struct sasl_server_setup setup = { .random = SPAN("0123456789abcdef"),
		.hostname = SPAN("relay.example.org") };
	char digest[SASL_DIGEST_MAX];
	struct sasl_server s;
	struct buf response;

	sasl_server_init(&s);
	sasl_server_equip(&s, &setup);
	sasl_server_start(&s, SASL_MECHANISM_CRAM_MD5, false, SPAN(""));
	assert_true(sasl_hmac(SASL_HASH_MD5, SPAN(""), s.challenge, digest));
	buf_init(&response, 64);
	buf_append_string(&response, "tim ");
	sasl_append_hex(&response, span_of(digest, 16));
	assert_int_equal(sasl_server_step(&s, buf_span(&response)), SASL_OUTCOME_LOOKUP);
	assert_int_equal(sasl_server_found_password(&s, SPAN("")), SASL_OUTCOME_REFUSED);
	sasl_server_fini(&s);
	buf_fini(&response);
}

/* ---- GNU SASL's ---- */

#define DIGEST_CHALLENGE                                                                           \
	"realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",qop=\"auth\","                     \
	"algorithm=md5-sess,charset=utf-8"

static void digest_takes_the_servers_realm_and_waits_for_its_proof(void **state)
{
	struct sasl_client c;
	struct buf out;

	assert_int_equal(
	    step(&c, SASL_MECHANISM_DIGEST_MD5, SPAN(DIGEST_CHALLENGE), &out), SASL_CLIENT_RESPOND);
	assert_non_null(strstr(buf_string(&out), "username=\"tim\""));
	assert_non_null(strstr(buf_string(&out), "realm=\"elwood.innosoft.com\""));
	assert_non_null(strstr(buf_string(&out), "digest-uri=\"smtp/hop.example.net\""));
	assert_null(strstr(buf_string(&out), "tanstaaf"));
	assert_false(sasl_client_may_succeed(&c));
	buf_clear(&out);
	assert_int_equal(
	    sasl_client_step(&c, SPAN("rspauth=ea40f60335c427b5527b84dbabcdfffd"), &out),
	    SASL_CLIENT_UNTRUSTED);
	assert_string_equal(
	    c.sentence, "the server does not prove that it knows the secret of DIGEST-MD5");
	assert_false(sasl_client_may_succeed(&c));
	sasl_client_fini(&c);
	buf_fini(&out);
}

static void every_prefix_of_a_digest_challenge_is_read_without_harm(void **state)
{
	static const char challenge[] = DIGEST_CHALLENGE;

	for (size_t i = 0; i < sizeof(challenge) - 1; i++) {
		char *copy = mem_dup(challenge, i);
		struct sasl_client c;
		struct buf out;

		step(&c, SASL_MECHANISM_DIGEST_MD5, span_of(copy, i), &out);
		assert_false(sasl_client_may_succeed(&c));
		sasl_client_fini(&c);
		buf_fini(&out);
		mem_free(copy);
	}
}

/* Guards: the library took the length 0 for "up to the NUL". */
static void an_empty_digest_challenge_does_not_reach_the_library(void **state)
{
	char *byte = malloc(1);

	byte[0] = 'r';
	for (int first = 0; first < 2; first++) {
		struct sasl_client c;
		struct buf out;

		step(
		    &c, SASL_MECHANISM_DIGEST_MD5, first ? SPAN("") : SPAN(DIGEST_CHALLENGE), &out);
		buf_clear(&out);
		assert_int_equal(
		    sasl_client_step(&c, span_of(byte, 0), &out), SASL_CLIENT_UNEXPECTED);
		assert_int_equal(out.len, 0);
		sasl_client_fini(&c);
		buf_fini(&out);
	}
	free(byte);
}

/* A CHALLENGE_MESSAGE ([MS-NLMP], 2.2.1.2) of a server named "HOP". */
static const char ntlm_challenge[] =
    "NTLMSSP\0\2\0\0\0\6\0\6\0\x30\0\0\0\1\x82\2\0\1\2\3\4\5\6\7\x08\0\0\0\0\0\0\0\0"
    "\0\0\0\0\0\0\0\0H\0O\0P\0";

static void ntlm_goes_ahead_whatever_is_said_and_hides_the_password(void **state)
{
	struct sasl_client c;
	struct buf out;

	assert_int_equal(
	    step(&c, SASL_MECHANISM_NTLM, SPAN("NTLM supported"), &out), SASL_CLIENT_RESPOND);
	assert_true(span_starts_with(buf_span(&out), SPAN("NTLMSSP\0\1\0\0\0")));
	buf_clear(&out);
	assert_int_equal(
	    sasl_client_step(&c, span_of(ntlm_challenge, sizeof(ntlm_challenge) - 1), &out),
	    SASL_CLIENT_RESPOND);
	assert_true(span_starts_with(buf_span(&out), SPAN("NTLMSSP\0\3\0\0\0")));
	assert_true(span_find_span(buf_span(&out), SPAN("t\0i\0m\0")) < out.len);
	assert_true(span_find_span(buf_span(&out), SPAN("t\0a\0n\0s\0")) == out.len);
	assert_true(sasl_client_may_succeed(&c));
	sasl_client_fini(&c);
	buf_fini(&out);
}

static void every_prefix_of_an_ntlm_challenge_is_read_without_harm(void **state)
{
	for (size_t i = 0; i < sizeof(ntlm_challenge) - 1; i++) {
		char *copy = mem_dup(ntlm_challenge, i);
		struct sasl_client c;
		struct buf out;

		assert_int_equal(
		    step(&c, SASL_MECHANISM_NTLM, SPAN(""), &out), SASL_CLIENT_RESPOND);
		sasl_client_step(&c, span_of(copy, i), &out);
		sasl_client_fini(&c);
		buf_fini(&out);
		mem_free(copy);
	}
}

static void long_challenges_do_not_reach_the_library(void **state)
{
	static char text[9001];
	static const enum sasl_mechanism mechanisms[] = { SASL_MECHANISM_DIGEST_MD5,
		SASL_MECHANISM_NTLM, SASL_MECHANISM_GSSAPI };

	memset(text, ',', sizeof(text));
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		struct sasl_client c;
		struct buf out;

		assert_int_equal(step(&c, mechanisms[i], span_of(text, sizeof(text)), &out),
		    SASL_CLIENT_UNEXPECTED);
		sasl_client_fini(&c);
		buf_fini(&out);
	}
}

static void *ask_for_a_ticket(void *unused)
{
	struct sasl_client_settings settings = {
		.credentials = { .kerberos = true, .host = SPAN("hop.example.net") },
	};
	struct sasl_client c;
	struct buf out;

	buf_init_secret(&out, SASL_CLIENT_BYTES_MAX);
	sasl_client_start(&c, SASL_MECHANISM_GSSAPI, &settings, false, &out);
	assert_true(sasl_client_is_slow(&c));
	assert_int_equal(sasl_client_step(&c, SPAN(""), &out), SASL_CLIENT_UNABLE);
	assert_true(span_starts_with(span_from_string(c.sentence),
	    SPAN("no Kerberos ticket for smtp/hop.example.net could be had (")));
	assert_int_equal(out.len, 0);
	sasl_client_fini(&c);
	buf_fini(&out);
	return NULL;
}

/* In a thread, as in Frank: what Kerberos keeps of one goes with it. */
static void without_a_ticket_gssapi_says_what_to_look_at(void **state)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, ask_for_a_ticket, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void the_library_has_what_is_asked_of_it(void **state)
{
	assert_true(sasl_rare_supports(SASL_MECHANISM_DIGEST_MD5));
	assert_true(sasl_rare_supports(SASL_MECHANISM_NTLM));
	assert_true(sasl_rare_supports(SASL_MECHANISM_GSSAPI));
}

/* No ticket of whoever runs this. */
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_digest_comes_out),
		cmocka_unit_test(no_digest_answers_what_is_no_challenge),
		cmocka_unit_test(a_cram_server_looks_the_user_up_and_compares),
		cmocka_unit_test(both_of_our_cram_sides_agree),
		cmocka_unit_test(a_user_without_a_password_cannot_sign_in),
		cmocka_unit_test(digest_takes_the_servers_realm_and_waits_for_its_proof),
		cmocka_unit_test(every_prefix_of_a_digest_challenge_is_read_without_harm),
		cmocka_unit_test(an_empty_digest_challenge_does_not_reach_the_library),
		cmocka_unit_test(ntlm_goes_ahead_whatever_is_said_and_hides_the_password),
		cmocka_unit_test(every_prefix_of_an_ntlm_challenge_is_read_without_harm),
		cmocka_unit_test(long_challenges_do_not_reach_the_library),
		cmocka_unit_test(without_a_ticket_gssapi_says_what_to_look_at),
		cmocka_unit_test(the_library_has_what_is_asked_of_it),
	};

	setenv("KRB5CCNAME", "FILE:/nonexistent/tickets", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
