/* SPDX-License-Identifier: MIT */
#include "account/bans.h"

#include "account/window.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"

#include <pthread.h>
#include <string.h>

#define DAY_MS (24 * 3600 * 1000LL)

struct entry {
	struct list link;       /* in the order of their last use */
	struct account_ban ban; /* until_ms 0: there was none */
	struct account_window failures;
	int64_t success_ms; /* the last one; 0: none */
};

struct account_bans {
	pthread_mutex_t lock;
	struct map *entries;
	struct list by_use;
	size_t entries_max;
	uint64_t changes;
};

struct account_bans *account_bans_create(size_t entries_max)
{
	struct account_bans *bans = MEM_NEW(struct account_bans);

	pthread_mutex_init(&bans->lock, NULL);
	bans->entries = map_create();
	list_init(&bans->by_use);
	bans->entries_max = entries_max;
	return bans;
}

/* ---- entries; with the lock ---- */

/* The address and the login behind it, of which so much is looked at. */
struct key {
	char bytes[ACCOUNT_ADDRESS_BYTES + ACCOUNT_BANS_LOGIN_MAX];
	size_t len;
};

static struct span key_make(
    struct key *key, const struct account_address *address, struct span login)
{
	size_t len = login.len < ACCOUNT_BANS_LOGIN_MAX ? login.len : ACCOUNT_BANS_LOGIN_MAX;

	memcpy(key->bytes, address->bytes, ACCOUNT_ADDRESS_BYTES);
	if (len > 0)
		memcpy(key->bytes + ACCOUNT_ADDRESS_BYTES, login.data, len);
	return span_of(key->bytes, ACCOUNT_ADDRESS_BYTES + len);
}

static struct span key_of(struct key *key, const struct entry *entry)
{
	return key_make(key, &entry->ban.address, span_of(entry->ban.login, entry->ban.login_len));
}

static void forget(struct account_bans *bans, struct entry *entry)
{
	struct key key;

	map_remove(bans->entries, key_of(&key, entry));
	list_remove(&entry->link);
	mem_free(entry);
}

static bool is_banned(const struct entry *entry, int64_t now_ms)
{
	return entry && entry->ban.until_ms > now_ms;
}

static struct entry *find(
    struct account_bans *bans, const struct account_address *address, struct span login)
{
	struct key key;

	return map_get(bans->entries, key_make(&key, address, login));
}

/* Of those that were not used for longest, one that is not banned; only so many are looked at. */
static void make_room(struct account_bans *bans, int64_t now_ms)
{
	struct entry *victim = NULL;
	unsigned looks = 0;

	if (map_count(bans->entries) < bans->entries_max)
		return;
	LIST_FOR_EACH (position, &bans->by_use) {
		struct entry *entry = LIST_ENTRY(position, struct entry, link);
		if (!victim)
			victim = entry;
		if (++looks > 1000)
			break;
		if (is_banned(entry, now_ms))
			continue;
		victim = entry;
		break;
	}
	if (victim)
		forget(bans, victim);
}

static struct entry *find_or_make(struct account_bans *bans, const struct account_address *address,
    struct span login, int64_t now_ms)
{
	struct entry *entry = find(bans, address, login);
	struct key key;

	if (entry) {
		list_remove(&entry->link);
	} else {
		make_room(bans, now_ms);
		entry = MEM_NEW(struct entry);
		entry->ban.address = *address;
		entry->ban.login_len =
		    login.len < ACCOUNT_BANS_LOGIN_MAX ? login.len : ACCOUNT_BANS_LOGIN_MAX;
		if (login.len > 0)
			memcpy(entry->ban.login, login.data, entry->ban.login_len);
		map_set(bans->entries, key_of(&key, entry), entry);
	}
	list_append(&bans->by_use, &entry->link);
	return entry;
}

void account_bans_destroy(struct account_bans **bans_pointer)
{
	struct account_bans *bans = *bans_pointer;

	*bans_pointer = NULL;
	if (!bans)
		return;
	LIST_FOR_EACH_SAFE (position, &bans->by_use)
		forget(bans, LIST_ENTRY(position, struct entry, link));
	map_destroy(&bans->entries, NULL);
	pthread_mutex_destroy(&bans->lock);
	mem_free(bans);
}

/* ---- who is banned ---- */

bool account_bans_login(struct account_bans *bans, const struct account_address *address,
    struct span login, int64_t now_ms)
{
	bool banned;

	pthread_mutex_lock(&bans->lock);
	banned = is_banned(find(bans, address, login), now_ms);
	pthread_mutex_unlock(&bans->lock);
	return banned;
}

bool account_bans_address(
    struct account_bans *bans, const struct account_address *address, int64_t now_ms)
{
	return account_bans_login(bans, address, span_of("", 0), now_ms);
}

/* ---- failures ---- */

/* The next ban is twice as long as the last, unless that ended a day ago. */
static int64_t ban_length(
    struct account_ban *ban, const struct account_ban_policy *policy, int64_t now_ms)
{
	int64_t length = policy->first_ms;

	if (ban->until_ms != 0 && now_ms - ban->until_ms >= DAY_MS)
		ban->times = 0;
	for (unsigned i = 0; i < ban->times && length < policy->max_ms; i++)
		length *= 2;
	return length < policy->max_ms ? length : policy->max_ms;
}

