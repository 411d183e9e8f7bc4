/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "config/via.h"
#include "relay/maildir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned count_files(const char *maildir, const char *part)
{
	char path[300];
	struct dirent *entry;
	unsigned count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", maildir, part);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count;
}

static size_t read_new(const char *maildir, const char *name, char *out, size_t size)
{
	char path[700];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/new/%s", maildir, name);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	len = read(fd, out, size);
	assert_true(len >= 0);
	close(fd);
	return (size_t)len;
}

static const struct ends_case {
	const char *name;
	enum maildir_line_ends ends;
	const char *input, *want;
} ends_cases[] = {
	{ "CRLF becomes LF", MAILDIR_LINE_ENDS_UNIX, "a\r\nb\r\n", "a\nb\n" },
	{ "kept means kept", MAILDIR_LINE_ENDS_KEPT, "a\r\nb\rc\n", "a\r\nb\rc\n" },
	{ "a CR alone stays", MAILDIR_LINE_ENDS_UNIX, "a\rb", "a\rb" },
	{ "the first of two CRs stays", MAILDIR_LINE_ENDS_UNIX, "a\r\r\nb", "a\r\nb" },
	{ "a CR at the end stays", MAILDIR_LINE_ENDS_UNIX, "a\r\nb\r", "a\nb\r" },
	{ "an LF alone stays", MAILDIR_LINE_ENDS_UNIX, "a\nb\n", "a\nb\n" },
	{ "empty lines stay", MAILDIR_LINE_ENDS_UNIX, "\r\n\r\n", "\n\n" },
	{ "nothing is nothing", MAILDIR_LINE_ENDS_UNIX, "", "" },
};

/* In two pieces, cut at every place. */
static void test_line_ends_whatever_the_pieces(void **state)
{
	struct directory directory;

	directory_make(&directory);
	for (size_t i = 0; i < ARRAY_LEN(ends_cases); i++) {
		const struct ends_case *c = &ends_cases[i];
		size_t len = strlen(c->input);
		for (size_t cut = 0; cut <= len; cut++) {
			struct maildir_file file;
			struct fault fault = { 0 };
			const char *name;
			char got[100];
			size_t got_len;
			assert_true(
			    maildir_open(&file, directory.path, 1, "host", c->ends, &fault));
			assert_true(maildir_write(&file, span_of(c->input, cut), &fault));
			assert_true(
			    maildir_write(&file, span_of(c->input + cut, len - cut), &fault));
			assert_true(maildir_close(&file, &name, &fault));
			got_len = read_new(directory.path, name, got, sizeof(got));
			if (got_len != strlen(c->want) || memcmp(got, c->want, got_len) != 0)
				fail_msg("%s, cut at %zu: %.*s", c->name, cut, (int)got_len, got);
			maildir_abandon(&file); /* fine on a closed one */
		}
	}
	directory_remove(&directory);
}

static void test_a_large_piece_is_written_whole(void **state)
{
	enum { LEN = 100000 };
	static char input[LEN], got[LEN];
	struct directory directory;
	struct maildir_file file;
	struct fault fault = { 0 };
	const char *name;

	for (size_t i = 0; i < LEN; i += 2)
		memcpy(input + i, "\r\n", 2);
	directory_make(&directory);
	assert_true(maildir_open(&file, directory.path, 1, "host", MAILDIR_LINE_ENDS_UNIX, &fault));
	assert_true(maildir_write(&file, span_of(input + 1, LEN - 1), &fault));
	assert_true(maildir_close(&file, &name, &fault));
	assert_int_equal(read_new(directory.path, name, got, LEN), LEN / 2);
	directory_remove(&directory);
}

static void test_each_message_gets_a_name_of_its_own(void **state)
{
	struct directory directory;
	struct fault fault = { 0 };

	directory_make(&directory);
	for (unsigned i = 0; i < 100; i++) {
		struct maildir_file file;
		assert_true(
		    maildir_open(&file, directory.path, 7, "host", MAILDIR_LINE_ENDS_KEPT, &fault));
		assert_true(maildir_close(&file, NULL, &fault));
	}
	assert_int_equal(count_files(directory.path, "new"), 100);
	assert_int_equal(count_files(directory.path, "tmp"), 0);
	directory_remove(&directory);
}

static void test_missing_directories_are_made_for_their_owner_only(void **state)
{
	struct directory directory;
	struct maildir_file file;
	struct fault fault = { 0 };
	struct stat status;
	char path[200];

	directory_make(&directory);
	snprintf(path, sizeof(path), "%s/a/b", directory.path);
	assert_true(maildir_open(&file, path, 7, "host", MAILDIR_LINE_ENDS_KEPT, &fault));
	assert_int_equal(count_files(path, "tmp"), 1);
	assert_int_equal(count_files(path, "new"), 0);
	assert_true(maildir_close(&file, NULL, &fault));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
	assert_int_equal(count_files(path, "new"), 1);
	assert_int_equal(count_files(path, "cur"), 0);
	directory_remove(&directory);
}

