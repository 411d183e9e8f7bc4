/* SPDX-License-Identifier: MIT */
#include "relay/schedule_private.h"

#include <string.h>

/* ---- who is one ---- */

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_server(const struct config_via *a, const struct config_via *b)
{
	return same_text(a->path, b->path) && a->port == b->port &&
	       span_equal_nocase(span_from_string(a->host), span_from_string(b->host));
}

/* Two routes may each write down the same login; with another password it is another matter. */
static bool same_account(const struct setup_account *a, const struct setup_account *b)
{
	if (a == b)
		return true;
	return !a->config->label && !b->config->label && a->login.len > 0 && a->password.len > 0 &&
	       span_equal(a->login, b->login) &&
	       span_equal_secret(buf_span(&a->password), buf_span(&b->password));
}

static bool is_sibling(const struct hop *hop, const struct hop *other)
{
	const struct setup_hop *a = hop->setup, *b = other->setup;

	return hop != other && a && b && a->account && b->account && a->via_count > 0 &&
	       b->via_count > 0 && same_server(&a->vias[0], &b->vias[0]) &&
	       same_account(a->account, b->account);
}

/* ---- what they share ---- */

static void pause_with(struct schedule *s, struct hop *hop, const struct hop *refused)
{
	if (hop_pauses_with(hop, refused))
		schedule_log_paused(s, hop);
	schedule_release_hop(s, hop);
	schedule_wake_in(s, hop->paused_until_ms - schedule_clock_ms(s));
	schedule_touch(hop);
}

void schedule_pause_siblings(struct schedule *s, struct hop *hop)
{
	LIST_FOR_EACH (position, &s->hop_list) {
		struct hop *other = LIST_ENTRY(position, struct hop, link);
		if (is_sibling(hop, other))
			pause_with(s, other, hop);
	}
}

void schedule_join_siblings(struct schedule *s, struct hop *hop)
{
	const struct hop *refused = NULL;

	LIST_FOR_EACH (position, &s->hop_list) {
		const struct hop *other = LIST_ENTRY(position, struct hop, link);
		if (other->refused_slot != 0 && is_sibling(hop, other) &&
		    (!refused || other->paused_until_ms < refused->paused_until_ms))
			refused = other; /* the one that probes first */
	}
	if (refused)
		pause_with(s, hop, refused);
}

void schedule_release_siblings(struct schedule *s, struct hop *hop)
{
	LIST_FOR_EACH (position, &s->hop_list) {
		struct hop *other = LIST_ENTRY(position, struct hop, link);
		if (other->refused_slot == 0 || !is_sibling(hop, other))
			continue;
		hop_forgive(other);
		schedule_log_resumed(other);
		schedule_is_due_at(s, other, schedule_now_ms(s));
	}
}

void schedule_login_works(struct schedule *s, const struct hop_slot *slot)
{
	if (!hop_is_proof(slot->hop, slot->id))
		return;
	schedule_release_siblings(s, slot->hop);
	schedule_touch_siblings(s, slot->hop);
}

void schedule_touch_siblings(struct schedule *s, const struct hop *hop)
{
	LIST_FOR_EACH (position, &s->hop_list) {
		struct hop *other = LIST_ENTRY(position, struct hop, link);
		if (is_sibling(hop, other))
			schedule_touch(other);
	}
}

static bool is_asking(const struct hop *hop)
{
	LIST_FOR_EACH (position, &hop->slots) {
		if (!LIST_ENTRY(position, struct hop_slot, link)->signed_in)
			return true;
	}
	return false;
}

bool schedule_waits_for_sibling(struct schedule *s, const struct hop *hop)
{
	if (hop->proved || !hop->setup->account)
		return false;
	LIST_FOR_EACH (position, &s->hop_list) {
		const struct hop *other = LIST_ENTRY(position, struct hop, link);
		if (!other->proved && is_sibling(hop, other) && is_asking(other))
			return true;
	}
	return false;
}
