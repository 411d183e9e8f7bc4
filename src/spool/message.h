/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SPOOL_MESSAGE_H
#define FRANK_SPOOL_MESSAGE_H

/*
 * What the spool keeps, as values in memory. A *message* is an envelope and the place of its
 * body: immutable once it is committed, counted, shared by all threads. A *body* is its bytes in
 * memory, immutable and counted on its own, because it comes and goes with the memory budget. A
 * *delivery* is one message for one hop, at most 100 recipients: it has one owner at a time, who
 * may change it and hands it back with a result. A *draft* is all three on the way to the first
 * commit.
 *
 * A living message object also holds its segment: as long as it exists, the body can be read,
 * even when the queue has moved it or forgotten it meanwhile.
 */

#include "base/buf.h"
#include "base/list.h"

#define SPOOL_RECIPIENTS_MAX 100           /* in one delivery */
#define SPOOL_BODY_MEMORY_MAX (512 * 1024) /* a larger body must be a large file */

/* --- Body in memory --- */

struct spool_body;

/* Takes the bytes out of *bytes, which is left empty. One reference. */
struct spool_body *spool_body_create(struct buf *bytes);
struct spool_body *spool_body_ref(struct spool_body *body);
void spool_body_unref(struct spool_body **body); /* accepts NULL, clears the pointer */
struct span spool_body_span(const struct spool_body *body);

/* --- Message --- */

enum spool_flag {
	SPOOL_FLAG_8BIT = 1 << 0,        /* BODY=8BITMIME (RFC 6152), or content with high bits */
	SPOOL_FLAG_SUBMITTED = 1 << 1,   /* came from somebody who may send, to be relayed */
	SPOOL_FLAG_TLS = 1 << 2,         /* the client's session was under TLS */
	SPOOL_FLAG_NOTICE = 1 << 3,      /* made here: a bounce or a delay warning */
	SPOOL_FLAG_SMTPUTF8 = 1 << 4,    /* MAIL said SMTPUTF8 (RFC 6531) */
	SPOOL_FLAG_UTF8_HEADER = 1 << 5, /* and the header holds letters outside ASCII */
	SPOOL_FLAG_REQUIRETLS = 1 << 6,  /* MAIL said REQUIRETLS (RFC 8689) */
	SPOOL_FLAG_RETURN_HEADERS = 1 << 7, /* RET=HDRS (RFC 3461) */
	SPOOL_FLAG_RETURN_FULL = 1 << 8,    /* RET=FULL */
};

/* Absent texts are empty. The reverse-path is empty for notices (RFC 5321, 4.5.5). */
struct spool_envelope {
	struct span reverse_path;
	struct span login;
	struct span client; /* address as text */
	struct span helo;
	struct span listener; /* label */
	struct span envid;    /* ENVID (RFC 3461), in xtext */
	unsigned flags;       /* enum spool_flag */
	int64_t received_ms;  /* wall */
};

enum spool_where {
	SPOOL_WHERE_NOWHERE, /* not written yet, or ended: the space is free again */
	SPOOL_WHERE_SEGMENT,
	SPOOL_WHERE_LARGE,  /* large/<id> */
	SPOOL_WHERE_BROKEN, /* broken/<id>, set aside */
};

struct spool_segment;
struct spool_files;

struct spool_place {
	enum spool_where where;
	struct spool_segment *segment;   /* for SEGMENT; one reference */
	char *path;                      /* for LARGE; owned */
	const struct spool_files *files; /* to read it with */
	uint64_t generation;             /* the segment's */
	uint64_t offset;                 /* of the record */
	uint32_t checksum;               /* CRC-32C of the body; in a segment with its seed */
};

struct spool_message {
	uint64_t id;
	struct spool_envelope envelope; /* texts live as long as the message */
	uint64_t size;                  /* of the body in bytes */
	struct spool_place place;       /* written by the spool only */
	_Atomic unsigned references;
};

/* Copies the envelope's texts. One reference. */
struct spool_message *spool_message_create(uint64_t id, const struct spool_envelope *envelope);
struct spool_message *spool_message_ref(struct spool_message *message);
void spool_message_unref(struct spool_message **message); /* any thread; clears the pointer */

/* --- Delivery --- */

enum spool_recipient_state {
	SPOOL_RECIPIENT_WAITING,
	SPOOL_RECIPIENT_DELIVERED,
	SPOOL_RECIPIENT_FAILED,  /* for good: bounced, or held to be bounced */
	SPOOL_RECIPIENT_DROPPED, /* by the operator */
};

