/* SPDX-License-Identifier: MIT */
#include "spool/segments.h"

#include "base/crc32c.h"
#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define BUFFER_SIZE (4 * 1024 * 1024)
#define ZERO_STEP (2 * 1024 * 1024)
/* From this on writing the zeros costs more than the journal commit that they save. */
#define ZERO_WORTH (128 * 1024)
#define ZERO_CHUNK (256 * 1024)
#define FREE_KEPT 4
#define SIZE_MIN (1024 * 1024)

struct spool_segments {
	const struct spool_files *files;
	char *directory;
	uint64_t key;
	uint64_t size;
	uint64_t last_generation;
	bool direct;
	struct list all; /* of struct spool_segment */
	size_t count;
	struct map *by_generation;
	struct spool_segment *current; /* borrowed from the list; NULL: none */
	char *buffer_memory, *buffer;  /* aligned inside the memory */
	size_t buffered;
	size_t last_write; /* bytes; says whether zeroing ahead is worth it */
	char *zero_memory, *zeros;
	char description[96];
};

static char *align_block(char *memory)
{
	return memory + (SPOOL_BLOCK - (uintptr_t)memory % SPOOL_BLOCK) % SPOOL_BLOCK;
}

static char *segment_path(const struct spool_segments *segments, uint64_t generation)
{
	struct buf path;
	buf_init(&path, 4096);
	buf_printf(&path, "%s/%llu", segments->directory, (unsigned long long)generation);
	return buf_take_string(&path);
}

static uint32_t seed_of(const struct spool_segments *segments, uint64_t generation)
{
	return crc32c(crc32c(0, MAP_KEY(segments->key)), MAP_KEY(generation));
}

static void add(struct spool_segments *segments, struct spool_segment *segment)
{
	segment->seed = seed_of(segments, segment->generation);
	list_append(&segments->all, &segment->link);
	segments->count++;
	map_set(segments->by_generation, MAP_KEY(segment->generation), segment);
	if (segment->generation > segments->last_generation)
		segments->last_generation = segment->generation;
}

static void forget(struct spool_segments *segments, struct spool_segment *segment)
{
	list_remove(&segment->link);
	segments->count--;
	map_remove(segments->by_generation, MAP_KEY(segment->generation));
}

/* A file that cannot be opened now must not be taken for one that is lost. */
static int add_existing(struct spool_segments *segments, uint64_t generation)
{
	char *path = segment_path(segments, generation);
	int flags = O_RDWR | (segments->direct ? O_DIRECT : 0);
	int fd = segments->files->open(segments->files->context, path, flags);
	if (fd == -EINVAL)
		fd = segments->files->open(segments->files->context, path, O_RDWR);
	if (fd < 0) {
		mem_free(path);
		return fd;
	}
	struct spool_segment *segment = spool_segment_create(segments->files, path, fd, generation);
	mem_free(path);
	segment->closed = true;
	segment->direct = segments->direct;
	add(segments, segment);
	int64_t size = segments->files->size(segments->files->context, fd);
	if (size < 0)
		return (int)size;
	segment->size = segment->zeroed = segment->used = (uint64_t)size;
	return 0;
}

struct listing {
	struct spool_segments *segments;
	int error;
};

static bool note_file(void *context, const char *name)
{
	struct listing *listing = context;
	uint64_t generation;
	if (span_to_u64(span_from_string(name), &generation) && generation > 0)
		listing->error = add_existing(listing->segments, generation);
	return listing->error == 0;
}

/* A sixteenth of the disk, in whole MiB, so that small ones can be used to the end. */
static uint64_t size_for_disk(const struct spool_files *files, const char *path)
{
	struct spool_space space;
	if (files->space(files->context, path, &space) != 0)
		return SPOOL_SEGMENT_SIZE;
	uint64_t size = space.total_bytes / 16 / SIZE_MIN * SIZE_MIN;
	if (size < SIZE_MIN)
		return SIZE_MIN;
	return size > SPOOL_SEGMENT_SIZE ? SPOOL_SEGMENT_SIZE : size;
}

