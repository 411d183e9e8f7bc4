/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "spool/keeper.h"

#include "base/log.h"

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A mailbox that can be waited for. */
struct inbox {
	struct mailbox mailbox;
	sem_t woken;
	struct mailbox_item *rest;
};

static void wake(void *context)
{
	struct inbox *inbox = context;
	sem_post(&inbox->woken);
}

static void inbox_init(struct inbox *inbox)
{
	memset(inbox, 0, sizeof(*inbox));
	sem_init(&inbox->woken, 0, 0);
	mailbox_init(&inbox->mailbox, wake, inbox);
}

static void inbox_fini(struct inbox *inbox)
{
	assert_null(inbox->rest);
	mailbox_fini(&inbox->mailbox);
	sem_destroy(&inbox->woken);
}

static struct keeper_item *inbox_next(struct inbox *inbox)
{
	while (inbox->rest == NULL) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += 60;
		assert_int_equal(sem_timedwait(&inbox->woken, &until), 0);
		inbox->rest = mailbox_take(&inbox->mailbox);
	}
	struct mailbox_item *item = inbox->rest;
	inbox->rest = item->next;
	return keeper_item_of(item);
}

struct scene {
	struct fixture fixture;
	struct inbox lane, control;
	struct keeper *keeper;
};

static void scene_open(struct scene *scene, bool arrivals)
{
	struct keeper_settings settings = { .result_delay_ms = 50, .retry_ms = 50 };
	fixture_open(&scene->fixture);
	inbox_init(&scene->lane);
	inbox_init(&scene->control);
	if (arrivals)
		settings.arrivals = &scene->control.mailbox;
	scene->keeper = keeper_start(&scene->fixture.store, &settings);
}

static void scene_stop(struct scene *scene)
{
	keeper_stop(&scene->keeper);
	fixture_open(&scene->fixture);
}

static void scene_close(struct scene *scene)
{
	keeper_stop(&scene->keeper);
	inbox_fini(&scene->lane);
	inbox_fini(&scene->control);
	fixture_remove(&scene->fixture);
}

static void post_accept(struct scene *scene, uint64_t id, size_t len)
{
	struct keeper_accept *accept = MEM_NEW(struct keeper_accept);
	accept->item.answer_to = &scene->lane.mailbox;
	accept->handle[0] = id;
	accept->draft = fixture_draft(id, len, FIXTURE_HOP);
	keeper_post_accept(scene->keeper, accept);
}

static enum keeper_answer take_answer(struct scene *scene)
{
	struct keeper_item *item = inbox_next(&scene->lane);
	assert_int_equal(item->kind, KEEPER_ACCEPT);
	struct keeper_accept *accept = (struct keeper_accept *)item;
	enum keeper_answer answer = accept->answer;
	assert_int_equal(accept->draft == NULL, answer == KEEPER_KEPT);
	spool_draft_destroy(&accept->draft);
	mem_free(accept);
	return answer;
}

static struct spool_draft *take_arrival(struct scene *scene)
{
	struct keeper_item *item = inbox_next(&scene->control);
	assert_int_equal(item->kind, KEEPER_ARRIVAL);
	struct keeper_arrival *arrival = (struct keeper_arrival *)item;
	struct spool_draft *draft = arrival->draft;
	arrival->draft = NULL;
	keeper_arrival_destroy(&arrival);
	return draft;
}

static void post_result(struct scene *scene, struct spool_delivery *delivery)
{
	struct keeper_result *result = MEM_NEW(struct keeper_result);
	result->item.answer_to = &scene->control.mailbox;
	result->result = spool_result_create(&delivery);
	keeper_post_result(scene->keeper, result);
}

static void take_result(struct scene *scene)
{
	struct keeper_item *item = inbox_next(&scene->control);
	assert_int_equal(item->kind, KEEPER_RESULT);
	assert_null(((struct keeper_result *)item)->result);
	mem_free(item);
}

static struct spool_delivery *first_delivery(struct spool_draft *draft)
{
	return LIST_ENTRY(list_take_first(&draft->deliveries), struct spool_delivery, link);
}

