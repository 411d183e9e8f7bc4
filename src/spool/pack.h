/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SPOOL_PACK_H
#define FRANK_SPOOL_PACK_H

/*
 * Envelopes and deliveries as bytes in a row. Numbers are LEB128 (at most ten bytes), texts are
 * their length and their bytes, times are signed by zigzag. The first byte is the version of the
 * form; later versions add at the end of an envelope, and of each recipient. Rows of every version
 * are read, and the latest is written. Reading trusts nothing: a row may be damaged.
 *
 *	1	as the first Frank wrote it
 *	2	envelope: ENVID; recipient: NOTIFY and ORCPT (RFC 3461)
 */

#include "spool/message.h"

#define SPOOL_PACK_MAX (512 * 1024 * 1024) /* a row's limit; recipients have their own */
#define SPOOL_PACK_REPLY_MAX 2048          /* a longer reply is cut */

void spool_pack_envelope(struct buf *to, const struct spool_envelope *envelope);
/* *envelope_out borrows from `from`. */
bool spool_unpack_envelope(struct span from, struct spool_envelope *envelope_out);

/* Everything but message, number, hop, state, attempts and next attempt, which are columns. */
void spool_pack_delivery(struct buf *to, const struct spool_delivery *delivery);
/* Adds to a delivery that has no recipients yet. On failure it is half filled: destroy it. */
bool spool_unpack_delivery(struct span *from, struct spool_delivery *delivery);

/* How many recipients packed data has; 0 when it is damaged. */
unsigned spool_packed_recipients(struct span from);

/* History: ended deliveries, one behind the other, each with its hop and its columns. */
void spool_pack_history(struct buf *to, const struct spool_delivery *delivery);
/* Appends the deliveries to *out, with their state ENDED. False on damage: *out then holds those
   before it. */
bool spool_unpack_history(struct span from, struct spool_message *message, struct list *out);

#endif
