/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/memory.h"
#include "config/match.h"
#include "config/near.h"
#include "net/address.h"
#include "sasl/client.h"
#include "smtp/address.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 1024 * 1024 };

struct task {
	const char *from, *to, *login, *client, *listener;
	const char *config_path;
	bool json;

	const struct config *config;
	struct config_question question;
	struct net_address address; /* of the client */
	struct buf why, completed;
};

static const struct cli_option options[] = {
	{ "from", 0, CLI_OPTION_TEXT, "ADDRESS", offsetof(struct task, from),
	    "the sender; \"\" or <> is the null reverse-path" },
	{ "to", 0, CLI_OPTION_TEXT, "ADDRESS", offsetof(struct task, to), "the recipient" },
	{ "login", 0, CLI_OPTION_TEXT, "NAME", offsetof(struct task, login),
	    "who has signed in; default: nobody" },
	{ "client", 0, CLI_OPTION_TEXT, "ADDRESS", offsetof(struct task, client),
	    "the client's address; default: none" },
	{ "listener", 0, CLI_OPTION_TEXT, "LABEL", offsetof(struct task, listener),
	    "the listener it came to; default: none" },
	CLI_OPTION_CONFIG(struct task, config_path),
	CLI_OPTION_JSON(struct task, json),
};

/* ---- the answer, word by word ---- */

static const char *initial_response_name(enum config_initial_response way)
{
	switch (way) {
	case CONFIG_INITIAL_RESPONSE_AUTO:
		return "auto";
	case CONFIG_INITIAL_RESPONSE_YES:
		return "yes";
	case CONFIG_INITIAL_RESPONSE_NO:
		return "no";
	}
	return "auto";
}

static const char *tls_words(const struct config_route *route, const struct config_via *via)
{
	bool account = route != NULL && route->account != NULL;
	if (via->path != NULL)
		return "none: a unix socket";
	if (via->scheme == CONFIG_SCHEME_SMTPS)
		return "from the first byte";
	if (via->scheme == CONFIG_SCHEME_SUBMISSION)
		return "STARTTLS, required";
	if (account && !route->cleartext_auth)
		return "STARTTLS, required by the account";
	return account ? "STARTTLS where offered; the login goes in clear where not "
			 "(cleartext-auth yes)"
		       : "STARTTLS where offered";
}

static void describe_tls(
    const struct config_route *route, const struct config_via *via, struct buf *out)
{
	buf_append_string(out, tls_words(route, via));
	if (via->path != NULL)
		return;
	if (route != NULL && !route->tls_verify) {
		buf_append_string(out, "; the certificate is not verified (tls-verify no)");
		return;
	}
	buf_printf(out, "; the certificate must be for %s, trusted by %s",
	    route != NULL && route->tls_name != NULL ? route->tls_name : via->host,
	    route != NULL && route->tls_trust != NULL ? route->tls_trust : "the system");
}

/* "PLAIN, then LOGIN": the strongest first (sasl/ladder.h). */
static void describe_mechanisms(struct buf *out)
{
	for (int i = SASL_MECHANISM_COUNT; i-- > 0;)
		buf_printf(out, "%s%s", sasl_mechanism_name((enum sasl_mechanism)i),
		    i > 0 ? ", then " : "");
}

static void describe_initial(enum config_initial_response way, struct buf *out)
{
	buf_append_string(out, initial_response_name(way));
	if (way == CONFIG_INITIAL_RESPONSE_YES)
		buf_append_string(out, ": with one; without where the hop does not take it");
	else if (way == CONFIG_INITIAL_RESPONSE_NO)
		buf_append_string(out, ": without one; with one where the hop wants it");
	for (int i = SASL_MECHANISM_COUNT; way == CONFIG_INITIAL_RESPONSE_AUTO && i-- > 0;) {
		enum sasl_mechanism mechanism = (enum sasl_mechanism)i;
		buf_printf(out, "%s %s %s", i == SASL_MECHANISM_COUNT - 1 ? ":" : ",",
		    sasl_mechanism_name(mechanism),
		    sasl_client_prefers_initial(mechanism) ? "with one" : "without");
	}
}

