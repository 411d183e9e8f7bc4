/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "account/oauth_file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "cli/relay.h"
#include "cli/screen.h"
#include "cli/token_login.h"
#include "relay/admin_token.h"
#include "relay/setup_account.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBLEMS_MAX 65536

struct task {
	const char *config, *socket;
	uint64_t port;
	bool json;
	unsigned width;
	int64_t now_ms;
	json_t *items;
	bool dead; /* one of them */
};

static const struct cli_option options[] = {
	{ "port", 0, CLI_OPTION_NUMBER, "N", offsetof(struct task, port),
	    "where the browser is sent back to on this machine\n(login, flow code; default: a free "
	    "port)" },
	CLI_OPTION_CONFIG(struct task, config),
	CLI_OPTION_SOCKET(struct task, socket),
	CLI_OPTION_JSON(struct task, json),
};

static char *directory_of(const struct config *config)
{
	struct buf path;
	char *result;

	buf_init(&path, 4096);
	buf_printf(&path, "%s/tokens", config->state.path);
	result = buf_take_string(&path);
	buf_fini(&path);
	return result;
}

/* ---- login ---- */

/* By root for the relay's user: both directories are his from the start. */
static bool make_directory(const char *path, mode_t mode, const struct passwd *owner)
{
	struct stat status;

	if (stat(path, &status) == 0)
		return true;
	if (mkdir(path, mode) == 0 && (!owner || chown(path, owner->pw_uid, owner->pw_gid) == 0))
		return true;
	cli_complain("%s cannot be made: %s", path, strerror(errno));
	return false;
}

static bool make_directories(const struct config *config, const char *directory)
{
	const struct passwd *owner = NULL;

	if (geteuid() == 0 && config->user) {
		owner = getpwnam(config->user);
		if (!owner) {
			cli_complain(
			    "there is no system user %s, whose the tokens would be", config->user);
			return false;
		}
	}
	return make_directory(config->state.path, 0750, owner) &&
	       make_directory(directory, 0700, owner);
}

static const struct config_account *find_account(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->account_count; i++) {
		const struct config_account *account = &config->accounts[i];
		if (account->label && strcmp(account->label, name) == 0) {
			if (!account->oauth)
				cli_complain("account %s has no oauth { }: it signs in without "
					     "tokens",
				    name);
			return account->oauth ? account : NULL;
		}
	}
	cli_complain("%s has no account %s", config->file, name);
	return NULL;
}

static int report_login(const struct setup_account *account, bool good, const struct fault *fault)
{
	const char *label = account->config->label;

	if (!good) {
		cli_complain("account %s: %s", label, fault->text);
		return fault->kind == FAULT_PERMANENT ? CLI_EXIT_FOUND : CLI_EXIT_LOCAL;
	}
	if (oauth_flow_is_interactive(account->oauth->settings.flow))
		printf("account %s is signed in; a relay that runs uses it at once\n", label);
	else
		printf("account %s gets its tokens by itself: the provider gave one\n", label);
	return cli_finish(CLI_EXIT_DONE);
}

static int login_with(
    const struct task *task, const struct config *config, const struct setup_account *account)
{
	char *directory = directory_of(config);
	struct token_login_settings settings = {
		.directory = directory,
		.account = account->oauth,
		.port = (uint16_t)task->port,
	};
	int status = CLI_EXIT_LOCAL;
	struct fault fault = { 0 };

	if (make_directories(config, directory))
		status = report_login(account, token_login(&settings, &fault), &fault);
	mem_free(directory);
	return status;
}

static int login_account(
    const struct task *task, const struct config *config, const struct config_account *found)
{
	struct setup_account account = { 0 };
	struct buf problems;
	int status = CLI_EXIT_USAGE;

	buf_init(&problems, PROBLEMS_MAX);
	if (setup_account_load(&account, found, NULL, &problems))
		status = login_with(task, config, &account);
	fputs(buf_string(&problems), stderr);
	setup_account_fini(&account);
	buf_fini(&problems);
	return status;
}

