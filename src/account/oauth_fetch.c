/* SPDX-License-Identifier: MIT */
#include "account/oauth_fetch.h"

#include "account/oauth_keeper.h"

struct fetch {
	struct net_loop loop;
	struct oauth_keeper *keeper;
	struct net_timer deadline;
	struct span label;
	struct buf *token_out;
	struct fault *fault_out;
	enum oauth_token_state state;
};

static void end(struct fetch *fetch)
{
	oauth_keeper_stop(fetch->keeper);
}

static void on_changed(const char *label, void *owner)
{
	struct fetch *fetch = owner;

	(void)label;
	if (fetch->state == OAUTH_TOKEN_VALID)
		return;
	fetch->state =
	    oauth_keeper_token(fetch->keeper, fetch->label, fetch->token_out, fetch->fault_out);
	if (fetch->state != OAUTH_TOKEN_PENDING)
		net_timer_start(&fetch->deadline, 0);
}

static void on_deadline(void *owner)
{
	end(owner);
}

static void on_stopped(void *owner)
{
	struct fetch *fetch = owner;

	net_loop_stop(&fetch->loop);
}

static void run(struct fetch *fetch, struct oauth_account *account, int64_t timeout_ms)
{
	oauth_keeper_set_accounts(fetch->keeper, &account, 1);
	net_timer_init(&fetch->deadline, &fetch->loop, on_deadline, fetch);
	net_timer_start(&fetch->deadline, timeout_ms);
	net_loop_run(&fetch->loop);
	net_timer_fini(&fetch->deadline);
	oauth_keeper_destroy(&fetch->keeper);
}

bool oauth_fetch(const char *directory, struct oauth_account *account, int64_t timeout_ms,
    struct buf *token_out, struct fault *fault_out)
{
	struct fetch fetch = {
		.label = span_from_string(account->settings.label),
		.token_out = token_out,
		.fault_out = fault_out,
		.state = OAUTH_TOKEN_PENDING,
	};
	struct oauth_keeper_settings settings = {
		.directory = directory,
		.on_changed = on_changed,
		.on_stopped = on_stopped,
		.owner = &fetch,
	};

	if (!net_loop_init(&fetch.loop, NULL, NULL, &fetch, fault_out))
		return false;
	fault_set(fault_out, FAULT_TEMPORARY, "the identity provider did not answer in time");
	fetch.keeper = oauth_keeper_create(&fetch.loop, &settings, fault_out);
	if (fetch.keeper)
		run(&fetch, account, timeout_ms);
	net_loop_fini(&fetch.loop);
	return fetch.state == OAUTH_TOKEN_VALID;
}
