/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_INBOX_H
#define FRANK_RELAY_INBOX_H

/*
 * A mailbox whose receiver is a loop: what is posted into the box from any thread is given to
 * on_item in the loop's thread, in the order of posting. A lane has one for each kind of sender
 * (control, keeper, workers), so that every receiver knows what it takes.
 */

#include "base/mailbox.h"

#include <uv.h>

struct inbox {
	struct mailbox box;
	uv_async_t wake;
	void (*on_item)(struct mailbox_item *item, void *owner);
	void *owner;
};

void inbox_init(struct inbox *inbox, uv_loop_t *loop,
    void (*on_item)(struct mailbox_item *item, void *owner), void *owner);

/* Gives on_item what has been posted; the loop does so by itself. */
void inbox_drain(struct inbox *inbox);

/* Nothing may be posted any more. The loop must run its close events before the memory goes. */
void inbox_close(struct inbox *inbox);

/* The same for one on the heap, whose memory goes with the loop's close event. */
void inbox_destroy(struct inbox **inbox);

#endif
