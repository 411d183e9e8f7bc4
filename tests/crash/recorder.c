/* SPDX-License-Identifier: MIT */
#include "recorder.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 512
#define FDS_MAX 4096
#define PENDING_MAX 8192
#define PATH_MAX_LEN 256

/* --- Notes --- */

enum event_kind {
	EVENT_CREATE,
	EVENT_WRITE,
	EVENT_DURABLE_WRITE,
	EVENT_TRUNCATE,
	EVENT_SYNC,
	EVENT_MAKE_DIRECTORY,
	EVENT_SYNC_DIRECTORY,
	EVENT_RENAME,
	EVENT_UNLINK,
};

static const char *const event_names[] = { "create", "write", "durable write", "truncate", "sync",
	"make directory", "sync directory", "rename", "unlink" };

struct event {
	enum event_kind kind;
	char path[PATH_MAX_LEN], to[PATH_MAX_LEN]; /* below the root */
	uint64_t offset;
	size_t len;
	char *data;
};

static struct {
	char root[PATH_MAX_LEN];
	struct event *events;
	size_t count, room;
	char *fd_paths[FDS_MAX];
} notes;

static const char *below_root(const char *path)
{
	size_t len = strlen(notes.root);
	if (len == 0 || strncmp(path, notes.root, len) != 0)
		return NULL;
	return path[len] == '/' ? path + len + 1 : path[len] == '\0' ? "" : NULL;
}

static struct event *note(enum event_kind kind, const char *path)
{
	const char *below = below_root(path);
	if (below == NULL)
		return NULL;
	if (notes.count == notes.room) {
		notes.room = notes.room == 0 ? 1024 : 2 * notes.room;
		notes.events = mem_realloc(notes.events, notes.room * sizeof(*notes.events));
	}
	struct event *event = &notes.events[notes.count++];
	memset(event, 0, sizeof(*event));
	event->kind = kind;
	snprintf(event->path, sizeof(event->path), "%s", below);
	return event;
}

static void note_write(
    const char *path, const void *data, size_t len, uint64_t offset, bool durable)
{
	struct event *event = note(durable ? EVENT_DURABLE_WRITE : EVENT_WRITE, path);
	if (event == NULL)
		return;
	event->data = mem_dup(data, len);
	event->len = len;
	event->offset = offset;
}

void recorder_start(const char *root)
{
	recorder_stop();
	snprintf(notes.root, sizeof(notes.root), "%s", root);
}

size_t recorder_event_count(void)
{
	return notes.count;
}

const char *recorder_event_name(size_t index)
{
	static char text[2 * PATH_MAX_LEN];
	const struct event *event = &notes.events[index];
	snprintf(text, sizeof(text), "%s %s", event_names[event->kind], event->path);
	return text;
}

/* --- The spool's files --- */

static int record_open(void *context, const char *path, int flags)
{
	bool existed = access(path, F_OK) == 0;
	int fd = spool_files_system()->open(NULL, path, flags);
	if (fd < 0)
		return fd;
	assert(fd < FDS_MAX);
	mem_free(notes.fd_paths[fd]);
	notes.fd_paths[fd] = mem_strdup(path);
	if (!existed)
		note(EVENT_CREATE, path);
	else if ((flags & O_TRUNC) != 0)
		note(EVENT_TRUNCATE, path);
	return fd;
}

static int record_close(void *context, int fd)
{
	mem_free(notes.fd_paths[fd]);
	notes.fd_paths[fd] = NULL;
	return spool_files_system()->close(NULL, fd);
}

static ssize_t record_write(
    void *context, int fd, const void *data, size_t len, uint64_t offset, bool durable)
{
	ssize_t n = spool_files_system()->write(NULL, fd, data, len, offset, durable);
	if (n > 0)
		note_write(notes.fd_paths[fd], data, (size_t)n, offset, durable);
	return n;
}

static ssize_t record_read(void *context, int fd, void *data, size_t len, uint64_t offset)
{
	return spool_files_system()->read(NULL, fd, data, len, offset);
}

