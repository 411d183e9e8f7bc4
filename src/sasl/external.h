/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_EXTERNAL_H
#define FRANK_SASL_EXTERNAL_H

/*
 * EXTERNAL (RFC 4422, appendix A): who it is has been proved by the certificate of the TLS session;
 * the one message is the name to act as, or nothing for the certificate's own. For server.c and
 * client.c.
 */

#include "sasl/client.h"
#include "sasl/server.h"

enum sasl_outcome sasl_external_server_start(
    struct sasl_server *s, bool has_initial, struct span initial);
enum sasl_outcome sasl_external_server_step(struct sasl_server *s, struct span response);
void sasl_external_client_start(struct sasl_client *c, bool with_initial, struct buf *out);
enum sasl_client_result sasl_external_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out);

#endif
