/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SPOOL_STORE_H
#define FRANK_SPOOL_STORE_H

/*
 * The durable queue. Every call may block on the disk and works on batches; one thread at a
 * time: the keeper's in the daemon, the command line's own when no daemon runs. The formats, the
 * order of syncs and what is found after a crash are in docs/spool.md.
 *
 * A delivery is *in hand* from the commit of its draft, or from a lease, until a result for it
 * is committed or it is released. In hand is a set in memory: after a crash nothing is. What is
 * in hand is not leased again, and not touched by the operator's changes.
 *
 * Times are wall milliseconds, passed in.
 */

#include "base/fault.h"
#include "spool/files.h"
#include "spool/message.h"

struct spool_store;

struct spool_settings {
	uint64_t min_free_bytes; /* new mail is refused below it; at least 4 MiB are meant */
	int64_t history_ms;      /* how long ended messages are shown */
	uint64_t segment_size;   /* 0: 64 MiB, less on small disks */
	size_t compact_above;    /* segments; 0: 64 */
	int checkpoint_pages;    /* 0: 1,000 */
	bool create;             /* make the directories and the database when absent */
	bool avoid_direct;       /* for tests: fdatasync even where O_DIRECT works */
	const struct spool_files *files; /* NULL: the system's */
	const char *sqlite_vfs;          /* NULL: the default one */
	/* Told once for each message that is set aside, with a sentence. May be NULL. */
	void (*notice)(void *context, uint64_t id, const char *sentence);
	void *notice_context;
};

/* Opens and recovers. Refused in a sentence when another process has it open (its pid is named),
   when queue.db is damaged or of a later version, or when the directory cannot be written. */
struct spool_store *spool_store_open(
    const char *path, const struct spool_settings *settings, struct fault *fault_out);
/* A last checkpoint, then everything is closed. Living messages stay readable. */
void spool_store_close(struct spool_store **store);

/* Replaces the settings' notice. */
void spool_store_set_notice(struct spool_store *store,
    void (*notice)(void *context, uint64_t id, const char *sentence), void *context);

/* One line for the log: how segments are written here, and what recovery found. */
const char *spool_store_describe(const struct spool_store *store);
const char *spool_store_path(const struct spool_store *store);
unsigned spool_store_node(const struct spool_store *store); /* for ids */
/* The greatest id ever kept that is still known: where id sources must begin. */
uint64_t spool_store_last_id(const struct spool_store *store);

/* --- Committing --- */

enum spool_commit_result {
	SPOOL_COMMIT_KEPT,   /* durable */
	SPOOL_COMMIT_FULL,   /* no room; nothing of the batch was kept; no reopening is needed */
	SPOOL_COMMIT_FAILED, /* outcome unknown; the store refuses all until reopened */
};

#define SPOOL_BATCH_BODIES_MAX (4 * 1024 * 1024) /* bytes of bodies in one batch */
#define SPOOL_BATCH_RESULTS_MAX 64

/*
 * One write, one sync, one transaction. Accepts first, in order; the drafts' deliveries get
 * their numbers, their messages their places. With in_hand set the deliveries of the accepts are
 * in hand afterwards; those of bounces and of `more` never are: lease them. Results for
 * deliveries that are no longer there are passed over, so a batch of unknown outcome may be
 * given again. The store takes nothing: all drafts and results still belong to the caller,
 * whatever the outcome. FULL is never said because of results alone while there is any room for
 * them. What is in memory for the write is bounded by 4 MiB of bodies; more goes in several writes,
 * so a batch should stay below SPOOL_BATCH_BODIES_MAX.
 */
struct spool_batch {
	struct spool_draft **accepts;
	size_t accept_count;
	struct spool_result **results;
	size_t result_count;
	bool in_hand;
	int64_t now_ms;
};
enum spool_commit_result spool_store_commit(
    struct spool_store *store, const struct spool_batch *batch, struct fault *fault_out);

/* Whether a new message of this many bytes may come in; false sets a sentence for the operator.
 */
