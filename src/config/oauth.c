/* SPDX-License-Identifier: MIT */
#include "config/oauth.h"

#include "base/memory.h"
#include "config/check.h"
#include "config/table.h"

#include <string.h>

#define DEVICE (1u << CONFIG_OAUTH_FLOW_DEVICE)
#define CODE (1u << CONFIG_OAUTH_FLOW_CODE)
#define CLIENT_CREDENTIALS (1u << CONFIG_OAUTH_FLOW_CLIENT_CREDENTIALS)
#define SERVICE_ACCOUNT (1u << CONFIG_OAUTH_FLOW_SERVICE_ACCOUNT)
#define WITH_CLIENT (DEVICE | CODE | CLIENT_CREDENTIALS)
#define ALL (WITH_CLIENT | SERVICE_ACCOUNT)

/* ---- what each flow needs ---- */

static const struct part {
	const char *name;
	size_t offset;         /* of a const char * */
	unsigned used, needed; /* bits of flows */
} parts[] = {
	{ "client-id", offsetof(struct config_oauth, client_id), WITH_CLIENT, WITH_CLIENT },
	{ "client-secret-file", offsetof(struct config_oauth, client_secret_file), WITH_CLIENT,
	    CLIENT_CREDENTIALS },
	{ "key-file", offsetof(struct config_oauth, key_file), SERVICE_ACCOUNT, SERVICE_ACCOUNT },
	{ "authorization-endpoint", offsetof(struct config_oauth, authorization_endpoint), CODE,
	    CODE },
	{ "device-endpoint", offsetof(struct config_oauth, device_endpoint), DEVICE, DEVICE },
	{ "token-endpoint", offsetof(struct config_oauth, token_endpoint), ALL, ALL },
	{ "scope", offsetof(struct config_oauth, scope), ALL, SERVICE_ACCOUNT },
};

static const char *const *value_of(const struct config_oauth *oauth, const struct part *part)
{
	return (const char *const *)((const char *)oauth + part->offset);
}

static const char *const flow_names[] = {
	[CONFIG_OAUTH_FLOW_DEVICE] = "device",
	[CONFIG_OAUTH_FLOW_CODE] = "code",
	[CONFIG_OAUTH_FLOW_CLIENT_CREDENTIALS] = "client-credentials",
	[CONFIG_OAUTH_FLOW_SERVICE_ACCOUNT] = "service-account",
};

/* ---- what is known of providers ---- */

#define MICROSOFT "https://login.microsoftonline.com/%s/oauth2/v2.0/"

static const struct preset {
	const char *name; /* as an origin */
	enum config_oauth_flow flow;
	/* By the names of parts; %s is the tenant. Some values differ by flow. */
	struct {
		const char *name, *value;
		unsigned flows;
	} values[4];
	/* Limits for each mailbox. Microsoft's are published ("Exchange Online limits"); Google
	   refuses too many connections (421 4.7.0) and publishes no number: this one is cautious.
	   Daily quotas are left to the provider's own answers. */
	unsigned connections_max;
	struct config_rate rate;
} presets[] = {
	[CONFIG_OAUTH_PRESET_NONE] = { 0 },
	[CONFIG_OAUTH_PRESET_MICROSOFT365] = { "preset microsoft365", CONFIG_OAUTH_FLOW_DEVICE,
	    { { "authorization-endpoint", MICROSOFT "authorize", ALL },
		{ "device-endpoint", MICROSOFT "devicecode", ALL },
		{ "token-endpoint", MICROSOFT "token", ALL },
		{ "scope", "https://outlook.office.com/SMTP.Send offline_access", DEVICE | CODE } },
	    3, { 30, 60000 } },
	[CONFIG_OAUTH_PRESET_GMAIL] = { "preset gmail", CONFIG_OAUTH_FLOW_CODE,
	    { { "authorization-endpoint", "https://accounts.google.com/o/oauth2/v2/auth", ALL },
		{ "token-endpoint", "https://oauth2.googleapis.com/token", ALL },
		{ "scope", "https://mail.google.com/", ALL } },
	    5, { 0 } },
};

/* An application has its own permissions: they are asked for all together. */
static const char microsoft_application_scope[] = "https://outlook.office365.com/.default";

static void set_origin(const struct config_oauth *oauth, const char *name)
{
	const struct config_directive *d = config_directive_find(CONFIG_BLOCK_OAUTH, name);
	((struct config_origin *)oauth->origins)[config_directive_slot(d)] =
	    (struct config_origin){ .file = presets[oauth->preset].name };
}

static bool is_written(const struct config_oauth *oauth, const char *name)
{
	const struct config_directive *d = config_directive_find(CONFIG_BLOCK_OAUTH, name);
	return oauth->origins[config_directive_slot(d)].line;
}

/* Only where the file says nothing, and the flow uses it. */
static void fill_in(
    struct config_builder *b, struct config_oauth *oauth, const char *name, const char *format)
{
	const struct part *part = parts;
	while (strcmp(part->name, name) != 0)
		part++;
	const char **value = (const char **)value_of(oauth, part);
	bool needs_tenant = strstr(format, "%s");
	if (*value || !(part->used & 1u << oauth->flow) || (needs_tenant && !oauth->tenant))
		return;
	size_t before = strcspn(format, "%");
	*value = config_arena_format(b->arena, "%.*s%s%s", (int)before, format,
	    needs_tenant ? oauth->tenant : "", needs_tenant ? format + before + 2 : "");
	set_origin(oauth, name);
}