static void describe_patterns(const struct config_pattern *patterns, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s%s", i > 0 ? " " : "", patterns[i].text);
}

/* Whether the relay would take mail for elsewhere from this client; NULL: not asked. */
static const char *relaying_words(const struct task *task, const struct config_listener *listener)
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

/* ---- as text ---- */

static void row(const char *name, struct buf *value)
{
	printf("%-18s%s\n", name, buf_string(value));
	buf_clear(value);
}

static void origin_row(const char *name, struct buf *value, struct config_origin origin)
{
	char text[CONFIG_ORIGIN_TEXT_MAX];
	buf_printf(value, " (%s)", config_origin_format(origin, text));
	row(name, value);
}

static void print_session(
    const struct config_route *route, const struct config_via *via, struct buf *value)
{
	describe_tls(route, via, value);
	row("TLS", value);
	if (route == NULL || route->account == NULL) {
		buf_append_string(value, "none");
		row("account", value);
		return;
	}
	const struct config_account *account = route->account;
	buf_printf(value, "%s%s%s%s", account->label != NULL ? account->label : "",
	    account->label != NULL ? ", " : "", "login ", account->login);
	origin_row("account", value, account->origin);
	describe_mechanisms(value);
	buf_append_string(value, ": the strongest that the hop offers");
	row("mechanisms", value);
	describe_initial(route->initial_response, value);
	row("initial response", value);
}

static void print_vias(const struct config_route *route, struct buf *value)
{
	for (size_t i = 0; i < route->via_count; i++) {
		buf_append_string(value, route->vias[i].text);
		origin_row(i == 0 ? "hop" : "then", value, route->vias[i].origin);
	}
}

static void print_route(const struct config_route *route, struct buf *value)
{
	describe_patterns(route->patterns, route->pattern_count, value);
	origin_row("route", value, route->origin);
	if (route->via_count == 0) {
		buf_printf(value, "%u %s%s%s", route->refuse.code,
		    route->refuse.enhanced != NULL ? route->refuse.enhanced : "",
		    route->refuse.enhanced != NULL ? " " : "", route->refuse.text);
		row("refuse", value);
		return;
	}
	print_vias(route, value);
	if (!config_via_is_session(&route->vias[0]))
		return;
	buf_append_string(value, route->ehlo);
	row("EHLO name", value);
	print_session(route, &route->vias[0], value);
}

static const char *recipients_words(const struct config_domain *domain)
{
	switch (domain->recipients) {
	case CONFIG_RECIPIENTS_USERS:
		return "those in the users file";
	case CONFIG_RECIPIENTS_ANY:
		return "any";
	case CONFIG_RECIPIENTS_FILE:
		return domain->recipients_file;
	}
	return "";
}

static const struct config_alias *find_alias(const struct config_domain *domain, struct span local)
{
	for (size_t i = 0; i < domain->alias_count; i++) {
		if (span_equal_nocase(span_from_string(domain->aliases[i].name), local))
			return &domain->aliases[i];
	}
	return NULL;
}

static void print_alias(const struct config_alias *alias, struct buf *value)
{
	buf_printf(value, "%s:", alias->name);
	for (size_t i = 0; i < alias->address_count; i++)
		buf_printf(value, " %s", alias->addresses[i]);
	origin_row("alias", value, alias->origin);
	printf("Each of these addresses is then routed by itself: ask again with it.\n");
}

static void print_domain(
    const struct config_domain *domain, const struct config_alias *alias, struct buf *value)
{
	describe_patterns(domain->patterns, domain->pattern_count, value);
	origin_row("domain", value, domain->origin);
	if (alias != NULL) {
		print_alias(alias, value);
		return;
	}
	buf_append_string(value, recipients_words(domain));
	row("recipients", value);
	buf_append_string(value, domain->deliver.text);
	origin_row("hop", value, domain->deliver.origin);
	if (config_via_is_session(&domain->deliver))
		print_session(NULL, &domain->deliver, value);
}

