/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_JOB_H
#define FRANK_RELAY_JOB_H

/*
 * What control gives a slot to do, and what comes back. A slot is one connection to a hop in one
 * lane (or, for a Maildir, one worker). It answers each delivery of a job by itself, and then says
 * that it is idle or closed; what a broken job did not reach comes back untouched.
 */

#include "relay/mail.h"
#include "relay/setup.h"
#include "relay/upstream.h"
#include "spool/message.h"

#define JOB_DELIVERIES_MAX 8

struct job_item {
	struct spool_delivery *delivery;
	struct spool_body *body; /* NULL: to be read from disk */
};

struct job {
	struct relay_mail mail;          /* RELAY_MAIL_JOB */
	uint64_t slot;                   /* opened when the lane does not have it */
	const struct setup *setup;       /* a reference */
	const struct setup_hop *hop;     /* lives in setup */
	struct upstream_learned learned; /* used when the slot is opened */
	struct buf token;                /* secret: to sign in with; empty: the account has none */
	unsigned count;
	struct job_item items[JOB_DELIVERIES_MAX];
};

/* Frees what the job still holds. */
void job_destroy(struct job **job);

enum job_progress_kind {
	JOB_ATTEMPTED, /* delivery: recipients have their states and replies */
	JOB_UNREACHED, /* delivery: nothing was said about it */
	JOB_DAMAGED,   /* delivery: its body is damaged */
	JOB_READY,     /* the hop has let us in with the account; more will follow */
	JOB_IDLE,      /* all items are answered; the connection is warm */
	JOB_CLOSED,    /* the slot is gone; all items are answered */
};

struct job_progress {
	struct relay_mail mail; /* RELAY_MAIL_JOB_PROGRESS */
	enum job_progress_kind kind;
	uint64_t slot;
	struct spool_delivery *delivery;
	struct spool_body *body; /* as it was given */
	/* ATTEMPTED: */
	bool tried[SPOOL_RECIPIENTS_MAX]; /* by place in the delivery: this attempt was about it */
	bool connection_limit;            /* a 4yz spoke of connections or rate */
	char *sender_as, *from_as;        /* what the hop was told in place of the original
					     reverse-path, and put into From; NULL: nothing */
	/* CLOSED: */
	enum upstream_trouble trouble;
	bool login_refused; /* the hop said no to the login itself */
	char text[1024];
	struct buf token; /* secret: with trouble TOKEN, the one that the hop refused */
	/* IDLE, CLOSED: what is known now. */
	struct upstream_learned *learned; /* on the heap, or NULL: unchanged */
};

void job_progress_destroy(struct job_progress **progress);

#endif