void config_oauth_complete(struct config_builder *b, struct config_oauth *oauth)
{
	const struct preset *preset = &presets[oauth->preset];
	if (!preset->name)
		return;
	if (!is_written(oauth, "flow")) {
		oauth->flow = preset->flow;
		set_origin(oauth, "flow");
	}
	for (size_t i = 0; i < ARRAY_LEN(preset->values) && preset->values[i].name; i++)
		if (preset->values[i].flows & 1u << oauth->flow)
			fill_in(b, oauth, preset->values[i].name, preset->values[i].value);
	if (oauth->preset == CONFIG_OAUTH_PRESET_MICROSOFT365 &&
	    oauth->flow == CONFIG_OAUTH_FLOW_CLIENT_CREDENTIALS)
		fill_in(b, oauth, "scope", microsoft_application_scope);
}

/* ---- checks ---- */

/* What a provider does not do, whatever is written beside it. */
static const struct gap {
	enum config_oauth_preset preset;
	enum config_oauth_flow flow;
	const char *sentence;
} gaps[] = {
	{ CONFIG_OAUTH_PRESET_GMAIL, CONFIG_OAUTH_FLOW_DEVICE,
	    "Google's device flow does not grant the scope for mail (https://mail.google.com/): "
	    "write flow code; or flow service-account;" },
	{ CONFIG_OAUTH_PRESET_GMAIL, CONFIG_OAUTH_FLOW_CLIENT_CREDENTIALS,
	    "Google has no client credentials for mailboxes: write flow service-account;" },
	{ CONFIG_OAUTH_PRESET_MICROSOFT365, CONFIG_OAUTH_FLOW_SERVICE_ACCOUNT,
	    "service accounts are Google's: write flow client-credentials;" },
};

static bool check_provider(struct config_builder *b, const struct config_oauth *oauth,
    const struct config_statement *block)
{
	for (size_t i = 0; i < ARRAY_LEN(gaps); i++) {
		if (gaps[i].preset != oauth->preset || gaps[i].flow != oauth->flow)
			continue;
		config_error(b->report, config_place_of(block, "flow"), "%s", gaps[i].sentence);
		return false;
	}
	if (oauth->preset == CONFIG_OAUTH_PRESET_GMAIL && oauth->flow == CONFIG_OAUTH_FLOW_CODE &&
	    !oauth->client_secret_file)
		config_warning(b->report, block->name.place,
		    "Google's desktop clients have a secret, too: write client-secret-file PATH;");
	return true;
}

static void check_parts(struct config_builder *b, const struct config_oauth *oauth,
    const struct config_statement *block)
{
	unsigned flow = 1u << oauth->flow;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		bool there = *value_of(oauth, &parts[i]);
		if (!there && (parts[i].needed & flow))
			config_error(b->report, block->name.place, "flow %s needs %s %s;",
			    flow_names[oauth->flow], parts[i].name,
			    config_directive_find(CONFIG_BLOCK_OAUTH, parts[i].name)->value);
		if (there && !(parts[i].used & flow))
			config_error(b->report, config_place_of(block, parts[i].name),
			    "\"%s\" has no effect with flow %s", parts[i].name,
			    flow_names[oauth->flow]);
	}
}

void config_oauth_check(struct config_builder *b, const struct config_oauth *oauth,
    const struct config_statement *block)
{
	bool microsoft = oauth->preset == CONFIG_OAUTH_PRESET_MICROSOFT365;
	if (!presets[oauth->preset].name && !is_written(oauth, "flow"))
		config_error(b->report, block->name.place,
		    "oauth needs a preset or a flow: write preset microsoft365; or flow code;");
	else if (microsoft && !oauth->tenant)
		config_error(b->report, block->name.place,
		    "preset microsoft365 needs tenant NAME; (contoso.example, or the directory's "
		    "id)");
	else if (!microsoft && oauth->tenant)
		config_error(b->report, config_place_of(block, "tenant"),
		    "\"tenant\" has no effect without preset microsoft365");
	else if (check_provider(b, oauth, block))
		check_parts(b, oauth, block);
}

/* ---- limits ---- */

static bool take_origin(const struct config_route *route, const char *name, const char *preset)
{
	const struct config_directive *d = config_directive_find(CONFIG_BLOCK_ROUTE, name);
	struct config_origin *origin =
	    (struct config_origin *)&route->origins[config_directive_slot(d)];
	if (origin->file)
		return false;
	origin->file = preset;
	return true;
}

void config_oauth_limit(struct config_route *route)
{
	const struct preset *preset = &presets[route->account->oauth->preset];
	if (!preset->name)
		return;
	if (take_origin(route, "connections-max", preset->name))
		route->connections_max = preset->connections_max;
	if (preset->rate.count && take_origin(route, "rate", preset->name))
		route->rate = preset->rate;
}
