/* SPDX-License-Identifier: MIT */
#include "spool/results.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

void keeper_results_fini(struct keeper_results *results)
{
	mem_free(results->round);
	mem_free(results->waiting);
	*results = (struct keeper_results){ 0 };
}

void keeper_results_add(
    struct keeper_results *results, struct keeper_result *result, int64_t now_ms)
{
	if (results->waiting_count == 0)
		results->waiting_since_ms = now_ms;
	if (results->waiting_count == results->waiting_room) {
		results->waiting_room =
		    results->waiting_room == 0 ? 256 : 2 * results->waiting_room;
		results->waiting = mem_realloc(
		    results->waiting, results->waiting_room * sizeof(*results->waiting));
	}
	results->waiting[results->waiting_count++] = result;
}

size_t keeper_results_count(const struct keeper_results *results)
{
	return results->round_count - results->round_next + results->waiting_count;
}

int64_t keeper_results_due_ms(const struct keeper_results *results, int64_t delay_ms)
{
	bool in_round = results->round_next < results->round_count;
	int64_t due = in_round ? 0 : results->waiting_since_ms + delay_ms;
	return due > results->blocked_until_ms ? due : results->blocked_until_ms;
}

bool keeper_results_due(const struct keeper_results *results, int64_t delay_ms, int64_t now_ms)
{
	if (keeper_results_count(results) == 0)
		return false;
	if (delay_ms == 0)
		return true;
	bool enough = results->waiting_count >= SPOOL_BATCH_RESULTS_MAX;
	return (enough && now_ms >= results->blocked_until_ms) ||
	       now_ms >= keeper_results_due_ms(results, delay_ms);
}

static int order_of_ids(const void *left, const void *right)
{
	uint64_t x = (*(struct keeper_result *const *)left)->result->delivery->message->id;
	uint64_t y = (*(struct keeper_result *const *)right)->result->delivery->message->id;
	return x < y ? -1 : x > y;
}

static void begin_round(struct keeper_results *results)
{
	mem_free(results->round);
	results->round = results->waiting;
	results->round_count = results->waiting_count;
	results->round_next = 0;
	results->waiting = NULL;
	results->waiting_count = results->waiting_room = 0;
	if (results->round_count > 1)
		qsort(results->round, results->round_count, sizeof(*results->round), order_of_ids);
}

size_t keeper_results_peek(
    struct keeper_results *results, struct spool_result **results_out, size_t max)
{
	if (results->round_next == results->round_count)
		begin_round(results);
	size_t count = results->round_count - results->round_next;
	count = count < max ? count : max;
	for (size_t i = 0; i < count; i++)
		results_out[i] = results->round[results->round_next + i]->result;
	return count;
}

struct keeper_result *keeper_results_take(struct keeper_results *results)
{
	if (results->round_next == results->round_count)
		begin_round(results);
	assert(results->round_next < results->round_count);
	return results->round[results->round_next++];
}
