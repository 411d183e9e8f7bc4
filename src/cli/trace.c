/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/memory.h"
#include "cli/dialogue.h"
#include "cli/relay.h"
#include "cli/screen.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define KNOWN_MAX 1024 /* dialogues whose heads are remembered */
#define TEXT_KNOWN_MAX 160

/* What was said of a dialogue last: it is said again when it changes. */
struct known {
	uint64_t number;
	bool client;
	char peer[TEXT_KNOWN_MAX], login[TEXT_KNOWN_MAX], message[TEXT_KNOWN_MAX];
};

struct task {
	const char *config, *socket;
	const char *client, *login, *hop, *message;
	bool follow, json, colour;
	struct known known[KNOWN_MAX];
};

static const struct cli_option options[] = {
	{ "follow", 'f', CLI_OPTION_FLAG, NULL, offsetof(struct task, follow),
	    "as they happen, until Ctrl-C" },
	{ "client", 0, CLI_OPTION_TEXT, "NETWORK", offsetof(struct task, client),
	    "only clients of this address or network" },
	{ "login", 0, CLI_OPTION_TEXT, "LOGIN", offsetof(struct task, login),
	    "only sessions under this login" },
	{ "hop", 0, CLI_OPTION_TEXT, "HOP", offsetof(struct task, hop),
	    "only next hops with this in their name" },
	{ "message", 0, CLI_OPTION_TEXT, "ID", offsetof(struct task, message),
	    "only this message, on its way in and out" },
	CLI_OPTION_CONFIG(struct task, config),
	CLI_OPTION_SOCKET(struct task, socket),
	{ "json", 0, CLI_OPTION_FLAG, NULL, offsetof(struct task, json),
	    "each line as a JSON object" },
};

/* ---- for people ---- */

static struct known *known_of(struct task *task, const json_t *line)
{
	uint64_t number = cli_json_number(line, "dialogue");
	bool client = span_equal(cli_json_get(line, "role"), SPAN("client"));
	struct known *known = &task->known[(number * 2 + client) % KNOWN_MAX];
	if (known->number != number || known->client != client)
		*known = (struct known){ .number = number, .client = client };
	return known;
}

static void print_front(const struct known *known, const json_t *line)
{
	struct span time = cli_json_get(line, "time");
	if (time.len > 12) /* the day is known */
		time = span_head(span_skip(time, 11), time.len - 12);
	cli_screen_put(stdout, time, 0);
	printf(" %s%-4llu ", known->client ? "out-" : "in-", (unsigned long long)known->number);
}

static bool is_news(char before[TEXT_KNOWN_MAX], struct span now)
{
	if (now.len >= TEXT_KNOWN_MAX)
		now.len = TEXT_KNOWN_MAX - 1;
	if (now.len == 0 || span_equal(span_from_string(before), now))
		return false;
	memcpy(before, now.data, now.len);
	before[now.len] = '\0';
	return true;
}

static void print_news(const struct task *task, const struct known *known, const json_t *line,
    const char *what, struct span text)
{
	print_front(known, line);
	fputs(task->colour ? "\033[2m=== " : "=== ", stdout);
	fputs(what, stdout);
	cli_screen_put(stdout, text, 0);
	fputs(task->colour ? "\033[0m\n" : "\n", stdout);
}

static void print_heads(struct task *task, struct known *known, const json_t *line)
{
	struct span peer = cli_json_get(line, "peer"), hop = cli_json_get(line, "hop"),
		    login = cli_json_get(line, "login"), message = cli_json_get(line, "message");
	if (is_news(known->peer, peer.len > 0 ? peer : hop)) {
		print_news(task, known, line, known->client ? "next hop " : "client ",
		    hop.len > 0 ? hop : peer);
		if (hop.len > 0 && peer.len > 0)
			print_news(task, known, line, "at ", peer);
	}
	if (is_news(known->login, login))
		print_news(task, known, line, "login ", login);
	if (is_news(known->message, message))
		print_news(task, known, line, "message ", message);
}

/* Sent, received, error, note: as `send` has them. */
static const char *colour_of(struct span mark)
{
	if (span_equal(mark, SPAN("===")))
		return "\033[2m";
	if (span_find(mark, '*') < mark.len)
		return "\033[31m";
	return span_find(mark, '>') < mark.len ? "\033[36m" : "\033[32m";
}

static void print_line(struct task *task, const json_t *line)
{
	struct known *known = known_of(task, line);
	struct span mark = cli_json_get(line, "mark");
	print_heads(task, known, line);
	print_front(known, line);
	if (task->colour)
		fputs(colour_of(mark), stdout);
	printf(span_ends_with_nocase(mark, SPAN(">")) ? "%3.*s " : "%-3.*s ", SPAN_ARG(mark));
	/* It is escaped already. */
	fwrite(cli_json_get(line, "text").data, 1, cli_json_get(line, "text").len, stdout);
	fputs(task->colour ? "\033[0m\n" : "\n", stdout);
}

/* ---- asking ---- */

static bool on_line(void *context, const json_t *object)
{
	struct task *task = context;
	json_t *line = json_object_get(object, "line");
	if (line == NULL)
		return true;
	if (task->json) {
		json_dumpf(line, stdout, JSON_COMPACT);
		fputc('\n', stdout);
	} else {
		print_line(task, line);
	}
	return fflush(stdout) == 0; /* whoever reads may leave at any time */
}

/* Every line is out already. */
static void on_interrupt(int number)
{
	(void)number;
	_exit(CLI_EXIT_DONE);
}

static void set(json_t *request, const char *key, const char *value)
{
	if (value != NULL)
		json_object_set_new(request, key, cli_json_text(span_from_string(value)));
}

static int ask(struct task *task)
{
	struct cli_relay relay;
	json_t *request = json_pack("{s:s}", "command", "trace");
	if (!cli_relay_find(&relay, task->config, task->socket)) {
		json_decref(request);
		return CLI_EXIT_USAGE;
	}
	set(request, "client", task->client);
	set(request, "login", task->login);
	set(request, "hop", task->hop);
	set(request, "message", task->message);
	task->colour = cli_colour_wanted(stdout);
	signal(SIGINT, on_interrupt);
	int status = cli_relay_tell(&relay, request, 0, on_line, task);
	cli_relay_fini(&relay);
	return status;
}

static int run(int argc, char **argv)
{
	struct task *task = MEM_NEW(struct task);
	int status = CLI_EXIT_DONE;
	int operands = cli_read_options(&cli_trace_command, argc, argv, task, &status);
	if (operands > 0)
		status = cli_usage("trace", "unexpected argument: %s", argv[1]);
	else if (operands == 0 && !task->follow)
		status = cli_usage("trace", "--follow is all it does: dialogues are not kept in "
					    "this version");
	else if (operands == 0)
		status = ask(task);
	mem_free(task);
	return status;
}

const struct cli_command cli_trace_command = {
	.name = "trace",
	.synopsis = "--follow [OPTION …]",
	.summary = "the dialogues of the running relay, as they happen",
	.about = "Both directions, above TLS, without secrets. All that is given must fit; lines\n"
		 "from before a login or a message was known are shown as soon as it is.\n"
		 "in-N is a client's session, out-N a connection to a next hop.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
