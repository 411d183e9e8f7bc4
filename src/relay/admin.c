/* SPDX-License-Identifier: MIT */
#include "relay/admin.h"

#include "net/listener.h"
#include "relay/admin_client.h"
#include "relay/admin_json.h"
#include "relay/events.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ASK_MS 10000                /* to send the request */
#define TAKE_MS (15 * 60 * 1000)    /* to take something of an answer */
#define LOOK_MS 1000                /* how often a client that takes little is looked at */
#define OUT_MAX (80u * 1024 * 1024) /* the lines of one step, which has a limit of its own */

static const struct command {
	const char *name; /* "queue list": the command and its verb */
	admin_command_fn *run;
} commands[] = {
	{ "queue list", admin_queue },
	{ "queue show", admin_queue },
	{ "queue retry", admin_queue },
	{ "queue hold", admin_queue },
	{ "queue release", admin_queue },
	{ "queue drop", admin_queue },
	{ "queue run", admin_queue },
	{ "status", admin_status },
	{ "hop list", admin_hop },
	{ "hop show", admin_hop },
	{ "hop forget", admin_hop },
	{ "token list", admin_token },
	{ "ban list", admin_ban },
	{ "ban add", admin_ban },
	{ "ban remove", admin_ban },
	{ "quirks", admin_quirks },
	{ "trace", admin_follow },
};

/* ---- answers ---- */

void admin_say(struct admin_client *client, json_t *object)
{
	admin_json_line(&client->out, object);
	conn_wake(client->conn);
}

void admin_end(struct admin_client *client, int status)
{
	admin_say(client, json_pack("{s:i}", "end", status));
	client->ended = true;
}

void admin_fail(struct admin_client *client, int status, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	admin_say(client, json_pack("{s:o}", "error", admin_json_text(span_from_string(text))));
	admin_end(client, status);
}

/* ---- questions ---- */

void admin_ask(struct admin_client *client, struct admin_question *question,
    bool (*run)(struct keeper_query *query, struct spool_store *store, struct fault *fault_out),
    void (*answered)(struct admin_question *question))
{
	struct admin *admin = client->admin;

	assert(!client->question && !admin->closing);
	question->client = client;
	question->answered = answered;
	question->query.run = run;
	question->query.item.answer_to = &admin->from_keeper->box;
	client->question = question;
	keeper_post_query(admin->control->keeper, &question->query);
}

static void on_keeper(struct mailbox_item *mail, void *owner)
{
	struct keeper_item *item = keeper_item_of(mail);
	struct admin_question *question =
	    (struct admin_question *)CONTAINER_OF(item, struct keeper_query, item);

	if (question->client)
		question->client->question = NULL;
	question->answered(question);
}

/* ---- the life of a client ---- */

static void leave(struct admin_client *client, enum conn_close how)
{
	admin_queue_leave(client);
	admin_follow_leave(client);
	if (client->question)
		client->question->client = NULL;
	net_timer_fini(&client->timer);
	conn_close(&client->conn, how);
	buf_fini(&client->out);
	list_remove(&client->link);
	client->admin->client_count--;
	mem_free(client);
}

static void dispatch(struct admin_client *client, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "command"));

	for (size_t i = 0; name && i < ARRAY_LEN(commands); i++) {
		const char *verb = strchr(name, ' ');
		if (strcmp(commands[i].name, name) != 0)
			continue;
		commands[i].run(client, verb ? verb + 1 : name, request);
		return;
	}
	admin_fail(client, 2, "the request names no command that is known here");
}

static void take_request(struct admin_client *client, struct span line)
{
	json_error_t error;
	json_t *request = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, &error);

	client->asked = true;
	conn_clear_deadline(client->conn);
	if (json_is_object(request))
		dispatch(client, request);
	else
		admin_fail(client, 2, "the request is no JSON object: %s",
		    request ? "it is something else" : error.text);
	json_decref(request);
}

/* True when the client is to go. */
static bool read_request(struct admin_client *client)
{
	struct span input = conn_input(client->conn);
	size_t end = span_find(input, '\n');
	char *line;

	if (end == input.len || end > ADMIN_REQUEST_MAX) {
		if (input.len > ADMIN_REQUEST_MAX) {
			client->asked = true;
			admin_fail(
			    client, 2, "the request is longer than %d bytes", ADMIN_REQUEST_MAX);
			return false;
		}
		return conn_eof(client->conn) || conn_deadline_passed(client->conn);
	}
	line = mem_dup(input.data, end);
	conn_consume(client->conn, end + 1);
	take_request(client, span_of(line, end));
	mem_free(line);
	return false;
}

