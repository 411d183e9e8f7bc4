/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_PACING_H
#define FRANK_RELAY_PACING_H

/*
 * How fast and how often: the retry curve, the number of connections to a hop, and its rate. Plain
 * values and arithmetic; the clock and the dice come from the caller.
 */

#include "config/config.h"

/* The wait before attempt number attempts + 1, where attempts >= 1 have failed: first * factor ^
   (attempts - 1), at most max, then spread by up to 20 % either way. dice is any random number. */
int64_t pacing_retry_ms(const struct config_retry *retry, unsigned attempts, uint64_t dice);

/*
 * The width of a hop: how many connections it gets. Starts at 2, one more after each full width of
 * successes, halved on a failed connection or a 421. A 4yz that speaks of connections or of rate
 * lowers the ceiling too; the ceiling recovers by one after PACING_CEILING_RECOVERY successes.
 */
#define PACING_WIDTH_START 2
#define PACING_CEILING_RECOVERY 1000

struct pacing_width {
	unsigned now;           /* connections allowed at the moment, at least 1 */
	unsigned ceiling;       /* what replies have taught, at most the configured maximum */
	unsigned max;           /* connections-max */
	unsigned successes;     /* since now last changed */
	unsigned since_lowered; /* successes since the ceiling was lowered */
};

void pacing_width_init(struct pacing_width *width, unsigned max);
/* After a reload. */
void pacing_width_set_max(struct pacing_width *width, unsigned max);
void pacing_width_succeeded(struct pacing_width *width);
void pacing_width_failed(struct pacing_width *width);
/* open: the connections that were there when the hop complained. */
void pacing_width_lower_ceiling(struct pacing_width *width, unsigned open);

/* A token bucket: rate->count messages per rate->per_ms, as many at once. */
struct pacing_rate {
	double tokens;
	int64_t updated_ms;
};

void pacing_rate_init(struct pacing_rate *bucket, const struct config_rate *rate, int64_t now_ms);
/* How many messages may go now; all of wanted without a limit. Takes nothing. */
unsigned pacing_rate_available(
    struct pacing_rate *bucket, const struct config_rate *rate, unsigned wanted, int64_t now_ms);
void pacing_rate_take(struct pacing_rate *bucket, const struct config_rate *rate, unsigned count);
/* Milliseconds until one more may go; 0 when one may go now. */
int64_t pacing_rate_wait_ms(const struct pacing_rate *bucket, const struct config_rate *rate);

#endif
