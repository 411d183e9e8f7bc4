/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/moment.h"
#include "net/loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { LETTERS = 1000 };

struct letter {
	struct mailbox_item item;
	int number;
};

static struct net_loop loop;
static int received, turn_ends, fired;

static void on_mail(struct mailbox_item *item, void *owner)
{
	struct letter *letter = CONTAINER_OF(item, struct letter, item);

	assert_ptr_equal(owner, &loop);
	assert_int_equal(letter->number, received);
	free(letter);
	if (++received == LETTERS)
		net_loop_stop(&loop);
}

static void on_turn_end(void *owner)
{
	turn_ends++;
}

static int setup(void **state)
{
	struct fault fault;

	alarm(60);
	received = turn_ends = fired = 0;
	assert_true(net_loop_init(&loop, on_mail, on_turn_end, &loop, &fault));
	return 0;
}

static int teardown(void **state)
{
	net_loop_fini(&loop);
	return 0;
}

static void *post_letters(void *argument)
{
	for (int i = 0; i < LETTERS; i++) {
		struct letter *letter = calloc(1, sizeof(*letter));

		letter->number = i;
		mailbox_post(&loop.mailbox, &letter->item);
	}
	return NULL;
}

static void mail_from_a_thread_comes_in_order(void **state)
{
	pthread_t thread;

	pthread_create(&thread, NULL, post_letters, NULL);
	net_loop_run(&loop);
	pthread_join(thread, NULL);
	assert_int_equal(received, LETTERS);
}

static void fire(void *owner)
{
	fired++;
	if (owner)
		net_loop_stop(&loop);
}

static void a_timer_fires_once(void **state)
{
	struct net_timer once, last;
	int64_t begin = moment_monotonic_ms();

	net_timer_init(&once, &loop, fire, NULL);
	net_timer_init(&last, &loop, fire, &loop);
	assert_false(net_timer_is_running(&once));
	net_timer_start(&once, 1);
	net_timer_start(&last, 20);
	assert_true(net_timer_is_running(&once));
	net_loop_run(&loop);
	assert_int_equal(fired, 2);
	assert_true(moment_monotonic_ms() - begin >= 19);
	net_timer_fini(&once);
	net_timer_fini(&last);
	net_timer_fini(&last);
}

static void a_stopped_timer_is_silent(void **state)
{
	struct net_timer silent, gone, last;

	net_timer_init(&silent, &loop, fire, NULL);
	net_timer_init(&gone, &loop, fire, NULL);
	net_timer_init(&last, &loop, fire, &loop);
	net_timer_start(&silent, 1);
	net_timer_start(&gone, 1);
	net_timer_start(&last, 10);
	net_timer_stop(&silent);
	net_timer_fini(&gone);
	net_loop_run(&loop);
	assert_int_equal(fired, 1);
	net_timer_fini(&silent);
	net_timer_fini(&last);
}

static void every_turn_has_its_end_and_run_has_a_last_one(void **state)
{
	struct net_timer timer;

	net_timer_init(&timer, &loop, fire, &loop);
	net_timer_start(&timer, 0);
	net_loop_run(&loop);
	/* The turn of the timer, and the end of the run. */
	assert_true(turn_ends >= 2);
	net_timer_fini(&timer);
}

static void clocks_agree_with_the_moment(void **state)
{
	uv_update_time(&loop.uv);
	assert_true(llabs(net_loop_now_ms(&loop) - moment_monotonic_ms()) < 1000);
	assert_true(llabs(net_loop_wall_ms(&loop) - moment_wall_ms()) < 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mail_from_a_thread_comes_in_order),
		TEST(a_timer_fires_once),
		TEST(a_stopped_timer_is_silent),
		TEST(every_turn_has_its_end_and_run_has_a_last_one),
		TEST(clocks_agree_with_the_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
