/* SPDX-License-Identifier: MIT */
#include "account/users.h"

#include "account/users_line.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct account_users {
	_Atomic unsigned references;
	char *text; /* names and hashes borrow from it */
	size_t text_len;
	struct account_user *items;
	size_t count, capacity;
	struct map *by_name;
	const struct account_user *decoy;
};

/* "decoy", hashed with yescrypt's usual cost: for a file without a single working hash. */
static const struct account_user invented_decoy = {
	.hash = { "$y$j9T$7kC2vJQe1hFfO0sLwYzpV1$hBcG7RKBlT97C/63I48qYk9GkT3D.QRWUKkEGTyrm6/", 73 },
	.scheme = "yescrypt",
};

static void note(struct account_notes *notes, enum account_note_kind kind, unsigned line,
    unsigned column, const char *format, ...) __attribute__((format(printf, 5, 6)));

static void note(struct account_notes *notes, enum account_note_kind kind, unsigned line,
    unsigned column, const char *format, ...)
{
	if (kind == ACCOUNT_NOTE_ERROR)
		notes->errors++;
	else
		notes->warnings++;
	if (notes->count == USERS_NOTES_MAX)
		return;
	struct account_note *n = &notes->items[notes->count++];
	n->kind = kind;
	n->line = line;
	n->column = column;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(n->text, sizeof(n->text), format, arguments);
	va_end(arguments);
}

const char *account_note_format(
    const struct account_note *n, const char *path, char *out, size_t size)
{
	const char *kind = n->kind == ACCOUNT_NOTE_WARNING ? "warning: " : "";
	if (n->line > 0)
		snprintf(out, size, "%s:%u:%u: %s%s", path, n->line, n->column, kind, n->text);
	else
		snprintf(out, size, "%s: %s%s", path, kind, n->text);
	return out;
}

static void users_destroy(struct account_users *users)
{
	for (size_t i = 0; i < users->count; i++)
		users_line_fini(&users->items[i]);
	mem_free(users->items);
	map_destroy(&users->by_name, NULL);
	if (users->text != NULL)
		mem_wipe(users->text, users->text_len);
	mem_free(users->text);
	mem_free(users);
}

/* Takes what stands on the line into the set, or says why not. */
static void add_line(struct account_users *users, struct users_line *line, unsigned number,
    struct account_notes *notes)
{
	if (users->count == USERS_COUNT_MAX) {
		users_line_fini(&line->user);
		note(notes, ACCOUNT_NOTE_ERROR, number, 1, "more than %d users", USERS_COUNT_MAX);
		return;
	}
	if (users->count == users->capacity) {
		users->capacity = users->capacity == 0 ? 64 : users->capacity * 2;
		users->items = mem_realloc(users->items, users->capacity * sizeof(users->items[0]));
	}
	users->items[users->count] = line->user;
	users->items[users->count++].line = number;
}

/* Nothing but blanks can stand before a name. */
static unsigned name_column(const struct account_users *users, const struct account_user *user)
{
	const char *at = user->name.data;
	while (at > users->text && (at[-1] == ' ' || at[-1] == '\t'))
		at--;
	return (unsigned)(user->name.data - at) + 1;
}

/* Only now, because the array has found its place. */
static void index_names(struct account_users *users, struct account_notes *notes)
{
	for (size_t i = 0; i < users->count; i++) {
		struct account_user *user = &users->items[i];
		const struct account_user *first = map_get(users->by_name, user->name);
		if (first != NULL)
			note(notes, ACCOUNT_NOTE_ERROR, user->line, name_column(users, user),
			    "line %u has this user already", first->line);
		else
			map_set(users->by_name, user->name, user);
	}
}

struct work_count {
	size_t users;
	const struct account_user *first;
};

/* The first user of the largest group with the same scheme and cost. */
static const struct account_user *choose_decoy(const struct account_users *users)
{
	struct map *groups = map_create();
	const struct work_count *largest = NULL;
	for (size_t i = 0; i < users->count; i++) {
		struct span work = users_line_work(&users->items[i]);
		if (work.len == 0)
			continue;
		struct work_count *group = map_get(groups, work);
		if (group == NULL) {
			group = MEM_NEW(struct work_count);
			group->first = &users->items[i];
			map_set(groups, work, group);
		}
		group->users++;
		if (largest == NULL || group->users > largest->users)
			largest = group;
	}
	const struct account_user *decoy = largest != NULL ? largest->first : &invented_decoy;
	map_destroy(&groups, mem_free);
	return decoy;
}

