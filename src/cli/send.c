/* SPDX-License-Identifier: MIT */
#include "cli/send.h"

#include "base/memory.h"
#include "cli/cli.h"
#include "config/arena.h"
#include "config/network.h"
#include "config/via.h"
#include "net/tls.h"
#include "smtp/address.h"

#include <stdio.h>
#include <string.h>

enum { NOT_GIVEN = -1, VERDICT_MAX = 65536 };

struct task {
	struct cli_option_list to;
	const char *server, *from, *subject, *body, *ehlo;
	const char *source, *tls_trust, *tls_name, *file;
	int initial_response, tls, tls_verify;
	bool cleartext_auth, json, quiet, times;

	struct send_sign_in sign_in;
	struct config_arena *arena;
	char *machine_name;
	struct send_order order;
};

static const struct cli_option options[] = {
	{ "server", 0, CLI_OPTION_TEXT, "URL", offsetof(struct task, server), "the same as URL" },
	{ "from", 0, CLI_OPTION_TEXT, "ADDRESS", offsetof(struct task, from),
	    "the sender; \"\" or <> is the null reverse-path" },
	{ "to", 0, CLI_OPTION_LIST, "ADDRESS", offsetof(struct task, to),
	    "a recipient; may be given again" },
	{ "subject", 0, CLI_OPTION_TEXT, "TEXT", offsetof(struct task, subject),
	    "of a message that is made up" },
	{ "body", 0, CLI_OPTION_TEXT, "TEXT", offsetof(struct task, body),
	    "of a message that is made up" },
	{ "login", 0, CLI_OPTION_TEXT, "NAME", offsetof(struct task, sign_in.login),
	    "sign in as NAME" },
	{ "password-file", 0, CLI_OPTION_TEXT, "FILE", offsetof(struct task, sign_in.password_file),
	    "with the password in FILE, - is standard input;\ndefault: it is asked for" },
	{ "token-file", 0, CLI_OPTION_TEXT, "FILE", offsetof(struct task, sign_in.token_file),
	    "with the OAuth access token in FILE, - is standard input" },
	{ "certificate", 0, CLI_OPTION_TEXT, "FILE", offsetof(struct task, sign_in.certificate),
	    "with this certificate, if the server asks for one" },
	{ "key", 0, CLI_OPTION_TEXT, "FILE", offsetof(struct task, sign_in.key),
	    "the certificate's private key" },
	{ "kerberos", 0, CLI_OPTION_FLAG, NULL, offsetof(struct task, sign_in.kerberos),
	    "with the Kerberos ticket that you have (kinit)" },
	{ "mechanism", 0, CLI_OPTION_LIST, "NAME", offsetof(struct task, sign_in.mechanisms),
	    "the only one to be used, as in SCRAM-SHA-256; may be\n"
	    "given again; default: the strongest on offer" },
	{ "initial-response", 0, CLI_OPTION_CHOICE, "auto|yes|no",
	    offsetof(struct task, initial_response), "the name in the AUTH command itself" },
	{ "cleartext-auth", 0, CLI_OPTION_FLAG, NULL, offsetof(struct task, cleartext_auth),
	    "sign in without TLS where there is none" },
	{ "tls", 0, CLI_OPTION_CHOICE, "off|starttls|implicit", offsetof(struct task, tls),
	    "instead of what the URL's scheme says" },
	{ "tls-verify", 0, CLI_OPTION_CHOICE, "yes|no", offsetof(struct task, tls_verify),
	    "the server's certificate; default: yes" },
	{ "tls-trust", 0, CLI_OPTION_TEXT, "FILE", offsetof(struct task, tls_trust),
	    "certificates to trust instead of the system's" },
	{ "tls-name", 0, CLI_OPTION_TEXT, "NAME", offsetof(struct task, tls_name),
	    "in the certificate; default: the host of the URL" },
	{ "ehlo", 0, CLI_OPTION_TEXT, "NAME", offsetof(struct task, ehlo),
	    "default: this machine's name" },
	{ "source", 0, CLI_OPTION_TEXT, "ADDRESS", offsetof(struct task, source),
	    "connect from this address" },
	{ "times", 0, CLI_OPTION_FLAG, NULL, offsetof(struct task, times),
	    "seconds since the start before each line" },
	{ "quiet", 0, CLI_OPTION_FLAG, NULL, offsetof(struct task, quiet), "only the verdict" },
	{ "json", 0, CLI_OPTION_FLAG, NULL, offsetof(struct task, json),
	    "dialogue and verdict as one JSON object" },
	{ "password", 0, CLI_OPTION_REFUSED, NULL, 0,
	    "a password never stands on a command line, where others see it: --password-file FILE, "
	    "or - for standard input" },
	{ "token", 0, CLI_OPTION_REFUSED, NULL, 0,
	    "a token never stands on a command line, where others see it: --token-file FILE, or - "
	    "for standard input" },
};

/* ---- the server ---- */

