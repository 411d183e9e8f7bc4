/* SPDX-License-Identifier: MIT */
#include "sasl/client.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#define RESPOND SASL_CLIENT_RESPOND
#define AGAIN SASL_CLIENT_NAME_AGAIN
#define UNEXPECTED SASL_CLIENT_UNEXPECTED
#define TOKEN "\\0scan\\0secret"

/* Challenges, and the responses with NUL written as \0. */
static const struct exchange {
	const char *name;
	enum sasl_mechanism mechanism;
	bool with_initial;
	const char *initial;
	struct {
		const char *challenge;
		enum sasl_client_result want;
		const char *response;
	} steps[5];
} exchanges[] = {
	{ "PLAIN with an initial response", SASL_MECHANISM_PLAIN, true, TOKEN, { { NULL } } },
	{ "PLAIN without one", SASL_MECHANISM_PLAIN, false, "",
	    { { "", RESPOND, TOKEN }, { "", UNEXPECTED, "" } } },
	{ "PLAIN, whatever the server says", SASL_MECHANISM_PLAIN, false, "",
	    { { "go ahead", RESPOND, TOKEN }, { "", UNEXPECTED, "" } } },
	{ "PLAIN whose initial response was ignored", SASL_MECHANISM_PLAIN, true, TOKEN,
	    { { "", RESPOND, TOKEN }, { "", UNEXPECTED, "" } } },
	{ "PLAIN never answers a prompt for a name: the token holds the password",
	    SASL_MECHANISM_PLAIN, false, "", { { "Username:", AGAIN, "" } } },
	{ "LOGIN", SASL_MECHANISM_LOGIN, false, "",
	    { { "Username:", RESPOND, "scan" }, { "Password:", RESPOND, "secret" },
		{ "Password:", UNEXPECTED, "" } } },
	{ "LOGIN answers by order", SASL_MECHANISM_LOGIN, false, "",
	    { { "Benutzer", RESPOND, "scan" }, { "Kennwort", RESPOND, "secret" } } },
	{ "LOGIN with prompts that say nothing", SASL_MECHANISM_LOGIN, false, "",
	    { { "", RESPOND, "scan" }, { "", RESPOND, "secret" } } },
	{ "LOGIN with an initial response", SASL_MECHANISM_LOGIN, true, "scan",
	    { { "Password:", RESPOND, "secret" }, { "", UNEXPECTED, "" } } },
	{ "LOGIN whose initial response was ignored", SASL_MECHANISM_LOGIN, true, "scan",
	    { { "Username:", AGAIN, "" } } },
	{ "LOGIN gives the name again, once", SASL_MECHANISM_LOGIN, false, "",
	    { { "User Name", RESPOND, "scan" }, { "user name again?", RESPOND, "scan" },
		{ "Password:", RESPOND, "secret" } } },
	{ "LOGIN does not give the name a third time", SASL_MECHANISM_LOGIN, false, "",
	    { { "Username:", RESPOND, "scan" }, { "Username:", RESPOND, "scan" },
		{ "Username:", AGAIN, "" } } },
	{ "LOGIN after the password no name", SASL_MECHANISM_LOGIN, false, "",
	    { { "Username:", RESPOND, "scan" }, { "Password:", RESPOND, "secret" },
		{ "Username:", AGAIN, "" } } },
	{ "EXTERNAL", SASL_MECHANISM_EXTERNAL, true, "scan", { { NULL } } },
	{ "EXTERNAL without an initial response", SASL_MECHANISM_EXTERNAL, false, "",
	    { { "", RESPOND, "scan" }, { "", UNEXPECTED, "" } } },
	{ "EXTERNAL whose initial response was ignored", SASL_MECHANISM_EXTERNAL, true, "scan",
	    { { "", RESPOND, "scan" }, { "", UNEXPECTED, "" } } },
	{ "LOGIN with a prompt that names both", SASL_MECHANISM_LOGIN, false, "",
	    { { "Username:", RESPOND, "scan" },
		{ "Password for user scan:", RESPOND, "secret" } } },
};

static void check_bytes(struct buf *out, const char *want)
{
	struct buf text;

	buf_init(&text, 4096);
	for (size_t i = 0; i < out->len; i++) {
		char c = buf_span(out).data[i];

		if (c == '\0')
			buf_append_string(&text, "\\0");
		else
			buf_append_byte(&text, c);
	}
	assert_string_equal(buf_string(&text), want);
	buf_fini(&text);
	buf_clear(out);
}

static void challenges_are_answered_by_order_and_never_with_a_secret_for_a_name(void **state)
{
	const struct sasl_client_settings settings = {
		.credentials = { SPAN("scan"), SPAN("secret") },
	};
	struct buf out;

	buf_init_secret(&out, 1024);
	for (size_t i = 0; i < ARRAY_LEN(exchanges); i++) {
		const struct exchange *e = &exchanges[i];
		struct sasl_client c;

		print_message("%s\n", e->name);
		sasl_client_start(&c, e->mechanism, &settings, e->with_initial, &out);
		check_bytes(&out, e->initial);
		for (size_t k = 0; k < 5 && e->steps[k].challenge; k++) {
			struct span challenge = span_from_string(e->steps[k].challenge);

			assert_int_equal(sasl_client_step(&c, challenge, &out), e->steps[k].want);
			check_bytes(&out, e->steps[k].response);
		}
		sasl_client_fini(&c);
	}
	buf_fini(&out);
}

