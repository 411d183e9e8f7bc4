/* SPDX-License-Identifier: MIT */
#ifndef FRANK_MESSAGE_REPORT_H
#define FRANK_MESSAGE_REPORT_H

/*
 * Delivery status notifications (RFC 3464 in the multipart/report of RFC 6522) as the text of a
 * message: that delivery has failed for good, that it is late, or, for who asked (RFC 3461), that
 * it has succeeded. Three parts: plain words for people, fields for machines, and the header of the
 * original, or all of it. The report is 7-bit with CRLF and no line over 998 octets whatever the
 * next hop said or the original holds: what does not fit is escaped (base/escape.h) or written as
 * quoted-printable. Two things make it 8-bit: an original that is returned whole and is 8-bit
 * itself (RFC 2046, 5.2.1 allows no other form), and a sender whose address is outside ASCII. No
 * header field can be injected.
 *
 * Addresses outside ASCII make it a report of RFC 6533, whose parts have types of their own.
 *
 * A report goes out with an empty reverse path, and none is ever made about a message that came
 * with one (RFC 5321, 6.1): both are the caller's to see to.
 */

#include "base/buf.h"

#define MESSAGE_REPORT_HEADER_MAX (32 * 1024) /* of the original's header; cut at a line */
#define MESSAGE_REPORT_REPLY_MAX 4096         /* of a next hop's reply */

enum message_report_kind {
	MESSAGE_REPORT_FAILURE,   /* given up: Action: failed */
	MESSAGE_REPORT_DELAY,     /* still being tried: Action: delayed */
	MESSAGE_REPORT_RELAYED,   /* passed on to a server that sends no reports: Action: relayed */
	MESSAGE_REPORT_DELIVERED, /* Action: delivered */
};

struct message_report_recipient {
	enum message_report_kind kind;
	struct span original_type;    /* of ORCPT: "rfc822"; empty: there was none */
	struct span original;         /* its address, decoded */
	struct span address;          /* as the sender gave it, without brackets */
	struct span status;           /* "5.1.1" (RFC 3463); anything else is shown as x.0.0 */
	struct span hop;              /* host name of the next hop; empty when none was reached */
	struct span reply;            /* its last reply verbatim, lines separated by CRLF or LF;
					 empty when it said nothing */
	struct span reason;           /* our own sentence on what happened; may be empty */
	unsigned attempts;            /* how often it was tried */
	int64_t last_attempt_wall_ms; /* 0 when never */
};

struct message_report {
	enum message_report_kind kind; /* what its subject says; recipients may be of others too */
	struct span hostname;          /* ours: Reporting-MTA, and the Message-ID's right side */
	struct span from;              /* address the report comes from */
	struct span to;                /* the original's reverse path; not empty */
	uint64_t report_id;            /* the report's own id */
	uint64_t random;               /* for its Message-ID and boundary */
	int64_t now_wall_ms;

	uint64_t message_id; /* the original's id at this relay */
	int64_t arrival_wall_ms;
	int64_t give_up_wall_ms;         /* for a delay: when trying ends; 0 when unknown */
	struct span subject;             /* of the original, raw; may be empty */
	struct span original_message_id; /* value of its Message-ID field; may be empty */
	struct span envelope_id;         /* ENVID, decoded; empty: there was none */
	struct span header;              /* the original from its first byte; the report takes it up
					    to the empty line, or up to its own limit */
	bool whole;                      /* header is all of the original, and all of it is to be
					    returned; not done when no part can hold it */
	bool utf8_header;                /* the original is one of RFC 6532 */

	const struct message_report_recipient *recipients;
	size_t recipient_count; /* at least 1 */
};

/* Appends the whole message. False, with b unchanged, when the ceiling of b forbids it. */
bool message_report_format(struct buf *b, const struct message_report *report);

#endif