static int run_login(struct task *task, const char *name)
{
	const struct config *config = cli_load_config(task->config);
	const struct config_account *account;
	int status = CLI_EXIT_USAGE;

	if (!config)
		return CLI_EXIT_USAGE;
	prctl(PR_SET_DUMPABLE, 0); /* secrets do not go into core dumps */
	account = find_account(config, name);
	if (account)
		status = login_account(task, config, account);
	config_unref(&config);
	return status;
}

/* ---- list: for people ---- */

static void print_time(
    const struct task *task, const char *label, const json_t *object, const char *key)
{
	char text[MOMENT_TEXT_MAX], distance[MOMENT_TEXT_MAX];
	int64_t at_ms = cli_json_time(object, key);
	bool ahead = at_ms > task->now_ms;

	if (at_ms == 0)
		return;
	moment_format_duration(ahead ? at_ms - task->now_ms : task->now_ms - at_ms, distance);
	printf("  %-13s %s (%s%s%s)\n", label, moment_format_rfc3339(at_ms, text),
	    ahead ? "in " : "", distance, ahead ? "" : " ago");
}

static const char *state_words(const json_t *token)
{
	if (json_is_true(json_object_get(token, "dead")))
		return "dead";
	if (span_equal(cli_json_get(token, "state"), SPAN("valid")))
		return "valid";
	return "no valid token now";
}

static void print_token(const struct task *task, const json_t *token)
{
	const json_t *error = json_object_get(token, "last_error");

	cli_screen_put(stdout, cli_json_get(token, "account"), 0);
	fputs(": ", stdout);
	cli_screen_put(stdout, cli_json_get(token, "login"), 0);
	fputs(" at ", stdout);
	cli_screen_put(stdout, cli_json_get(token, "provider"), 0);
	fputs(", ", stdout);
	cli_screen_put(stdout, cli_json_get(token, "flow"), 0);
	printf(", %s\n", state_words(token));
	print_time(task, "expires", token, "expires");
	print_time(task, "last refresh", token, "last_refresh");
	print_time(task, "signed in", token, "signed_in");
	print_time(task, "last error", error, "time");
	if (error)
		cli_screen_put_block(stdout, cli_json_get(error, "text"), 4, task->width);
}

static void take_token(struct task *task, json_t *token)
{
	task->dead = task->dead || json_is_true(json_object_get(token, "dead"));
	json_array_append(task->items, token);
	if (!task->json)
		print_token(task, token);
}

/* ---- list: from files, when no relay runs ---- */

static void set_error(struct oauth_report *report, const struct oauth_token *token,
    enum oauth_file_result result, const struct fault *fault, bool interactive)
{
	if (token->error[0] != '\0') {
		report->last_error = token->error;
		report->last_error_ms = token->error_ms;
	}
	if (result == OAUTH_FILE_BROKEN)
		report->last_error = fault->text;
	else if (interactive && token->refresh.len == 0)
		report->last_error = "nobody has signed in yet: frank token login";
	else if (report->last_error == NULL)
		return;
	report->dead = true;
}

static void list_file(struct task *task, const char *directory, const struct oauth_account *account)
{
	const struct oauth_settings *settings = &account->settings;
	struct oauth_report report = { .label = settings->label, .login = settings->login };
	struct oauth_token *token = MEM_NEW(struct oauth_token);
	enum oauth_file_result result;
	struct oauth_file_stamp stamp;
	struct fault fault;
	json_t *object;

	oauth_token_init(token);
	result = oauth_file_read(directory, settings->label, token, &stamp, &fault);
	if (result == OAUTH_FILE_FOUND && !oauth_token_is_for(token, account)) {
		oauth_token_fini(token);
		oauth_token_init(token);
	}
	report.flow = settings->flow;
	oauth_host(settings->token_endpoint, report.provider);
	report.expires_ms = token->expires_ms;
	report.refreshed_ms = token->refreshed_ms;
	report.signed_in_ms = token->signed_in_ms;
	set_error(&report, token, result, &fault, oauth_flow_is_interactive(settings->flow));
	report.state = token->access.len > 0 && token->expires_ms > task->now_ms ? OAUTH_TOKEN_VALID
		       : report.dead ? OAUTH_TOKEN_BROKEN
				     : OAUTH_TOKEN_PENDING;
	object = admin_token_json(&report);
	take_token(task, object);
	json_decref(object);
	oauth_token_fini(token);
	mem_free(token);
}

