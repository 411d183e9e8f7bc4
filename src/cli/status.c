/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/memory.h"
#include "base/moment.h"
#include "cli/dialogue.h"
#include "cli/relay.h"
#include "cli/screen.h"

#include <string.h>

struct task {
	const char *config, *socket;
	bool json, colour;
	unsigned width;
	int64_t now_ms;
};

static const struct cli_option options[] = {
	CLI_OPTION_CONFIG(struct task, config),
	CLI_OPTION_SOCKET(struct task, socket),
	CLI_OPTION_JSON(struct task, json),
};

typedef unsigned long long number;

static number get(const json_t *object, const char *key)
{
	return cli_json_number(object, key);
}

static void put(const json_t *object, const char *key)
{
	cli_screen_put(stdout, cli_json_get(object, key), 0);
}

static const char *age(const json_t *object, const char *key, char out[MOMENT_TEXT_MAX])
{
	return moment_format_duration((int64_t)get(object, key) * 1000, out);
}

static const char *size(const json_t *object, const char *key, char out[CLI_SCREEN_SIZE_MAX])
{
	return cli_screen_size(get(object, key), out);
}

/* "1 message", "2 messages" */
static void put_count(number count, const char *what)
{
	size_t len = strlen(what);
	if (count == 1)
		printf("1 %s", what);
	else if (what[len - 1] == 'y')
		printf("%llu %.*sies", count, (int)len - 1, what);
	else
		printf("%llu %ss", count, what);
}

/* ---- the parts ---- */

static void print_process(const json_t *status)
{
	char text[MOMENT_TEXT_MAX];
	fputs("relay        frank ", stdout);
	put(status, "version");
	printf(", pid %llu, ", get(status, "pid"));
	put(status, "state");
	printf(", up %s\nconfig       ", age(status, "uptime", text));
	put(status, "config");
	fputs(", loaded ", stdout);
	put(status, "loaded");
	fputc('\n', stdout);
}

/* The problem is text of many lines, as the operator would see it at the start. */
static void print_reload_problem(const json_t *status)
{
	struct span text = cli_json_get(status, "reload_problem"), line;
	if (text.len == 0)
		return;
	puts("             the last reload was refused, and this one stays in force:");
	while (span_take_until(&text, '\n', &line)) {
		struct span tab = SPAN("        "), piece;
		fputs("    ", stdout);
		while (span_find(line, '\t') < line.len && span_take_until(&line, '\t', &piece)) {
			cli_screen_put(stdout, piece, 0);
			cli_screen_put(stdout, tab, 0);
		}
		cli_screen_put(stdout, line, 0);
		fputc('\n', stdout);
	}
}

static void print_sessions(const json_t *sessions)
{
	const json_t *listener;
	size_t i;
	printf("sessions     %llu now, %llu since the start, %llu turned away\n",
	    get(sessions, "now"), get(sessions, "since_start"), get(sessions, "refused"));
	json_array_foreach(json_object_get(sessions, "listeners"), i, listener)
	{
		fputs("             ", stdout);
		put(listener, "listener");
		fputc(' ', stdout);
		put(listener, "address");
		printf(": %llu\n", get(listener, "sessions"));
	}
}

static void print_queue(const json_t *queue)
{
	char text[MOMENT_TEXT_MAX], bytes[CLI_SCREEN_SIZE_MAX];
	fputs("queue        ", stdout);
	put_count(get(queue, "messages"), "message");
	printf(" (%s), ", size(queue, "size", bytes));
	put_count(get(queue, "deliveries"), "delivery");
	printf(": %llu under way, %llu held\n", get(queue, "active"), get(queue, "held"));
	if (get(queue, "broken") > 0)
		printf("             %llu damaged and set aside\n", get(queue, "broken"));
	if (json_object_get(queue, "oldest") != NULL)
		printf("             the oldest came %s ago\n", age(queue, "oldest_age", text));
}

static void print_pause(const struct task *task, const json_t *hop)
{
	int64_t until = cli_json_time(hop, "paused_until");
	char text[MOMENT_TEXT_MAX];
	if (cli_json_get(hop, "why").len == 0)
		return;
	if (until > task->now_ms)
		printf("             paused for another %s\n",
		    moment_format_duration(until - task->now_ms, text));
	cli_screen_put_block(stdout, cli_json_get(hop, "why"), 15, task->width);
}

static void print_hops(const struct task *task, const json_t *hops)
{
	const json_t *hop;
	char text[MOMENT_TEXT_MAX];
	size_t i;
	json_array_foreach(hops, i, hop)
	{
		fputs("  to ", stdout);
		put(hop, "hop");
		printf("\n             %llu waiting, %llu held, %llu under way",
		    get(hop, "waiting"), get(hop, "held"), get(hop, "active"));
		if (json_object_get(hop, "oldest") != NULL)
			printf(", oldest %s", age(hop, "oldest_age", text));
		fputc('\n', stdout);
		print_pause(task, hop);
	}
}

