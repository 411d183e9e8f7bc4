/* SPDX-License-Identifier: MIT */
#include "net/conn_internal.h"

#include "base/memory.h"

#include <sys/socket.h>
#include <unistd.h>

enum { LINGER_MAX_BYTES = 1 << 20 };

/* ---- sentences ---- */

static void explain_loss(struct conn *c, int status)
{
	const char *peer = conn_peer_text(c);

	if (status == UV_ECONNRESET || status == UV_EPIPE)
		conn_fail(c, FAULT_TEMPORARY, "connection reset by peer (%s)", peer);
	else if (status == UV_ETIMEDOUT)
		conn_fail(c, FAULT_TEMPORARY, "connection lost: %s does not answer any more", peer);
	else
		conn_fail(
		    c, FAULT_TEMPORARY, "connection to %s lost: %s", peer, uv_strerror(status));
}

static void explain_connect(struct conn *c, int status)
{
	const char *peer = conn_peer_text(c);

	if (status == UV_ECONNREFUSED)
		conn_fail(c, FAULT_TEMPORARY, "connection to %s refused", peer);
	else if (status == UV_ETIMEDOUT)
		conn_fail(c, FAULT_TEMPORARY, "connection to %s timed out", peer);
	else if (status == UV_EMFILE || status == UV_ENFILE)
		conn_fail(c, FAULT_LOCAL, "cannot connect to %s: no file descriptors left", peer);
	else
		conn_fail(
		    c, FAULT_TEMPORARY, "connection to %s failed: %s", peer, uv_strerror(status));
}

/* ---- reading ---- */

static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer_out)
{
	struct conn *c = handle->data;
	size_t room = NET_LOOP_BUFFER_SIZE;

	if (!c->tls && c->phase == CONN_PHASE_OPEN)
		room = CONN_INPUT_MAX - c->in.len;
	*buffer_out = uv_buf_init(c->loop->read_buffer, (unsigned)room);
}

static void reading_ended(struct conn *c, int status)
{
	c->reading = false;
	c->wire_eof = true;
	if (status != UV_EOF)
		explain_loss(c, status);
	else if (c->write_failed)
		conn_fail(c, FAULT_TEMPORARY, "connection reset by peer (%s)", conn_peer_text(c));
	if (!c->tls) {
		c->eof = true;
		c->news = true;
	}
}

static void discard(struct conn *c, size_t len)
{
	c->discarded += len;
	if (c->discarded > LINGER_MAX_BYTES)
		conn_end(c);
}

static void received(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct conn *c = stream->data;

	if (n == 0 || c->phase == CONN_PHASE_ENDED)
		return;
	if (n < 0)
		reading_ended(c, (int)n);
	else if (c->phase != CONN_PHASE_OPEN)
		discard(c, (size_t)n);
	else if (c->tls)
		conn_tls_take(c, span_of(buffer->base, (size_t)n));
	else
		conn_take_plain(c, span_of(buffer->base, (size_t)n));
	conn_pump(c);
}

/* Whether unconsumed input leaves room for more. Once it did not, it must fall to half first: else
   every line consumed would cost a change of the kernel's watch. */
static bool has_room(const struct conn *c)
{
	size_t limit = c->reading ? CONN_INPUT_MAX : CONN_INPUT_MAX / 2 + 1;

	if (c->tls && (c->tls->more || c->tls->wire_in.len))
		return false;
	return c->in.len < limit;
}

static bool wants_reading(const struct conn *c)
{
	if (!c->connected || c->wire_eof || c->phase == CONN_PHASE_ENDED)
		return false;
	if (c->phase != CONN_PHASE_OPEN)
		return true;
	if (c->paused && conn_input(c).len)
		return false;
	return !c->failed && has_room(c);
}

void conn_stream_adjust_reading(struct conn *c)
{
	bool wanted = wants_reading(c);

	if (wanted == c->reading)
		return;
	c->reading = wanted;
	if (wanted)
		uv_read_start(&c->uv.stream, lend_buffer, received);
	else
		uv_read_stop(&c->uv.stream);
}

/* ---- writing ---- */

static bool peer_may_have_spoken(const struct conn *c, int status)
{
	return c->reading &&
	       (status == UV_EPIPE || status == UV_ECONNRESET || status == UV_ETIMEDOUT);
}

/* A peer that refuses often says why and closes: its last words stand behind the error, and
   reading goes on until its end, which then is the failure. */
static void writing_failed(struct conn *c, int status)
{
	c->write_failed = true;
	buf_clear(&c->out);
	c->clear_left = 0;
	if (c->tls)
		buf_clear(&c->tls->wire_out);
	if (peer_may_have_spoken(c, status))
		return;
	explain_loss(c, status);
}

static void written(uv_write_t *request, int status)
{
	struct conn *c = request->data;

	c->writing = false;
	buf_clear(&c->sending);
	buf_release(&c->sending);
	if (c->phase == CONN_PHASE_ENDED)
		return;
	if (status < 0 && !c->write_failed)
		writing_failed(c, status);
	conn_pump(c);
}

static void send_rest(struct conn *c)
{
	struct span rest = buf_span(&c->sending);
	uv_buf_t buffer = uv_buf_init((char *)rest.data, (unsigned)rest.len);
	int error;

	c->request.write.data = c;
	error = uv_write(&c->request.write, &c->uv.stream, &buffer, 1, written);
	if (error)
		writing_failed(c, error);
	else
		c->writing = true;
}

