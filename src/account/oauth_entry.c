/* SPDX-License-Identifier: MIT */
#include "account/oauth_entry.h"

#include "account/oauth_form.h"
#include "account/oauth_proof.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/random.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REFRESH_LEAD_MAX_MS (5 * 60 * 1000)
#define VALID_MARGIN_MAX_MS 30000 /* a token is not handed out so shortly before its end */
#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS 30000
#define RETRY_AFTER_MAX_MS (10 * 60 * 1000)
#define SETTINGS_RETRY_MS (5 * 60 * 1000)
#define DISK_RETRY_MS 5000
#define LOCK_RETRY_MS 500

static int64_t now_of(const struct oauth_entry *e)
{
	return net_loop_now_ms(e->keeper->loop);
}

static int64_t wall_of(const struct oauth_entry *e)
{
	return net_loop_wall_ms(e->keeper->loop);
}

/* So that many accounts, or many machines, do not all ask at one time. */
static int64_t jitter(int64_t max)
{
	return max > 0 ? (int64_t)(random_u64() % (uint64_t)max) : 0;
}

static const char *label_of(const struct oauth_entry *e)
{
	return e->account->settings.label;
}

/* ---- telling the owner ---- */

static void tell_changed(struct oauth_entry *e)
{
	const struct oauth_keeper_settings *settings = &e->keeper->settings;

	if (settings->on_changed && !e->leaving && !e->keeper->stopping)
		settings->on_changed(label_of(e), settings->owner);
}

static void tell(struct oauth_entry *e, enum oauth_notice notice, const char *text)
{
	const struct oauth_keeper_settings *settings = &e->keeper->settings;

	if (settings->on_notice && !e->leaving)
		settings->on_notice(label_of(e), notice, text, settings->owner);
}

/* One sentence is told once, however often it is met. */
static void set_trouble(struct oauth_entry *e, enum oauth_trouble trouble, const char *why)
{
	e->trouble = trouble;
	e->trouble_ms = wall_of(e);
	snprintf(e->why, sizeof(e->why), "%s", why);
	if (strcmp(e->why, e->told) == 0)
		return;
	snprintf(e->told, sizeof(e->told), "%s", why);
	tell(e, trouble == OAUTH_TROUBLE_PASSING ? OAUTH_NOTICE_TROUBLE : OAUTH_NOTICE_BROKEN, why);
}

static void clear_trouble(struct oauth_entry *e)
{
	e->trouble = OAUTH_TROUBLE_NONE;
	e->why[0] = e->told[0] = '\0';
	e->failures = 0;
	e->retry_at = 0;
}

static void rest(struct oauth_entry *e, int64_t pause_ms)
{
	e->retry_at = now_of(e) + pause_ms - pause_ms / 5 + jitter(pause_ms * 2 / 5);
}

/* ---- the token ---- */

bool oauth_entry_is_valid(const struct oauth_entry *e)
{
	int64_t margin = e->token.lifetime_ms / 8;

	if (margin > VALID_MARGIN_MAX_MS)
		margin = VALID_MARGIN_MAX_MS;
	return e->token.access.len > 0 && !e->rejected && now_of(e) < e->valid_until &&
	       wall_of(e) < e->token.expires_ms - margin;
}

/* A quarter of its life before a token ends, but at most 5 minutes, and up to half of that earlier.
 */
static void set_times(struct oauth_entry *e)
{
	int64_t left = e->token.expires_ms - wall_of(e), lead, margin;

	if (left > e->token.lifetime_ms) /* the wall clock went back */
		left = e->token.lifetime_ms;
	if (left < 0)
		left = 0;
	lead = e->token.lifetime_ms / 4;
	if (lead > REFRESH_LEAD_MAX_MS)
		lead = REFRESH_LEAD_MAX_MS;
	margin = e->token.lifetime_ms / 8;
	if (margin > VALID_MARGIN_MAX_MS)
		margin = VALID_MARGIN_MAX_MS;
	e->valid_until = now_of(e) + left - margin;
	e->refresh_at = now_of(e) + left - lead - jitter(lead / 2);
}

static bool wants_refresh(const struct oauth_entry *e)
{
	if (e->trouble == OAUTH_TROUBLE_GRANT)
		return false;
	return !oauth_entry_is_valid(e) || now_of(e) >= e->refresh_at;
}

static bool is_interactive(const struct oauth_entry *e)
{
	return oauth_flow_is_interactive(e->account->settings.flow);
}

static void want_login(struct oauth_entry *e, const char *why)
{
	struct fault text;

	fault_set(&text, FAULT_LOCAL, "%s: run frank token login %s", why, label_of(e));
	set_trouble(e, OAUTH_TROUBLE_GRANT, text.text);
}