struct spool_segments *spool_segments_open(
    const struct spool_segments_settings *settings, struct fault *fault_out)
{
	struct spool_segments *segments = MEM_NEW(struct spool_segments);
	struct buf path;
	buf_init(&path, 4096);
	buf_printf(&path, "%s/segment", settings->spool_path);
	segments->directory = buf_take_string(&path);
	segments->files = settings->files;
	segments->key = settings->key;
	segments->direct = !settings->avoid_direct;
	segments->size =
	    settings->segment_size != 0
		? (settings->segment_size + SPOOL_BLOCK - 1) / SPOOL_BLOCK * SPOOL_BLOCK
		: size_for_disk(settings->files, settings->spool_path);
	assert(segments->size >= SIZE_MIN);
	list_init(&segments->all);
	segments->by_generation = map_create();
	struct listing listing = { .segments = segments };
	int error = segments->files->list(
	    segments->files->context, segments->directory, note_file, &listing);
	error = error != 0 ? error : listing.error;
	if (error != 0) {
		fault_set(fault_out, FAULT_LOCAL, "cannot read %s: %s", segments->directory,
		    strerror(-error));
		spool_segments_close(&segments);
	}
	return segments;
}

void spool_segments_close(struct spool_segments **segments)
{
	struct spool_segments *gone = *segments;
	*segments = NULL;
	if (gone == NULL)
		return;
	struct list *link;
	while ((link = list_take_first(&gone->all)) != NULL) {
		struct spool_segment *segment = LIST_ENTRY(link, struct spool_segment, link);
		spool_segment_unref(&segment);
	}
	map_destroy(&gone->by_generation, NULL);
	mem_free(gone->buffer_memory);
	mem_free(gone->zero_memory);
	mem_free(gone->directory);
	mem_free(gone);
}

struct spool_segment *spool_segments_find(struct spool_segments *segments, uint64_t generation)
{
	struct spool_segment *segment = map_get(segments->by_generation, MAP_KEY(generation));
	if (segment == NULL) {
		char *path = segment_path(segments, generation);
		segment = spool_segment_create(segments->files, path, -1, generation);
		segment->closed = true;
		add(segments, segment);
		mem_free(path);
	}
	return segment;
}

static enum spool_append_result explain(
    int error, const char *what, const char *path, struct fault *fault_out)
{
	fault_set(fault_out, FAULT_LOCAL, "cannot %s %s: %s", what, path, strerror(-error));
	return error == -ENOSPC || error == -EDQUOT ? SPOOL_APPEND_FULL : SPOOL_APPEND_FAILED;
}

static int write_header(struct spool_segments *segments, struct spool_segment *segment)
{
	spool_segment_format_header(segments->buffer, segment->generation, segment->size);
	return spool_files_write_all(
	    segments->files, segment->fd, segments->buffer, SPOOL_BLOCK, 0, segment->direct);
}

static bool is_dead(const struct spool_segments *segments, const struct spool_segment *segment)
{
	return segment != segments->current && segment->closed && segment->live_count == 0 &&
	       spool_segment_unread(segment);
}

static bool is_reusable(const struct spool_segments *segments, const struct spool_segment *segment)
{
	return is_dead(segments, segment) && segments->direct && segment->direct &&
	       segment->fd >= 0 && segment->zeroed == segments->size;
}

static struct spool_segment *find_reusable(struct spool_segments *segments)
{
	LIST_FOR_EACH (at, &segments->all) {
		struct spool_segment *segment = LIST_ENTRY(at, struct spool_segment, link);
		if (is_reusable(segments, segment))
			return segment;
	}
	return NULL;
}

