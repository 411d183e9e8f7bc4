/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_SLOT_PRIVATE_H
#define FRANK_RELAY_SLOT_PRIVATE_H

/*
 * What the files of a slot share: slot.c (session, job, content), slot_verdict.c (what the hop says
 * about each recipient) and slot_rewrite.c (what the hop is told in place of the original).
 */

#include "relay/feed.h"
#include "relay/slot.h"

enum slot_state {
	SLOT_CONNECTING,
	SLOT_IDLE, /* ready, nothing to do */
	SLOT_PROBING,
	SLOT_LOADING, /* the first bytes of a body are read */
	SLOT_TRANSACTION,
	SLOT_LEAVING, /* QUIT was sent */
};

struct slot {
	struct list link;
	struct lane *lane;
	uint64_t id;
	enum slot_state state;
	struct upstream *upstream;
	struct upstream_learned learned;
	bool learned_news;
	const struct setup *setup; /* of the session that is open */
	const struct setup_hop *hop;
	struct buf token; /* secret: what the session signs in with; empty: no token */
	struct job *job;  /* NULL: none */
	unsigned next;   /* item under way, or the next one */
	struct feed *feed;
	bool reopen;       /* after leaving: for the job that waits */
	bool stopping;     /* after this delivery */
	unsigned messages; /* on this session */
	struct net_timer idle_timer;
	int64_t idle_since_ms;
	enum upstream_trouble about_us; /* the hop complained about us inside a transaction */
	char about_us_text[512];
	/* The transaction: recipients that wait, and where they stand in the delivery. */
	unsigned count;
	struct span addresses[SPOOL_RECIPIENTS_MAX];
	unsigned places[SPOOL_RECIPIENTS_MAX];
	bool decided[SPOOL_RECIPIENTS_MAX];
	bool connection_limit;
	bool mail_answered;
	bool ended_by_message; /* the session was given up, and the hop is not at fault */
	struct buf sender;         /* room for: */
	struct span reverse_path;  /* as the hop is told it */
	struct span from_as;       /* the address put into From; empty: it is the original's */
};

/* ---- slot_verdict.c ---- */

/* The hop's replies to RCPT, to the final dot, and to a transaction as a whole. Each recipient is
   decided once; 530 and 538 speak of our login and decide nobody. */
void slot_on_recipient(struct slot *slot, const struct smtp_client_event *event);
void slot_on_message_reply(struct slot *slot, const struct smtp_client_event *event);
void slot_on_transaction_failed(struct slot *slot, const struct smtp_client_event *event);

/* ---- slot_rewrite.c ---- */

/* The feed of the item under way has been made; its first bytes have come; the item is reported. */
void slot_rewrite_begin(struct slot *slot);
void slot_rewrite_done(struct slot *slot);
void slot_rewrite_report(const struct slot *slot, struct job_progress *progress);

/* ---- slot_verdict.c ---- */

/* Our own reason for whoever is undecided. */
void slot_decide_ourselves(struct slot *slot, enum spool_recipient_state state, const char *text);
unsigned slot_count_decided(const struct slot *slot);

#endif