static void parse_lines(struct account_users *users, struct account_notes *notes)
{
	struct span rest = span_of(users->text, users->text_len);
	struct span text_line;
	for (unsigned number = 1; span_take_until(&rest, '\n', &text_line); number++) {
		struct users_line line;
		enum users_line_result result = users_line_parse(
		    users->text + (text_line.data - users->text), text_line.len, &line);
		for (size_t i = 0; i < line.note_count; i++)
			note(notes, line.notes[i].kind, number, line.notes[i].column, "%s",
			    line.notes[i].text);
		if (result == USERS_LINE_USER)
			add_line(users, &line, number, notes);
	}
}

struct account_users *account_users_parse(struct span text, struct account_notes *notes_out)
{
	if (text.len > USERS_FILE_MAX_BYTES) {
		note(notes_out, ACCOUNT_NOTE_ERROR, 0, 0, "is larger than %d MiB",
		    USERS_FILE_MAX_BYTES / 1024 / 1024);
		return NULL;
	}
	size_t errors_before = notes_out->errors;
	struct account_users *users = MEM_NEW(struct account_users);
	users->references = 1;
	users->text = mem_dup(text.data, text.len);
	users->text_len = text.len;
	users->by_name = map_create();
	parse_lines(users, notes_out);
	index_names(users, notes_out);
	users->decoy = choose_decoy(users);
	if (notes_out->errors > errors_before) {
		users_destroy(users);
		return NULL;
	}
	return users;
}

/* Appends all of fd; *error_out is an errno, or 0 when the ceiling of out was passed. */
static bool read_all(int fd, struct buf *out, int *error_out)
{
	for (;;) {
		char *room = buf_reserve(out, 65536);
		if (room == NULL) {
			*error_out = 0;
			return false;
		}
		ssize_t n = read(fd, room, 65536);
		if (n == 0)
			return true;
		if (n > 0) {
			buf_commit(out, (size_t)n);
		} else if (errno != EINTR) {
			*error_out = errno;
			return false;
		}
	}
}

struct account_users *account_users_read_fd(int fd, struct account_notes *notes_out)
{
	struct stat status;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0)
		note(notes_out, ACCOUNT_NOTE_WARNING, 0, 0,
		    "everybody on this machine can read it: chmod 0640");
	struct buf text;
	buf_init_secret(&text, USERS_FILE_MAX_BYTES + 65536);
	struct account_users *users = NULL;
	int error;
	if (read_all(fd, &text, &error))
		users = account_users_parse(buf_span(&text), notes_out);
	else if (error == 0)
		note(notes_out, ACCOUNT_NOTE_ERROR, 0, 0, "is larger than %d MiB",
		    USERS_FILE_MAX_BYTES / 1024 / 1024);
	else
		note(notes_out, ACCOUNT_NOTE_ERROR, 0, 0, "cannot be read: %s", strerror(error));
	buf_fini(&text);
	return users;
}

struct account_users *account_users_read(const char *path, struct account_notes *notes_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		note(notes_out, ACCOUNT_NOTE_ERROR, 0, 0, "cannot be opened: %s", strerror(errno));
		return NULL;
	}
	struct account_users *users = account_users_read_fd(fd, notes_out);
	close(fd);
	return users;
}

struct account_users *account_users_ref(struct account_users *users)
{
	atomic_fetch_add_explicit(&users->references, 1, memory_order_relaxed);
	return users;
}

void account_users_unref(struct account_users **users_pointer)
{
	struct account_users *users = *users_pointer;
	*users_pointer = NULL;
	if (users == NULL)
		return;
	unsigned before = atomic_fetch_sub_explicit(&users->references, 1, memory_order_acq_rel);
	assert(before > 0);
	if (before == 1)
		users_destroy(users);
}

const struct account_user *account_users_invented(void)
{
	return &invented_decoy;
}

bool account_user_works(const struct account_user *user)
{
	return user->hash.len > 0 || user->scram_count > 0 || user->secret.len > 0;
}

const struct account_scram *account_user_scram(
    const struct account_user *user, enum account_scram_hash hash)
{
	for (size_t i = 0; i < user->scram_count; i++)
		if (user->scram[i].hash == hash)
			return &user->scram[i];
	return NULL;
}

size_t account_users_count(const struct account_users *users)
{
	return users->count;
}

const struct account_user *account_users_at(const struct account_users *users, size_t index)
{
	assert(index < users->count);
	return &users->items[index];
}

const struct account_user *account_users_find(const struct account_users *users, struct span name)
{
	return map_get(users->by_name, name);
}

const struct account_user *account_users_decoy(const struct account_users *users)
{
	return users->decoy;
}
