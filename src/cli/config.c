/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/memory.h"
#include "config/show.h"
#include "relay/setup.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 16 * 1024 * 1024 };

struct task {
	const char *path;
	bool json;
};

static const struct cli_option options[] = {
	CLI_OPTION_CONFIG(struct task, path),
	{ "json", 0, CLI_OPTION_FLAG, NULL, offsetof(struct task, json),
	    "check: the problems as {\"errors\":[…],\"warnings\":[…]}" },
};

/* ---- check: as text ---- */

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* How many of the lines in problems are of that level: "error" or "warning". */
static size_t count_lines(struct span problems, const char *level);

static void print_problems(const struct config_report *report, struct span problems)
{
	struct buf text;
	buf_init(&text, TEXT_MAX);
	if (!config_report_format(report, &text))
		cli_complain("the list of problems is too long to be shown whole");
	fwrite(buf_string(&text), 1, text.len, stdout);
	fwrite(problems.data, 1, problems.len, stdout);
	buf_fini(&text);
}

static void print_sum(const char *path, size_t errors, size_t warnings)
{
	if (errors > 0)
		printf("%s: %zu error%s", path, errors, plural(errors));
	else
		printf("%s: no errors", path);
	if (warnings > 0)
		printf(", %zu warning%s", warnings, plural(warnings));
	putchar('\n');
}

/* ---- check: as JSON ---- */

static json_t *problem_json(const struct config_problem *problem)
{
	json_t *object = json_pack("{s:o}", "file", cli_json_text(span_from_string(problem->file)));
	if (problem->line > 0) {
		json_object_set_new(object, "line", json_integer(problem->line));
		json_object_set_new(object, "column", json_integer(problem->column));
	}
	json_object_set_new(object, "text", cli_json_text(span_from_string(problem->text)));
	return object;
}

/* "error: text", or "place: error: text". False when the line is of another level. */
static bool split_line(
    struct span line, const char *level, struct span *place_out, struct span *text_out)
{
	char mark[16];
	snprintf(mark, sizeof(mark), "%s: ", level);
	size_t len = strlen(mark);
	*place_out = span_of("", 0);
	if (!span_starts_with(line, span_from_string(mark))) {
		snprintf(mark, sizeof(mark), ": %s: ", level);
		size_t at = span_find_span(line, span_from_string(mark));
		if (at == line.len)
			return false;
		*place_out = span_head(line, at);
		len = at + strlen(mark);
	}
	*text_out = span_skip(line, len);
	return true;
}

static size_t count_lines(struct span problems, const char *level)
{
	struct span line, place, text;
	size_t count = 0;
	while (span_take_until(&problems, '\n', &line))
		count += split_line(line, level, &place, &text);
	return count;
}

static json_t *level_json(const struct config_report *report, struct span problems, bool warnings)
{
	json_t *list = json_array();
	struct span line, place, text;
	for (size_t i = 0; i < report->count; i++) {
		if (report->problems[i].warning == warnings)
			json_array_append_new(list, problem_json(&report->problems[i]));
	}
	while (span_take_until(&problems, '\n', &line)) {
		if (!split_line(line, warnings ? "warning" : "error", &place, &text))
			continue;
		json_t *object = json_pack("{s:o}", "text", cli_json_text(text));
		if (place.len > 0)
			json_object_set_new(object, "place", cli_json_text(place));
		json_array_append_new(list, object);
	}
	return list;
}

/* ---- check ---- */

/* Loads what the configuration names, too: what would stop the relay at its start is found here. */
static bool load_all(const char *path, struct config_report *report, struct buf *problems)
{
	const struct config *config = cli_read_config(path, report);
	if (config == NULL)
		return false;
	const struct setup *setup = setup_check(config, problems);
	if (setup == NULL) {
		config_unref(&config);
		return false;
	}
	setup_unref(&setup);
	return true;
}

static int report_check(const struct task *task, const char *path,
    const struct config_report *report, struct span problems, int status)
{
	size_t errors = report->error_count + count_lines(problems, "error");
	size_t warnings = report->warning_count + count_lines(problems, "warning");
	if (task->json)
		return cli_json_print(
		    json_pack("{s:o, s:o}", "errors", level_json(report, problems, false),
			"warnings", level_json(report, problems, true)),
		    status);
	print_problems(report, problems);
	print_sum(path, errors, warnings);
	return cli_finish(status);
}

static int check(const struct task *task)
{
	char *path = cli_find_config(task->path);
	if (path == NULL)
		return CLI_EXIT_USAGE;
	struct config_report *report = MEM_NEW(struct config_report);
	struct buf problems;
	config_report_init(report);
	buf_init(&problems, TEXT_MAX);
	bool good = load_all(path, report, &problems);
	int status = report_check(
	    task, path, report, buf_span(&problems), good ? CLI_EXIT_DONE : CLI_EXIT_USAGE);
	buf_fini(&problems);
	config_report_fini(report);
	mem_free(report);
	mem_free(path);
	return status;
}

/* ---- show ---- */

static int show(const struct task *task)
{
	if (task->json)
		return cli_usage("config", "--json is for check; show prints a configuration file");
	const struct config *config = cli_load_config(task->path);
	if (config == NULL)
		return CLI_EXIT_USAGE;
	struct buf text;
	buf_init(&text, TEXT_MAX);
	bool whole = config_show(config, &text);
	fwrite(buf_string(&text), 1, text.len, stdout);
	buf_fini(&text);
	config_unref(&config);
	if (whole)
		return cli_finish(CLI_EXIT_DONE);
	cli_complain("the configuration is too long to be shown whole");
	return CLI_EXIT_LOCAL;
}

static int run(int argc, char **argv)
{
	struct task task = { 0 };
	int status = CLI_EXIT_DONE;
	int operands = cli_read_options(&cli_config_command, argc, argv, &task, &status);
	if (operands < 0)
		return status;
	if (operands == 0)
		return cli_usage("config", "check or show?");
	if (operands > 1)
		return cli_usage("config", "one of check and show; -c FILE names the file");
	if (strcmp(argv[1], "check") == 0)
		return check(&task);
	if (strcmp(argv[1], "show") == 0)
		return show(&task);
	return cli_usage("config", "%s is none of check, show", argv[1]);
}

const struct cli_command cli_config_command = {
	.name = "config",
	.synopsis = "check|show [-c FILE] [--json]",
	.summary = "the configuration: what is wrong with it, or all its values",
	.about = "  check    every error and warning in one run, also in the files that it names:\n"
		 "           certificate, key, users, secrets; exit status 0 or 2\n"
		 "  show     every value, and the line where it comes from\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
