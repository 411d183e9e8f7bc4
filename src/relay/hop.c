/* SPDX-License-Identifier: MIT */
#include "relay/hop.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct hop *hop_create(const char *key)
{
	struct hop *hop = MEM_NEW(struct hop);

	hop->key = mem_strdup(key);
	list_init(&hop->ready);
	list_init(&hop->slots);
	pacing_width_init(&hop->width, 1);
	return hop;
}

void hop_destroy(struct hop **hop)
{
	struct hop *h = *hop;

	*hop = NULL;
	if (!h)
		return;
	assert(list_is_empty(&h->ready) && list_is_empty(&h->slots));
	mem_free(h->key);
	mem_free(h);
}

void hop_forgive(struct hop *hop)
{
	hop->failures = hop->pauses = 0;
	hop->paused_until_ms = 0;
	hop->pause_told = false;
	hop->refused_slot = 0;
	hop->trouble = UPSTREAM_TROUBLE_NONE;
	hop->why[0] = '\0';
}

void hop_set_setup(struct hop *hop, const struct setup_hop *setup, int64_t now_ms)
{
	hop->setup = setup;
	hop_forgive(hop);
	if (!setup)
		return;
	pacing_width_set_max(&hop->width, setup->connections_max);
	if (hop->width.now < PACING_WIDTH_START)
		pacing_width_init(&hop->width, setup->connections_max);
	pacing_rate_init(&hop->rate, &setup->rate, now_ms);
}

bool hop_is_paused(const struct hop *hop, int64_t now_ms)
{
	return hop->paused_until_ms > now_ms;
}

bool hop_is_probing(const struct hop *hop, int64_t now_ms)
{
	return hop->paused_until_ms != 0 && hop->paused_until_ms <= now_ms;
}

unsigned hop_width(const struct hop *hop, int64_t now_ms)
{
	if (hop_is_paused(hop, now_ms))
		return 0;
	return hop->proved && !hop_is_probing(hop, now_ms) ? hop->width.now : 1;
}

static bool is_connection_trouble(enum upstream_trouble trouble)
{
	return trouble == UPSTREAM_TROUBLE_CONNECTION || trouble == UPSTREAM_TROUBLE_NAME ||
	       trouble == UPSTREAM_TROUBLE_LOCAL;
}

/* Trouble with connections follows the hop's own retry curve; what a hop says about us, above all
   about our login, is never asked again within a minute. */
static int64_t pause_ms(const struct hop *hop, uint64_t dice)
{
	struct config_retry retry =
	    hop->setup ? hop->setup->retry
		       : (struct config_retry){ HOP_PAUSE_FIRST_MS, HOP_PAUSE_MAX_MS, 2 };
	int64_t wait;

	if (!is_connection_trouble(hop->trouble))
		retry = (struct config_retry){ HOP_PAUSE_FIRST_MS, HOP_PAUSE_MAX_MS, 2 };
	if (retry.max_ms > HOP_PAUSE_MAX_MS)
		retry.max_ms = HOP_PAUSE_MAX_MS;
	wait = pacing_retry_ms(&retry, hop->pauses, dice);
	if (!is_connection_trouble(hop->trouble) && wait < HOP_PAUSE_FIRST_MS)
		wait = HOP_PAUSE_FIRST_MS;
	return wait;
}

bool hop_failed(
    struct hop *hop, enum upstream_trouble trouble, const char *text, int64_t now_ms, uint64_t dice)
{
	bool news;

	hop->proved = false;
	hop->trouble = trouble;
	pacing_width_failed(&hop->width);
	news = strncmp(hop->why, text, sizeof(hop->why) - 1) != 0;
	snprintf(hop->why, sizeof(hop->why), "%s", text);
	if (hop_is_paused(hop, now_ms) && hop->pauses > 0)
		return false; /* another slot of the same storm */
	hop->failures++;
	if (is_connection_trouble(trouble) && hop->failures < HOP_FAILURES_MAX &&
	    hop->pauses == 0) {
		hop->paused_until_ms = now_ms + HOP_QUICK_RETRY_MS;
		return false;
	}
	hop->pauses++;
	hop->paused_until_ms = now_ms + pause_ms(hop, dice);
	news |= !hop->pause_told;
	hop->pause_told = true;
	return news;
}

/* True when it is another reason than before. */
static bool set_why(struct hop *hop, enum upstream_trouble trouble, const char *text)
{
	bool news = strncmp(hop->why, text, sizeof(hop->why) - 1) != 0;

	hop->trouble = trouble;
	snprintf(hop->why, sizeof(hop->why), "%s", text);
	return news;
}

bool hop_is_crowded(struct hop *hop, const char *text, unsigned open, int64_t now_ms)
{
	pacing_width_lower_ceiling(&hop->width, open + 1);
	if (open == 0)
		hop->paused_until_ms = now_ms + HOP_CROWDED_REST_MS;
	return set_why(hop, UPSTREAM_TROUBLE_LIMIT, text);
}

bool hop_lacks_token(struct hop *hop, const char *text, bool broken, int64_t now_ms)
{
	bool news = !hop->pause_told || (broken && hop->pauses == 0);

	hop->proved = false;
	hop->paused_until_ms = now_ms + HOP_PAUSE_MAX_MS;
	if (broken && hop->pauses == 0)
		hop->pauses = 1;
	news |= set_why(hop, UPSTREAM_TROUBLE_TOKEN, text);
	hop->pause_told = true;
	return news;
}

void hop_has_token(struct hop *hop, int64_t now_ms)
{
	if (hop->trouble == UPSTREAM_TROUBLE_TOKEN && hop_is_paused(hop, now_ms))
		hop->paused_until_ms = now_ms; /* one delivery finds out */
}

void hop_login_refused(struct hop *hop, uint64_t slot)
{
	hop->refused_slot = slot;
}

bool hop_pauses_with(struct hop *hop, const struct hop *refused)
{
	char text[sizeof(hop->why)];
	int64_t until = refused->paused_until_ms + HOP_SIBLING_REST_MS;
	bool news = !hop->pause_told;

	hop->proved = false;
	hop->refused_slot = refused->refused_slot;
	hop->failures = refused->failures;
	hop->pauses = refused->pauses;
	if (hop->paused_until_ms < until)
		hop->paused_until_ms = until;
	snprintf(text, sizeof(text), "%.200s has the same account and was refused: %.700s",
	    refused->key, refused->why);
	news |= set_why(hop, UPSTREAM_TROUBLE_AUTH, text);
	hop->pause_told = true;
	return news;
}

bool hop_is_proof(const struct hop *hop, uint64_t slot)
{
	return slot > hop->refused_slot;
}

bool hop_works(struct hop *hop)
{
	bool was_paused = hop->pause_told;

	hop->proved = true;
	if (hop->paused_until_ms != 0 || hop->failures > 0 || hop->why[0] != '\0')
		hop_forgive(hop);
	return was_paused;
}
