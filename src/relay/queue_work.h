/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_QUEUE_WORK_H
#define FRANK_RELAY_QUEUE_WORK_H

/*
 * A command about the queue, carried out on the store in small steps: by the keeper when a relay
 * runs, by the command line itself when none does. A step takes a few milliseconds and little
 * memory, however long the queue is. What comes of it are the lines of relay/admin.h.
 *
 * The request: "ids" (texts), or patterns "hop", "from", "to" (`*` stands for any run of bytes,
 * from "" is the null path), "older" (seconds), "states" (texts); "dry_run", "all" (booleans). A
 * change needs one of ids, patterns, older, states, or all.
 */

#include "relay/queue_item.h"

#define QUEUE_IDS_MAX 500

enum queue_verb {
	QUEUE_LIST,
	QUEUE_SHOW,
	QUEUE_RETRY,
	QUEUE_HOLD,
	QUEUE_RELEASE,
	QUEUE_DROP,
	QUEUE_RUN, /* retry of everything */
};

struct queue_work {
	enum queue_verb verb;
	bool dry_run;
	struct spool_filter filter; /* texts and ids are owned */
	bool *known;                /* by place in filter.ids */
	struct queue_pauses pauses; /* set by the owner before a step */

	bool looked;      /* changes: it is known which ids there are, and hops */
	struct list hops; /* of struct queue_hop: where the ids' deliveries go */
	struct spool_cursor cursor;
	size_t page;                  /* messages a step */
	struct spool_changed changed; /* in_hand: of the last pass */
	struct buf lines;             /* for the owner to take */
	bool finished;                /* this pass is */
};

struct queue_hop {
	struct list link;
	struct span key; /* owned */
};

/* NULL: the request is no good. */
struct queue_work *queue_work_create(
    const char *verb, const json_t *request, struct fault *fault_out);
void queue_work_destroy(struct queue_work **work);

bool queue_work_is_change(const struct queue_work *work);

/* Changes by id: finds out which there are, and fills hops. Others need it not. */
bool queue_work_look(struct queue_work *work, struct spool_store *store, struct fault *fault_out);
/* One step. False: the store has failed. Nothing is to be done once finished is set. */
bool queue_work_step(
    struct queue_work *work, struct spool_store *store, int64_t now_ms, struct fault *fault_out);
/* Again from the start, for what was in hand. */
void queue_work_rewind(struct queue_work *work);
/* The last lines; returns the exit status: 1 when an id is unknown, or too late for the change. */
int queue_work_finish(struct queue_work *work);

#endif
