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
	const struct config_route *route;
	const char *default_domain;     /* its own or the relay's; NULL: bare names stay */
	struct rewrite_map *sender_map; /* NULL: no such rule */
	struct rewrite_map *from_map;   /* the same one where both name one file */
};

/* Reads the maps. config and route live longer. On failure (FAULT_LOCAL) rewrite is zeroed. */
bool rewrite_init(struct rewrite *rewrite, const struct config *config,
    const struct config_route *route, struct fault *fault_out);
void rewrite_fini(struct rewrite *rewrite);

/* The reverse-path for the hop. is_ours: from somebody who may send, or made here, so that bare
   names are completed. True when it is another one; *as_out lives as long as rewrite and the next
   change of scratch, which is cleared first. */
bool rewrite_sender(const struct rewrite *rewrite, struct span sender, bool is_ours,
    struct buf *scratch, struct span *as_out);

/* Whether a header must be looked at at all. */
bool rewrite_wants_header(const struct rewrite *rewrite, bool is_ours);

/* Appends the header for the hop, see message_rewrite(). sender is the original reverse-path. False
   at b's ceiling. */
bool rewrite_header(const struct rewrite *rewrite, struct span sender, bool is_ours,
    struct span header, struct buf *b, struct message_rewrite_result *result_out);

/*
 * For "frank route test": what the hop would be given for this sender, and for a From field with
 * this value (empty: the one that submission adds, which holds the sender). Appended to out,
 * unescaped; false: it stays as it is.
 */
bool rewrite_preview_sender(const struct rewrite *rewrite, struct span sender, struct buf *out);
bool rewrite_preview_from(
    const struct rewrite *rewrite, struct span sender, struct span from, struct buf *out);

/* The alias of a route for this recipient, or NULL. A name without "@" is meant for the bare name
   and for name@domain, where domain is what completes bare names, or the relay's hostname. */
const struct config_alias *rewrite_find_alias(
    const struct config *config, const struct config_route *route, struct span recipient);

/* What completes bare names on this route: its own default-domain or the relay's; or NULL. */
const char *rewrite_default_domain(const struct config *config, const struct config_route *route);

#endif
