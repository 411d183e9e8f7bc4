/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SPOOL_SEGMENT_H
#define FRANK_SPOOL_SEGMENT_H

/*
 * One segment file: segment/<generation>, a header block of 4 KiB and records behind it. A
 * record is 32 bytes of header (magic, length, id, generation, checksum of the body, checksum of
 * the header; all little-endian) and the body, padded to 8. The body's checksum is CRC-32C that
 * starts from the generation's seed: a recycled file is full of old records that look valid
 * without it.
 *
 * Readers hold a segment by a reference, which message objects carry; what is live in it is
 * counted by the store.
 */

#include "base/fault.h"
#include "spool/files.h"
#include "spool/message.h"

#define SPOOL_BLOCK 4096
#define SPOOL_RECORD_HEADER 32

struct spool_segment {
	struct list link;            /* in its set, oldest generation first */
	_Atomic unsigned references; /* the set's one, and one for each message object */
	const struct spool_files *files;
	char *path;
	int fd;      /* -1: the file is missing */
	bool direct; /* opened with O_DIRECT */
	bool closed; /* takes no more records */
	bool dirty;  /* has writes that are not synced */
	bool stuck;  /* compaction cannot empty it */
	uint64_t generation;
	uint32_t seed;                   /* for checksums of this generation */
	uint64_t size;                   /* bytes the file may have */
	uint64_t zeroed;                 /* written out up to here, durably */
	uint64_t used;                   /* append position */
	uint64_t live_bytes, live_count; /* of rows; the store's thread only */
};

/* fd becomes the segment's. One reference. */
struct spool_segment *spool_segment_create(
    const struct spool_files *files, const char *path, int fd, uint64_t generation);
struct spool_segment *spool_segment_ref(struct spool_segment *segment);
/* Any thread; accepts NULL and clears the pointer. The last one closes the file. */
void spool_segment_unref(struct spool_segment **segment);
/* Whether only its set knows it. */
bool spool_segment_unread(const struct spool_segment *segment);

uint64_t spool_record_space(uint64_t body_len); /* bytes a record takes */
/* Writes header and body to `to`, which has spool_record_space() bytes; returns the checksum. */
uint32_t spool_record_format(
    char *to, const struct spool_segment *segment, uint64_t id, struct span body);
void spool_segment_format_header(char block[SPOOL_BLOCK], uint64_t generation, uint64_t size);

/* Reads the body of `size` bytes that the place names, any thread. 1: sound; 0: damaged or
   missing, *to holds what was found, if anything; else a negative errno. Appends to `to`. */
int spool_segment_read(const struct spool_place *place, uint64_t id, uint64_t size, struct buf *to);

struct spool_record {
	uint64_t id;
	uint64_t size;
	uint64_t offset;
};
/* The next record at or behind *offset, which moves behind it. False at the end, or where the
   chain of headers is broken. Start with SPOOL_BLOCK. */
bool spool_segment_next(
    struct spool_segment *segment, uint64_t *offset, struct spool_record *record_out);

#endif
