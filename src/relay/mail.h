/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_MAIL_H
#define FRANK_RELAY_MAIL_H

/*
 * What control and lanes tell each other. Each kind is a structure that begins with a struct
 * relay_mail; who receives it owns it and frees it with mem_free() after taking its parts.
 */

#include "base/mailbox.h"
#include "base/memory.h"
#include "config/config.h"

struct setup;

enum relay_mail_kind {
	/* control to lane */
	RELAY_MAIL_SETUP,      /* struct relay_mail_setup: for all that begins now */
	RELAY_MAIL_LISTEN,     /* struct relay_mail_listen: accept here */
	RELAY_MAIL_UNLISTEN,   /* struct relay_mail_listen, fd unused: stop accepting here */
	RELAY_MAIL_STOP,       /* struct relay_mail: end gracefully */
	RELAY_MAIL_CUT,        /* struct relay_mail: close everything now */
	RELAY_MAIL_WATCH,      /* struct relay_mail_watch: somebody looks, or nobody does */
	RELAY_MAIL_JOB,        /* struct job (relay/job.h): deliveries for a slot */
	RELAY_MAIL_SLOT_CLOSE, /* struct relay_mail_slot: that connection may go */
	/* lane to control */
	RELAY_MAIL_LANE_STOPPED, /* struct relay_mail_lane: its last mail */
	RELAY_MAIL_JOB_PROGRESS, /* struct job_progress (relay/job.h) */
	RELAY_MAIL_TRACE,        /* struct trace_record (trace/record.h) */
	RELAY_MAIL_QUIRKS,       /* struct relay_mail_quirks (relay/quirk_use.h) */
};

struct relay_mail {
	struct mailbox_item item; /* first */
	enum relay_mail_kind kind;
};

struct relay_mail_setup {
	struct relay_mail mail;
	const struct setup *setup; /* a reference */
};

struct relay_mail_listen {
	struct relay_mail mail;
	struct config_address address; /* without its texts */
	int fd;                        /* the receiver's to close */
};

struct relay_mail_watch {
	struct relay_mail mail;
	unsigned watchers;
};

struct relay_mail_slot {
	struct relay_mail mail;
	uint64_t slot;
};

struct relay_mail_lane {
	struct relay_mail mail;
	unsigned lane;
};

static inline struct relay_mail *relay_mail_of(struct mailbox_item *item)
{
	return (struct relay_mail *)item;
}

#endif
