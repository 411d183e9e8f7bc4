/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_PASSWORD_H
#define FRANK_ACCOUNT_PASSWORD_H

/*
 * One password against one user's credentials, and new hashes. Both take milliseconds by intent: in
 * the relay they run on workers only (account/check.h). A user with a libxcrypt string is compared
 * by crypt_rn(3); one with SCRAM verifiers and none by deriving the first one's StoredKey (RFC
 * 5802, section 3, prepared as sasl/scram.h does); one with the password itself alone by looking at
 * it.
 */

#include "account/users.h"
#include "base/buf.h"

#define PASSWORD_MAX_BYTES 511 /* libxcrypt's limit, without its NUL */

/* Nothing matches a password that is empty, has a NUL or is longer: no further work is due. */
bool account_password_is_possible(struct span password);

/* Compares in constant time. False for a user without a working credential. */
bool account_password_matches(const struct account_user *user, struct span password);

/* Whose credentials a check of this login works on: the user's own, or the decoy's when the user is
   unknown or has none that work. *known_out is then false, and no password may pass. */
const struct account_user *account_password_subject(
    const struct account_users *users, struct span login, bool *known_out);

/* What a check does, whole and blocking: an unknown user costs the work of the decoy. */
bool account_password_check(
    const struct account_users *users, struct span login, struct span password);

/* What changes whenever the user gets another password. Empty without a working credential. */
struct span account_password_credential(const struct account_user *user);

#define PASSWORD_HASH_SIZE 384 /* libxcrypt's CRYPT_OUTPUT_SIZE */

/* A fresh libxcrypt string: yescrypt with the library's own cost. */
bool account_password_hash(
    struct span password, char out[PASSWORD_HASH_SIZE], struct fault *fault_out);

/* Appends 24 characters that carry 118 bits and that nobody confuses when typing (no l, 1, O, 0),
   in groups of six: "r7kmqa-…". False when the ceiling of out forbids it. */
bool account_password_generate(struct buf *out);

#endif
