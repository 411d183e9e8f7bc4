/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/memory.h"
#include "cli/sink_server.h"
#include "config/arena.h"
#include "config/network.h"
#include "net/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LISTEN_MAX = 64, NOT_GIVEN = -1, CERTIFICATE_DAYS = 30 };

struct task {
	struct cli_option_list listen;
	int tls, auth; /* enums of the configuration, or NOT_GIVEN */
	const char *certificate, *key, *users, *hostname, *maildir;
	uint64_t size_max, messages;
	bool cleartext_auth, count, json, quiet, follow;
};

static const struct cli_option options[] = {
	{ "listen", 0, CLI_OPTION_LIST, "ADDRESS:PORT", offsetof(struct task, listen),
	    "may be given again; port 0: the kernel chooses;\ndefault: 127.0.0.1:2525" },
	{ "tls", 0, CLI_OPTION_CHOICE, "off|starttls|implicit", offsetof(struct task, tls),
	    "default: starttls with --certificate, else off" },
	{ "certificate", 0, CLI_OPTION_TEXT, "FILE", offsetof(struct task, certificate),
	    "PEM; default: a self-signed one, made for this run" },
	{ "key", 0, CLI_OPTION_TEXT, "FILE", offsetof(struct task, key), "its private key, PEM" },
	{ "auth", 0, CLI_OPTION_CHOICE, "required|optional|off", offsetof(struct task, auth),
	    "default: required with --users, else off" },
	{ "users", 0, CLI_OPTION_TEXT, "FILE|any", offsetof(struct task, users),
	    "who may sign in: a users file, or any name with any\npassword" },
	{ "cleartext-auth", 0, CLI_OPTION_FLAG, NULL, offsetof(struct task, cleartext_auth),
	    "AUTH is offered without TLS too" },
	{ "hostname", 0, CLI_OPTION_TEXT, "NAME", offsetof(struct task, hostname),
	    "in the greeting; default: this machine's" },
	{ "maildir", 0, CLI_OPTION_TEXT, "DIR", offsetof(struct task, maildir),
	    "keep the messages there, byte for byte" },
	{ "count", 0, CLI_OPTION_FLAG, NULL, offsetof(struct task, count),
	    "only count: no line for each message" },
	{ "size-max", 0, CLI_OPTION_SIZE, "SIZE", offsetof(struct task, size_max),
	    "of one message; default: 50MB" },
	{ "messages", 0, CLI_OPTION_NUMBER, "N", offsetof(struct task, messages),
	    "end after N messages" },
	{ "follow", 0, CLI_OPTION_FLAG, NULL, offsetof(struct task, follow),
	    "show the dialogues as they happen" },
	{ "quiet", 0, CLI_OPTION_FLAG, NULL, offsetof(struct task, quiet),
	    "say nothing on standard error" },
	{ "json", 0, CLI_OPTION_FLAG, NULL, offsetof(struct task, json),
	    "each line as a JSON object" },
};

/* ---- where to listen ---- */

static void set_address(struct sink_address *out, const struct config_address *from)
{
	net_address_set(&out->socket, (const struct sockaddr *)&from->socket, from->socket_len);
	out->optional = from->any && from->socket.ss_family == AF_INET6;
}

/* Exit status, or -1. */
static int read_addresses(const struct task *task, struct sink_address *out, size_t *count_out)
{
	static const char *const usual[] = { "127.0.0.1:2525" };
	const char *const *items = task->listen.count > 0 ? task->listen.items : usual;
	size_t given = task->listen.count > 0 ? task->listen.count : 1;
	struct config_arena *arena = config_arena_create();
	struct fault fault;
	int status = -1;
	*count_out = 0;
	for (size_t i = 0; i < given && status < 0; i++) {
		struct config_address found[2];
		size_t n = 0;
		if (!config_socket_parse(arena, items[i], found, &n, &fault))
			status = cli_usage("sink", "--listen: %s", fault.text);
		else if (*count_out + n > LISTEN_MAX)
			status =
			    cli_usage("sink", "--listen: %d sockets are the limit", LISTEN_MAX);
		for (size_t j = 0; status < 0 && j < n; j++)
			set_address(&out[(*count_out)++], &found[j]);
	}
	config_arena_destroy(&arena);
	return status;
}

/* ---- what it needs ---- */

/* A certificate that lives in memory only: its files are gone when this returns. */
static struct tls_server_context *make_certificate(const char *hostname, struct fault *fault_out)
{
	char directory[] = "/tmp/frank-sink-XXXXXX", certificate[64], key[64];
	struct tls_server_context *context = NULL;
	if (mkdtemp(directory) == NULL) {
		fault_set(fault_out, FAULT_LOCAL, "cannot make %s: %s", directory, strerror(errno));
		return NULL;
	}
	snprintf(certificate, sizeof(certificate), "%s/cert.pem", directory);
	snprintf(key, sizeof(key), "%s/key.pem", directory);
	if (tls_self_signed(directory, hostname, NULL, 0, CERTIFICATE_DAYS, fault_out))
		context = tls_server_context_create(
		    &(struct tls_server_policy){ certificate, key }, NULL, fault_out);
	unlink(certificate);
	unlink(key);
	rmdir(directory);
	return context;
}