/* Counts a failure. True: that made a ban. */
static bool count_failure(struct entry *entry, const struct account_ban_policy *policy,
    unsigned limit, bool exempt, int64_t now_ms)
{
	unsigned failures;

	account_window_add(&entry->failures, 1, policy->window_ms, now_ms);
	failures = account_window_total(&entry->failures, policy->window_ms, now_ms);
	if (!policy->automatic || exempt || failures < limit || is_banned(entry, now_ms))
		return false;
	entry->ban.since_ms = now_ms;
	entry->ban.until_ms = now_ms + ban_length(&entry->ban, policy, now_ms);
	entry->ban.failures = failures;
	entry->ban.times++;
	memset(&entry->failures, 0, sizeof(entry->failures));
	return true;
}

static bool has_success(const struct entry *entry, int64_t now_ms)
{
	return entry->success_ms != 0 && now_ms - entry->success_ms < DAY_MS;
}

static void fail(struct account_bans *bans, const struct account_ban_policy *policy,
    const struct account_address *address, struct span login, int64_t now_ms,
    struct account_bans_outcome *outcome)
{
	struct entry *all = find_or_make(bans, address, span_of("", 0), now_ms), *one;
	bool exempt = has_success(all, now_ms);

	outcome->address_failures =
	    account_window_total(&all->failures, policy->window_ms, now_ms) + 1;
	outcome->address_banned =
	    count_failure(all, policy, policy->address_failures, exempt, now_ms);
	if (outcome->address_banned)
		outcome->address_ban = all->ban;
	if (login.len > 0) {
		one = find_or_make(bans, address, login, now_ms);
		outcome->login_banned =
		    count_failure(one, policy, policy->failures, exempt, now_ms);
		if (outcome->login_banned)
			outcome->login_ban = one->ban;
	}
	bans->changes += outcome->login_banned || outcome->address_banned;
}

void account_bans_failed(struct account_bans *bans, const struct account_ban_policy *policy,
    const struct account_address *address, struct span login, int64_t now_ms,
    struct account_bans_outcome *outcome_out)
{
	*outcome_out = (struct account_bans_outcome){ .address_failures = 1 };
	if (account_address_is_none(address))
		return;
	pthread_mutex_lock(&bans->lock);
	fail(bans, policy, address, login, now_ms, outcome_out);
	pthread_mutex_unlock(&bans->lock);
}

void account_bans_succeeded(struct account_bans *bans, const struct account_address *address,
    struct span login, int64_t now_ms)
{
	struct entry *one;

	if (account_address_is_none(address))
		return;
	pthread_mutex_lock(&bans->lock);
	find_or_make(bans, address, span_of("", 0), now_ms)->success_ms = now_ms;
	one = find(bans, address, login);
	if (one && login.len > 0)
		memset(&one->failures, 0, sizeof(one->failures));
	pthread_mutex_unlock(&bans->lock);
}

/* ---- the operator's, and the file's ---- */

void account_bans_add(struct account_bans *bans, const struct account_ban *ban)
{
	struct entry *entry;

	pthread_mutex_lock(&bans->lock);
	entry =
	    find_or_make(bans, &ban->address, span_of(ban->login, ban->login_len), ban->since_ms);
	entry->ban = *ban;
	bans->changes++;
	pthread_mutex_unlock(&bans->lock);
}

static bool is_meant(
    const struct entry *entry, const struct account_address *address, struct span login)
{
	return memcmp(&entry->ban.address, address, sizeof(*address)) == 0 &&
	       (!login.data || span_equal(login, span_of(entry->ban.login, entry->ban.login_len)));
}

size_t account_bans_remove(struct account_bans *bans, const struct account_address *address,
    struct span login, int64_t now_ms)
{
	size_t removed = 0;

	pthread_mutex_lock(&bans->lock);
	LIST_FOR_EACH_SAFE (position, &bans->by_use) {
		struct entry *entry = LIST_ENTRY(position, struct entry, link);
		if (!is_meant(entry, address, login))
			continue;
		removed += is_banned(entry, now_ms);
		bans->changes++;
		forget(bans, entry);
	}
	pthread_mutex_unlock(&bans->lock);
	return removed;
}

struct account_ban *account_bans_list(
    struct account_bans *bans, int64_t now_ms, bool ended_too, size_t *count_out)
{
	struct account_ban *list;
	size_t count = 0;

	pthread_mutex_lock(&bans->lock);
	list = mem_alloc_array(map_count(bans->entries) + 1, sizeof(*list));
	LIST_FOR_EACH (position, &bans->by_use) {
		const struct entry *entry = LIST_ENTRY(position, struct entry, link);
		bool counts = ended_too && entry->ban.until_ms != 0 && entry->ban.failures > 0 &&
			      now_ms - entry->ban.until_ms < DAY_MS;
		if (counts || is_banned(entry, now_ms))
			list[count++] = entry->ban;
	}
	pthread_mutex_unlock(&bans->lock);
	*count_out = count;
	return list;
}

uint64_t account_bans_changes(struct account_bans *bans)
{
	uint64_t changes;

	pthread_mutex_lock(&bans->lock);
	changes = bans->changes;
	pthread_mutex_unlock(&bans->lock);
	return changes;
}
