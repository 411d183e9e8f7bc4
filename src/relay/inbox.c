/* SPDX-License-Identifier: MIT */
#include "relay/inbox.h"

#include "base/memory.h"

#include <assert.h>

static void wake(void *context)
{
	struct inbox *inbox = context;

	uv_async_send(&inbox->wake);
}

static void on_wake(uv_async_t *handle)
{
	inbox_drain(CONTAINER_OF(handle, struct inbox, wake));
}

void inbox_init(struct inbox *inbox, uv_loop_t *loop,
    void (*on_item)(struct mailbox_item *item, void *owner), void *owner)
{
	int error = uv_async_init(loop, &inbox->wake, on_wake);

	assert(error == 0);
	inbox->on_item = on_item;
	inbox->owner = owner;
	mailbox_init(&inbox->box, wake, inbox);
}

void inbox_drain(struct inbox *inbox)
{
	struct mailbox_item *item = mailbox_take(&inbox->box);

	while (item) {
		struct mailbox_item *next = item->next;
		inbox->on_item(item, inbox->owner);
		item = next;
	}
}

static void end(struct inbox *inbox, uv_close_cb on_closed)
{
	inbox_drain(inbox);
	uv_close((uv_handle_t *)&inbox->wake, on_closed);
	mailbox_fini(&inbox->box);
}

void inbox_close(struct inbox *inbox)
{
	end(inbox, NULL);
}

static void free_closed(uv_handle_t *handle)
{
	mem_free(CONTAINER_OF((uv_async_t *)handle, struct inbox, wake));
}

void inbox_destroy(struct inbox **inbox)
{
	struct inbox *gone = *inbox;

	*inbox = NULL;
	if (gone)
		end(gone, free_closed);
}
