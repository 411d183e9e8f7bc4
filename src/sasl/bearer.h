/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_BEARER_H
#define FRANK_SASL_BEARER_H

/*
 * OAUTHBEARER (RFC 7628) and XOAUTH2, which came before it (developers.google.com/gmail/imap/
 * xoauth2-protocol): a name and an OAuth access token in one message. A refused token is explained
 * in a challenge of JSON, which the client acknowledges (with %x01, or with nothing) before the
 * reply says that it is refused. For server.c and client.c.
 */

#include "sasl/client.h"
#include "sasl/server.h"

/* One message taken apart. The spans borrow from it. */
struct sasl_bearer {
	struct span user;  /* OAUTHBEARER: as in the gs2 header, "=2C" not resolved; or empty */
	struct span token; /* secret */
	struct span host, port; /* empty when not given */
};

/* False when it has not the mechanism's form. */
bool sasl_bearer_parse(
    enum sasl_mechanism mechanism, struct span message, struct sasl_bearer *bearer_out);

enum sasl_outcome sasl_bearer_server_start(
    struct sasl_server *s, bool has_initial, struct span initial);
enum sasl_outcome sasl_bearer_server_step(struct sasl_server *s, struct span response);
void sasl_bearer_client_start(struct sasl_client *c, bool with_initial, struct buf *out);
enum sasl_client_result sasl_bearer_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out);

#endif
