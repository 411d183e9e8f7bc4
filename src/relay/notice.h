/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_NOTICE_H
#define FRANK_RELAY_NOTICE_H

/*
 * Notices to the sender of a message: it has failed for good, it is late, or, where the sender
 * asked for that (RFC 3461), it has succeeded. Made by a worker, because the message's header must
 * be read; the result is a draft, to be committed together with the end of the delivery it speaks
 * of.
 */

#include "base/worker.h"
#include "message/report.h"
#include "relay/setup.h"
#include "spool/message.h"

#define NOTICE_JOB 5 /* worker_job.kind */

enum notice_address {
	NOTICE_TO_SENDER,
	NOTICE_TO_POSTMASTER, /* it came with the empty reverse-path */
	NOTICE_TO_NOBODY,     /* there is nobody to tell: hold it */
};

struct notice {
	struct worker_job worker;
	enum message_report_kind kind;    /* the gravest of what it tells */
	bool is_final;                    /* who is delivered is so for good, not passed on */
	const struct setup *setup;        /* a reference */
	struct spool_delivery *delivery;  /* owned; its ->owner is a body or NULL */
	struct list more;                 /* of struct spool_delivery: split off, for the result */
	bool about[SPOOL_RECIPIENTS_MAX]; /* by place: who the notice is about */
	uint64_t id;                      /* of the notice */
	int64_t now_ms;
	struct spool_draft *draft; /* the result; NULL: could not be made */
};

/* Whether the sender wants to hear this about a recipient (RFC 3461, 4.1): failures and delays
   unless NOTIFY names others, success only when it is named and nobody else will tell. */
bool notice_is_wanted(const struct spool_delivery *delivery,
    const struct spool_recipient *recipient, enum message_report_kind kind);

/* Who is told about this delivery. */
enum notice_address notice_addressee(
    const struct config *config, const struct spool_delivery *delivery, struct span *to_out);

struct notice *notice_create(const struct setup *setup, enum message_report_kind kind,
    struct spool_delivery *delivery, uint64_t id, int64_t now_ms, struct mailbox *reply_to);
void notice_destroy(struct notice **notice);

/* The worker's part; also to be called directly where no worker can be had. */
void notice_make(struct notice *notice);

static inline struct notice *notice_of(struct worker_job *job)
{
	return CONTAINER_OF(job, struct notice, worker);
}

#endif
