/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[] = "/tmp/frank-file-XXXXXX";
static char path[64];

static int make(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/name", directory);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory); /* fails when something was left behind */
}

static unsigned count_names(void)
{
	DIR *names = opendir(directory);
	unsigned count = 0;

	assert_non_null(names);
	while (readdir(names))
		count++;
	closedir(names);
	return count - 2;
}

static void check_content(const char *want)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text)), strlen(want));
	close(fd);
	assert_string_equal(text, want);
}

static void a_file_is_made_and_replaced(void **state)
{
	struct stat status;

	(void)state;
	assert_true(file_replace(path, 0640, SPAN("the first content")));
	check_content("the first content");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	assert_true(file_replace(path, 0600, SPAN("shorter")));
	check_content("shorter");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(count_names(), 1);
}

static void who_reads_meanwhile_keeps_the_old_content(void **state)
{
	char text[64] = "";
	int fd;

	(void)state;
	assert_true(file_replace(path, 0600, SPAN("old")));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(file_replace(path, 0600, SPAN("new")));
	assert_int_equal(read(fd, text, sizeof(text)), 3);
	close(fd);
	assert_string_equal(text, "old");
	check_content("new");
}

static void the_status_is_that_of_the_new_file(void **state)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat status, seen;

	(void)state;
	assert_true(file_replace_at(fd, "name", 0600, SPAN("octets"), &status));
	close(fd);
	assert_int_equal(stat(path, &seen), 0);
	assert_int_equal(status.st_ino, seen.st_ino);
	assert_int_equal(status.st_size, 6);
}

static void a_link_in_the_way_is_not_followed(void **state)
{
	char fresh[80], target[80];

	(void)state;
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	snprintf(target, sizeof(target), "%s/target", directory);
	assert_int_equal(symlink(target, fresh), 0);
	assert_false(file_replace(path, 0600, SPAN("x")));
	assert_int_equal(errno, ELOOP);
	assert_int_equal(access(target, F_OK), -1);
	unlink(fresh);
}

static void what_cannot_be_written_says_why_and_leaves_nothing(void **state)
{
	char name[FILE_NAME_MAX + 2], inside[80];
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_false(file_replace_at(fd, name, 0600, SPAN("x"), NULL));
	assert_int_equal(errno, ENAMETOOLONG);
	close(fd);
	assert_false(file_replace("/nowhere/at/all", 0600, SPAN("x")));
	assert_int_equal(errno, ENOENT);
	/* A directory stands where the file should be: it stays, and NAME.new goes. */
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(inside, sizeof(inside), "%s/inside", path);
	assert_int_equal(mkdir(inside, 0700), 0);
	assert_false(file_replace(path, 0600, SPAN("x")));
	assert_int_equal(count_names(), 1);
	rmdir(inside);
	rmdir(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_made_and_replaced),
		cmocka_unit_test(who_reads_meanwhile_keeps_the_old_content),
		cmocka_unit_test(the_status_is_that_of_the_new_file),
		cmocka_unit_test(a_link_in_the_way_is_not_followed),
		cmocka_unit_test(what_cannot_be_written_says_why_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
