/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_DESCRIBE_H
#define FRANK_SASL_DESCRIBE_H

/*
 * A client's AUTH payloads made fit to be shown: mechanism, decoded identity and length, never a
 * secret, and never what one could be guessed from (a digest, a proof):
 *
 *	[PLAIN: user "scan", password hidden, 24 octets]
 *	[LOGIN: user "scan", 4 octets]
 *	[LOGIN: password hidden, 8 octets]
 *	[CRAM-MD5: user "scan", digest hidden, 37 octets]
 *	[SCRAM-SHA-256: user "scan", not bound to TLS, 48 octets]
 *	[SCRAM-SHA-256-PLUS: proof hidden, bound by "tls-exporter" with 32 octets, 188 octets]
 *	[XOAUTH2: user "scan@example.org", token hidden with 1204 octets, 1260 octets]
 *
 * The last figure counts decoded octets; what cannot be decoded is counted as it came and not
 * shown. A part that may be a secret is treated as one.
 */

#include "base/buf.h"

/* Decodes payload (base64 as on the wire; "=" is empty, "*" a cancellation) of the given step: 0 is
   the initial response or the first response of an exchange, 1 the next one. mechanism may be one
   that Frank does not speak. Appends to out; false when its ceiling forbids it. */
bool sasl_describe(struct span mechanism, unsigned step, struct span payload, struct buf *out);

#endif
