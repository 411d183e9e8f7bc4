/* SPDX-License-Identifier: MIT */
#include "relay/schedule_private.h"

#include "base/moment.h"
#include "base/random.h"
#include "relay/events.h"

/*
 * Hops in trouble: what the end of a session says of a hop, and what an account's token has to do
 * with it.
 */

int64_t schedule_pause_ends_ms(struct schedule *s, const struct hop *hop)
{
	if (hop->paused_until_ms == 0)
		return 0;
	return schedule_now_ms(s) + hop->paused_until_ms - schedule_clock_ms(s);
}

/* ---- log ---- */

static void log_trouble(struct schedule *s, const struct hop *hop, enum event event)
{
	struct log_line line;
	char until[MOMENT_TEXT_MAX];

	event_begin(&line, event);
	log_text(&line, "hop", hop->key);
	log_text(&line, "trouble", upstream_trouble_name(hop->trouble));
	log_text(&line, "text", hop->why);
	log_text(&line, "until", moment_format_rfc3339(schedule_pause_ends_ms(s, hop), until));
	log_end(&line);
}

void schedule_log_paused(struct schedule *s, const struct hop *hop)
{
	log_trouble(s, hop, EVENT_HOP_PAUSED);
}

static void log_crowded(const struct hop *hop)
{
	struct log_line line;

	event_begin(&line, EVENT_HOP_CROWDED);
	log_text(&line, "hop", hop->key);
	log_text(&line, "text", hop->why);
	log_number(&line, "connections-max", hop->width.ceiling);
	log_end(&line);
}

void schedule_log_resumed(const struct hop *hop)
{
	struct log_line line;

	event_begin(&line, EVENT_HOP_RESUMED);
	log_text(&line, "hop", hop->key);
	log_end(&line);
}

void schedule_works(const struct hop_slot *slot)
{
	struct hop *hop = slot->hop;

	if (hop_is_proof(hop, slot->id) && hop_works(hop))
		schedule_log_resumed(hop);
}

/* ---- tokens ---- */

static const struct setup_account *account_of(const struct hop *hop)
{
	return hop->setup ? hop->setup->account : NULL;
}

static struct span label_of(const struct setup_account *account)
{
	return span_from_string(account->config->label);
}

enum oauth_token_state schedule_find_token(
    struct schedule *s, const struct hop *hop, struct buf *token_out, struct fault *why_out)
{
	const struct setup_account *account = account_of(hop);

	if (!account || !account->oauth)
		return OAUTH_TOKEN_VALID; /* it needs none */
	if (s->oauth)
		return oauth_keeper_token(s->oauth, label_of(account), token_out, why_out);
	fault_set(why_out, FAULT_LOCAL, "tokens cannot be had here");
	return OAUTH_TOKEN_BROKEN;
}

static void lack_token(
    struct schedule *s, struct hop *hop, const char *text, enum oauth_token_state state)
{
	bool broken = state == OAUTH_TOKEN_BROKEN;

	if (hop_lacks_token(hop, text, broken, schedule_clock_ms(s)))
		log_trouble(s, hop, broken ? EVENT_HOP_PAUSED : EVENT_HOP_WAITS);
	schedule_release_hop(s, hop);
}

bool schedule_sign_in(struct schedule *s, struct hop *hop, struct buf *token_out)
{
	struct fault why;
	enum oauth_token_state state;

	buf_init_secret(token_out, OAUTH_TOKEN_MAX);
	state = schedule_find_token(s, hop, token_out, &why);
	if (state == OAUTH_TOKEN_VALID)
		return true;
	buf_fini(token_out);
	lack_token(s, hop, why.text, state);
	return false;
}

static void release_pause(struct schedule *s, struct hop *hop)
{
	hop_has_token(hop, schedule_clock_ms(s));
	schedule_is_due_at(s, hop, schedule_now_ms(s));
}

void schedule_token_changed(struct schedule *s, struct span label)
{
	LIST_FOR_EACH (position, &s->hop_list) {
		struct hop *hop = LIST_ENTRY(position, struct hop, link);
		const struct setup_account *account = account_of(hop);
		enum oauth_token_state state;
		struct fault why;
		struct buf token;

		if (!account || !account->oauth || hop->trouble != UPSTREAM_TROUBLE_TOKEN ||
		    !span_equal(label_of(account), label))
			continue;
		buf_init_secret(&token, OAUTH_TOKEN_MAX);
		state = schedule_find_token(s, hop, &token, &why);
		if (state == OAUTH_TOKEN_VALID)
			release_pause(s, hop);
		else
			lack_token(s, hop, why.text, state);
		schedule_touch(hop);
		buf_fini(&token);
	}
}

/* ---- the end of a session ---- */

/* A token that the hop refuses is replaced once; when the new one is refused too, it is the account
   that is not good, as with a password. True: it is worth another try. */
static bool replace_token(struct schedule *s, struct hop *hop, const struct setup_account *account,
    const struct job_progress *p)
{
	char text[sizeof(p->text) + 64];
	enum oauth_token_state state;
	struct fault why;
	struct buf token;

	if (!s->oauth || !oauth_keeper_rejected(s->oauth, label_of(account), buf_span(&p->token)))
		return false;
	buf_init_secret(&token, OAUTH_TOKEN_MAX);
	state = schedule_find_token(s, hop, &token, &why);
	buf_fini(&token);
	hop->proved = false;
	snprintf(text, sizeof(text), "%s; a new token is being asked for", p->text);
	if (state != OAUTH_TOKEN_VALID)
		lack_token(s, hop, text, state);
	return true;
}

static void pause_hop(struct schedule *s, struct hop *hop, enum upstream_trouble trouble,
    const struct job_progress *p)
{
	if (hop_failed(hop, trouble, p->text, schedule_clock_ms(s), random_u64()))
		schedule_log_paused(s, hop);
	schedule_release_hop(s, hop);
	if (!p->login_refused)
		return;
	hop_login_refused(hop, s->last_slot);
	schedule_pause_siblings(s, hop);
}

static void crowd_hop(struct schedule *s, struct hop *hop, const char *text)
{
	if (hop_is_crowded(hop, text, hop->slot_count, schedule_clock_ms(s)))
		log_crowded(hop);
	if (hop->slot_count == 0)
		schedule_release_hop(s, hop);
}

void schedule_trouble(struct schedule *s, struct hop *hop, const struct job_progress *p)
{
	const struct setup_account *account = account_of(hop);

	switch (p->trouble) {
	case UPSTREAM_TROUBLE_NONE:
		return;
	case UPSTREAM_TROUBLE_LIMIT:
		crowd_hop(s, hop, p->text);
		break;
	case UPSTREAM_TROUBLE_TOKEN:
		if (!account || !account->oauth || !replace_token(s, hop, account, p))
			pause_hop(s, hop, UPSTREAM_TROUBLE_AUTH, p);
		break;
	case UPSTREAM_TROUBLE_AUTH:
		pause_hop(s, hop, p->trouble, p);
		if (account && s->on_refused)
			s->on_refused(s->refused_owner, account);
		break;
	case UPSTREAM_TROUBLE_NAME:
	case UPSTREAM_TROUBLE_CONNECTION:
	case UPSTREAM_TROUBLE_GREETING:
	case UPSTREAM_TROUBLE_TLS:
	case UPSTREAM_TROUBLE_AUTH_TEMPORARY:
	case UPSTREAM_TROUBLE_LOCAL:
		pause_hop(s, hop, p->trouble, p);
		break;
	}
	schedule_wake_in(s, hop->paused_until_ms - schedule_clock_ms(s));
}
