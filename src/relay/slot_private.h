/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_SLOT_PRIVATE_H
#define FRANK_RELAY_SLOT_PRIVATE_H

/*
 * What the files of a slot share: slot.c (session, control's orders), slot_item.c (the job's items:
 * content, transactions), slot_verdict.c (what the hop says about each recipient), slot_rewrite.c
 * (what the hop is told in place of the original) and slot_fit.c (what a message asks of the hop,
 * and what the hop offers).
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

/* An item of the job on its way out. */
struct slot_item {
	const struct job_item *work; /* in the job */
	struct feed *feed;
	/* Recipients that wait, and where they stand in the delivery. */
	unsigned count;
	struct span addresses[SPOOL_RECIPIENTS_MAX];
	unsigned places[SPOOL_RECIPIENTS_MAX];
	bool decided[SPOOL_RECIPIENTS_MAX];
	unsigned sent_count;              /* the first so many of them are told to the hop */
	bool tried[SPOOL_RECIPIENTS_MAX]; /* by place: in earlier transactions of this item */
	bool smtputf8;                    /* the transaction says so */
	struct smtp_client_notify notify[SPOOL_RECIPIENTS_MAX];
	struct buf fitted;        /* addresses in another form than they are kept in */
	struct buf sender;        /* room for: */
	struct span reverse_path; /* as the hop is told it */
	struct span from_as;      /* the address put into From; empty: it is the original's */
	bool begun;               /* its commands went out behind the dot of the one before */
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
	unsigned next;    /* item under way, or the next one */
	struct slot_item rooms[2],
	    *item;         /* the item under way; the other room is for the one ahead */
	bool going_ahead;  /* what is said now belongs to the item behind next */
	bool reopen;       /* after leaving: for the job that waits */
	bool stopping;     /* after this delivery */
	unsigned messages; /* on this session */
	struct net_timer idle_timer;
	int64_t idle_since_ms;
	enum upstream_trouble about_us; /* the hop complained about us inside a transaction */
	char about_us_text[512];
	bool connection_limit;
	bool mail_answered;
	bool ended_by_message; /* the session was given up, and the hop is not at fault */
	bool login_refused;    /* the session ended so */
};

/* ---- slot.c ---- */

/* Sends QUIT. */
void slot_leave(struct slot *slot);
/* The job is done; control is told. */
void slot_go_idle(struct slot *slot);

/* ---- slot_item.c ---- */

/* The session is ready: on with the job. */
void slot_next_item(struct slot *slot);
/* The first bytes of the body of the item under way are at hand, or a worker is asked for them. */
void slot_load(struct slot *slot);
/* As much of it as the connection takes. */
void slot_pump_content(struct slot *slot);
struct slot_item *slot_item_ahead(struct slot *slot);
void slot_drop_item(struct slot_item *item);
/* Tells control what became of the item under way; of all that are left: nothing. */
struct job_progress *slot_make_progress(struct slot *slot, enum job_progress_kind kind);
void slot_report_item(struct slot *slot, enum job_progress_kind kind);
void slot_return_rest(struct slot *slot);

/* ---- slot_verdict.c ---- */

/* The hop's replies to RCPT, to the final dot, and to a transaction as a whole. Each recipient is
   decided once; 530 and 538 speak of our login and decide nobody. */
void slot_on_recipient(struct slot *slot, const struct smtp_client_event *event);
void slot_on_message_reply(struct slot *slot, const struct smtp_client_event *event);
void slot_on_transaction_failed(struct slot *slot, const struct smtp_client_event *event);

/* ---- slot_fit.c ---- */

#define SLOT_FITTED_MAX ((SPOOL_RECIPIENTS_MAX + 1) * SMTP_CLIENT_PATH_MAX)

/* The recipients of the item under way who are still to be tried, as far as the hop takes them in
   one transaction (RFC 9422). */
void slot_collect(struct slot *slot);
/* The message in the terms of the hop. False: nobody can be told to it, and all of them are
 * decided. */
bool slot_fit(struct slot *slot);
void slot_make_transaction(struct slot *slot, struct smtp_client_transaction *out);
/* Whether the message goes to the hop as it is, in one transaction, and nobody can be refused for
   what the hop does not offer: then it may be begun before the one in front is answered. */
bool slot_fits_plainly(struct slot *slot);
/* A transaction has ended. True: another one has to follow for the same item. */
bool slot_end_round(struct slot *slot);
/* Whether recipients of the item were tried in earlier transactions: then it comes back as
 * attempted. */
bool slot_has_tried(const struct slot *slot);

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
