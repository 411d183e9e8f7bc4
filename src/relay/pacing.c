/* SPDX-License-Identifier: MIT */
#include "relay/pacing.h"

#define JITTER_PERCENT 20

int64_t pacing_retry_ms(const struct config_retry *retry, unsigned attempts, uint64_t dice)
{
	double wait = (double)retry->first_ms;
	double max = (double)retry->max_ms;
	int64_t percent = 100 - JITTER_PERCENT + (int64_t)(dice % (2 * JITTER_PERCENT + 1));

	for (unsigned i = 1; i < attempts && wait < max; i++) {
		wait *= retry->factor;
		if (retry->factor <= 1.0)
			break;
	}
	if (wait > max)
		wait = max;
	return (int64_t)wait * percent / 100;
}

static unsigned at_least_one(unsigned n)
{
	return n > 0 ? n : 1;
}

static void clamp(struct pacing_width *width)
{
	if (width->ceiling > width->max)
		width->ceiling = width->max;
	if (width->now > width->ceiling)
		width->now = width->ceiling;
}

void pacing_width_init(struct pacing_width *width, unsigned max)
{
	*width = (struct pacing_width){
		.now = PACING_WIDTH_START,
		.ceiling = at_least_one(max),
		.max = at_least_one(max),
	};
	clamp(width);
}

void pacing_width_set_max(struct pacing_width *width, unsigned max)
{
	bool untaught = width->ceiling == width->max;

	width->max = at_least_one(max);
	if (untaught)
		width->ceiling = width->max;
	clamp(width);
}

void pacing_width_succeeded(struct pacing_width *width)
{
	if (width->ceiling < width->max && ++width->since_lowered >= PACING_CEILING_RECOVERY) {
		width->since_lowered = 0;
		width->ceiling++;
	}
	if (++width->successes < width->now)
		return;
	width->successes = 0;
	if (width->now < width->ceiling)
		width->now++;
}

void pacing_width_failed(struct pacing_width *width)
{
	width->now = at_least_one(width->now / 2);
	width->successes = 0;
}

void pacing_width_lower_ceiling(struct pacing_width *width, unsigned open)
{
	unsigned lower = at_least_one(open > 0 ? open - 1 : 0);

	if (lower < width->ceiling)
		width->ceiling = lower;
	width->since_lowered = 0;
	pacing_width_failed(width);
	clamp(width);
}

void pacing_rate_init(struct pacing_rate *bucket, const struct config_rate *rate, int64_t now_ms)
{
	*bucket = (struct pacing_rate){ .tokens = (double)rate->count, .updated_ms = now_ms };
}

static void refill(struct pacing_rate *bucket, const struct config_rate *rate, int64_t now_ms)
{
	double gained = (double)(now_ms - bucket->updated_ms) * rate->count / (double)rate->per_ms;

	bucket->updated_ms = now_ms;
	bucket->tokens += gained;
	if (bucket->tokens > (double)rate->count)
		bucket->tokens = (double)rate->count;
}

unsigned pacing_rate_available(
    struct pacing_rate *bucket, const struct config_rate *rate, unsigned wanted, int64_t now_ms)
{
	if (rate->count == 0)
		return wanted;
	refill(bucket, rate, now_ms);
	return bucket->tokens < (double)wanted ? (unsigned)bucket->tokens : wanted;
}

void pacing_rate_take(struct pacing_rate *bucket, const struct config_rate *rate, unsigned count)
{
	if (rate->count > 0)
		bucket->tokens -= (double)count;
}

int64_t pacing_rate_wait_ms(const struct pacing_rate *bucket, const struct config_rate *rate)
{
	double missing = 1.0 - bucket->tokens;

	if (rate->count == 0 || missing <= 0.0)
		return 0;
	return (int64_t)(missing * (double)rate->per_ms / rate->count) + 1;
}
