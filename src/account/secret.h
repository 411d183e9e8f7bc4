/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_SECRET_H
#define FRANK_ACCOUNT_SECRET_H

/*
 * A secret from a file: a password, a client secret, a key phrase. One line end (LF or CRLF) at the
 * end is not part of it, because editors and echo put it there; everything else is. An empty secret
 * and one with a NUL are refused: neither can have been meant.
 */

#include "base/buf.h"
#include "base/fault.h"

#define SECRET_MAX_BYTES 4096

/* Appends the secret to out, a secret buf with room for it. *exposed_out (may be NULL) says that
   everybody on this machine may read the file: worth a warning. A fault is FAULT_LOCAL. */
bool account_secret_read(
    const char *path, struct buf *out, bool *exposed_out, struct fault *fault_out);
/* The same from what is open already, up to its end; name is for the sentences. */
bool account_secret_read_fd(
    int fd, const char *name, struct buf *out, bool *exposed_out, struct fault *fault_out);

#endif
