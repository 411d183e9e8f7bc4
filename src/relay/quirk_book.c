/* SPDX-License-Identifier: MIT */
#include "relay/quirk_book.h"

#include "base/buf.h"
#include "base/memory.h"

#define KEY_MAX 2048

void quirk_book_init(struct quirk_book *book, int64_t now_ms)
{
	*book = (struct quirk_book){ .since_ms = now_ms, .by_key = map_create() };
	list_init(&book->entries);
}

static void destroy_entry(void *value)
{
	struct quirk_entry *entry = value;

	list_remove(&entry->link);
	mem_free(entry->key);
	mem_free(entry->client);
	mem_free(entry->login);
	mem_free(entry->listener);
	mem_free(entry);
}

void quirk_book_fini(struct quirk_book *book)
{
	map_destroy(&book->by_key, destroy_entry);
}

static void make_room(struct quirk_book *book)
{
	struct quirk_entry *oldest;

	if (map_count(book->by_key) < QUIRK_BOOK_MAX)
		return;
	oldest = LIST_ENTRY(book->entries.prev, struct quirk_entry, link);
	map_remove(book->by_key, span_from_string(oldest->key));
	destroy_entry(oldest);
	book->forgotten++;
}

/* No part of it can hold a blank but the login, which stands last. */
static char *make_key(const struct quirk_news *news)
{
	struct buf key;

	buf_init(&key, KEY_MAX);
	buf_printf(&key, "%s %u %s %s", news->client, (unsigned)news->quirk, news->listener,
	    news->login ? news->login : "");
	return buf_take_string(&key);
}

static struct quirk_entry *add_entry(
    struct quirk_book *book, const struct quirk_news *news, char *key)
{
	struct quirk_entry *entry = MEM_NEW(struct quirk_entry);

	make_room(book);
	entry->key = key;
	entry->client = mem_strdup(news->client);
	entry->login = mem_strdup(news->login ? news->login : "");
	entry->listener = mem_strdup(news->listener);
	entry->quirk = news->quirk;
	entry->first_ms = news->now_ms;
	list_append(&book->entries, &entry->link);
	map_set(book->by_key, span_from_string(key), entry);
	return entry;
}

void quirk_book_note(struct quirk_book *book, const struct quirk_news *news)
{
	char *key = make_key(news);
	struct quirk_entry *entry = map_get(book->by_key, span_from_string(key));

	if (entry)
		mem_free(key);
	else
		entry = add_entry(book, news, key);
	entry->uses += news->uses;
	entry->refused += news->refused;
	entry->last_ms = news->now_ms;
	list_remove(&entry->link);
	list_prepend(&book->entries, &entry->link);
}
