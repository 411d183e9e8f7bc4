/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_FOLLOW_H
#define FRANK_RELAY_FOLLOW_H

/*
 * What one watcher of dialogues wants to see (`frank trace --follow`). Whether a dialogue is
 * wanted may show late: a login comes after EHLO and STARTTLS, a message after MAIL. Until then
 * its lines are kept, and shown when it turns out to be. Kept are at most FOLLOW_LINES_MAX lines
 * of each of FOLLOW_DIALOGUES_MAX dialogues, and FOLLOW_BYTES_MAX in all; the oldest go first.
 *
 * With a message asked for, the lines of other messages in the same dialogue are left out.
 */

#include "base/fault.h"
#include "base/list.h"
#include "trace/line.h"

#define FOLLOW_LINES_MAX 200
#define FOLLOW_DIALOGUES_MAX 64
#define FOLLOW_BYTES_MAX (1024 * 1024)

struct follow;

/* All that are given must hold; empty means any. client: a network in CIDR form; hop: part of its
   key. NULL: client or message cannot be understood. */
struct follow *follow_create(struct span client, struct span login, struct span hop,
    struct span message, struct fault *fault_out);
void follow_destroy(struct follow **follow); /* NULL is accepted */

/* Takes note of a line, and calls show, now or in a later call, for each one that is wanted, in
   order. */
void follow_line(struct follow *follow, const struct trace_line *line,
    void (*show)(void *context, const struct trace_line *line), void *context);

#endif
