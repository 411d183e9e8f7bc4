/* SPDX-License-Identifier: MIT */
#include "account/users.h"

#include "base/buf.h"
#include "base/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* "secret", cheaply hashed */
#define SHA256 "$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2"
#define YESCRYPT "$y$j9T$7kC2vJQe1hFfO0sLwYzpV1$hBcG7RKBlT97C/63I48qYk9GkT3D.QRWUKkEGTyrm6/"
#define MD5 "$1$saltsalt$9xy1btjgzLYfb7hivXtC//"
/* RFC 7677, section 3, as a verifier */
#define SCRAM256                                                                                   \
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"                                             \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"                                            \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static const struct users_case {
	const char *name, *text;
	size_t users; /* that are taken, when there is no error */
	size_t errors, warnings;
	unsigned line, column; /* of the first note */
	const char *says;      /* a part of the first note */
} cases[] = {
	{ "an empty file has no users", "", 0, 0, 0, 0, 0, "" },
	{ "comments and blank lines are nothing", "# a:b\n\n  \t\n  # c\n", 0, 0, 0, 0, 0, "" },
	{ "one hash", "anna:" YESCRYPT "\n", 1, 0, 0, 0, 0, "" },
	{ "no line end at the end", "anna:" YESCRYPT, 1, 0, 0, 0, 0, "" },
	{ "CRLF, blanks around", " anna: " SHA256 " \r\nbob:" SHA256 "\r\n", 2, 0, 0, 0, 0, "" },
	{ "a comment behind a blank", "anna:" SHA256 " # scanner: \x01 ok\n", 1, 0, 0, 0, 0, "" },
	{ "colons at the end, as in passwd", "anna:" SHA256 ":::\n", 1, 0, 0, 0, 0, "" },
	{ "a verifier alone", "anna:" SCRAM256 "\n", 1, 0, 0, 0, 0, "" },
	{ "hash and verifier, by colon", "anna:" SHA256 ":" SCRAM256 "\n", 1, 0, 0, 0, 0, "" },
	{ "verifier and hash, by blank", "anna:" SCRAM256 "\t" SHA256 "\n", 1, 0, 0, 0, 0, "" },
	{ "verifier and hash, by colon", "anna:" SCRAM256 ":" SHA256 "\n", 1, 0, 0, 0, 0, "" },
	{ "a locked user", "anna:!\nbob:*\ncarl:!" SHA256 "\n", 3, 0, 0, 0, 0, "" },
	{ "names beyond ASCII", "j\xc3\xb6rg:" SHA256 "\n", 1, 0, 0, 0, 0, "" },
	{ "names that differ in case are two", "anna:!\nAnna:!\n", 2, 0, 0, 0, 0, "" },

	{ "a plain password warns", "anna:hunter2\n", 1, 0, 1, 1, 6, "plain password" },
	{ "a password in braces warns", "anna:{PLAIN}x\n", 1, 0, 1, 1, 6, "braces" },
	{ "an unknown scheme warns", "anna:$argon2id$v=19$m=1$abc\n", 1, 0, 1, 1, 6, "no known" },
	{ "an old scheme warns", "anna:" MD5 "\n", 1, 0, 1, 1, 6, "md5crypt is weak" },

	{ "no colon", "x:!\nanna\n", 0, 1, 0, 2, 5, "colon" },
	{ "nothing behind the colon", "anna:\n", 0, 1, 0, 1, 6, "nothing" },
	{ "only a comment behind it", "anna: # later\n", 0, 1, 0, 1, 6, "nothing" },
	{ "an empty name", ":" SHA256 "\n", 0, 1, 0, 1, 1, "the name is empty" },
	{ "a blank in the name", "an na:" SHA256 "\n", 0, 1, 0, 1, 1, "contains a blank" },
	{ "a name that is not UTF-8", "j\xf6rg:" SHA256 "\n", 0, 1, 0, 1, 1, "UTF-8" },
	{ "an overlong NUL in the name", "a\xc0\x80:!\n", 0, 1, 0, 1, 1, "UTF-8" },
	{ "a control byte in the name", "an\x1bna:!\n", 0, 1, 0, 1, 1, "control byte" },
	{ "a user twice", "anna:!\nbob:!\n  anna:!\n", 0, 1, 0, 3, 3, "line 1 has" },
	{ "two hashes", "a:" SHA256 ":" SHA256 "\n", 0, 1, 0, 1, 71, "further field" },
	{ "a line of /etc/shadow", "anna:" SHA256 ":19000:0:99999:7:::\n", 0, 4, 0, 1, 74,
	    "further field" },
	{ "a hash that was cut", "anna:$y$j9T$7kC2vJQe1hFfO0sLwYzpV1$hBcG7RKBlT97C\n", 0, 1, 0, 1,
	    6, "no complete yescrypt hash: 43 characters follow the last $ of one, here 13" },
	{ "a hash with a bad salt", "anna:$6$rounds=x$sa:lt\n", 0, 2, 0, 1, 6, "sha512crypt" },
	{ "letters beyond ASCII in a hash", "anna:$6$\xc3\xb6\n", 0, 1, 0, 1, 6, "beyond ASCII" },
	{ "iterations of no number", "a:SCRAM-SHA-256$many:c2FsdA==$QQ==:QQ==\n", 0, 1, 0, 1, 3,
	    "iterations" },
	{ "no iterations", "a:SCRAM-SHA-256$0:c2FsdA==$QQ==:QQ==\n", 0, 1, 0, 1, 3, "iterations" },
	{ "a key of the wrong length", "a:SCRAM-SHA-256$4096:c2FsdA==$QQ==:QQ==\n", 0, 1, 0, 1, 3,
	    "StoredKey" },
	{ "a verifier without keys", "a:SCRAM-SHA-256$4096:c2FsdA==\n", 0, 1, 0, 1, 3, "the form" },
	{ "an unknown mechanism", "a:SCRAM-MD5$4096:c2FsdA==$QQ==:QQ==\n", 0, 1, 0, 1, 3,
	    "unknown here" },
};

