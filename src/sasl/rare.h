/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_RARE_H
#define FRANK_SASL_RARE_H

/*
 * NTLM, DIGEST-MD5 and GSSAPI as a client, by GNU SASL: old mechanisms that some hops still have
 * and nothing else. Of that library's list exactly these three are used; it names GSSAPI where
 * there is no Kerberos, and others that nobody is to be offered. Its SASLprep is used too.
 *
 * Each exchange has a library context of its own, so exchanges in several threads do not meet.
 * GSSAPI reads the ticket cache that the environment names (KRB5CCNAME) and talks to the KDC: it is
 * not pure, may take seconds, and belongs on a worker. NTLM's answers are of version 1, which is
 * what libntlm makes: servers that demand version 2 refuse them.
 */

#include "sasl/client.h"

/* Whether this build of the library has the mechanism. */
bool sasl_rare_supports(enum sasl_mechanism mechanism);

/* SASLprep (RFC 4013) of UTF-8. False, and nothing appended, when it cannot be prepared. */
bool sasl_rare_prepare(struct span text, struct buf *out);

/* The client's side, for client.c. */
void sasl_rare_client_start(struct sasl_client *c, bool with_initial, struct buf *out);
enum sasl_client_result sasl_rare_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out);
/* Wipes and frees. */
void sasl_rare_destroy(struct sasl_rare **rare);

#endif
