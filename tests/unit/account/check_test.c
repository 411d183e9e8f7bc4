/* SPDX-License-Identifier: MIT */
#include "account/check.h"

#include "base/moment.h"

#include <semaphore.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define HASH "$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2" /* secret */
#define OTHER_HASH                                                                                 \
	"$5$rounds=1000$pepper$JROTJSt4tiA47bQ/K0e5W4RN/7VOstexNBFc.0mB6w9" /* secret              \
									     */

struct scene {
	struct worker_pool *pool;
	struct account_checker *checker;
	struct account_users *users;
	struct mailbox box;
	sem_t mail;
};

static void wake(void *context)
{
	sem_post(context);
}

static struct account_users *users_of(const char *text)
{
	struct account_notes notes = { 0 };
	struct account_users *users = account_users_parse(span_from_string(text), &notes);
	assert_non_null(users);
	return users;
}

static void scene_init(struct scene *s, size_t queue_max)
{
	sem_init(&s->mail, 0, 0);
	mailbox_init(&s->box, wake, &s->mail);
	s->pool = worker_pool_create("hash", 1, queue_max, 0);
	s->checker = account_checker_create(s->pool);
	s->users = users_of("anna:" HASH "\nlocked:!\n");
}

static void scene_fini(struct scene *s)
{
	worker_pool_destroy(&s->pool);
	account_checker_destroy(&s->checker);
	account_users_unref(&s->users);
	mailbox_fini(&s->box);
	sem_destroy(&s->mail);
}

static enum account_check_result begin(struct scene *s, const char *login, const char *password)
{
	struct account_check_question question = {
		.login = span_from_string(login),
		.password = span_from_string(password),
		.asker = { 3, 77, 5 },
		.reply_to = &s->box,
		.kind = 9,
		.now_ms = moment_monotonic_ms(),
	};
	return account_check_begin(s->checker, s->users, &question);
}

/* The one answer that is awaited. */
static enum account_check_result answer(struct scene *s)
{
	while (sem_wait(&s->mail) != 0)
		continue;
	struct mailbox_item *item = mailbox_take(&s->box);
	assert_non_null(item);
	assert_null(item->next);
	assert_int_equal(WORKER_JOB_OF(item)->kind, 9);
	struct account_check_answer *a = account_check_answer_of(WORKER_JOB_OF(item));
	assert_int_equal(a->asker.lane, 3);
	assert_int_equal(a->asker.index, 77);
	assert_int_equal(a->asker.generation, 5);
	enum account_check_result result = a->result;
	account_check_answer_destroy(&a);
	assert_null(a);
	return result;
}

static void a_right_password_passes_and_then_passes_at_once(void **state)
{
	struct scene s;
	scene_init(&s, 10);
	assert_int_equal(begin(&s, "anna", "secret"), ACCOUNT_CHECK_PENDING);
	assert_int_equal(answer(&s), ACCOUNT_CHECK_PASS);
	assert_int_equal(begin(&s, "anna", "secret"), ACCOUNT_CHECK_PASS);
	scene_fini(&s);
}

static void a_failure_is_never_remembered(void **state)
{
	static const char *const wrong[][2] = {
		{ "anna", "Secret" },
		{ "nobody", "secret" },
		{ "locked", "secret" },
		{ "nobody", "wrong" },
		{ "Anna", "secret" },
	};
	struct scene s;
	scene_init(&s, 10);
	for (int turn = 0; turn < 2; turn++) {
		for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
			assert_int_equal(
			    begin(&s, wrong[i][0], wrong[i][1]), ACCOUNT_CHECK_PENDING);
			assert_int_equal(answer(&s), ACCOUNT_CHECK_FAIL);
		}
		/* The decoy's own password is in the cache in the second turn. */
		if (turn == 0) {
			assert_int_equal(begin(&s, "anna", "secret"), ACCOUNT_CHECK_PENDING);
			assert_int_equal(answer(&s), ACCOUNT_CHECK_PASS);
		}
	}
	scene_fini(&s);
}

static void an_impossible_password_fails_at_once_for_everybody(void **state)
{
	char longest[513];
	memset(longest, 'x', sizeof(longest) - 1);
	longest[512] = '\0';
	struct scene s;
	scene_init(&s, 10);
	assert_int_equal(begin(&s, "anna", ""), ACCOUNT_CHECK_FAIL);
	assert_int_equal(begin(&s, "nobody", ""), ACCOUNT_CHECK_FAIL);
	assert_int_equal(begin(&s, "anna", longest), ACCOUNT_CHECK_FAIL);
	assert_int_equal(begin(&s, "nobody", longest), ACCOUNT_CHECK_FAIL);
	scene_fini(&s);
}

static void a_new_hash_makes_what_was_remembered_worthless(void **state)
{
	struct scene s;
	scene_init(&s, 10);
	assert_int_equal(begin(&s, "anna", "secret"), ACCOUNT_CHECK_PENDING);
	assert_int_equal(answer(&s), ACCOUNT_CHECK_PASS);
	account_users_unref(&s.users);
	s.users = users_of("anna:" OTHER_HASH "\n");
	assert_int_equal(begin(&s, "anna", "secret"), ACCOUNT_CHECK_PENDING);
	assert_int_equal(answer(&s), ACCOUNT_CHECK_PASS);
	account_users_unref(&s.users);
	s.users = users_of("bob:" HASH "\n");
	assert_int_equal(begin(&s, "anna", "secret"), ACCOUNT_CHECK_PENDING);
	assert_int_equal(answer(&s), ACCOUNT_CHECK_FAIL);
	scene_fini(&s);
}