static void test_an_abandoned_message_leaves_nothing(void **state)
{
	struct directory directory;
	struct maildir_file file;
	struct fault fault = { 0 };

	directory_make(&directory);
	assert_true(maildir_open(&file, directory.path, 7, "host", MAILDIR_LINE_ENDS_UNIX, &fault));
	assert_true(maildir_write(&file, SPAN("half a mess"), &fault));
	maildir_abandon(&file);
	maildir_abandon(&file);
	assert_int_equal(count_files(directory.path, "tmp"), 0);
	assert_int_equal(count_files(directory.path, "new"), 0);
	directory_remove(&directory);
}

static void test_a_path_that_cannot_be_a_maildir_is_named(void **state)
{
	struct directory directory;
	struct maildir_file file;
	struct fault fault = { 0 };
	char path[200];

	directory_make(&directory);
	directory_write(&directory, "file", "");
	snprintf(path, sizeof(path), "%s/file/ann", directory.path);
	assert_false(maildir_open(&file, path, 7, "host", MAILDIR_LINE_ENDS_UNIX, &fault));
	assert_int_equal(fault.kind, FAULT_LOCAL); /* 4yz: it is not the message's fault */
	assert_non_null(strstr(fault.text, path));
	maildir_abandon(&file);
	directory_remove(&directory);
}

static void test_a_directory_that_cannot_be_written_is_named(void **state)
{
	struct directory directory;
	struct maildir_file file;
	struct fault fault = { 0 };
	char path[200];

	if (geteuid() == 0)
		skip(); /* root may write anywhere */
	directory_make(&directory);
	snprintf(path, sizeof(path), "%s/ann", directory.path);
	chmod(directory.path, 0500);
	assert_false(maildir_open(&file, path, 7, "host", MAILDIR_LINE_ENDS_UNIX, &fault));
	assert_int_equal(fault.kind, FAULT_LOCAL);
	assert_non_null(strstr(fault.text, directory.path));
	chmod(directory.path, 0700);
	directory_remove(&directory);
}

static void test_a_disk_that_takes_no_more_leaves_nothing(void **state)
{
	struct directory directory;
	struct maildir_file file;
	struct fault fault = { 0 };
	int full = open("/dev/full", O_WRONLY);

	if (full < 0)
		skip();
	directory_make(&directory);
	assert_true(maildir_open(&file, directory.path, 7, "host", MAILDIR_LINE_ENDS_UNIX, &fault));
	assert_true(dup2(full, file.fd) >= 0);
	assert_false(maildir_write(&file, SPAN("text\r\n"), &fault));
	assert_non_null(strstr(fault.text, "No space left"));
	maildir_abandon(&file);
	assert_int_equal(count_files(directory.path, "tmp"), 0);
	close(full);
	directory_remove(&directory);
}

static const struct expand_case {
	const char *name, *local, *domain, *want; /* NULL: refused */
} expand_cases[] = {
	{ "both are filled in", "ann", "example.org", "/m/example.org/ann/" },
	{ "upper case is folded", "Ann.Lee", "Example.ORG", "/m/example.org/ann.lee/" },
	{ "a tag stays", "ann+news_1", "example.org", "/m/example.org/ann+news_1/" },
	{ "nobody climbs", "../x", "example.org", NULL },
	{ "two dots in the middle climb nowhere", "a..b", "example.org", "/m/example.org/a..b/" },
	{ "a leading dot is refused", ".ssh", "example.org", NULL },
	{ "a leading dot in the domain too", "ann", ".example.org", NULL },
	{ "a slash is refused", "a/b", "example.org", NULL },
	{ "a blank is refused", "a b", "example.org", NULL },
	{ "a percent sign is refused", "a%u", "example.org", NULL },
	{ "a NUL is refused", "\0x", "example.org", NULL },
	{ "an empty name is refused", "", "example.org", NULL },
	{ "quotes are refused", "\"a\"", "example.org", NULL },
	{ "bytes above 127 are refused", "\303\244", "example.org", NULL },
};

static void test_a_path_never_leaves_its_directory(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(expand_cases); i++) {
		const struct expand_case *c = &expand_cases[i];
		struct span local = c->local[0] ? span_from_string(c->local) : SPAN("");
		struct buf path;
		bool good;
		if (strcmp(c->name, "a NUL is refused") == 0)
			local = span_of("\0x", 2);
		buf_init(&path, 200);
		good = config_path_expand("/m/%d/%u/", local, span_from_string(c->domain), &path);
		if (good != (c->want != NULL) || (good && strcmp(buf_string(&path), c->want) != 0))
			fail_msg("%s: %s", c->name, good ? buf_string(&path) : "refused");
		buf_fini(&path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_ends_whatever_the_pieces),
		cmocka_unit_test(test_a_large_piece_is_written_whole),
		cmocka_unit_test(test_each_message_gets_a_name_of_its_own),
		cmocka_unit_test(test_missing_directories_are_made_for_their_owner_only),
		cmocka_unit_test(test_an_abandoned_message_leaves_nothing),
		cmocka_unit_test(test_a_path_that_cannot_be_a_maildir_is_named),
		cmocka_unit_test(test_a_directory_that_cannot_be_written_is_named),
		cmocka_unit_test(test_a_disk_that_takes_no_more_leaves_nothing),
		cmocka_unit_test(test_a_path_never_leaves_its_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
