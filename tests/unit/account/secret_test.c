/* SPDX-License-Identifier: MIT */
#include "account/secret.h"

#include "base/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static char path[] = "/tmp/frank-secret-XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(path);
	return fd < 0 || close(fd) != 0;
}

static int remove_file(void **state)
{
	return unlink(path);
}

static void put(struct span content)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content.data, content.len), content.len);
	close(fd);
}

static const struct secret_case {
	struct span content;
	const char *want; /* NULL: refused */
	const char *says;
} cases[] = {
	{ { "hunter2", 7 }, "hunter2", NULL },
	{ { "hunter2\n", 8 }, "hunter2", NULL },
	{ { "hunter2\r\n", 9 }, "hunter2", NULL },
	{ { "hunter2\n\n", 9 }, "hunter2\n", NULL },
	{ { "hunter2\r", 8 }, "hunter2\r", NULL },
	{ { " two words \n", 12 }, " two words ", NULL },
	{ { "", 0 }, NULL, "is empty" },
	{ { "\n", 1 }, NULL, "is empty" },
	{ { "\r\n", 2 }, NULL, "is empty" },
	{ { "a\0b\n", 4 }, NULL, "NUL" },
};

static void one_line_end_is_not_part_of_a_secret(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf secret;
		struct fault fault = { 0 };
		bool exposed = true;
		put(cases[i].content);
		buf_init_secret(&secret, SECRET_MAX_BYTES);
		bool read = account_secret_read(path, &secret, &exposed, &fault);
		assert_int_equal(read, cases[i].want != NULL);
		if (read) {
			assert_string_equal(buf_string(&secret), cases[i].want);
			assert_false(exposed);
		} else {
			assert_int_equal(fault.kind, FAULT_LOCAL);
			assert_non_null(strstr(fault.text, cases[i].says));
			assert_non_null(strstr(fault.text, path));
			assert_int_equal(secret.len, 0);
			assert_true(exposed);
		}
		buf_fini(&secret);
	}
}

static void four_kibibytes_are_the_limit(void **state)
{
	char content[SECRET_MAX_BYTES + 100];
	memset(content, 'x', sizeof(content));
	memcpy(content + SECRET_MAX_BYTES, "\r\n", 2);
	struct buf secret;
	struct fault fault;
	buf_init_secret(&secret, 2 * SECRET_MAX_BYTES);
	put(span_of(content, SECRET_MAX_BYTES + 2));
	assert_true(account_secret_read(path, &secret, NULL, &fault));
	assert_int_equal(secret.len, SECRET_MAX_BYTES);
	static const size_t too_long[] = { SECRET_MAX_BYTES + 1, SECRET_MAX_BYTES + 3,
		SECRET_MAX_BYTES + 100 };
	for (size_t i = 0; i < ARRAY_LEN(too_long); i++) {
		put(span_of(content, too_long[i]));
		assert_false(account_secret_read(path, &secret, NULL, &fault));
		assert_non_null(strstr(fault.text, "larger than 4 KiB"));
	}
	assert_int_equal(secret.len, SECRET_MAX_BYTES);
	buf_fini(&secret);
}

static void a_buf_with_a_lower_ceiling_is_respected(void **state)
{
	struct buf secret;
	struct fault fault;
	buf_init_secret(&secret, 3);
	put(SPAN("four"));
	assert_false(account_secret_read(path, &secret, NULL, &fault));
	put(SPAN("3ok\n"));
	assert_true(account_secret_read(path, &secret, NULL, &fault));
	buf_fini(&secret);
}

static void a_file_for_everybody_is_told(void **state)
{
	struct buf secret;
	struct fault fault;
	bool exposed = false;
	buf_init_secret(&secret, 100);
	put(SPAN("x"));
	assert_int_equal(chmod(path, 0644), 0);
	assert_true(account_secret_read(path, &secret, &exposed, &fault));
	assert_true(exposed);
	assert_int_equal(chmod(path, 0640), 0);
	assert_true(account_secret_read(path, &secret, &exposed, &fault));
	assert_false(exposed);
	buf_fini(&secret);
}

static void what_cannot_be_read_is_named(void **state)
{
	struct buf secret;
	struct fault fault;
	buf_init_secret(&secret, 100);
	assert_false(account_secret_read("/nowhere/secret", &secret, NULL, &fault));
	assert_string_equal(
	    fault.text, "/nowhere/secret cannot be opened: No such file or directory");
	assert_false(account_secret_read("/tmp", &secret, NULL, &fault));
	assert_string_equal(fault.text, "/tmp cannot be read: Is a directory");
	buf_fini(&secret);
}

static void a_pipe_is_read_to_its_end(void **state)
{
	int ends[2];
	struct buf secret;
	struct fault fault;
	buf_init_secret(&secret, 100);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "pipe\n", 5), 5);
	close(ends[1]);
	assert_true(account_secret_read_fd(ends[0], "standard input", &secret, NULL, &fault));
	assert_string_equal(buf_string(&secret), "pipe");
	close(ends[0]);
	buf_fini(&secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_end_is_not_part_of_a_secret),
		cmocka_unit_test(four_kibibytes_are_the_limit),
		cmocka_unit_test(a_buf_with_a_lower_ceiling_is_respected),
		cmocka_unit_test(a_file_for_everybody_is_told),
		cmocka_unit_test(what_cannot_be_read_is_named),
		cmocka_unit_test(a_pipe_is_read_to_its_end),
	};
	return cmocka_run_group_tests(tests, make_file, remove_file);
}
