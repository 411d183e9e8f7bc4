/* SPDX-License-Identifier: MIT */
#include "account/dovecot.h"

#include "account/password.h"
#include "base/base64.h"
#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"
#include "net/conn.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MAX = 8192, REQUEST_MAX = 4096, BACKLOG_MAX = 1024 * 1024, VERSION_MAJOR = 1 };

struct client {
	struct list link;
	struct account_dovecots *pool;
	char *path;
	struct conn *conn;    /* NULL: not connected */
	bool ready;           /* Dovecot has said DONE */
	bool spoken;          /* VERSION was right */
	uint32_t last_id;     /* of questions */
	struct map *asked;    /* struct question, by id */
	struct list in_order; /* the same, the oldest first */
	struct buf backlog;   /* secret: requests that wait for DONE */
};

struct question {
	struct account_check_answer answer;
	struct list link;
	uint32_t id;
	int64_t deadline_ms;
	struct mailbox *reply_to;
};

/* ---- answers ---- */

static void destroy_question(struct account_check_answer *answer)
{
	mem_free(CONTAINER_OF(answer, struct question, answer));
}

static void settle(struct client *c, struct question *q, enum account_check_result result)
{
	map_remove(c->asked, MAP_KEY(q->id));
	list_remove(&q->link);
	q->answer.result = result;
	mailbox_post(q->reply_to, &q->answer.job.item);
}

/* Everything under way is over, and the connection. */
static void give_up(struct client *c, const char *why)
{
	while (!list_is_empty(&c->in_order)) {
		struct question *q = LIST_ENTRY(c->in_order.next, struct question, link);
		snprintf(q->answer.why, sizeof(q->answer.why), "%s", why);
		settle(c, q, ACCOUNT_CHECK_DOWN);
	}
	buf_fini(&c->backlog);
	conn_close(&c->conn, CONN_CLOSE_NOW);
	c->ready = c->spoken = false;
}

/* ---- lines from Dovecot ---- */

/* \001 and a letter stand for what divides fields and lines. */
static bool unescape(struct span text, struct buf *out)
{
	static const char from[] = "01tnr", to[] = "\0\1\t\n\r";
	bool fits = true;
	for (size_t i = 0; fits && i < text.len; i++) {
		char byte = text.data[i];
		if (byte == '\1') {
			const char *at =
			    ++i < text.len ? memchr(from, text.data[i], sizeof(from) - 1) : NULL;
			if (at == NULL)
				return false;
			byte = to[at - from];
		}
		fits = buf_append_byte(out, byte);
	}
	return fits;
}

static void take_user(struct question *q, struct span value)
{
	struct buf name;
	buf_init(&name, USERS_NAME_MAX_BYTES);
	if (unescape(value, &name) && name.len > 0 &&
	    span_find(buf_span(&name), '\0') == name.len) {
		mem_free(q->answer.login);
		q->answer.login = mem_dup(buf_span(&name).data, name.len);
	}
	buf_fini(&name);
}

/* The parameters behind the id of OK and FAIL. */
static bool read_parameters(struct question *q, struct span rest)
{
	struct span field;
	bool temporary = false;
	while (span_take_until(&rest, '\t', &field)) {
		if (span_starts_with(field, SPAN("user=")))
			take_user(q, span_skip(field, 5));
		else if (span_equal(field, SPAN("temp")) ||
			 span_equal(field, SPAN("code=temp_fail")))
			temporary = true;
	}
	return temporary;
}

static void take_verdict(struct client *c, struct span line, bool good)
{
	struct span field;
	uint64_t number = 0;
	uint32_t id;
	if (!span_take_until(&line, '\t', &field) || !span_to_u64(field, &number))
		return;
	id = (uint32_t)number;
	struct question *q = map_get(c->asked, MAP_KEY(id));
	if (q == NULL)
		return;
	bool temporary = read_parameters(q, line);
	if (good) {
		settle(c, q, ACCOUNT_CHECK_PASS);
	} else if (temporary) {
		snprintf(q->answer.why, sizeof(q->answer.why),
		    "it has trouble of its own; its log says which");
		settle(c, q, ACCOUNT_CHECK_DOWN);
	} else {
		settle(c, q, ACCOUNT_CHECK_FAIL);
	}
}

static void take_done(struct client *c)
{
	c->ready = true;
	buf_append(conn_output(c->conn), buf_span(&c->backlog));
	buf_fini(&c->backlog);
}

/* False when nothing more is to be read. */
static bool take_line(struct client *c, struct span line)
{
	struct span verb;
	if (!span_take_until(&line, '\t', &verb))
		return true;
	if (span_equal(verb, SPAN("OK"))) {
		take_verdict(c, line, true);
	} else if (span_equal(verb, SPAN("FAIL")) || span_equal(verb, SPAN("CONT"))) {
		take_verdict(c, line, false); /* PLAIN has nothing to continue */
	} else if (span_equal(verb, SPAN("VERSION"))) {
		c->spoken = span_starts_with(line, SPAN("1\t"));
	} else if (span_equal(verb, SPAN("DONE")) && !c->ready) {
		if (!c->spoken) {
			give_up(c, "it speaks another version of its protocol than 1");
			return false;
		}
		take_done(c);
	}
	return true;
}

static void take_lines(struct client *c)
{
	while (c->conn != NULL) {
		struct span input = conn_input(c->conn);
		size_t len = span_find(input, '\n');
		if (len == input.len) {
			if (len > ANSWER_MAX)
				give_up(c, "it sends a line without end");
			return;
		}
		if (take_line(c, span_head(input, len)))
			conn_consume(c->conn, len + 1);
	}
}

/* ---- the connection ---- */