static void print_resources(const json_t *status)
{
	const json_t *memory = json_object_get(status, "memory");
	const json_t *disk = json_object_get(status, "disk");
	char a[CLI_SCREEN_SIZE_MAX], b[CLI_SCREEN_SIZE_MAX], c[CLI_SCREEN_SIZE_MAX];
	printf("in memory    %llu of %llu deliveries, bodies %s of %s, ", get(memory, "deliveries"),
	    get(memory, "deliveries_max"), size(memory, "bodies", a),
	    size(memory, "bodies_max", b));
	put_count(get(memory, "uncommitted"), "result");
	puts(" not committed");
	fputs("disk         ", stdout);
	put(disk, "path");
	printf(": %s free of %s, mail is refused below %s\n", size(disk, "free", a),
	    size(disk, "total", b), size(disk, "min_free", c));
}

static void print_certificate(const struct task *task, const json_t *certificate, bool first)
{
	int64_t expires = cli_json_time(certificate, "expires");
	bool ahead = expires > task->now_ms;
	char text[MOMENT_TEXT_MAX], when[MOMENT_TEXT_MAX];
	fputs(first ? "certificate  " : "             ", stdout);
	put(certificate, "file");
	fputs(" (", stdout);
	put(certificate, "kind");
	moment_format_duration(ahead ? expires - task->now_ms : task->now_ms - expires, text);
	printf(")\n             %s %s (%s%s%s)\n             ", ahead ? "expires" : "expired",
	    moment_format_rfc3339(expires, when), ahead ? "in " : "", text, ahead ? "" : " ago");
	put(certificate, "fingerprint");
	fputc('\n', stdout);
}

static void print_certificates(const struct task *task, const json_t *certificates)
{
	const json_t *certificate;
	size_t i;
	json_array_foreach(certificates, i, certificate)
		print_certificate(task, certificate, i == 0);
}

static void print_tokens(const struct task *task, const json_t *tokens)
{
	const json_t *token;
	size_t i;
	json_array_foreach(tokens, i, token)
	{
		char text[MOMENT_TEXT_MAX];
		int64_t left = cli_json_time(token, "expires") - task->now_ms;
		bool valid = span_equal(cli_json_get(token, "state"), SPAN("valid"));
		fputs(i == 0 ? "OAuth        " : "             ", stdout);
		put(token, "account");
		if (valid)
			printf(": token for %s more\n", moment_format_duration(left, text));
		else
			puts(": no valid token");
	}
}

static void print_problems(const struct task *task, const json_t *problems)
{
	const json_t *problem;
	size_t i;
	if (json_array_size(problems) == 0)
		return;
	puts(task->colour ? "\n\033[31mA human is needed:\033[0m" : "\nA human is needed:");
	json_array_foreach(problems, i, problem) cli_screen_put_block(
	    stdout, span_from_string(json_string_value(problem)), 2, task->width);
}

static void print_status(const struct task *task, const json_t *status)
{
	print_process(status);
	print_reload_problem(status);
	print_sessions(json_object_get(status, "sessions"));
	print_queue(json_object_get(status, "queue"));
	print_hops(task, json_object_get(status, "hops"));
	print_resources(status);
	print_certificates(task, json_object_get(status, "certificates"));
	print_tokens(task, json_object_get(status, "tokens"));
	print_problems(task, json_object_get(status, "problems"));
}

/* ---- asking ---- */

static bool on_line(void *context, const json_t *line)
{
	const struct task *task = context;
	json_t *status = json_object_get(line, "status");
	if (status == NULL)
		return true;
	if (task->json)
		cli_json_print(json_incref(status), CLI_EXIT_DONE);
	else
		print_status(task, status);
	return true;
}

static int run(int argc, char **argv)
{
	struct task task = { 0 };
	struct cli_relay relay;
	int status = CLI_EXIT_DONE;
	int operands = cli_read_options(&cli_status_command, argc, argv, &task, &status);
	if (operands < 0)
		return status;
	if (operands > 0)
		return cli_usage("status", "unexpected argument: %s", argv[1]);
	if (!cli_relay_find(&relay, task.config, task.socket))
		return CLI_EXIT_USAGE;
	task.width = cli_screen_width();
	task.colour = cli_colour_wanted(stdout);
	task.now_ms = moment_wall_ms();
	status = cli_relay_tell(
	    &relay, json_pack("{s:s}", "command", "status"), CLI_RELAY_QUIET_MS, on_line, &task);
	cli_relay_fini(&relay);
	return status == CLI_EXIT_DONE || status == CLI_EXIT_FOUND ? cli_finish(status) : status;
}

const struct cli_command cli_status_command = {
	.name = "status",
	.synopsis = "[OPTION …]",
	.summary = "how the relay is",
	.about = "Sessions, the queue by next hop, what is paused and why, disk, certificate,\n"
		 "OAuth tokens.\n"
		 "Exit status 1: a human is needed, and the last lines say for what. 3: no relay\n"
		 "answers.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
