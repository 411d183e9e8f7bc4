/* SPDX-License-Identifier: MIT */
#include "relay/maildir.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_PIECE 16384

static bool fail(struct fault *fault, const char *what, const char *path)
{
	fault_set(fault, FAULT_LOCAL, "%s %s: %s", what, path, strerror(errno));
	return false;
}

static bool make_directory(int at, const char *path, struct fault *fault)
{
	if (mkdirat(at, path, 0700) == 0 || errno == EEXIST)
		return true;
	return fail(fault, "cannot make the Maildir directory", path);
}

/* Makes every missing directory above and including path. */
static bool make_path(const char *path, struct fault *fault)
{
	char partial[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(partial)) {
		fault_set(
		    fault, FAULT_LOCAL, "the Maildir path is longer than %d octets", PATH_MAX);
		return false;
	}
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(partial, path, i);
		partial[i] = '\0';
		if (!make_directory(AT_FDCWD, partial, fault))
			return false;
	}
	return true;
}

static int open_maildir(const char *path, struct fault *fault)
{
	static const char *const parts[] = { "tmp", "new", "cur" };
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && make_path(path, fault))
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		fail(fault, "cannot open the Maildir", path);
		return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (!make_directory(fd, parts[i], fault)) {
			close(fd);
			return -1;
		}
	}
	return fd;
}

bool maildir_open(struct maildir_file *file, const char *path, uint64_t message_id,
    const char *host, enum maildir_line_ends line_ends, struct fault *fault_out)
{
	char id[ID_TEXT_SIZE], tmp[sizeof(file->name) + 8];

	*file = (struct maildir_file){ .directory_fd = -1, .fd = -1, .line_ends = line_ends };
	file->directory_fd = open_maildir(path, fault_out);
	if (file->directory_fd < 0)
		return false;
	snprintf(file->name, sizeof(file->name), "%lld.%s_%08x.%.180s",
	    (long long)(moment_wall_ms() / 1000), id_format(message_id, id), (unsigned)random_u64(),
	    host);
	snprintf(tmp, sizeof(tmp), "tmp/%s", file->name);
	file->fd = openat(file->directory_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file->fd >= 0)
		return true;
	fail(fault_out, "cannot create a message in the Maildir", path);
	maildir_abandon(file);
	return false;
}

static bool write_all(struct maildir_file *file, struct span bytes, struct fault *fault)
{
	while (bytes.len > 0) {
		ssize_t written = write(file->fd, bytes.data, bytes.len);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return fail(fault, "cannot write the message", file->name);
		bytes = span_skip(bytes, (size_t)written);
	}
	return true;
}

/* Copies bytes to out without the CR of each CRLF; a CR at the very end waits for its LF. */
static size_t drop_carriage_returns(struct maildir_file *file, struct span bytes, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < bytes.len; i++) {
		if (file->cr_pending && bytes.data[i] != '\n')
			out[len++] = '\r';
		file->cr_pending = bytes.data[i] == '\r';
		if (!file->cr_pending)
			out[len++] = bytes.data[i];
	}
	return len;
}

bool maildir_write(struct maildir_file *file, struct span bytes, struct fault *fault_out)
{
	char out[LINE_PIECE + 1];

	if (file->line_ends == MAILDIR_LINE_ENDS_KEPT)
		return write_all(file, bytes, fault_out);
	while (bytes.len > 0) {
		size_t n = bytes.len < LINE_PIECE ? bytes.len : LINE_PIECE;
		size_t len = drop_carriage_returns(file, span_head(bytes, n), out);
		if (!write_all(file, span_of(out, len), fault_out))
			return false;
		bytes = span_skip(bytes, n);
	}
	return true;
}

static bool publish(struct maildir_file *file, struct fault *fault)
{
	char tmp[sizeof(file->name) + 8], new[sizeof(file->name) + 8];
	int new_fd;
	bool synced;

	snprintf(tmp, sizeof(tmp), "tmp/%s", file->name);
	snprintf(new, sizeof(new), "new/%s", file->name);
	if (renameat(file->directory_fd, tmp, file->directory_fd, new) != 0)
		return fail(fault, "cannot move the message to", new);
	new_fd = openat(file->directory_fd, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	synced = new_fd >= 0 && fsync(new_fd) == 0;
	if (!synced) {
		fail(fault, "cannot sync the Maildir directory of", new);
		unlinkat(file->directory_fd, new, 0);
	}
	if (new_fd >= 0)
		close(new_fd);
	return synced;
}

bool maildir_close(struct maildir_file *file, const char **name_out, struct fault *fault_out)
{
	int fd = file->fd;

	if (file->cr_pending && !write_all(file, SPAN("\r"), fault_out)) {
		maildir_abandon(file);
		return false;
	}
	if (fsync(fd) != 0) {
		fail(fault_out, "cannot sync the message", file->name);
		maildir_abandon(file);
		return false;
	}
	file->fd = -1;
	if (close(fd) != 0) {
		fail(fault_out, "cannot close the message", file->name);
		maildir_abandon(file);
		return false;
	}
	if (!publish(file, fault_out)) {
		maildir_abandon(file);
		return false;
	}
	close(file->directory_fd);
	file->directory_fd = -1;
	if (name_out)
		*name_out = file->name;
	return true;
}

void maildir_abandon(struct maildir_file *file)
{
	char tmp[sizeof(file->name) + 8];

	if (file->directory_fd < 0)
		return;
	if (file->fd >= 0)
		close(file->fd);
	snprintf(tmp, sizeof(tmp), "tmp/%s", file->name);
	unlinkat(file->directory_fd, tmp, 0);
	close(file->directory_fd);
	file->fd = file->directory_fd = -1;
}
