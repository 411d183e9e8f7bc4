/* SPDX-License-Identifier: MIT */
#include "account/check.h"

#include "account/cache.h"
#include "account/password.h"
#include "base/memory.h"
#include "base/moment.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

struct account_checker {
	struct worker_pool *pool;
	struct account_cache *cache;
	atomic_bool stopping;
};

/* What travels to a worker and back. The answer is first: it is what the lane sees. */
struct check {
	struct account_check_answer answer;
	struct account_checker *checker;
	struct account_users *users;        /* a reference, until the work is done */
	const struct account_user *subject; /* the user, or the decoy */
	bool known;
	struct account_cache_key key;
	int64_t deadline_ms;
	size_t password_len;
	char password[PASSWORD_MAX_BYTES];
};

struct account_checker *account_checker_create(struct worker_pool *hash_pool)
{
	struct account_checker *checker = MEM_NEW(struct account_checker);
	checker->pool = hash_pool;
	checker->cache = account_cache_create(ACCOUNT_CHECK_CACHE_MAX, ACCOUNT_CHECK_KEEP_MS);
	atomic_init(&checker->stopping, false);
	return checker;
}

void account_checker_destroy(struct account_checker **checker_pointer)
{
	struct account_checker *checker = *checker_pointer;
	*checker_pointer = NULL;
	if (checker == NULL)
		return;
	account_cache_destroy(&checker->cache);
	mem_free(checker);
}

void account_checker_stop(struct account_checker *checker)
{
	atomic_store(&checker->stopping, true);
}

struct worker_pool *account_checker_pool(struct account_checker *checker)
{
	return checker->pool;
}

struct account_cache *account_checker_cache(struct account_checker *checker)
{
	return checker->cache;
}

bool account_checker_is_late(struct account_checker *checker, int64_t deadline_ms)
{
	return (deadline_ms != 0 && moment_monotonic_ms() >= deadline_ms) ||
	       atomic_load(&checker->stopping);
}

static enum account_check_result work(const struct check *check)
{
	struct account_checker *checker = check->checker;
	if (account_checker_is_late(checker, check->deadline_ms))
		return ACCOUNT_CHECK_BUSY;
	/* A hundred sessions of one user that begin at once cost one hash a thread. */
	if (check->known && account_cache_has(checker->cache, &check->key, moment_monotonic_ms()))
		return ACCOUNT_CHECK_PASS;
	struct span password = span_of(check->password, check->password_len);
	bool matches = account_password_matches(check->subject, password);
	if (!matches || !check->known)
		return ACCOUNT_CHECK_FAIL;
	account_cache_store(checker->cache, &check->key, moment_monotonic_ms());
	return ACCOUNT_CHECK_PASS;
}

/* Of everything that only the work needed: in the worker, where it may take its time. */
static void shed(struct check *check)
{
	mem_wipe(check->password, sizeof(check->password));
	account_users_unref(&check->users);
	check->subject = NULL;
}

static void run(struct worker_job *job)
{
	struct check *check = CONTAINER_OF(job, struct check, answer.job);
	check->answer.result = work(check);
	shed(check);
}

static void destroy(struct account_check_answer *answer)
{
	struct check *check = CONTAINER_OF(answer, struct check, answer);
	assert(check->users == NULL);
	mem_free(check);
}

static struct check *check_create(struct account_checker *checker, struct account_users *users,
    const struct account_check_question *question)
{
	struct check *check = MEM_NEW(struct check);
	check->answer.job = (struct worker_job){
		.kind = question->kind,
		.run = run,
		.reply_to = question->reply_to,
		.share = question->share,
	};
	check->answer.destroy = destroy;
	check->answer.asker = question->asker;
	check->checker = checker;
	check->users = account_users_ref(users);
	check->deadline_ms = question->deadline_ms;
	check->password_len = question->password.len;
	memcpy(check->password, question->password.data, question->password.len);
	return check;
}

enum account_check_result account_check_begin(struct account_checker *checker,
    struct account_users *users, const struct account_check_question *question)
{
	assert(question->reply_to != NULL);
	if (atomic_load(&checker->stopping))
		return ACCOUNT_CHECK_BUSY;
	if (!account_password_is_possible(question->password))
		return ACCOUNT_CHECK_FAIL; /* whoever the user is: this tells nothing */
	bool known;
	const struct account_user *subject =
	    account_password_subject(users, question->login, &known);
	struct account_cache_key key;
	account_cache_key_make(checker->cache, question->login, question->password,
	    account_password_credential(subject), &key);
	if (account_cache_has(checker->cache, &key, question->now_ms) && known)
		return ACCOUNT_CHECK_PASS;

	struct check *check = check_create(checker, users, question);
	check->subject = subject;
	check->known = known;
	check->key = key;
	if (worker_pool_submit(checker->pool, &check->answer.job))
		return ACCOUNT_CHECK_PENDING;
	shed(check);
	mem_free(check);
	return ACCOUNT_CHECK_BUSY;
}

struct account_check_answer *account_check_answer_of(struct worker_job *job)
{
	return CONTAINER_OF(job, struct account_check_answer, job);
}

void account_check_answer_destroy(struct account_check_answer **answer)
{
	if (*answer == NULL)
		return;
	struct account_check_answer *mine = *answer;
	*answer = NULL;
	if (mine->found != NULL)
		account_found_fini(mine->found);
	mem_free(mine->found);
	mem_free(mine->login);
	mine->destroy(mine);
}
