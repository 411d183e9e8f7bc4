/* SPDX-License-Identifier: MIT */
#include "spool/body.h"

#include "spool/engine.h"
#include "spool/segment.h"

#include "base/crc32c.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define CHUNK (256 * 1024)

/* --- Writing --- */

struct spool_large {
	const struct spool_files *files;
	char *path;
	int fd;
	uint64_t id, size;
	uint32_t checksum;
};

static void explain(struct fault *fault_out, const char *what, const char *path, int error)
{
	fault_set(fault_out, FAULT_LOCAL, "cannot %s %s: %s", what, path, strerror(-error));
}

struct spool_large *spool_large_create(
    const struct spool_files *files, const char *spool_path, uint64_t id, struct fault *fault_out)
{
	struct spool_large *large = MEM_NEW(struct spool_large);
	struct buf directory;
	large->files = files != NULL ? files : spool_files_system();
	large->path = engine_file_path(spool_path, "large", id);
	large->id = id;
	large->fd =
	    large->files->open(large->files->context, large->path, O_WRONLY | O_CREAT | O_TRUNC);
	if (large->fd < 0) {
		explain(fault_out, "create", large->path, large->fd);
		spool_large_abandon(&large);
		return NULL;
	}
	buf_init(&directory, 4096);
	buf_printf(&directory, "%s/large", spool_path);
	int error = large->files->sync_directory(large->files->context, buf_string(&directory));
	if (error != 0) {
		explain(fault_out, "sync", buf_string(&directory), error);
		spool_large_abandon(&large);
	}
	buf_fini(&directory);
	return large;
}

bool spool_large_append(struct spool_large *large, struct span bytes, struct fault *fault_out)
{
	int error = spool_files_write_all(
	    large->files, large->fd, bytes.data, bytes.len, large->size, false);
	if (error != 0) {
		explain(fault_out, "write", large->path, error);
		return false;
	}
	large->checksum = crc32c(large->checksum, bytes);
	large->size += bytes.len;
	return true;
}

uint64_t spool_large_size(const struct spool_large *large)
{
	return large->size;
}

static void large_free(struct spool_large **large)
{
	mem_free((*large)->path);
	mem_free(*large);
	*large = NULL;
}

bool spool_large_finish(
    struct spool_large **large, struct spool_draft *draft, struct fault *fault_out)
{
	struct spool_large *done = *large;
	assert(draft->message->id == done->id && draft->body == NULL);
	int error = done->files->sync(done->files->context, done->fd);
	if (error == 0)
		error = done->files->close(done->files->context, done->fd);
	else
		done->files->close(done->files->context, done->fd);
	done->fd = -1;
	if (error != 0) {
		explain(fault_out, "sync", done->path, error);
		spool_large_abandon(large);
		return false;
	}
	draft->message->size = done->size;
	draft->message->place = (struct spool_place){
		.where = SPOOL_WHERE_LARGE,
		.checksum = done->checksum,
		.path = done->path,
		.files = done->files,
	};
	done->path = NULL;
	large_free(large);
	return true;
}

void spool_large_abandon(struct spool_large **large)
{
	struct spool_large *gone = *large;
	if (gone == NULL)
		return;
	if (gone->fd >= 0)
		gone->files->close(gone->files->context, gone->fd);
	gone->files->unlink(gone->files->context, gone->path);
	large_free(large);
}

void spool_large_remove(const struct spool_files *files, const char *spool_path, uint64_t id)
{
	char *path = engine_file_path(spool_path, "large", id);
	files = files != NULL ? files : spool_files_system();
	files->unlink(files->context, path);
	mem_free(path);
}

/* --- Reading --- */

struct spool_reader {
	struct spool_message *message;
	struct spool_body *body; /* of a segment, whole; else NULL */
	int fd;                  /* of a large file */
	uint64_t offset;
	uint32_t checksum;
	char *chunk;
};

