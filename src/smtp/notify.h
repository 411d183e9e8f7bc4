/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_NOTIFY_H
#define FRANK_SMTP_NOTIFY_H

/*
 * The parameters by which a sender says what it wants to hear of a delivery (RFC 3461): RET and
 * ENVID of MAIL, NOTIFY and ORCPT of RCPT. ENVID and ORCPT travel as they came, in xtext, and are
 * decoded only to be shown in a report.
 */

#include "base/buf.h"

#define SMTP_ENVID_MAX 300 /* octets in xtext; 100 decoded (RFC 3461, 4.4) */
#define SMTP_ORCPT_MAX 500 /* RFC 3461, 4.2 */
#define SMTP_NOTIFY_TEXT_MAX 32

/* Bits. 0 is "nothing was said": failures are then told, and delays (RFC 3461, 4.1). */
enum smtp_notify {
	SMTP_NOTIFY_NEVER = 1 << 0, /* alone */
	SMTP_NOTIFY_SUCCESS = 1 << 1,
	SMTP_NOTIFY_FAILURE = 1 << 2,
	SMTP_NOTIFY_DELAY = 1 << 3,
};

enum smtp_return {
	SMTP_RETURN_UNSAID,
	SMTP_RETURN_HEADERS, /* RET=HDRS */
	SMTP_RETURN_FULL,
};

/* True for well-formed xtext (RFC 3461, 4), as in ENVID and in MAIL's AUTH= parameter. */
bool smtp_xtext_is_valid(struct span text);
/* Appends what the xtext stands for; a malformed "+" stands for itself. False at b's ceiling. */
bool smtp_xtext_decode(struct span text, struct buf *b);

/* "NEVER", or a list of the others in any case and order, each once. */
bool smtp_notify_parse(struct span value, unsigned *notify_out);
/* notify is not 0. */
const char *smtp_notify_format(unsigned notify, char out[SMTP_NOTIFY_TEXT_MAX]);

/* "HDRS" or "FULL". */
bool smtp_return_parse(struct span value, enum smtp_return *return_out);

/* xtext that stands for at most 100 printable characters. */
bool smtp_envid_is_valid(struct span value);
/* "rfc822;xtext"; with utf8 also "utf-8;…" with letters outside ASCII (RFC 6533, 3). */
bool smtp_orcpt_is_valid(struct span value, bool utf8);

#endif
