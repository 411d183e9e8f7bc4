/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_ADMIN_JSON_H
#define FRANK_RELAY_ADMIN_JSON_H

/*
 * JSON as Frank writes it: times are RFC 3339 in UTC, durations seconds, sizes bytes, and what is
 * absent has no key. Peer bytes that are no UTF-8 are escaped (base/escape.h), all others stand
 * as they are.
 */

#include "base/buf.h"

#include <jansson.h>

json_t *admin_json_text(struct span text);

/* Nothing is set for an empty text, NULL, a time of 0. */
void admin_json_set_text(json_t *object, const char *key, struct span text);
void admin_json_set_string(json_t *object, const char *key, const char *text);
void admin_json_set_time(json_t *object, const char *key, int64_t wall_ms);
void admin_json_set_number(json_t *object, const char *key, uint64_t number);
void admin_json_set_duration(json_t *object, const char *key, int64_t duration_ms);
void admin_json_set_id(json_t *object, const char *key, uint64_t message_id);

/* The text under the key; data NULL when there is none. False when it is no text. */
bool admin_json_get_text(const json_t *object, const char *key, struct span *text_out);

/* Appends the object as one line, and drops the reference. False, and b as it was, when its ceiling
   forbids it. */
bool admin_json_line(struct buf *b, json_t *object);

#endif
