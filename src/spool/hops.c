/* SPDX-License-Identifier: MIT */
#include "spool/hops.h"

#include "base/map.h"
#include "base/memory.h"

struct spool_hops {
	struct map *by_key, *by_row;
	struct spool_hop_entry **all;
	size_t count;
};

struct spool_hops *spool_hops_create(void)
{
	struct spool_hops *hops = MEM_NEW(struct spool_hops);
	hops->by_key = map_create();
	hops->by_row = map_create();
	return hops;
}

void spool_hops_destroy(struct spool_hops **hops)
{
	struct spool_hops *gone = *hops;
	*hops = NULL;
	if (gone == NULL)
		return;
	map_destroy(&gone->by_key, NULL);
	map_destroy(&gone->by_row, NULL);
	for (size_t i = 0; i < gone->count; i++) {
		mem_free((char *)(uintptr_t)gone->all[i]->key.data);
		mem_free(gone->all[i]);
	}
	mem_free(gone->all);
	mem_free(gone);
}

struct spool_hop_entry *spool_hops_find(struct spool_hops *hops, struct span key)
{
	return map_get(hops->by_key, key);
}

static void clear(struct spool_hop_entry *hop)
{
	hop->row = 0;
	hop->waiting = hop->held = hop->broken = 0;
	hop->next_due_ms = INT64_MAX;
	hop->oldest = UINT64_MAX;
}

struct spool_hop_entry *spool_hops_intern(struct spool_hops *hops, struct span key)
{
	struct spool_hop_entry *hop = spool_hops_find(hops, key);
	if (hop != NULL)
		return hop;
	hop = MEM_NEW(struct spool_hop_entry);
	hop->key = span_of(mem_dup(key.data, key.len), key.len);
	clear(hop);
	map_set(hops->by_key, hop->key, hop);
	/* Grows by doubling: at each power of two there is no room left. */
	if ((hops->count & (hops->count - 1)) == 0)
		hops->all = mem_realloc(
		    hops->all, (hops->count == 0 ? 1 : 2 * hops->count) * sizeof(*hops->all));
	hops->all[hops->count++] = hop;
	return hop;
}

struct spool_hop_entry *spool_hops_find_row(struct spool_hops *hops, int64_t row)
{
	return map_get(hops->by_row, MAP_KEY(row));
}

void spool_hops_set_row(struct spool_hops *hops, struct spool_hop_entry *hop, int64_t row)
{
	if (hop->row != 0)
		map_remove(hops->by_row, MAP_KEY(hop->row));
	hop->row = row;
	if (row != 0)
		map_set(hops->by_row, MAP_KEY(row), hop);
}

void spool_hops_reset(struct spool_hops *hops)
{
	for (size_t i = 0; i < hops->count; i++) {
		spool_hops_set_row(hops, hops->all[i], 0);
		clear(hops->all[i]);
	}
}

size_t spool_hops_count(const struct spool_hops *hops)
{
	return hops->count;
}

struct spool_hop_entry *spool_hops_at(struct spool_hops *hops, size_t index)
{
	return hops->all[index];
}
