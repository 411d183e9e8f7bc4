/* SPDX-License-Identifier: MIT */
#ifndef FRANK_NET_IDENTITY_H
#define FRANK_NET_IDENTITY_H

/*
 * Who a client's certificate says that it is, for SASL's EXTERNAL. Only the alternative names count
 * (RFC 5280, 4.2.1.6): the mail addresses in it, and its DNS names; the common name of the subject
 * is free text that CAs copy unseen. A name with a NUL or another control byte in it is none, and a
 * wildcard is none either.
 */

#include "base/buf.h"

#include <openssl/x509.h>

#define IDENTITY_MAX 255 /* octets of a name */

enum identity_result {
	IDENTITY_FOUND,
	IDENTITY_NONE,  /* the certificate has neither mail address nor DNS name */
	IDENTITY_OTHER, /* it has, and wanted is not among them */
};

/* wanted is the name that the client asks for; empty: the first mail address, else the first DNS
   name. Mail addresses are compared as RFC 5321 (2.4) says: the domain in any case, the local part
   not; DNS names in any case. Appends the name as the certificate has it. */
enum identity_result identity_of_certificate(
    X509 *certificate, struct span wanted, struct buf *name_out);

#endif
