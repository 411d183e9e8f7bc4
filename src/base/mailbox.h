/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_MAILBOX_H
#define FRANK_BASE_MAILBOX_H

/*
 * How objects change hands between threads: a locked list and a wake function. A sender posts a
 * whole chain at once, a receiver takes the whole list, and only the first post into an empty box
 * wakes. The box owns nothing: who takes an item owns it. A mailbox is bounded by the sessions and
 * jobs that exist, because each has one question open at a time.
 */

#include <pthread.h>
#include <stdbool.h>

/* Stands inside what is posted. */
struct mailbox_item {
	struct mailbox_item *next;
};

struct mailbox {
	pthread_mutex_t lock;
	struct mailbox_item *first, **last;
	void (*wake)(void *context); /* called by the posting thread, outside the lock */
	void *wake_context;
};

void mailbox_init(struct mailbox *m, void (*wake)(void *context), void *wake_context);
void mailbox_fini(struct mailbox *m); /* the box must be empty */

void mailbox_post(struct mailbox *m, struct mailbox_item *item);

/* The oldest item, with all others behind it in the order of their posting; NULL when empty. */
struct mailbox_item *mailbox_take(struct mailbox *m);

/* A chain collected by one thread during a turn, to be posted at once. */
struct mailbox_chain {
	struct mailbox_item *first, **last;
};
void mailbox_chain_init(struct mailbox_chain *chain);
void mailbox_chain_append(struct mailbox_chain *chain, struct mailbox_item *item);
/* Posts what the chain holds, if anything, and empties it. */
void mailbox_post_chain(struct mailbox *m, struct mailbox_chain *chain);

#endif