static void print_why(
    struct task *task, const struct config_domain *domain, const struct config_route *route)
{
	struct span lines = buf_span(&task->why), line;
	if (domain != NULL)
		puts("why               the recipient's domain is taken here, from anyone; "
		     "routes are not asked");
	else if (task->config->route_count == 0)
		puts("why               there is no route in the configuration");
	for (bool first = true; span_take_until(&lines, '\n', &line); first = false)
		printf("%-18s%.*s\n", first ? "why" : "", SPAN_ARG(line));
	if (domain == NULL && route == NULL)
		puts("No route fits: the message would wait for a configuration that has one.");
}

/* ---- as JSON ---- */

static json_t *origin_json(struct config_origin origin)
{
	char text[CONFIG_ORIGIN_TEXT_MAX];
	return json_string(config_origin_format(origin, text));
}

static json_t *patterns_json(const struct config_pattern *patterns, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(patterns[i].text));
	return list;
}

static json_t *words_json(struct buf *value)
{
	json_t *text = json_string(buf_string(value));
	buf_clear(value);
	return text;
}

static void session_json(json_t *answer, const struct config_route *route,
    const struct config_via *via, struct buf *value)
{
	describe_tls(route, via, value);
	json_object_set_new(answer, "tls", words_json(value));
	if (route == NULL || route->account == NULL)
		return;
	json_t *account = json_pack("{s:s, s:o}", "login", route->account->login, "place",
	    origin_json(route->account->origin));
	if (route->account->label != NULL)
		json_object_set_new(account, "name", json_string(route->account->label));
	json_t *mechanisms = json_array();
	for (int i = SASL_MECHANISM_COUNT; i-- > 0;)
		json_array_append_new(
		    mechanisms, json_string(sasl_mechanism_name((enum sasl_mechanism)i)));
	json_object_set_new(answer, "account", account);
	json_object_set_new(answer, "mechanisms", mechanisms);
	json_object_set_new(answer, "initial_response",
	    json_string(initial_response_name(route->initial_response)));
	json_object_set_new(answer, "cleartext_auth", json_boolean(route->cleartext_auth));
}

static void route_json(json_t *answer, const struct config_route *route, struct buf *value)
{
	json_object_set_new(answer, "route",
	    json_pack("{s:o, s:o}", "patterns",
		patterns_json(route->patterns, route->pattern_count), "place",
		origin_json(route->origin)));
	if (route->via_count == 0) {
		json_t *refuse = json_pack(
		    "{s:i, s:s}", "code", (int)route->refuse.code, "text", route->refuse.text);
		if (route->refuse.enhanced != NULL)
			json_object_set_new(refuse, "status", json_string(route->refuse.enhanced));
		json_object_set_new(answer, "refuse", refuse);
		return;
	}
	json_t *vias = json_array();
	for (size_t i = 0; i < route->via_count; i++)
		json_array_append_new(vias, json_string(route->vias[i].text));
	json_object_set_new(answer, "via", vias);
	if (config_via_is_session(&route->vias[0])) {
		json_object_set_new(answer, "ehlo", json_string(route->ehlo));
		session_json(answer, route, &route->vias[0], value);
	}
}

static void domain_json(json_t *answer, const struct config_domain *domain,
    const struct config_alias *alias, struct buf *value)
{
	json_object_set_new(answer, "domain",
	    json_pack("{s:o, s:o, s:s}", "patterns",
		patterns_json(domain->patterns, domain->pattern_count), "place",
		origin_json(domain->origin), "recipients", recipients_words(domain)));
	if (alias != NULL) {
		json_t *addresses = json_array();
		for (size_t i = 0; i < alias->address_count; i++)
			json_array_append_new(addresses, json_string(alias->addresses[i]));
		json_object_set_new(answer, "alias", addresses);
		return;
	}
	json_object_set_new(answer, "via", json_pack("[s]", domain->deliver.text));
	if (config_via_is_session(&domain->deliver))
		session_json(answer, NULL, &domain->deliver, value);
}

