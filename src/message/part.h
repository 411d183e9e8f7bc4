/* SPDX-License-Identifier: MIT */
#ifndef FRANK_MESSAGE_PART_H
#define FRANK_MESSAGE_PART_H

/*
 * Parts of a multipart message (RFC 2046, 5.1) whose content may be anything: what a 7-bit message
 * cannot hold, and every control byte, is written as quoted-printable (RFC 2045, 6.7).
 */

#include "base/buf.h"

struct message_part {
	const char *type;        /* Content-Type */
	const char *description; /* Content-Description */
	struct buf content;      /* owned */
	bool as_it_is;           /* never encoded: message_part_can_stand() has said yes */
};

#define MESSAGE_BOUNDARY_SIZE 32 /* with its NUL */

/* Makes a boundary that occurs in none of the parts, in whatever form they are written. */
void message_boundary_choose(char out[MESSAGE_BOUNDARY_SIZE], uint64_t random,
    const struct message_part *parts, size_t count);

/* Whether the content can stand without an encoding: no controls, lines that end with CRLF and have
   at most 998 octets; bytes above 127 only with eight_bit. */
bool message_part_can_stand(struct span content, bool eight_bit);

/* The boundary, the part's header and its content. At most 3.2 times the content, and 256 bytes. */
bool message_part_append(struct buf *b, const char *boundary, const struct message_part *part);
/* The boundary that ends the last part. */
bool message_part_append_end(struct buf *b, const char *boundary);

#endif
