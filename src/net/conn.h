/* SPDX-License-Identifier: MIT */
#ifndef FRANK_NET_CONN_H
#define FRANK_NET_CONN_H

/*
 * A connection: a TCP or unix stream in one loop, with its buffers and its TLS. The owner sees
 * plain bytes: what came (conn_input, conn_consume) and what shall go (conn_output), and a few
 * facts. It has one callback, on_ready: "something changed, pump". It is called for new input,
 * output that has drained, the connection made, TLS established, the end of the peer's sending, a
 * failure, a deadline that has passed, after conn_wake(), and once after birth. It is called by the
 * loop only, never from inside a call of the owner's, and not again after conn_close().
 *
 * A pump looks like this:
 *
 *	if (conn_fault(c) != NULL || conn_deadline_passed(c)) → give up
 *	while there is conn_input(c): feed the machine, conn_consume(c, what it took)
 *	append to conn_output(c)		(sent when on_ready returns, as one write)
 *	if (conn_eof(c)) → nothing more will come than conn_input(c) shows
 *
 * Outside on_ready (mail, timers) the owner may do the same, and then calls conn_flush() itself.
 *
 * Back-pressure: unconsumed input is kept up to CONN_INPUT_MAX, then reading stops and TCP does the
 * rest. An owner that appends much asks conn_output_room() first and goes on at the next on_ready.
 * What is idle holds no buffers: under 2 KiB a plain connection, about 14 KiB under TLS.
 */

#include "base/buf.h"
#include "base/fault.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/tls.h"

#define CONN_INPUT_MAX 65536
#define CONN_OUTPUT_MAX 262144 /* ceiling of conn_output() */
#define CONN_OUTPUT_LOW 32768  /* drained: on_ready once no more than this is pending */

struct conn;

typedef void conn_ready_fn(struct conn *c, void *owner);

/* From an accepted (or socketpair) descriptor, which the connection takes; it must be non-blocking
   and close-on-exec. peer may be NULL: then the system is asked. */
struct conn *conn_open(struct net_loop *loop, int fd, const struct net_address *peer,
    conn_ready_fn *on_ready, void *owner);

/* Connects to an address or a unix path. source (may be NULL) is the local address to use; its port
   is usually 0. Failure, also that of timeout_ms passing, is told through on_ready and
   conn_fault(). Output may be appended at once. */
struct conn *conn_connect(struct net_loop *loop, const struct net_address *to,
    const struct net_address *source, int64_t timeout_ms, conn_ready_fn *on_ready, void *owner);

/* Hands the connection to another owner in the same loop. */
void conn_set_owner(struct conn *c, conn_ready_fn *on_ready, void *owner);

/* ---- input ---- */

/* What has come and is not consumed. Valid until conn_consume(), conn_tls_*(), conn_close() or the
   end of the callback. Bytes left over are kept and shown again, in front of what comes. */
struct span conn_input(const struct conn *c);
void conn_consume(struct conn *c, size_t n); /* n <= conn_input(c).len */

/* While paused, on_ready is not called for input, and reading stops as soon as more comes than has
   been shown. conn_resume() brings an on_ready if input waits. Facts are still reported. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

/* on_ready will be called in this turn, or at once in the next. */
void conn_wake(struct conn *c);

/* ---- output ---- */

/* Append here. An append past CONN_OUTPUT_MAX fails, as with any buf. After a failure, or after
   conn_shutdown(), what is appended is thrown away. */
struct buf *conn_output(struct conn *c);

/* Sends now what can be sent; the rest follows by itself. Done after each on_ready. */
void conn_flush(struct conn *c);

size_t conn_output_pending(const struct conn *c); /* bytes not yet taken by the kernel */
size_t conn_output_room(const struct conn *c);    /* how much may be appended at least */

/* Ends our sending half once all output is sent (under TLS with close_notify). */
void conn_shutdown(struct conn *c);

/* ---- facts ---- */

bool conn_connected(const struct conn *c);
bool conn_tls_active(const struct conn *c); /* the handshake is done, and as policy wants it */
/* The peer has ended its sending, and conn_input() is all that is left of it. Output still goes. */
bool conn_eof(const struct conn *c);
/* Why the connection is of no more use: NULL while it is. Input that came before the failure is
   shown first. The sentence is complete: "connection to 192.0.2.1:25 refused". */