static void every_accept_is_answered_and_arrives_with_its_body(void **state)
{
	struct scene scene = { 0 };
	scene_open(&scene, true);
	for (uint64_t id = 1; id <= 3000; id++)
		post_accept(&scene, id, id % 5000);
	for (uint64_t id = 1; id <= 3000; id++)
		assert_int_equal(take_answer(&scene), KEEPER_KEPT);
	for (uint64_t id = 1; id <= 3000; id++) {
		struct spool_draft *draft = take_arrival(&scene);
		assert_int_equal(draft->message->id, id);
		assert_int_equal(spool_body_span(draft->body).len, id % 5000);
		if (id % 100 == 0)
			assert_true(fixture_body_is_intact(draft->message));
		struct spool_delivery *delivery = first_delivery(draft);
		delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
		spool_draft_destroy(&draft);
		post_result(&scene, delivery);
	}
	for (uint64_t id = 1; id <= 3000; id++)
		take_result(&scene);
	scene_stop(&scene);
	struct spool_stats stats;
	spool_store_stats(scene.fixture.store, &stats);
	assert_int_equal(stats.messages, 0);
	scene_close(&scene);
}

static void what_waits_at_the_stop_is_kept_and_answered(void **state)
{
	struct scene scene = { 0 };
	scene_open(&scene, true);
	post_accept(&scene, 1, 10);
	assert_int_equal(take_answer(&scene), KEEPER_KEPT);
	struct spool_draft *draft = take_arrival(&scene);
	struct spool_delivery *delivery = first_delivery(draft);
	spool_draft_destroy(&draft);
	delivery->recipients[0].state = SPOOL_RECIPIENT_FAILED;
	post_result(&scene, delivery);
	for (uint64_t id = 2; id <= 2500; id++)
		post_accept(&scene, id, 10);
	scene_stop(&scene);
	for (uint64_t id = 2; id <= 2500; id++)
		assert_int_equal(take_answer(&scene), KEEPER_KEPT);
	bool result_back = false;
	for (uint64_t id = 1; id <= 2500; id++) {
		struct keeper_item *item = inbox_next(&scene.control);
		if (item->kind == KEEPER_RESULT) {
			result_back = true;
			assert_null(((struct keeper_result *)item)->result);
			mem_free(item);
		} else {
			struct keeper_arrival *arrival = (struct keeper_arrival *)item;
			keeper_arrival_destroy(&arrival);
		}
	}
	assert_true(result_back);
	struct spool_stats stats;
	spool_store_stats(scene.fixture.store, &stats);
	assert_int_equal(stats.messages, 2499);
	scene_close(&scene);
}

struct lease_query {
	struct keeper_query query;
	struct list out;
};

static bool run_lease(
    struct keeper_query *query, struct spool_store *store, struct fault *fault_out)
{
	struct lease_query *lease = (struct lease_query *)query;
	return spool_store_lease(store, SPAN(FIXTURE_HOP), INT64_MAX, 100, &lease->out, fault_out);
}

static bool run_release(
    struct keeper_query *query, struct spool_store *store, struct fault *fault_out)
{
	spool_store_release(store, &((struct lease_query *)query)->out);
	return true;
}

static void without_an_arrivals_mailbox_mail_waits_for_a_lease(void **state)
{
	struct scene scene = { 0 };
	struct lease_query lease = { .query = { .run = run_lease } };
	scene_open(&scene, false);
	for (uint64_t id = 1; id <= 5; id++)
		post_accept(&scene, id, 10);
	for (uint64_t id = 1; id <= 5; id++)
		assert_int_equal(take_answer(&scene), KEEPER_KEPT);
	list_init(&lease.out);
	lease.query.item.answer_to = &scene.control.mailbox;
	keeper_post_query(scene.keeper, &lease.query);
	assert_ptr_equal(inbox_next(&scene.control), &lease.query);
	assert_true(lease.query.ok);
	size_t count = 0;
	LIST_FOR_EACH (at, &lease.out)
		count++;
	assert_int_equal(count, 5);
	lease.query.run = run_release;
	keeper_post_query(scene.keeper, &lease.query);
	assert_ptr_equal(inbox_next(&scene.control), &lease.query);
	assert_true(list_is_empty(&lease.out));
	scene_close(&scene);
}

