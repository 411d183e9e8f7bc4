/* SPDX-License-Identifier: MIT */
#include "account/tally.h"

#include "account/window.h"
#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"

#include <assert.h>
#include <pthread.h>

struct entry {
	struct list link; /* in the order of their last use */
	char *key;
	size_t key_len;
	struct account_window windows[ACCOUNT_TALLY_COUNT];
	unsigned sessions;
	bool alarmed;
	int64_t alarmed_ms;
};

struct account_tally {
	pthread_mutex_t lock;
	struct map *entries;
	struct list by_use;
	size_t keys_max;
};

struct account_tally *account_tally_create(size_t keys_max)
{
	struct account_tally *tally = MEM_NEW(struct account_tally);

	pthread_mutex_init(&tally->lock, NULL);
	tally->entries = map_create();
	list_init(&tally->by_use);
	tally->keys_max = keys_max;
	return tally;
}

static void forget(struct account_tally *tally, struct entry *entry)
{
	map_remove(tally->entries, span_of(entry->key, entry->key_len));
	list_remove(&entry->link);
	mem_free(entry->key);
	mem_free(entry);
}

void account_tally_destroy(struct account_tally **tally_pointer)
{
	struct account_tally *tally = *tally_pointer;

	*tally_pointer = NULL;
	if (!tally)
		return;
	LIST_FOR_EACH_SAFE (position, &tally->by_use)
		forget(tally, LIST_ENTRY(position, struct entry, link));
	map_destroy(&tally->entries, NULL);
	pthread_mutex_destroy(&tally->lock);
	mem_free(tally);
}

/* ---- entries; with the lock ---- */

static struct span cut(struct span key)
{
	return key.len > ACCOUNT_TALLY_KEY_LEN_MAX ? span_head(key, ACCOUNT_TALLY_KEY_LEN_MAX)
						   : key;
}

static struct entry *find(struct account_tally *tally, struct span key)
{
	return map_get(tally->entries, cut(key));
}

/* One of the least used without a session. Who has one is few: sessions are limited. */
static void make_room(struct account_tally *tally)
{
	if (map_count(tally->entries) < tally->keys_max)
		return;
	LIST_FOR_EACH (position, &tally->by_use) {
		struct entry *entry = LIST_ENTRY(position, struct entry, link);
		if (entry->sessions > 0)
			continue;
		forget(tally, entry);
		return;
	}
}

static struct entry *find_or_make(struct account_tally *tally, struct span key)
{
	struct entry *entry = find(tally, key);

	if (entry) {
		list_remove(&entry->link);
	} else {
		make_room(tally);
		key = cut(key);
		entry = MEM_NEW(struct entry);
		entry->key = mem_dup(key.data, key.len);
		entry->key_len = key.len;
		map_set(tally->entries, key, entry);
	}
	list_append(&tally->by_use, &entry->link);
	return entry;
}

/* ---- counting ---- */

static bool take(struct entry *entry, enum account_tally_what what,
    struct account_tally_limit limit, bool beyond, int64_t now_ms)
{
	struct account_window *window = &entry->windows[what];
	bool within = account_window_total(window, limit.per_ms, now_ms) < limit.count;

	if (within || beyond)
		account_window_add(window, 1, limit.per_ms, now_ms);
	if (within)
		entry->alarmed = false;
	return within;
}

bool account_tally_take(struct account_tally *tally, struct span key, enum account_tally_what what,
    struct account_tally_limit limit, bool beyond, int64_t now_ms)
{
	bool within;

	if (limit.count == 0)
		return true;
	pthread_mutex_lock(&tally->lock);
	within = take(find_or_make(tally, key), what, limit, beyond, now_ms);
	pthread_mutex_unlock(&tally->lock);
	return within;
}

void account_tally_give_back(
    struct account_tally *tally, struct span key, enum account_tally_what what, unsigned n)
{
	struct entry *entry;

	pthread_mutex_lock(&tally->lock);
	entry = find(tally, key);
	if (entry)
		account_window_take_back(&entry->windows[what], n);
	pthread_mutex_unlock(&tally->lock);
}

bool account_tally_alarm(
    struct account_tally *tally, struct span key, int64_t quiet_ms, int64_t now_ms)
{
	struct entry *entry;
	bool raise;

	pthread_mutex_lock(&tally->lock);
	entry = find_or_make(tally, key);
	raise =
	    !entry->alarmed && (entry->alarmed_ms == 0 || now_ms - entry->alarmed_ms >= quiet_ms);
	entry->alarmed = true;
	if (raise)
		entry->alarmed_ms = now_ms;
	pthread_mutex_unlock(&tally->lock);
	return raise;
}

bool account_tally_enter(struct account_tally *tally, struct span key, unsigned max)
{
	struct entry *entry;
	bool enters;

	pthread_mutex_lock(&tally->lock);
	entry = find_or_make(tally, key);
	enters = max == 0 || entry->sessions < max;
	entry->sessions += enters;
	pthread_mutex_unlock(&tally->lock);
	return enters;
}

void account_tally_leave(struct account_tally *tally, struct span key)
{
	struct entry *entry;

	pthread_mutex_lock(&tally->lock);
	entry = find(tally, key);
	assert(entry && entry->sessions > 0);
	entry->sessions--;
	pthread_mutex_unlock(&tally->lock);
}
