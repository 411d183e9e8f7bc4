/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_REFUSALS_H
#define FRANK_RELAY_REFUSALS_H

/*
 * Keeps those who are turned away cheap. Who opens thousands of connections a second from one
 * address is to get neither a log line for each, which would fill the disk, nor a descriptor that
 * lingers until his end is closed, which would use them up: 2 s times 2,000 a second are 4,000.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REFUSALS_TOLD_MAX 20       /* log lines a second, of one lane */
#define REFUSALS_LINGERING_MAX 512 /* connections of one lane that wait for the client's end */

/* All zero to begin with. */
struct refusals {
	int64_t second;
	unsigned told;   /* in this second */
	uint64_t untold; /* since the last line */
};

/* Whether this refusal gets a line. Then *untold_out is how many did not since the last one. */
bool refusals_tell(struct refusals *refusals, int64_t now_ms, uint64_t *untold_out);

/* Whether a connection that is turned away may linger, so that its reply surely arrives:
   connections are those of the lane, sessions those that were let in. */
bool refusals_may_linger(size_t connections, size_t sessions);

#endif
