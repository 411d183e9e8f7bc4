/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_VIA_H
#define FRANK_CONFIG_VIA_H

/*
 * Where messages go: "submission://host:587", "lmtp://unix:/path", "maildir:/var/mail/%u",
 * "discard". Also for the command line, whose servers are written the same way.
 */

#include "base/buf.h"
#include "base/fault.h"
#include "config/arena.h"
#include "config/config.h"

/* file is the file that names it: a maildir's relative path starts at its directory; NULL: the
   working directory. The origin is left unset. A password in a URL is refused, and not repeated. */
bool config_via_parse(struct config_arena *arena, const char *file, const char *text,
    struct config_via *out, struct fault *fault_out);

uint16_t config_scheme_port(enum config_scheme scheme); /* 0: it has none */

/* A path with %u (local part) and %d (domain) filled in. Both come from strangers: only a-z 0-9 . _
   + - are admitted (A-Z is lowered), and no leading dot, so that nobody leaves the directory. False
   when they hold anything else, or when out is full; out is then unchanged. */
bool config_path_expand(const char *path, struct span local, struct span domain, struct buf *out);

#endif
