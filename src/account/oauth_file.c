/* SPDX-License-Identifier: MIT */
#include "account/oauth_file.h"

#include "account/oauth_response.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096

void oauth_token_init(struct oauth_token *token)
{
	*token = (struct oauth_token){ 0 };
	buf_init_secret(&token->access, OAUTH_TOKEN_MAX);
	buf_init_secret(&token->refresh, OAUTH_TOKEN_MAX);
}

void oauth_token_fini(struct oauth_token *token)
{
	buf_fini(&token->access);
	buf_fini(&token->refresh);
}

void oauth_token_copy(struct oauth_token *to, const struct oauth_token *from)
{
	struct buf access = to->access, refresh = to->refresh;

	*to = *from;
	to->access = access;
	to->refresh = refresh;
	buf_clear(&to->access);
	buf_clear(&to->refresh);
	buf_append(&to->access, buf_span(&from->access));
	buf_append(&to->refresh, buf_span(&from->refresh));
}

/* An application's id, or a service account's address. */
static const char *client_of(const struct oauth_account *account)
{
	const char *client =
	    account->settings.client_id ? account->settings.client_id : account->issuer;

	return client ? client : "";
}

void oauth_token_set_account(struct oauth_token *token, const struct oauth_account *account)
{
	snprintf(token->login, sizeof(token->login), "%s", account->settings.login);
	snprintf(token->client, sizeof(token->client), "%s", client_of(account));
	snprintf(token->token_endpoint, sizeof(token->token_endpoint), "%s",
	    account->settings.token_endpoint);
}

bool oauth_token_is_for(const struct oauth_token *token, const struct oauth_account *account)
{
	struct oauth_token *want = MEM_NEW(struct oauth_token);
	bool good;

	oauth_token_set_account(want, account);
	good = strcmp(token->login, want->login) == 0 && strcmp(token->client, want->client) == 0 &&
	       strcmp(token->token_endpoint, want->token_endpoint) == 0;
	mem_free(want);
	return good;
}

bool oauth_file_stamp_equal(const struct oauth_file_stamp *a, const struct oauth_file_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->changed_ns == b->changed_ns &&
	       a->size == b->size;
}

static void set_stamp(struct oauth_file_stamp *stamp, const struct stat *status)
{
	stamp->device = status->st_dev;
	stamp->inode = status->st_ino;
	stamp->changed_ns = (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec;
	stamp->size = status->st_size;
}

static bool cannot(struct fault *fault_out, const char *path, const char *what)
{
	fault_set(fault_out, FAULT_LOCAL, "%s %s: %s%s", path, what, strerror(errno),
	    errno == EACCES || errno == EPERM
		? " (the file belongs to the user that the relay runs as)"
		: "");
	return false;
}

static bool make_path(char path[PATH_SIZE], const char *directory, const char *before,
    const char *label, const char *after, struct fault *fault_out)
{
	if (snprintf(path, PATH_SIZE, "%s/%s%s%s", directory, before, label, after) < PATH_SIZE)
		return true;
	fault_set(fault_out, FAULT_LOCAL, "%s: the path is too long", directory);
	return false;
}

/* ---- reading ---- */

static void take_text(const json_t *root, const char *key, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(root, key));

	snprintf(out, size, "%s", text ? text : "");
}

static int64_t take_seconds(const json_t *root, const char *key)
{
	json_int_t seconds = json_integer_value(json_object_get(root, key));

	return seconds > 0 && seconds < 1000000000000 ? (int64_t)seconds * 1000 : 0;
}

/* False when it is there and is no token. */
static bool take_secret(const json_t *root, const char *key, struct buf *out)
{
	json_t *value = json_object_get(root, key);
	struct span text;

	buf_clear(out);
	if (!value)
		return true;
	text = span_of(json_string_value(value), json_string_length(value));
	if (!json_is_string(value) || !oauth_token_is_sound(text))
		return false;
	buf_append(out, text);
	mem_wipe((char *)text.data, text.len);
	return true;
}

static bool take_all(const json_t *root, struct oauth_token *token)
{
	take_text(root, "login", token->login, sizeof(token->login));
	take_text(root, "client", token->client, sizeof(token->client));
	take_text(root, "token_endpoint", token->token_endpoint, sizeof(token->token_endpoint));
	take_text(root, "error", token->error, sizeof(token->error));
	token->expires_ms = take_seconds(root, "expires");
	token->lifetime_ms = take_seconds(root, "lifetime");
	token->refreshed_ms = take_seconds(root, "refreshed");
	token->signed_in_ms = take_seconds(root, "signed_in");
	token->error_ms = take_seconds(root, "error_time");
	token->dead = json_is_true(json_object_get(root, "dead"));
	return take_secret(root, "access_token", &token->access) &&
	       take_secret(root, "refresh_token", &token->refresh);
}

static bool parse(struct span text, struct oauth_token *token_out)
{
	struct oauth_token *found = MEM_NEW(struct oauth_token);
	json_error_t error;
	json_t *root = json_loadb(text.data, text.len, 0, &error);
	bool good;

	oauth_token_init(found);
	good = json_is_object(root) && take_all(root, found);
	if (good)
		oauth_token_copy(token_out, found);
	json_decref(root);
	oauth_token_fini(found);
	mem_free(found);
	return good;
}

