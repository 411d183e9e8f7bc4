/* SPDX-License-Identifier: MIT */
#include "net/loop.h"

#include "base/memory.h"
#include "base/moment.h"
#include "net/conn_internal.h"

#include <assert.h>

enum { WIRE_MAX = 4 * NET_LOOP_BUFFER_SIZE };

/* ---- mail ---- */

static void wake_from_any_thread(void *context)
{
	struct net_loop *loop = context;

	uv_async_send(&loop->mail_wake);
}

static void take_mail(uv_async_t *wake)
{
	struct net_loop *loop = wake->data;
	struct mailbox_item *item = mailbox_take(&loop->mailbox);

	while (item) {
		struct mailbox_item *next = item->next;

		assert(loop->on_mail);
		loop->on_mail(item, loop->owner);
		item = next;
	}
}

/* ---- turns ---- */

static void do_not_wait(uv_idle_t *idle)
{
	/* An active idle handle is what makes libuv poll without waiting. */
}

/* Those woken from here on are for the next turn, so that two connections that wake each other
   do not starve the kernel's events. */
static void run_woken(struct net_loop *loop)
{
	struct list now, *link;

	if (list_is_empty(&loop->woken))
		return;
	list_init(&now);
	list_insert_before(loop->woken.next, &now);
	list_remove(&loop->woken);
	list_init(&loop->woken);
	while ((link = list_take_first(&now)))
		conn_run_woken(link);
}

static void end_turn(uv_prepare_t *turn)
{
	struct net_loop *loop = turn->data;

	run_woken(loop);
	if (loop->on_turn_end)
		loop->on_turn_end(loop->owner);
	if (list_is_empty(&loop->woken))
		uv_idle_stop(&loop->no_wait);
	else
		uv_idle_start(&loop->no_wait, do_not_wait);
}

/* ---- life ---- */

static void init_handles(struct net_loop *loop)
{
	uv_prepare_init(&loop->uv, &loop->turn);
	uv_idle_init(&loop->uv, &loop->no_wait);
	loop->mail_wake.data = loop->turn.data = loop->no_wait.data = loop;
	uv_prepare_start(&loop->turn, end_turn);
}

bool net_loop_init(struct net_loop *loop, void (*on_mail)(struct mailbox_item *item, void *owner),
    void (*on_turn_end)(void *owner), void *owner, struct fault *fault_out)
{
	int error;

	*loop = (struct net_loop){ .on_mail = on_mail, .on_turn_end = on_turn_end, .owner = owner };
	error = uv_loop_init(&loop->uv);
	if (error == 0) {
		error = uv_async_init(&loop->uv, &loop->mail_wake, take_mail);
		if (error)
			uv_loop_close(&loop->uv);
	}
	if (error) {
		fault_set(
		    fault_out, FAULT_LOCAL, "cannot make an event loop: %s", uv_strerror(error));
		return false;
	}
	init_handles(loop);
	mailbox_init(&loop->mailbox, wake_from_any_thread, loop);
	list_init(&loop->woken);
	list_init(&loop->conns);
	loop->read_buffer = mem_alloc(NET_LOOP_BUFFER_SIZE);
	loop->plain_buffer = mem_alloc(NET_LOOP_BUFFER_SIZE);
	buf_init(&loop->wire, WIRE_MAX);
	return true;
}

static void assert_closing(uv_handle_t *handle, void *argument)
{
	assert(uv_is_closing(handle));
}

void net_loop_fini(struct net_loop *loop)
{
	int error;

	if (!loop->read_buffer)
		return;
	conn_cut_off_all(loop);
	uv_close((uv_handle_t *)&loop->mail_wake, NULL);
	uv_close((uv_handle_t *)&loop->turn, NULL);
	uv_close((uv_handle_t *)&loop->no_wait, NULL);
	uv_walk(&loop->uv, assert_closing, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	error = uv_loop_close(&loop->uv);
	assert(error == 0 && loop->conn_count == 0);
	mailbox_fini(&loop->mailbox);
	buf_fini(&loop->wire);
	mem_wipe(loop->read_buffer, NET_LOOP_BUFFER_SIZE);
	mem_wipe(loop->plain_buffer, NET_LOOP_BUFFER_SIZE);
	mem_free(loop->read_buffer);
	mem_free(loop->plain_buffer);
	loop->read_buffer = loop->plain_buffer = NULL;
}

void net_loop_run(struct net_loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	if (loop->on_turn_end)
		loop->on_turn_end(loop->owner);
}

void net_loop_stop(struct net_loop *loop)
{
	uv_stop(&loop->uv);
}

int64_t net_loop_wall_ms(struct net_loop *loop)
{
	uint64_t now = uv_now(&loop->uv);

	if (loop->wall_read_at != now || loop->wall_ms == 0) {
		loop->wall_read_at = now;
		loop->wall_ms = moment_wall_ms();
	}
	return loop->wall_ms;
}

/* ---- timers ---- */

static void timer_fired(uv_timer_t *uv)
{
	struct net_timer *timer = uv->data;

	timer->on_fire(timer->owner);
}

static void timer_closed(uv_handle_t *handle)
{
	mem_free(handle);
}

void net_timer_init(
    struct net_timer *timer, struct net_loop *loop, void (*on_fire)(void *owner), void *owner)
{
	*timer = (struct net_timer){ .on_fire = on_fire, .owner = owner };
	timer->uv = MEM_NEW(uv_timer_t);
	uv_timer_init(&loop->uv, timer->uv);
	timer->uv->data = timer;
}

void net_timer_start(struct net_timer *timer, int64_t delay_ms)
{
	uv_timer_start(timer->uv, timer_fired, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

void net_timer_stop(struct net_timer *timer)
{
	if (timer->uv)
		uv_timer_stop(timer->uv);
}

bool net_timer_is_running(const struct net_timer *timer)
{
	return timer->uv && uv_is_active((const uv_handle_t *)timer->uv);
}

void net_timer_fini(struct net_timer *timer)
{
	if (!timer->uv)
		return;
	uv_close((uv_handle_t *)timer->uv, timer_closed);
	timer->uv = NULL;
}
