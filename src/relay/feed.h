/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_FEED_H
#define FRANK_RELAY_FEED_H

/*
 * A stored body on its way out: from memory while it is in hand, otherwise read from disk by a
 * worker of the file pool, at most 256 KiB ahead. Its header may be rewritten on the way. All
 * functions are the lane's; none blocks.
 */

#include "account/check.h"
#include "base/worker.h"
#include "relay/rewrite.h"
#include "spool/body.h"

#define FEED_JOB 3 /* worker_job.kind */

enum feed_state {
	FEED_BYTES,   /* *bytes_out holds what comes next */
	FEED_WAIT,    /* a worker is reading; feed_returned() will tell */
	FEED_END,     /* all was given, and it is sound */
	FEED_DAMAGED, /* never finish sending it */
	FEED_FAILED,  /* cannot be read now */
};

struct feed;

/* body may be NULL: then it is read from disk. Takes references of its own. key is given back by
   feed_returned(). */
struct feed *feed_create(struct worker_pool *pool, struct mailbox *reply_to,
    struct spool_message *message, struct spool_body *body, uint64_t key);
/* The header goes out as this hop is to see it (relay/rewrite.h). Before the first feed_peek();
   rewrite lives longer than the feed. */
void feed_rewrite(struct feed *feed, const struct rewrite *rewrite);

/* Also while a worker is reading. Clears the pointer; NULL is accepted. */
void feed_destroy(struct feed **feed);

/* What comes next, and the same again until feed_consume(). fault_out is set by FAILED. */
enum feed_state feed_peek(struct feed *feed, struct span *bytes_out, struct fault *fault_out);
void feed_consume(struct feed *feed, size_t n);

/* Known once feed_peek() has given BYTES or END: octets of all that goes out, and what became of
   the header. NULL: it was not to be rewritten, or is larger than can be. */
uint64_t feed_size(const struct feed *feed);
const struct message_rewrite_result *feed_rewritten(const struct feed *feed);
/* Likewise: whether the header that goes out is one that only SMTPUTF8 can carry (RFC 6531). A
   header with raw 8-bit text from a client that did not ask for SMTPUTF8 is none. */
bool feed_header_is_utf8(const struct feed *feed);

/* A job with kind FEED_JOB has come back. False: nobody waits any more. */
bool feed_returned(struct worker_job *job, uint64_t *key_out);

#endif
