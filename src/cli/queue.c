/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/memory.h"
#include "base/moment.h"
#include "cli/queue_print.h"
#include "cli/relay.h"
#include "cli/screen.h"
#include "relay/queue_work.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct task {
	const char *config, *socket;
	const char *hop, *from, *to, *older;
	struct cli_option_list states;
	bool all, dry_run, json;
	const char *verb;
	struct cli_relay relay;
};

static const struct cli_option options[] = {
	{ "all", 0, CLI_OPTION_FLAG, NULL, offsetof(struct task, all),
	    "every message that the options below let through" },
	{ "hop", 0, CLI_OPTION_TEXT, "HOP", offsetof(struct task, hop),
	    "its next hop has this in its name; * stands for\nany run of characters" },
	{ "from", 0, CLI_OPTION_TEXT, "PATTERN", offsetof(struct task, from),
	    "its sender: an address, @domain, or with *;\n<> is the empty one of bounces" },
	{ "to", 0, CLI_OPTION_TEXT, "PATTERN", offsetof(struct task, to),
	    "one of its recipients: likewise" },
	{ "older", 0, CLI_OPTION_TEXT, "TIME", offsetof(struct task, older),
	    "it came longer ago than that: 30m, 12h, 5d" },
	{ "state", 0, CLI_OPTION_LIST, "STATE", offsetof(struct task, states),
	    "active, deferred, held, broken, done, bounced,\ndropped; may be given again. The last "
	    "three are\nhistory, which list leaves out otherwise" },
	{ "dry-run", 'n', CLI_OPTION_FLAG, NULL, offsetof(struct task, dry_run),
	    "only say how many would be changed" },
	CLI_OPTION_CONFIG(struct task, config),
	CLI_OPTION_SOCKET(struct task, socket),
	CLI_OPTION_JSON(struct task, json),
};

/* ---- the request ---- */

/* A name without a star is part of a hop's key, and all of an address unless it begins with "@". */
static void set_pattern(json_t *request, const char *key, const char *text, bool part)
{
	if (text == NULL)
		return;
	if (strcmp(text, "<>") == 0)
		text = "";
	bool star = strchr(text, '*') != NULL;
	json_t *value = star             ? json_string(text)
			: part           ? json_sprintf("*%s*", text)
			: text[0] == '@' ? json_sprintf("*%s", text)
					 : json_string(text);
	json_object_set_new(request, key, value);
}

static void set_ids(json_t *request, char **ids, int count)
{
	if (count == 0)
		return;
	json_t *array = json_array();
	for (int i = 0; i < count; i++)
		json_array_append_new(array, cli_json_text(span_from_string(ids[i])));
	json_object_set_new(request, "ids", array);
}

/* Exit status, or -1. */
static int set_options(const struct task *task, json_t *request)
{
	int64_t older_s;
	set_pattern(request, "hop", task->hop, true);
	set_pattern(request, "from", task->from, false);
	set_pattern(request, "to", task->to, false);
	if (task->all)
		json_object_set_new(request, "all", json_true());
	if (task->dry_run)
		json_object_set_new(request, "dry_run", json_true());
	if (task->states.count > 0) {
		json_t *array = json_array();
		for (size_t i = 0; i < task->states.count; i++)
			json_array_append_new(
			    array, cli_json_text(span_from_string(task->states.items[i])));
		json_object_set_new(request, "states", array);
	}
	if (task->older == NULL)
		return -1;
	if (!cli_duration_parse(span_from_string(task->older), &older_s))
		return cli_usage(
		    "queue", "--older wants a time as in 30m, 12h or 5d, not \"%s\"", task->older);
	json_object_set_new(request, "older", json_integer(older_s));
	return -1;
}

/* ---- without a relay ---- */

/* What root makes in the spool would not be the relay's, which runs as the spool's owner. */
static bool become_owner(const char *path)
{
	struct stat status;
	if (geteuid() != 0 || stat(path, &status) != 0 || status.st_uid == 0)
		return true;
	if (setgroups(0, NULL) == 0 && setgid(status.st_gid) == 0 && setuid(status.st_uid) == 0)
		return true;
	cli_complain("cannot become the owner of %s: %s", path, strerror(errno));
	return false;
}

static struct spool_store *open_spool(const struct config *config)
{
	struct spool_settings settings = {
		.min_free_bytes = config->spool.min_free_bytes,
		.history_ms = config->spool.history_ms,
	};
	struct fault fault;
	if (!become_owner(config->spool.path))
		return NULL;
	struct spool_store *store = spool_store_open(config->spool.path, &settings, &fault);
	if (store == NULL)
		cli_complain("%s", fault.text);
	return store;
}

/* Prints the lines that a step has left. */
static bool take_lines(struct queue_work *work, struct queue_printer *printer)
{
	struct span text = buf_span(&work->lines), line;
	bool go_on = true;
	while (go_on && span_take_until(&text, '\n', &line)) {
		json_t *object = json_loadb(line.data, line.len, JSON_ALLOW_NUL, NULL);
		go_on = queue_print_line(printer, object);
		json_decref(object);
	}
	buf_clear(&work->lines);
	return go_on;
}

