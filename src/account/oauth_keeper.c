/* SPDX-License-Identifier: MIT */
#include "account/oauth_keeper.h"

#include "account/oauth_entry.h"
#include "base/memory.h"

#include <assert.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS 60000

static bool is_busy(const struct oauth_entry *e)
{
	return e->step != OAUTH_STEP_IDLE;
}

bool oauth_keeper_is_busy(const struct oauth_keeper *keeper)
{
	LIST_FOR_EACH (position, &keeper->entries)
		if (is_busy(LIST_ENTRY(position, struct oauth_entry, link)))
			return true;
	return !list_is_empty(&keeper->leaving);
}

/* Entries that leave are freed here, and not where they come to rest: then nobody is inside them.
 */
static void settle(struct oauth_keeper *keeper)
{
	LIST_FOR_EACH_SAFE (position, &keeper->leaving) {
		struct oauth_entry *e = LIST_ENTRY(position, struct oauth_entry, link);
		if (!is_busy(e))
			oauth_entry_destroy(&e);
	}
	if (!keeper->stopping || keeper->told_stopped || oauth_keeper_is_busy(keeper))
		return;
	keeper->told_stopped = true;
	if (keeper->settings.on_stopped)
		keeper->settings.on_stopped(keeper->settings.owner);
}

/* ---- news ---- */

static void take_mail(struct oauth_keeper *keeper)
{
	struct mailbox_item *item = mailbox_take(&keeper->from_workers);

	while (item) {
		struct mailbox_item *next = item->next;
		struct oauth_work *work = oauth_work_of(item);
		if (work->owner)
			oauth_entry_take_work(work->owner, work);
		oauth_work_destroy(&work);
		item = next;
	}
}

static void on_wake(uv_async_t *handle)
{
	struct oauth_keeper *keeper = handle->data;

	take_mail(keeper);
	settle(keeper);
}

static void wake(void *context)
{
	struct oauth_keeper *keeper = context;

	uv_async_send(keeper->wake);
}

static void look_again(struct oauth_keeper *keeper, const char *file)
{
	LIST_FOR_EACH (position, &keeper->entries) {
		struct oauth_entry *e = LIST_ENTRY(position, struct oauth_entry, link);
		const char *label = e->account->settings.label;
		size_t len = strlen(label);
		if (file && (strncmp(file, label, len) != 0 || strcmp(file + len, ".json") != 0))
			continue;
		e->look_again = true;
		oauth_entry_advance(e);
	}
}

static void on_file(uv_fs_event_t *handle, const char *file, int events, int status)
{
	(void)events;
	if (status == 0)
		look_again(handle->data, file);
}

static void free_closed(uv_handle_t *handle)
{
	mem_free(handle);
}

/* inotify may have run out of watches, or the directory may not be there yet. */
static void watch_directory(struct oauth_keeper *keeper)
{
	if (keeper->watch)
		return;
	if (mkdir(keeper->directory, 0700) != 0 && access(keeper->directory, X_OK) != 0)
		return;
	keeper->watch = MEM_NEW(uv_fs_event_t);
	keeper->watch->data = keeper;
	uv_fs_event_init(&keeper->loop->uv, keeper->watch);
	if (uv_fs_event_start(keeper->watch, on_file, keeper->directory, 0) == 0)
		return;
	uv_close((uv_handle_t *)keeper->watch, free_closed);
	keeper->watch = NULL;
}

static void on_look_timer(void *owner)
{
	struct oauth_keeper *keeper = owner;

	watch_directory(keeper);
	look_again(keeper, NULL);
	settle(keeper);
	net_timer_start(&keeper->look_timer, LOOK_MS);
}

/* ---- life ---- */

struct oauth_keeper *oauth_keeper_create(
    struct net_loop *loop, const struct oauth_keeper_settings *settings, struct fault *fault_out)
{
	struct https_client *https = https_client_create(loop, fault_out);
	struct oauth_keeper *keeper;
	int error;