static void each_case_reads_as_it_should(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct users_case *c = &cases[i];
		struct account_notes notes = { 0 };
		struct account_users *users =
		    account_users_parse(span_from_string(c->text), &notes);
		if (notes.errors != c->errors || notes.warnings != c->warnings ||
		    (users == NULL) != (c->errors > 0))
			fail_msg("%s: %zu errors, %zu warnings: %s", c->name, notes.errors,
			    notes.warnings, notes.items[0].text);
		if (notes.count > 0 &&
		    (notes.items[0].line != c->line || notes.items[0].column != c->column ||
			strstr(notes.items[0].text, c->says) == NULL))
			fail_msg("%s: %u:%u: %s", c->name, notes.items[0].line,
			    notes.items[0].column, notes.items[0].text);
		if (users != NULL && account_users_count(users) != c->users)
			fail_msg("%s: %zu users", c->name, account_users_count(users));
		account_users_unref(&users);
	}
}

static void every_prefix_is_survived(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].text);
		for (size_t n = 0; n <= len; n++) {
			char *copy = mem_alloc(n + 1);
			memcpy(copy, cases[i].text, n);
			struct account_notes notes = { 0 };
			struct account_users *users = account_users_parse(span_of(copy, n), &notes);
			assert_true((users == NULL) == (notes.errors > 0));
			account_users_unref(&users);
			mem_free(copy);
		}
	}
}

static struct account_users *parse(const char *text)
{
	struct account_notes notes = { 0 };
	struct account_users *users = account_users_parse(span_from_string(text), &notes);
	assert_non_null(users);
	return users;
}

