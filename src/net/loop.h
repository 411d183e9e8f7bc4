/* SPDX-License-Identifier: MIT */
#ifndef FRANK_NET_LOOP_H
#define FRANK_NET_LOOP_H

/*
 * An event loop for one thread. A turn is: due timers, then the connections that were woken, then
 * the end-of-turn hook, then waiting for the kernel and the callbacks of what it reports (input,
 * accepted connections, mail). The clock is read once a turn. All functions but
 * mailbox_post(&loop->mailbox, …) belong to the thread that runs the loop.
 *
 * The process must ignore SIGPIPE (signal(SIGPIPE, SIG_IGN) in main, before the first thread).
 */

#include "base/fault.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/buf.h"

#include <uv.h>

#define NET_LOOP_BUFFER_SIZE 65536

struct net_loop {
	uv_loop_t uv;
	struct mailbox mailbox; /* from any thread */
	void (*on_mail)(struct mailbox_item *item, void *owner);
	void (*on_turn_end)(void *owner);
	void *owner;

	/* The rest is for the modules of this folder. */
	uv_async_t mail_wake;
	uv_prepare_t turn;
	uv_idle_t no_wait;        /* active while woken connections are left over */
	struct list conns, woken; /* of struct conn */
	uint64_t wall_read_at;
	int64_t wall_ms;
	size_t conn_count; /* those that are closing included */
	char *read_buffer; /* shared by all connections: NET_LOOP_BUFFER_SIZE each */
	char *plain_buffer;
	struct buf wire; /* ciphertext on its way out, empty between calls */
};

/*
 * on_mail gets each posted item once, in the order of posting, and owns it; it may be NULL when
 * nothing is ever posted. on_turn_end (may be NULL) is called once a turn, just before the loop
 * waits, and once more when net_loop_run() ends: the place to post a turn's chains to other
 * threads. False when the system refuses the descriptors (FAULT_LOCAL).
 */
bool net_loop_init(struct net_loop *loop, void (*on_mail)(struct mailbox_item *item, void *owner),
    void (*on_turn_end)(void *owner), void *owner, struct fault *fault_out);

/* Everything opened in the loop must have been closed before; runs until the close events are
   through, so connections that still linger after conn_close() are cut off. */
void net_loop_fini(struct net_loop *loop);

/* Until net_loop_stop(). */
void net_loop_run(struct net_loop *loop);
void net_loop_stop(struct net_loop *loop); /* from a callback of this loop */

/* Milliseconds, monotonic, as of this turn; the clock of moment_monotonic_ms(). */
static inline int64_t net_loop_now_ms(const struct net_loop *loop)
{
	return (int64_t)uv_now(&loop->uv);
}

/* Wall milliseconds as of this turn. */
int64_t net_loop_wall_ms(struct net_loop *loop);

/*
 * A one-shot timer that stands inside its owner. The callback may start it again or fini it. The
 * owner's memory may go as soon as net_timer_fini() has returned.
 */
struct net_timer {
	uv_timer_t *uv;
	void (*on_fire)(void *owner);
	void *owner;
};

void net_timer_init(
    struct net_timer *timer, struct net_loop *loop, void (*on_fire)(void *owner), void *owner);
void net_timer_start(struct net_timer *timer, int64_t delay_ms); /* anew when running */
void net_timer_stop(struct net_timer *timer);
bool net_timer_is_running(const struct net_timer *timer);
void net_timer_fini(struct net_timer *timer); /* also after a mere zeroing */

#endif