static bool read_all(int fd, struct buf *text)
{
	char *room = buf_reserve(text, OAUTH_FILE_MAX);

	while (text->len < OAUTH_FILE_MAX) {
		ssize_t n = read(fd, room + text->len, OAUTH_FILE_MAX - text->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		buf_commit(text, (size_t)n);
	}
	return false;
}

static enum oauth_file_result read_open(int fd, const char *path, struct oauth_token *token_out,
    struct oauth_file_stamp *stamp_out, struct fault *fault_out)
{
	enum oauth_file_result result = OAUTH_FILE_BROKEN;
	struct stat status;
	struct buf text;

	if (fstat(fd, &status) == 0)
		set_stamp(stamp_out, &status);
	buf_init_secret(&text, OAUTH_FILE_MAX);
	if (read_all(fd, &text) && parse(buf_span(&text), token_out))
		result = OAUTH_FILE_FOUND;
	else
		fault_set(
		    fault_out, FAULT_LOCAL, "%s cannot be understood: it is no token file", path);
	buf_fini(&text);
	return result;
}

enum oauth_file_result oauth_file_read(const char *directory, const char *label,
    struct oauth_token *token_out, struct oauth_file_stamp *stamp_out, struct fault *fault_out)
{
	enum oauth_file_result result;
	char path[PATH_SIZE];
	int fd;

	*stamp_out = (struct oauth_file_stamp){ 0 };
	if (!make_path(path, directory, "", label, ".json", fault_out))
		return OAUTH_FILE_BROKEN;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return OAUTH_FILE_ABSENT;
	if (fd < 0) {
		cannot(fault_out, path, "cannot be opened");
		return OAUTH_FILE_BROKEN;
	}
	result = read_open(fd, path, token_out, stamp_out, fault_out);
	close(fd);
	return result;
}

/* ---- writing ---- */

static void put_text(json_t *root, const char *key, const char *text)
{
	if (text[0] != '\0')
		json_object_set_new(root, key, json_string(text));
}

static void put_seconds(json_t *root, const char *key, int64_t ms)
{
	if (ms != 0)
		json_object_set_new(root, key, json_integer(ms / 1000));
}

/* The tokens are printable ASCII without quotes to escape but " and \, and are written by hand, so
   that no copy of them stays in the library's memory. */
static void put_secret(struct buf *text, const char *key, struct span secret)
{
	if (secret.len == 0)
		return;
	buf_printf(text, ",\"%s\":\"", key);
	for (size_t i = 0; i < secret.len; i++) {
		if (secret.data[i] == '"' || secret.data[i] == '\\')
			buf_append_byte(text, '\\');
		buf_append_byte(text, secret.data[i]);
	}
	buf_append_byte(text, '"');
}

static void format(const struct oauth_token *token, const char *label, struct buf *text)
{
	json_t *root = json_pack("{s:s}", "account", label);
	char *dumped;

	put_text(root, "login", token->login);
	put_text(root, "client", token->client);
	put_text(root, "token_endpoint", token->token_endpoint);
	put_seconds(root, "expires", token->expires_ms);
	put_seconds(root, "lifetime", token->lifetime_ms);
	put_seconds(root, "refreshed", token->refreshed_ms);
	put_seconds(root, "signed_in", token->signed_in_ms);
	if (token->dead)
		json_object_set_new(root, "dead", json_true());
	put_text(root, "error", token->error);
	put_seconds(root, "error_time", token->error_ms);
	dumped = json_dumps(root, JSON_COMPACT);
	buf_append(text, span_head(span_from_string(dumped), strlen(dumped) - 1));
	free(dumped);
	json_decref(root);
	put_secret(text, "access_token", buf_span(&token->access));
	put_secret(text, "refresh_token", buf_span(&token->refresh));
	buf_append_string(text, "}\n");
}

/* What root makes belongs to whom the directory belongs. */
static bool give_to_owner(int directory_fd, int fd)
{
	struct stat status;

	if (geteuid() != 0)
		return true;
	return fstat(directory_fd, &status) == 0 && fchown(fd, status.st_uid, status.st_gid) == 0;
}

bool oauth_file_write(const char *directory, const char *label, const struct oauth_token *token,
    struct oauth_file_stamp *stamp_out, struct fault *fault_out)
{
	char path[PATH_SIZE], name[OAUTH_LABEL_MAX + 16];
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat status;
	struct buf text;
	bool good;

	if (!make_path(path, directory, "", label, ".json", fault_out)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (fd < 0)
		return cannot(fault_out, path, "cannot be written");
	snprintf(name, sizeof(name), "%s.json", label);
	buf_init_secret(&text, OAUTH_FILE_MAX);
	format(token, label, &text);
	good = file_replace_at(fd, name, 0600, buf_span(&text), &status);
	if (good)
		set_stamp(stamp_out, &status);
	else
		cannot(fault_out, path, "cannot be written");
	buf_fini(&text);
	close(fd);
	return good;
}

/* ---- the lock ---- */

static int open_lock(const char *directory, const char *path)
{
	int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
	int fd = open(path, flags, 0600);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return -1;
	return open(path, flags, 0600);
}

static bool give_lock(const char *directory, int fd)
{
	int directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = directory_fd >= 0 && give_to_owner(directory_fd, fd);

	if (directory_fd >= 0)
		close(directory_fd);
	return good;
}

enum oauth_lock oauth_file_lock(
    const char *directory, const char *label, int *fd_out, struct fault *fault_out)
{
	char path[PATH_SIZE];
	int fd;

	if (!make_path(path, directory, ".", label, ".lock", fault_out))
		return OAUTH_LOCK_FAILED;
	fd = open_lock(directory, path);
	if (fd < 0) {
		cannot(fault_out, path, "cannot be opened");
		return OAUTH_LOCK_FAILED;
	}
	if (give_lock(directory, fd) && flock(fd, LOCK_EX | LOCK_NB) == 0) {
		*fd_out = fd;
		return OAUTH_LOCK_HELD;
	}
	if (errno == EWOULDBLOCK) {
		close(fd);
		return OAUTH_LOCK_BUSY;
	}
	cannot(fault_out, path, "cannot be locked");
	close(fd);
	return OAUTH_LOCK_FAILED;
}