static void give_output(struct admin_client *client)
{
	size_t room = conn_output_room(client->conn);

	if (room > client->out.len)
		room = client->out.len;
	buf_append(conn_output(client->conn), span_head(buf_span(&client->out), room));
	buf_consume(&client->out, room);
	if (room > 0 && client->out.len == 0) {
		buf_release(&client->out);
		conn_wake(client->conn); /* who has more to say goes on */
	}
}

/* A pager may stand still for long, but not for ever. */
static bool takes_nothing(struct admin_client *client)
{
	size_t pending = conn_output_pending(client->conn) + client->out.len;
	int64_t now = net_loop_now_ms(&client->admin->control->loop);

	if (pending == 0) {
		conn_clear_deadline(client->conn);
		client->pending_before = 0;
		return false;
	}
	if (client->pending_before == 0 || pending < client->pending_before)
		client->stalled_since_ms = now;
	client->pending_before = pending;
	conn_set_deadline(client->conn, LOOK_MS);
	return now - client->stalled_since_ms >= TAKE_MS;
}

/* Behind the request nothing is said; who follows leaves by closing. */
static bool discard_input(struct admin_client *client)
{
	conn_consume(client->conn, conn_input(client->conn).len);
	return conn_eof(client->conn) && client->follow;
}

/* True when the client is to go. */
static bool serve(struct admin_client *client)
{
	if (!client->asked)
		return read_request(client);
	if (discard_input(client))
		return true;
	if (client->out.len == 0 && !client->ended)
		admin_queue_drained(client);
	give_output(client);
	return !client->follow && takes_nothing(client);
}

static void pump(struct conn *conn, void *owner)
{
	struct admin_client *client = owner;

	if (conn_fault(conn) || serve(client))
		leave(client, CONN_CLOSE_NOW);
	else if (client->ended && client->out.len == 0 && conn_output_pending(conn) == 0)
		leave(client, CONN_CLOSE_FLUSH);
}

static void on_accept(int fd, const struct net_address *peer, void *owner)
{
	struct admin *admin = owner;
	struct admin_client *client;

	if (admin->client_count == ADMIN_CLIENTS_MAX) {
		event_sentence(
		    EVENT_ADMIN_TROUBLE, "%d clients are there already", ADMIN_CLIENTS_MAX);
		close(fd);
		return;
	}
	client = MEM_NEW(struct admin_client);
	client->admin = admin;
	buf_init(&client->out, OUT_MAX);
	client->conn = conn_open(&admin->control->loop, fd, peer, pump, client);
	conn_set_deadline(client->conn, ASK_MS);
	list_append(&admin->clients, &client->link);
	admin->client_count++;
}

static void on_trouble(const struct fault *fault, void *owner)
{
	(void)owner;
	event_sentence(EVENT_ADMIN_TROUBLE, "%s", fault->text);
}

/* ---- life ---- */

struct admin *admin_create(struct control *control, int fd)
{
	struct admin *admin = MEM_NEW(struct admin);
	struct listener_handler handler = { on_accept, on_trouble, admin };
	struct fault fault;

	admin->control = control;
	admin->fd = fd;
	list_init(&admin->clients);
	admin->listener = listener_open(&control->loop, fd, &handler, &fault);
	if (!admin->listener) {
		event_sentence(EVENT_ADMIN_TROUBLE, "%s", fault.text);
		close(fd);
		mem_free(admin);
		return NULL;
	}
	admin->from_keeper = MEM_NEW(struct inbox);
	inbox_init(admin->from_keeper, &control->loop.uv, on_keeper, admin);
	return admin;
}

void admin_destroy(struct admin **admin)
{
	struct admin *gone = *admin;

	*admin = NULL;
	if (!gone)
		return;
	gone->closing = true;
	listener_close(&gone->listener);
	close(gone->fd);
	LIST_FOR_EACH_SAFE (position, &gone->clients)
		leave(LIST_ENTRY(position, struct admin_client, link), CONN_CLOSE_FLUSH);
	inbox_destroy(&gone->from_keeper); /* gives back what is still asked */
	mem_free(gone);
}

void admin_trace(struct admin *admin, const struct trace_line *line, uint64_t dropped)
{
	LIST_FOR_EACH_SAFE (position, &admin->clients) {
		struct admin_client *client = LIST_ENTRY(position, struct admin_client, link);
		if (!client->follow)
			continue;
		client->dropped += dropped;
		admin_follow_line(client, line);
	}
}
