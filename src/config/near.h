/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_NEAR_H
#define FRANK_CONFIG_NEAR_H

/*
 * Which known name a mistyped one may have meant: by the number of letters to insert, remove,
 * change or swap. Or the known name begins with what was typed ("cert").
 */

#include "base/span.h"

/* 0 is equality but for case; a small number is near; CONFIG_NEAR_NOT is not near at all. */
#define CONFIG_NEAR_NOT 100u
unsigned config_near(struct span typed, struct span known);

/* Keeps the nearest of many: start with *best_distance = CONFIG_NEAR_NOT. True when known is the
   nearest so far. */
bool config_near_keep(struct span typed, const char *known, unsigned *best_distance);

#endif