/* The file gets its new name, durably, before a byte of the new generation is in it. */
static enum spool_append_result recycle(struct spool_segments *segments,
    struct spool_segment *segment, uint64_t generation, struct fault *fault_out)
{
	const struct spool_files *files = segments->files;
	char *path = segment_path(segments, generation);
	int error = files->rename(files->context, segment->path, path);
	if (error == 0)
		error = files->sync_directory(files->context, segments->directory);
	forget(segments, segment);
	mem_free(segment->path);
	segment->path = path;
	segment->generation = generation;
	add(segments, segment);
	if (error != 0)
		return explain(error, "rename to", path, fault_out);
	error = write_header(segments, segment);
	if (error != 0)
		return explain(error, "write", path, fault_out);
	segment->closed = segment->stuck = false;
	segment->used = SPOOL_BLOCK;
	segments->current = segment;
	return SPOOL_APPEND_DONE;
}

static bool direct_refused(int error)
{
	return error == -EINVAL || error == -EOPNOTSUPP || error == -ENOSYS;
}

/* Creates the file and writes its header; *segment_out is in the set even after a failure to
   write. */
static int create_file(struct spool_segments *segments, uint64_t generation, const char *path,
    struct spool_segment **segment_out)
{
	const struct spool_files *files = segments->files;
	int flags = O_RDWR | O_CREAT | (segments->direct ? O_DIRECT : 0);
	int fd = files->open(files->context, path, flags);
	if (fd < 0)
		return fd;
	struct spool_segment *segment = spool_segment_create(files, path, fd, generation);
	segment->size = segments->size;
	segment->direct = segments->direct;
	segment->dirty = !segments->direct;
	segment->closed = true;
	add(segments, segment);
	*segment_out = segment;
	int error = files->sync_directory(files->context, segments->directory);
	return error != 0 ? error : write_header(segments, segment);
}

static enum spool_append_result create(
    struct spool_segments *segments, uint64_t generation, struct fault *fault_out)
{
	char *path = segment_path(segments, generation);
	struct spool_segment *segment = NULL;
	int error = create_file(segments, generation, path, &segment);
	if (segments->direct && direct_refused(error)) {
		segments->direct = false;
		if (segment != NULL) {
			forget(segments, segment);
			spool_segment_unref(&segment);
		}
		error = create_file(segments, generation, path, &segment);
	}
	enum spool_append_result result = SPOOL_APPEND_DONE;
	if (error != 0) {
		result = explain(error, "create", path, fault_out);
	} else {
		segment->closed = false;
		segment->zeroed = segment->used = SPOOL_BLOCK;
		segments->current = segment;
	}
	mem_free(path);
	return result;
}

enum spool_append_result spool_segments_begin(
    struct spool_segments *segments, struct fault *fault_out)
{
	assert(segments->buffered == 0);
	if (segments->buffer_memory == NULL) {
		segments->buffer_memory = mem_alloc(BUFFER_SIZE + SPOOL_BLOCK);
		segments->buffer = align_block(segments->buffer_memory);
	}
	if (segments->current != NULL)
		segments->current->closed = true;
	segments->current = NULL;
	uint64_t generation = segments->last_generation + 1;
	struct spool_segment *reusable = find_reusable(segments);
	return reusable != NULL ? recycle(segments, reusable, generation, fault_out)
				: create(segments, generation, fault_out);
}

void spool_segments_abandon(struct spool_segments *segments)
{
	segments->buffered = 0;
	if (segments->current != NULL)
		segments->current->closed = true;
	segments->current = NULL;
}

/* Writes zeros from where the segment is written out up to `until`, or as far as the disk lets,
   and syncs once. */
