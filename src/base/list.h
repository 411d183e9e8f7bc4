/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_LIST_H
#define FRANK_BASE_LIST_H

/*
 * A doubly linked list through a link inside the element. The head is a link of its own; an element
 * that is in no list has NULL links after list_link_init() or list_remove().
 */

#include "base/memory.h"

#include <stdbool.h>

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline bool list_is_linked(const struct list *link)
{
	return link->next != NULL;
}

static inline void list_insert_before(struct list *at, struct list *link)
{
	link->next = at;
	link->prev = at->prev;
	at->prev->next = link;
	at->prev = link;
}

static inline void list_append(struct list *head, struct list *link)
{
	list_insert_before(head, link);
}

static inline void list_prepend(struct list *head, struct list *link)
{
	list_insert_before(head->next, link);
}

static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->next = link->prev = NULL;
}

/* The first element's link, taken out; NULL when the list is empty. */
static inline struct list *list_take_first(struct list *head)
{
	struct list *first = head->next;
	if (first == head)
		return NULL;
	list_remove(first);
	return first;
}

#define LIST_ENTRY(link, type, member) CONTAINER_OF(link, type, member)
#define LIST_FOR_EACH(position, head)                                                              \
	for (struct list *position = (head)->next; position != (head); position = position->next)
/* The element at the position may be removed inside the loop. */
#define LIST_FOR_EACH_SAFE(position, head)                                                         \
	for (struct list *position = (head)->next, *position##_next = position->next;              \
	     position != (head); position = position##_next, position##_next = position->next)

#endif