/* Texts are on the heap and owned; change them with spool_text_set(). */
struct spool_recipient {
	struct span address;
	enum spool_recipient_state state;
	struct span reply;     /* the hop's last, verbatim, or our own reason */
	struct span remote_id; /* the next hop's queue id */
	unsigned notify;       /* NOTIFY: bits of enum smtp_notify; 0: nothing was said */
	struct span orcpt;     /* ORCPT as it came */
	bool notify_passed_on; /* in memory only: the hop that took it tells of its delivery */
};

enum spool_delivery_state {
	SPOOL_DELIVERY_WAITING, /* deferred, or in hand */
	SPOOL_DELIVERY_HELD,    /* tried only after a release; does not expire */
	SPOOL_DELIVERY_BROKEN,  /* its body is damaged: never sent, never bounced */
	SPOOL_DELIVERY_ENDED,   /* no recipient waits; only seen in history */
};

struct spool_delivery {
	struct list link;              /* for its owner; the spool uses it in lists it hands out */
	void *owner;                   /* for its owner; the spool leaves it alone */
	struct spool_message *message; /* one reference */
	unsigned number;               /* within the message; given by the spool at the commit */
	enum spool_delivery_state state;
	struct span hop;   /* key: "submission://smtp.example.net:587 as up"; owned */
	struct span route; /* label of the route that chose it; owned */
	unsigned attempts;
	int64_t next_attempt_ms;  /* wall; for the schedule's order */
	int64_t expires_ms;       /* wall; 0: never */
	int64_t warn_ms;          /* when a delay warning is due; 0: none, or sent */
	int64_t last_attempt_ms;  /* 0: none yet */
	struct span reply;        /* last failure that concerned the whole attempt; owned */
	unsigned recipient_count; /* <= SPOOL_RECIPIENTS_MAX */
	struct spool_recipient *recipients;
};

/* A delivery of the message (takes a reference of its own), without recipients, due at once. */
struct spool_delivery *spool_delivery_create(struct spool_message *message, struct span hop);
void spool_delivery_destroy(struct spool_delivery **delivery);

/* False when the delivery has SPOOL_RECIPIENTS_MAX already. */
bool spool_delivery_add(struct spool_delivery *delivery, struct span address);

/* Replaces an owned text by a copy of the value. */
void spool_text_set(struct span *owned, struct span value);

/* How many recipients still wait. */
unsigned spool_delivery_waiting(const struct spool_delivery *delivery);

/* Moves recipient `index` out of the delivery into one of the list `more` that has this hop and
   room, which is made (with the same times and attempts, number not yet given) when there is
   none. For routes that now send the recipients of one delivery different ways. Returns that
   delivery. */
struct spool_delivery *spool_delivery_move(
    struct spool_delivery *delivery, unsigned index, struct span hop, struct list *more);

/* --- Draft and result --- */

struct spool_draft {
	struct list link; /* for its owner */
	struct spool_message *message;
	struct spool_body *body; /* NULL: the body is large/<id>, finished and synced */
	struct list deliveries;  /* of struct spool_delivery, at least one */
	unsigned delivery_count;
};

/* Takes the message's reference. */
struct spool_draft *spool_draft_create(struct spool_message **message);
/* Also destroys what is in it: message, body and deliveries, as far as they were not taken. */
void spool_draft_destroy(struct spool_draft **draft);

/* Adds a recipient to the draft's delivery for this hop; makes a further delivery when there is
   none or the last one is full. Returns the delivery, for its times. */
struct spool_delivery *spool_draft_add(
    struct spool_draft *draft, struct span hop, struct span address);

/* The body, in memory: takes the bytes. At most SPOOL_BODY_MEMORY_MAX. */
void spool_draft_set_body(struct spool_draft *draft, struct buf *bytes);

/* What came of an attempt, or of any other change to a delivery in hand. After the commit the
   spool destroys the delivery; it is no longer in hand. A delivery in which nobody waits has
   ended. */
struct spool_result {
	struct list link;                /* for its owner */
	struct spool_delivery *delivery; /* as it is now */
	struct list more;                /* split off by spool_delivery_move() */
	struct spool_draft *bounce;      /* accepted in the same transaction; NULL: none */
};

/* Takes the delivery. */
struct spool_result *spool_result_create(struct spool_delivery **delivery);
void spool_result_destroy(struct spool_result **result);

#endif
