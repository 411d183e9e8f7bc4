/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include "net/privilege.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct net_loop loop;

static bool in_call;

int harness_setup(void **state)
{
	struct fault fault;

	signal(SIGPIPE, SIG_IGN);
	alarm(60);
	assert_true(net_loop_init(&loop, NULL, NULL, NULL, &fault));
	return 0;
}

int harness_teardown(void **state)
{
	net_loop_fini(&loop);
	return 0;
}

void turn(void)
{
	uv_run(&loop.uv, UV_RUN_NOWAIT);
	sched_yield();
}

void idle_turns(void)
{
	for (int i = 0; i < 20; i++)
		uv_run(&loop.uv, UV_RUN_NOWAIT);
}

void end_init(struct end *e)
{
	*e = (struct end){ .c = NULL };
	buf_init(&e->got, GOT_MAX);
}

void end_fini(struct end *e)
{
	conn_close(&e->c, CONN_CLOSE_NOW);
	buf_fini(&e->got);
}

char pattern(size_t i)
{
	return (char)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

void assert_pattern(const struct buf *b, size_t len)
{
	struct span bytes = buf_span(b);
	size_t wrong = 0;

	assert_int_equal(bytes.len, len);
	for (size_t i = 0; i < len; i++)
		wrong += bytes.data[i] != pattern(i);
	assert_int_equal(wrong, 0);
}

static void send_pattern(struct end *e)
{
	char piece[8192];

	while (e->to_send && conn_output_room(e->c) >= sizeof(piece)) {
		size_t n = e->to_send < sizeof(piece) ? e->to_send : sizeof(piece);

		for (size_t i = 0; i < n; i++)
			piece[i] = pattern(e->sent + i);
		assert_true(buf_append(conn_output(e->c), span_of(piece, n)));
		e->sent += n;
		e->to_send -= n;
	}
}

static void note_facts(struct end *e)
{
	size_t input = conn_input(e->c).len, pending = conn_output_pending(e->c);

	e->input_seen_max = input > e->input_seen_max ? input : e->input_seen_max;
	e->pending_max = pending > e->pending_max ? pending : e->pending_max;
	e->eof = conn_eof(e->c);
	e->tls = conn_tls_active(e->c);
	if (conn_fault(e->c))
		snprintf(e->fault, sizeof(e->fault), "%s", conn_fault(e->c)->text);
}

void end_ready(struct conn *c, void *owner)
{
	struct end *e = owner;

	assert_false(in_call);
	in_call = true;
	e->c = c;
	e->calls++;
	if (e->react) {
		e->react(e);
		in_call = false;
		return;
	}
	if (!e->hold) {
		assert_true(buf_append(&e->got, conn_input(c)));
		if (e->echo)
			assert_true(buf_append(conn_output(c), conn_input(c)));
		conn_consume(c, conn_input(c).len);
	}
	send_pattern(e);
	note_facts(e);
	in_call = false;
}

void make_socketpair(int fds_out[2])
{
	int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

	assert_int_equal(socketpair(AF_UNIX, type, 0, fds_out), 0);
}

void open_pair(struct end *a, struct end *b)
{
	int fds[2];

	make_socketpair(fds);
	end_init(a);
	end_init(b);
	a->c = conn_open(&loop, fds[0], NULL, end_ready, a);
	b->c = conn_open(&loop, fds[1], NULL, end_ready, b);
}

int listen_on_loopback(struct net_address *address_out)
{
	struct fault fault;
	int fd;

	assert_true(net_address_parse(SPAN("127.0.0.1"), 0, address_out));
	assert_true(privilege_listen(address_out, 1, &fd, &fault));
	assert_int_equal(getsockname(fd, &address_out->any, &address_out->len), 0);
	return fd;
}

void open_tcp_pair(struct end *client, struct end *server)
{
	struct net_address address;
	int listening = listen_on_loopback(&address), fd = -1;

	end_init(client);
	end_init(server);
	client->c = conn_connect(&loop, &address, NULL, 10000, end_ready, client);
	UNTIL(conn_connected(client->c));
	fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fd >= 0);
	close(listening);
	server->c = conn_open(&loop, fd, NULL, end_ready, server);
}

void say(struct end *e, const char *text)
{
	assert_true(buf_append_string(conn_output(e->c), text));
	conn_flush(e->c);
}

void assert_got(const struct end *e, const char *text)
{
	assert_int_equal(e->got.len, strlen(text));
	assert_memory_equal(buf_span(&e->got).data, text, strlen(text));
}