static int record_sync(void *context, int fd)
{
	int result = spool_files_system()->sync(NULL, fd);
	note(EVENT_SYNC, notes.fd_paths[fd]);
	return result;
}

static int record_truncate(void *context, int fd, uint64_t size)
{
	struct event *event = note(EVENT_TRUNCATE, notes.fd_paths[fd]);
	if (event != NULL)
		event->offset = size;
	return spool_files_system()->truncate(NULL, fd, size);
}

static int64_t record_size(void *context, int fd)
{
	return spool_files_system()->size(NULL, fd);
}

static int record_make_directory(void *context, const char *path)
{
	note(EVENT_MAKE_DIRECTORY, path);
	return spool_files_system()->make_directory(NULL, path);
}

static int record_sync_directory(void *context, const char *path)
{
	int result = spool_files_system()->sync_directory(NULL, path);
	note(EVENT_SYNC_DIRECTORY, path);
	return result;
}

/* Open descriptors follow the file to its new name. */
static int record_rename(void *context, const char *from, const char *to)
{
	int result = spool_files_system()->rename(NULL, from, to);
	if (result != 0)
		return result;
	struct event *event = note(EVENT_RENAME, from);
	if (event != NULL)
		snprintf(event->to, sizeof(event->to), "%s", below_root(to));
	for (int fd = 0; fd < FDS_MAX; fd++) {
		if (notes.fd_paths[fd] != NULL && strcmp(notes.fd_paths[fd], from) == 0) {
			mem_free(notes.fd_paths[fd]);
			notes.fd_paths[fd] = mem_strdup(to);
		}
	}
	return result;
}

static int record_unlink(void *context, const char *path)
{
	int result = spool_files_system()->unlink(NULL, path);
	if (result == 0)
		note(EVENT_UNLINK, path);
	return result;
}

static int record_list(void *context, const char *path,
    bool (*each)(void *each_context, const char *name), void *each_context)
{
	return spool_files_system()->list(NULL, path, each, each_context);
}

static int record_space(void *context, const char *path, struct spool_space *space_out)
{
	return spool_files_system()->space(NULL, path, space_out);
}

const struct spool_files *recorder_files(void)
{
	static const struct spool_files files = {
		.open = record_open,
		.close = record_close,
		.write = record_write,
		.read = record_read,
		.sync = record_sync,
		.truncate = record_truncate,
		.size = record_size,
		.make_directory = record_make_directory,
		.sync_directory = record_sync_directory,
		.rename = record_rename,
		.unlink = record_unlink,
		.list = record_list,
		.space = record_space,
	};
	return &files;
}

/* --- queue.db --- */

struct shim_file {
	sqlite3_file base;
	char path[PATH_MAX_LEN];
	bool name_unsynced; /* SQLite's own layer syncs the directory of a new log with it */
	sqlite3_file *real;
};

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct shim_file *)file)->real;
}

static int shim_close(sqlite3_file *file)
{
	sqlite3_file *real = real_of(file);
	int result = real->pMethods != NULL ? real->pMethods->xClose(real) : SQLITE_OK;
	sqlite3_free(real);
	return result;
}

static int shim_read(sqlite3_file *file, void *to, int len, sqlite3_int64 offset)
{
	return real_of(file)->pMethods->xRead(real_of(file), to, len, offset);
}

static int shim_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 offset)
{
	note_write(((struct shim_file *)file)->path, from, (size_t)len, (uint64_t)offset, false);
	return real_of(file)->pMethods->xWrite(real_of(file), from, len, offset);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct event *event = note(EVENT_TRUNCATE, ((struct shim_file *)file)->path);
	if (event != NULL)
		event->offset = (uint64_t)size;
	return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static void note_directory_of(const char *path)
{
	char directory[PATH_MAX_LEN];
	snprintf(directory, sizeof(directory), "%s", path);
	*strrchr(directory, '/') = '\0';
	note(EVENT_SYNC_DIRECTORY, directory);
}

static int shim_sync(sqlite3_file *file, int flags)
{
	struct shim_file *shim = (struct shim_file *)file;
	int result = real_of(file)->pMethods->xSync(real_of(file), flags);
	note(EVENT_SYNC, shim->path);
	if (shim->name_unsynced)
		note_directory_of(shim->path);
	shim->name_unsynced = false;
	return result;
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int shim_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_check_lock(sqlite3_file *file, int *result)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), result);
}

