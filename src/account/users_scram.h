/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_USERS_SCRAM_H
#define FRANK_ACCOUNT_USERS_SCRAM_H

/*
 * SCRAM verifiers as text: MECHANISM$iterations:salt$StoredKey:ServerKey, the values in base64. The
 * keys are those of RFC 5802, section 3; the form is the one that PostgreSQL made common. It has
 * colons of its own, which end no field.
 */

#include "account/users.h"
#include "base/buf.h"

/* "SCRAM-SHA-256" */
const char *users_scram_name(enum account_scram_hash hash);
/* 20 or 32 */
size_t users_scram_key_bytes(enum account_scram_hash hash);

/* How much of s, which begins with a verifier, belongs to it: up to a blank or the third colon. */
size_t users_scram_length(struct span s);

/* NULL and *scram_out, which owns memory; or what is wrong, as a sentence. */
const char *users_scram_parse(struct span text, struct account_scram *scram_out);

#define USERS_SCRAM_ITERATIONS 65536 /* of new verifiers: some 20 ms of a client's time */

/* Appends a verifier for the password with a salt of its own. Slow, as it should be. False when
   the ceiling of out, or this machine's OpenSSL, forbids it. */
bool users_scram_make(enum account_scram_hash hash, struct span password, struct buf *out);

/* Wipes and frees the values. */
void users_scram_fini(struct account_scram *scram);

#endif
