/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SPOOL_SEGMENTS_H
#define FRANK_SPOOL_SEGMENTS_H

/*
 * The set of segment files: where the next record goes, and which file may be used again.
 * Records are collected in a buffer and written in batches; each write begins at a multiple of 4
 * KiB.
 *
 * Where O_DIRECT with RWF_DSYNC works, space is zeroed a few MiB ahead of its use, because
 * unwritten extents would make each sync a journal commit (large writes go without: there the
 * zeros would cost more); a segment that nobody needs any more is renamed to a new generation
 * and written over. Elsewhere segments are fresh files, synced with fdatasync and removed when
 * dead.
 *
 * An error from a write or a sync is final for its segment: it takes no more records.
 */

#include "spool/segment.h"

#define SPOOL_SEGMENT_SIZE (64 * 1024 * 1024)

struct spool_segments;

struct spool_segments_settings {
	const struct spool_files *files;
	const char *spool_path;
	uint64_t key;          /* the queue's secret; seeds are made of it */
	uint64_t segment_size; /* 0: by the size of the disk */
	bool avoid_direct;
};

/* Reads the directory; all files found are closed segments without live records. */
struct spool_segments *spool_segments_open(
    const struct spool_segments_settings *settings, struct fault *fault_out);
void spool_segments_close(struct spool_segments **segments);

/* The segment of this generation; one without a file when there is none, so that its rows are
   found damaged and not lost. Borrowed. */
struct spool_segment *spool_segments_find(struct spool_segments *segments, uint64_t generation);

enum spool_append_result {
	SPOOL_APPEND_DONE,
	SPOOL_APPEND_FULL,   /* no room on the disk; nothing since the last flush may be used */
	SPOOL_APPEND_FAILED, /* likewise */
};

/* Starts a new segment now, else the first record does. Finds out how to write here. */
enum spool_append_result spool_segments_begin(
    struct spool_segments *segments, struct fault *fault_out);
/* No more records into the current segment; what was not flushed is forgotten. */
void spool_segments_abandon(struct spool_segments *segments);

/* Puts a record into the buffer, which may write out what is there. Sets the place, with a
   reference to the segment. Nothing is durable before the flush. */
enum spool_append_result spool_segments_append(struct spool_segments *segments, uint64_t id,
    struct span body, struct spool_place *place_out, struct fault *fault_out);
/* Writes and syncs. */
enum spool_append_result spool_segments_flush(
    struct spool_segments *segments, struct fault *fault_out);

/* One step of freeing dead segments (a few are kept for reuse, none when disk is scarce) and of
   zeroing ahead. *more_out: another step waits. Trouble here is not told: the next append meets
   it. */
void spool_segments_tidy(struct spool_segments *segments, bool scarce, bool *more_out);

/* The closed segment with the fewest live bytes, when there are more than `at_least` segments
   and those are under a quarter of its size; else NULL. Borrowed. */
struct spool_segment *spool_segments_sparse(struct spool_segments *segments, size_t at_least);

/* Forgets all counts, before the rows are counted again. */
void spool_segments_reset_live(struct spool_segments *segments);
void spool_segments_count(
    struct spool_segments *segments, uint64_t *files_out, uint64_t *bytes_out);
/* "64 MiB segments, O_DIRECT" */
const char *spool_segments_describe(struct spool_segments *segments);

#endif