static void forget(struct oauth_entry *e)
{
	oauth_token_fini(&e->token);
	oauth_token_init(&e->token);
	e->valid_until = e->refresh_at = 0;
	e->rejected = false;
}

/* There is no file. */
static void adopt_nothing(struct oauth_entry *e)
{
	forget(e);
	if (is_interactive(e))
		want_login(e, "nobody has signed in yet");
	else
		clear_trouble(e);
}

/* What a file has. Tokens of another login or client go nowhere: least of all to another provider's
   end point. */
static void adopt(struct oauth_entry *e, const struct oauth_token *token)
{
	if (!oauth_token_is_for(token, e->account)) {
		forget(e);
		if (is_interactive(e))
			want_login(e, "the sign-in that is stored is one for another login, "
				      "client-id or token-endpoint");
		else
			clear_trouble(e);
		return;
	}
	oauth_token_copy(&e->token, token);
	e->rejected = false;
	set_times(e);
	clear_trouble(e);
	if (!is_interactive(e))
		return;
	if (token->dead)
		set_trouble(e, OAUTH_TROUBLE_GRANT, token->error);
	else if (token->refresh.len == 0)
		want_login(e, "the file holds no refresh token");
}

/* ---- steps ---- */

static void unlock(struct oauth_entry *e)
{
	if (e->lock_fd >= 0)
		close(e->lock_fd);
	e->lock_fd = -1;
}

static void go_idle(struct oauth_entry *e)
{
	e->step = OAUTH_STEP_IDLE;
	if (!e->unsaved)
		unlock(e);
	oauth_entry_advance(e);
}

static void submit(struct oauth_entry *e, enum oauth_work_kind kind, enum oauth_step step)
{
	struct oauth_keeper *keeper = e->keeper;
	struct oauth_work *work = oauth_work_create(kind, keeper->directory, label_of(e));

	work->owner = e;
	work->job.reply_to = &keeper->from_workers;
	work->stamp = e->stamp;
	work->lock_fd = e->lock_fd;
	if (kind == OAUTH_WORK_SAVE)
		oauth_token_copy(&work->token, &e->token);
	if (!keeper->settings.file_pool) {
		oauth_work_run(&work->job);
		mailbox_post(work->job.reply_to, &work->job.item);
	} else if (!worker_pool_submit(keeper->settings.file_pool, &work->job)) {
		work->lock_fd = -1;
		oauth_work_destroy(&work);
		e->step = OAUTH_STEP_IDLE;
		e->retry_at = now_of(e) + RETRY_FIRST_MS;
		net_timer_start(&e->timer, RETRY_FIRST_MS);
		return;
	}
	e->lock_fd = -1; /* the job has it */
	e->work = work;
	e->step = step;
}

static void save(struct oauth_entry *e)
{
	e->unsaved = true;
	submit(e, OAUTH_WORK_SAVE, OAUTH_STEP_SAVING);
}

/* Tries again after a pause: 1 s, doubling to 30 s, or what the provider wants. */
static void fail_for_now(struct oauth_entry *e, const char *why, int64_t retry_after_ms)
{
	int64_t pause = RETRY_FIRST_MS;

	for (unsigned i = 0; i < e->failures && pause < RETRY_MAX_MS; i++)
		pause *= 2;
	if (pause > RETRY_MAX_MS)
		pause = RETRY_MAX_MS;
	if (retry_after_ms > RETRY_AFTER_MAX_MS)
		retry_after_ms = RETRY_AFTER_MAX_MS;
	e->failures++;
	rest(e, pause);
	if (e->retry_at < now_of(e) + retry_after_ms)
		e->retry_at = now_of(e) + retry_after_ms;
	set_trouble(e, OAUTH_TROUBLE_PASSING, why);
}

static void fail_for_settings(struct oauth_entry *e, const char *why)
{
	e->failures++;
	rest(e, SETTINGS_RETRY_MS);
	set_trouble(e, OAUTH_TROUBLE_SETTINGS, why);
}

/* ---- the provider's answer ---- */

static void take_grant(struct oauth_entry *e, const struct oauth_grant *grant)
{
	struct oauth_token *token = &e->token;

	buf_clear(&token->access);
	buf_append(&token->access, buf_span(&grant->access_token));
	if (grant->refresh_token.len > 0 && is_interactive(e)) {
		buf_clear(&token->refresh);
		buf_append(&token->refresh, buf_span(&grant->refresh_token));
	}
	token->refreshed_ms = wall_of(e);
	token->lifetime_ms = grant->lifetime_s * 1000;
	token->expires_ms = token->refreshed_ms + token->lifetime_ms;
	token->dead = false;
	token->error[0] = '\0';
	token->error_ms = 0;
	oauth_token_set_account(token, e->account);
	e->rejected = false;
	set_times(e);
	clear_trouble(e);
	save(e);
}