/* Size hints would let the real layer change the file unseen. */
static int shim_control(sqlite3_file *file, int operation, void *argument)
{
	if (operation == SQLITE_FCNTL_SIZE_HINT || operation == SQLITE_FCNTL_CHUNK_SIZE ||
	    operation == SQLITE_FCNTL_MMAP_SIZE)
		return SQLITE_NOTFOUND;
	return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

/* Promises nothing: the most careful SQLite is the one that is tested least kindly. */
static int shim_sector_size(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_characteristics(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int shim_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
	return real_of(file)->pMethods->xShmMap(real_of(file), region, size, extend, out);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shim_shm_unmap(sqlite3_file *file, int remove)
{
	return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods shim_methods = {
	.iVersion = 2,
	.xClose = shim_close,
	.xRead = shim_read,
	.xWrite = shim_write,
	.xTruncate = shim_truncate,
	.xSync = shim_sync,
	.xFileSize = shim_size,
	.xLock = shim_lock,
	.xUnlock = shim_unlock,
	.xCheckReservedLock = shim_check_lock,
	.xFileControl = shim_control,
	.xSectorSize = shim_sector_size,
	.xDeviceCharacteristics = shim_characteristics,
	.xShmMap = shim_shm_map,
	.xShmLock = shim_shm_lock,
	.xShmBarrier = shim_shm_barrier,
	.xShmUnmap = shim_shm_unmap,
};

static sqlite3_vfs *real_vfs;

static bool is_known(const char *path)
{
	const char *below = below_root(path);
	bool known = false;
	for (size_t i = 0; below != NULL && i < notes.count; i++) {
		const struct event *event = &notes.events[i];
		if (strcmp(event->path, below) == 0 && event->kind == EVENT_CREATE)
			known = true;
		if (strcmp(event->path, below) == 0 && event->kind == EVENT_UNLINK)
			known = false;
	}
	return known;
}

static int shim_open(
    sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
	struct shim_file *shim = (struct shim_file *)file;
	memset(shim, 0, sizeof(*shim));
	shim->real = sqlite3_malloc(real_vfs->szOsFile);
	memset(shim->real, 0, (size_t)real_vfs->szOsFile);
	int result = real_vfs->xOpen(real_vfs, name, shim->real, flags, flags_out);
	if (result != SQLITE_OK) {
		sqlite3_free(shim->real);
		return result;
	}
	if (name != NULL) {
		snprintf(shim->path, sizeof(shim->path), "%s", name);
		if (!is_known(name)) {
			note(EVENT_CREATE, name);
			shim->name_unsynced = (flags & SQLITE_OPEN_WAL) != 0;
		}
	}
	shim->base.pMethods = &shim_methods;
	return SQLITE_OK;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
	int result = real_vfs->xDelete(real_vfs, name, sync_directory);
	if (result == SQLITE_OK && is_known(name)) {
		note(EVENT_UNLINK, name);
		if (sync_directory)
			note_directory_of(name);
	}
	return result;
}

const char *recorder_vfs(void)
{
	static sqlite3_vfs shim;
	if (real_vfs == NULL) {
		real_vfs = sqlite3_vfs_find(NULL);
		shim = *real_vfs;
		shim.zName = "recorder";
		shim.szOsFile = sizeof(struct shim_file);
		shim.pNext = NULL;
		shim.xOpen = shim_open;
		shim.xDelete = shim_delete;
		sqlite3_vfs_register(&shim, 0);
	}
	return "recorder";
}

/* --- The model --- */

struct model_file {
	char *bytes; /* durable content */
	size_t len, room;
	const struct event *pending[PENDING_MAX];
	size_t pending_count;
};

/* Names: what they lead to now, and what a power cut would leave. */
struct model_name {
	char path[PATH_MAX_LEN];
	int now, durable; /* index of a file; -1: absent */
};

static struct {
	struct model_file *files[FILES_MAX];
	int file_count;
	struct model_name names[FILES_MAX];
	size_t name_count;
	char directories[16][PATH_MAX_LEN];
	size_t directory_count;
	size_t done;
} model;

static struct model_name *find_name(const char *path)
{
	for (size_t i = 0; i < model.name_count; i++)
		if (strcmp(model.names[i].path, path) == 0)
			return &model.names[i];
	assert(model.name_count < FILES_MAX);
	struct model_name *name = &model.names[model.name_count++];
	snprintf(name->path, sizeof(name->path), "%s", path);
	name->now = name->durable = -1;
	return name;
}

static void grow(char **bytes, size_t *len, size_t *room, size_t size)
{
	if (size > *room) {
		size_t larger = size + size / 2;
		*bytes = mem_realloc(*bytes, larger);
		*room = larger;
	}
	if (size > *len)
		memset(*bytes + *len, 0, size - *len);
	if (size > *len)
		*len = size;
}

/* Applies the first `part` bytes of a write, or a truncation. */
static void apply(char **bytes, size_t *len, size_t *room, const struct event *event, size_t part)
{
	if (event->kind == EVENT_TRUNCATE) {
		if (event->offset < *len)
			*len = (size_t)event->offset;
		else
			grow(bytes, len, room, (size_t)event->offset);
		return;
	}
	grow(bytes, len, room, (size_t)event->offset + part);
	memcpy(*bytes + event->offset, event->data, part);
}

static void apply_durably(struct model_file *file, const struct event *event)
{
	apply(&file->bytes, &file->len, &file->room, event, event->len);
}

static void sync_file(struct model_file *file)
{
	for (size_t i = 0; i < file->pending_count; i++)
		apply_durably(file, file->pending[i]);
	file->pending_count = 0;
}

static bool stands_in(const char *path, const char *directory)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;
	return strlen(directory) == len && strncmp(path, directory, len) == 0;
}

static void sync_names(const char *directory)
{
	for (size_t i = 0; i < model.name_count; i++)
		if (stands_in(model.names[i].path, directory))
			model.names[i].durable = model.names[i].now;
}

static void create(const char *path)
{
	assert(model.file_count < FILES_MAX);
	model.files[model.file_count] = MEM_NEW(struct model_file);
	find_name(path)->now = model.file_count++;
}

static void take_event(const struct event *event)
{
	struct model_name *name = find_name(event->path);
	struct model_file *file = name->now >= 0 ? model.files[name->now] : NULL;
	switch (event->kind) {
	case EVENT_CREATE:
		create(event->path);
		break;
	case EVENT_WRITE:
	case EVENT_TRUNCATE:
		assert(file != NULL && file->pending_count < PENDING_MAX);
		file->pending[file->pending_count++] = event;
		break;
	case EVENT_DURABLE_WRITE:
		assert(file != NULL);
		apply_durably(file, event);
		break;
	case EVENT_SYNC:
		assert(file != NULL);
		sync_file(file);
		break;
	case EVENT_MAKE_DIRECTORY:
		assert(model.directory_count < 16);
		snprintf(
		    model.directories[model.directory_count++], PATH_MAX_LEN, "%s", event->path);
		break;
	case EVENT_SYNC_DIRECTORY:
		sync_names(event->path);
		break;
	case EVENT_RENAME:
		find_name(event->to)->now = name->now;
		name->now = -1;
		break;
	case EVENT_UNLINK:
		name->now = -1;
		break;
	}
}

/* --- Building what is left --- */

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
	return remove(path);
}

static bool keeps_names(enum recorder_loss loss, unsigned *seed)
{
	switch (loss) {
	case RECORDER_LOSE_ALL:
	case RECORDER_LOSE_NAMES:
		return false;
	case RECORDER_LOSE_NONE:
	case RECORDER_LOSE_BYTES:
		return true;
	case RECORDER_LOSE_SOME:
		break;
	}
	return rand_r(seed) % 2 == 0;
}

/* How much of an unsynced write is there. */
static size_t kept_part(const struct event *event, enum recorder_loss loss, unsigned *seed)
{
	switch (loss) {
	case RECORDER_LOSE_ALL:
	case RECORDER_LOSE_BYTES:
		return 0;
	case RECORDER_LOSE_NONE:
	case RECORDER_LOSE_NAMES:
		return event->len;
	case RECORDER_LOSE_SOME:
		break;
	}
	switch (rand_r(seed) % 3) {
	case 0:
		return 0;
	case 1:
		return event->len;
	}
	return event->len / 512 * 512 * (size_t)(rand_r(seed) % 8) / 8 / 512 * 512;
}

/* Zeros become holes: most of a segment is zeros. */
static void write_file(const char *path, const char *bytes, size_t len)
{
	static const char zeros[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert(fd >= 0);
	int result = ftruncate(fd, (off_t)len);
	assert(result == 0);
	for (size_t at = 0; at < len; at += sizeof(zeros)) {
		size_t part = len - at < sizeof(zeros) ? len - at : sizeof(zeros);
		if (memcmp(bytes + at, zeros, part) == 0)
			continue;
		ssize_t n = pwrite(fd, bytes + at, part, (off_t)at);
		assert(n == (ssize_t)part);
	}
	close(fd);
}

static void build_file(
    const struct model_file *file, enum recorder_loss loss, unsigned *seed, const char *path)
{
	size_t len = file->len, room = file->len + 1;
	char *bytes = mem_alloc(room);
	if (len > 0)
		memcpy(bytes, file->bytes, len);
	for (size_t i = 0; i < file->pending_count; i++) {
		const struct event *event = file->pending[i];
		bool truncation = event->kind == EVENT_TRUNCATE;
		size_t part = kept_part(event, loss, seed);
		if (part > 0 || (truncation && keeps_names(loss, seed)))
			apply(&bytes, &len, &room, event, part);
	}
	write_file(path, bytes, len);
	mem_free(bytes);
}

void recorder_replay(size_t count, enum recorder_loss loss, unsigned seed, const char *to)
{
	char path[2 * PATH_MAX_LEN + 2];
	assert(count >= model.done && count <= notes.count);
	while (model.done < count)
		take_event(&notes.events[model.done++]);
	nftw(to, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	int result = mkdir(to, 0700);
	assert(result == 0);
	for (size_t i = 0; i < model.directory_count; i++) {
		snprintf(path, sizeof(path), "%s/%s", to, model.directories[i]);
		if (model.directories[i][0] != '\0')
			mkdir(path, 0700);
	}
	/* A rename without its sync is there as a whole or not at all. */
	bool names = keeps_names(loss, &seed);
	for (size_t i = 0; i < model.name_count; i++) {
		const struct model_name *name = &model.names[i];
		int file = names ? name->now : name->durable;
		snprintf(path, sizeof(path), "%s/%s", to, name->path);
		if (file >= 0)
			build_file(model.files[file], loss, &seed, path);
	}
}

void recorder_stop(void)
{
	for (size_t i = 0; i < notes.count; i++)
		mem_free(notes.events[i].data);
	mem_free(notes.events);
	for (int fd = 0; fd < FDS_MAX; fd++)
		mem_free(notes.fd_paths[fd]);
	for (int i = 0; i < model.file_count; i++) {
		mem_free(model.files[i]->bytes);
		mem_free(model.files[i]);
	}
	memset(&notes, 0, sizeof(notes));
	memset(&model, 0, sizeof(model));
}
