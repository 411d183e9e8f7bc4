/* SPDX-License-Identifier: MIT */
#include "cli/relay.h"

#include "base/escape.h"
#include "base/memory.h"
#include "base/moment.h"
#include "cli/cli.h"
#include "config/syntax.h"
#include "net/address.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MAX_BYTES (128u * 1024 * 1024) /* a message with tens of thousands of recipients */
#define READ_SIZE 65536
#define SOCKET_DEFAULT "/run/frank/admin.sock"

/* ---- where the socket is ---- */

static const struct config_statement *child(const struct config_statement *of, const char *name)
{
	for (size_t i = 0; of != NULL && i < of->child_count; i++) {
		if (strcmp(of->children[i]->name.text, name) == 0)
			return of->children[i];
	}
	return NULL;
}

/* The configuration has errors: only this one value is wanted of it. */
static char *socket_of_broken(const char *path)
{
	struct config_report *report = MEM_NEW(struct config_report);
	struct config_arena *arena = config_arena_create();
	struct config_reading reading = {
		.source = cli_config_source(),
		.report = report,
		.arena = arena,
	};
	config_report_init(report);
	const struct config_statement *found =
	    child(child(config_syntax_read(&reading, path), "admin"), "socket");
	const char *text = SOCKET_DEFAULT;
	if (found != NULL && found->word_count == 1 && !found->words[0].broken)
		text =
		    config_path_resolve(arena, found->name.place.file->path, found->words[0].text);
	char *result = mem_strdup(text != NULL ? text : SOCKET_DEFAULT);
	config_report_fini(report);
	mem_free(report);
	config_arena_destroy(&arena);
	return result;
}

bool cli_relay_find(struct cli_relay *relay, const char *config, const char *socket)
{
	*relay = (struct cli_relay){ .socket = mem_strdup(socket) };
	if (socket != NULL && config == NULL)
		return true;
	relay->config_path = cli_find_config(config);
	if (relay->config_path == NULL)
		return false;
	struct config_report *report = MEM_NEW(struct config_report);
	config_report_init(report);
	relay->config = cli_read_config(relay->config_path, report);
	config_report_fini(report);
	mem_free(report);
	if (relay->socket == NULL)
		relay->socket = relay->config != NULL ? mem_strdup(relay->config->admin.socket)
						      : socket_of_broken(relay->config_path);
	return true;
}

void cli_relay_fini(struct cli_relay *relay)
{
	mem_free(relay->socket);
	mem_free(relay->config_path);
	config_unref(&relay->config);
	*relay = (struct cli_relay){ 0 };
}

/* ---- the connection ---- */

static void explain(const struct cli_relay *relay, int error, struct fault *why)
{
	if (error == ENOENT || error == ECONNREFUSED)
		fault_set(why, FAULT_LOCAL,
		    "no relay answers on %s: frank serve is not running, "
		    "or with another configuration",
		    relay->socket);
	else if (error == EACCES)
		fault_set(why, FAULT_LOCAL,
		    "you may not use %s: root and the group of the "
		    "\"admin\" block may",
		    relay->socket);
	else
		fault_set(why, FAULT_LOCAL, "%s: %s", relay->socket, strerror(error));
}

static int open_socket(const struct cli_relay *relay, struct fault *why)
{
	struct net_address address;
	if (!net_address_from_path(span_from_string(relay->socket), &address)) {
		fault_set(
		    why, FAULT_LOCAL, "%s is too long for the path of a socket", relay->socket);
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, &address.any, address.len) == 0)
		return fd;
	explain(relay, errno, why);
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool send_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static bool send_request(int fd, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	bool sent = text != NULL && send_all(fd, text, strlen(text)) && send_all(fd, "\n", 1);
	free(text);
	return sent;
}

/* ---- the answer ---- */

struct answer {
	int fd;
	int64_t quiet_max_ms;
	bool (*on_line)(void *context, const json_t *line);
	void *context;
	struct buf input;
	size_t searched; /* so much of it holds no line end */
	int status;      /* -1: not said yet */
};

static void complain_text(const char *front, const json_t *value)
{
	struct buf shown;
	buf_init(&shown, LINE_MAX_BYTES);
	escape_append(&shown, span_of(json_string_value(value), json_string_length(value)));
	fprintf(stderr, "frank: %s%s\n", front, buf_string(&shown));
	buf_fini(&shown);
}