bool spool_store_has_room(struct spool_store *store, uint64_t bytes, struct fault *fault_out);

/* Housekeeping after the answers are out: checkpoint past 1,000 pages, prune history, free, zero
   or compact segments, each in a small step. False: treat as SPOOL_COMMIT_FAILED. *more_out says
   that another step waits. */
bool spool_store_tidy(
    struct spool_store *store, int64_t now_ms, bool *more_out, struct fault *fault_out);

/* After FAILED: closes the database, opens it, lets a checkpoint(TRUNCATE) succeed, takes a new
   segment. What is in hand stays so. To be tried again every few seconds while it returns false.
   */
bool spool_store_reopen(struct spool_store *store, struct fault *fault_out);

/* --- Taking in hand --- */

/* Appends to *out (an initialised list head) at most max waiting deliveries of the hop that are
   due and that nobody has in hand; they now are in the caller's. Oldest due first. */
bool spool_store_lease(struct spool_store *store, struct span hop, int64_t now_ms, size_t max,
    struct list *out, struct fault *fault_out);
/* The same for deliveries of any hop that have expired or whose delay warning is due. */
bool spool_store_lease_overdue(struct spool_store *store, int64_t now_ms, size_t max,
    struct list *out, struct fault *fault_out);
/* One delivery by its name, whether due or not; *out stays as it is when it is not waiting, is
   in hand or is unknown. */
bool spool_store_lease_one(struct spool_store *store, uint64_t id, unsigned number,
    struct list *out, struct fault *fault_out);

/* Gives deliveries back unchanged, and destroys them. Writes nothing. */
void spool_store_release(struct spool_store *store, struct list *deliveries);

/* --- Hops --- */

struct spool_hop {
	struct span key;  /* borrowed: until the next call that changes the store */
	uint64_t waiting; /* deliveries, those in hand included */
	uint64_t held;
	uint64_t in_hand;
	int64_t next_attempt_ms; /* earliest of those not in hand; 0: none.
				    May be early, never late */
	int64_t oldest_ms;       /* when its oldest message came; 0: empty. May be early */
};

/* From memory, no disk. hops_out is filled with at most max; returns how many there are. Only
   hops that have deliveries. Position 0 is the first; for paging start at any other. */
size_t spool_store_hops(
    struct spool_store *store, size_t position, struct spool_hop *hops_out, size_t max);
/* The earliest moment at which a lease or lease_overdue would find something; 0: never. Never
   late. */
int64_t spool_store_next_due(struct spool_store *store);

struct spool_stats {
	uint64_t messages; /* with deliveries */
	uint64_t deliveries;
	uint64_t held;                    /* deliveries */
	uint64_t broken;                  /* messages set aside */
	uint64_t in_hand;                 /* deliveries */
	uint64_t body_bytes;              /* live */
	uint64_t segments, segment_bytes; /* files, and the space they take */
	uint64_t disk_free_bytes, disk_total_bytes, min_free_bytes;
};
void spool_store_stats(struct spool_store *store, struct spool_stats *stats_out);

/* --- Looking, and the operator's changes --- */

enum spool_message_state {             /* as bits in a filter */
	SPOOL_MESSAGE_ACTIVE = 1 << 0, /* some delivery is in hand */
	SPOOL_MESSAGE_DEFERRED = 1 << 1,
	SPOOL_MESSAGE_HELD = 1 << 2,
	SPOOL_MESSAGE_BROKEN = 1 << 3,
	SPOOL_MESSAGE_DONE = 1 << 4,    /* history from here on: all were delivered */
	SPOOL_MESSAGE_BOUNCED = 1 << 5, /* history: some failed */
	SPOOL_MESSAGE_DROPPED = 1 << 6, /* history: by the operator */
};
#define SPOOL_MESSAGE_QUEUED                                                                       \
	(SPOOL_MESSAGE_ACTIVE | SPOOL_MESSAGE_DEFERRED | SPOOL_MESSAGE_HELD | SPOOL_MESSAGE_BROKEN)
