/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include "base/memory.h"
#include "base/moment.h"
#include "net/conn_internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum {
	FLUSH_MAX_MS = 10000, /* for output after conn_close() */
	LINGER_MAX_MS = 2000,
};

/* ---- birth and end ---- */

static void timer_fired(uv_timer_t *timer);

static struct conn *create(struct net_loop *loop, conn_ready_fn *on_ready, void *owner)
{
	struct conn *c = MEM_NEW(struct conn);

	c->loop = loop;
	c->on_ready = on_ready;
	c->owner = owner;
	buf_init(&c->in, CONN_INPUT_MAX);
	buf_init(&c->out, CONN_OUTPUT_MAX);
	buf_init(&c->sending, CONN_OUTPUT_MAX);
	uv_timer_init(&loop->uv, &c->timer);
	c->timer.data = c;
	list_append(&loop->conns, &c->link);
	loop->conn_count++;
	return c;
}

struct conn *conn_open(struct net_loop *loop, int fd, const struct net_address *peer,
    conn_ready_fn *on_ready, void *owner)
{
	struct conn *c = create(loop, on_ready, owner);
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);

	if (peer)
		c->peer = *peer;
	else if (getpeername(fd, (struct sockaddr *)&name, &len) == 0)
		net_address_set(&c->peer, (struct sockaddr *)&name, len);
	conn_stream_open(c, fd);
	conn_wake(c);
	return c;
}

struct conn *conn_connect(struct net_loop *loop, const struct net_address *to,
    const struct net_address *source, int64_t timeout_ms, conn_ready_fn *on_ready, void *owner)
{
	struct conn *c = create(loop, on_ready, owner);

	c->peer = *to;
	conn_set_deadline(c, timeout_ms);
	conn_stream_connect(c, source);
	return c;
}

void conn_set_owner(struct conn *c, conn_ready_fn *on_ready, void *owner)
{
	c->on_ready = on_ready;
	c->owner = owner;
}

static void handle_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	if (--c->handles > 0)
		return;
	c->loop->conn_count--;
	list_remove(&c->link);
	buf_fini(&c->in);
	buf_fini(&c->out);
	buf_fini(&c->sending);
	mem_free(c->peer_text);
	mem_free(c->fault);
	mem_free(c);
}

void conn_end(struct conn *c)
{
	if (c->phase == CONN_PHASE_ENDED)
		return;
	c->phase = CONN_PHASE_ENDED;
	if (list_is_linked(&c->woken))
		list_remove(&c->woken);
	conn_tls_destroy(c);
	c->handles = 2;
	uv_close(&c->uv.handle, handle_closed);
	uv_close((uv_handle_t *)&c->timer, handle_closed);
}

void conn_cut_off_all(struct net_loop *loop)
{
	LIST_FOR_EACH (position, &loop->conns) {
		struct conn *c = LIST_ENTRY(position, struct conn, link);

		assert(c->phase != CONN_PHASE_OPEN);
		conn_end(c);
	}
}

/* ---- closing ---- */

static bool output_is_gone(const struct conn *c)
{
	return c->out.len == 0 && !c->writing && (!c->tls || c->tls->wire_out.len == 0);
}

/* From conn_close() on: all output, FIN, then what linger wants. */
static void go_on_closing(struct conn *c)
{
	if (c->phase == CONN_PHASE_FLUSHING) {
		conn_stream_flush(c);
		if (c->failed || c->write_failed) {
			conn_end(c);
			return;
		}
		if (!output_is_gone(c))
			return;
		if (!c->linger || c->wire_eof) {
			conn_end(c);
			return;
		}
		c->phase = CONN_PHASE_LINGERING;
		conn_set_deadline(c, LINGER_MAX_MS);
		conn_stream_adjust_reading(c);
	} else if (c->phase == CONN_PHASE_LINGERING && (c->failed || c->wire_eof)) {
		conn_end(c);
	}
}

/* Under a handshake there is nothing that could still be said. */
static void drop_output_of_handshake(struct conn *c)
{
	if (c->tls && !c->tls->established)
		buf_truncate(&c->out, c->clear_left);
}