static int list_files(struct task *task, const struct config *config)
{
	char *directory = directory_of(config);
	struct buf problems;
	int status = CLI_EXIT_DONE;

	buf_init(&problems, PROBLEMS_MAX);
	for (size_t i = 0; i < config->account_count; i++) {
		struct setup_account account = { 0 };
		if (!config->accounts[i].oauth)
			continue;
		if (setup_account_load(&account, &config->accounts[i], NULL, &problems))
			list_file(task, directory, account.oauth);
		else
			status = CLI_EXIT_USAGE;
		setup_account_fini(&account);
	}
	fputs(buf_string(&problems), stderr);
	buf_fini(&problems);
	mem_free(directory);
	return status;
}

/* ---- list ---- */

static bool on_line(void *context, const json_t *line)
{
	json_t *token = json_object_get(line, "token");

	if (token)
		take_token(context, token);
	return !ferror(stdout);
}

static int ask_or_read(struct task *task, const struct cli_relay *relay)
{
	struct fault why;
	int status = cli_relay_ask(relay, json_pack("{s:s}", "command", "token list"),
	    CLI_RELAY_QUIET_MS, on_line, task, &why);

	if (status != CLI_RELAY_NOBODY)
		return status;
	if (relay->config)
		return list_files(task, relay->config);
	cli_complain("%s", why.text);
	return CLI_EXIT_LOCAL;
}

static int finish_list(struct task *task, int status)
{
	if (status != CLI_EXIT_DONE && status != CLI_EXIT_FOUND)
		return status;
	status = task->dead ? CLI_EXIT_FOUND : CLI_EXIT_DONE;
	if (task->json)
		return cli_json_print(json_pack("{s:O}", "items", task->items), status);
	if (json_array_size(task->items) == 0 && task->width > 0)
		puts("No account has OAuth.");
	return cli_finish(status);
}

static int run_list(struct task *task)
{
	struct cli_relay relay;
	int status;

	if (!cli_relay_find(&relay, task->config, task->socket))
		return CLI_EXIT_USAGE;
	task->items = json_array();
	task->width = cli_screen_width();
	task->now_ms = moment_wall_ms();
	status = finish_list(task, ask_or_read(task, &relay));
	json_decref(task->items);
	cli_relay_fini(&relay);
	return status;
}

static int run(int argc, char **argv)
{
	struct task task = { 0 };
	int status = CLI_EXIT_DONE;
	int operands = cli_read_options(&cli_token_command, argc, argv, &task, &status);

	if (operands < 0)
		return status;
	if (operands == 0)
		return cli_usage("token", "list or login is missing");
	if (strcmp(argv[1], "list") == 0)
		return operands > 1 ? cli_usage("token", "list takes no name") : run_list(&task);
	if (strcmp(argv[1], "login") != 0)
		return cli_usage("token", "%s is neither list nor login", argv[1]);
	if (operands != 2)
		return cli_usage("token", "login wants one account's name");
	if (task.port > UINT16_MAX)
		return cli_usage("token", "there is no port %llu", (unsigned long long)task.port);
	return run_login(&task, argv[2]);
}

const struct cli_command cli_token_command = {
	.name = "token",
	.synopsis = "list | login ACCOUNT [OPTION …]",
	.summary = "OAuth: sign in at a provider, and how its tokens are",
	.about = "  list           accounts with OAuth: flow, expiry, last refresh, last error;\n"
		 "                 exit status 1 when one is dead\n"
		 "  login ACCOUNT  sign in with a browser, once; the relay goes on from there\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
