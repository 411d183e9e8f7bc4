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
	static char text[600];
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    challenges_are_answered_by_order_and_never_with_a_secret_for_a_name),
		cmocka_unit_test(credentials_that_cannot_travel_are_named),
		cmocka_unit_test(the_longest_credentials_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
