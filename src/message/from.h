/* SPDX-License-Identifier: MIT */
#ifndef FRANK_MESSAGE_FROM_H
#define FRANK_MESSAGE_FROM_H

/*
 * Who a message says it is from: every address of every From field of a header (RFC 5322, 3.6.2),
 * for who has to judge them. A second From field is an error, and read all the same: programs
 * disagree on which of them they show. What cannot be read as addresses, and a field that has none,
 * is said to be so: a judge lets nothing pass that he has not understood.
 */

#include "message/address_field.h"

struct message_from {
	struct span header; /* that is left */
	struct message_address_list list;
	bool in_field;
	unsigned found; /* addresses of the present field */
};

enum message_from_result {
	MESSAGE_FROM_FOUND,
	MESSAGE_FROM_END,
	MESSAGE_FROM_UNREADABLE, /* from here on */
};

/* header is that of a proper message (message/header.h): its fields, without the empty line. */
void message_from_init(struct message_from *from, struct span header);

/* The next address, borrowed; domain is empty for a bare name. */
enum message_from_result message_from_next(
    struct message_from *from, struct span *local_out, struct span *domain_out);

#endif
