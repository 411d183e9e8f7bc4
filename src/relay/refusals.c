/* SPDX-License-Identifier: MIT */
#include "relay/refusals.h"

bool refusals_tell(struct refusals *refusals, int64_t now_ms, uint64_t *untold_out)
{
	int64_t second = now_ms / 1000;

	if (second != refusals->second) {
		refusals->second = second;
		refusals->told = 0;
	}
	if (refusals->told >= REFUSALS_TOLD_MAX) {
		refusals->untold++;
		return false;
	}
	refusals->told++;
	*untold_out = refusals->untold;
	refusals->untold = 0;
	return true;
}

bool refusals_may_linger(size_t connections, size_t sessions)
{
	return connections <= sessions + REFUSALS_LINGERING_MAX;
}
