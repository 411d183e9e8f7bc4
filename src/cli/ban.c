/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/memory.h"
#include "base/moment.h"
#include "cli/relay.h"
#include "cli/screen.h"

#include <string.h>

struct task {
	const char *config, *socket, *login, *length;
	bool json;
	const char *verb;
	int64_t now_ms;
	json_t *items; /* with --json */
	uint64_t removed;
	size_t count;
};

static const struct cli_option options[] = {
	{ "login", 'l', CLI_OPTION_TEXT, "NAME", offsetof(struct task, login),
	    "only this login from there; remove: only that ban" },
	{ "for", 0, CLI_OPTION_TEXT, "TIME", offsetof(struct task, length),
	    "how long the ban that is added holds: 10m, 2h, 7d,\nor ever (default 1d)" },
	CLI_OPTION_CONFIG(struct task, config),
	CLI_OPTION_SOCKET(struct task, socket),
	CLI_OPTION_JSON(struct task, json),
};

/* ---- for people ---- */

static void print_left(const struct task *task, const json_t *ban)
{
	char left[MOMENT_TEXT_MAX], until[MOMENT_TEXT_MAX];
	int64_t until_ms = cli_json_time(ban, "until");

	if (until_ms == 0) {
		fputs("for ever", stdout);
		return;
	}
	moment_format_duration(until_ms > task->now_ms ? until_ms - task->now_ms : 0, left);
	printf("until %s (%s)", moment_format_rfc3339(until_ms, until), left);
}

static void print_ban(struct task *task, const json_t *ban)
{
	struct span login = cli_json_get(ban, "login");
	uint64_t failures = cli_json_number(ban, "failures");

	cli_screen_put(stdout, cli_json_get(ban, "address"), 0);
	if (login.len > 0) {
		fputs(" as ", stdout);
		cli_screen_put(stdout, login, 0);
	}
	fputs(": ", stdout);
	print_left(task, ban);
	if (failures > 0)
		printf(", after %llu failed logins\n", (unsigned long long)failures);
	else
		puts(", by an operator");
}

/* ---- asking ---- */

static bool on_line(void *context, const json_t *line)
{
	struct task *task = context;
	json_t *ban = json_object_get(line, "ban");

	task->removed += cli_json_number(line, "removed");
	if (!ban)
		return true;
	task->count++;
	if (task->json)
		json_array_append(task->items, ban);
	else
		print_ban(task, ban);
	return !ferror(stdout);
}

static int finish(struct task *task, int status)
{
	bool removes = strcmp(task->verb, "remove") == 0;

	if (status != CLI_EXIT_DONE)
		return status;
	if (task->json && removes)
		return cli_json_print(
		    json_pack("{s:I}", "removed", (json_int_t)task->removed), status);
	if (task->json)
		return cli_json_print(json_pack("{s:O}", "items", task->items), status);
	if (removes)
		printf("%llu %s removed\n", (unsigned long long)task->removed,
		    task->removed == 1 ? "ban" : "bans");
	else if (task->count == 0)
		puts("Nobody is banned.");
	return cli_finish(status);
}

/* False after a complaint. */
static bool set_length(const struct task *task, json_t *request)
{
	int64_t seconds;

	if (!task->length)
		return true;
	if (strcmp(task->length, "ever") == 0) {
		json_object_set_new(request, "for_ever", json_true());
		return true;
	}
	if (!cli_duration_parse(span_from_string(task->length), &seconds) || seconds == 0) {
		cli_usage("ban", "--for wants a time as in 10m, 2h or 7d, or ever, not \"%s\"",
		    task->length);
		return false;
	}
	json_object_set_new(request, "seconds", json_integer(seconds));
	return true;
}

static int ask(struct task *task, const char *address)
{
	json_t *request = json_pack("{s:o}", "command", json_sprintf("ban %s", task->verb));
	struct cli_relay relay;
	int status = CLI_EXIT_USAGE;

	if (address)
		json_object_set_new(request, "address", cli_json_text(span_from_string(address)));
	if (task->login)
		json_object_set_new(request, "login", cli_json_text(span_from_string(task->login)));
	if (!set_length(task, request) || !cli_relay_find(&relay, task->config, task->socket)) {
		json_decref(request);
		return status;
	}
	task->items = json_array();
	task->now_ms = moment_wall_ms();
	status = cli_relay_tell(&relay, request, CLI_RELAY_QUIET_MS, on_line, task);
	status = finish(task, status);
	json_decref(task->items);
	cli_relay_fini(&relay);
	return status;
}

static bool has_idle_option(const struct task *task)
{
	return (task->length && strcmp(task->verb, "add") != 0) ||
	       (task->login && strcmp(task->verb, "list") == 0);
}

static int run(int argc, char **argv)
{
	struct task task = { 0 };
	int status = CLI_EXIT_DONE;
	int operands = cli_read_options(&cli_ban_command, argc, argv, &task, &status);

	if (operands < 0)
		return status;
	task.verb = operands > 0 ? argv[1] : "list";
	if (strcmp(task.verb, "list") != 0 && strcmp(task.verb, "add") != 0 &&
	    strcmp(task.verb, "remove") != 0)
		return cli_usage("ban", "%s is not one of list, add and remove", task.verb);
	if (has_idle_option(&task))
		return cli_usage(
		    "ban", "%s does not take %s", task.verb, task.length ? "--for" : "--login");
	if (strcmp(task.verb, "list") == 0)
		return operands > 1 ? cli_usage("ban", "list takes no address") : ask(&task, NULL);
	if (operands != 2 || argv[2][0] == '\0')
		return cli_usage("ban", "%s wants one address", task.verb);
	return ask(&task, argv[2]);
}

const struct cli_command cli_ban_command = {
	.name = "ban",
	.synopsis = "list | add ADDRESS | remove ADDRESS [OPTION …]",
	.summary = "who may not sign in, or not even connect, for a while",
	.about = "  list            all bans in force\n"
		 "  add ADDRESS     turn it away from its next connection on; with --login:\n"
		 "                  refuse only this login from there\n"
		 "  remove ADDRESS  end its bans, and forget its failures\n"
		 "An IPv6 address stands for its /64.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
