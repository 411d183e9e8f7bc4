/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "relay/inbox.h"

#include <pthread.h>

#define POSTED 1000

struct letter {
	struct mailbox_item item;
	unsigned number;
};

struct receiver {
	uv_loop_t loop;
	struct inbox inbox;
	unsigned got;
	pthread_t thread;
	bool repost;
};

static void on_item(struct mailbox_item *item, void *owner)
{
	struct receiver *r = owner;
	struct letter *letter = (struct letter *)item;

	assert_int_equal(letter->number, r->got);
	assert_true(pthread_equal(pthread_self(), r->thread));
	r->got++;
	if (r->repost && r->got < 10) {
		letter->number = r->got;
		mailbox_post(&r->inbox.box, &letter->item);
		return;
	}
	mem_free(letter);
	if (r->got == POSTED)
		uv_stop(&r->loop);
}

static void begin(struct receiver *r)
{
	*r = (struct receiver){ .thread = pthread_self() };
	assert_int_equal(uv_loop_init(&r->loop), 0);
	inbox_init(&r->inbox, &r->loop, on_item, r);
}

static void end(struct receiver *r)
{
	inbox_close(&r->inbox);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&r->loop), 0);
}

static void post(struct receiver *r, unsigned number)
{
	struct letter *letter = MEM_NEW(struct letter);

	letter->number = number;
	mailbox_post(&r->inbox.box, &letter->item);
}

static void *post_all(void *argument)
{
	for (unsigned i = 0; i < POSTED; i++)
		post(argument, i);
	return NULL;
}

static void test_what_another_thread_posts_comes_in_order_in_the_loop(void **state)
{
	struct receiver r;
	pthread_t other;

	begin(&r);
	assert_int_equal(pthread_create(&other, NULL, post_all, &r), 0);
	uv_run(&r.loop, UV_RUN_DEFAULT);
	pthread_join(other, NULL);
	assert_int_equal(r.got, POSTED);
	end(&r);
}

static void test_what_is_left_at_the_end_is_given_too(void **state)
{
	struct receiver r;

	begin(&r);
	for (unsigned i = 0; i < 5; i++)
		post(&r, i);
	end(&r);
	assert_int_equal(r.got, 5);
}

static void test_an_item_may_be_posted_again_while_it_is_taken(void **state)
{
	struct receiver r;

	begin(&r);
	r.repost = true;
	post(&r, 0);
	for (unsigned i = 0; i < 20; i++)
		inbox_drain(&r.inbox);
	assert_int_equal(r.got, 10);
	end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_another_thread_posts_comes_in_order_in_the_loop),
		cmocka_unit_test(test_what_is_left_at_the_end_is_given_too),
		cmocka_unit_test(test_an_item_may_be_posted_again_while_it_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
