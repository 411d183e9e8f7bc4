/* SPDX-License-Identifier: MIT */
#include "sasl/server.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

/* What a client sends (none: no initial response), and what becomes of it. */
static const struct exchange {
	const char *name;
	enum sasl_mechanism mechanism;
	bool has_initial;
	struct span sent[3];
	size_t count;
	enum sasl_outcome want;
	const char *authcid, *password;
	const char *sentence; /* a part of it */
	const char *hint;     /* a part of it; NULL: none */
} exchanges[] = {
	{ "PLAIN with an initial response", SASL_MECHANISM_PLAIN, true, { SPAN("\0scan\0secret") },
	    1, SASL_OUTCOME_IDENTITY, "scan", "secret", "", NULL },
	{ "PLAIN without one", SASL_MECHANISM_PLAIN, false, { SPAN("\0scan\0secret") }, 1,
	    SASL_OUTCOME_IDENTITY, "scan", "secret", "", NULL },
	{ "PLAIN with the same authzid", SASL_MECHANISM_PLAIN, true, { SPAN("scan\0scan\0secret") },
	    1, SASL_OUTCOME_IDENTITY, "scan", "secret", "", NULL },
	{ "PLAIN with another authzid", SASL_MECHANISM_PLAIN, true, { SPAN("boss\0scan\0secret") },
	    1, SASL_OUTCOME_MALFORMED, NULL, NULL, "another user", NULL },
	{ "PLAIN without a NUL in front", SASL_MECHANISM_PLAIN, true,
	    { SPAN("user1@example.net\0not.my.real.password") }, 1, SASL_OUTCOME_MALFORMED, NULL,
	    NULL,
	    "the token has one NUL; it must be NUL user NUL password: the one before the user is "
	    "missing",
	    NULL },
	{ "PLAIN whose second NUL was eaten by an octal escape", SASL_MECHANISM_PLAIN, true,
	    { SPAN("\0user1@example.net\n34secret") }, 1, SASL_OUTCOME_MALFORMED, NULL, NULL,
	    "the one before the password is missing", NULL },
	{ "PLAIN without any NUL", SASL_MECHANISM_PLAIN, true, { SPAN("scan:secret") }, 1,
	    SASL_OUTCOME_MALFORMED, NULL, NULL, "has no NUL", NULL },
	{ "PLAIN encoded twice", SASL_MECHANISM_PLAIN, true,
	    { SPAN("AHNjYW5AZXhhbXBsZS5jb20Ab3BlbiBzZXNhbWU=") }, 1, SASL_OUTCOME_MALFORMED, NULL,
	    NULL, "base64 twice", NULL },
	{ "PLAIN with three NULs", SASL_MECHANISM_PLAIN, true, { SPAN("\0scan\0secret\0") }, 1,
	    SASL_OUTCOME_MALFORMED, NULL, NULL, "has 3 NULs", NULL },
	{ "PLAIN, empty", SASL_MECHANISM_PLAIN, true, { SPAN("") }, 1, SASL_OUTCOME_MALFORMED, NULL,
	    NULL, "the token is empty", NULL },
	{ "PLAIN without a name", SASL_MECHANISM_PLAIN, true, { SPAN("\0\0secret") }, 1,
	    SASL_OUTCOME_MALFORMED, NULL, NULL, "the user name is empty", NULL },
	{ "PLAIN without a password", SASL_MECHANISM_PLAIN, true, { SPAN("\0scan\0") }, 1,
	    SASL_OUTCOME_MALFORMED, NULL, NULL, "the password is empty", NULL },
	{ "PLAIN made by echo without -n", SASL_MECHANISM_PLAIN, true, { SPAN("\0scan\0secret\n") },
	    1, SASL_OUTCOME_IDENTITY, "scan", "secret\n", "", "the password ends with a line end" },
	{ "EXTERNAL with a name", SASL_MECHANISM_EXTERNAL, true, { SPAN("scan") }, 1,
	    SASL_OUTCOME_IDENTITY, "scan", "", "", NULL },
	{ "EXTERNAL without a name", SASL_MECHANISM_EXTERNAL, true, { SPAN("") }, 1,
	    SASL_OUTCOME_IDENTITY, "", "", "", NULL },
	{ "EXTERNAL without an initial response", SASL_MECHANISM_EXTERNAL, false, { SPAN("scan") },
	    1, SASL_OUTCOME_IDENTITY, "scan", "", "", NULL },
	{ "EXTERNAL with a NUL", SASL_MECHANISM_EXTERNAL, true, { SPAN("scan\0boss") }, 1,
	    SASL_OUTCOME_MALFORMED, NULL, NULL, "the user name contains a NUL", NULL },
	{ "LOGIN", SASL_MECHANISM_LOGIN, false, { SPAN("scan"), SPAN("secret") }, 2,
	    SASL_OUTCOME_IDENTITY, "scan", "secret", "", NULL },
	{ "LOGIN with an initial response", SASL_MECHANISM_LOGIN, true,
	    { SPAN("scan"), SPAN("secret") }, 2, SASL_OUTCOME_IDENTITY, "scan", "secret", "",
	    NULL },
	{ "LOGIN with an empty initial response", SASL_MECHANISM_LOGIN, true, { SPAN("") }, 1,
	    SASL_OUTCOME_MALFORMED, NULL, NULL, "the user name is empty", NULL },
	{ "LOGIN without a password", SASL_MECHANISM_LOGIN, false, { SPAN("scan"), SPAN("") }, 2,
	    SASL_OUTCOME_MALFORMED, NULL, NULL, "the password is empty", NULL },
	{ "LOGIN with a NUL in the name", SASL_MECHANISM_LOGIN, false, { SPAN("sc\0an") }, 1,
	    SASL_OUTCOME_MALFORMED, NULL, NULL, "the user name contains a NUL", NULL },
	{ "LOGIN with a NUL in the password", SASL_MECHANISM_LOGIN, false,
	    { SPAN("scan"), SPAN("se\0cret") }, 2, SASL_OUTCOME_MALFORMED, NULL, NULL,
	    "the password contains a NUL", NULL },
	{ "LOGIN, name and password with CRLF", SASL_MECHANISM_LOGIN, false,
	    { SPAN("scan\r\n"), SPAN("secret\r\n") }, 2, SASL_OUTCOME_IDENTITY, "scan\r\n",
	    "secret\r\n", "", "the password ends with a line end" },
	{ "LOGIN, the name with a line end", SASL_MECHANISM_LOGIN, false,
	    { SPAN("scan\n"), SPAN("secret") }, 2, SASL_OUTCOME_IDENTITY, "scan\n", "secret", "",
	    "the user name ends with a line end" },
};