static void show_progress(json_int_t count)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%lld messages so far\033[K\r", (long long)count);
}

bool cli_relay_line(const json_t *line, int *status_out)
{
	const json_t *end = json_object_get(line, "end");
	const json_t *error = json_object_get(line, "error");
	const json_t *note = json_object_get(line, "note");
	const json_t *progress = json_object_get(line, "progress");
	if (end != NULL)
		*status_out = (int)json_integer_value(end);
	else if (error != NULL)
		complain_text("", error);
	else if (note != NULL)
		complain_text("", note);
	else if (progress != NULL)
		show_progress(json_integer_value(progress));
	return end != NULL || error != NULL || note != NULL || progress != NULL;
}

/* False: nothing more is wanted. */
static bool take_line(struct answer *answer, struct span line)
{
	json_error_t error;
	json_t *object = json_loadb(line.data, line.len, JSON_ALLOW_NUL, &error);
	bool go_on = true;
	if (!json_is_object(object)) {
		cli_complain("the relay has said something that is no JSON object");
		answer->status = CLI_EXIT_LOCAL;
	} else if (!cli_relay_line(object, &answer->status)) {
		go_on = answer->on_line(answer->context, object);
		if (!go_on)
			answer->status = CLI_EXIT_DONE;
	}
	json_decref(object);
	return go_on && answer->status < 0;
}

static bool take_lines(struct answer *answer)
{
	for (;;) {
		struct span input = buf_span(&answer->input);
		size_t end = answer->searched + span_find(span_skip(input, answer->searched), '\n');
		answer->searched = end;
		if (end == input.len)
			return true;
		answer->searched = 0;
		bool go_on = take_line(answer, span_head(input, end));
		buf_consume(&answer->input, end + 1);
		if (!go_on)
			return false;
	}
}

/* False when the relay is gone, or silent for too long. */
static bool read_more(struct answer *answer)
{
	struct pollfd poll_fd = { .fd = answer->fd, .events = POLLIN };
	int timeout = answer->quiet_max_ms > 0 ? (int)answer->quiet_max_ms : -1;
	int ready;
	do {
		ready = poll(&poll_fd, 1, timeout);
	} while (ready < 0 && errno == EINTR);
	if (ready == 0) {
		cli_complain("the relay does not answer");
		return false;
	}
	char *room = buf_reserve(&answer->input, READ_SIZE);
	ssize_t n = room != NULL ? recv(answer->fd, room, READ_SIZE, 0) : 0;
	if (n <= 0) {
		cli_complain("the relay has ended the connection");
		return false;
	}
	buf_commit(&answer->input, (size_t)n);
	return true;
}

int cli_relay_ask(const struct cli_relay *relay, json_t *request, int64_t quiet_max_ms,
    bool (*on_line)(void *context, const json_t *line), void *context, struct fault *why_out)
{
	struct fault why;
	struct answer answer = {
		.quiet_max_ms = quiet_max_ms,
		.on_line = on_line,
		.context = context,
		.status = -1,
	};
	answer.fd = open_socket(relay, &why);
	if (answer.fd < 0) {
		json_decref(request);
		if (why_out != NULL)
			*why_out = why;
		return CLI_RELAY_NOBODY;
	}
	buf_init(&answer.input, LINE_MAX_BYTES);
	/* A relay that has too many clients closes at once: then nothing can be read either. */
	send_request(answer.fd, request);
	json_decref(request);
	while (read_more(&answer) && take_lines(&answer))
		;
	buf_fini(&answer.input);
	close(answer.fd);
	return answer.status >= 0 ? answer.status : CLI_EXIT_LOCAL;
}

int cli_relay_tell(const struct cli_relay *relay, json_t *request, int64_t quiet_max_ms,
    bool (*on_line)(void *context, const json_t *line), void *context)
{
	struct fault why;
	int status = cli_relay_ask(relay, request, quiet_max_ms, on_line, context, &why);
	if (status != CLI_RELAY_NOBODY)
		return status;
	cli_complain("%s", why.text);
	return CLI_EXIT_LOCAL;
}
