/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_DOMAIN_H
#define FRANK_SMTP_DOMAIN_H

/*
 * Domains in letters of any script (U-labels) and in the form that DNS and old servers know
 * (A-labels, "xn--…"; RFC 5890, 2.3.2.1). The two name the same host, so that one can stand for the
 * other; a local part has no such form, and is never changed (RFC 6531, 3.2).
 *
 * What comes out of libidn2 is looked at again, letter by letter: only letters, digits, hyphens and
 * underscores can stand in a label here, and no byte of the domain is ever dropped on the way.
 */

#include "base/buf.h"

#define SMTP_DOMAIN_ASCII_MAX 255

bool smtp_text_is_ascii(struct span text);
/* Well-formed UTF-8 (RFC 3629) without control characters (U+0080 to U+009F are some). */
bool smtp_text_is_utf8(struct span text);

/* Appends the domain in A-labels; one that is ASCII already, or an address literal, as it is.
   False, and b is unchanged, when it has no such form or b's ceiling forbids it. */
bool smtp_domain_append_ascii(struct buf *b, struct span domain);

/* Appends the address with its domain in A-labels; a domain that has no such form stays as it is.
   For comparisons with what the configuration names. False at b's ceiling. */
bool smtp_mailbox_append_comparable(struct buf *b, struct span mailbox);

/* Appends the address in ASCII, as a server without SMTPUTF8 takes it. False, and b is unchanged,
   when that cannot be done without loss. The empty reverse-path stays empty. */
bool smtp_mailbox_append_ascii(struct buf *b, struct span mailbox);

#endif