/* The sentence is stored too, for `token list` without a relay; and a refresh token that is no good
   is not tried again after a restart. */
static void take_refusal(
    struct oauth_entry *e, const struct oauth_error *error, int64_t retry_after_ms)
{
	char why[OAUTH_REMEDY_MAX];
	enum oauth_trouble trouble = oauth_remedy(e->account, error, why);

	if (trouble == OAUTH_TROUBLE_SETTINGS) {
		fail_for_settings(e, why);
	} else if (trouble == OAUTH_TROUBLE_GRANT) {
		set_trouble(e, trouble, why);
	} else {
		fail_for_now(e, why, retry_after_ms);
		go_idle(e);
		return;
	}
	e->token.dead = trouble == OAUTH_TROUBLE_GRANT;
	snprintf(e->token.error, sizeof(e->token.error), "%s", why);
	e->token.error_ms = wall_of(e);
	oauth_token_set_account(&e->token, e->account);
	save(e);
}

static void read_answer(struct oauth_entry *e, const struct https_answer *answer)
{
	struct oauth_grant grant;
	struct oauth_error error;
	struct fault fault;

	oauth_grant_init(&grant);
	switch (oauth_response_grant(answer->status, answer->body, &grant, &error, &fault)) {
	case OAUTH_RESPONSE_GRANTED:
		take_grant(e, &grant);
		break;
	case OAUTH_RESPONSE_REFUSED:
		take_refusal(e, &error, answer->retry_after_ms);
		break;
	case OAUTH_RESPONSE_GARBLED:
		fail_for_now(e, fault.text, answer->retry_after_ms);
		go_idle(e);
		break;
	}
	oauth_grant_fini(&grant);
}

static void on_answer(const struct https_answer *answer, const struct fault *fault, void *owner)
{
	struct oauth_entry *e = owner;

	e->transfer = NULL;
	if (answer) {
		read_answer(e, answer);
		return;
	}
	if (fault->kind == FAULT_LOCAL)
		fail_for_settings(e, fault->text);
	else
		fail_for_now(e, fault->text, 0);
	tell_changed(e);
	go_idle(e);
}

static bool write_form(struct oauth_entry *e, struct buf *form, struct fault *fault)
{
	struct buf assertion;
	bool good = true;

	switch (e->account->settings.flow) {
	case OAUTH_FLOW_DEVICE:
	case OAUTH_FLOW_CODE:
		oauth_form_refresh(e->account, buf_span(&e->token.refresh), form);
		break;
	case OAUTH_FLOW_CLIENT_CREDENTIALS:
		oauth_form_client_credentials(e->account, form);
		break;
	case OAUTH_FLOW_SERVICE_ACCOUNT:
		buf_init_secret(&assertion, OAUTH_ASSERTION_MAX);
		good = oauth_assertion_make(e->account, wall_of(e) / 1000, &assertion, fault);
		if (good)
			oauth_form_assertion(buf_span(&assertion), form);
		buf_fini(&assertion);
		break;
	}
	return good;
}

static void ask(struct oauth_entry *e)
{
	const char *trust = e->account->settings.trust;
	struct https_question question = {
		.url = e->account->settings.token_endpoint,
		.trust = buf_span(&e->account->trust),
		.trust_directory = e->account->trust.len == 0 ? trust : NULL,
	};
	struct fault fault;
	struct buf form;

	buf_init_secret(&form, OAUTH_FORM_MAX);
	if (write_form(e, &form, &fault)) {
		question.form = buf_span(&form);
		e->step = OAUTH_STEP_ASKING;
		e->transfer = https_start(e->keeper->https, &question, on_answer, e);
	} else {
		fail_for_settings(e, fault.text);
		tell_changed(e);
		go_idle(e);
	}
	buf_fini(&form);
}

/* ---- what workers bring ---- */

/* A file that is no token file is in nobody's way where a token can be had without it. */
static void fail_to_read(struct oauth_entry *e, const struct oauth_work *work)
{
	if (!is_interactive(e) && work->stamp.inode != 0) {
		e->known = true;
		adopt_nothing(e);
		return;
	}
	e->known = false;
	fail_for_settings(e, work->fault.text);
}

static void take_file(struct oauth_entry *e, const struct oauth_work *work)
{
	switch (work->result) {
	case OAUTH_WORK_SAME:
		return;
	case OAUTH_WORK_FOUND:
		adopt(e, &work->token);
		break;
	case OAUTH_WORK_ABSENT:
		adopt_nothing(e);
		break;
	case OAUTH_WORK_BUSY:
		return;
	case OAUTH_WORK_FAILED:
		fail_to_read(e, work);
		tell_changed(e);
		return;
	}
	e->stamp = work->stamp;
	e->known = true;
	tell_changed(e);
}

