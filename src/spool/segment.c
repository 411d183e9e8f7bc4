/* SPDX-License-Identifier: MIT */
#include "spool/segment.h"

#include "base/crc32c.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define RECORD_MAGIC 0x63527246u /* "FrRc" */

static void put_u32(char *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (char)(value >> (8 * i));
}

static void put_u64(char *to, uint64_t value)
{
	put_u32(to, (uint32_t)value);
	put_u32(to + 4, (uint32_t)(value >> 32));
}

static uint32_t get_u32(const char *from)
{
	uint32_t value = 0;
	for (int i = 3; i >= 0; i--)
		value = value << 8 | (unsigned char)from[i];
	return value;
}

static uint64_t get_u64(const char *from)
{
	return (uint64_t)get_u32(from + 4) << 32 | get_u32(from);
}

struct spool_segment *spool_segment_create(
    const struct spool_files *files, const char *path, int fd, uint64_t generation)
{
	struct spool_segment *segment = MEM_NEW(struct spool_segment);
	atomic_init(&segment->references, 1);
	segment->files = files;
	segment->path = mem_strdup(path);
	segment->fd = fd;
	segment->generation = generation;
	return segment;
}

struct spool_segment *spool_segment_ref(struct spool_segment *segment)
{
	atomic_fetch_add_explicit(&segment->references, 1, memory_order_relaxed);
	return segment;
}

void spool_segment_unref(struct spool_segment **segment)
{
	struct spool_segment *gone = *segment;
	*segment = NULL;
	if (gone == NULL ||
	    atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) != 1)
		return;
	if (gone->fd >= 0)
		gone->files->close(gone->files->context, gone->fd);
	mem_free(gone->path);
	mem_free(gone);
}

bool spool_segment_unread(const struct spool_segment *segment)
{
	return atomic_load_explicit(&segment->references, memory_order_acquire) == 1;
}

uint64_t spool_record_space(uint64_t body_len)
{
	return (SPOOL_RECORD_HEADER + body_len + 7) & ~(uint64_t)7;
}

static void format_record_header(
    char *to, uint64_t generation, uint32_t seed, uint64_t id, uint32_t len, uint32_t checksum)
{
	put_u32(to, RECORD_MAGIC);
	put_u32(to + 4, len);
	put_u64(to + 8, id);
	put_u64(to + 16, generation);
	put_u32(to + 24, checksum);
	put_u32(to + 28, crc32c(seed, span_of(to, 28)));
}

uint32_t spool_record_format(
    char *to, const struct spool_segment *segment, uint64_t id, struct span body)
{
	uint32_t checksum = crc32c(segment->seed, body);
	format_record_header(
	    to, segment->generation, segment->seed, id, (uint32_t)body.len, checksum);
	if (body.len > 0)
		memcpy(to + SPOOL_RECORD_HEADER, body.data, body.len);
	size_t end = SPOOL_RECORD_HEADER + body.len;
	memset(to + end, 0, spool_record_space(body.len) - end);
	return checksum;
}

/* For people with a hex dump; nothing depends on it. */
void spool_segment_format_header(char block[SPOOL_BLOCK], uint64_t generation, uint64_t size)
{
	memset(block, 0, SPOOL_BLOCK);
	memcpy(block, "FRANKSEG", 8);
	put_u32(block + 8, 1);
	put_u64(block + 16, generation);
	put_u64(block + 24, size);
}

/* Reads [offset, offset + len) through aligned memory, as O_DIRECT wants it. *raw_out is to be
   freed; *bytes_out, inside it, may be shorter at the end of the file. */
static int read_range(const struct spool_segment *segment, uint64_t offset, size_t len,
    char **raw_out, struct span *bytes_out)
{
	uint64_t start = offset & ~(uint64_t)(SPOOL_BLOCK - 1);
	size_t before = (size_t)(offset - start);
	size_t whole = (before + len + SPOOL_BLOCK - 1) & ~(size_t)(SPOOL_BLOCK - 1);
	char *raw = mem_alloc(whole + SPOOL_BLOCK);
	char *aligned = raw + (SPOOL_BLOCK - (uintptr_t)raw % SPOOL_BLOCK) % SPOOL_BLOCK;
	ssize_t got =
	    segment->files->read(segment->files->context, segment->fd, aligned, whole, start);
	if (got >= 0 && (size_t)got < whole) {
		/* At the end of the file, or short: once more without alignment trouble, from the
		   last whole block on. */
		size_t have = (size_t)got & ~(size_t)(SPOOL_BLOCK - 1);
		ssize_t rest = spool_files_read_all(
		    segment->files, segment->fd, aligned + have, whole - have, start + have);
		got = rest < 0 ? rest : (ssize_t)have + rest;
	}
	if (got < 0) {
		mem_free(raw);
		return (int)got;
	}
	size_t useful = (size_t)got > before ? (size_t)got - before : 0;
	*bytes_out = span_of(aligned + before, useful < len ? useful : len);
	*raw_out = raw;
	return 0;
}

/* The header at `from` belongs to this segment's generation. */
static bool header_is_sound(const struct spool_segment *segment, const char *from)
{
	return get_u32(from) == RECORD_MAGIC && get_u64(from + 16) == segment->generation &&
	       get_u32(from + 28) == crc32c(segment->seed, span_of(from, 28));
}

int spool_segment_read(const struct spool_place *place, uint64_t id, uint64_t size, struct buf *to)
{
	const struct spool_segment *segment = place->segment;
	if (segment->fd < 0 || size > SPOOL_BODY_MEMORY_MAX)
		return 0;
	char *raw = NULL;
	struct span record = { 0 };
	int error =
	    read_range(segment, place->offset, SPOOL_RECORD_HEADER + (size_t)size, &raw, &record);
	if (error != 0)
		return error;
	bool whole = record.len == SPOOL_RECORD_HEADER + size;
	bool sound = whole && header_is_sound(segment, record.data) &&
		     get_u32(record.data + 4) == size && get_u64(record.data + 8) == id;
	struct span body = record.len > SPOOL_RECORD_HEADER ? span_skip(record, SPOOL_RECORD_HEADER)
							    : span_of(record.data, 0);
	sound = sound && crc32c(segment->seed, body) == place->checksum;
	bool fits = buf_append(to, body);
	assert(fits);
	mem_free(raw);
	return sound ? 1 : 0;
}

/* Whether a sound header stands at the offset. */
static bool record_at(
    struct spool_segment *segment, uint64_t offset, struct spool_record *record_out)
{
	char *raw = NULL;
	struct span bytes = { 0 };
	if (read_range(segment, offset, SPOOL_RECORD_HEADER, &raw, &bytes) != 0)
		return false;
	bool sound = bytes.len == SPOOL_RECORD_HEADER && header_is_sound(segment, bytes.data);
	if (sound) {
		record_out->size = get_u32(bytes.data + 4);
		record_out->id = get_u64(bytes.data + 8);
		record_out->offset = offset;
	}
	mem_free(raw);
	return sound;
}

bool spool_segment_next(
    struct spool_segment *segment, uint64_t *offset, struct spool_record *record_out)
{
	/* Behind the last record of a write the next one begins at the next block. */
	uint64_t block = (*offset + SPOOL_BLOCK - 1) & ~(uint64_t)(SPOOL_BLOCK - 1);
	if (segment->fd < 0 || *offset + SPOOL_RECORD_HEADER > segment->size)
		return false;
	if (!record_at(segment, *offset, record_out) &&
	    (block == *offset || !record_at(segment, block, record_out)))
		return false;
	*offset = record_out->offset + spool_record_space(record_out->size);
	return true;
}