static int zero_until(struct spool_segments *segments, uint64_t until)
{
	struct spool_segment *segment = segments->current;
	if (segments->zero_memory == NULL) {
		segments->zero_memory = mem_alloc(ZERO_CHUNK + SPOOL_BLOCK);
		segments->zeros = align_block(segments->zero_memory);
	}
	uint64_t at = segment->zeroed;
	int error = 0;
	while (at < until && error == 0) {
		size_t len = until - at < ZERO_CHUNK ? (size_t)(until - at) : ZERO_CHUNK;
		error = spool_files_write_all(
		    segments->files, segment->fd, segments->zeros, len, at, false);
		if (error == 0)
			at += len;
	}
	if (at == segment->zeroed)
		return error;
	int sync_error = segments->files->sync(segments->files->context, segment->fd);
	if (sync_error != 0)
		return sync_error == -ENOSPC ? -EIO : sync_error;
	segment->zeroed = at;
	return error;
}

/* Room for len more bytes in the current segment, written out where that matters. */
static int prepare(struct spool_segments *segments, uint64_t len)
{
	struct spool_segment *segment = segments->current;
	uint64_t need = segment->used + len;
	if (!segment->direct || segment->zeroed >= need || len >= ZERO_WORTH)
		return 0;
	uint64_t until = need + ZERO_STEP < segment->size ? need + ZERO_STEP : segment->size;
	int error = zero_until(segments, until);
	return segment->zeroed >= need ? 0 : error;
}

/* A step before the write found no room: the segment is as good as before. A failed write is
   final. */
static enum spool_append_result write_buffer(
    struct spool_segments *segments, struct fault *fault_out)
{
	struct spool_segment *segment = segments->current;
	if (segments->buffered == 0)
		return SPOOL_APPEND_DONE;
	size_t len = (segments->buffered + SPOOL_BLOCK - 1) & ~(size_t)(SPOOL_BLOCK - 1);
	memset(segments->buffer + segments->buffered, 0, len - segments->buffered);
	segments->buffered = 0;
	int error = prepare(segments, len);
	if (error == -ENOSPC || error == -EDQUOT)
		return explain(error, "extend", segment->path, fault_out);
	if (error == 0)
		error = spool_files_write_all(segments->files, segment->fd, segments->buffer, len,
		    segment->used, segment->direct);
	if (error != 0) {
		spool_segments_abandon(segments);
		return explain(error, "write", segment->path, fault_out);
	}
	segment->used += len;
	segment->dirty = !segment->direct;
	if (segment->zeroed < segment->used)
		segment->zeroed = segment->used;
	segments->last_write = len;
	return SPOOL_APPEND_DONE;
}

enum spool_append_result spool_segments_flush(
    struct spool_segments *segments, struct fault *fault_out)
{
	enum spool_append_result result = write_buffer(segments, fault_out);
	struct spool_segment *segment = segments->current;
	if (result != SPOOL_APPEND_DONE || segment == NULL || !segment->dirty)
		return result;
	int error = segments->files->sync(segments->files->context, segment->fd);
	if (error != 0) {
		spool_segments_abandon(segments);
		explain(error, "sync", segment->path, fault_out);
		return SPOOL_APPEND_FAILED;
	}
	segment->dirty = false;
	return SPOOL_APPEND_DONE;
}

/* Makes sure that a record of this space fits the buffer and the current segment. */
static enum spool_append_result make_room(
    struct spool_segments *segments, uint64_t space, struct fault *fault_out)
{
	enum spool_append_result result;
	struct spool_segment *segment = segments->current;
	if (segment != NULL && segment->used + segments->buffered + space > segment->size) {
		result = spool_segments_flush(segments, fault_out);
		if (result != SPOOL_APPEND_DONE)
			return result;
		/* The last write was padded to a block, so that the record may now not fit. */
		spool_segments_abandon(segments);
	}
	if (segments->current == NULL)
		return spool_segments_begin(segments, fault_out);
	if (segments->buffered + space > BUFFER_SIZE)
		return write_buffer(segments, fault_out);
	return SPOOL_APPEND_DONE;
}

