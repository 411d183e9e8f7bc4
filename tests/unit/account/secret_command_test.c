/* SPDX-License-Identifier: MIT */
#include "account/secret_command.h"

#include "base/memory.h"
#include "base/moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* The programs are pieces of shell, which the module itself never starts. */
static bool run(const char *script, struct buf *out, struct fault *fault)
{
	const char *argv[] = { "sh", "-c", script, NULL };

	return account_secret_run(argv, NULL, out, fault);
}

static void the_first_line_is_the_secret(void **state)
{
	static const struct {
		const char *script, *want;
	} cases[] = {
		{ "echo secret", "secret" }, { "printf secret", "secret" },
		{ "printf 'secret\\r\\n'", "secret" },
		{ "printf ' two words \\nlogin: me\\nurl: x\\n'", " two words " },
		{ "echo noise >&2; echo secret", "secret" }, { "exec 2>&-; echo secret", "secret" },
		{ "cat; echo secret", "secret" }, /* there is nothing on standard input */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fault fault;
		struct buf out;

		buf_init_secret(&out, SECRET_MAX_BYTES);
		if (!run(cases[i].script, &out, &fault))
			fail_msg("%s: %s", cases[i].script, fault.text);
		assert_string_equal(buf_string(&out), cases[i].want);
		buf_fini(&out);
	}
}

static void what_is_no_secret_is_explained_without_showing_it(void **state)
{
	static const struct {
		const char *script, *want;
	} cases[] = {
		{ "echo hidden; echo 'gpg: no key' >&2; exit 2",
		    "sh failed with exit status 2: gpg: no key" },
		{ "echo hidden; exit 1", "sh failed with exit status 1" },
		{ "kill -TERM $$", "sh was ended by signal 15" },
		{ "true", "sh prints an empty first line" },
		{ "echo; echo hidden", "sh prints an empty first line" },
		{ "printf 'hid\\0den\\n'", "a NUL byte" },
		{ "head -c 5000 /dev/zero | tr '\\0' h", "too long for a secret" },
		{ "head -c 100000 /dev/zero | tr '\\0' h", "prints more than 16 KiB" },
		{ "yes hidden", "prints more than 16 KiB" },
		{ "yes noise >&2 & exit 1", "sh failed with exit status 1" },
		{ "printf 'a\\033[31mb\\nmore' >&2; exit 1", "status 1: a\\x1b[31mb" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fault fault;
		struct buf out;

		buf_init_secret(&out, SECRET_MAX_BYTES);
		assert_false(run(cases[i].script, &out, &fault));
		assert_int_equal(out.len, 0);
		assert_int_equal(fault.kind, FAULT_LOCAL);
		if (!strstr(fault.text, cases[i].want) || strstr(fault.text, "hidden"))
			fail_msg("%s: %s", cases[i].script, fault.text);
		buf_fini(&out);
	}
}

static void a_program_that_is_not_there_is_named(void **state)
{
	const char *argv[] = { "/nowhere/program", "argument", NULL };
	struct fault fault;
	struct buf out;

	buf_init_secret(&out, SECRET_MAX_BYTES);
	assert_false(account_secret_run(argv, NULL, &out, &fault));
	assert_non_null(strstr(fault.text, "/nowhere/program"));
	assert_non_null(strstr(fault.text, "No such file"));
	buf_fini(&out);
}

/* Arguments arrive as they are, and no shell looks at them. */
static void arguments_are_not_for_a_shell(void **state)
{
	const char *argv[] = { "printf", "%s|%s", "$HOME", "a b; echo x", NULL };
	struct fault fault;
	struct buf out;

	buf_init_secret(&out, SECRET_MAX_BYTES);
	assert_true(account_secret_run(argv, NULL, &out, &fault));
	assert_string_equal(buf_string(&out), "$HOME|a b; echo x");
	buf_fini(&out);
}

static void there_is_no_terminal_to_ask_on(void **state)
{
	struct fault fault;
	struct buf out;

	buf_init_secret(&out, SECRET_MAX_BYTES);
	assert_true(run("(: </dev/tty) 2>/dev/null && echo terminal || echo none", &out, &fault));
	assert_string_equal(buf_string(&out), "none");
	buf_fini(&out);
}

static void a_program_that_hangs_is_ended_with_all_it_has_started(void **state)
{
	char script[200], path[] = "/tmp/frank-command-XXXXXX";
	int64_t began = moment_monotonic_ms();
	struct fault fault;
	struct buf out;
	long child = 0;
	FILE *file;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	snprintf(script, sizeof(script), "sleep 1000 & echo $! >%s; echo asking >&2; wait", path);
	buf_init_secret(&out, SECRET_MAX_BYTES);
	assert_false(run(script, &out, &fault));
	assert_true(moment_monotonic_ms() - began < SECRET_COMMAND_MS + 5000);
	assert_non_null(strstr(fault.text, "has not ended after 10 s: asking"));
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%ld", &child), 1);
	fclose(file);
	unlink(path);
	/* Gone, or waiting to be reaped by whoever has inherited it: its directory says so. */
	snprintf(script, sizeof(script), "/proc/%ld/exe", child);
	assert_int_equal(readlink(script, path, sizeof(path)), -1);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_line_is_the_secret),
		cmocka_unit_test(what_is_no_secret_is_explained_without_showing_it),
		cmocka_unit_test(a_program_that_is_not_there_is_named),
		cmocka_unit_test(arguments_are_not_for_a_shell),
		cmocka_unit_test(there_is_no_terminal_to_ask_on),
		cmocka_unit_test(a_program_that_hangs_is_ended_with_all_it_has_started),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
