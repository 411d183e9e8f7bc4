/* SPDX-License-Identifier: MIT */
#include "account/bans_file.h"

#include "base/base64.h"
#include "base/file.h"
#include "base/memory.h"
#include "net/address.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "bans.json"
#define LOGIN_TEXT_MAX 512 /* in base64 */

static bool cannot(struct fault *fault_out, const char *directory, const char *what)
{
	fault_set(fault_out, FAULT_LOCAL, "%s/" NAME " cannot be %s: %s", directory, what,
	    strerror(errno));
	return false;
}

/* ---- reading ---- */

/* A login may hold any bytes, which JSON cannot: base64. */
static bool take_login(const json_t *item, struct account_ban *ban)
{
	const char *text = json_string_value(json_object_get(item, "login"));
	struct buf login;
	bool good;

	if (!text)
		return true;
	buf_init(&login, ACCOUNT_BANS_LOGIN_MAX);
	good = base64_decode(&login, span_from_string(text));
	if (good && login.len > 0) {
		memcpy(ban->login, buf_span(&login).data, login.len);
		ban->login_len = login.len;
	}
	buf_fini(&login);
	return good;
}

static bool take_ban(const json_t *item, struct account_ban *ban)
{
	const char *address = json_string_value(json_object_get(item, "address"));
	json_int_t failures = json_integer_value(json_object_get(item, "failures"));
	json_int_t times = json_integer_value(json_object_get(item, "times"));

	*ban = (struct account_ban){ 0 };
	if (!address || !account_address_parse(span_from_string(address), &ban->address) ||
	    failures < 0 || failures > INT32_MAX || times < 0 || times > INT32_MAX)
		return false;
	ban->since_ms = json_integer_value(json_object_get(item, "since_ms"));
	ban->until_ms = json_integer_value(json_object_get(item, "until_ms"));
	ban->failures = (unsigned)failures;
	ban->times = (unsigned)times;
	return ban->until_ms > 0 && take_login(item, ban);
}

static bool take_all(const json_t *root, struct account_bans *bans)
{
	const json_t *list = json_object_get(root, "bans"), *item;
	struct account_ban ban;
	bool good = json_is_array(list);
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (i >= ACCOUNT_BANS_MAX)
			break;
		if (take_ban(item, &ban))
			account_bans_add(bans, &ban);
		else
			good = false;
	}
	return good;
}

static bool parse(FILE *file, struct account_bans *bans)
{
	struct stat status;
	json_error_t error;
	json_t *root = NULL;
	bool good;

	if (fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) &&
	    status.st_size <= BANS_FILE_MAX)
		root = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
	good = take_all(root, bans);
	json_decref(root);
	return good;
}

bool bans_file_read(const char *directory, struct account_bans *bans, struct fault *fault_out)
{
	char path[4096];
	FILE *file;
	bool good;
	int fd;

	if (snprintf(path, sizeof(path), "%s/" NAME, directory) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return cannot(fault_out, directory, "read");
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT || cannot(fault_out, directory, "read");
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return cannot(fault_out, directory, "read");
	}
	good = parse(file, bans);
	fclose(file);
	if (!good)
		fault_set(fault_out, FAULT_LOCAL, "%s cannot be understood: not all bans were read",
		    path);
	return good;
}

/* ---- writing ---- */

static json_t *ban_json(const struct account_ban *ban)
{
	char address[ACCOUNT_ADDRESS_TEXT_MAX];
	json_t *item = json_pack("{s:s,s:I,s:I,s:i,s:i}", "address",
	    account_address_format(&ban->address, address), "since_ms", (json_int_t)ban->since_ms,
	    "until_ms", (json_int_t)ban->until_ms, "failures", (int)ban->failures, "times",
	    (int)ban->times);
	struct buf login;

	if (ban->login_len == 0)
		return item;
	buf_init(&login, LOGIN_TEXT_MAX);
	base64_encode(&login, span_of(ban->login, ban->login_len));
	json_object_set_new(item, "login", json_string(buf_string(&login)));
	buf_fini(&login);
	return item;
}

static char *format(const struct account_ban *list, size_t count)
{
	json_t *items = json_array();
	json_t *root = json_pack("{s:o}", "bans", items);
	char *text;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(items, ban_json(&list[i]));
	text = json_dumps(root, JSON_INDENT(1));
	json_decref(root);
	return text;
}

bool bans_file_write(
    const char *directory, const struct account_ban *list, size_t count, struct fault *fault_out)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *text;
	bool good;

	if (fd < 0 && errno == ENOENT && mkdir(directory, 0700) == 0)
		fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return cannot(fault_out, directory, "written");
	text = format(list, count);
	good = file_replace_at(fd, NAME, 0600, span_from_string(text), NULL);
	if (!good)
		cannot(fault_out, directory, "written");
	free(text);
	close(fd);
	return good;
}
