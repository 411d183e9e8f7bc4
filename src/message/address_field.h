/* SPDX-License-Identifier: MIT */
#ifndef FRANK_MESSAGE_ADDRESS_FIELD_H
#define FRANK_MESSAGE_ADDRESS_FIELD_H

/*
 * Reads the value of an address field (RFC 5322, 3.4, with the obsolete forms of 4.4): mailboxes
 * with and without a name, comments, groups, folds, source routes. All spans borrow from the value
 * as it was written, so that a reader can change an address and leave every other byte alone.
 *
 * Read is also what programs write against the rules and everybody understands: a name without a
 * domain (root), words without an address (Cron Daemon), and anything without control bytes, a
 * comma, a semicolon or a colon in front of an address in angle brackets
 * (info@example.org <info@example.org>).
 */

#include "base/span.h"

enum message_address_kind {
	MESSAGE_ADDRESS_MAILBOX,
	MESSAGE_ADDRESS_NAME,      /* words alone, or words and <> */
	MESSAGE_ADDRESS_NOTHING,   /* nothing stands between two commas */
	MESSAGE_ADDRESS_GROUP,     /* "name:" begins a group */
	MESSAGE_ADDRESS_GROUP_END, /* ";" */
};

struct message_address {
	enum message_address_kind kind;
	struct span text; /* all of it, with name and comments; blanks and folds at its ends and
			     "<>" behind a NAME are left out */
	/* MAILBOX: */
	struct span address; /* local, or local@domain; a source route before it is part of it */
	struct span local;   /* never empty; with its quotes where it has any */
	struct span domain;  /* empty: a bare name; with its brackets when it is a literal */
};

/* Begin with the value and in_group false. */
struct message_address_list {
	struct span rest;
	bool in_group;
};

enum message_address_result {
	MESSAGE_ADDRESS_FOUND,
	MESSAGE_ADDRESS_END,
	MESSAGE_ADDRESS_UNREADABLE, /* from here on; what came before was sound */
};

/* *address_out is written by FOUND only. */
enum message_address_result message_address_next(
    struct message_address_list *list, struct message_address *address_out);

/* s without blanks and folds at both ends. */
struct span message_address_trim(struct span s);

#endif