static void credentials_that_cannot_travel_are_named(void **state)
{
	static char text[SASL_TOKEN_MAX + 1];
	const struct {
		struct sasl_credentials credentials;
		const char *why;
	} rows[] = {
		{ { SPAN("scan"), SPAN("secret") }, NULL },
		{ { SPAN(""), SPAN("secret") }, "the login is empty" },
		{ { SPAN("scan"), SPAN("") }, "the password is empty" },
		{ { SPAN("sc\0an"), SPAN("secret") }, "the login contains a NUL" },
		{ { SPAN("scan"), SPAN("\0") }, "the password contains a NUL" },
		{ { span_of(text, 255), span_of(text, 511) }, NULL },
		{ { span_of(text, 256), SPAN("secret") }, "the login is longer than 255 octets" },
		{ { SPAN("scan"), span_of(text, 512) }, "the password is longer than 511 octets" },
		{ { .certificate = true }, NULL },
		{ { .kerberos = true }, NULL },
		{ { .certificate_unasked = true }, NULL },
		{ { .login = SPAN("scan"), .certificate_unasked = true }, NULL },
		{ { .certificate = true, .password = SPAN("secret") }, "the login is empty" },
		{ { .login = SPAN("scan"), .token = SPAN("ya29.a-b_c~d+e/f=") }, NULL },
		{ { .token = SPAN("abc") }, "the login is empty" },
		{ { .login = SPAN("scan"), .token = span_of(text, SASL_TOKEN_MAX) }, NULL },
		{ { .login = SPAN("scan"), .token = span_of(text, SASL_TOKEN_MAX + 1) },
		    "the access token is longer than 7680 octets" },
		{ { .login = SPAN("scan"), .token = SPAN("abc\n") },
		    "the access token contains a character that no token has" },
		{ { .login = SPAN("scan"), .token = SPAN("a\1auth=b") },
		    "the access token contains a character that no token has" },
		{ { .login = SPAN("scan\1auth=Bearer x"), .token = SPAN("abc") },
		    "the login contains a control character" },
		{ { .login = SPAN("scan"), .password = SPAN("p"), .host = span_of(text, 256) },
		    "the host's name is longer than 255 octets" },
	};

	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *why = NULL;

		assert_int_equal(
		    sasl_credentials_are_sound(&rows[i].credentials, &why), rows[i].why == NULL);
		if (rows[i].why)
			assert_string_equal(why, rows[i].why);
	}
}

static void the_longest_credentials_fit(void **state)
{
	static char text[600];
	const struct sasl_client_settings settings = {
		.credentials = { span_of(text, SASL_NAME_MAX), span_of(text, SASL_PASSWORD_MAX) },
	};
	struct sasl_client c;
	struct buf out;

	memset(text, 'x', sizeof(text));
	buf_init_secret(&out, 1024);
	sasl_client_start(&c, SASL_MECHANISM_PLAIN, &settings, true, &out);
	assert_int_equal(out.len, 2 + SASL_NAME_MAX + SASL_PASSWORD_MAX);
	buf_fini(&out);
}

static void mechanisms_are_served_by_what_the_account_has(void **state)
{
	const struct sasl_credentials password = { .password = SPAN("p") },
				      token = { .token = SPAN("t") },
				      certificate = { .certificate = true },
				      kerberos = { .kerberos = true };

	for (int i = 0; i < SASL_MECHANISM_COUNT; i++) {
		enum sasl_mechanism m = (enum sasl_mechanism)i;
		bool is_token = m == SASL_MECHANISM_XOAUTH2 || m == SASL_MECHANISM_OAUTHBEARER;

		assert_int_equal(sasl_credentials_serve(&token, m), is_token);
		assert_int_equal(
		    sasl_credentials_serve(&certificate, m), m == SASL_MECHANISM_EXTERNAL);
		assert_int_equal(sasl_credentials_serve(&kerberos, m), m == SASL_MECHANISM_GSSAPI);
		assert_int_equal(sasl_credentials_serve(&password, m),
		    !is_token && m != SASL_MECHANISM_EXTERNAL && m != SASL_MECHANISM_GSSAPI);
	}
}

static void a_server_that_speaks_first_gets_no_initial_response(void **state)
{
	static const enum sasl_mechanism never[] = { SASL_MECHANISM_CRAM_MD5,
		SASL_MECHANISM_DIGEST_MD5, SASL_MECHANISM_NTLM, SASL_MECHANISM_GSSAPI };

	for (size_t i = 0; i < ARRAY_LEN(never); i++) {
		assert_false(sasl_client_permits_initial(never[i]));
		assert_false(sasl_client_prefers_initial(never[i]));
	}
	assert_true(sasl_client_permits_initial(SASL_MECHANISM_LOGIN));
	assert_false(sasl_client_prefers_initial(SASL_MECHANISM_LOGIN));
	assert_true(sasl_client_prefers_initial(SASL_MECHANISM_SCRAM_SHA_256));
	assert_true(sasl_client_prefers_initial(SASL_MECHANISM_XOAUTH2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    challenges_are_answered_by_order_and_never_with_a_secret_for_a_name),
		cmocka_unit_test(credentials_that_cannot_travel_are_named),
		cmocka_unit_test(the_longest_credentials_fit),
		cmocka_unit_test(mechanisms_are_served_by_what_the_account_has),
		cmocka_unit_test(a_server_that_speaks_first_gets_no_initial_response),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
