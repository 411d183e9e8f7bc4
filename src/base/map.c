/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include "base/memory.h"
#include "base/random.h"

#include <assert.h>
#include <string.h>

enum { KEY_INSIDE_MAX = 16, SLOTS_MIN = 8 };

/* A slot without a value is free (hash 0) or was used once (hash 1): a search passes the latter. */
enum { HASH_FREE = 0, HASH_REMOVED = 1 };

struct slot {
	uint64_t hash;
	void *value;
	size_t key_len;
	union {
		char inside[KEY_INSIDE_MAX];
		char *outside;
	} key;
};

struct map {
	uint64_t seed[2];
	struct slot *slots;
	size_t slot_count; /* 0 or a power of two */
	size_t count;      /* slots with a value */
	size_t used;       /* and those that had one */
};

/* SipHash-1-3 (Aumasson and Bernstein): keyed, fast for short input. */

static uint64_t rotate(uint64_t v, int bits)
{
	return v << bits | v >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

static uint64_t sip_hash(const uint64_t seed[2], struct span key)
{
	uint64_t v[4] = {
		seed[0] ^ UINT64_C(0x736f6d6570736575),
		seed[1] ^ UINT64_C(0x646f72616e646f6d),
		seed[0] ^ UINT64_C(0x6c7967656e657261),
		seed[1] ^ UINT64_C(0x7465646279746573),
	};
	uint64_t word, last = (uint64_t)key.len << 56;

	for (; key.len >= 8; key = span_skip(key, 8)) {
		memcpy(&word, key.data, 8);
		sip_word(v, word);
	}
	for (size_t i = 0; i < key.len; i++)
		last |= (uint64_t)(unsigned char)key.data[i] << (8 * i);
	sip_word(v, last);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct map *map_create(void)
{
	struct map *m = MEM_NEW(struct map);

	random_bytes(m->seed, sizeof(m->seed));
	return m;
}

static void free_key(struct slot *slot)
{
	if (slot->key_len > KEY_INSIDE_MAX)
		mem_free(slot->key.outside);
}

void map_destroy(struct map **m, void (*free_value)(void *value))
{
	if (!*m)
		return;
	for (size_t i = 0; i < (*m)->slot_count; i++) {
		struct slot *slot = &(*m)->slots[i];

		if (!slot->value)
			continue;
		if (free_value)
			free_value(slot->value);
		free_key(slot);
	}
	mem_free((*m)->slots);
	mem_free(*m);
	*m = NULL;
}

size_t map_count(const struct map *m)
{
	return m->count;
}

static struct span slot_key(const struct slot *slot)
{
	bool inside = slot->key_len <= KEY_INSIDE_MAX;

	return span_of(inside ? slot->key.inside : slot->key.outside, slot->key_len);
}

static struct slot *find(const struct map *m, uint64_t hash, struct span key)
{
	size_t mask = m->slot_count - 1;

	if (m->slot_count == 0)
		return NULL;
	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct slot *slot = &m->slots[i];

		if (slot->value && slot->hash == hash && span_equal(slot_key(slot), key))
			return slot;
		if (!slot->value && slot->hash == HASH_FREE)
			return NULL;
	}
}

void *map_get(const struct map *m, struct span key)
{
	struct slot *slot = find(m, sip_hash(m->seed, key), key);

	return slot ? slot->value : NULL;
}

/* The first slot on the way of hash that has no value. */
static struct slot *find_vacant(struct map *m, uint64_t hash)
{
	size_t mask = m->slot_count - 1, i = hash & mask;

	while (m->slots[i].value)
		i = (i + 1) & mask;
	return &m->slots[i];
}

/* Sized by what is there, so a map that was large becomes small again. */
static void rebuild(struct map *m)
{
	struct slot *old = m->slots;
	size_t old_count = m->slot_count, want = SLOTS_MIN;

	while (want < (m->count + 1) * 2)
		want *= 2;
	m->slots = mem_alloc_array(want, sizeof(*m->slots));
	m->slot_count = want;
	m->used = m->count;
	for (size_t i = 0; i < old_count; i++) {
		if (old[i].value)
			*find_vacant(m, old[i].hash) = old[i];
	}
	mem_free(old);
}

static void set_key(struct slot *slot, struct span key)
{
	slot->key_len = key.len;
	if (key.len > KEY_INSIDE_MAX)
		slot->key.outside = mem_dup(key.data, key.len);
	else if (key.len)
		memcpy(slot->key.inside, key.data, key.len);
}

void *map_set(struct map *m, struct span key, void *value)
{
	uint64_t hash = sip_hash(m->seed, key);
	struct slot *slot = find(m, hash, key);

	assert(value);
	if (slot) {
		void *before = slot->value;

		slot->value = value;
		return before;
	}
	if ((m->used + 1) * 4 > m->slot_count * 3)
		rebuild(m);
	slot = find_vacant(m, hash);
	m->used += slot->hash == HASH_FREE;
	m->count++;
	set_key(slot, key);
	slot->hash = hash;
	slot->value = value;
	return NULL;
}

/* Other slots stay where they are: a walk may remove the entry it just returned. When no search
   can pass this slot it becomes free at once, with the removed ones before it. */
static void vacate(struct map *m, struct slot *slot)
{
	size_t mask = m->slot_count - 1, i = (size_t)(slot - m->slots);
	struct slot *next = &m->slots[(i + 1) & mask];

	free_key(slot);
	*slot = (struct slot){ .hash = HASH_REMOVED };
	m->count--;
	if (next->value || next->hash != HASH_FREE)
		return;
	for (; !m->slots[i].value && m->slots[i].hash == HASH_REMOVED; i = (i - 1) & mask) {
		m->slots[i].hash = HASH_FREE;
		m->used--;
	}
}

void *map_remove(struct map *m, struct span key)
{
	struct slot *slot = find(m, sip_hash(m->seed, key), key);
	void *value;

	if (!slot)
		return NULL;
	value = slot->value;
	vacate(m, slot);
	return value;
}

bool map_next(const struct map *m, size_t *position, struct span *key_out, void **value_out)
{
	while (*position < m->slot_count) {
		const struct slot *slot = &m->slots[(*position)++];

		if (!slot->value)
			continue;
		if (key_out)
			*key_out = slot_key(slot);
		*value_out = slot->value;
		return true;
	}
	return false;
}
