/* SPDX-License-Identifier: MIT */
#include "base/mailbox.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

struct letter {
	struct mailbox_item item;
	int sender, number;
};

static void count_wake(void *context)
{
	++*(int *)context;
}

static int number_of(const struct mailbox_item *item)
{
	return ((const struct letter *)item)->number;
}

static void only_the_first_post_into_an_empty_box_wakes(void **state)
{
	struct letter a = { .number = 1 }, b = { .number = 2 };
	struct mailbox_item *taken;
	struct mailbox m;
	int wakes = 0;

	mailbox_init(&m, count_wake, &wakes);
	assert_null(mailbox_take(&m));
	mailbox_post(&m, &a.item);
	mailbox_post(&m, &b.item);
	assert_int_equal(wakes, 1);
	taken = mailbox_take(&m);
	assert_int_equal(number_of(taken), 1);
	assert_int_equal(number_of(taken->next), 2);
	assert_null(taken->next->next);
	assert_null(mailbox_take(&m));
	mailbox_post(&m, &b.item);
	assert_int_equal(wakes, 2);
	assert_ptr_equal(mailbox_take(&m), &b.item);
	mailbox_fini(&m);
}

static void a_chain_is_posted_at_once_and_emptied(void **state)
{
	struct letter letters[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
	struct mailbox_chain chain;
	struct mailbox_item *taken;
	struct mailbox m;
	int wakes = 0;

	mailbox_init(&m, count_wake, &wakes);
	mailbox_chain_init(&chain);
	mailbox_post_chain(&m, &chain);
	assert_int_equal(wakes, 0);
	mailbox_post(&m, &letters[0].item);
	mailbox_chain_append(&chain, &letters[1].item);
	mailbox_chain_append(&chain, &letters[2].item);
	mailbox_post_chain(&m, &chain);
	assert_null(chain.first);
	mailbox_post_chain(&m, &chain);
	assert_int_equal(wakes, 1);
	taken = mailbox_take(&m);
	for (int i = 1; i <= 3; i++, taken = taken->next)
		assert_int_equal(number_of(taken), i);
	assert_null(taken);
	mailbox_fini(&m);
}

/* ---- Several senders, one receiver that sleeps until it is woken ---- */

enum { SENDERS = 3, LETTERS = 2000 };

struct receiver {
	struct mailbox box;
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool awake;
};

struct sender {
	struct receiver *receiver;
	struct letter letters[LETTERS];
	int number;
};

static void wake_receiver(void *context)
{
	struct receiver *r = context;

	pthread_mutex_lock(&r->lock);
	r->awake = true;
	pthread_cond_signal(&r->woken);
	pthread_mutex_unlock(&r->lock);
}

static void *send_letters(void *context)
{
	struct sender *s = context;

	for (int i = 0; i < LETTERS; i++) {
		s->letters[i] = (struct letter){ .sender = s->number, .number = i };
		mailbox_post(&s->receiver->box, &s->letters[i].item);
	}
	return NULL;
}

static void wait_until_woken(struct receiver *r)
{
	pthread_mutex_lock(&r->lock);
	while (!r->awake)
		pthread_cond_wait(&r->woken, &r->lock);
	r->awake = false;
	pthread_mutex_unlock(&r->lock);
}

static void nothing_is_lost_between_threads(void **state)
{
	struct receiver r = { .awake = false };
	struct sender *senders = mem_alloc_array(SENDERS, sizeof(*senders));
	pthread_t threads[SENDERS];
	int next[SENDERS] = { 0 }, rest = SENDERS * LETTERS;

	mailbox_init(&r.box, wake_receiver, &r);
	pthread_mutex_init(&r.lock, NULL);
	pthread_cond_init(&r.woken, NULL);
	for (int i = 0; i < SENDERS; i++) {
		senders[i].receiver = &r;
		senders[i].number = i;
		pthread_create(&threads[i], NULL, send_letters, &senders[i]);
	}
	while (rest) {
		struct mailbox_item *item;

		wait_until_woken(&r);
		for (item = mailbox_take(&r.box); item; item = item->next, rest--) {
			struct letter *letter = (struct letter *)item;

			assert_int_equal(letter->number, next[letter->sender]++);
		}
	}
	for (int i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	mailbox_fini(&r.box);
	mem_free(senders);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_first_post_into_an_empty_box_wakes),
		cmocka_unit_test(a_chain_is_posted_at_once_and_emptied),
		cmocka_unit_test(nothing_is_lost_between_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