void conn_close(struct conn **connection, enum conn_close how)
{
	struct conn *c = *connection;
	bool unread;

	*connection = NULL;
	if (!c)
		return;
	assert(c->phase == CONN_PHASE_OPEN);
	unread = conn_input(c).len > 0;
	c->on_ready = NULL;
	c->owner = NULL;
	c->lent = span_of(NULL, 0);
	buf_fini(&c->in);
	c->phase = CONN_PHASE_FLUSHING;
	if (how == CONN_CLOSE_NOW || !c->connected || c->failed || c->write_failed) {
		conn_end(c);
		return;
	}
	drop_output_of_handshake(c);
	c->linger = how == CONN_CLOSE_LINGER || unread;
	c->shut_wanted = true;
	c->paused = false;
	conn_set_deadline(c, FLUSH_MAX_MS);
	go_on_closing(c);
}

/* ---- the pump ---- */

void conn_fail(struct conn *c, enum fault_kind kind, const char *format, ...)
{
	char text[sizeof(c->fault->text)];
	va_list arguments;

	if (!c->fault) {
		c->fault = MEM_NEW(struct fault);
		va_start(arguments, format);
		vsnprintf(text, sizeof(text), format, arguments);
		va_end(arguments);
		fault_set(c->fault, kind, "%s", text);
	}
	c->failed = true;
	conn_wake(c);
}

void conn_take_plain(struct conn *c, struct span bytes)
{
	bool fits = true;

	if (bytes.len == 0)
		return;
	if (c->in.len == 0)
		c->lent = bytes;
	else
		fits = buf_append(&c->in, bytes);
	assert(fits);
	if (!c->paused)
		c->news = true;
}

static void release_idle(struct buf *b)
{
	if (b->len == 0 && b->capacity > CONN_KEEP_CAPACITY)
		buf_release(b);
}

/* The buffers of the loop are needed by others: what the owner left is copied. */
static void settle(struct conn *c)
{
	if (c->lent.len) {
		buf_append(&c->in, c->lent);
		c->lent = span_of(NULL, 0);
	}
	release_idle(&c->in);
}

static void call_owner(struct conn *c)
{
	if (!c->news || !c->on_ready)
		return;
	c->news = false;
	c->on_ready(c, c->owner);
}

static bool has_more(const struct conn *c)
{
	return c->phase == CONN_PHASE_OPEN && c->tls && c->tls->more && !c->paused &&
	       c->in.len < CONN_INPUT_MAX / 2;
}

void conn_pump(struct conn *c)
{
	assert(!c->in_pump);
	c->in_pump = true;
	do {
		if (c->tls && c->phase == CONN_PHASE_OPEN)
			conn_tls_step(c);
		call_owner(c);
		settle(c);
	} while (has_more(c));
	if (c->tls)
		conn_tls_settle(c);
	c->in_pump = false;
	if (c->phase == CONN_PHASE_OPEN) {
		conn_stream_flush(c);
		conn_stream_adjust_reading(c);
	} else {
		go_on_closing(c);
	}
}

void conn_wake(struct conn *c)
{
	c->news = true;
	conn_queue(c);
}

void conn_queue(struct conn *c)
{
	if (!list_is_linked(&c->woken) && c->phase != CONN_PHASE_ENDED)
		list_append(&c->loop->woken, &c->woken);
}

void conn_run_woken(struct list *woken)
{
	conn_pump(LIST_ENTRY(woken, struct conn, woken));
}

/* ---- input and output ---- */

struct span conn_input(const struct conn *c)
{
	return c->lent.len ? c->lent : buf_span(&c->in);
}

void conn_consume(struct conn *c, size_t n)
{
	if (c->lent.len)
		c->lent = span_skip(c->lent, n);
	else
		buf_consume(&c->in, n);
	if (c->in_pump)
		return;
	release_idle(&c->in);
	if (has_more(c))
		conn_queue(c);
	conn_stream_adjust_reading(c);
}

void conn_pause(struct conn *c)
{
	c->paused = true;
}

