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
	unsigned width;
	int64_t now_ms;
	json_t *items; /* with --json */
	json_t *whole; /* since when */
	size_t count;
};

static const struct cli_option options[] = {
	CLI_OPTION_CONFIG(struct task, config),
	CLI_OPTION_SOCKET(struct task, socket),
	CLI_OPTION_JSON(struct task, json),
};

/* ---- for people ---- */

static void print_whole(const struct task *task, const json_t *whole)
{
	int64_t since = cli_json_time(whole, "since");
	uint64_t forgotten = (uint64_t)cli_json_number(whole, "forgotten");
	char text[MOMENT_TEXT_MAX], distance[MOMENT_TEXT_MAX];
	printf("since %s (%s)\n", moment_format_rfc3339(since, text),
	    moment_format_duration(task->now_ms - since, distance));
	if (forgotten > 0)
		printf("%llu entries were forgotten: there are too many\n",
		    (unsigned long long)forgotten);
}

static void put_field(const json_t *entry, const char *name, size_t width)
{
	struct span text = cli_json_get(entry, name);
	cli_screen_put(stdout, text, 0);
	for (size_t n = text.len; n < width; n++)
		fputc(' ', stdout);
	fputc(' ', stdout);
}

static void print_entry(struct task *task, const json_t *entry)
{
	int64_t ago = task->now_ms - cli_json_time(entry, "last");
	char text[MOMENT_TEXT_MAX];
	if (task->count++ == 0)
		printf("%8s %8s %-14s %-20s %-24s %-12s LOGIN\n", "USES", "REFUSED", "LAST",
		    "QUIRK", "CLIENT", "LISTENER");
	printf("%8llu %8llu %-14s ", (unsigned long long)cli_json_number(entry, "uses"),
	    (unsigned long long)cli_json_number(entry, "refused"),
	    moment_format_duration(ago > 0 ? ago : 0, text));
	put_field(entry, "quirk", 20);
	put_field(entry, "client", 24);
	put_field(entry, "listener", 12);
	cli_screen_put(stdout, cli_json_get(entry, "login"), 0);
	fputc('\n', stdout);
}

/* ---- asking ---- */

static bool on_line(void *context, const json_t *line)
{
	struct task *task = context;
	const json_t *entry = json_object_get(line, "quirk");
	json_t *whole = json_object_get(line, "quirks");
	if (whole != NULL && task->json)
		json_object_update(task->whole, whole);
	else if (whole != NULL)
		print_whole(task, whole);
	if (entry != NULL && task->json)
		json_array_append(task->items, (json_t *)entry);
	else if (entry != NULL)
		print_entry(task, entry);
	return !ferror(stdout);
}

static int finish(struct task *task, int status)
{
	if (status != CLI_EXIT_DONE)
		return status;
	if (task->json) {
		json_object_set(task->whole, "items", task->items);
		return cli_json_print(json_incref(task->whole), status);
	}
	if (task->count == 0)
		puts("Nobody has used a quirk, or missed one.");
	return cli_finish(status);
}

static int run(int argc, char **argv)
{
	struct task task = { .now_ms = moment_wall_ms() };
	struct cli_relay relay;
	int status = CLI_EXIT_DONE;
	int operands = cli_read_options(&cli_quirks_command, argc, argv, &task, &status);
	if (operands < 0)
		return status;
	if (operands > 0)
		return cli_usage("quirks", "%s is too much: it takes options only", argv[1]);
	if (!cli_relay_find(&relay, task.config, task.socket))
		return CLI_EXIT_USAGE;
	task.items = json_array();
	task.whole = json_object();
	status = cli_relay_tell(
	    &relay, json_pack("{s:s}", "command", "quirks"), CLI_RELAY_QUIET_MS, on_line, &task);
	status = finish(&task, status);
	json_decref(task.items);
	json_decref(task.whole);
	cli_relay_fini(&relay);
	return status;
}

const struct cli_command cli_quirks_command = {
	.name = "quirks",
	.synopsis = "[OPTION …]",
	.summary = "who needs a quirk, and how often",
	.about = "  Shows whose departures from SMTP were understood, and whose were refused\n"
		 "  for want of a quirk that listen { } can name. What is never used can go.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
