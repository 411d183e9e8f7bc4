/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_QUEUE_ITEM_H
#define FRANK_RELAY_QUEUE_ITEM_H

/*
 * A message of the queue as JSON: what `frank queue` shows, with and without a relay that runs.
 *
 *	{"id","state","sender","recipients":[{"address","state","attempts","next","reply",
 *	"remote_id","hop"}],"size","received","login","client"}
 *
 * States are active, deferred, held, broken, done, bounced and dropped. reply is what the hop
 * said last; a recipient who waits for a hop that is paused, and of whom nothing was said yet,
 * has the reason of the pause. next is not before the end of the pause.
 */

#include "spool/store.h"

#include <jansson.h>

/* A hop that is not used at the moment, as control knows it. */
struct queue_pause {
	char *hop; /* key */
	char *why;
	int64_t until_ms; /* wall; 0: nothing is known */
};

struct queue_pauses {
	struct queue_pause *items;
	size_t count;
};
void queue_pauses_add(
    struct queue_pauses *pauses, const char *hop, const char *why, int64_t until_ms);
void queue_pauses_fini(struct queue_pauses *pauses);

/* detailed: with helo, listener, ended, and for each recipient last_attempt, expires and route. */
json_t *queue_item_json(const struct spool_entry *entry, struct spool_store *store,
    const struct queue_pauses *pauses, bool detailed);

#endif
