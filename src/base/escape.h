/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_ESCAPE_H
#define FRANK_BASE_ESCAPE_H

/*
 * Peer bytes made fit to be shown: printable ASCII and valid UTF-8 letters stay, a backslash is
 * doubled, everything else becomes \r, \n, \t or \xHH. So no peer can write a line end or a
 * terminal sequence into a log or onto a screen.
 */

#include "base/buf.h"

bool escape_append(struct buf *b, struct span bytes);

/* The same into a fixed array, always NUL-terminated; what does not fit is cut and marked "...".
   Returns out. size must be at least 8. */
const char *escape_to(char *out, size_t size, struct span bytes);

/* Takes the first character off *bytes, which is not empty, and writes its form. Returns the length
   of the form. */
#define ESCAPE_CHARACTER_MAX 4
size_t escape_take(struct span *bytes, char out[ESCAPE_CHARACTER_MAX]);

#endif