const struct fault *conn_fault(const struct conn *c);

const struct net_address *conn_peer(const struct conn *c);
const char *conn_peer_text(const struct conn *c); /* "192.0.2.1:25"; lives as long as c */
void conn_local(const struct conn *c, struct net_address *local_out); /* asks the system */

/* ---- deadline ---- */

/* One at a time, replacing the one before; cheap enough for every command. When it passes,
   conn_deadline_passed() is true, on_ready is called once, and nothing else happens; setting or
   clearing it makes the fact false again. But passing while connecting or during a TLS handshake
   is a failure of the connection. */
void conn_set_deadline(struct conn *c, int64_t timeout_ms);
void conn_clear_deadline(struct conn *c);
bool conn_deadline_passed(const struct conn *c);

/* ---- TLS ---- */

/*
 * Starts TLS as server or client: at once after birth (implicit TLS), or after the reply to
 * STARTTLS has been appended to the output (server) or the 220 was consumed (client). Output
 * appended before goes out in clear, output appended afterwards is encrypted once TLS is up. Plain
 * input that was received and not consumed is discarded, and its length returned: anything but 0 is
 * an attempt to inject commands (RFC 3207, 6). The context is referenced while the connection
 * lives. on_ready is called when conn_tls_active() becomes true, or with a fault. Set a deadline.
 *
 * name (client) is what the certificate must be for, a DNS name or an IP address; a DNS name is
 * also sent as SNI. Sessions are resumed per context, peer address and name.
 */
size_t conn_tls_accept(struct conn *c, struct tls_server_context *context);
/* As conn_tls_accept(), where the input that is not consumed is TLS already: behind the header of a
   proxy. */
void conn_tls_accept_input(struct conn *c, struct tls_server_context *context);
size_t conn_tls_connect(struct conn *c, struct tls_client_context *context, const char *name);

struct conn_tls_info {
	const char *version; /* "TLSv1.3" */
	const char *cipher;  /* "TLS_AES_256_GCM_SHA384" */
	int cipher_bits;
	bool resumed;
	bool peer_certificate;      /* there was one, now or in the session resumed */
	bool verified;              /* chain and name are good; never true for another reason */
	const char *verify_problem; /* why the certificate is not good: a sentence, or NULL */
	bool certificate_shown;     /* ours, to the server that asked for it (client only) */
};

/* False until conn_tls_active(). Strings live as long as c. */
bool conn_tls_info(const struct conn *c, struct conn_tls_info *info_out);

/* Server: whose certificate the client has shown, when it is one of the client-CA's
   (net/identity.h). False with a sentence: none was asked for or shown, it is not good, or it is
   not for wanted. */
bool conn_client_identity(
    const struct conn *c, struct span wanted, struct buf *name_out, struct fault *fault_out);

#define CONN_CHANNEL_BINDING_MAX 64 /* octets of either */

/*
 * What binds a login to this very TLS connection (RFC 5056), for SASL's -PLUS mechanisms; either is
 * appended where it can be had: tls-exporter from TLS 1.3 on (RFC 9266), tls-unique below (RFC
 * 5929, 3: the first Finished message, which on a resumed session is the server's). tls-unique is
 * left out without the extended master secret (RFC 7627), as two connections can then share it.
 * Both stay as they are without TLS.
 */
void conn_channel_binding(
    const struct conn *c, struct buf *tls_exporter_out, struct buf *tls_unique_out);

/* ---- end ---- */

enum conn_close {
	/* Sends all output, close_notify and FIN, then reads and discards for a short while: a
	   reset caused by unread input would destroy our last reply on its way. For the side that
	   ends the conversation. */
	CONN_CLOSE_LINGER,
	/* Sends all output and closes. Cheaper; right after QUIT, when the peer has nothing to say.
	   Lingers all the same when unconsumed input shows that it has. */
	CONN_CLOSE_FLUSH,
	CONN_CLOSE_NOW, /* what was not sent is lost */
};

/* Clears the pointer. The owner is not called again and may go; the rest happens by itself, within
   bounded time (10 s for output, 2 s of lingering) and memory. NULL is accepted. */
void conn_close(struct conn **c, enum conn_close how);

#endif
