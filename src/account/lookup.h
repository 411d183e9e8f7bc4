/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_LOOKUP_H
#define FRANK_ACCOUNT_LOOKUP_H

/*
 * A user of a database (account/sqlite.h), looked up by a worker of the hash pool: his password is
 * checked there at once, or what is stored of him comes back. The cache spares the hash, not the
 * look: a new password in the database counts from the next login on.
 */

#include "account/check.h"
#include "account/stores.h"

/* What to do with the user. */
enum account_lookup {
	ACCOUNT_LOOKUP_PASSWORD,      /* PASS, FAIL or UNKNOWN */
	ACCOUNT_LOOKUP_PASSWORD_LAST, /* PASS or FAIL: an unknown user costs the work of a known one
				       */
	ACCOUNT_LOOKUP_CREDENTIALS,   /* FOUND or UNKNOWN */
};

/* BUSY, PENDING, or, for a password that cannot be one, FAIL. db belongs to owner, which is
   referenced as long as the work needs it. */
enum account_check_result account_lookup_begin(struct account_checker *checker,
    struct account_stores *owner, struct account_sqlite *db, enum account_lookup what,
    const struct account_check_question *question);

#endif
