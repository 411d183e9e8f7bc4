/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_BASE64_H
#define FRANK_BASE_BASE64_H

/*
 * Base64 as in RFC 4648, section 4, with padding and without line breaks. Decoding is strict:
 * another character, a wrong length, or non-zero bits behind the last byte are errors.
 */

#include "base/buf.h"

/* False when the ceiling of b forbids it. */
bool base64_encode(struct buf *b, struct span bytes);

/* False on malformed input, or when the ceiling forbids it; b is then unchanged. */
bool base64_decode(struct buf *b, struct span text);

#endif