static void opened(struct oauth_entry *e, const struct oauth_work *work)
{
	bool held = e->lock_fd >= 0;

	if (held) {
		take_file(e, work);
	} else if (work->result == OAUTH_WORK_BUSY) {
		e->retry_at = now_of(e) + LOCK_RETRY_MS + jitter(LOCK_RETRY_MS);
	} else {
		fail_for_settings(e, work->fault.text);
		tell_changed(e);
	}
	if (held && e->known && wants_refresh(e) && now_of(e) >= e->retry_at &&
	    !e->keeper->stopping && !e->leaving)
		ask(e);
	else
		go_idle(e);
}

static void tell_refreshed(struct oauth_entry *e)
{
	char text[128], left[MOMENT_TEXT_MAX];

	snprintf(text, sizeof(text), "a new token is there, good for %s",
	    moment_format_duration(e->token.lifetime_ms, left));
	tell(e, OAUTH_NOTICE_REFRESHED, text);
}

static void saved(struct oauth_entry *e, const struct oauth_work *work)
{
	bool good = work->result == OAUTH_WORK_SAME;

	if (good) {
		e->unsaved = false;
		e->stamp = work->stamp;
		if (e->token.error[0] == '\0') {
			clear_trouble(e);
			tell_refreshed(e);
		} else { /* again, if the disk's trouble stood in between */
			set_trouble(e, e->token.dead ? OAUTH_TROUBLE_GRANT : OAUTH_TROUBLE_SETTINGS,
			    e->token.error);
		}
	} else {
		if (e->keeper->stopping || e->leaving)
			e->unsaved = false; /* tried, and there is no later */
		rest(e, DISK_RETRY_MS);
		set_trouble(e, OAUTH_TROUBLE_SETTINGS, work->fault.text);
	}
	tell_changed(e);
	go_idle(e);
}

void oauth_entry_take_work(struct oauth_entry *e, struct oauth_work *work)
{
	e->work = NULL;
	e->lock_fd = work->lock_fd;
	work->lock_fd = -1;
	switch (work->kind) {
	case OAUTH_WORK_LOOK:
		take_file(e, work);
		go_idle(e);
		break;
	case OAUTH_WORK_OPEN:
		opened(e, work);
		break;
	case OAUTH_WORK_SAVE:
		saved(e, work);
		break;
	}
}

/* ---- life ---- */

static void on_timer(void *owner)
{
	oauth_entry_advance(owner);
}

/* When the next thing is due; the looks of each minute come besides. */
static void wait(struct oauth_entry *e)
{
	int64_t until = e->refresh_at;

	if (e->trouble == OAUTH_TROUBLE_GRANT && !e->unsaved)
		return;
	if (e->retry_at > now_of(e))
		until = e->retry_at;
	net_timer_start(&e->timer, until > now_of(e) ? until - now_of(e) : 0);
}

void oauth_entry_advance(struct oauth_entry *e)
{
	bool resting = now_of(e) < e->retry_at;

	if (e->step != OAUTH_STEP_IDLE)
		return;
	net_timer_stop(&e->timer);
	if (e->keeper->stopping || e->leaving) {
		uv_async_send(e->keeper->wake); /* the keeper frees it, or says that all is done */
		return;
	}
	if (e->look_again || (!e->known && !resting)) {
		e->look_again = false;
		submit(e, OAUTH_WORK_LOOK, OAUTH_STEP_LOOKING);
	} else if (resting) {
		wait(e);
	} else if (e->unsaved) {
		save(e);
	} else if (wants_refresh(e)) {
		submit(e, OAUTH_WORK_OPEN, OAUTH_STEP_OPENING);
	} else {
		wait(e);
	}
}

struct oauth_entry *oauth_entry_create(struct oauth_keeper *keeper, struct oauth_account *account)
{
	struct oauth_entry *e = MEM_NEW(struct oauth_entry);

	e->keeper = keeper;
	e->account = oauth_account_ref(account);
	e->lock_fd = -1;
	e->stamp.size = -1; /* like no file's */
	oauth_token_init(&e->token);
	net_timer_init(&e->timer, keeper->loop, on_timer, e);
	list_append(&keeper->entries, &e->link);
	return e;
}

void oauth_entry_destroy(struct oauth_entry **entry)
{
	struct oauth_entry *gone = *entry;

	*entry = NULL;
	if (!gone)
		return;
	https_cancel(&gone->transfer);
	if (gone->work)
		gone->work->owner = NULL;
	unlock(gone);
	net_timer_fini(&gone->timer);
	oauth_token_fini(&gone->token);
	oauth_account_unref(&gone->account);
	list_remove(&gone->link);
	mem_free(gone);
}
