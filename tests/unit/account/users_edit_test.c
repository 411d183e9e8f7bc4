/* SPDX-License-Identifier: MIT */
#include "account/users_edit.h"

#include "base/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
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

enum verb { ADD, REPLACE, REMOVE };

static const struct edit_case {
	const char *what;
	enum verb verb;
	const char *before, *name;
	enum users_edit_result want;
	const char *after; /* NULL: nothing is written */
} cases[] = {
	{ "into an empty file", ADD, "", "a", USERS_EDIT_DONE, "a:NEW\n" },
	{ "behind everything", ADD, "# x\nb:1\n\n", "a", USERS_EDIT_DONE, "# x\nb:1\n\na:NEW\n" },
	{ "behind an open end", ADD, "b:1", "a", USERS_EDIT_DONE, "b:1\na:NEW\n" },
	{ "behind a longer name", ADD, "aa:1\n", "a", USERS_EDIT_DONE, "aa:1\na:NEW\n" },
	{ "a name in a comment is none", ADD, "#a:1\n", "a", USERS_EDIT_DONE, "#a:1\na:NEW\n" },
	{ "twice", ADD, "b:1\na:1\n", "a", USERS_EDIT_EXISTS, NULL },
	{ "twice, indented", ADD, "b:1\n  a:1", "a", USERS_EDIT_EXISTS, NULL },
	{ "twice, locked", ADD, "a:!\n", "a", USERS_EDIT_EXISTS, NULL },

	{ "in the middle", REPLACE, "# x\nb:1\na:2\nc:3\n", "a", USERS_EDIT_DONE,
	    "# x\nb:1\na:NEW\nc:3\n" },
	{ "with a comment", REPLACE, "a:2\t # old # x\nb:3", "a", USERS_EDIT_DONE,
	    "a:NEW\t # old # x\nb:3" },
	{ "without line end", REPLACE, "b:1\na:2", "a", USERS_EDIT_DONE, "b:1\na:NEW" },
	{ "with CRLF", REPLACE, "a:2 \r\nb:1\r\n", "a", USERS_EDIT_DONE, "a:NEW \r\nb:1\r\n" },
	{ "verifiers go with the hash", REPLACE, "a:$5$x:SCRAM-SHA-1$1:b$c:d e\n", "a",
	    USERS_EDIT_DONE, "a:NEW\n" },
	{ "indented", REPLACE, "\t a :2\n", "a", USERS_EDIT_DONE, "\t a :NEW\n" },
	{ "of nobody", REPLACE, "b:1\n", "a", USERS_EDIT_NO_SUCH_USER, NULL },

	{ "the only one", REMOVE, "a:1\n", "a", USERS_EDIT_DONE, "" },
	{ "between others", REMOVE, "b:1\r\na:1 # x\r\nc:1\r\n", "a", USERS_EDIT_DONE,
	    "b:1\r\nc:1\r\n" },
	{ "at the open end", REMOVE, "b:1\na:1", "a", USERS_EDIT_DONE, "b:1\n" },
	{ "of nobody", REMOVE, "# a\nb:1\n", "a", USERS_EDIT_NO_SUCH_USER, NULL },
	{ "in an empty file", REMOVE, "", "a", USERS_EDIT_NO_SUCH_USER, NULL },
};

static enum users_edit_result edit(const struct edit_case *c, struct buf *out)
{
	struct span text = span_from_string(c->before), name = span_from_string(c->name);
	switch (c->verb) {
	case ADD:
		return users_edit_add(text, name, SPAN("NEW"), out);
	case REPLACE:
		return users_edit_replace(text, name, SPAN("NEW"), out);
	case REMOVE:
		break;
	}
	return users_edit_remove(text, name, out);
}

static void only_the_line_in_question_changes(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;
		buf_init(&out, 1000);
		enum users_edit_result result = edit(&cases[i], &out);
		if (result != cases[i].want ||
		    strcmp(buf_string(&out), cases[i].after != NULL ? cases[i].after : "") != 0)
			fail_msg("%s: %d: %s", cases[i].what, result, buf_string(&out));
		buf_fini(&out);
	}
}

