/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_ADDRESS_H
#define FRANK_SMTP_ADDRESS_H

/*
 * Mail addresses as they stand in the envelope: reverse-path and forward-path (RFC 5321, 4.1.2),
 * with or without their brackets. Dot-atom and quoted local parts, domains, address literals. A
 * source route (RFC 5321, appendix C) is read and dropped; a "%" in the local part is a letter as
 * any other. smtp_address_parse() takes ASCII only; with SMTPUTF8 (RFC 6531, 3.3) local part and
 * domain may hold letters of any script, in well-formed UTF-8.
 */

#include "base/buf.h"

#define SMTP_LOCAL_PART_MAX 64 /* RFC 5321, 4.5.3.1.1 */
#define SMTP_DOMAIN_MAX 255    /* 4.5.3.1.2 */
#define SMTP_MAILBOX_MAX 254   /* 4.5.3.1.3: a path of 256, less its brackets */

/* All spans borrow from the text that was parsed. */
struct smtp_address {
	struct span mailbox; /* local@domain as written; empty for <> */
	struct span local;   /* as written: with its quotes when it has any */
	struct span domain;  /* empty for <> and for a bare local name */
	bool is_null;        /* <>, the reverse-path of bounces */
	bool is_quoted;      /* the local part is a quoted string */
	bool is_literal;     /* the domain is [192.0.2.1] or the like */
	bool is_eight_bit;   /* some letter is outside ASCII */
};

enum smtp_address_flaw {
	SMTP_ADDRESS_VALID,
	SMTP_ADDRESS_EMPTY,     /* nothing where an address should stand */
	SMTP_ADDRESS_EIGHT_BIT, /* a byte above 127: would need SMTPUTF8 */
	SMTP_ADDRESS_BAD_BYTE,  /* a control byte, or no UTF-8 */
	SMTP_ADDRESS_BAD_LOCAL,
	SMTP_ADDRESS_BAD_DOMAIN,
	SMTP_ADDRESS_BAD_LITERAL,
	SMTP_ADDRESS_BAD_ROUTE,
	SMTP_ADDRESS_LOCAL_TOO_LONG,
	SMTP_ADDRESS_DOMAIN_TOO_LONG,
	SMTP_ADDRESS_TOO_LONG,
};

/* Parses what stands between the brackets, without blanks around it; empty text is EMPTY, not <>.
 *address_out is written only when VALID. */
enum smtp_address_flaw smtp_address_parse(struct span text, struct smtp_address *address_out);
/* The same where SMTPUTF8 is spoken: a byte above 127 is no flaw, as long as the text is UTF-8 and
   the domain has a form in ASCII. */
enum smtp_address_flaw smtp_address_parse_utf8(struct span text, struct smtp_address *address_out);

/* What is wrong, in words that fit behind "The address": "has no domain behind its @". */
const char *smtp_address_flaw_text(enum smtp_address_flaw flaw);

/* Finds where an address ends that begins text: at the first of the stop bytes outside quotes and
   outside an address literal. Returns text.len when there is none. */
size_t smtp_address_extent(struct span text, struct span stops);

/* Appends the local part as it is meant: without quotes and backslashes. False at b's ceiling. */
bool smtp_address_append_local(struct buf *b, const struct smtp_address *address);

#endif
