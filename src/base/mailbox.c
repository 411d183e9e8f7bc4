/* SPDX-License-Identifier: MIT */
#include "base/mailbox.h"

#include <assert.h>
#include <stddef.h>

void mailbox_init(struct mailbox *m, void (*wake)(void *context), void *wake_context)
{
	*m = (struct mailbox){ .wake = wake, .wake_context = wake_context };
	m->last = &m->first;
	pthread_mutex_init(&m->lock, NULL);
}

void mailbox_fini(struct mailbox *m)
{
	assert(!m->first);
	pthread_mutex_destroy(&m->lock);
}

void mailbox_post(struct mailbox *m, struct mailbox_item *item)
{
	struct mailbox_chain chain;

	mailbox_chain_init(&chain);
	mailbox_chain_append(&chain, item);
	mailbox_post_chain(m, &chain);
}

struct mailbox_item *mailbox_take(struct mailbox *m)
{
	struct mailbox_item *first;

	pthread_mutex_lock(&m->lock);
	first = m->first;
	m->first = NULL;
	m->last = &m->first;
	pthread_mutex_unlock(&m->lock);
	return first;
}

void mailbox_chain_init(struct mailbox_chain *chain)
{
	chain->first = NULL;
	chain->last = &chain->first;
}

void mailbox_chain_append(struct mailbox_chain *chain, struct mailbox_item *item)
{
	item->next = NULL;
	*chain->last = item;
	chain->last = &item->next;
}

/* Nothing of the box is touched after the lock is given back, except its wake function: the items
   may be gone by then. */
void mailbox_post_chain(struct mailbox *m, struct mailbox_chain *chain)
{
	bool was_empty;

	if (!chain->first)
		return;
	pthread_mutex_lock(&m->lock);
	was_empty = !m->first;
	*m->last = chain->first;
	m->last = chain->last;
	pthread_mutex_unlock(&m->lock);
	mailbox_chain_init(chain);
	if (was_empty && m->wake)
		m->wake(m->wake_context);
}