enum spool_append_result spool_segments_append(struct spool_segments *segments, uint64_t id,
    struct span body, struct spool_place *place_out, struct fault *fault_out)
{
	assert(body.len <= SPOOL_BODY_MEMORY_MAX);
	uint64_t space = spool_record_space(body.len);
	enum spool_append_result result = make_room(segments, space, fault_out);
	if (result != SPOOL_APPEND_DONE) {
		segments->buffered = 0;
		return result;
	}
	struct spool_segment *segment = segments->current;
	uint64_t offset = segment->used + segments->buffered;
	char *to = segments->buffer + segments->buffered;
	uint32_t checksum = spool_record_format(to, segment, id, body);
	segments->buffered += (size_t)space;
	*place_out = (struct spool_place){
		.where = SPOOL_WHERE_SEGMENT,
		.segment = spool_segment_ref(segment),
		.generation = segment->generation,
		.offset = offset,
		.checksum = checksum,
	};
	return SPOOL_APPEND_DONE;
}

/* The name may come back after a power cut: then it is dead bytes, found at the next start. */
static void discard(struct spool_segments *segments, struct spool_segment *segment)
{
	if (segment->fd >= 0)
		segments->files->unlink(segments->files->context, segment->path);
	forget(segments, segment);
	spool_segment_unref(&segment);
}

void spool_segments_tidy(struct spool_segments *segments, bool scarce, bool *more_out)
{
	size_t kept = 0;
	bool discarded = false;
	LIST_FOR_EACH_SAFE (at, &segments->all) {
		struct spool_segment *segment = LIST_ENTRY(at, struct spool_segment, link);
		if (!is_dead(segments, segment))
			continue;
		if (!scarce && is_reusable(segments, segment) && kept < FREE_KEPT) {
			kept++;
		} else if (discarded) {
			*more_out = true;
			break;
		} else {
			discard(segments, segment);
			discarded = true;
		}
	}
	struct spool_segment *current = segments->current;
	if (scarce || segments->last_write >= ZERO_WORTH || current == NULL || !current->direct ||
	    current->zeroed >= current->size || current->zeroed >= current->used + 2 * ZERO_STEP)
		return;
	uint64_t until = current->zeroed + ZERO_STEP;
	if (zero_until(segments, until < current->size ? until : current->size) == 0)
		*more_out = true;
}

struct spool_segment *spool_segments_sparse(struct spool_segments *segments, size_t at_least)
{
	struct spool_segment *best = NULL;
	if (segments->count <= at_least)
		return NULL;
	LIST_FOR_EACH (at, &segments->all) {
		struct spool_segment *segment = LIST_ENTRY(at, struct spool_segment, link);
		if (segment == segments->current || segment->fd < 0 || segment->stuck ||
		    segment->live_count == 0 || segment->live_bytes >= segment->size / 4)
			continue;
		if (best == NULL || segment->live_bytes < best->live_bytes)
			best = segment;
	}
	return best;
}

void spool_segments_reset_live(struct spool_segments *segments)
{
	LIST_FOR_EACH (at, &segments->all) {
		struct spool_segment *segment = LIST_ENTRY(at, struct spool_segment, link);
		segment->live_bytes = segment->live_count = 0;
	}
}

void spool_segments_count(struct spool_segments *segments, uint64_t *files_out, uint64_t *bytes_out)
{
	uint64_t files = 0, bytes = 0;
	LIST_FOR_EACH (at, &segments->all) {
		struct spool_segment *segment = LIST_ENTRY(at, struct spool_segment, link);
		files += segment->fd >= 0;
		bytes += segment->zeroed > segment->used ? segment->zeroed : segment->used;
	}
	*files_out = files;
	*bytes_out = bytes;
}

const char *spool_segments_describe(struct spool_segments *segments)
{
	snprintf(segments->description, sizeof(segments->description), "%llu MiB segments, %s",
	    (unsigned long long)(segments->size / SIZE_MIN),
	    segments->direct ? "O_DIRECT with RWF_DSYNC" : "fresh files with fdatasync");
	return segments->description;
}