static json_t *why_json(const struct task *task)
{
	json_t *list = json_array();
	struct span lines = buf_span(&task->why), line;
	while (span_take_until(&lines, '\n', &line))
		json_array_append_new(list, cli_json_text(line));
	return list;
}

/* ---- the question ---- */

static int answer(struct task *task)
{
	const struct config *config = task->config;
	struct span local, name;
	struct buf value;
	buf_init(&value, TEXT_MAX);
	config_address_split(task->question.recipient, &local, &name);
	const struct config_domain *domain = config_domain_find(config, name);
	const struct config_alias *alias = domain != NULL ? find_alias(domain, local) : NULL;
	size_t index = domain != NULL ? CONFIG_NO_ROUTE
				      : config_route_find(config, &task->question, &task->why);
	const struct config_route *route = index == CONFIG_NO_ROUTE ? NULL : &config->routes[index];
	const char *relaying =
	    domain != NULL ? NULL : relaying_words(task, find_listener(config, task->listener));
	bool leads_on = domain != NULL || (route != NULL && route->via_count > 0);
	int status = leads_on ? CLI_EXIT_DONE : CLI_EXIT_FOUND;
	if (task->json) {
		json_t *object =
		    json_pack("{s:o, s:o}", "from", cli_json_text(task->question.sender), "to",
			cli_json_text(task->question.recipient));
		if (domain != NULL)
			domain_json(object, domain, alias, &value);
		else if (route != NULL)
			route_json(object, route, &value);
		if (relaying != NULL)
			json_object_set_new(object, "relaying", json_string(relaying));
		json_object_set_new(object, "why", why_json(task));
		status = cli_json_print(object, status);
	} else {
		if (domain != NULL)
			print_domain(domain, alias, &value);
		else if (route != NULL)
			print_route(route, &value);
		if (relaying != NULL)
			printf("%-18s%s\n", "relaying", relaying);
		print_why(task, domain, route);
		status = cli_finish(status);
	}
	buf_fini(&value);
	return status;
}

/* ---- the command line ---- */

static int say_no_listener(const struct task *task)
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
	enum smtp_address_flaw flaw = smtp_address_parse(bytes, &address);
	if (flaw != SMTP_ADDRESS_VALID) {
		cli_usage("route", "%s: the address %s", name, smtp_address_flaw_text(flaw));
		return false;
	}
	*address_out = address.mailbox;
	return true;
}

/* Exit status, or -1. */
static int check_task(struct task *task)
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
static void complete_recipient(struct task *task)
{
	struct span local, domain, *recipient = &task->question.recipient;
	const char *own = task->config->default_domain;
	if (own == NULL || config_address_split(*recipient, &local, &domain))
		return;
	buf_printf(&task->completed, "%.*s@%s", SPAN_ARG(local), own);
	*recipient = buf_span(&task->completed);
}

static int test(struct task *task)
{
	int status = check_task(task);
	if (status >= 0)
		return status;
	task->config = cli_load_config(task->config_path);
	if (task->config == NULL)
		return CLI_EXIT_USAGE;
	buf_init(&task->why, TEXT_MAX);
	buf_init(&task->completed, 1024);
	complete_recipient(task);
	if (task->listener != NULL && find_listener(task->config, task->listener) == NULL)
		status = say_no_listener(task);
	else
		status = answer(task);
	buf_fini(&task->why);
	buf_fini(&task->completed);
	config_unref(&task->config);
	return status;
}

static int run(int argc, char **argv)
{
	struct task task = { 0 };
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
	.about = "Reads the configuration and asks nobody: route or domain, next hop, account,\n"
		 "mechanisms, TLS, with the lines they come from. Exit status 1: no route fits,\n"
		 "or the one that does refuses.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
