/* SPDX-License-Identifier: MIT */
#include "account/password.h"

#include "base/memory.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static const char file[] =
    "sha:$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2\n" /* secret */
    /* RFC 7677, section 3, and RFC 5802, section 5: both are "pencil" */
    "scram256:SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n"
    "scram1:SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:"
    "D+CSWLOshSulAsxiupA+qs2/fTE=\n"
    "locked:!$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2\n"
    "plain:secret\n";

static const struct password_case {
	const char *login, *password;
	bool right;
} cases[] = {
	{ "sha", "secret", true },
	{ "sha", "secret ", false },
	{ "sha", "Secret", false },
	{ "sha", "", false },
	{ "scram256", "pencil", true },
	{ "scram256", "pencils", false },
	{ "scram1", "pencil", true },
	{ "scram1", "Pencil", false },
	{ "locked", "secret", false },
	{ "plain", "secret", false },
	{ "nobody", "secret", false },
	{ "", "secret", false },
};

static struct account_users *parse(void)
{
	struct account_notes notes = { 0 };
	struct account_users *users = account_users_parse(span_from_string(file), &notes);
	assert_non_null(users);
	return users;
}

static void only_the_right_password_of_a_working_user_passes(void **state)
{
	struct account_users *users = parse();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (account_password_check(users, span_from_string(cases[i].login),
			span_from_string(cases[i].password)) != cases[i].right)
			fail_msg("%s with %s", cases[i].login, cases[i].password);
	}
	account_users_unref(&users);
}

/* The decoy is a real user: its own password must not open an unknown name. */
static void the_decoys_password_lets_nobody_in(void **state)
{
	struct account_users *users = parse();
	bool known;
	const struct account_user *subject =
	    account_password_subject(users, SPAN("nobody"), &known);
	assert_false(known);
	assert_true(account_password_matches(subject, SPAN("secret")) ||
		    account_password_matches(subject, SPAN("pencil")));
	assert_false(account_password_check(users, SPAN("nobody"), SPAN("secret")));
	assert_false(account_password_check(users, SPAN("nobody"), SPAN("pencil")));
	assert_ptr_equal(account_password_subject(users, SPAN("sha"), &known),
	    account_users_find(users, SPAN("sha")));
	assert_true(known);
	account_users_unref(&users);
}

static void impossible_passwords_are_known_at_once(void **state)
{
	char longest[PASSWORD_MAX_BYTES + 1];
	memset(longest, 'x', sizeof(longest));
	assert_true(account_password_is_possible(span_of(longest, PASSWORD_MAX_BYTES)));
	assert_false(account_password_is_possible(span_of(longest, sizeof(longest))));
	assert_false(account_password_is_possible(SPAN("")));
	assert_false(account_password_is_possible(SPAN("a\0b")));
	struct account_users *users = parse();
	assert_false(account_password_check(users, SPAN("sha"), SPAN("secret\0")));
	account_users_unref(&users);
}

static void a_fresh_hash_matches_its_password_only(void **state)
{
	char hash[PASSWORD_HASH_SIZE], other[PASSWORD_HASH_SIZE];
	struct fault fault;
	char longest[PASSWORD_MAX_BYTES];
	memset(longest, 'x', sizeof(longest));
	assert_true(account_password_hash(span_of(longest, sizeof(longest)), hash, &fault));
	assert_true(account_password_hash(span_of(longest, sizeof(longest)), other, &fault));
	assert_memory_equal(hash, "$y$", 3);
	assert_string_not_equal(hash, other);
	struct account_user user = { .hash = span_from_string(hash) };
	assert_true(account_password_matches(&user, span_of(longest, sizeof(longest))));
	assert_false(account_password_matches(&user, span_of(longest, sizeof(longest) - 1)));
}

static void what_is_no_password_is_not_hashed(void **state)
{
	char hash[PASSWORD_HASH_SIZE] = "untouched";
	struct fault fault = { 0 };
	assert_false(account_password_hash(SPAN(""), hash, &fault));
	assert_int_equal(fault.kind, FAULT_LOCAL);
	assert_false(account_password_hash(SPAN("a\0b"), hash, &fault));
	assert_string_equal(hash, "untouched");
}

static void generated_passwords_can_be_typed(void **state)
{
	struct buf first, second;
	buf_init_secret(&first, 100);
	buf_init_secret(&second, 27);
	assert_true(account_password_generate(&first));
	assert_true(account_password_generate(&second));
	assert_int_equal(first.len, 27);
	assert_false(span_equal(buf_span(&first), buf_span(&second)));
	const char *text = buf_string(&first);
	assert_int_equal(strspn(text, "abcdefghjkmnpqrstuvwxyz23456789-"), 27);
	assert_int_equal(text[6], '-');
	assert_int_equal(text[26] == '-', 0);
	assert_false(account_password_generate(&second));
	assert_int_equal(second.len, 27);
	buf_fini(&first);
	buf_fini(&second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_right_password_of_a_working_user_passes),
		cmocka_unit_test(the_decoys_password_lets_nobody_in),
		cmocka_unit_test(impossible_passwords_are_known_at_once),
		cmocka_unit_test(a_fresh_hash_matches_its_password_only),
		cmocka_unit_test(what_is_no_password_is_not_hashed),
		cmocka_unit_test(generated_passwords_can_be_typed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