static void set_deadline(struct client *c)
{
	if (list_is_empty(&c->in_order)) {
		conn_clear_deadline(c->conn);
		return;
	}
	const struct question *oldest = LIST_ENTRY(c->in_order.next, struct question, link);
	int64_t left = oldest->deadline_ms - net_loop_now_ms(c->pool->loop);
	conn_set_deadline(c->conn, left > 1 ? left : 1);
}

static void on_ready(struct conn *conn, void *owner)
{
	struct client *c = owner;
	take_lines(c);
	if (c->conn == NULL)
		return;
	if (conn_fault(conn) != NULL)
		give_up(c, conn_fault(conn)->text);
	else if (conn_eof(conn))
		give_up(c, "it has closed the connection");
	else if (conn_deadline_passed(conn))
		give_up(c, "it does not answer");
	else
		set_deadline(c);
}

/* Dovecot wants a number from each connection that no other one has: a thread's. */
static void connect_to(struct client *c)
{
	struct net_address address;
	if (!net_address_from_path(span_from_string(c->path), &address))
		return;
	c->conn =
	    conn_connect(c->pool->loop, &address, NULL, ACCOUNT_DOVECOT_CONNECT_MS, on_ready, c);
	buf_printf(
	    conn_output(c->conn), "VERSION\t%d\t1\nCPID\t%ld\n", VERSION_MAJOR, (long)gettid());
}

/* ---- questions ---- */

static bool put_response(struct buf *out, const struct account_check_question *question)
{
	struct buf plain;
	bool fits;
	buf_init_secret(&plain, 2 + USERS_NAME_MAX_BYTES + PASSWORD_MAX_BYTES);
	fits = buf_append_byte(&plain, '\0') && buf_append(&plain, question->login) &&
	       buf_append_byte(&plain, '\0') && buf_append(&plain, question->password) &&
	       base64_encode(out, buf_span(&plain));
	buf_fini(&plain);
	return fits;
}

/* secured: whether a password may come in clear has been decided before it came. */
static bool put_request(struct buf *out, uint32_t id, const struct account_check_question *question)
{
	bool fits =
	    buf_printf(out, "AUTH\t%lu\tPLAIN\tservice=smtp\tnologin\tsecured", (unsigned long)id);
	if (question->client.len > 0)
		fits =
		    fits && buf_append_string(out, "\trip=") && buf_append(out, question->client);
	return fits && buf_append_string(out, "\tresp=") && put_response(out, question) &&
	       buf_append_byte(out, '\n');
}

static void add_question(struct client *c, const struct account_check_question *question)
{
	struct question *q = MEM_NEW(struct question);
	q->answer.job.kind = question->kind;
	q->answer.asker = question->asker;
	q->answer.destroy = destroy_question;
	q->reply_to = question->reply_to;
	q->id = ++c->last_id;
	q->deadline_ms = net_loop_now_ms(c->pool->loop) + ACCOUNT_DOVECOT_MS;
	map_set(c->asked, MAP_KEY(q->id), q);
	list_append(&c->in_order, &q->link);
}

static enum account_check_result ask(
    struct client *c, const struct account_check_question *question)
{
	struct buf request;
	struct buf *to;
	bool fits;
	if (map_count(c->asked) >= ACCOUNT_DOVECOT_QUESTIONS_MAX)
		return ACCOUNT_CHECK_BUSY;
	if (c->conn == NULL)
		connect_to(c);
	if (c->conn == NULL)
		return ACCOUNT_CHECK_BUSY;
	buf_init_secret(&request, REQUEST_MAX);
	to = c->ready ? conn_output(c->conn) : &c->backlog;
	fits =
	    put_request(&request, c->last_id + 1, question) && buf_append(to, buf_span(&request));
	buf_fini(&request);
	if (!fits)
		return ACCOUNT_CHECK_BUSY;
	add_question(c, question);
	conn_flush(c->conn);
	if (map_count(c->asked) == 1)
		set_deadline(c);
	return ACCOUNT_CHECK_PENDING;
}

/* ---- the sockets of a loop ---- */

static struct client *create(struct account_dovecots *pool, const char *path)
{
	struct client *c = MEM_NEW(struct client);
	c->pool = pool;
	c->path = mem_strdup(path);
	c->asked = map_create();
	list_init(&c->in_order);
	buf_init_secret(&c->backlog, BACKLOG_MAX);
	list_append(&pool->clients, &c->link);
	return c;
}

static void destroy(struct client *c)
{
	give_up(c, "the relay is stopping");
	list_remove(&c->link);
	map_destroy(&c->asked, NULL);
	mem_free(c->path);
	mem_free(c);
}

void account_dovecots_init(struct account_dovecots *pool, struct net_loop *loop)
{
	pool->loop = loop;
	list_init(&pool->clients);
}

void account_dovecots_fini(struct account_dovecots *pool)
{
	LIST_FOR_EACH_SAFE (position, &pool->clients)
		destroy(LIST_ENTRY(position, struct client, link));
}

/* A reload may have named another socket: the old one goes once it is idle. */
static struct client *find(struct account_dovecots *pool, const char *path)
{
	struct client *found = NULL;
	LIST_FOR_EACH_SAFE (position, &pool->clients) {
		struct client *c = LIST_ENTRY(position, struct client, link);
		if (strcmp(c->path, path) == 0)
			found = c;
		else if (map_count(c->asked) == 0)
			destroy(c);
	}
	return found != NULL ? found : create(pool, path);
}

enum account_check_result account_dovecot_ask(
    struct account_dovecots *pool, const char *path, const struct account_check_question *question)
{
	assert(question->reply_to != NULL);
	if (!account_password_is_possible(question->password))
		return ACCOUNT_CHECK_FAIL;
	return ask(find(pool, path), question);
}
