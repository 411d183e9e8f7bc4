/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SPOOL_BODY_H
#define FRANK_SPOOL_BODY_H

/*
 * Bodies on disk, written and read by workers, without the store: large bodies are written to
 * large/<id> before the keeper hears of the message, and any body can be read back through its
 * message. All calls block; each object belongs to one thread at a time.
 */

#include "base/fault.h"
#include "spool/files.h"
#include "spool/message.h"

/* --- Writing a large body --- */

struct spool_large;

/* Makes large/<id> under the spool's path and syncs the directory. files: NULL for the system's.
 */
struct spool_large *spool_large_create(
    const struct spool_files *files, const char *spool_path, uint64_t id, struct fault *fault_out);
bool spool_large_append(struct spool_large *large, struct span bytes, struct fault *fault_out);
uint64_t spool_large_size(const struct spool_large *large);
/* Syncs, closes, and names the file in the draft's message, whose id must be the same. */
bool spool_large_finish(
    struct spool_large **large, struct spool_draft *draft, struct fault *fault_out);
/* Closes and removes; also right after a failure. Accepts NULL. */
void spool_large_abandon(struct spool_large **large);
/* Removes the finished file of a draft that was refused (FULL), never of one that FAILED: its
   row may stand. */
void spool_large_remove(const struct spool_files *files, const char *spool_path, uint64_t id);

/* --- Reading --- */

enum spool_read_result {
	SPOOL_READ_MORE,    /* bytes were given */
	SPOOL_READ_END,     /* all was given, and the checksum is right */
	SPOOL_READ_DAMAGED, /* cut short or wrong checksum: never finish sending it;
			       spool_store_set_aside() */
	SPOOL_READ_FAILED,  /* could not be read now; fault_out says why */
};

/* The whole body into memory, for messages of at most SPOOL_BODY_MEMORY_MAX. END sets *body_out.
 */
enum spool_read_result spool_body_load(
    const struct spool_message *message, struct spool_body **body_out, struct fault *fault_out);

struct spool_reader;

/* For bodies of any size. Takes a reference to the message. */
struct spool_reader *spool_reader_open(struct spool_message *message, struct fault *fault_out);
/* MORE lends the next bytes (at most 256 KiB) until the next call. The verdict on the whole
   comes with the end: whoever sends while reading must not send the final dot before END. */
enum spool_read_result spool_reader_next(
    struct spool_reader *reader, struct span *bytes_out, struct fault *fault_out);
void spool_reader_close(struct spool_reader **reader);

#endif
