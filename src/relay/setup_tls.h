/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_SETUP_TLS_H
#define FRANK_RELAY_SETUP_TLS_H

/*
 * The TLS contexts of a setup's listeners. Listeners that show the same certificates under the same
 * policy share one. "certificate auto" is made here: STATE/certificate/cert.pem and key.pem, a
 * self-signed ECDSA certificate for the hostname. It is made anew when it is not there, is for
 * another name, or ends within SETUP_TLS_RENEW_MS; what is there stays as long as it is good, so
 * that a client that trusts its fingerprint need not be told of every restart.
 */

#include "relay/setup.h"

#define SETUP_TLS_RENEW_MS (30LL * 24 * 3600 * 1000)

/* Fills setup->listener_tls. previous (may be NULL) lends its ticket keys. dry: nothing is written,
   and a listener whose own certificate is still to be made goes without a context. */
bool setup_tls_load(
    struct setup *setup, const struct setup *previous, bool dry, struct buf *problems_out);
void setup_tls_fini(struct setup *setup);

enum tls_level setup_tls_level(enum config_tls_policy policy);

/* Whether one of its certificates is our own and to be made anew by now. */
bool setup_tls_renewal_is_due(const struct setup *setup, int64_t now_ms);

#endif