enum spool_read_result spool_body_load(
    const struct spool_message *message, struct spool_body **body_out, struct fault *fault_out)
{
	struct buf bytes;
	if (message->place.where != SPOOL_WHERE_SEGMENT) {
		fault_set(fault_out, FAULT_LOCAL, "the body is not in a segment");
		return SPOOL_READ_FAILED;
	}
	buf_init(&bytes, SPOOL_BODY_MEMORY_MAX);
	int result = spool_segment_read(&message->place, message->id, message->size, &bytes);
	if (result == 1) {
		*body_out = spool_body_create(&bytes);
		return SPOOL_READ_END;
	}
	buf_fini(&bytes);
	if (result == 0)
		return SPOOL_READ_DAMAGED;
	explain(fault_out, "read", message->place.segment->path, result);
	return SPOOL_READ_FAILED;
}

static int open_large(const struct spool_message *message)
{
	const struct spool_files *files = message->place.files;
	return files->open(files->context, message->place.path, O_RDONLY);
}

struct spool_reader *spool_reader_open(struct spool_message *message, struct fault *fault_out)
{
	struct spool_reader *reader = MEM_NEW(struct spool_reader);
	reader->message = spool_message_ref(message);
	reader->fd = -1;
	if (message->place.where != SPOOL_WHERE_LARGE)
		return reader;
	reader->fd = open_large(message);
	/* A missing file is damage; any other trouble may pass. */
	if (reader->fd < 0 && reader->fd != -ENOENT) {
		explain(fault_out, "open", message->place.path, reader->fd);
		spool_reader_close(&reader);
	}
	return reader;
}

static enum spool_read_result next_of_segment(
    struct spool_reader *reader, struct span *bytes_out, struct fault *fault_out)
{
	if (reader->body == NULL) {
		enum spool_read_result result =
		    spool_body_load(reader->message, &reader->body, fault_out);
		if (result != SPOOL_READ_END)
			return result;
	}
	struct span rest = span_skip(spool_body_span(reader->body), (size_t)reader->offset);
	if (rest.len == 0)
		return SPOOL_READ_END;
	*bytes_out = span_head(rest, rest.len < CHUNK ? rest.len : CHUNK);
	reader->offset += bytes_out->len;
	return SPOOL_READ_MORE;
}

static enum spool_read_result next_of_large(
    struct spool_reader *reader, struct span *bytes_out, struct fault *fault_out)
{
	const struct spool_message *message = reader->message;
	uint64_t left = message->size - reader->offset;
	if (reader->fd < 0)
		return SPOOL_READ_DAMAGED;
	if (left == 0)
		return reader->checksum == message->place.checksum ? SPOOL_READ_END
								   : SPOOL_READ_DAMAGED;
	if (reader->chunk == NULL)
		reader->chunk = mem_alloc(CHUNK);
	ssize_t got = spool_files_read_all(message->place.files, reader->fd, reader->chunk,
	    left < CHUNK ? (size_t)left : CHUNK, reader->offset);
	if (got < 0) {
		explain(fault_out, "read", message->place.path, (int)got);
		return SPOOL_READ_FAILED;
	}
	if (got == 0)
		return SPOOL_READ_DAMAGED;
	*bytes_out = span_of(reader->chunk, (size_t)got);
	reader->checksum = crc32c(reader->checksum, *bytes_out);
	reader->offset += (uint64_t)got;
	return SPOOL_READ_MORE;
}

enum spool_read_result spool_reader_next(
    struct spool_reader *reader, struct span *bytes_out, struct fault *fault_out)
{
	switch (reader->message->place.where) {
	case SPOOL_WHERE_SEGMENT:
		return next_of_segment(reader, bytes_out, fault_out);
	case SPOOL_WHERE_LARGE:
		return next_of_large(reader, bytes_out, fault_out);
	case SPOOL_WHERE_NOWHERE:
	case SPOOL_WHERE_BROKEN:
		break;
	}
	fault_set(fault_out, FAULT_LOCAL, "the message has no body in the queue");
	return SPOOL_READ_FAILED;
}

void spool_reader_close(struct spool_reader **reader)
{
	struct spool_reader *gone = *reader;
	*reader = NULL;
	if (gone == NULL)
		return;
	if (gone->fd >= 0)
		gone->message->place.files->close(gone->message->place.files->context, gone->fd);
	spool_body_unref(&gone->body);
	mem_free(gone->chunk);
	spool_message_unref(&gone->message);
	mem_free(gone);
}
