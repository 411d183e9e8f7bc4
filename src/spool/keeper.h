/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SPOOL_KEEPER_H
#define FRANK_SPOOL_KEEPER_H

/*
 * The keeper: a plain thread, the only one of the daemon that blocks on the spool. It takes all
 * that waits in its mailbox, writes the bodies, syncs, commits, answers all, tidies up: group
 * commit without any artificial delay. Results may wait up to a second and go in id order, at
 * most 64 a transaction (SPOOL_BATCH_RESULTS_MAX).
 *
 * Every item comes back, changed into its answer, to the mailbox that it names, as part of one
 * chain a mailbox and turn. Such a mailbox should carry nothing but keeper items, so that its
 * owner can tell them by their kind. Who posts an item must keep the mailbox alive until it is
 * back.
 *
 * When a write, a sync or a commit fails, every accept of that batch is FAILED (its outcome is
 * unknown) and its results wait; the keeper then reopens the store, with a try every 5 seconds,
 * and until that succeeds refuses new mail as FULL. It logs the failure once and the recovery
 * once.
 */

#include "base/mailbox.h"
#include "spool/store.h"

struct keeper;

#define KEEPER_MAILBOXES_MAX 256 /* that wait for answers at one time */

enum keeper_kind {
	KEEPER_ACCEPT,
	KEEPER_ARRIVAL, /* only as an answer: deliveries now in the schedule's hands */
	KEEPER_RESULT,
	KEEPER_QUERY,
};

struct keeper_item {
	struct mailbox_item link;  /* first */
	enum keeper_kind kind;     /* set by the keeper_post functions */
	struct mailbox *answer_to; /* NULL: the keeper frees a result, forgets a query */
};

/* Start of what the mailbox took. */
static inline struct keeper_item *keeper_item_of(struct mailbox_item *link)
{
	return (struct keeper_item *)link;
}

enum keeper_answer {
	KEEPER_KEPT,   /* durable: 250 */
	KEEPER_FULL,   /* 452 4.3.1: nothing was kept */
	KEEPER_FAILED, /* 451 4.3.0: outcome unknown */
};

/* A draft for the queue. Comes back without it when KEPT, and with it otherwise (a large file is
   then the keeper's to remove). Memory belongs to the poster. */
struct keeper_accept {
	struct keeper_item item;
	struct spool_draft *draft;
	uint64_t handle[2]; /* the poster's: who waits for the answer */
	enum keeper_answer answer;
	char why[200]; /* unless KEPT: a sentence for the client */
};
void keeper_post_accept(struct keeper *keeper, struct keeper_accept *accept);
/* Prepares one for a chain of a whole turn; post it with keeper_post_chain(). */
void keeper_accept_prepare(struct keeper_accept *accept);
void keeper_post_chain(struct keeper *keeper, struct mailbox_chain *chain);

/* What became of an accepted draft: message, body and deliveries, for the schedule. It goes to
   the arrivals mailbox in the same turn as the 250. Its owner destroys it with
   keeper_arrival_destroy() after taking what it wants out of the draft. */
struct keeper_arrival {
	struct keeper_item item;
	struct spool_draft *draft;
};
void keeper_arrival_destroy(struct keeper_arrival **arrival);

/* A result. Comes back, with result NULL, when it is durable (with its result only when the
   keeper stops on a spool that does not work): so its poster can count what is not (at most
   10,000 by the schedule's own limit). It never fails: after trouble it is tried again. Memory
   belongs to the poster, or with answer_to NULL to the keeper (mem_free). */
struct keeper_result {
	struct keeper_item item;
	struct spool_result *result;
};
void keeper_post_result(struct keeper *keeper, struct keeper_result *result);

/* A question: run() is called in the keeper's thread between two transactions, and may do
   anything with the store except commit and reopen. It returns false with *fault_out set when a
   call said that the store failed. A query is the first member of what its poster fills and
   reads. While the store is down run() is not called: ok is false at once and fault says why. */
struct keeper_query {
	struct keeper_item item;
	bool (*run)(struct keeper_query *query, struct spool_store *store, struct fault *fault_out);
	bool ok;
	struct fault fault;
};
void keeper_post_query(struct keeper *keeper, struct keeper_query *query);

struct keeper_settings {
	struct mailbox *arrivals; /* NULL: what is accepted waits for leases */
	int64_t result_delay_ms;  /* 0: one second */
	int64_t retry_ms;         /* between attempts to reopen; 0: five seconds */
};

/* Takes the open store and starts the thread (signals blocked). */
struct keeper *keeper_start(struct spool_store **store, const struct keeper_settings *settings);

/* Commits what was posted, answers it, checkpoints, closes the store and ends the thread;
   returns when that is done. Nothing may be posted afterwards; the answers are in their
   mailboxes. */
void keeper_stop(struct keeper **keeper);

#endif