static void a_user_has_what_its_line_says(void **state)
{
	struct account_users *users = parse("# first\nanna:" SHA256 ":" SCRAM256 " # x\nbob:!\n"
					    "carl:plain\ndora:" SCRAM256 "\n");
	const struct account_user *anna = account_users_find(users, SPAN("anna"));
	assert_non_null(anna);
	assert_string_equal(anna->hash.data, SHA256);
	assert_int_equal(anna->hash.len, strlen(SHA256));
	assert_string_equal(anna->scheme, "sha256crypt");
	assert_int_equal(anna->line, 2);
	assert_int_equal(anna->scram_count, 1);
	assert_int_equal(anna->scram[0].hash, ACCOUNT_SCRAM_SHA_256);
	assert_int_equal(anna->scram[0].iterations, 4096);
	assert_int_equal(anna->scram[0].salt.len, 16);
	assert_memory_equal(anna->scram[0].salt.data, "\x5b\x6d\x99\x68", 4);
	assert_int_equal(anna->scram[0].stored_key.len, 32);
	assert_memory_equal(anna->scram[0].server_key.data, "\xc1\xf3\xcb\xc1", 4);
	assert_string_equal(account_users_find(users, SPAN("bob"))->scheme, "locked");
	assert_string_equal(account_users_find(users, SPAN("carl"))->scheme, "unusable");
	assert_int_equal(account_users_find(users, SPAN("carl"))->hash.len, 0);
	assert_string_equal(account_users_find(users, SPAN("dora"))->scheme, "SCRAM-SHA-256");
	assert_null(account_users_find(users, SPAN("Anna")));
	assert_null(account_users_find(users, SPAN("ann")));
	assert_null(account_users_find(users, SPAN("")));
	assert_ptr_equal(account_users_at(users, 0), anna);
	account_users_unref(&users);
	assert_null(users);
}

static void a_locked_user_keeps_no_credential(void **state)
{
	struct account_users *users = parse("anna:!" SHA256 ":" SCRAM256 "\nbob:" SHA256 ":!\n");
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(account_users_at(users, i)->hash.len, 0);
		assert_int_equal(account_users_at(users, i)->scram_count, 0);
		assert_string_equal(account_users_at(users, i)->scheme, "locked");
	}
	account_users_unref(&users);
}

static void the_decoy_costs_what_most_users_cost(void **state)
{
	struct account_users *users = parse("");
	assert_string_equal(account_users_decoy(users)->scheme, "yescrypt");
	assert_int_equal(
	    strlen(account_users_decoy(users)->hash.data), account_users_decoy(users)->hash.len);
	account_users_unref(&users);

	users = parse("a:" YESCRYPT "\nb:!\nc:" SHA256 "\nd:" SHA256 "\n");
	assert_ptr_equal(account_users_decoy(users), account_users_find(users, SPAN("c")));
	account_users_unref(&users);

	/* Costs count: of three sha256crypt hashes two are cheap. */
	users = parse("a:$5$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2\n"
		      "c:" SHA256 "\nd:" SHA256 "\n");
	assert_ptr_equal(account_users_decoy(users), account_users_find(users, SPAN("c")));
	account_users_unref(&users);

	users = parse("a:!\nb:plain\nc:" SCRAM256 "\n");
	assert_ptr_equal(account_users_decoy(users), account_users_find(users, SPAN("c")));
	account_users_unref(&users);
}

static void a_reference_keeps_the_set(void **state)
{
	struct account_users *users = parse("anna:" SHA256 "\n");
	struct account_users *other = account_users_ref(users);
	account_users_unref(&users);
	assert_int_equal(account_users_count(other), 1);
	assert_string_equal(account_users_find(other, SPAN("anna"))->hash.data, SHA256);
	account_users_unref(&other);
	account_users_unref(&other);
}

static void notes_beyond_fifty_are_only_counted(void **state)
{
	struct buf text;
	buf_init(&text, 10000);
	for (int i = 0; i < 70; i++)
		assert_true(buf_printf(&text, "user%d\n", i));
	struct account_notes notes = { 0 };
	assert_null(account_users_parse(buf_span(&text), &notes));
	assert_int_equal(notes.count, USERS_NOTES_MAX);
	assert_int_equal(notes.errors, 70);
	buf_fini(&text);
}

static void limits_hold(void **state)
{
	struct buf text;
	buf_init(&text, USERS_FILE_MAX_BYTES + 1);
	for (int i = 0; i <= USERS_COUNT_MAX; i++)
		assert_true(buf_printf(&text, "%d:!\n", i));
	struct account_notes notes = { 0 };
	assert_null(account_users_parse(buf_span(&text), &notes));
	assert_int_equal(notes.errors, 1);
	assert_int_equal(notes.items[0].line, USERS_COUNT_MAX + 1);
	buf_truncate(&text, text.len - strlen("100000:!\n"));
	struct account_users *users = account_users_parse(buf_span(&text), &notes);
	assert_non_null(users);
	assert_int_equal(account_users_count(users), USERS_COUNT_MAX);
	assert_int_equal(account_users_find(users, SPAN("99999"))->line, USERS_COUNT_MAX);
	account_users_unref(&users);

	while (text.len < USERS_FILE_MAX_BYTES)
		assert_true(buf_append_byte(&text, '\n'));
	users = account_users_parse(buf_span(&text), &notes);
	assert_non_null(users);
	account_users_unref(&users);
	assert_true(buf_append_byte(&text, '\n'));
	assert_null(account_users_parse(buf_span(&text), &notes));
	buf_fini(&text);
}

