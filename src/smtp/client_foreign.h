/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_CLIENT_FOREIGN_H
#define FRANK_SMTP_CLIENT_FOREIGN_H

/*
 * What answers where an SMTP greeting was expected: the first bytes of other protocols, for a
 * sentence that names the likely mistake.
 */

#include "base/span.h"

/* A noun phrase ("a web server (HTTP)"), and in *hint_out what to do; NULL when nothing is
   recognised. Both are static. */
const char *smtp_foreign_greeting(struct span bytes, const char **hint_out);

/* True as soon as the bytes are a TLS record: it has no line end to wait for. */
bool smtp_foreign_is_tls(struct span bytes);

#endif