static int work_directly(
    struct spool_store *store, struct queue_work *work, struct queue_printer *printer)
{
	struct fault fault;
	while (!work->finished) {
		if (!queue_work_step(work, store, moment_wall_ms(), &fault)) {
			cli_complain("%s", fault.text);
			return CLI_EXIT_LOCAL;
		}
		if (!take_lines(work, printer))
			return CLI_EXIT_LOCAL;
	}
	int status = queue_work_finish(work);
	take_lines(work, printer);
	return status;
}

static int run_directly(const struct task *task, const json_t *request,
    struct queue_printer *printer, const struct fault *nobody)
{
	struct fault fault;
	struct queue_work *work = queue_work_create(task->verb, request, &fault);
	if (work == NULL)
		return cli_usage("queue", "%s", fault.text);
	int status = CLI_EXIT_LOCAL;
	if (task->relay.config == NULL) {
		cli_complain("%s", nobody->text);
		cli_complain("and the spool cannot be looked at: %s",
		    task->relay.config_path == NULL
			? "-c FILE would name it"
			: "the configuration has errors, see frank config check");
	} else {
		struct spool_store *store = open_spool(task->relay.config);
		if (store != NULL)
			status = work_directly(store, work, printer);
		spool_store_close(&store);
	}
	queue_work_destroy(&work);
	return status;
}

/* ---- the command ---- */

static int ask(struct task *task, json_t *request)
{
	struct queue_printer printer = {
		.json = task->json,
		.dry_run = task->dry_run,
		.relay = true,
		.detailed = strcmp(task->verb, "show") == 0,
		.width = cli_screen_width(),
		.now_ms = moment_wall_ms(),
	};
	bool lists = printer.detailed || strcmp(task->verb, "list") == 0;
	struct fault why;
	int status = cli_relay_ask(&task->relay, json_incref(request), CLI_RELAY_QUIET_MS,
	    queue_print_line, &printer, &why);
	if (status == CLI_RELAY_NOBODY) {
		printer.relay = false;
		status = run_directly(task, request, &printer, &why);
	}
	if (status <= CLI_EXIT_FOUND || printer.begun)
		queue_print_end(&printer, lists);
	return status == CLI_EXIT_DONE || status == CLI_EXIT_FOUND ? cli_finish(status) : status;
}

static int run_task(struct task *task, char **ids, int id_count)
{
	json_t *request = json_object();
	set_ids(request, ids, id_count);
	json_object_set_new(request, "command", json_sprintf("queue %s", task->verb));
	int status = set_options(task, request);
	struct fault fault;
	struct queue_work *work = NULL;
	/* What is wrong with the request is better said before anything is tried. */
	if (status < 0) {
		work = queue_work_create(task->verb, request, &fault);
		if (work == NULL)
			status = cli_usage("queue", "%s", fault.text);
	}
	queue_work_destroy(&work);
	if (status < 0)
		status = cli_relay_find(&task->relay, task->config, task->socket)
			     ? ask(task, request)
			     : CLI_EXIT_USAGE;
	json_decref(request);
	cli_relay_fini(&task->relay);
	return status;
}

static bool is_verb(const char *word)
{
	static const char *const verbs[] = {
		"list",
		"show",
		"retry",
		"hold",
		"release",
		"drop",
		"run",
	};
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(word, verbs[i]) == 0)
			return true;
	}
	return false;
}

static int check(const struct task *task, int ids)
{
	if (ids > 0 && task->all)
		return cli_usage("queue", "ids and --all: which of the two?");
	if (ids > 0 && strcmp(task->verb, "run") == 0)
		return cli_usage("queue", "run takes no ids: it tries everything; see retry");
	return -1;
}

static int run(int argc, char **argv)
{
	struct task task = { 0 };
	int status = CLI_EXIT_DONE;
	int operands = cli_read_options(&cli_queue_command, argc, argv, &task, &status);
	if (operands == 0)
		status = cli_usage("queue", "list, show, retry, hold, release, drop or run?");
	else if (operands > 0 && !is_verb(argv[1]))
		status = cli_usage("queue",
		    "%s is not one of list, show, retry, hold, release, "
		    "drop and run",
		    argv[1]);
	else if (operands > 0) {
		task.verb = argv[1];
		status = check(&task, operands - 1);
		if (status < 0)
			status = run_task(&task, argv + 2, operands - 1);
	}
	cli_option_list_fini(&task.states);
	return status;
}

const struct cli_command cli_queue_command = {
	.name = "queue",
	.synopsis = "VERB [ID …] [OPTION …]",
	.summary = "what waits, what became of it, and changes to it",
	.about = "  list             messages in the queue, with the reason why they are there\n"
		 "  show ID …        everything about a message, also after delivery\n"
		 "  retry            due now; pauses of the next hops concerned end\n"
		 "  hold             keep it until released\n"
		 "  release          what is held waits for delivery again, due now\n"
		 "  drop             remove it, undelivered and without a bounce\n"
		 "  run              try everything now\n"
		 "\n"
		 "Changes want ids or options that say which. Works on the spool itself when no\n"
		 "relay runs. Exit status 1: an id is not known.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
