/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_CHECK_H
#define FRANK_ACCOUNT_CHECK_H

/*
 * Is this the password of this user? Asked by a session in its lane, answered off the loop: one
 * yescrypt check costs 13 ms of CPU. A password that was right within the last minutes is known by
 * the cache (account/cache.h) and passes at once, without a change of threads. Everything else goes
 * to the hash pool, and the answer comes back through a mailbox with the asker's handle, never with
 * a pointer: when the session is gone, its lane drops the answer.
 *
 * An unknown user costs the same work as a wrong password and gets the same answer. A full queue is
 * a temporary failure (RFC 4954, section 6: 454 4.7.0).
 *
 * Other stores answer in the same form: a database through the same pool (account/lookup.h),
 * Dovecot through its socket (account/dovecot.h).
 */

#include "account/cache.h"
#include "account/sqlite.h"
#include "account/users.h"
#include "base/worker.h"

#define ACCOUNT_CHECK_KEEP_MS (5 * 60 * 1000)
#define ACCOUNT_CHECK_CACHE_MAX 16384

enum account_check_result {
	ACCOUNT_CHECK_PASS,
	ACCOUNT_CHECK_FAIL,    /* 535 5.7.8 */
	ACCOUNT_CHECK_BUSY,    /* 454 4.7.0: the queue is full, too slow, or closing */
	ACCOUNT_CHECK_PENDING, /* the answer comes through the mailbox */
	/* By lookup and dovecot only: */
	ACCOUNT_CHECK_UNKNOWN, /* the store has no such user */
	ACCOUNT_CHECK_FOUND,   /* he was to be looked up: found */
	ACCOUNT_CHECK_DOWN,    /* 454 4.7.0: the store does not answer; why */
};

/* Who asked: a lane, a place in its table, and the generation of that place. */
struct account_handle {
	uint32_t lane, index, generation;
};

struct account_check_question {
	struct span login, password; /* borrowed for the call only */
	struct account_handle asker;
	struct mailbox *reply_to; /* takes worker jobs (base/worker.h) */
	unsigned kind;            /* of the worker job, for the receiver's switch */
	int64_t now_ms;           /* monotonic */
	int64_t deadline_ms;      /* not begun by then: BUSY, without the work. 0: none */
	uint64_t share;           /* of the pool (base/worker.h): the client's address */
	struct span client;       /* its address as text, for stores that want to know; or empty */
};

/* Posted to reply_to, for every PENDING exactly once; the receiver owns it. */
struct account_check_answer {
	struct worker_job job;
	struct account_handle asker;
	enum account_check_result result; /* never PENDING */
	struct account_found *found;      /* FOUND */
	char *login;   /* PASS: the store's name for the user; NULL: as he signs in */
	char why[256]; /* DOWN, and sometimes FAIL: for the log; else empty */
	void (*destroy)(struct account_check_answer *answer);
};

struct account_checker;

/* One for the process, used by all lanes. The pool is borrowed and must be destroyed first. */
struct account_checker *account_checker_create(struct worker_pool *hash_pool);
void account_checker_destroy(struct account_checker **checker);

/* From now on questions, and those that wait in the queue, are answered BUSY without work. */
void account_checker_stop(struct account_checker *checker);

/* Any thread; never blocks on work. users is referenced as long as the check needs it. */
enum account_check_result account_check_begin(struct account_checker *checker,
    struct account_users *users, const struct account_check_question *question);

/* For account/lookup.c: shared with checks of the users file. */
struct worker_pool *account_checker_pool(struct account_checker *checker);
struct account_cache *account_checker_cache(struct account_checker *checker);
bool account_checker_is_late(struct account_checker *checker, int64_t deadline_ms);

struct account_check_answer *account_check_answer_of(struct worker_job *job);
void account_check_answer_destroy(struct account_check_answer **answer);

#endif