void conn_resume(struct conn *c)
{
	if (!c->paused)
		return;
	c->paused = false;
	if (conn_input(c).len || has_more(c))
		conn_wake(c);
	conn_stream_adjust_reading(c);
}

struct buf *conn_output(struct conn *c)
{
	return &c->out;
}

void conn_flush(struct conn *c)
{
	conn_stream_flush(c);
}

size_t conn_output_pending(const struct conn *c)
{
	size_t pending = c->out.len;

	if (c->writing)
		pending += uv_stream_get_write_queue_size(&c->uv.stream);
	if (c->tls)
		pending += c->tls->wire_out.len;
	return pending;
}

size_t conn_output_room(const struct conn *c)
{
	size_t pending = conn_output_pending(c);

	return pending < CONN_OUTPUT_MAX ? CONN_OUTPUT_MAX - pending : 0;
}

void conn_shutdown(struct conn *c)
{
	c->shut_wanted = true;
	conn_stream_flush(c);
}

/* ---- facts ---- */

bool conn_connected(const struct conn *c)
{
	return c->connected;
}

bool conn_tls_active(const struct conn *c)
{
	return c->tls && c->tls->established;
}

bool conn_eof(const struct conn *c)
{
	return c->eof;
}

const struct fault *conn_fault(const struct conn *c)
{
	return c->failed ? c->fault : NULL;
}

const struct net_address *conn_peer(const struct conn *c)
{
	return &c->peer;
}

const char *conn_peer_text(const struct conn *c)
{
	struct conn *mine = (struct conn *)c;
	char text[NET_ADDRESS_TEXT_MAX];

	if (!c->peer_text)
		mine->peer_text = mem_strdup(net_address_format(&c->peer, text));
	return c->peer_text;
}

void conn_local(const struct conn *c, struct net_address *local_out)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	uv_os_fd_t fd;

	*local_out = (struct net_address){ .len = 0 };
	if (uv_fileno(&c->uv.handle, &fd) == 0 &&
	    getsockname(fd, (struct sockaddr *)&name, &len) == 0)
		net_address_set(local_out, (struct sockaddr *)&name, len);
}

/* ---- deadline ---- */

static void deadline_reached(struct conn *c)
{
	char duration[MOMENT_TEXT_MAX];

	moment_format_duration(c->deadline_ms, duration);
	c->deadline_at = 0;
	if (c->phase != CONN_PHASE_OPEN) {
		conn_end(c);
		return;
	}
	c->news = true;
	if (!c->connected)
		conn_fail(c, FAULT_TEMPORARY, "connection to %s timed out after %s",
		    conn_peer_text(c), duration);
	else if (c->tls && !c->tls->established)
		conn_fail(c, FAULT_TEMPORARY, "TLS handshake with %s timed out after %s",
		    conn_peer_text(c), duration);
	else
		c->deadline_passed = true;
	conn_pump(c);
}

static void arm(struct conn *c)
{
	int64_t now = net_loop_now_ms(c->loop);

	c->timer_at = c->deadline_at;
	uv_timer_start(
	    &c->timer, timer_fired, c->deadline_at > now ? (uint64_t)(c->deadline_at - now) : 0, 0);
}

/* The deadline may have moved since the timer was armed: most of them never come. */
static void timer_fired(uv_timer_t *timer)
{
	struct conn *c = timer->data;

	c->timer_at = 0;
	if (c->deadline_at == 0 || c->phase == CONN_PHASE_ENDED)
		return;
	if (c->deadline_at > net_loop_now_ms(c->loop))
		arm(c);
	else
		deadline_reached(c);
}

void conn_set_deadline(struct conn *c, int64_t timeout_ms)
{
	c->deadline_ms = timeout_ms;
	c->deadline_at = net_loop_now_ms(c->loop) + (timeout_ms > 0 ? timeout_ms : 0);
	c->deadline_passed = false;
	if (c->timer_at == 0 || c->deadline_at < c->timer_at)
		arm(c);
}

void conn_clear_deadline(struct conn *c)
{
	c->deadline_at = 0;
	c->deadline_passed = false;
}

bool conn_deadline_passed(const struct conn *c)
{
	return c->deadline_passed;
}