/* --- A disk that fails --- */

static struct {
	struct spool_files files;
	_Atomic int error; /* of every write, sync and creation; 0: works */
} disk;

static ssize_t failing_write(
    void *context, int fd, const void *data, size_t len, uint64_t offset, bool durable)
{
	const struct spool_files *system = spool_files_system();
	return disk.error != 0 ? disk.error : system->write(NULL, fd, data, len, offset, durable);
}

static int failing_sync(void *context, int fd)
{
	return disk.error != 0 ? disk.error : spool_files_system()->sync(NULL, fd);
}

static const struct trouble_case {
	const char *name;
	int error;
	enum keeper_answer first, later;
} trouble_cases[] = {
	{ "no room", -28 /* ENOSPC */, KEEPER_FULL, KEEPER_FULL },
	{ "I/O error", -5 /* EIO */, KEEPER_FAILED, KEEPER_FULL },
	{ "read-only", -30 /* EROFS */, KEEPER_FAILED, KEEPER_FULL },
};

static void a_sick_disk_refuses_mail_loses_nothing_and_comes_back(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(trouble_cases); i++) {
		const struct trouble_case *c = &trouble_cases[i];
		struct scene scene = { 0 };
		disk.files = *spool_files_system();
		disk.files.write = failing_write;
		disk.files.sync = failing_sync;
		disk.error = 0;
		scene.fixture.settings.files = &disk.files;
		scene_open(&scene, true);
		post_accept(&scene, 1, 1000);
		assert_int_equal(take_answer(&scene), KEEPER_KEPT);
		struct spool_draft *draft = take_arrival(&scene);
		struct spool_delivery *delivery = first_delivery(draft);
		spool_draft_destroy(&draft);
		disk.error = c->error;
		post_accept(&scene, 2, 1000);
		assert_int_equal(take_answer(&scene), c->first);
		post_accept(&scene, 3, 1000);
		assert_int_equal(take_answer(&scene), c->later);
		/* A result posted now waits and is kept in the end. */
		delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
		post_result(&scene, delivery);
		disk.error = 0;
		uint64_t id = 4;
		enum keeper_answer answer;
		do {
			post_accept(&scene, id++, 1000);
			answer = take_answer(&scene);
		} while (answer != KEEPER_KEPT);
		bool result_back = false, arrived = false;
		while (!result_back || !arrived) {
			struct keeper_item *item = inbox_next(&scene.control);
			if (item->kind == KEEPER_RESULT) {
				assert_null(((struct keeper_result *)item)->result);
				mem_free(item);
				result_back = true;
			} else {
				struct keeper_arrival *arrival = (struct keeper_arrival *)item;
				assert_true(fixture_body_is_intact(arrival->draft->message));
				keeper_arrival_destroy(&arrival);
				arrived = true;
			}
		}
		scene_stop(&scene);
		struct spool_entry *entry = fixture_show(&scene.fixture, 1);
		assert_int_equal(entry->state, SPOOL_MESSAGE_DONE);
		spool_entry_destroy(&entry);
		entry = fixture_show(&scene.fixture, id - 1);
		assert_int_equal(entry->state, SPOOL_MESSAGE_DEFERRED);
		spool_entry_destroy(&entry);
		scene_close(&scene);
	}
}

int main(void)
{
	struct fault fault;
	log_open(LOG_TARGET_NONE, NULL, false, &fault);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_accept_is_answered_and_arrives_with_its_body),
		cmocka_unit_test(what_waits_at_the_stop_is_kept_and_answered),
		cmocka_unit_test(without_an_arrivals_mailbox_mail_waits_for_a_lease),
		cmocka_unit_test(a_sick_disk_refuses_mail_loses_nothing_and_comes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
