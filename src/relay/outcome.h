/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_OUTCOME_H
#define FRANK_RELAY_OUTCOME_H

/*
 * What an attempt means for a message: delivered, tried again later, bounced, or held. Every
 * recipient leaves a log line. A notice to the sender is made by a worker (it reads the message's
 * header), and goes into the queue in the same transaction that ends the delivery.
 */

#include "relay/schedule.h"

/* What an attempt was about. */
struct outcome_attempt {
	const bool *tried; /* by place: these recipients; the others wait, or were settled before */
	const char *sender_as, *from_as; /* what the hop was told, see struct job_progress */
};

/* After an attempt: delivery is taken. */
void outcome_attempted(struct schedule *s, struct hop *hop, struct spool_delivery *delivery,
    const struct outcome_attempt *attempt);

/* Came back untouched from a slot that had it before a reload. True: it goes another way now, and
   is taken. */
bool outcome_returned(struct schedule *s, struct spool_delivery *delivery);

/* Overdue: the lifetime has ended, or a delay warning is due. The delivery, in hand, is taken. */
void outcome_overdue(struct schedule *s, struct spool_delivery *delivery);

/* Its body is damaged: set aside, never sent, never bounced. Taken. */
void outcome_damaged(struct schedule *s, struct spool_delivery *delivery);

/* A route refuses it, for good or for now. Taken. */
void outcome_refused(
    struct schedule *s, struct spool_delivery *delivery, const struct config_refusal *refusal);

/* A worker has made a notice (worker_job.kind NOTICE_JOB). */
void outcome_notice_made(struct schedule *s, struct worker_job *job);

/* The hops of the setup in force for the delivery's waiting recipients; those that go elsewhere
   move into more. True when anything changed. Pure, for the keeper's thread too. */
bool outcome_route(const struct setup *setup, struct spool_delivery *delivery, struct list *more);

#endif
