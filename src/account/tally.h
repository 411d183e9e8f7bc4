/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_TALLY_H
#define FRANK_ACCOUNT_TALLY_H

/*
 * What a login, or an address, has sent of late, and how many sessions it has: counted against
 * limits that the caller brings, so that a reload changes the limits and not the counts. Shared by
 * all lanes under one lock, which is held for a few lookups and never over I/O. In memory only: a
 * restart begins at zero.
 *
 * A key is any text: the caller puts what it counts in front of the name. At most
 * ACCOUNT_TALLY_KEYS_MAX keys are known; then the one that was not used for longest is forgotten,
 * unless it has sessions.
 */

#include "base/span.h"

#define ACCOUNT_TALLY_KEYS_MAX 65536
#define ACCOUNT_TALLY_KEY_LEN_MAX 320 /* of longer keys only so much is looked at */

enum account_tally_what {
	ACCOUNT_TALLY_MESSAGES,
	ACCOUNT_TALLY_RECIPIENTS,
	ACCOUNT_TALLY_COUNT,
};

struct account_tally_limit {
	unsigned count; /* 0: none */
	int64_t per_ms;
};

struct account_tally;

struct account_tally *account_tally_create(size_t keys_max);
void account_tally_destroy(struct account_tally **tally);

/* Counts one. False: the limit was reached before, and it is counted only if beyond says so.
   Without a limit nothing is counted, and all is well. now_ms is monotonic. */
bool account_tally_take(struct account_tally *tally, struct span key, enum account_tally_what what,
    struct account_tally_limit limit, bool beyond, int64_t now_ms);
/* n of those came to nothing. */
void account_tally_give_back(
    struct account_tally *tally, struct span key, enum account_tally_what what, unsigned n);

/* Whether to raise an alarm, now that a limit was passed: once, until what was taken has been
   within its limit again, and at most once in quiet_ms. */
bool account_tally_alarm(
    struct account_tally *tally, struct span key, int64_t quiet_ms, int64_t now_ms);

/* One session more, unless max are there already; 0: no limit. */
bool account_tally_enter(struct account_tally *tally, struct span key, unsigned max);
void account_tally_leave(struct account_tally *tally, struct span key);

#endif