	if (!https)
		return NULL;
	keeper = MEM_NEW(struct oauth_keeper);
	keeper->loop = loop;
	keeper->settings = *settings;
	keeper->directory = mem_strdup(settings->directory);
	keeper->https = https;
	list_init(&keeper->entries);
	list_init(&keeper->leaving);
	keeper->wake = MEM_NEW(uv_async_t);
	error = uv_async_init(&loop->uv, keeper->wake, on_wake);
	assert(error == 0);
	keeper->wake->data = keeper;
	mailbox_init(&keeper->from_workers, wake, keeper);
	net_timer_init(&keeper->look_timer, loop, on_look_timer, keeper);
	return keeper;
}

void oauth_keeper_stop(struct oauth_keeper *keeper)
{
	keeper->stopping = true;
	net_timer_stop(&keeper->look_timer);
	LIST_FOR_EACH (position, &keeper->entries)
		oauth_entry_advance(LIST_ENTRY(position, struct oauth_entry, link));
	uv_async_send(keeper->wake); /* on_stopped comes from the loop */
}

static void destroy_all(struct list *entries)
{
	while (!list_is_empty(entries)) {
		struct oauth_entry *e = LIST_ENTRY(entries->next, struct oauth_entry, link);
		oauth_entry_destroy(&e);
	}
}

void oauth_keeper_destroy(struct oauth_keeper **keeper)
{
	struct oauth_keeper *gone = *keeper;

	*keeper = NULL;
	if (!gone)
		return;
	destroy_all(&gone->entries);
	destroy_all(&gone->leaving);
	take_mail(gone); /* what workers brought for entries that are gone */
	mailbox_fini(&gone->from_workers);
	https_client_destroy(&gone->https);
	net_timer_fini(&gone->look_timer);
	uv_close((uv_handle_t *)gone->wake, free_closed);
	if (gone->watch)
		uv_close((uv_handle_t *)gone->watch, free_closed);
	mem_free(gone->directory);
	mem_free(gone);
}

/* ---- accounts ---- */

static struct oauth_entry *find(const struct oauth_keeper *keeper, struct span label)
{
	LIST_FOR_EACH (position, &keeper->entries) {
		struct oauth_entry *e = LIST_ENTRY(position, struct oauth_entry, link);
		if (span_equal(span_from_string(e->account->settings.label), label))
			return e;
	}
	return NULL;
}

/* With new secrets perhaps: what was in trouble is tried at once. */
static void keep(struct oauth_entry *e, struct oauth_account *account)
{
	struct oauth_account *old = e->account;

	e->account = oauth_account_ref(account);
	oauth_account_unref(&old);
	e->retry_at = 0;
	e->failures = 0;
	e->look_again = true;
	if (e->trouble == OAUTH_TROUBLE_SETTINGS)
		e->trouble = OAUTH_TROUBLE_PASSING;
	list_remove(&e->link);
	list_append(&e->keeper->entries, &e->link);
}

static void take_account(
    struct oauth_keeper *keeper, struct list *before, struct oauth_account *account)
{
	LIST_FOR_EACH (position, before) {
		struct oauth_entry *e = LIST_ENTRY(position, struct oauth_entry, link);
		if (oauth_account_equal(e->account, account)) {
			keep(e, account);
			return;
		}
	}
	oauth_entry_create(keeper, account);
}

static void let_go(struct oauth_keeper *keeper, struct list *before)
{
	struct list *link;

	while ((link = list_take_first(before)) != NULL) {
		struct oauth_entry *e = LIST_ENTRY(link, struct oauth_entry, link);
		e->leaving = true;
		list_append(&keeper->leaving, &e->link);
	}
	settle(keeper);
}

void oauth_keeper_set_accounts(
    struct oauth_keeper *keeper, struct oauth_account *const accounts[], size_t count)
{
	struct list before, *link;

