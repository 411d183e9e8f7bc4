/* SPDX-License-Identifier: MIT */
#ifndef FRANK_TESTS_CRASH_RECORDER_H
#define FRANK_TESTS_CRASH_RECORDER_H

/*
 * A file layer that does everything for real and notes it: the spool's own files through struct
 * spool_files, queue.db and its log through an SQLite VFS named "recorder". From the notes any
 * moment can be built again as a power cut would have left it.
 *
 * The model is stricter than most file systems. A written byte is durable after a sync of its
 * file, or at once when the write itself was durable (RWF_DSYNC); a name is durable after a sync
 * of its directory; until then either may be there or not. Names that were changed without a
 * sync keep their order, bytes do not: each unsynced write may be there, be absent, or be torn
 * at 512 bytes.
 */

#include "spool/files.h"

enum recorder_loss {
	RECORDER_LOSE_ALL,   /* nothing unsynced is there */
	RECORDER_LOSE_NONE,  /* as after a kill */
	RECORDER_LOSE_NAMES, /* bytes are there, names are not */
	RECORDER_LOSE_BYTES, /* names are there, bytes are not */
	RECORDER_LOSE_SOME,  /* chance decides for each write, from the seed */
};

/* One recording at a time. Paths outside of root are not noted. */
void recorder_start(const char *root);
void recorder_stop(void); /* frees the notes */

const struct spool_files *recorder_files(void);
const char *recorder_vfs(void);

size_t recorder_event_count(void); /* so far */
const char *recorder_event_name(size_t index);

/* Builds what is left in the directory `to` (made anew) when the power goes after `count`
   events. Calls must come with counts that do not fall. */
void recorder_replay(size_t count, enum recorder_loss loss, unsigned seed, const char *to);

#endif
