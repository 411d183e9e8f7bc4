/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_CRAM_MD5_H
#define FRANK_SASL_CRAM_MD5_H

/*
 * CRAM-MD5 (RFC 2195): the server says a string that it never said before, the client answers with
 * its name and the HMAC-MD5 of that string under the password. The server proves nothing, and must
 * store the password itself. For server.c and client.c.
 */

#include "sasl/client.h"
#include "sasl/server.h"

#define SASL_CRAM_CHALLENGE_MAX 1024

enum sasl_outcome sasl_cram_server_start(
    struct sasl_server *s, bool has_initial, struct span initial);
enum sasl_outcome sasl_cram_server_step(struct sasl_server *s, struct span response);
/* For server.c: after LOOKUP; an empty password is none. */
enum sasl_outcome sasl_cram_server_found(struct sasl_server *s, struct span password);
void sasl_cram_client_start(struct sasl_client *c, bool with_initial, struct buf *out);
enum sasl_client_result sasl_cram_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out);

#endif
