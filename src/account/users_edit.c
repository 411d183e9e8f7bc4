/* SPDX-License-Identifier: MIT */
#include "account/users_edit.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A user's line, in parts that follow each other in the text. */
struct place {
	struct span before;      /* all lines before it, and its blanks */
	struct span credentials; /* behind the colon, without blanks at its end */
	struct span comment;     /* the blanks and # at its end, without line end */
	struct span after;       /* from the line end on */
	struct span line;        /* the whole line, with its end */
};

/* The credentials end at a # behind a blank or at the line's end; blanks there are not theirs. */
static size_t credentials_length(struct span rest)
{
	size_t len = 0;
	while (len < rest.len) {
		bool after_blank =
		    len > 0 && (rest.data[len - 1] == ' ' || rest.data[len - 1] == '\t');
		if (rest.data[len] == '#' && after_blank)
			break;
		len++;
	}
	while (len > 0 && (rest.data[len - 1] == ' ' || rest.data[len - 1] == '\t'))
		len--;
	return len;
}

static void place_set(
    struct place *place, struct span text, struct span line, size_t line_len, size_t colon_end)
{
	const char *start = line.data;
	struct span rest = span_skip(line, colon_end);
	size_t credentials_len = credentials_length(rest);
	place->credentials = span_head(rest, credentials_len);
	place->comment = span_skip(rest, credentials_len);
	place->before = span_of(text.data, (size_t)(rest.data - text.data));
	const char *line_end = line.data + line.len;
	place->after = span_of(line_end, (size_t)(text.data + text.len - line_end));
	place->line = span_of(start, line_len);
}

static bool find(struct span text, struct span name, struct place *place_out)
{
	struct span rest = text;
	struct span line;
	const char *start = text.data;
	while (span_take_until(&rest, '\n', &line)) {
		size_t line_len = (size_t)(text.data + text.len - rest.len - start);
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		size_t colon = span_find(line, ':');
		if (colon < line.len && span_equal(span_trim(span_head(line, colon)), name)) {
			place_set(place_out, text, line, line_len, colon + 1);
			return true;
		}
		start += line_len;
	}
	return false;
}

/* All parts or none. */
static bool append_parts(struct buf *out, const struct span parts[], size_t count)
{
	size_t before = out->len;
	for (size_t i = 0; i < count; i++) {
		if (!buf_append(out, parts[i])) {
			buf_truncate(out, before);
			return false;
		}
	}
	return true;
}

enum users_edit_result users_edit_add(
    struct span text, struct span name, struct span credential, struct buf *out)
{
	struct place place;
	if (find(text, name, &place))
		return USERS_EDIT_EXISTS;
	bool open_end = text.len > 0 && text.data[text.len - 1] != '\n';
	struct span end = open_end ? SPAN("\n") : SPAN("");
	const struct span parts[] = { text, end, name, SPAN(":"), credential, SPAN("\n") };
	return append_parts(out, parts, ARRAY_LEN(parts)) ? USERS_EDIT_DONE : USERS_EDIT_TOO_LARGE;
}

enum users_edit_result users_edit_replace(
    struct span text, struct span name, struct span credential, struct buf *out)
{
	struct place place;
	if (!find(text, name, &place))
		return USERS_EDIT_NO_SUCH_USER;
	const struct span parts[] = { place.before, credential, place.comment, place.after };
	return append_parts(out, parts, ARRAY_LEN(parts)) ? USERS_EDIT_DONE : USERS_EDIT_TOO_LARGE;
}

enum users_edit_result users_edit_remove(struct span text, struct span name, struct buf *out)
{
	struct place place;
	if (!find(text, name, &place))
		return USERS_EDIT_NO_SUCH_USER;
	size_t start = (size_t)(place.line.data - text.data);
	const struct span parts[] = {
		span_head(text, start),
		span_skip(text, start + place.line.len),
	};
	return append_parts(out, parts, ARRAY_LEN(parts)) ? USERS_EDIT_DONE : USERS_EDIT_TOO_LARGE;
}

/* ---- the file ---- */

static bool fail(struct fault *fault_out, const char *path, const char *what)
{
	fault_set(fault_out, FAULT_LOCAL, "%s %s: %s", path, what, strerror(errno));
	return false;
}

/* A directory must be synced after a create or rename in it, or a power cut may undo them. */
static bool sync_directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
	char *directory = len == 0 ? mem_strdup(".") : mem_dup(path, len);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mem_free(directory);
	if (fd < 0)
		return false;
	bool synced = fsync(fd) == 0;
	int error = errno;
	close(fd);
	errno = error;
	return synced;
}