/* Of "host", "host:587", "[::1]:25" only a scheme is missing. */
static bool has_scheme(const char *text)
{
	struct span all = span_from_string(text);
	struct span scheme = span_head(all, span_find(all, ':'));
	static const char *const known[] = {
		"smtp",
		"submission",
		"smtps",
		"lmtp",
		"maildir",
		"discard",
		"mx",
		"http",
		"https",
	};
	if (span_find_span(all, SPAN("//")) < all.len)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (scheme.len < all.len && span_equal_nocase(scheme, span_from_string(known[i])))
			return true;
	}
	return false;
}

/* What --tls says instead. Exit status, or -1. */
static int override_tls(const struct task *task, struct send_order *order)
{
	struct config_via *via = &order->via;
	if (task->tls == NOT_GIVEN)
		return -1;
	if (via->scheme == CONFIG_SCHEME_LMTP && task->tls != CONFIG_TLS_MODE_OFF)
		return cli_usage("send", "--tls for lmtp: only off is possible");
	switch ((enum config_tls_mode)task->tls) {
	case CONFIG_TLS_MODE_OFF:
		order->tls_off = true;
		if (via->scheme != CONFIG_SCHEME_LMTP)
			via->scheme = CONFIG_SCHEME_SMTP;
		break;
	case CONFIG_TLS_MODE_STARTTLS:
		via->scheme = CONFIG_SCHEME_SUBMISSION;
		break;
	case CONFIG_TLS_MODE_IMPLICIT:
		via->scheme = CONFIG_SCHEME_SMTPS;
		break;
	}
	return -1;
}

static int read_server(struct task *task)
{
	struct fault fault;
	const char *text = task->server;
	if (text == NULL)
		return cli_usage("send", "which server? frank send submission://mail.example.org "
					 "--from A --to B");
	if (!has_scheme(text))
		text = config_arena_format(task->arena, "smtp://%s", text);
	if (!config_via_parse(task->arena, NULL, text, &task->order.via, &fault))
		return cli_usage("send", "%s", fault.text);
	if (!config_via_is_session(&task->order.via))
		return cli_usage("send", "%s is no server: smtp, submission, smtps and lmtp are",
		    config_scheme_name(task->order.via.scheme));
	return override_tls(task, &task->order);
}

/* ---- who ---- */

/* With or without brackets. Exit status, or -1. */
static int read_address(const char *option, const char *text, struct span *out)
{
	struct span bytes = span_from_string(text);
	struct smtp_address address;
	if (bytes.len >= 2 && bytes.data[0] == '<' && bytes.data[bytes.len - 1] == '>')
		bytes = span_of(bytes.data + 1, bytes.len - 2);
	enum smtp_address_flaw flaw = smtp_address_parse_utf8(bytes, &address);
	if (flaw != SMTP_ADDRESS_VALID)
		return cli_usage(
		    "send", "%s %s: the address %s", option, text, smtp_address_flaw_text(flaw));
	*out = address.mailbox;
	return -1;
}

static int read_envelope(struct task *task)
{
	struct send_order *order = &task->order;
	struct span sender;
	int status = -1;
	if (task->from == NULL || task->to.count == 0)
		return cli_usage("send", "--from and --to are wanted");
	order->from = "";
	if (task->from[0] != '\0' && strcmp(task->from, "<>") != 0) {
		status = read_address("--from", task->from, &sender);
		if (status < 0)
			order->from = config_arena_copy(task->arena, sender);
	}
	order->to_count = task->to.count;
	order->to = mem_alloc_array(order->to_count, sizeof(*order->to));
	for (size_t i = 0; i < order->to_count && status < 0; i++)
		status = read_address("--to", task->to.items[i], &order->to[i]);
	return status;
}

static int read_login(struct task *task)
{
	return send_read_sign_in(&task->sign_in, task->file, &task->order);
}

/* ---- the rest of the order ---- */

static bool is_ehlo_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] <= ' ' || name.data[i] > '~')
			return false;
	}
	return name.len > 0 && name.len <= 255;
}

static int read_connection(struct task *task)
{
	struct send_order *order = &task->order;
	if (task->ehlo == NULL)
		task->machine_name = cli_machine_name();
	order->ehlo = task->ehlo != NULL           ? task->ehlo
		      : task->machine_name != NULL ? task->machine_name
						   : "localhost";
	if (!is_ehlo_name(span_from_string(order->ehlo)))
		return cli_usage("send", "--ehlo wants a name, without blanks");
	if (task->source != NULL &&
	    !net_address_parse(span_from_string(task->source), 0, &order->source))
		return cli_usage(
		    "send", "--source wants an address, as in 192.0.2.1, not \"%s\"", task->source);
	order->tls_name = task->tls_name;
	order->initial_response = (enum config_initial_response)task->initial_response;
	order->cleartext_auth = task->cleartext_auth;
	order->json = task->json;
	order->quiet = task->quiet;
	order->times = task->times;
	return -1;
}

static int read_trust(struct task *task)
{
	struct fault fault;
	struct tls_client_policy policy = {
		.verify = task->tls_verify == 0,
		.trust_path = task->tls_trust,
		.certificate_path = task->sign_in.certificate,
		.key_path = task->sign_in.key,
	};
	task->order.tls = tls_client_context_create(&policy, &fault);
	if (task->order.tls != NULL)
		return -1;
	cli_complain("%s", fault.text);
	return CLI_EXIT_LOCAL;
}

