/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_LEARNED_KEEPER_H
#define FRANK_RELAY_LEARNED_KEEPER_H

/*
 * Keeps relay/learned.h's file for control: read at the start, written by a worker every
 * LEARNED_SAVE_MS when there is news, and at the stop.
 */

#include "relay/control.h"

#define LEARNED_SAVE_MS (5 * 60 * 1000)

void learned_keeper_start(struct control *control); /* the schedule has started */
/* The file pool is gone, the schedule is still there. Blocks on the disk. */
void learned_keeper_end(struct control *control);

#endif
