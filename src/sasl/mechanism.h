/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_MECHANISM_H
#define FRANK_SASL_MECHANISM_H

/*
 * The mechanisms Frank speaks, weakest first. To add one: a value here, a file of its own with its
 * server and client side, and a row in each of server.c and client.c.
 */

#include "base/span.h"

enum sasl_mechanism {
	SASL_MECHANISM_LOGIN, /* draft-murchison-sasl-login */
	SASL_MECHANISM_PLAIN, /* RFC 4616 */
	SASL_MECHANISM_COUNT,
};

#define SASL_NAME_MAX 255     /* octets of a user name (RFC 4616, 2) */
#define SASL_PASSWORD_MAX 511 /* octets of a password: what libxcrypt takes */

const char *sasl_mechanism_name(enum sasl_mechanism mechanism);
/* In any case. False when Frank does not speak it. */
bool sasl_mechanism_find(struct span name, enum sasl_mechanism *mechanism_out);

/* With CR or LF, as `echo` without -n makes it. */
bool sasl_ends_with_line_end(struct span secret);

#endif
