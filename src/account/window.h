/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_WINDOW_H
#define FRANK_ACCOUNT_WINDOW_H

/*
 * How often something happened within the last while: a sliding count of fixed size. Time is cut
 * into sixteenths of the while, and a sixteenth leaves as a whole: what is counted happened within
 * the while or up to a sixteenth of it before, so a limit is never passed within any while.
 *
 * Zeroed memory is an empty window. Times are milliseconds of any clock; when it goes back, nothing
 * is forgotten.
 */

#include <stdint.h>

#define ACCOUNT_WINDOW_SLICES 17

struct account_window {
	int64_t per_ms; /* the while; 0: nothing has been counted */
	int64_t newest; /* number of the last slice */
	uint32_t counts[ACCOUNT_WINDOW_SLICES];
};

/* What was counted stays counted when the while is another one from now on. per_ms > 0. */
void account_window_add(struct account_window *w, uint32_t n, int64_t per_ms, int64_t now_ms);
uint32_t account_window_total(struct account_window *w, int64_t per_ms, int64_t now_ms);
/* Takes n of the latest off again, or as many as are there. */
void account_window_take_back(struct account_window *w, uint32_t n);

#endif
