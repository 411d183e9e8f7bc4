/* SPDX-License-Identifier: MIT */
#ifndef FRANK_MESSAGE_REWRITE_H
#define FRANK_MESSAGE_REWRITE_H

/*
 * Rewrites the addresses in a message's header for a next hop that takes only some: From by rule,
 * with the old address kept in Reply-To, and bare names (root) completed in From, Sender, Reply-To,
 * To, Cc and Bcc. Every byte that need not change stays: folds, comments, encoded words, the order
 * and the case of the fields, all other fields. Resent fields (RFC 5322, 3.6.6) are left alone:
 * they speak of an earlier journey.
 *
 * What cannot be read is left as it is: a message is never lost for its header. Only REPLACE, which
 * needs nothing of the old field, replaces it even then.
 */

#include "base/buf.h"

enum message_rewrite_from {
	MESSAGE_REWRITE_FROM_KEEP,
	MESSAGE_REWRITE_FROM_REPLACE, /* the address alone takes the place of all that was there */
	MESSAGE_REWRITE_FROM_KEEP_NAME, /* the first mailbox, with this address */
	MESSAGE_REWRITE_FROM_MAP,       /* each mailbox that the map knows */
};

struct message_rewrite_rules {
	enum message_rewrite_from from;
	struct span address; /* REPLACE, KEEP_NAME: local@domain, printable ASCII */
	/* MAP: what stands for this address; false: it stays. A bare name comes as it was written
	   first, then completed. *to_out lives until the rewriting is over. */
	bool (*map)(const void *context, struct span address, struct span *to_out);
	const void *map_context;
	struct span default_domain; /* empty: bare names stay */
};

struct message_rewrite_result {
	bool changed;        /* anything at all */
	bool from_changed;   /* by the rule, not by the default domain */
	struct span from;    /* then: the first new address; borrows from the rules or the map */
	unsigned left_alone; /* fields that should have been rewritten and could not be read */
};

/*
 * Appends the rewritten header. header is that of a whole, proper one (message/header.h): its
 * fields without the empty line. False, with b unchanged, at b's ceiling.
 *
 * Where the From rule changes an address and there is no Reply-To, one with the old From is put
 * behind it, provided that the old one is complete. A Sender field would then contradict: REPLACE
 * and KEEP_NAME take it out unless it names the new address, MAP maps it.
 *
 * No line grows beyond 998 octets (2.1.1): lists are folded, and a field where that does not help
 * is left alone.
 */
bool message_rewrite(struct buf *b, struct span header, const struct message_rewrite_rules *rules,
    struct message_rewrite_result *result_out);

#endif