/* The bytes must not move while libuv has them: hence a buffer of their own, swapped rather than
   copied when it is all of b. */
static void set_aside(struct conn *c, struct buf *b, size_t len)
{
	struct buf empty;

	if (len == b->len && b == &c->out) {
		empty = c->sending;
		c->sending = c->out;
		c->out = empty;
		return;
	}
	buf_append(&c->sending, span_head(buf_span(b), len));
	buf_consume(b, len);
}

void conn_stream_send(struct conn *c, struct buf *b, size_t len)
{
	uv_buf_t buffer = uv_buf_init((char *)buf_span(b).data, (unsigned)len);
	int n = uv_try_write(&c->uv.stream, &buffer, 1);

	if (n < 0 && n != UV_EAGAIN) {
		buf_consume(b, len);
		writing_failed(c, n);
		return;
	}
	n = n < 0 ? 0 : n;
	buf_consume(b, (size_t)n);
	if ((size_t)n == len)
		return;
	set_aside(c, b, len - (size_t)n);
	send_rest(c);
}

static void flush_clear(struct conn *c)
{
	size_t len = c->tls ? c->clear_left : c->out.len;

	c->clear_left = 0;
	conn_stream_send(c, &c->out, len);
	if (c->tls)
		conn_queue(c); /* the handshake waited for this */
}

static void finish_sending(struct conn *c)
{
	uv_os_fd_t fd;

	c->shut_done = true;
	/* Without lingering, close() itself sends the FIN. */
	if ((c->phase == CONN_PHASE_OPEN || c->linger) && uv_fileno(&c->uv.handle, &fd) == 0)
		shutdown(fd, SHUT_WR);
}

static void note_drained(struct conn *c)
{
	if (!c->output_high || conn_output_pending(c) > CONN_OUTPUT_LOW)
		return;
	c->output_high = false;
	if (c->phase == CONN_PHASE_OPEN)
		conn_wake(c);
}

void conn_stream_flush(struct conn *c)
{
	if (c->failed || c->write_failed || c->shut_done) {
		buf_clear(&c->out);
		buf_release(&c->out);
		return;
	}
	if (!c->connected || c->phase == CONN_PHASE_ENDED)
		return;
	if (conn_output_pending(c) > CONN_OUTPUT_LOW)
		c->output_high = true;
	while (!c->writing && !c->write_failed && c->out.len && (!c->tls || c->clear_left))
		flush_clear(c);
	if (c->tls && !c->clear_left)
		conn_tls_flush(c);
	if (c->shut_wanted && !c->writing && !c->write_failed && c->out.len == 0)
		finish_sending(c);
	if (c->out.len == 0 && c->out.capacity > CONN_KEEP_CAPACITY)
		buf_release(&c->out);
	note_drained(c);
}

/* ---- making the stream ---- */

void conn_stream_open(struct conn *c, int fd)
{
	struct sockaddr_storage name = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(name);
	int error;

	if (c->peer.len)
		name.ss_family = c->peer.any.sa_family;
	else
		getsockname(fd, (struct sockaddr *)&name, &len);
	if (name.ss_family == AF_UNIX) {
		uv_pipe_init(&c->loop->uv, &c->uv.pipe, 0);
		error = uv_pipe_open(&c->uv.pipe, fd);
	} else {
		uv_tcp_init(&c->loop->uv, &c->uv.tcp);
		error = uv_tcp_open(&c->uv.tcp, fd);
	}
	c->uv.handle.data = c;
	if (error) {
		close(fd);
		conn_fail(
		    c, FAULT_LOCAL, "cannot use an accepted connection: %s", uv_strerror(error));
		return;
	}
	c->connected = true;
	conn_stream_adjust_reading(c);
}

static void connect_done(uv_connect_t *request, int status)
{
	struct conn *c = request->data;

	if (c->phase == CONN_PHASE_ENDED)
		return;
	if (status < 0) {
		explain_connect(c, status);
	} else {
		c->connected = true;
		c->news = true;
		conn_clear_deadline(c);
	}
	conn_pump(c);
}

static int connect_tcp(struct conn *c, const struct net_address *source)
{
	char text[NET_ADDRESS_TEXT_MAX];
	int error = 0;

	uv_tcp_nodelay(&c->uv.tcp, 1);
	if (source && source->len)
		error = uv_tcp_bind(&c->uv.tcp, &source->any, 0);
	if (error) {
		conn_fail(c, FAULT_LOCAL, "cannot use %s as source address: %s",
		    net_address_format_host(source, text), uv_strerror(error));
		return 0;
	}
	return uv_tcp_connect(&c->request.connect, &c->uv.tcp, &c->peer.any, connect_done);
}

void conn_stream_connect(struct conn *c, const struct net_address *source)
{
	bool local = c->peer.len && c->peer.any.sa_family == AF_UNIX;
	int error = 0;

	c->request.connect.data = c;
	if (local)
		uv_pipe_init(&c->loop->uv, &c->uv.pipe, 0);
	else
		uv_tcp_init(&c->loop->uv, &c->uv.tcp);
	c->uv.handle.data = c;
	if (local)
		uv_pipe_connect(
		    &c->request.connect, &c->uv.pipe, c->peer.local.sun_path, connect_done);
	else
		error = connect_tcp(c, source);
	if (error)
		explain_connect(c, error);
}