#define SPOOL_MESSAGE_ENDED (SPOOL_MESSAGE_DONE | SPOOL_MESSAGE_BOUNCED | SPOOL_MESSAGE_DROPPED)

/* "active", "deferred", "held", "broken", "done", "bounced", "dropped" */
const char *spool_message_state_name(enum spool_message_state state);

/* All that are given must hold. Patterns ignore ASCII case; `*` stands for any run of bytes. */
struct spool_filter {
	const uint64_t *ids;        /* only these messages; NULL: any */
	size_t id_count;            /* <= 500 */
	struct span hop, from, to;  /* patterns; data NULL: any; from "": the null path */
	int64_t received_before_ms; /* 0: any */
	unsigned states;            /* bits; 0: SPOOL_MESSAGE_QUEUED */
};

/* Whether text fits a filter's pattern. */
bool spool_pattern_matches(struct span pattern, struct span text);

#define SPOOL_PAGE_MAX 500

/* One message as it stands on disk, with copies of all its deliveries: nothing is taken in hand.
 */
struct spool_entry {
	struct list link;
	enum spool_message_state state;
	int64_t ended_ms; /* 0 while queued */
	struct spool_message *message;
	struct list deliveries; /* of struct spool_delivery; ended ones first */
};
void spool_entry_destroy(struct spool_entry **entry);

/* From memory: whether somebody has this delivery of an entry in hand. */
bool spool_store_is_in_hand(struct spool_store *store, uint64_t id, unsigned number);

/* Where a walk goes on. Start with zeros. */
struct spool_cursor {
	uint64_t id;
	bool finished;
};

/* Appends to *out at most max (<= SPOOL_PAGE_MAX) matching messages in id order and moves the
   cursor. A call looks at no more than some thousand rows, so a page may be short, or empty,
   before the cursor is finished: then the next call goes on. */
bool spool_store_page(struct spool_store *store, const struct spool_filter *filter,
    struct spool_cursor *cursor, size_t max, struct list *out, struct fault *fault_out);

enum spool_change {
	SPOOL_CHANGE_RETRY, /* due now */
	SPOOL_CHANGE_HOLD,
	SPOOL_CHANGE_RELEASE, /* held ones wait again, due now */
	SPOOL_CHANGE_DROP,    /* ends without delivery and without bounce; broken ones too */
};

struct spool_changed {
	uint64_t messages;   /* changed */
	uint64_t deliveries; /* changed */
	uint64_t in_hand;    /* deliveries that matched and were left alone */
};

/* Changes what the filter matches, at most max (<= SPOOL_PAGE_MAX) messages a call, in one
   transaction, and adds to *changed_out. False: nothing of this step was kept; treat as
   SPOOL_COMMIT_FAILED. With dry_run nothing is written. The cursor is as in spool_store_page().
   */
bool spool_store_change(struct spool_store *store, enum spool_change change,
    const struct spool_filter *filter, struct spool_cursor *cursor, size_t max, bool dry_run,
    int64_t now_ms, struct spool_changed *changed_out, struct fault *fault_out);

/* After a reload: shows each waiting delivery that is not in hand to `route`, at most max (<=
   500) a call, in id order. It may change hop, route label and times, and move recipients into
   `more` with spool_delivery_move(); it returns whether it did. All changes of a call are one
   transaction. False: as in spool_store_change(). */
bool spool_store_rekey(struct spool_store *store, struct spool_cursor *cursor, size_t max,
    bool (*route)(void *context, struct spool_delivery *delivery, struct list *more), void *context,
    uint64_t *changed_out, struct fault *fault_out);

/* Sets a message aside whose body a reader found damaged: the body is read once more, kept under
   broken/<id> as it is, and the deliveries become BROKEN, in hand or not. When the body turns
   out to be sound, nothing changes and *broken_out is false. */
bool spool_store_set_aside(struct spool_store *store, uint64_t id, const char *reason,
    bool *broken_out, struct fault *fault_out);

#endif
