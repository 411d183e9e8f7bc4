/* SPDX-License-Identifier: MIT */
#include "account/lookup.h"

#include "account/password.h"
#include "base/memory.h"
#include "base/moment.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct lookup {
	struct account_check_answer answer;
	struct account_checker *checker;
	struct account_stores *owner; /* a reference, until the work is done */
	struct account_sqlite *db;
	enum account_lookup what;
	int64_t deadline_ms;
	size_t login_len, password_len;
	char login[USERS_NAME_MAX_BYTES];
	char password[PASSWORD_MAX_BYTES];
};

static struct span login_of(const struct lookup *lookup)
{
	return span_of(lookup->login, lookup->login_len);
}

static struct span password_of(const struct lookup *lookup)
{
	return span_of(lookup->password, lookup->password_len);
}

static enum account_check_result check_password(
    struct lookup *lookup, const struct account_user *user)
{
	struct account_cache *cache = account_checker_cache(lookup->checker);
	struct account_cache_key key;
	if (!account_user_works(user)) {
		account_sqlite_spend(lookup->db, password_of(lookup));
		return ACCOUNT_CHECK_FAIL;
	}
	account_cache_key_make(
	    cache, login_of(lookup), password_of(lookup), account_password_credential(user), &key);
	if (account_cache_has(cache, &key, moment_monotonic_ms()))
		return ACCOUNT_CHECK_PASS;
	if (!account_password_matches(user, password_of(lookup)))
		return ACCOUNT_CHECK_FAIL;
	account_cache_store(cache, &key, moment_monotonic_ms());
	return ACCOUNT_CHECK_PASS;
}

static enum account_check_result use_found(struct lookup *lookup, struct account_found *found)
{
	if (lookup->what != ACCOUNT_LOOKUP_CREDENTIALS)
		return check_password(lookup, &found->user);
	lookup->answer.found = mem_dup(found, sizeof(*found));
	*found = (struct account_found){ 0 };
	return ACCOUNT_CHECK_FOUND;
}

static enum account_check_result work(struct lookup *lookup)
{
	enum account_check_result result = ACCOUNT_CHECK_UNKNOWN;
	struct account_found found = { 0 };
	struct fault fault = { 0 };
	if (account_checker_is_late(lookup->checker, lookup->deadline_ms))
		return ACCOUNT_CHECK_BUSY;
	switch (account_sqlite_find(lookup->db, login_of(lookup), &found, &fault)) {
	case ACCOUNT_SQLITE_FOUND:
		result = use_found(lookup, &found);
		break;
	case ACCOUNT_SQLITE_UNKNOWN:
		if (lookup->what == ACCOUNT_LOOKUP_PASSWORD_LAST) {
			account_sqlite_spend(lookup->db, password_of(lookup));
			result = ACCOUNT_CHECK_FAIL;
		}
		break;
	case ACCOUNT_SQLITE_DOWN:
		result = ACCOUNT_CHECK_DOWN;
		break;
	}
	if (fault.kind != FAULT_NONE)
		snprintf(lookup->answer.why, sizeof(lookup->answer.why), "%.255s", fault.text);
	account_found_fini(&found);
	return result;
}

static void run(struct worker_job *job)
{
	struct lookup *lookup = CONTAINER_OF(job, struct lookup, answer.job);
	lookup->answer.result = work(lookup);
	mem_wipe(lookup->password, sizeof(lookup->password));
	account_stores_unref(&lookup->owner);
}

static void destroy(struct account_check_answer *answer)
{
	struct lookup *lookup = CONTAINER_OF(answer, struct lookup, answer);
	mem_wipe(lookup->password, sizeof(lookup->password));
	account_stores_unref(&lookup->owner);
	mem_free(lookup);
}

static struct lookup *create(struct account_checker *checker, struct account_stores *owner,
    enum account_lookup what, const struct account_check_question *question)
{
	struct lookup *lookup = MEM_NEW(struct lookup);
	lookup->answer.job = (struct worker_job){
		.kind = question->kind,
		.run = run,
		.reply_to = question->reply_to,
		.share = question->share,
	};
	lookup->answer.asker = question->asker;
	lookup->answer.destroy = destroy;
	lookup->checker = checker;
	lookup->owner = account_stores_ref(owner);
	lookup->what = what;
	lookup->deadline_ms = question->deadline_ms;
	lookup->login_len = question->login.len;
	memcpy(lookup->login, question->login.data, question->login.len);
	if (what != ACCOUNT_LOOKUP_CREDENTIALS) {
		lookup->password_len = question->password.len;
		memcpy(lookup->password, question->password.data, question->password.len);
	}
	return lookup;
}

enum account_check_result account_lookup_begin(struct account_checker *checker,
    struct account_stores *owner, struct account_sqlite *db, enum account_lookup what,
    const struct account_check_question *question)
{
	assert(question->login.len > 0 && question->login.len <= USERS_NAME_MAX_BYTES);
	if (account_checker_is_late(checker, 0))
		return ACCOUNT_CHECK_BUSY;
	if (what != ACCOUNT_LOOKUP_CREDENTIALS && !account_password_is_possible(question->password))
		return ACCOUNT_CHECK_FAIL;
	struct lookup *lookup = create(checker, owner, what, question);
	lookup->db = db;
	if (worker_pool_submit(account_checker_pool(checker), &lookup->answer.job))
		return ACCOUNT_CHECK_PENDING;
	struct account_check_answer *answer = &lookup->answer;
	account_check_answer_destroy(&answer);
	return ACCOUNT_CHECK_BUSY;
}