static struct tls_server_context *load_certificate(const struct task *task, const char *hostname)
{
	struct fault fault;
	struct tls_server_context *context =
	    task->certificate != NULL
		? tls_server_context_create(
		      &(struct tls_server_policy){ task->certificate, task->key }, NULL, &fault)
		: make_certificate(hostname, &fault);
	if (context == NULL)
		cli_complain("%s", fault.text);
	return context;
}

static struct account_users *load_users(const char *path)
{
	struct account_notes *notes = MEM_NEW(struct account_notes);
	struct account_users *users = account_users_read(path, notes);
	char line[1024];
	for (size_t i = 0; i < notes->count; i++)
		fprintf(stderr, "%s\n",
		    account_note_format(&notes->items[i], path, line, sizeof(line)));
	mem_free(notes);
	return users;
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* ---- the command line ---- */

/* Exit status, or -1 when everything fits together; fills in what was not given. */
static int check_task(struct task *task)
{
	if (task->tls == NOT_GIVEN)
		task->tls =
		    task->certificate != NULL ? CONFIG_TLS_MODE_STARTTLS : CONFIG_TLS_MODE_OFF;
	if (task->auth == NOT_GIVEN)
		task->auth = task->users != NULL ? CONFIG_AUTH_MODE_REQUIRED : CONFIG_AUTH_MODE_OFF;
	if ((task->certificate != NULL) != (task->key != NULL))
		return cli_usage("sink", "--certificate and --key belong together");
	if (task->certificate != NULL && task->tls == CONFIG_TLS_MODE_OFF)
		return cli_usage("sink", "--certificate has no use with --tls off");
	if (task->auth != CONFIG_AUTH_MODE_OFF && task->users == NULL)
		return cli_usage("sink", "who may sign in? --users FILE, or --users any");
	if (task->auth == CONFIG_AUTH_MODE_OFF && task->users != NULL)
		return cli_usage("sink", "--users has no use with --auth off");
	if (task->auth != CONFIG_AUTH_MODE_OFF && task->tls == CONFIG_TLS_MODE_OFF &&
	    !task->cleartext_auth)
		return cli_usage("sink", "AUTH is not offered without TLS: --tls starttls, or "
					 "--cleartext-auth");
	if (task->count && task->maildir != NULL)
		return cli_usage("sink", "either --count or --maildir");
	if (task->size_max == 0)
		return cli_usage("sink", "--size-max 0 would take nothing");
	return -1;
}

static int serve(const struct task *task, struct sink_settings *settings)
{
	struct fault fault;
	settings->users_any = task->users != NULL && strcmp(task->users, "any") == 0;
	if (task->users != NULL && !settings->users_any) {
		settings->users = load_users(task->users);
		if (settings->users == NULL)
			return CLI_EXIT_USAGE;
	}
	if (task->tls != CONFIG_TLS_MODE_OFF) {
		settings->tls_context = load_certificate(task, settings->hostname);
		if (settings->tls_context == NULL)
			return CLI_EXIT_USAGE;
	}
	raise_descriptor_limit();
	if (sink_run(settings, &fault))
		return cli_finish(CLI_EXIT_DONE);
	cli_complain("%s", fault.text);
	return CLI_EXIT_LOCAL;
}

static int run_task(const struct task *task)
{
	struct sink_address addresses[LISTEN_MAX];
	size_t count = 0;
	int status = read_addresses(task, addresses, &count);
	if (status >= 0)
		return status;
	char *name = task->hostname != NULL ? mem_strdup(task->hostname) : cli_machine_name();
	struct sink_settings settings = {
		.listen = addresses,
		.listen_count = count,
		.tls = (enum config_tls_mode)task->tls,
		.auth = (enum config_auth_mode)task->auth,
		.cleartext_auth = task->cleartext_auth,
		.hostname = name != NULL ? name : "localhost",
		.size_max_bytes = task->size_max,
		.maildir = task->maildir,
		.messages_max = task->messages,
		.count_only = task->count,
		.json = task->json,
		.quiet = task->quiet,
		.follow = task->follow,
	};
	status = serve(task, &settings);
	account_users_unref(&settings.users);
	tls_server_context_unref(&settings.tls_context);
	mem_free(name);
	return status;
}

static int run(int argc, char **argv)
{
	struct task task = {
		.tls = NOT_GIVEN,
		.auth = NOT_GIVEN,
		.size_max = 50 * 1024 * 1024,
	};
	int status = CLI_EXIT_DONE;
	int operands = cli_read_options(&cli_sink_command, argc, argv, &task, &status);
	if (operands > 0)
		status =
		    cli_usage("sink", "%s: there is nothing to name here but options", argv[1]);
	else if (operands == 0)
		status = check_task(&task);
	if (operands == 0 && status < 0)
		status = run_task(&task);
	cli_option_list_fini(&task.listen);
	return status;
}

const struct cli_command cli_sink_command = {
	.name = "sink",
	.synopsis = "[--listen ADDRESS:PORT] [--tls off|starttls|implicit] [OPTION …]",
	.summary = "a server that takes every message, and keeps or counts it",
	.about = "Prints \"listening ADDRESS:PORT …\" for each socket, then a line for each\n"
		 "message; on SIGTERM, SIGINT or after --messages the sum, with exit status 0.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
