/* SPDX-License-Identifier: MIT */
#include "cli/route.h"

#include "base/memory.h"
#include "cli/cli.h"
#include "cli/relay.h"
#include "config/near.h"
#include "relay/rewrite.h"
#include "smtp/address.h"
#include "smtp/domain.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = {
	{ "from", 0, CLI_OPTION_TEXT, "ADDRESS", offsetof(struct route_task, from),
	    "the sender; \"\" or <> is the null reverse-path" },
	{ "to", 0, CLI_OPTION_TEXT, "ADDRESS", offsetof(struct route_task, to), "the recipient" },
	{ "login", 0, CLI_OPTION_TEXT, "NAME", offsetof(struct route_task, login),
	    "who has signed in; default: nobody" },
	{ "client", 0, CLI_OPTION_TEXT, "ADDRESS", offsetof(struct route_task, client),
	    "the client's address; default: none" },
	{ "listener", 0, CLI_OPTION_TEXT, "LABEL", offsetof(struct route_task, listener),
	    "the listener it came to; default: none" },
	{ "connect", 0, CLI_OPTION_FLAG, NULL, offsetof(struct route_task, connect),
	    "sign in at the next hop, show the dialogue, and leave\nbefore a message is begun" },
	CLI_OPTION_CONFIG(struct route_task, config_path),
	CLI_OPTION_SOCKET(struct route_task, socket),
	CLI_OPTION_JSON(struct route_task, json),
};

/* Whether the relay would take mail for elsewhere from this client; NULL: not asked. */
static const char *relaying_words(
    const struct route_task *task, const struct config_listener *listener)
{
	if (task->login != NULL)
		return "yes, for a client that has signed in";
	if (listener == NULL)
		return NULL;
	if (task->question.client != NULL && config_networks_contain(listener->relay_from,
						 listener->relay_from_count, task->question.client))
		return "yes, for the client's network (relay-from)";
	return "no: the client has not signed in, and relay-from does not name its network";
}

static const struct config_listener *find_listener(const struct config *config, const char *label)
{
	for (size_t i = 0; label != NULL && i < config->listener_count; i++) {
		if (strcmp(config->listeners[i].label, label) == 0)
			return &config->listeners[i];
	}
	return NULL;
}

static const struct config_alias *find_alias(const struct config_domain *domain, struct span local)
{
	for (size_t i = 0; i < domain->alias_count; i++) {
		if (span_equal_nocase(span_from_string(domain->aliases[i].name), local))
			return &domain->aliases[i];
	}
	return NULL;
}

/* ---- the command line ---- */

static int say_no_listener(const struct route_task *task)
{
	unsigned best = CONFIG_NEAR_NOT;
	const char *near = NULL;
	for (size_t i = 0; i < task->config->listener_count; i++) {
		const char *label = task->config->listeners[i].label;
		if (config_near_keep(span_from_string(task->listener), label, &best))
			near = label;
	}
	if (near != NULL)
		return cli_usage(
		    "route", "there is no listener %s; did you mean %s?", task->listener, near);
	return cli_usage("route", "there is no listener %s", task->listener);
}

/* An address as the command line has it: with or without brackets. */
static bool read_address(
    const char *name, const char *text, bool may_be_null, struct span *address_out)
{
	struct span bytes = span_from_string(text);
	struct smtp_address address;
	if (bytes.len >= 2 && bytes.data[0] == '<' && bytes.data[bytes.len - 1] == '>')
		bytes = span_of(bytes.data + 1, bytes.len - 2);
	if (bytes.len == 0 && may_be_null) {
		*address_out = bytes;
		return true;
	}
	enum smtp_address_flaw flaw = smtp_address_parse_utf8(bytes, &address);
	if (flaw != SMTP_ADDRESS_VALID) {
		cli_usage("route", "%s: the address %s", name, smtp_address_flaw_text(flaw));
		return false;
	}
	*address_out = address.mailbox;
	return true;
}

/* Exit status, or -1. */
static int check_task(struct route_task *task)
{
	if (task->from == NULL || task->to == NULL)
		return cli_usage("route", "test wants --from and --to");
	if (!read_address("--from", task->from, true, &task->question.sender) ||
	    !read_address("--to", task->to, false, &task->question.recipient))
		return CLI_EXIT_USAGE;
	task->question.login = span_from_string(task->login);
	task->question.listener = task->listener;
	if (task->client == NULL)
		return -1;
	if (!net_address_parse(span_from_string(task->client), 0, &task->address))
		return cli_usage("route", "--client wants an address, as in 192.0.2.1, not \"%s\"",
		    task->client);
	task->question.client = (const struct sockaddr_storage *)&task->address.any;
	return -1;
}

