/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_REWRITE_H
#define FRANK_RELAY_REWRITE_H

/*
 * What a route's directives sender, header-from, alias and default-domain do to a message. The
 * queue keeps the original, so that bounces go to who sent it and a changed configuration counts
 * for what waits; sender and header are rewritten on the way out, each time anew. Recipients are
 * different: they are expanded once, when the message is taken, because each of them needs a state
 * of its own (an expansion at delivery would repeat to all what one of them deferred).
 *
 * The empty reverse-path of a bounce stays empty unless a map has a line for "<>".
 */

#include "config/config.h"
#include "message/header.h"
#include "message/rewrite.h"
#include "relay/rewrite_map.h"

#define REWRITE_HEADER_MAX (2 * MESSAGE_HEADER_SIZE_MAX) /* octets of a rewritten header */

/* Of one route. Zeroed: nothing is rewritten. */
struct rewrite {
	const struct config_route *route; /* NULL: none */
	struct rewrite_map *sender_map;   /* NULL: no such rule */
	struct rewrite_map *from_map;     /* the same as sender_map where both name one file */
};

/* Reads the maps. False with a sentence (FAULT_LOCAL); rewrite_fini() is due all the same. */
bool rewrite_init(
    struct rewrite *rewrite, const struct config_route *route, struct fault *fault_out);
void rewrite_fini(struct rewrite *rewrite);

/* The reverse-path for the hop. submitted: bare names may be completed. True when it is another
   one; then *as_out lives as long as rewrite and *scratch, which is cleared first. */
bool rewrite_sender(const struct rewrite *rewrite, struct span sender, bool submitted,
    struct buf *scratch, struct span *as_out);

/* Whether a header must be looked at at all. */
bool rewrite_wants_header(const struct rewrite *rewrite, bool submitted);

/* Appends the header for the hop, see message_rewrite(). sender is the original reverse-path. False
   at b's ceiling. */
bool rewrite_header(const struct rewrite *rewrite, struct span sender, bool submitted,
    struct span header, struct buf *b, struct message_rewrite_result *result_out);

/*
 * For "frank route test", and for a submitted message: what the hop would see of this sender and of
 * a From field with this value. Both are appended, unescaped; false: stays as it is (then nothing
 * is appended). from may be empty.
 */
bool rewrite_preview_sender(const struct rewrite *rewrite, struct span sender, struct buf *out);
bool rewrite_preview_from(
    const struct rewrite *rewrite, struct span sender, struct span from, struct buf *out);

/* The alias of a route for this recipient, or NULL. A name without "@" stands for the bare name and
   for name@domain, domain being the route's default-domain or the relay's own name. */
const struct config_alias *rewrite_find_alias(
    const struct config *config, const struct config_route *route, struct span recipient);

/* What completes bare names on this route: NULL, they stay. */
const char *rewrite_default_domain(const struct config *config, const struct config_route *route);

#endif
