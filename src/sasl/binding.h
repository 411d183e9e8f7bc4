/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_BINDING_H
#define FRANK_SASL_BINDING_H

/*
 * What ties a login to the TLS connection that it runs in (RFC 5056): whoever relays the dialogue
 * has another connection, and the proof does not hold there. Both are empty without TLS; tls_unique
 * is there below TLS 1.3 only, and only where the handshake had the extended master secret.
 *
 * From TLS 1.3 on the type is tls-exporter (RFC 9266). Below it is tls-unique, which RFC 5802 (6.1)
 * asks of every server; tls-exporter where only that one is given.
 */

#include "base/span.h"

struct sasl_binding {
	struct span tls_exporter; /* 32 octets: EXPORTER-Channel-Binding, no context */
	struct span tls_unique;   /* the first Finished message (RFC 5929, 3) */
};

/* The type that a client uses ("tls-exporter"), static, and its data; NULL when there is none. */
const char *sasl_binding_choose(const struct sasl_binding *binding, struct span *data_out);
/* The data of a type that a client names. False: the type is not known, or not there. */
bool sasl_binding_find(const struct sasl_binding *binding, struct span type, struct span *data_out);

#endif
