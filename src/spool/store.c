/* SPDX-License-Identifier: MIT */
#include "spool/store.h"

#include "spool/engine.h"
#include "spool/pack.h"
#include "spool/recover.h"

#include "base/id.h"
#include "base/random.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define RESERVE_MIN (4 * 1024 * 1024) /* the log may grow that far before its checkpoint */
#define ROW_SPACE 1024                /* what a message's rows may take, roughly */
#define PATH_LEN_MAX 3900

/* --- Opening --- */

static char *path_below(const struct spool_store *store, const char *name)
{
	struct buf path;
	buf_init(&path, 4096);
	buf_printf(&path, "%s/%s", store->path, name);
	return buf_take_string(&path);
}

static bool make_directory(struct spool_store *store, const char *path, struct fault *fault_out)
{
	int error = store->files->make_directory(store->files->context, path);
	if (error != 0)
		fault_set(fault_out, FAULT_LOCAL, "cannot make the directory %s: %s", path,
		    strerror(-error));
	return error == 0;
}

static bool make_directories(struct spool_store *store, struct fault *fault_out)
{
	static const char *const names[] = { "segment", "large", "broken" };
	if (store->settings.create && !make_directory(store, store->path, fault_out))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = path_below(store, names[i]);
		bool ok = make_directory(store, path, fault_out);
		mem_free(path);
		if (!ok)
			return false;
	}
	return true;
}

static void explain_lock(const struct spool_store *store, int fd, struct fault *fault_out)
{
	char text[32] = "";
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
	uint64_t pid;
	if (len > 0 && span_to_u64(span_trim(span_of(text, strcspn(text, "\n"))), &pid))
		fault_set(fault_out, FAULT_LOCAL, "the spool %s is in use by process %llu",
		    store->path, (unsigned long long)pid);
	else
		fault_set(fault_out, FAULT_LOCAL, "the spool %s is in use by another process",
		    store->path);
}

/* The lock is the kernel's: it goes with the process, whatever ends it. The pid is for people. */
static bool take_lock(struct spool_store *store, struct fault *fault_out)
{
	char *path = path_below(store, "lock");
	int flags = O_RDWR | O_CLOEXEC | (store->settings.create ? O_CREAT : 0);
	int fd = open(path, flags, 0600);
	if (fd < 0)
		fault_set(fault_out, FAULT_LOCAL, "cannot open %s: %s", path, strerror(errno));
	mem_free(path);
	if (fd < 0)
		return false;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		explain_lock(store, fd, fault_out);
		close(fd);
		return false;
	}
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	/* On a full disk the old pid may stay: the lock holds all the same. */
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
		errno = 0;
	store->lock_fd = fd;
	return true;
}

static bool open_database(struct spool_store *store, struct fault *fault_out)
{
	char *path = path_below(store, "queue.db");
	/* SQLite's own mode would be 0644; its log takes after the file. */
	int fd = store->settings.create ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (fd >= 0)
		close(fd);
	bool ok = spool_database_open(
	    &store->database, path, store->settings.sqlite_vfs, store->settings.create, fault_out);
	mem_free(path);
	if (!ok)
		return false;
	int error = store->files->sync_directory(store->files->context, store->path);
	if (error != 0)
		fault_set(
		    fault_out, FAULT_LOCAL, "cannot sync %s: %s", store->path, strerror(-error));
	return error == 0 && spool_recover_meta(store, fault_out);
}

static bool open_segments(struct spool_store *store, struct fault *fault_out)
{
	struct spool_segments_settings settings = {
		.files = store->files,
		.spool_path = store->path,
		.key = store->key,
		.segment_size = store->settings.segment_size,
		.avoid_direct = store->settings.avoid_direct,
	};
	store->segments = spool_segments_open(&settings, fault_out);
	return store->segments != NULL;
}

