/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_EHLO_PARSE_H
#define FRANK_SMTP_EHLO_PARSE_H

/*
 * What a server offers in its reply to EHLO (RFC 5321, 4.1.1.1), in any order and any case. The
 * first line is the server's name: an extension that stands there does not count, and is marked.
 * Lines that a middlebox has overwritten with X are marked too (Cisco's SMTP inspection does so),
 * as it is a reason why STARTTLS or AUTH is not to be seen.
 */

#include "base/buf.h"

#define SMTP_MECHANISM_MAX 20 /* octets of a name (RFC 4422, 3.1) */
#define SMTP_MECHANISMS_MAX 32

struct smtp_extensions {
	bool esmtp;          /* there was a positive reply to EHLO or LHLO, not only to HELO */
	bool pipelining;     /* RFC 2920 */
	bool size;           /* RFC 1870 */
	uint64_t size_max;   /* octets; 0: no figure given, or no limit */
	bool eight_bit_mime; /* RFC 6152 */
	bool smtputf8;       /* RFC 6531 */
	bool chunking;       /* RFC 3030 */
	bool enhanced_status_codes; /* RFC 2034 */
	bool dsn;                   /* RFC 3461 */
	bool burl;     /* RFC 4468; not used here, but only Dovecot's submission service lists it */
	bool starttls; /* RFC 3207 */
	bool requiretls;                                    /* RFC 8689 */
	bool limits;                                        /* RFC 9422; each 0: not told */
	unsigned recipients_max, messages_max, domains_max; /* RCPTMAX, MAILMAX, RCPTDOMAINMAX */
	bool auth;             /* RFC 4954: a line AUTH, or the old AUTH=, was there */
	bool auth_equals;      /* the old form AUTH= was there; its mechanisms are in the list */
	bool auth_equals_only; /* ... and no line in the standard form */
	bool masked;           /* a line is overwritten with X */
	bool extension_in_first_line;
	bool mechanisms_dropped; /* malformed names, or more than fit */
	size_t mechanism_count;
	char mechanisms[SMTP_MECHANISMS_MAX][SMTP_MECHANISM_MAX + 1]; /* upper case, in the
					 server's order, each once */
	char host[256]; /* first word of the first line in printable form, may be cut */
};

/* Reads a whole reply, its lines as they came, each ended by LF (smtp_received_reply.lines). */
void smtp_ehlo_parse(struct span lines, struct smtp_extensions *extensions_out);

/* name in any case. */
bool smtp_extensions_offer_mechanism(const struct smtp_extensions *extensions, struct span name);

/* Appends "PIPELINING SIZE=10240000 8BITMIME ...", without AUTH and its mechanisms, separated by
   blanks; nothing when there are none. False when the ceiling of b forbids it. */
bool smtp_extensions_format(const struct smtp_extensions *extensions, struct buf *b);

/* True for the text of a greeting that a middlebox has overwritten with stars. */
bool smtp_greeting_is_masked(struct span text);

#endif
