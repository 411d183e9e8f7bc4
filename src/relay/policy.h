/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_POLICY_H
#define FRANK_RELAY_POLICY_H

/*
 * Who may send where. Relaying is for clients that have signed in and for the networks of
 * relay-from; from everyone else only recipients of a domain that is taken here are accepted. The
 * aliases of a domain and of a route are expanded here, once: each recipient has a state of its own
 * from then on. A decision only: no I/O, nothing is kept.
 */

#include "relay/setup.h"
#include "smtp/address.h"

#define POLICY_TARGETS_MAX SETUP_ALIAS_ADDRESSES_MAX /* what one alias may expand to */

struct policy_client {
	const struct config_listener *listener;
	const struct sockaddr_storage *address;
	struct span login; /* empty: not signed in */
	bool trusted;      /* in relay-from */
};

/* Whether this client may send anywhere. */
bool policy_may_relay(const struct policy_client *client);

/* Where a recipient's mail goes; an alias leads to several. */
struct policy_target {
	struct span address; /* borrows from the recipient, the scratch or the configuration */
	const struct setup_hop *hop;
};

struct policy_verdict {
	size_t target_count; /* 0: refused */
	struct policy_target targets[POLICY_TARGETS_MAX];
	bool local; /* for a domain that is taken here */
	/* When refused: */
	enum smtp_reply_id reply;
	char text[300];
	const struct config_refusal *refusal; /* a route's own words; then reply is not used */
};

/* Decides about one RCPT. scratch, a buf of at least 512 bytes, holds completed addresses and must
   live as long as the verdict is used. */
void policy_recipient(const struct setup *setup, const struct policy_client *client,
    struct span sender, const struct smtp_address *recipient, struct buf *scratch,
    struct policy_verdict *verdict_out);

/* Where a notice made here goes, as if somebody who may relay had sent it. It is never refused: an
   address that is not known goes its way, and whoever gets it says no. scratch as above. */
void policy_notice(const struct setup *setup, struct span sender, struct span recipient,
    struct buf *scratch, struct policy_verdict *verdict_out);

#endif
