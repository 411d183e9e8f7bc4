/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_XCLIENT_H
#define FRANK_SMTP_XCLIENT_H

/*
 * The arguments of XCLIENT, by which a proxy says for whom it speaks (Postfix, XCLIENT_README).
 * Each is name=value with the value in xtext (RFC 3461, 4); "[UNAVAILABLE]" and "[TEMPUNAVAIL]" say
 * that it is not known. NAME, DESTADDR and DESTPORT are understood and not used.
 */

#include "base/span.h"

#define SMTP_XCLIENT_ATTRIBUTES "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"

/* Values borrow from the command, still in xtext. Empty: said not to be known. data NULL: not said.
 */
struct smtp_xclient {
	struct span address; /* without its "IPV6:" */
	struct span port;
	struct span protocol; /* SMTP or ESMTP, in any case */
	struct span helo;
	struct span login;
};

/* False: *wrong_out is the first argument that cannot be understood; empty: there is none at all.
 */
bool smtp_xclient_parse(
    struct span arguments, struct smtp_xclient *xclient_out, struct span *wrong_out);

#endif