static void what_was_remembered_ends_after_its_minutes(void **state)
{
	struct scene s;
	scene_init(&s, 10);
	assert_int_equal(begin(&s, "anna", "secret"), ACCOUNT_CHECK_PENDING);
	assert_int_equal(answer(&s), ACCOUNT_CHECK_PASS);
	struct account_check_question question = {
		.login = SPAN("anna"),
		.password = SPAN("secret"),
		.asker = { 3, 77, 5 },
		.reply_to = &s.box,
		.kind = 9,
		.now_ms = moment_monotonic_ms(),
	};
	assert_int_equal(account_check_begin(s.checker, s.users, &question), ACCOUNT_CHECK_PASS);
	question.now_ms += ACCOUNT_CHECK_KEEP_MS + 1;
	assert_int_equal(account_check_begin(s.checker, s.users, &question), ACCOUNT_CHECK_PENDING);
	assert_int_equal(answer(&s), ACCOUNT_CHECK_PASS);
	scene_fini(&s);
}

/* Held by a semaphore, so that the pool's only thread is busy for as long as we want. */
struct plug {
	struct worker_job job;
	sem_t begun, go;
};

static void run_plug(struct worker_job *job)
{
	struct plug *plug = CONTAINER_OF(job, struct plug, job);
	sem_post(&plug->begun);
	while (sem_wait(&plug->go) != 0)
		continue;
}

static void plug_pool(struct scene *s, struct plug *plug)
{
	memset(plug, 0, sizeof(*plug));
	plug->job.run = run_plug;
	sem_init(&plug->begun, 0, 0);
	sem_init(&plug->go, 0, 0);
	assert_true(worker_pool_submit(s->pool, &plug->job));
	while (sem_wait(&plug->begun) != 0)
		continue;
}

static void a_full_queue_is_busy(void **state)
{
	struct scene s;
	struct plug plug;
	scene_init(&s, 1);
	plug_pool(&s, &plug);
	assert_int_equal(begin(&s, "anna", "secret"), ACCOUNT_CHECK_PENDING);
	assert_int_equal(begin(&s, "anna", "secret"), ACCOUNT_CHECK_BUSY);
	assert_int_equal(begin(&s, "nobody", "secret"), ACCOUNT_CHECK_BUSY);
	sem_post(&plug.go);
	assert_int_equal(answer(&s), ACCOUNT_CHECK_PASS);
	scene_fini(&s);
}

static void a_question_past_its_deadline_costs_no_work(void **state)
{
	struct scene s;
	scene_init(&s, 1);
	struct account_check_question question = {
		.login = SPAN("anna"),
		.password = SPAN("secret"),
		.asker = { 3, 77, 5 },
		.reply_to = &s.box,
		.kind = 9,
		.now_ms = 1,
		.deadline_ms = 1,
	};
	assert_int_equal(account_check_begin(s.checker, s.users, &question), ACCOUNT_CHECK_PENDING);
	assert_int_equal(answer(&s), ACCOUNT_CHECK_BUSY);
	question.deadline_ms = moment_monotonic_ms() + 3600 * 1000;
	assert_int_equal(account_check_begin(s.checker, s.users, &question), ACCOUNT_CHECK_PENDING);
	assert_int_equal(answer(&s), ACCOUNT_CHECK_PASS);
	scene_fini(&s);
}

static void a_stopped_checker_answers_busy(void **state)
{
	struct scene s;
	struct plug plug;
	scene_init(&s, 2);
	plug_pool(&s, &plug);
	assert_int_equal(begin(&s, "anna", "secret"), ACCOUNT_CHECK_PENDING);
	account_checker_stop(s.checker);
	assert_int_equal(begin(&s, "anna", "secret"), ACCOUNT_CHECK_BUSY);
	sem_post(&plug.go);
	assert_int_equal(answer(&s), ACCOUNT_CHECK_BUSY);
	scene_fini(&s);
}

static void the_users_may_go_while_a_check_runs(void **state)
{
	struct scene s;
	struct plug plug;
	scene_init(&s, 2);
	plug_pool(&s, &plug);
	assert_int_equal(begin(&s, "anna", "secret"), ACCOUNT_CHECK_PENDING);
	account_users_unref(&s.users);
	sem_post(&plug.go);
	assert_int_equal(answer(&s), ACCOUNT_CHECK_PASS);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_password_passes_and_then_passes_at_once),
		cmocka_unit_test(a_failure_is_never_remembered),
		cmocka_unit_test(an_impossible_password_fails_at_once_for_everybody),
		cmocka_unit_test(a_new_hash_makes_what_was_remembered_worthless),
		cmocka_unit_test(what_was_remembered_ends_after_its_minutes),
		cmocka_unit_test(a_full_queue_is_busy),
		cmocka_unit_test(a_question_past_its_deadline_costs_no_work),
		cmocka_unit_test(a_stopped_checker_answers_busy),
		cmocka_unit_test(the_users_may_go_while_a_check_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