/* The relay completes bare names of submitted mail. */
static void complete_recipient(struct route_task *task)
{
	struct span local, domain, *recipient = &task->question.recipient;
	const char *own = task->config->default_domain;
	if (own == NULL || config_address_split(*recipient, &local, &domain))
		return;
	buf_printf(&task->completed, "%.*s@%s", SPAN_ARG(local), own);
	*recipient = buf_span(&task->completed);
}

/* ---- the question ---- */

/* The configuration has domains in ASCII, an address may have them as they are written. */
static struct config_question comparable(struct route_task *task)
{
	struct config_question question = task->question;
	if (smtp_mailbox_append_comparable(&task->sender, question.sender))
		question.sender = buf_span(&task->sender);
	if (smtp_mailbox_append_comparable(&task->recipient, question.recipient))
		question.recipient = buf_span(&task->recipient);
	return question;
}

static void find_answer(struct route_task *task)
{
	const struct config *config = task->config;
	struct config_question question = comparable(task);
	struct span local, name;
	size_t index;
	config_address_split(question.recipient, &local, &name);
	task->domain = config_domain_find(config, name);
	if (task->domain != NULL) {
		task->alias = find_alias(task->domain, local);
		return;
	}
	index = config_route_find(config, &question, &task->why);
	if (index != CONFIG_NO_ROUTE) {
		task->route = &config->routes[index];
		task->alias = rewrite_find_alias(config, task->route, question.recipient);
	}
	task->relaying = relaying_words(task, find_listener(config, task->listener));
}

static bool leads_on(const struct route_task *task)
{
	return task->domain != NULL || (task->route != NULL && task->route->via_count > 0);
}

bool route_has_session(const struct route_task *task)
{
	if (task->domain != NULL)
		return task->alias == NULL && config_via_is_session(&task->domain->deliver);
	return task->route != NULL && task->route->via_count > 0 &&
	       config_via_is_session(&task->route->vias[0]);
}

/* ... of a route: of a domain nothing more is asked. */
static bool has_session(const struct route_task *task)
{
	return task->route != NULL && route_has_session(task);
}

static int connect_to(struct route_task *task, json_t *object)
{
	if (has_session(task))
		return route_connect(task, object);
	cli_complain("--connect: there is no server on this way to sign in at");
	return CLI_EXIT_FOUND;
}

static int answer(struct route_task *task)
{
	int status;
	find_answer(task);
	status = leads_on(task) ? CLI_EXIT_DONE : CLI_EXIT_FOUND;
	if (has_session(task))
		route_ask_learned(task);
	if (task->json) {
		json_t *object = route_json(task);
		if (task->connect && status == CLI_EXIT_DONE)
			status = connect_to(task, object);
		status = cli_json_print(object, status);
	} else {
		route_print(task);
		fflush(stdout);
		if (task->connect && status == CLI_EXIT_DONE)
			status = connect_to(task, NULL);
		status = cli_finish(status);
	}
	json_decref(task->learned);
	return status;
}

static int test(struct route_task *task)
{
	int status = check_task(task);
	if (status >= 0)
		return status;
	task->config = cli_load_config(task->config_path);
	if (task->config == NULL)
		return CLI_EXIT_USAGE;
	buf_init(&task->why, ROUTE_TEXT_MAX);
	buf_init(&task->completed, 1024);
	buf_init(&task->sender, ROUTE_TEXT_MAX);
	buf_init(&task->recipient, ROUTE_TEXT_MAX);
	complete_recipient(task);
	if (task->listener != NULL && find_listener(task->config, task->listener) == NULL)
		status = say_no_listener(task);
	else
		status = answer(task);
	buf_fini(&task->why);
	buf_fini(&task->completed);
	buf_fini(&task->sender);
	buf_fini(&task->recipient);
	config_unref(&task->config);
	return status;
}

static int run(int argc, char **argv)
{
	struct route_task task = { 0 };
	int status = CLI_EXIT_DONE;
	int operands = cli_read_options(&cli_route_command, argc, argv, &task, &status);
	if (operands < 0)
		return status;
	if (operands != 1 || strcmp(argv[1], "test") != 0)
		return cli_usage("route", operands == 0 ? "test?"
							: "test is all it does: frank "
							  "route test --from A --to B");
	return test(&task);
}

const struct cli_command cli_route_command = {
	.name = "route",
	.synopsis = "test --from ADDRESS --to ADDRESS [OPTION …]",
	.summary = "which way a message would take, and why",
	.about = "Reads the configuration: route or domain, next hop, account, mechanisms, TLS,\n"
		 "rewriting, with the lines they come from; and what a relay that runs has\n"
		 "learned of the hop. Exit status 1: no route fits, or the one that does\n"
		 "refuses; with --connect also: the hop does not let us in; 3: it could not be\n"
		 "tried.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
