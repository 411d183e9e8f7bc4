/* SPDX-License-Identifier: MIT */
#include "relay/tokens.h"

#include "account/oauth_keeper.h"
#include "base/memory.h"
#include "relay/events.h"

#include <stdio.h>

static enum event event_of(enum oauth_notice notice)
{
	switch (notice) {
	case OAUTH_NOTICE_REFRESHED:
		return EVENT_TOKEN_REFRESHED;
	case OAUTH_NOTICE_TROUBLE:
		return EVENT_TOKEN_TROUBLE;
	case OAUTH_NOTICE_BROKEN:
		break;
	}
	return EVENT_TOKEN_BROKEN;
}

static void on_notice(const char *label, enum oauth_notice notice, const char *text, void *owner)
{
	struct log_line line;

	(void)owner;
	event_begin(&line, event_of(notice));
	log_text(&line, "account", label);
	log_text(&line, "text", text);
	log_end(&line);
}

static void on_changed(const char *label, void *owner)
{
	struct control *c = owner;

	if (!c->stopping)
		schedule_token_changed(&c->schedule, span_from_string(label));
}

static void on_stopped(void *owner)
{
	control_tokens_stopped(owner);
}

static bool is_wanted(const struct setup *setup)
{
	for (size_t i = 0; i < setup->account_count; i++)
		if (setup->accounts[i].oauth)
			return true;
	return false;
}

static void start(struct control *c)
{
	struct oauth_keeper_settings settings = {
		.file_pool = c->file_pool,
		.on_changed = on_changed,
		.on_notice = on_notice,
		.on_stopped = on_stopped,
		.owner = c,
	};
	struct fault fault;
	struct buf path;

	buf_init(&path, 4096);
	buf_printf(&path, "%s/tokens", c->setup->config->state.path);
	settings.directory = buf_string(&path);
	c->tokens = oauth_keeper_create(&c->loop, &settings, &fault);
	if (!c->tokens)
		event_sentence(EVENT_TOKEN_BROKEN, "%s", fault.text);
	c->schedule.oauth = c->tokens;
	buf_fini(&path);
}

/* The state directory is that of the start: another one takes effect at the next. */
void tokens_set(struct control *c)
{
	const struct setup *setup = c->setup;
	struct oauth_account **accounts;
	size_t count = 0;

	if (!c->tokens && is_wanted(setup))
		start(c);
	if (!c->tokens)
		return;
	accounts = mem_alloc_array(setup->account_count + 1, sizeof(*accounts));
	for (size_t i = 0; i < setup->account_count && count < OAUTH_KEEPER_ACCOUNTS_MAX; i++)
		if (setup->accounts[i].oauth)
			accounts[count++] = setup->accounts[i].oauth;
	oauth_keeper_set_accounts(c->tokens, accounts, count);
	mem_free(accounts);
}

bool tokens_stop(struct control *c)
{
	if (!c->tokens)
		return false;
	oauth_keeper_stop(c->tokens);
	return true;
}

void tokens_end(struct control *c)
{
	c->schedule.oauth = NULL;
	oauth_keeper_destroy(&c->tokens);
}
