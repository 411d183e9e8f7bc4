/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_PLAIN_H
#define FRANK_SASL_PLAIN_H

/*
 * PLAIN (RFC 4616): one token, authzid NUL authcid NUL password. For server.c and client.c.
 */

#include "sasl/client.h"
#include "sasl/server.h"

enum sasl_outcome sasl_plain_server_start(
    struct sasl_server *s, bool has_initial, struct span initial);
enum sasl_outcome sasl_plain_server_step(struct sasl_server *s, struct span response);
void sasl_plain_client_start(struct sasl_client *c, bool with_initial, struct buf *out);
enum sasl_client_result sasl_plain_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out);

#endif