	assert(!keeper->stopping && count <= OAUTH_KEEPER_ACCOUNTS_MAX);
	list_init(&before);
	while ((link = list_take_first(&keeper->entries)) != NULL)
		list_append(&before, link);
	for (size_t i = 0; i < count; i++)
		if (accounts[i])
			take_account(keeper, &before, accounts[i]);
	let_go(keeper, &before);
	if (list_is_empty(&keeper->entries))
		return;
	watch_directory(keeper);
	LIST_FOR_EACH (position, &keeper->entries)
		oauth_entry_advance(LIST_ENTRY(position, struct oauth_entry, link));
	net_timer_start(&keeper->look_timer, LOOK_MS);
}

/* ---- questions ---- */

static bool is_broken(const struct oauth_entry *e)
{
	return e->trouble == OAUTH_TROUBLE_SETTINGS || e->trouble == OAUTH_TROUBLE_GRANT;
}

static enum oauth_token_state state_of(const struct oauth_entry *e)
{
	if (oauth_entry_is_valid(e))
		return OAUTH_TOKEN_VALID;
	return is_broken(e) ? OAUTH_TOKEN_BROKEN : OAUTH_TOKEN_PENDING;
}

static void explain(const struct oauth_entry *e, struct fault *why_out)
{
	fault_set(why_out, is_broken(e) ? FAULT_LOCAL : FAULT_TEMPORARY,
	    "no OAuth token for account %s: %s", e->account->settings.label,
	    e->why[0] != '\0' ? e->why : "the identity provider is being asked");
}

enum oauth_token_state oauth_keeper_token(
    struct oauth_keeper *keeper, struct span label, struct buf *token_out, struct fault *why_out)
{
	const struct oauth_entry *e = find(keeper, label);
	enum oauth_token_state state;

	if (!e) {
		fault_set(why_out, FAULT_LOCAL, "there is no OAuth account %.*s", SPAN_ARG(label));
		return OAUTH_TOKEN_BROKEN;
	}
	state = state_of(e);
	if (state == OAUTH_TOKEN_VALID)
		buf_append(token_out, buf_span(&e->token.access));
	else
		explain(e, why_out);
	return state;
}

bool oauth_keeper_rejected(struct oauth_keeper *keeper, struct span label, struct span token)
{
	struct oauth_entry *e = find(keeper, label);
	int64_t now = net_loop_now_ms(keeper->loop);

	if (!e || is_broken(e))
		return false;
	if (e->rejected || (token.len > 0 && !span_equal_secret(token, buf_span(&e->token.access))))
		return true;
	if (e->forced_at != 0 && now - e->forced_at < OAUTH_KEEPER_FORCED_MS)
		return false;
	e->forced_at = now;
	e->rejected = true;
	if (!keeper->stopping)
		oauth_entry_advance(e);
	return true;
}

static int64_t next_try(const struct oauth_entry *e)
{
	struct net_loop *loop = e->keeper->loop;
	int64_t at = e->retry_at > net_loop_now_ms(loop) ? e->retry_at : e->refresh_at;

	if (e->trouble == OAUTH_TROUBLE_GRANT || at == 0)
		return 0;
	return net_loop_wall_ms(loop) + at - net_loop_now_ms(loop);
}

static void write_report(const struct oauth_entry *e, struct oauth_report *report)
{
	const struct oauth_settings *settings = &e->account->settings;

	*report = (struct oauth_report){
		.label = settings->label,
		.login = settings->login,
		.flow = settings->flow,
		.state = state_of(e),
		.dead = is_broken(e),
		.expires_ms = e->token.expires_ms,
		.refreshed_ms = e->token.refreshed_ms,
		.signed_in_ms = e->token.signed_in_ms,
		.next_try_ms = next_try(e),
		.last_error = e->why[0] != '\0' ? e->why : NULL,
		.last_error_ms = e->why[0] != '\0' ? e->trouble_ms : 0,
	};
	oauth_host(settings->token_endpoint, report->provider);
}

bool oauth_keeper_report(struct oauth_keeper *keeper, size_t index, struct oauth_report *report_out)
{
	LIST_FOR_EACH (position, &keeper->entries) {
		if (index-- > 0)
			continue;
		write_report(LIST_ENTRY(position, struct oauth_entry, link), report_out);
		return true;
	}
	return false;
}
