/* SPDX-License-Identifier: MIT */
#include "account/oauth_file.h"

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

static char top[] = "/tmp/frank-oauth-XXXXXX";
static char directory[64];

static int make_directory(void **state)
{
	if (!mkdtemp(top))
		return -1;
	snprintf(directory, sizeof(directory), "%s/tokens", top);
	return 0;
}

static int remove_directory(void **state)
{
	char path[128];
	static const char *const names[] = { "ms.json", ".ms.lock", "ms.json.new", "link.json" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		unlink(path);
	}
	rmdir(directory);
	return rmdir(top);
}

static void fill(struct oauth_token *token)
{
	oauth_token_init(token);
	buf_append_string(&token->access, "acc\"ess\\~");
	buf_append_string(&token->refresh, "refresh");
	token->expires_ms = 1790000000000;
	token->lifetime_ms = 3599000;
	token->refreshed_ms = 1789990000000;
	token->signed_in_ms = 1789000000000;
	snprintf(token->login, sizeof(token->login), "scan@contoso.example");
	snprintf(token->client, sizeof(token->client), "id");
	snprintf(token->token_endpoint, sizeof(token->token_endpoint), "https://id.example/token");
}

static void the_lock_makes_the_directory_and_is_held_once(void **state)
{
	struct fault fault;
	struct stat status;
	int first, second;

	assert_int_equal(oauth_file_lock(directory, "ms", &first, &fault), OAUTH_LOCK_HELD);
	assert_int_equal(stat(directory, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_int_equal(oauth_file_lock(directory, "ms", &second, &fault), OAUTH_LOCK_BUSY);
	close(first);
	assert_int_equal(oauth_file_lock(directory, "ms", &second, &fault), OAUTH_LOCK_HELD);
	close(second);
	assert_int_equal(
	    oauth_file_lock("/nonexistent/tokens", "ms", &second, &fault), OAUTH_LOCK_FAILED);
	assert_non_null(strstr(fault.text, "/nonexistent/tokens/.ms.lock"));
}

static void what_is_written_is_read_again(void **state)
{
	struct oauth_token token, found;
	struct oauth_file_stamp written, seen, none = { 0 };
	struct fault fault;
	char path[128];
	struct stat status;

	fill(&token);
	oauth_token_init(&found);
	assert_int_equal(
	    oauth_file_read(directory, "ms", &found, &seen, &fault), OAUTH_FILE_ABSENT);
	assert_true(oauth_file_stamp_equal(&seen, &none));
	assert_true(oauth_file_write(directory, "ms", &token, &written, &fault));
	assert_int_equal(oauth_file_read(directory, "ms", &found, &seen, &fault), OAUTH_FILE_FOUND);
	assert_true(oauth_file_stamp_equal(&seen, &written));
	assert_true(span_equal(buf_span(&found.access), buf_span(&token.access)));
	assert_true(span_equal(buf_span(&found.refresh), buf_span(&token.refresh)));
	assert_int_equal(found.expires_ms, token.expires_ms);
	assert_int_equal(found.lifetime_ms, token.lifetime_ms);
	assert_int_equal(found.refreshed_ms, token.refreshed_ms);
	assert_int_equal(found.signed_in_ms, token.signed_in_ms);
	assert_string_equal(found.login, token.login);
	assert_string_equal(found.client, token.client);
	assert_string_equal(found.token_endpoint, token.token_endpoint);
	assert_false(found.dead);
	snprintf(path, sizeof(path), "%s/ms.json", directory);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	snprintf(path, sizeof(path), "%s/ms.json.new", directory);
	assert_int_equal(access(path, F_OK), -1);
	token.dead = true;
	snprintf(token.error, sizeof(token.error), "it is over: ä \"quoted\"");
	token.error_ms = 1789995000000;
	assert_true(oauth_file_write(directory, "ms", &token, &written, &fault));
	assert_false(oauth_file_stamp_equal(&seen, &written));
	assert_int_equal(oauth_file_read(directory, "ms", &found, &seen, &fault), OAUTH_FILE_FOUND);
	assert_true(found.dead);
	assert_string_equal(found.error, token.error);
	oauth_token_fini(&token);
	oauth_token_fini(&found);
}

static void put(const char *name, struct span content)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content.data, content.len), content.len);
	close(fd);
}

static void a_file_that_is_cut_anywhere_is_broken_and_changes_nothing(void **state)
{
	static const char whole[] =
	    "{\"login\":\"a\",\"access_token\":\"x\",\"refresh_token\":\"y\",\"expires\":17}";
	struct oauth_token token;
	struct oauth_file_stamp stamp;
	struct fault fault;

	fill(&token);
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		put("ms.json", span_of(whole, len));
		assert_int_equal(
		    oauth_file_read(directory, "ms", &token, &stamp, &fault), OAUTH_FILE_BROKEN);
		assert_string_equal(token.login, "scan@contoso.example");
		assert_int_equal(token.access.len, 9);
		assert_true(stamp.inode != 0);
	}
	put("ms.json", span_of(whole, sizeof(whole) - 1));
	assert_int_equal(
	    oauth_file_read(directory, "ms", &token, &stamp, &fault), OAUTH_FILE_FOUND);
	put("ms.json", SPAN("{\"access_token\":\"a\\u0001b\"}"));
	assert_int_equal(
	    oauth_file_read(directory, "ms", &token, &stamp, &fault), OAUTH_FILE_BROKEN);
	put("ms.json", SPAN("{\"refresh_token\":7}"));
	assert_int_equal(
	    oauth_file_read(directory, "ms", &token, &stamp, &fault), OAUTH_FILE_BROKEN);
	oauth_token_fini(&token);
}

static void a_link_is_not_followed(void **state)
{
	struct oauth_token token;
	struct oauth_file_stamp stamp;
	struct fault fault;
	char path[128];

	oauth_token_init(&token);
	snprintf(path, sizeof(path), "%s/link.json", directory);
	assert_int_equal(symlink("ms.json", path), 0);
	assert_int_equal(
	    oauth_file_read(directory, "link", &token, &stamp, &fault), OAUTH_FILE_BROKEN);
	oauth_token_fini(&token);
}

static void tokens_are_for_one_login_client_and_end_point(void **state)
{
	struct oauth_account account = { .settings = { .login = "scan@contoso.example",
					     .client_id = "id",
					     .token_endpoint = "https://id.example/token" } };
	struct oauth_token token;

	fill(&token);
	assert_true(oauth_token_is_for(&token, &account));
	account.settings.token_endpoint = "https://id.example/other";
	assert_false(oauth_token_is_for(&token, &account));
	account.settings.token_endpoint = "https://id.example/token";
	account.settings.client_id = "ID";
	assert_false(oauth_token_is_for(&token, &account));
	account.settings.client_id = "id";
	account.settings.login = "other@contoso.example";
	assert_false(oauth_token_is_for(&token, &account));
	oauth_token_fini(&token);
}

static void a_label_can_be_a_file_name(void **state)
{
	static const char *const good[] = { "ms", "a.b", "x@y.example", "A-1_2+3" };
	static const char *const bad[] = { "", ".", "..", ".ms", "a/b", "../x", "a b", "ä", "a\n",
		"0123456789012345678901234567890123456789012345678901234567890123x" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_null(oauth_label_fault(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_non_null(oauth_label_fault(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lock_makes_the_directory_and_is_held_once),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(a_file_that_is_cut_anywhere_is_broken_and_changes_nothing),
		cmocka_unit_test(a_link_is_not_followed),
		cmocka_unit_test(tokens_are_for_one_login_client_and_end_point),
		cmocka_unit_test(a_label_can_be_a_file_name),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
