/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_SUBMISSION_H
#define FRANK_RELAY_SUBMISSION_H

/*
 * One transaction of a session on its way to the spool: envelope, body, and the question to the
 * keeper. The id is made at MAIL. A body stays in memory up to 256 KiB, or up to 64 KiB while
 * half of the lane's share for drafts is used; beyond that it goes on in a file of its own, written
 * by a worker (relay/large_write.h). With the share used up the transaction is refused with 452.
 *
 * The message gets its prefix (Received; for submitted mail also the fields that are missing) once
 * its header is known.
 */

#include "message/header.h"
#include "message/trace_fields.h"
#include "relay/lane.h"
#include "relay/policy.h"

#define SUBMISSION_MEMORY_MAX (256 * 1024)
#define SUBMISSION_MEMORY_PRESSED (64 * 1024)

struct large_write;

/* What the session has to do next. */
enum submission_step {
	SUBMISSION_GO_ON,   /* read on */
	SUBMISSION_PAUSE,   /* a worker must write first: read on after submission_written() */
	SUBMISSION_WAIT,    /* complete, and the question is on its way */
	SUBMISSION_REFUSED, /* complete, and refused: refusal and why are the reply */
};

struct submission {
	struct keeper_accept accept; /* first: the keeper's answer leads back here */
	struct lane *lane;
	struct account_handle asker; /* the session */
	struct spool_draft *draft;   /* NULL while the keeper or a worker has it */
	bool with_keeper;            /* from the question to the answer */
	uint64_t id;
	unsigned recipients;        /* accepted RCPTs */
	struct message_trace trace; /* its spans live as long as the session's transaction */
	struct message_header header;
	struct buf body;           /* content; with a file, what no worker has yet */
	struct large_write *large; /* NULL: all in memory */
	size_t envelope, writing;  /* bytes: of the recipients, and those a worker has */
	size_t charged;            /* all of it, as counted in lane->draft_bytes */
	bool complete;
	enum smtp_reply_id refusal; /* with why: set as soon as the message cannot be kept */
	bool refused;
	char why[400];
	/* Set by the session, whose setup they belong to. */
	const struct config *config;
	const struct config_login *rule; /* of the login; NULL: it may send as anybody */
	struct span login;
	bool hold; /* it is kept, and goes nowhere until it is released */
};

/* At MAIL. trace comes without id, recipient and time. NULL when the lane's memory for drafts is
   used up: 452. */
struct submission *submission_begin(struct lane *lane, struct account_handle asker,
    const struct spool_envelope *envelope, const struct message_trace *trace);

/* False while the lane's memory for drafts is used up: 452 to RCPT. */
bool submission_has_room(const struct submission *s);
/* At RCPT, with an accepting verdict, and what the sender wants to hear of it (RFC 3461): all that
   an alias leads to inherits that. */
void submission_add(
    struct submission *s, const struct policy_verdict *verdict, unsigned notify, struct span orcpt);

/* A piece of content: GO_ON or PAUSE. */
enum submission_step submission_content(struct submission *s, struct span content);

/* The content is complete: WAIT or REFUSED. The keeper's answer comes to the lane's inbox. */
enum submission_step submission_finish(struct submission *s);

/* The worker has come back: GO_ON, PAUSE (still), WAIT or REFUSED. */
enum submission_step submission_written(struct submission *s);

/* The transaction is over: dropped, refused, or answered. Not while the keeper has it: who leaves
   then lets the answer destroy it. */
void submission_destroy(struct submission **s);

static inline struct submission *submission_of(struct keeper_item *item)
{
	return (struct submission *)item;
}

#endif