static const struct {
	const char *name, *want;
} name_cases[] = {
	{ "anna", NULL },
	{ "anna@example.org", NULL },
	{ "a#", NULL },
	{ "\xe2\x82\xac", NULL },
	{ "", "is empty" },
	{ "#a", "begins with #, as a comment does" },
	{ "a:b", "contains a colon" },
	{ "a b", "contains a blank" },
	{ "a\tb", "contains a blank" },
	{ "a\nb", "contains a control byte" },
	{ "a\x7f", "contains a control byte" },
	{ "\xff", "is not UTF-8" },
	{ "\xed\xa0\x80", "is not UTF-8" },
	{ "\xe2\x82", "is not UTF-8" },
	{ "\xf4\x90\x80\x80", "is not UTF-8" },
};

static void names_are_judged(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(name_cases); i++) {
		const char *fault = account_user_name_fault(span_from_string(name_cases[i].name));
		if (name_cases[i].want == NULL)
			assert_null(fault);
		else
			assert_string_equal(fault, name_cases[i].want);
	}
	char longest[USERS_NAME_MAX_BYTES + 1];
	memset(longest, 'x', sizeof(longest));
	assert_null(account_user_name_fault(span_of(longest, USERS_NAME_MAX_BYTES)));
	assert_non_null(account_user_name_fault(span_of(longest, sizeof(longest))));
	assert_string_equal(account_user_name_fault(SPAN("a\0b")), "contains a control byte");
}

static void a_file_is_read_and_its_mode_judged(void **state)
{
	char path[] = "/tmp/frank-users-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	static const char text[] = "anna:" SHA256 "\n";
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(fchmod(fd, 0640), 0);
	close(fd);
	struct account_notes notes = { 0 };
	struct account_users *users = account_users_read(path, &notes);
	assert_non_null(users);
	assert_int_equal(notes.count, 0);
	account_users_unref(&users);

	assert_int_equal(chmod(path, 0644), 0);
	users = account_users_read(path, &notes);
	assert_non_null(users);
	assert_int_equal(notes.warnings, 1);
	char line[400];
	assert_string_equal(account_note_format(&notes.items[0], "users", line, sizeof(line)),
	    "users: warning: everybody on this machine can read it: chmod 0640");
	account_users_unref(&users);
	unlink(path);

	notes = (struct account_notes){ 0 };
	assert_null(account_users_read(path, &notes));
	assert_string_equal(account_note_format(&notes.items[0], "users", line, sizeof(line)),
	    "users: cannot be opened: No such file or directory");
	assert_null(account_users_read("/tmp", &notes));
	assert_int_equal(notes.errors, 2);
}

static void a_note_stands_behind_its_place(void **state)
{
	struct account_notes notes = { 0 };
	char line[400];
	assert_null(account_users_parse(SPAN("\nanna"), &notes));
	assert_string_equal(
	    account_note_format(&notes.items[0], "/etc/frank/users", line, sizeof(line)),
	    "/etc/frank/users:2:5: a colon and a password hash are missing behind "
	    "the name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_case_reads_as_it_should),
		cmocka_unit_test(every_prefix_is_survived),
		cmocka_unit_test(a_user_has_what_its_line_says),
		cmocka_unit_test(a_locked_user_keeps_no_credential),
		cmocka_unit_test(the_decoy_costs_what_most_users_cost),
		cmocka_unit_test(a_reference_keeps_the_set),
		cmocka_unit_test(notes_beyond_fifty_are_only_counted),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(names_are_judged),
		cmocka_unit_test(a_file_is_read_and_its_mode_judged),
		cmocka_unit_test(a_note_stands_behind_its_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
