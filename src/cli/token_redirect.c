/* SPDX-License-Identifier: MIT */
#include "cli/token_redirect.h"

#include "base/memory.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define REQUEST_MAX 16384
#define REQUEST_MS 10000
#define VISITORS_MAX 16
#define FAMILIES 2 /* "localhost" is ::1 for some browsers */

struct visitor {
	struct list link;
	struct token_redirect *redirect;
	struct conn *conn;
};

struct token_redirect {
	struct net_loop *loop;
	token_redirect_fn *on_address;
	void *owner;
	int fds[FAMILIES];
	struct listener *listeners[FAMILIES];
	struct list visitors;
	unsigned visitor_count;
	uv_poll_t *input; /* standard input, or NULL */
	struct buf typed; /* secret: a code is in it */
};

/* ---- a browser ---- */

static void leave(struct visitor *v, enum conn_close how)
{
	conn_close(&v->conn, how);
	list_remove(&v->link);
	v->redirect->visitor_count--;
	mem_free(v);
}

static void show_page(struct conn *conn, const char *status, const char *text)
{
	buf_printf(conn_output(conn),
	    "HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"
	    "Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
	    "<!doctype html><title>frank</title><p>%s</p>\n",
	    status, text);
}

/* "GET /?code=… HTTP/1.1" */
static void answer(struct visitor *v, struct span request)
{
	struct token_redirect *redirect = v->redirect;
	struct span line, method, target = { 0 };

	if (!span_take_until(&request, '\r', &line) || !span_take_word(&line, &method) ||
	    !span_take_word(&line, &target) || !span_equal(method, SPAN("GET")))
		show_page(v->conn, "400 Bad Request", "That was no GET request.");
	else if (span_find(target, '?') == target.len)
		show_page(v->conn, "404 Not Found", "There is nothing here.");
	else if (redirect->on_address(target, redirect->owner))
		show_page(v->conn, "200 OK",
		    "frank has the answer. Close this window and look at the terminal.");
	else
		show_page(v->conn, "400 Bad Request",
		    "This is no answer to the sign-in that frank waits for.");
}

static void pump(struct conn *conn, void *owner)
{
	struct visitor *v = owner;
	struct span input = conn_input(conn);

	if (conn_fault(conn) || conn_deadline_passed(conn) || input.len > REQUEST_MAX) {
		leave(v, CONN_CLOSE_NOW);
	} else if (span_find_span(input, SPAN("\r\n\r\n")) < input.len) {
		answer(v, input);
		conn_consume(conn, input.len);
		leave(v, CONN_CLOSE_LINGER);
	} else if (conn_eof(conn)) {
		leave(v, CONN_CLOSE_NOW);
	}
}

static void on_accept(int fd, const struct net_address *peer, void *owner)
{
	struct token_redirect *redirect = owner;
	struct visitor *v;

	if (redirect->visitor_count == VISITORS_MAX) {
		close(fd);
		return;
	}
	v = MEM_NEW(struct visitor);
	v->redirect = redirect;
	v->conn = conn_open(redirect->loop, fd, peer, pump, v);
	conn_set_deadline(v->conn, REQUEST_MS);
	list_append(&redirect->visitors, &v->link);
	redirect->visitor_count++;
}

/* ---- what is pasted ---- */

static void free_closed(uv_handle_t *handle)
{
	mem_free(handle);
}

static void stop_reading(struct token_redirect *redirect)
{
	if (!redirect->input)
		return;
	uv_poll_stop(redirect->input);
	uv_close((uv_handle_t *)redirect->input, free_closed);
	redirect->input = NULL;
}

static void take_lines(struct token_redirect *redirect)
{
	for (;;) {
		struct span text = buf_span(&redirect->typed);
		size_t end = span_find(text, '\n');
		struct span line = span_trim(span_head(text, end));
		if (end == text.len)
			return;
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		if (line.len > 0)
			redirect->on_address(line, redirect->owner);
		buf_consume(&redirect->typed, end + 1);
	}
}

static void on_input(uv_poll_t *handle, int status, int events)
{
	struct token_redirect *redirect = handle->data;
	char *room = buf_reserve(&redirect->typed, 1024);
	ssize_t n = room ? read(STDIN_FILENO, room, 1024) : 0;

	(void)events;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (status < 0 || n <= 0) {
		stop_reading(redirect);
		return;
	}
	buf_commit(&redirect->typed, (size_t)n);
	take_lines(redirect);
}

/* A file, or /dev/null, cannot be waited for: nobody types there. */
static void start_reading(struct token_redirect *redirect)
{
	uv_poll_t *input = MEM_NEW(uv_poll_t);
	int flags = fcntl(STDIN_FILENO, F_GETFL);

	if (uv_poll_init(&redirect->loop->uv, input, STDIN_FILENO) != 0) {
		mem_free(input);
		return;
	}
	/* libuv has made it non-blocking, and it may be shared with a shell. */
	if (flags >= 0)
		fcntl(STDIN_FILENO, F_SETFL, flags);
	input->data = redirect;
	redirect->input = input;
	uv_poll_start(input, UV_READABLE, on_input);
}

/* ---- life ---- */

static bool listen_on(struct token_redirect *redirect, size_t family, const char *host,
    uint16_t *port, struct fault *fault_out)
{
	struct listener_handler handler = { .on_accept = on_accept, .owner = redirect };
	struct sockaddr_storage bound;
	struct net_address address;
	socklen_t len = sizeof(bound);

	if (!net_address_parse(span_from_string(host), *port, &address) ||
	    !privilege_listen(&address, 1, &redirect->fds[family], fault_out))
		return false;
	if (getsockname(redirect->fds[family], (struct sockaddr *)&bound, &len) == 0) {
		net_address_set(&address, (struct sockaddr *)&bound, len);
		*port = net_address_port(&address);
	}
	redirect->listeners[family] =
	    listener_open(redirect->loop, redirect->fds[family], &handler, fault_out);
	return redirect->listeners[family] != NULL;
}

struct token_redirect *token_redirect_open(struct net_loop *loop, uint16_t port,
    token_redirect_fn *on_address, void *owner, uint16_t *port_out, struct fault *fault_out)
{
	struct token_redirect *redirect = MEM_NEW(struct token_redirect);
	struct fault no_matter;

	redirect->loop = loop;
	redirect->on_address = on_address;
	redirect->owner = owner;
	redirect->fds[0] = redirect->fds[1] = -1;
	list_init(&redirect->visitors);
	buf_init_secret(&redirect->typed, REQUEST_MAX);
	if (!listen_on(redirect, 0, "127.0.0.1", &port, fault_out)) {
		token_redirect_close(&redirect);
		return NULL;
	}
	listen_on(redirect, 1, "::1", &port, &no_matter);
	start_reading(redirect);
	*port_out = port;
	return redirect;
}

void token_redirect_close(struct token_redirect **redirect)
{
	struct token_redirect *gone = *redirect;

	*redirect = NULL;
	if (!gone)
		return;
	stop_reading(gone);
	LIST_FOR_EACH_SAFE (position, &gone->visitors)
		leave(LIST_ENTRY(position, struct visitor, link), CONN_CLOSE_NOW);
	for (size_t i = 0; i < FAMILIES; i++) {
		listener_close(&gone->listeners[i]);
		if (gone->fds[i] >= 0)
			close(gone->fds[i]);
	}
	buf_fini(&gone->typed);
	mem_free(gone);
}