static void describe(struct spool_store *store, uint64_t removed)
{
	snprintf(store->description, sizeof(store->description),
	    "%s; %llu messages, %llu bytes in bodies, %llu broken; "
	    "%llu unacknowledged files removed",
	    spool_segments_describe(store->segments), (unsigned long long)store->messages,
	    (unsigned long long)store->body_bytes, (unsigned long long)store->broken,
	    (unsigned long long)removed);
}

static bool open_all(struct spool_store *store, struct fault *fault_out)
{
	uint64_t removed = 0;
	if (!make_directories(store, fault_out) || !take_lock(store, fault_out) ||
	    !open_database(store, fault_out) || !open_segments(store, fault_out) ||
	    !spool_recover_rows(store, true, &removed, fault_out))
		return false;
	/* A full disk is no reason not to start: what is queued can be delivered. */
	if (store->settings.create &&
	    spool_segments_begin(store->segments, fault_out) == SPOOL_APPEND_FAILED)
		return false;
	describe(store, removed);
	return true;
}

struct spool_store *spool_store_open(
    const char *path, const struct spool_settings *settings, struct fault *fault_out)
{
	struct spool_store *store = MEM_NEW(struct spool_store);
	store->settings = *settings;
	store->files = settings->files != NULL ? settings->files : spool_files_system();
	store->path = mem_strdup(path);
	store->lock_fd = -1;
	store->hops = spool_hops_create();
	store->in_hand = map_create();
	store->next_watch_ms = INT64_MAX;
	buf_init(&store->scratch, SPOOL_PACK_MAX);
	if (strlen(path) > PATH_LEN_MAX)
		fault_set(fault_out, FAULT_LOCAL, "the spool's path is too long");
	else if (open_all(store, fault_out))
		return store;
	store->failed = true;
	spool_store_close(&store);
	return NULL;
}

void spool_store_close(struct spool_store **store)
{
	struct spool_store *gone = *store;
	struct fault ignored;
	*store = NULL;
	if (gone == NULL)
		return;
	/* The log that stays behind is as durable as the file it would have gone to. */
	if (!gone->failed)
		spool_database_checkpoint(&gone->database, true, &ignored);
	spool_database_close(&gone->database);
	spool_segments_close(&gone->segments);
	spool_hops_destroy(&gone->hops);
	map_destroy(&gone->in_hand, NULL);
	mem_free(gone->effects);
	buf_fini(&gone->scratch);
	if (gone->lock_fd >= 0)
		close(gone->lock_fd);
	mem_free(gone->path);
	mem_free(gone);
}

static bool reopen(struct spool_store *store, struct fault *fault_out)
{
	uint64_t removed;
	if (store->database.db != NULL)
		spool_database_close(&store->database);
	spool_segments_abandon(store->segments);
	char *path = path_below(store, "queue.db");
	bool ok = spool_database_open(
	    &store->database, path, store->settings.sqlite_vfs, false, fault_out);
	mem_free(path);
	if (!ok || !spool_database_checkpoint(&store->database, true, fault_out) ||
	    !spool_recover_rows(store, false, &removed, fault_out))
		return false;
	return spool_segments_begin(store->segments, fault_out) == SPOOL_APPEND_DONE;
}

bool spool_store_reopen(struct spool_store *store, struct fault *fault_out)
{
	store->failed = !reopen(store, fault_out);
	return !store->failed;
}

/* --- Facts --- */

void spool_store_set_notice(struct spool_store *store,
    void (*notice)(void *context, uint64_t id, const char *sentence), void *context)
{
	store->settings.notice = notice;
	store->settings.notice_context = context;
}

const char *spool_store_describe(const struct spool_store *store)
{
	return store->description;
}

const char *spool_store_path(const struct spool_store *store)
{
	return store->path;
}

unsigned spool_store_node(const struct spool_store *store)
{
	return store->node;
}

uint64_t spool_store_last_id(const struct spool_store *store)
{
	return store->last_id;
}

/* --- Room --- */

