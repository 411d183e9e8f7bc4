/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_LEARNED_H
#define FRANK_RELAY_LEARNED_H

/*
 * What was learned of next hops, kept over restarts in STATE/hops.json: which mechanism worked,
 * with or without an initial response, which ones a hop lists and does not understand, and when it
 * last took or refused us. What EHLO tells anew in each session is not kept. The file holds no
 * secret. A file that is missing or makes no sense costs a second try at signing in, and nothing
 * else.
 */

#include "base/fault.h"
#include "relay/upstream.h"

#include <jansson.h>

#define LEARNED_FILE_MAX (16u * 1024 * 1024)

/* One hop as JSON; NULL when nothing is known that is worth keeping. Dropped by the caller. */
json_t *learned_hop_json(const char *key, const struct upstream_learned *learned);
/* The other way round: *key_out borrows from object. False: it makes no sense. */
bool learned_hop_read(
    const json_t *object, const char **key_out, struct upstream_learned *learned_out);

/* Replaces the file as a whole, synced. Blocks on the disk. hops is an array of the above. */
bool learned_save(const char *path, json_t *hops, struct fault *fault_out);
/* The array in the file, to be dropped by the caller; NULL with a fault, or with FAULT_NONE where
   there is no file. */
json_t *learned_load(const char *path, struct fault *fault_out);

#endif