static void a_result_beyond_the_ceiling_is_no_result(void **state)
{
	struct buf out;
	buf_init(&out, 8);
	assert_int_equal(
	    users_edit_add(SPAN("b:1\n"), SPAN("a"), SPAN("NEW"), &out), USERS_EDIT_TOO_LARGE);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

/* ---- the file ---- */

static char directory[] = "/tmp/frank-edit-XXXXXX";
static char path[64];

static int make_directory(void **state)
{
	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/users", directory);
	return 0;
}

static int clean_directory(void **state)
{
	unlink(path);
	return 0;
}

static int remove_directory(void **state)
{
	return rmdir(directory);
}

static void put(const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void assert_file(const char *text, mode_t mode)
{
	char content[4096] = "";
	struct stat status;
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_true(read(fd, content, sizeof(content) - 1) >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	close(fd);
	assert_string_equal(content, text);
	assert_int_equal(status.st_mode & 07777, mode);
}

static size_t files_in_directory(void)
{
	DIR *d = opendir(directory);
	size_t count = 0;
	for (struct dirent *entry; (entry = readdir(d)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(d);
	return count;
}

static void a_new_file_is_for_owner_and_group(void **state)
{
	struct users_file file;
	struct fault fault = { 0 };
	bool created;
	mode_t mask = umask(077);
	assert_true(users_file_open(&file, path, true, &created, &fault));
	umask(mask);
	assert_true(created);
	assert_int_equal(file.text.len, 0);
	assert_true(users_file_replace(&file, SPAN("a:1\n"), &fault));
	users_file_close(&file);
	assert_file("a:1\n", 0640);
	assert_int_equal(files_in_directory(), 1);
}

static void a_replaced_file_keeps_its_mode(void **state)
{
	struct users_file file;
	struct fault fault = { 0 };
	bool created = true;
	static const mode_t modes[][2] = {
		{ 0600, 0600 },
		{ 0640, 0640 },
		{ 0660, 0660 },
		{ 0644, 0644 },
		{ 0666, 0664 },
	};
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		put("a:1\n", modes[i][0]);
		assert_true(users_file_open(&file, path, true, &created, &fault));
		assert_false(created);
		assert_string_equal(buf_string(&file.text), "a:1\n");
		assert_true(users_file_replace(&file, SPAN("a:2\n"), &fault));
		users_file_close(&file);
		assert_file("a:2\n", modes[i][1]);
	}
}

static void a_replaced_file_keeps_its_owner(void **state)
{
	if (geteuid() != 0)
		skip();
	struct users_file file;
	struct fault fault = { 0 };
	struct stat status;
	put("a:1\n", 0640);
	assert_int_equal(chown(path, 65534, 65533), 0);
	assert_true(users_file_open(&file, path, false, NULL, &fault));
	assert_true(users_file_replace(&file, SPAN("a:2\n"), &fault));
	users_file_close(&file);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_uid, 65534);
	assert_int_equal(status.st_gid, 65533);
	assert_file("a:2\n", 0640);
}

static void a_symbolic_link_stays_one(void **state)
{
	struct users_file file;
	struct fault fault = { 0 };
	struct stat status;
	char link_path[80];
	snprintf(link_path, sizeof(link_path), "%s/link", directory);
	put("a:1\n", 0640);
	assert_int_equal(symlink("users", link_path), 0);
	assert_true(users_file_open(&file, link_path, false, NULL, &fault));
	assert_true(users_file_replace(&file, SPAN("a:2\n"), &fault));
	users_file_close(&file);
	assert_int_equal(lstat(link_path, &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_file("a:2\n", 0640);
	unlink(link_path);
}

static void what_is_not_there_is_named(void **state)
{
	struct users_file file;
	struct fault fault = { 0 };
	assert_false(users_file_open(&file, path, false, NULL, &fault));
	assert_int_equal(fault.kind, FAULT_LOCAL);
	assert_non_null(strstr(fault.text, "No such file"));
	assert_false(users_file_open(&file, "/nowhere/at/all", true, NULL, &fault));
	assert_non_null(strstr(fault.text, "cannot be created"));
	assert_false(users_file_open(&file, directory, true, NULL, &fault));
	assert_non_null(strstr(fault.text, "not a regular file"));
}

static void *add_fifty(void *context)
{
	for (int i = 0; i < 50; i++) {
		struct users_file file;
		struct fault fault = { 0 };
		struct buf text;
		char name[32];
		buf_init(&text, 100000);
		snprintf(name, sizeof(name), "%s%d", (const char *)context, i);
		if (!users_file_open(&file, path, true, NULL, &fault))
			return (void *)"cannot open";
		if (users_edit_add(buf_span(&file.text), span_from_string(name), SPAN("!"),
			&text) != USERS_EDIT_DONE)
			return (void *)"cannot add";
		if (!users_file_replace(&file, buf_span(&text), &fault))
			return (void *)"cannot replace";
		users_file_close(&file);
		buf_fini(&text);
	}
	return NULL;
}

static void two_editors_lose_nothing(void **state)
{
	static char names[3][2] = { "a", "b", "c" };
	pthread_t threads[3];
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_fifty, names[i]), 0);
	for (size_t i = 0; i < 3; i++) {
		void *fault;
		pthread_join(threads[i], &fault);
		if (fault != NULL)
			fail_msg("%s", (const char *)fault);
	}
	struct account_notes notes = { 0 };
	struct account_users *users = account_users_read(path, &notes);
	assert_non_null(users);
	assert_int_equal(account_users_count(users), 150);
	account_users_unref(&users);
	assert_int_equal(files_in_directory(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_line_in_question_changes),
		cmocka_unit_test(a_result_beyond_the_ceiling_is_no_result),
		cmocka_unit_test_teardown(a_new_file_is_for_owner_and_group, clean_directory),
		cmocka_unit_test_teardown(a_replaced_file_keeps_its_mode, clean_directory),
		cmocka_unit_test_teardown(a_replaced_file_keeps_its_owner, clean_directory),
		cmocka_unit_test_teardown(a_symbolic_link_stays_one, clean_directory),
		cmocka_unit_test_teardown(what_is_not_there_is_named, clean_directory),
		cmocka_unit_test_teardown(two_editors_lose_nothing, clean_directory),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
