/* SPDX-License-Identifier: MIT */
#ifndef FRANK_TESTS_UNIT_SPOOL_FIXTURE_H
#define FRANK_TESTS_UNIT_SPOOL_FIXTURE_H

/* A spool in a directory of its own, and messages for it. For tests: every failure ends the
   test. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "spool/store.h"

#define FIXTURE_NOW 1800000000000LL /* 2027 */
#define FIXTURE_HOP "submission://smtp.example.net:587 as up"

struct fixture {
	char path[64];
	struct spool_settings settings;
	struct spool_store *store;
};

void fixture_open(struct fixture *fixture);
void fixture_reopen(struct fixture *fixture); /* as after a clean stop */
void fixture_close(struct fixture *fixture);
void fixture_remove(struct fixture *fixture); /* closes, too */

/* Bytes that differ from message to message. */
void fixture_body(uint64_t id, size_t len, struct buf *to);
struct spool_draft *fixture_draft(uint64_t id, size_t body_len, const char *hop);
/* Commits one, not in hand. */
void fixture_accept(struct fixture *fixture, uint64_t id, size_t body_len, const char *hop);
enum spool_commit_result fixture_commit(struct fixture *fixture, struct spool_draft **drafts,
    size_t count, struct spool_result **results, size_t result_count, bool in_hand);

/* Leases exactly one of the fixture's hop. */
struct spool_delivery *fixture_lease(struct fixture *fixture);
void fixture_release(struct fixture *fixture, struct spool_delivery *delivery);
/* Commits what the delivery is now; it is destroyed. */
void fixture_result(struct fixture *fixture, struct spool_delivery *delivery);
/* The body on disk is that of fixture_body(). */
bool fixture_body_is_intact(struct spool_message *message);
struct spool_entry *fixture_show(struct fixture *fixture, uint64_t id); /* or NULL */
bool fixture_file_exists(struct fixture *fixture, const char *name);

#endif
