/* SPDX-License-Identifier: MIT */
#include "relay/setup_account.h"

#include "account/secret_command.h"

#include <pwd.h>
#include <unistd.h>

static void complain(
    const struct config_account *config, const char *level, const char *text, struct buf *problems)
{
	char origin[CONFIG_ORIGIN_TEXT_MAX];

	config_origin_format(config->origin, origin);
	buf_printf(problems, "%s: %s: %s\n", origin, level, text);
}

static void warn_exposed(
    const struct config_account *config, const char *path, const char *what, struct buf *problems)
{
	struct fault fault;

	fault_set(&fault, FAULT_LOCAL,
	    "%s holds %s and everybody on this machine may read it: chmod 600 %s", path, what,
	    path);
	complain(config, "warning", fault.text, problems);
}

/* ---- passwords ---- */

/* Only root can become another user, and only a user that is there. */
static bool find_user(
    const char *name, struct secret_command_user *user_out, struct fault *fault_out)
{
	const struct passwd *entry = getpwnam(name);

	if (!entry) {
		fault_set(
		    fault_out, FAULT_LOCAL, "user %s: there is no such user on this machine", name);
		return false;
	}
	*user_out = (struct secret_command_user){ name, entry->pw_uid, entry->pw_gid };
	return true;
}

static bool run_command(
    const struct config_account *config, const char *user, struct buf *out, struct fault *fault_out)
{
	struct secret_command_user as = { 0 };
	bool drops = user && geteuid() == 0;

	if (drops && !find_user(user, &as, fault_out))
		return false;
	return account_secret_run(config->password_command, drops ? &as : NULL, out, fault_out);
}

/* Neither file nor command: nothing to read. */
static bool read_password(const struct config_account *config, const char *user, struct buf *out,
    bool *exposed_out, struct fault *fault_out)
{
	if (config->password_command)
		return run_command(config, user, out, fault_out);
	return !config->password_file ||
	       account_secret_read(config->password_file, out, exposed_out, fault_out);
}

bool setup_account_is_stale(const struct setup_account *account)
{
	struct fault fault;
	struct buf now;
	bool stale;

	if (account->password.len == 0)
		return false;
	buf_init_secret(&now, SECRET_MAX_BYTES);
	stale = read_password(account->config, NULL, &now, NULL, &fault) &&
		!span_equal_secret(buf_span(&now), buf_span(&account->password));
	buf_fini(&now);
	return stale;
}

/* ---- OAuth ---- */

static enum oauth_provider provider_of(const struct config_oauth *config)
{
	switch (config->preset) {
	case CONFIG_OAUTH_PRESET_NONE:
		return OAUTH_PROVIDER_OTHER;
	case CONFIG_OAUTH_PRESET_MICROSOFT365:
		return OAUTH_PROVIDER_MICROSOFT;
	case CONFIG_OAUTH_PRESET_GMAIL:
		return OAUTH_PROVIDER_GOOGLE;
	}
	return OAUTH_PROVIDER_OTHER;
}

static enum oauth_flow flow_of(const struct config_oauth *config)
{
	switch (config->flow) {
	case CONFIG_OAUTH_FLOW_DEVICE:
		return OAUTH_FLOW_DEVICE;
	case CONFIG_OAUTH_FLOW_CODE:
		return OAUTH_FLOW_CODE;
	case CONFIG_OAUTH_FLOW_CLIENT_CREDENTIALS:
		return OAUTH_FLOW_CLIENT_CREDENTIALS;
	case CONFIG_OAUTH_FLOW_SERVICE_ACCOUNT:
		return OAUTH_FLOW_SERVICE_ACCOUNT;
	}
	return OAUTH_FLOW_DEVICE;
}

static bool load_oauth(
    struct setup_account *account, const struct config_account *config, struct buf *problems)
{
	const struct config_oauth *oauth = config->oauth;
	struct oauth_settings settings = {
		.label = config->label,
		.login = config->login,
		.provider = provider_of(oauth),
		.flow = flow_of(oauth),
		.tenant = oauth->tenant,
		.client_id = oauth->client_id,
		.client_secret_file = oauth->client_secret_file,
		.key_file = oauth->key_file,
		.authorization_endpoint = oauth->authorization_endpoint,
		.device_endpoint = oauth->device_endpoint,
		.token_endpoint = oauth->token_endpoint,
		.scope = oauth->scope,
		.trust = oauth->trust,
	};
	const char *exposed = NULL;
	struct fault fault;

	account->oauth = oauth_account_load(&settings, &exposed, &fault);
	if (!account->oauth)
		complain(config, "error", fault.text, problems);
	else if (exposed)
		warn_exposed(config, exposed, "a secret", problems);
	return account->oauth != NULL;
}

/* ---- the account ---- */

bool setup_account_load(struct setup_account *account, const struct config_account *config,
    const char *user, struct buf *problems_out)
{
	struct fault fault;
	bool exposed = false;

	account->config = config;
	account->login = span_from_string(config->login);
	buf_init_secret(&account->password, SECRET_MAX_BYTES);
	if (!read_password(config, user, &account->password, &exposed, &fault)) {
		complain(config, "error", fault.text, problems_out);
		return false;
	}
	if (exposed)
		warn_exposed(config, config->password_file, "a password", problems_out);
	return !config->oauth || load_oauth(account, config, problems_out);
}

void setup_account_fini(struct setup_account *account)
{
	buf_fini(&account->password);
	oauth_account_unref(&account->oauth);
}
