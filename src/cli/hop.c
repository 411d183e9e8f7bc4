/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/memory.h"
#include "base/moment.h"
#include "cli/relay.h"
#include "cli/screen.h"

#include <string.h>

struct task {
	const char *config, *socket;
	bool json;
	const char *verb;
	unsigned width;
	int64_t now_ms;
	json_t *items; /* with --json */
	size_t count;
};

static const struct cli_option options[] = {
	CLI_OPTION_CONFIG(struct task, config),
	CLI_OPTION_SOCKET(struct task, socket),
	CLI_OPTION_JSON(struct task, json),
};

/* ---- for people ---- */

static void print_list(const char *label, const json_t *list)
{
	const json_t *word;
	size_t i;
	if (!json_is_array(list))
		return;
	printf("  %-17s", label);
	json_array_foreach(list, i, word)
	{
		fputc(' ', stdout);
		cli_screen_put(stdout, span_from_string(json_string_value(word)), 0);
	}
	fputs(json_array_size(list) == 0 ? " none\n" : "\n", stdout);
}

static void print_text(const char *label, struct span text)
{
	if (text.len == 0)
		return;
	printf("  %-17s ", label);
	cli_screen_put(stdout, text, 0);
	fputc('\n', stdout);
}

static void print_time(const struct task *task, const char *label, int64_t at_ms)
{
	char text[MOMENT_TEXT_MAX], distance[MOMENT_TEXT_MAX];
	bool ahead = at_ms > task->now_ms;
	if (at_ms == 0)
		return;
	moment_format_duration(ahead ? at_ms - task->now_ms : task->now_ms - at_ms, distance);
	printf("  %-17s %s (%s%s%s)\n", label, moment_format_rfc3339(at_ms, text),
	    ahead ? "in " : "", distance, ahead ? "" : " ago");
}

static void print_use(const json_t *hop)
{
	printf("  %-17s %llu waiting, %llu held, %llu under way, on %llu of %llu connections\n",
	    "queue", (unsigned long long)cli_json_number(hop, "waiting"),
	    (unsigned long long)cli_json_number(hop, "held"),
	    (unsigned long long)cli_json_number(hop, "active"),
	    (unsigned long long)cli_json_number(hop, "connections"),
	    (unsigned long long)cli_json_number(hop, "width"));
}

static void print_pause(const struct task *task, const json_t *hop)
{
	struct span why = cli_json_get(hop, "why");
	if (why.len == 0)
		return;
	print_time(task, "paused until", cli_json_time(hop, "paused_until"));
	cli_screen_put_block(stdout, why, 4, task->width);
}

static void print_hop(struct task *task, const json_t *hop)
{
	const json_t *failure = json_object_get(hop, "last_failure");
	if (task->count++ > 0)
		fputc('\n', stdout);
	cli_screen_put(stdout, cli_json_get(hop, "hop"), 0);
	fputs(json_is_false(json_object_get(hop, "configured")) ? " (no route leads there now)\n"
								: "\n",
	    stdout);
	print_text("account", cli_json_get(hop, "account"));
	print_list("extensions", json_object_get(hop, "extensions"));
	print_list("mechanisms", json_object_get(hop, "mechanisms"));
	print_text("worked", cli_json_get(hop, "worked"));
	print_text("initial response", cli_json_get(hop, "initial_response"));
	print_text("TLS", cli_json_get(hop, "tls"));
	print_time(task, "last success", cli_json_time(hop, "last_ok"));
	print_time(task, "last failure", cli_json_time(failure, "time"));
	if (failure != NULL)
		cli_screen_put_block(stdout, cli_json_get(failure, "text"), 4, task->width);
	if (json_is_true(json_object_get(hop, "falls_over_ahead")))
		puts("  closed when a message began right behind the last: that is not done again");
	print_pause(task, hop);
	if (json_object_get(hop, "width") != NULL)
		print_use(hop);
	else
		puts("  nothing was sent there since the start");
}

/* ---- asking ---- */

static bool on_line(void *context, const json_t *line)
{
	struct task *task = context;
	json_t *hop = json_object_get(line, "hop");
	if (hop == NULL)
		return true;
	if (task->json)
		json_array_append(task->items, hop);
	else
		print_hop(task, hop);
	return !ferror(stdout);
}

static int finish(struct task *task, int status)
{
	if (task->json && status == CLI_EXIT_DONE)
		return cli_json_print(json_pack("{s:O}", "items", task->items), status);
	if (status == CLI_EXIT_DONE && task->count == 0 && !task->json && task->width > 0)
		puts("There are no next hops.");
	return status == CLI_EXIT_DONE ? cli_finish(status) : status;
}

static int ask(struct task *task, const char *hop)
{
	struct cli_relay relay;
	if (!cli_relay_find(&relay, task->config, task->socket))
		return CLI_EXIT_USAGE;
	json_t *request = json_pack("{s:o}", "command", json_sprintf("hop %s", task->verb));
	if (hop != NULL)
		json_object_set_new(request, "hop", cli_json_text(span_from_string(hop)));
	task->items = json_array();
	task->width = cli_screen_width();
	task->now_ms = moment_wall_ms();
	int status = cli_relay_tell(&relay, request, CLI_RELAY_QUIET_MS, on_line, task);
	status = finish(task, status);
	json_decref(task->items);
	cli_relay_fini(&relay);
	return status;
}

static int run(int argc, char **argv)
{
	struct task task = { 0 };
	int status = CLI_EXIT_DONE;
	int operands = cli_read_options(&cli_hop_command, argc, argv, &task, &status);
	if (operands < 0)
		return status;
	task.verb = operands > 0 ? argv[1] : "list";
	if (strcmp(task.verb, "list") == 0)
		return operands > 1 ? cli_usage("hop", "list takes no name; see show")
				    : ask(&task, NULL);
	if (strcmp(task.verb, "show") != 0 && strcmp(task.verb, "forget") != 0)
		return cli_usage("hop", "%s is not one of list, show and forget", task.verb);
	if (operands != 2 || argv[2][0] == '\0')
		return cli_usage("hop", "%s wants one next hop, or a part of its name", task.verb);
	return ask(&task, argv[2]);
}

const struct cli_command cli_hop_command = {
	.name = "hop",
	.synopsis = "list | show HOP | forget HOP [OPTION …]",
	.summary = "what was learned of next hops",
	.about = "  list           all of them\n"
		 "  show HOP       one; a part of its name is enough\n"
		 "  forget HOP     learn it anew, and end its pause\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
