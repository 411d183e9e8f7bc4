/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_DIGEST_H
#define FRANK_SASL_DIGEST_H

/*
 * The digests that mechanisms are made of, by OpenSSL. One call each, no state: a digest of a
 * login's few bytes is under 2 microseconds with the fetch of the algorithm in it.
 *
 * Each function is false only where this machine's OpenSSL forbids the algorithm (MD5 under FIPS).
 */

#include "base/buf.h"

enum sasl_hash {
	SASL_HASH_MD5,
	SASL_HASH_SHA_1,
	SASL_HASH_SHA_256,
	SASL_HASH_COUNT,
};

#define SASL_DIGEST_MAX 32

size_t sasl_digest_len(enum sasl_hash hash);

bool sasl_digest(enum sasl_hash hash, struct span bytes, char out[SASL_DIGEST_MAX]);
bool sasl_hmac(enum sasl_hash hash, struct span key, struct span bytes, char out[SASL_DIGEST_MAX]);
/* PBKDF2 (RFC 8018, 5.2), one block: Hi() of RFC 5802. A million iterations take 0.2 to 0.5 s. */
bool sasl_derive(enum sasl_hash hash, struct span password, struct span salt, unsigned iterations,
    char out[SASL_DIGEST_MAX]);

/* Lower case. */
bool sasl_append_hex(struct buf *out, struct span bytes);

#endif
