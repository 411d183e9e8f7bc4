/* SPDX-License-Identifier: MIT */
#ifndef FRANK_MESSAGE_TRACE_FIELDS_H
#define FRANK_MESSAGE_TRACE_FIELDS_H

/*
 * What a relay puts in front of a message: Received (RFC 5321, 4.4; RFC 3848 for the protocol
 * names) and, for submitted mail, the fields that are missing (RFC 6409, 8). Nothing a peer says
 * can bring a line end, a NUL or another control byte into a header: such bytes, blanks and the
 * specials of RFC 5322 in a name become '?', and whatever is too long is cut. The login is not
 * shown: it would tell every recipient half of a credential.
 */

#include "base/buf.h"
#include "message/header.h"

/* No prefix is longer: a buf with this ceiling always suffices. */
#define MESSAGE_PREFIX_MAX 8192

enum message_protocol {
	MESSAGE_PROTOCOL_SMTP,  /* the client said HELO */
	MESSAGE_PROTOCOL_ESMTP, /* it said EHLO */
	MESSAGE_PROTOCOL_LMTP,
	MESSAGE_PROTOCOL_LOCAL, /* handed over on this machine, without a session */
};

struct message_trace {
	enum message_protocol protocol;
	bool tls_active, authenticated;
	struct span helo;           /* as the client said it; may be empty */
	struct span client_address; /* "192.0.2.1" or "2001:db8::1", without brackets; may be
				       empty (a local socket) */
	struct span client_name;    /* from a verified reverse look-up; may be empty */
	struct span tls_version, tls_cipher;
	struct span hostname; /* ours */
	uint64_t message_id;
	uint64_t random;          /* makes the added Message-ID unguessable and unique */
	struct span reverse_path; /* without brackets; empty for <> */
	struct span recipient;    /* set only when there is exactly one: others must not
				     learn of each other (RFC 5321, 7.2) */
	int64_t received_wall_ms;
	bool submitted; /* from one of our own clients: missing fields are added */
	bool smtputf8;  /* said in MAIL (RFC 6531): the reverse-path may hold such letters */
};

/* Each returns false, with b unchanged, when the ceiling of b forbids it. */

/* "Received: from helo (name [address]) by hostname with ESMTPSA (TLSv1.3 cipher) id ID for
   <recipient>; date", folded below 78 columns where it can be. */
bool message_received_format(struct buf *b, const struct message_trace *trace);

/* "Return-Path: <address>", for the final delivery (RFC 5321, 4.4). */
bool message_return_path_format(struct buf *b, struct span reverse_path);

/*
 * All that goes in front of the message: Received; when it was submitted, the missing ones of
 * Message-ID, Date and From; an empty line when the content has no header of its own. h must be
 * decided. A header that is TOO_LARGE gets Received only: the others may stand where nobody looked.
 */
bool message_prefix_format(
    struct buf *b, const struct message_header *h, const struct message_trace *trace);

#endif