static int read_message(struct task *task)
{
	struct send_order *order = &task->order;
	struct fault fault;
	if (task->file == NULL) {
		const char *subject = task->subject != NULL ? task->subject : "A test";
		if (strpbrk(subject, "\r\n") != NULL)
			return cli_usage("send", "--subject is one line");
		send_message_make(&order->message, order->from, order->to, order->to_count, subject,
		    task->body != NULL ? task->body : "This message was made by frank send.\n");
		return -1;
	}
	if (task->subject != NULL || task->body != NULL)
		return cli_usage("send",
		    "--subject and --body are for a message that is made up, "
		    "not for one from %s",
		    task->file);
	if (send_message_read(&order->message, task->file, &fault))
		return -1;
	cli_complain("%s", fault.text);
	return CLI_EXIT_LOCAL;
}

static int read_order(struct task *task)
{
	static int (*const steps[])(struct task *) = {
		read_server,
		read_envelope,
		read_connection,
		read_login,
		read_message,
		read_trust,
	};
	int status = -1;
	for (size_t i = 0; i < ARRAY_LEN(steps) && status < 0; i++)
		status = steps[i](task);
	return status;
}

/* ---- the result ---- */

json_t *send_dialogue_json(const struct send_order *order, const struct send_result *result)
{
	return json_pack("{s:s, s:s, s:s, s:O, s:[]}", "format", "frank", "client", order->ehlo,
	    "server", result->peer, "lines", result->lines, "findings");
}

static int report_json(const struct send_order *order, const struct send_result *result,
    const char *text, const char *advice, int status)
{
	return cli_json_print(
	    json_pack("{s:[o], s:o}", "dialogues", send_dialogue_json(order, result), "verdict",
		send_verdict_json(order, result, text, advice)),
	    status);
}

static int report(const struct send_order *order, const struct send_result *result)
{
	struct buf text, advice;
	buf_init(&text, VERDICT_MAX);
	buf_init(&advice, VERDICT_MAX);
	int status = send_verdict(order, result, &text, &advice);
	if (order->json) {
		status = report_json(order, result, buf_string(&text), buf_string(&advice), status);
	} else {
		printf("%s%s\n", order->quiet ? "" : "\n", buf_string(&text));
		if (advice.len > 0)
			printf("%s\n", buf_string(&advice));
		status = cli_finish(status);
	}
	buf_fini(&text);
	buf_fini(&advice);
	return status;
}

static int deliver(const struct send_order *order)
{
	struct send_result result;
	struct fault fault;
	int status = CLI_EXIT_LOCAL;
	if (send_run(order, &result, &fault))
		status = report(order, &result);
	else
		cli_complain("%s", fault.text);
	send_result_fini(&result);
	return status;
}

/* ---- the command line ---- */

/* URL [FILE], or --server URL [FILE]. Exit status, or -1. */
static int read_operands(struct task *task, int count, char **operands)
{
	int next = 0;
	if (task->server == NULL && count > 0)
		task->server = operands[next++];
	if (next < count)
		task->file = operands[next++];
	if (next < count)
		return cli_usage("send", "one URL and one FILE; %s is too many", operands[next]);
	return -1;
}

static void fini(struct task *task)
{
	send_message_fini(&task->order.message);
	tls_client_context_unref(&task->order.tls);
	mem_free(task->order.to);
	mem_free(task->machine_name);
	send_sign_in_fini(&task->sign_in);
	cli_option_list_fini(&task->to);
	config_arena_destroy(&task->arena);
}

static int run(int argc, char **argv)
{
	struct task task = { .tls = NOT_GIVEN };
	int status = CLI_EXIT_DONE;
	int operands = cli_read_options(&cli_send_command, argc, argv, &task, &status);
	task.arena = config_arena_create();
	if (operands >= 0) {
		status = read_operands(&task, operands, argv + 1);
		if (status < 0)
			status = read_order(&task);
		if (status < 0)
			status = deliver(&task.order);
	}
	fini(&task);
	return status;
}

const struct cli_command cli_send_command = {
	.name = "send",
	.synopsis = "URL --from ADDRESS --to ADDRESS [OPTION …] [FILE|-]",
	.summary = "sends one message and shows the dialogue, AUTH decoded, secrets hidden",
	.about = "URL is HOST[:PORT] or one of\n"
		 "  smtp://HOST         port 25; STARTTLS where offered, required with --login\n"
		 "  submission://HOST   port 587; STARTTLS required\n"
		 "  smtps://HOST        port 465; TLS from the first byte\n"
		 "  lmtp://HOST         port 24, or lmtp://unix:/PATH\n"
		 "Without FILE (- is standard input) a message is made up. Marks: -> sent,\n"
		 "<- received, <** an error reply, ~> <~ <~* the same under TLS, === a note,\n"
		 "*** a failure. Exit status: 0 every recipient was accepted, 1 refused,\n"
		 "2 usage, 3 could not try.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
