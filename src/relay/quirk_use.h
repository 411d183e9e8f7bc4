/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_QUIRK_USE_H
#define FRANK_RELAY_QUIRK_USE_H

/*
 * Quirks (smtp/quirk.h) from the configuration to a session's machine, and news of their use from
 * the session to control, which keeps the book (relay/quirk_book.h).
 */

#include "relay/mail.h"
#include "relay/session.h"

/* Those that a listener grants to everybody, for its settings: bits. */
unsigned quirk_use_for_all(const struct config_listener *listener);
/* Gives the session's machine those that hold for the network of its client. Again whenever the
   client turns out to be somebody else. */
void quirk_use_grant(struct session *s);

/* Logs, once a session, what was refused for want of a quirk, and which one would take it. */
void quirk_use_log_missed(struct session *s);

/* What is new goes to control: when a message has been accepted, and at the end. */
void quirk_use_tell(struct session *s);

struct relay_mail_quirks {
	struct relay_mail mail;
	char client[NET_ADDRESS_TEXT_MAX];
	char *login; /* or NULL */
	char *listener;
	uint64_t uses[SMTP_QUIRK_COUNT];
	unsigned missed; /* bits */
	int64_t now_ms;
};

#endif