static enum sasl_outcome play(struct sasl_server *s, const struct exchange *e)
{
	size_t i = 0;
	enum sasl_outcome outcome;

	outcome = sasl_server_start(
	    s, e->mechanism, e->has_initial, e->has_initial ? e->sent[i++] : SPAN("ignored"));
	while (i < e->count) {
		assert_int_equal(outcome, SASL_OUTCOME_CHALLENGE);
		outcome = sasl_server_step(s, e->sent[i++]);
	}
	return outcome;
}

static void check(struct sasl_server *s, const struct exchange *e)
{
	enum sasl_outcome outcome = play(s, e);

	if (outcome != e->want)
		print_error("%s: %s\n", e->name, s->sentence);
	assert_int_equal(outcome, e->want);
	if (outcome == SASL_OUTCOME_IDENTITY) {
		assert_true(
		    span_equal(buf_span(&s->identity.authcid), span_from_string(e->authcid)));
		assert_true(
		    span_equal(buf_span(&s->identity.password), span_from_string(e->password)));
		assert_true(
		    s->identity.authzid.len == 0 ||
		    span_equal(buf_span(&s->identity.authzid), buf_span(&s->identity.authcid)));
		assert_int_equal(s->identity.has_line_end, e->hint != NULL);
	} else {
		if (!strstr(s->sentence, e->sentence))
			print_error("%s: %s\n", e->name, s->sentence);
		assert_non_null(strstr(s->sentence, e->sentence));
		assert_null(strstr(s->sentence, "secret"));
		assert_int_equal(s->identity.password.len, 0);
		assert_int_equal(s->identity.authcid.len, 0);
	}
	assert_int_equal(s->hint != NULL, e->hint != NULL);
	if (e->hint)
		assert_non_null(strstr(s->hint, e->hint));
}

static void exchanges_end_in_an_identity_or_a_sentence(void **state)
{
	struct sasl_server s;

	/* One machine for all: each start forgets what was before. */
	sasl_server_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(exchanges); i++)
		check(&s, &exchanges[i]);
	sasl_server_fini(&s);
}

static void the_prompts_of_login_are_exact(void **state)
{
	struct sasl_server s;

	sasl_server_init(&s);
	sasl_server_start(&s, SASL_MECHANISM_LOGIN, false, SPAN(""));
	assert_true(span_equal(s.challenge, SPAN("Username:")));
	sasl_server_step(&s, SPAN("scan"));
	assert_true(span_equal(s.challenge, SPAN("Password:")));
	sasl_server_start(&s, SASL_MECHANISM_LOGIN, true, SPAN("scan"));
	assert_true(span_equal(s.challenge, SPAN("Password:")));
	sasl_server_start(&s, SASL_MECHANISM_PLAIN, false, SPAN(""));
	assert_int_equal(s.challenge.len, 0);
	sasl_server_fini(&s);
}

