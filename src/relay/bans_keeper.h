/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_BANS_KEEPER_H
#define FRANK_RELAY_BANS_KEEPER_H

/*
 * Keeps the bans for control: read at the start, written by a worker soon after they have changed,
 * and at the stop (account/bans_file.h).
 */

#include "relay/control.h"

#define BANS_KEEPER_WRITE_MS 2000

/* The loop is there, no lane yet: makes the bans. Blocks on the disk. */
void bans_keeper_start(struct control *control);
/* The file pool and the lanes are gone. Blocks on the disk. */
void bans_keeper_end(struct control *control);

#endif
