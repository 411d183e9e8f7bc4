/* SPDX-License-Identifier: MIT */
#include "account/window.h"

#include <string.h>

#define PARTS (ACCOUNT_WINDOW_SLICES - 1)

static uint32_t sum(const struct account_window *w)
{
	uint64_t total = 0;

	for (int i = 0; i < ACCOUNT_WINDOW_SLICES; i++)
		total += w->counts[i];
	return total > UINT32_MAX ? UINT32_MAX : (uint32_t)total;
}

static int64_t slice_of(int64_t per_ms, int64_t now_ms)
{
	int64_t len = per_ms / PARTS;

	return now_ms / (len > 0 ? len : 1);
}

/* Empties the slices that have passed. */
static void advance(struct account_window *w, int64_t slice)
{
	int64_t passed = slice - w->newest;

	if (passed <= 0)
		return;
	if (passed > ACCOUNT_WINDOW_SLICES)
		passed = ACCOUNT_WINDOW_SLICES;
	for (int64_t i = 0; i < passed; i++)
		w->counts[(slice - i) % ACCOUNT_WINDOW_SLICES] = 0;
	w->newest = slice;
}

/* Another while: all that counts has happened just now. */
static void set_length(struct account_window *w, int64_t per_ms, int64_t now_ms)
{
	uint32_t total = sum(w);

	if (w->per_ms == per_ms)
		return;
	memset(w->counts, 0, sizeof(w->counts));
	w->per_ms = per_ms;
	w->newest = slice_of(per_ms, now_ms);
	w->counts[w->newest % ACCOUNT_WINDOW_SLICES] = total;
}

static void bring_up_to_date(struct account_window *w, int64_t per_ms, int64_t now_ms)
{
	if (w->per_ms != 0)
		advance(w, slice_of(w->per_ms, now_ms));
	set_length(w, per_ms, now_ms);
}

void account_window_add(struct account_window *w, uint32_t n, int64_t per_ms, int64_t now_ms)
{
	uint32_t *slice;

	bring_up_to_date(w, per_ms, now_ms);
	slice = &w->counts[w->newest % ACCOUNT_WINDOW_SLICES];
	*slice = n > UINT32_MAX - *slice ? UINT32_MAX : *slice + n;
}

uint32_t account_window_total(struct account_window *w, int64_t per_ms, int64_t now_ms)
{
	bring_up_to_date(w, per_ms, now_ms);
	return sum(w);
}

void account_window_take_back(struct account_window *w, uint32_t n)
{
	for (int64_t i = 0; i < ACCOUNT_WINDOW_SLICES && n > 0 && i <= w->newest; i++) {
		uint32_t *slice = &w->counts[(w->newest - i) % ACCOUNT_WINDOW_SLICES];
		uint32_t taken = n < *slice ? n : *slice;
		*slice -= taken;
		n -= taken;
	}
}
