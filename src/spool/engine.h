/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SPOOL_ENGINE_H
#define FRANK_SPOOL_ENGINE_H

/*
 * Inside of the store, for the files of this folder only. What memory counts (hops, live bytes,
 * in hand) follows the rows by *effects*: a transaction collects them, and they are applied
 * after its commit or forgotten with its rollback.
 */

#include "base/map.h"
#include "spool/database.h"
#include "spool/hops.h"
#include "spool/segments.h"
#include "spool/store.h"

enum spool_effect_kind {
	SPOOL_EFFECT_DELIVERY_ADD,    /* hop, state, id, next, watch */
	SPOOL_EFFECT_DELIVERY_REMOVE, /* hop, state */
	SPOOL_EFFECT_IN_HAND,         /* hop, id, number */
	SPOOL_EFFECT_OUT_OF_HAND,     /* id, number */
	SPOOL_EFFECT_BODY_ADD,        /* place, size */
	SPOOL_EFFECT_BODY_REMOVE,     /* place, size: the space is free */
	SPOOL_EFFECT_FILE_REMOVE,     /* id, place: large/<id> or broken/<id> goes */
	SPOOL_EFFECT_MESSAGE_ADD,
	SPOOL_EFFECT_MESSAGE_REMOVE,
	SPOOL_EFFECT_BROKEN_ADD,
	SPOOL_EFFECT_BROKEN_REMOVE,
};

struct spool_effect {
	enum spool_effect_kind kind;
	enum spool_delivery_state state;
	enum spool_where where;
	struct spool_hop_entry *hop;
	uint64_t id, generation, size;
	unsigned number;
	int64_t next_ms, watch_ms; /* watch INT64_MAX: none */
};

struct spool_store {
	char *path;
	struct spool_settings settings;
	const struct spool_files *files;
	int lock_fd;
	struct spool_database database;
	struct spool_segments *segments;
	struct spool_hops *hops;
	struct map *in_hand; /* (id, number) -> hop entry */
	struct spool_effect *effects;
	size_t effect_count, effect_room;
	struct buf scratch; /* for packing */
	bool failed;        /* everything is refused until reopened */
	unsigned node;
	uint64_t key;
	uint64_t last_id;
	int64_t next_watch_ms;
	int64_t pruned_ms; /* when the history was last looked at */
	bool prune_more;
	uint64_t messages, broken, body_bytes;
	uint64_t compacting; /* generation; 0: none */
	uint64_t compacting_offset;
	char description[256];
};

/* --- Transactions (effects.c) --- */

bool engine_begin(struct spool_store *store, struct fault *fault_out);
/* Applies the effects after the commit; after a failure the store has failed. */
bool engine_commit(struct spool_store *store, struct fault *fault_out);
/* Forgets the effects; the store has failed. */
void engine_rollback(struct spool_store *store);
/* False with a sentence when the store has failed. */
bool engine_usable(struct spool_store *store, struct fault *fault_out);
void engine_effect(struct spool_store *store, const struct spool_effect *effect);

/* --- In hand (effects.c) --- */

struct spool_hop_entry *engine_in_hand(struct spool_store *store, uint64_t id, unsigned number);
void engine_take_in_hand(
    struct spool_store *store, struct spool_hop_entry *hop, uint64_t id, unsigned number);
void engine_give_back(struct spool_store *store, uint64_t id, unsigned number);

/* --- Rows (rows.c) --- */

struct spool_message_row {
	struct spool_message *message; /* with its place; NULL: its envelope is damaged */
	enum spool_where where;
	uint64_t generation, offset, size;
	uint32_t checksum;
	int64_t ended_ms;
	unsigned outcome; /* bits of enum spool_outcome */
	struct buf history;
};

enum spool_outcome {
	SPOOL_OUTCOME_FAILED = 1 << 0,
	SPOOL_OUTCOME_DROPPED = 1 << 1,
};

/* *found_out false: there is no such row, and nothing to free. */
bool engine_message_read(struct spool_store *store, uint64_t id, struct spool_message_row *row_out,
    bool *found_out, struct fault *fault_out);
void engine_message_row_fini(struct spool_message_row *row);

/* Message and deliveries of a draft whose body is in its place. *added_out false: the id is
   there. */
bool engine_draft_add(struct spool_store *store, struct spool_draft *draft, bool in_hand,
    bool *added_out, struct fault *fault_out);

/* The columns of a delivery row, before its data is looked into. */
struct spool_delivery_row {
	unsigned number, attempts;
	enum spool_delivery_state state;
	struct spool_hop_entry *hop; /* NULL: damaged */
	int64_t next_ms, watch_ms;
	struct span data; /* borrowed from the statement */
};
void engine_delivery_columns(
    struct spool_store *store, sqlite3_stmt *statement, struct spool_delivery_row *row_out);
/* NULL: the row is damaged. */
struct spool_delivery *engine_delivery_unpack(
    const struct spool_delivery_row *row, struct spool_message *message);
/* Reads one; *delivery_out NULL with *found_out true: damaged. */
bool engine_delivery_read(struct spool_store *store, struct spool_message *message, unsigned number,
    struct spool_delivery **delivery_out, bool *found_out, struct fault *fault_out);

/* What the row says, without its data; *recipients_out (may be NULL) is their number. */
bool engine_delivery_old(struct spool_store *store, uint64_t id, unsigned number,
    struct spool_delivery_row *row_out, unsigned *recipients_out, bool *found_out,
    struct fault *fault_out);

bool engine_delivery_add(
    struct spool_store *store, const struct spool_delivery *delivery, struct fault *fault_out);
/* Writes what the delivery now is over its row; `old` is what the row said. */
bool engine_delivery_set(struct spool_store *store, const struct spool_delivery *delivery,
    const struct spool_delivery_row *old, struct fault *fault_out);
/* Ends it: its history goes to the message, its row away, and the message ends with its last
   row. */
bool engine_delivery_end(struct spool_store *store, const struct spool_delivery *delivery,
    const struct spool_delivery_row *old, int64_t now_ms, struct fault *fault_out);
/* New deliveries of an existing message: numbers follow the greatest, or `at_least`. */
bool engine_deliveries_split(
    struct spool_store *store, struct list *more, unsigned at_least, struct fault *fault_out);

/* --- Elsewhere --- */

/* All deliveries of a message become BROKEN, in a transaction of its own (aside.c). The place
   becomes broken/<id> when moved is set. */
bool engine_mark_broken(struct spool_store *store, uint64_t id, bool moved, const char *reason,
    struct fault *fault_out);
/* Removes at most max messages that ended before the history's reach (commit.c). */
bool engine_prune(struct spool_store *store, int64_t now_ms, size_t max, struct fault *fault_out);
bool engine_prune_due(const struct spool_store *store, int64_t now_ms);
/* One step of moving live bodies out of a sparse segment (compact.c). */
bool engine_compact(struct spool_store *store, bool *more_out, struct fault *fault_out);
/* "<path>/<folder>/<id>"; on the heap (effects.c). */
char *engine_file_path(const char *spool_path, const char *folder, uint64_t id);
/* The disk is so full that nothing should be kept in reserve (store.c). */
bool engine_scarce(struct spool_store *store);
/* The filter's patterns (page.c). */
bool engine_pattern_matches(struct span pattern, struct span text);

#endif