/* The mode is set by hand: the daemon's group must read it whatever our caller's umask is. */
static bool create_empty(const char *path, bool *created_out, struct fault *fault_out)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST || fail(fault_out, path, "cannot be created");
	bool done = fchmod(fd, 0640) == 0 && fsync(fd) == 0;
	close(fd);
	if (!done || !sync_directory_of(path)) {
		fail(fault_out, path, "cannot be created");
		unlink(path);
		return false;
	}
	*created_out = true;
	return true;
}

/* Whether path still names what fd holds: another editor may have replaced it while we waited. */
static bool still_names(const char *path, int fd)
{
	struct stat named, held;
	return stat(path, &named) == 0 && fstat(fd, &held) == 0 && named.st_dev == held.st_dev &&
	       named.st_ino == held.st_ino;
}

/* Each turn in vain is another editor's replacement, which took it a sync. */
#define LOCK_TURNS_MAX 10000

static bool lock(struct users_file *file, struct fault *fault_out)
{
	for (int turn = 0; turn < LOCK_TURNS_MAX; turn++) {
		file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (file->fd < 0)
			return fail(fault_out, file->path, "cannot be opened");
		int result;
		do {
			result = flock(file->fd, LOCK_EX);
		} while (result != 0 && errno == EINTR);
		if (result != 0)
			return fail(fault_out, file->path, "cannot be locked");
		if (still_names(file->path, file->fd))
			return true;
		close(file->fd);
		file->fd = -1;
	}
	fault_set(fault_out, FAULT_LOCAL, "%s keeps being replaced by others", file->path);
	return false;
}

static bool read_text(struct users_file *file, struct fault *fault_out)
{
	struct stat status;
	if (fstat(file->fd, &status) != 0)
		return fail(fault_out, file->path, "cannot be read");
	if (!S_ISREG(status.st_mode)) {
		fault_set(fault_out, FAULT_LOCAL, "%s is not a regular file", file->path);
		return false;
	}
	for (;;) {
		char *room = buf_reserve(&file->text, 4096);
		if (room == NULL) {
			fault_set(fault_out, FAULT_LOCAL, "%s is larger than %d MiB", file->path,
			    USERS_FILE_MAX_BYTES / 1024 / 1024);
			return false;
		}
		ssize_t n = read(file->fd, room, 4096);
		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR)
			return fail(fault_out, file->path, "cannot be read");
		if (n > 0)
			buf_commit(&file->text, (size_t)n);
	}
}

bool users_file_open(struct users_file *file, const char *path, bool may_create, bool *created_out,
    struct fault *fault_out)
{
	*file = (struct users_file){ .fd = -1 };
	buf_init_secret(&file->text, USERS_FILE_MAX_BYTES + 4096);
	bool created = false;
	char *resolved = realpath(path, NULL);
	if (resolved == NULL && errno == ENOENT && may_create) {
		if (!create_empty(path, &created, fault_out))
			return false;
		resolved = realpath(path, NULL);
	}
	if (resolved == NULL)
		return fail(fault_out, path, "cannot be opened");
	file->path = mem_strdup(resolved);
	free(resolved);
	if (!lock(file, fault_out) || !read_text(file, fault_out)) {
		users_file_close(file);
		return false;
	}
	if (created_out != NULL)
		*created_out = created;
	return true;
}

/* Owner first: a change of owner may clear bits of the mode. */
static bool take_over_owner_and_mode(int fd, int old_fd)
{
	struct stat old, new;
	if (fstat(old_fd, &old) != 0 || fstat(fd, &new) != 0)
		return false;
	bool same = old.st_uid == new.st_uid &&old.st_gid == new.st_gid;
	return (same || fchown(fd, old.st_uid, old.st_gid) == 0) &&
	       fchmod(fd, old.st_mode & 0664) == 0;
}

bool users_file_replace(struct users_file *file, struct span text, struct fault *fault_out)
{
	size_t size = strlen(file->path) + 32;
	char *new_path = mem_alloc(size);
	snprintf(new_path, size, "%s.new-%016llx", file->path, (unsigned long long)random_u64());
	int fd = open(new_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		fail(fault_out, new_path, "cannot be created");
		mem_free(new_path);
		return false;
	}
	bool done = true;
	if (!take_over_owner_and_mode(fd, file->fd))
		done = fail(fault_out, new_path, "cannot be given the old file's owner and mode");
	else if (!file_write_all(fd, text) || fsync(fd) != 0)
		done = fail(fault_out, new_path, "cannot be written");
	if (close(fd) != 0 && done)
		done = fail(fault_out, new_path, "cannot be written");
	if (done && rename(new_path, file->path) != 0)
		done = fail(fault_out, file->path, "cannot be replaced");
	if (!done)
		unlink(new_path);
	else if (!sync_directory_of(file->path))
		done = fail(fault_out, file->path, "is replaced, but not synced");
	mem_free(new_path);
	return done;
}

void users_file_close(struct users_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	mem_free(file->path);
	file->path = NULL;
	buf_fini(&file->text);
}
