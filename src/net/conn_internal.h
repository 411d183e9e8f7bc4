/* SPDX-License-Identifier: MIT */
#ifndef FRANK_NET_CONN_INTERNAL_H
#define FRANK_NET_CONN_INTERNAL_H

/*
 * What the files of net/conn share: conn.c (life, facts, the pump), conn_stream.c (the socket),
 * conn_tls.c (records). Nobody else includes this, except loop.c for the two hooks at the end.
 *
 * Plain: socket → lent or in → owner → out → socket (what does not fit: sending).
 * TLS:   socket → cipher or wire_in → SSL → lent or in → owner
 *        owner → out → SSL → the loop's wire → socket (the rest: sending, then wire_out).
 */

#include "net/conn.h"

#include <openssl/ssl.h>

enum {
	CONN_KEEP_CAPACITY = 1024, /* an empty buffer larger than this is given back */
	CONN_WIRE_PIECE = 65536,   /* ciphertext made before the socket is asked */
	CONN_WIRE_MAX = 131072,    /* ceiling of ciphertext that waits, each way */
};

struct conn_tls {
	SSL *ssl;
	struct span cipher;  /* received, in the loop's read buffer: this call only */
	struct buf wire_in;  /* received, not decrypted: the plain input is full */
	struct buf wire_out; /* to be sent behind conn.sending */
	bool is_server;
	bool established;
	bool broken; /* after a fatal error the SSL may only be freed */
	bool more;   /* decrypting stopped because the plain input was full */
	bool notify_sent;
	bool ticket_waits; /* wire_out holds a session ticket and nothing that is urgent */
};

enum conn_phase {
	CONN_PHASE_OPEN,
	CONN_PHASE_FLUSHING,  /* closed by its owner: output on its way */
	CONN_PHASE_LINGERING, /* all sent: discards input until the peer ends */
	CONN_PHASE_ENDED,     /* uv_close() called */
};

struct conn {
	struct net_loop *loop;
	struct list link;  /* in loop->conns */
	struct list woken; /* in loop->woken */
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	uv_timer_t timer;
	union {
		uv_connect_t connect;
		uv_write_t write;
	} request;
	conn_ready_fn *on_ready;
	void *owner;

	struct span lent; /* plain input in a buffer of the loop: this call only */
	struct buf in, out, sending;
	size_t clear_left; /* bytes of out that go out before TLS */
	struct conn_tls *tls;

	struct net_address peer;
	char *peer_text;     /* made when asked for */
	struct fault *fault; /* the first one; a fact once failed is true */

	int64_t deadline_at; /* loop time; 0: none */
	int64_t deadline_ms; /* as it was set, for the sentence */
	int64_t timer_at;    /* the timer is due: at the deadline or earlier */
	size_t discarded;    /* while lingering */

	enum conn_phase phase;
	unsigned handles; /* not closed yet */
	bool news;        /* on_ready is owed */
	bool in_pump;
	bool connected;
	bool reading, paused;
	bool writing;     /* sending belongs to libuv */
	bool output_high; /* was above CONN_OUTPUT_LOW: tell when it is not */
	bool wire_eof, eof;
	bool failed, write_failed, deadline_passed;
	bool shut_wanted, shut_done;
	bool linger;
};

/* ---- conn.c ---- */

/* Records the first fault; the owner is told by the pump. */
void conn_fail(struct conn *c, enum fault_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* conn_pump() will be called in this turn or at once in the next; without owing an on_ready. */
void conn_queue(struct conn *c);
/* Everything that can be done now: decrypt, call the owner, flush, go on with closing. From the
   loop only. */
void conn_pump(struct conn *c);
/* Input for the owner, in a buffer of the loop. */
void conn_take_plain(struct conn *c, struct span bytes);
/* Ends a connection whose owner has closed it. */
void conn_end(struct conn *c);

/* ---- conn_stream.c ---- */

void conn_stream_open(struct conn *c, int fd);
void conn_stream_connect(struct conn *c, const struct net_address *source);
/* Reads or does not read, as buffers and facts want it. */
void conn_stream_adjust_reading(struct conn *c);
/* Sends as much of the first len bytes of b as the kernel takes; the rest goes to c->sending. Takes
   them off b. Not while c->writing. */
void conn_stream_send(struct conn *c, struct buf *b, size_t len);
void conn_stream_flush(struct conn *c);

/* ---- conn_tls.c ---- */

/* Received ciphertext, in the loop's read buffer. */
void conn_tls_take(struct conn *c, struct span cipher);
/* Goes on with the handshake or decrypts, until the plain input is full. */
void conn_tls_step(struct conn *c);
/* Keeps what is left of the loop's read buffer. */
void conn_tls_settle(struct conn *c);
/* Encrypts a piece of c->out and sends it. */
void conn_tls_flush(struct conn *c);
/* Sends what waits in wire_out, when the socket is free. */
void conn_tls_send(struct conn *c);
void conn_tls_destroy(struct conn *c);

/* ---- for loop.c ---- */

void conn_run_woken(struct list *woken);
/* Ends those that linger; all others must have been closed. */
void conn_cut_off_all(struct net_loop *loop);

#endif