static uint64_t reserve_of(const struct spool_store *store)
{
	uint64_t reserve = store->settings.min_free_bytes;
	return reserve < RESERVE_MIN ? RESERVE_MIN : reserve;
}

static bool space_of(struct spool_store *store, struct spool_space *space_out)
{
	return store->files->space(store->files->context, store->path, space_out) == 0;
}

bool engine_scarce(struct spool_store *store)
{
	struct spool_space space;
	return space_of(store, &space) && space.free_bytes < reserve_of(store) + RESERVE_MIN;
}

bool spool_store_has_room(struct spool_store *store, uint64_t bytes, struct fault *fault_out)
{
	struct spool_space space;
	uint64_t reserve = reserve_of(store);
	/* What cannot be asked is found out by the write. */
	if (!space_of(store, &space) || space.free_bytes >= reserve + bytes + ROW_SPACE)
		return true;
	/* Segments kept for reuse are room too. */
	bool more = true;
	while (more && space.free_bytes < reserve + bytes + ROW_SPACE) {
		more = false;
		spool_segments_tidy(store->segments, true, &more);
		if (!space_of(store, &space))
			return true;
	}
	if (space.free_bytes >= reserve + bytes + ROW_SPACE)
		return true;
	fault_set(fault_out, FAULT_LOCAL,
	    "%s has %llu KiB free, and new mail is refused below %llu KiB (min-free)", store->path,
	    (unsigned long long)(space.free_bytes / 1024), (unsigned long long)(reserve / 1024));
	return false;
}

/* --- Hops and figures --- */

static void show_hop(const struct spool_hop_entry *hop, struct spool_hop *hop_out)
{
	hop_out->key = hop->key;
	hop_out->waiting = hop->waiting;
	hop_out->held = hop->held;
	hop_out->in_hand = hop->in_hand;
	hop_out->next_attempt_ms = hop->next_due_ms == INT64_MAX ? 0 : hop->next_due_ms;
	hop_out->oldest_ms = hop->oldest == UINT64_MAX ? 0 : id_wall_ms(hop->oldest);
}

static bool hop_is_empty(const struct spool_hop_entry *hop)
{
	return hop->waiting + hop->held + hop->broken + hop->in_hand == 0;
}

size_t spool_store_hops(
    struct spool_store *store, size_t position, struct spool_hop *hops_out, size_t max)
{
	size_t filled = 0, found = 0;
	for (size_t i = 0; i < spool_hops_count(store->hops); i++) {
		struct spool_hop_entry *hop = spool_hops_at(store->hops, i);
		if (hop_is_empty(hop))
			continue;
		if (found++ >= position && filled < max)
			show_hop(hop, &hops_out[filled++]);
	}
	return found;
}

int64_t spool_store_next_due(struct spool_store *store)
{
	int64_t next = store->next_watch_ms;
	for (size_t i = 0; i < spool_hops_count(store->hops); i++) {
		struct spool_hop_entry *hop = spool_hops_at(store->hops, i);
		if (hop->next_due_ms < next)
			next = hop->next_due_ms;
	}
	return next == INT64_MAX ? 0 : next;
}

void spool_store_stats(struct spool_store *store, struct spool_stats *stats_out)
{
	struct spool_stats stats = {
		.messages = store->messages,
		.broken = store->broken,
		.in_hand = map_count(store->in_hand),
		.body_bytes = store->body_bytes,
		.min_free_bytes = reserve_of(store),
	};
	for (size_t i = 0; i < spool_hops_count(store->hops); i++) {
		struct spool_hop_entry *hop = spool_hops_at(store->hops, i);
		stats.deliveries += hop->waiting + hop->held + hop->broken;
		stats.held += hop->held;
	}
	spool_segments_count(store->segments, &stats.segments, &stats.segment_bytes);
	struct spool_space space;
	if (space_of(store, &space)) {
		stats.disk_free_bytes = space.free_bytes;
		stats.disk_total_bytes = space.total_bytes;
	}
	*stats_out = stats;
}