static void names_and_passwords_have_limits(void **state)
{
	static char text[600];
	struct sasl_server s;

	memset(text, 'x', sizeof(text));
	sasl_server_init(&s);
	sasl_server_start(&s, SASL_MECHANISM_LOGIN, false, SPAN(""));
	assert_int_equal(
	    sasl_server_step(&s, span_of(text, SASL_NAME_MAX + 1)), SASL_OUTCOME_MALFORMED);
	assert_string_equal(s.sentence, "the user name is longer than 255 octets");
	sasl_server_start(&s, SASL_MECHANISM_LOGIN, false, SPAN(""));
	assert_int_equal(
	    sasl_server_step(&s, span_of(text, SASL_NAME_MAX)), SASL_OUTCOME_CHALLENGE);
	assert_int_equal(
	    sasl_server_step(&s, span_of(text, SASL_PASSWORD_MAX + 1)), SASL_OUTCOME_MALFORMED);
	assert_string_equal(s.sentence, "the password is longer than 511 octets");
	sasl_server_start(&s, SASL_MECHANISM_LOGIN, true, SPAN("scan"));
	assert_int_equal(
	    sasl_server_step(&s, span_of(text, SASL_PASSWORD_MAX)), SASL_OUTCOME_IDENTITY);
	sasl_server_fini(&s);
}

static void every_prefix_of_a_token_is_read_without_harm(void **state)
{
	static const char token[] = "scan\0scan\0secret";
	struct sasl_server s;

	sasl_server_init(&s);
	for (size_t n = 0; n < sizeof(token); n++) {
		char *copy = mem_dup(token, n);
		enum sasl_outcome outcome =
		    sasl_server_start(&s, SASL_MECHANISM_PLAIN, true, span_of(copy, n));

		assert_int_equal(outcome, n > 10 ? SASL_OUTCOME_IDENTITY : SASL_OUTCOME_MALFORMED);
		if (n == sizeof(token) - 1)
			assert_true(span_equal(buf_span(&s.identity.password), SPAN("secret")));
		mem_free(copy);
		if (n == sizeof(token) - 1)
			break;
	}
	sasl_server_fini(&s);
}

static void mechanisms_are_found_in_any_case(void **state)
{
	enum sasl_mechanism mechanism = SASL_MECHANISM_COUNT;

	assert_true(sasl_mechanism_find(SPAN("plain"), &mechanism));
	assert_int_equal(mechanism, SASL_MECHANISM_PLAIN);
	assert_true(sasl_mechanism_find(SPAN("Login"), &mechanism));
	assert_int_equal(mechanism, SASL_MECHANISM_LOGIN);
	assert_false(sasl_mechanism_find(SPAN("LOGON"), &mechanism));
	assert_false(sasl_mechanism_find(SPAN(""), &mechanism));
	assert_string_equal(sasl_mechanism_name(SASL_MECHANISM_PLAIN), "PLAIN");
}

static void three_mechanisms_have_no_servers_side(void **state)
{
	for (int i = 0; i < SASL_MECHANISM_COUNT; i++)
		assert_int_equal(sasl_server_speaks((enum sasl_mechanism)i),
		    i != SASL_MECHANISM_NTLM && i != SASL_MECHANISM_DIGEST_MD5 &&
			i != SASL_MECHANISM_GSSAPI);
}

/* What an owner refuses after IDENTITY is plainly refused where the mechanism has no words. */
static void a_rejected_password_is_refused_without_a_challenge(void **state)
{
	struct sasl_server s;

	sasl_server_init(&s);
	assert_int_equal(sasl_server_start(&s, SASL_MECHANISM_PLAIN, true, SPAN("\0scan\0secret")),
	    SASL_OUTCOME_IDENTITY);
	assert_int_equal(sasl_server_reject(&s), SASL_OUTCOME_REFUSED);
	assert_int_equal(s.challenge.len, 0);
	sasl_server_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exchanges_end_in_an_identity_or_a_sentence),
		cmocka_unit_test(the_prompts_of_login_are_exact),
		cmocka_unit_test(names_and_passwords_have_limits),
		cmocka_unit_test(every_prefix_of_a_token_is_read_without_harm),
		cmocka_unit_test(mechanisms_are_found_in_any_case),
		cmocka_unit_test(three_mechanisms_have_no_servers_side),
		cmocka_unit_test(a_rejected_password_is_refused_without_a_challenge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
