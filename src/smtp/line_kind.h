/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_LINE_KIND_H
#define FRANK_SMTP_LINE_KIND_H

/*
 * What a line of a dialogue is, as the machine that reads or writes it has classified it. Only
 * the machine can tell: LOGIN's password is a bare line. Both machines hand each line to an
 * observer (the flight recorder) once it is classified, never when bytes arrive. No observer ever
 * sees a secret.
 */

#include "base/span.h"

enum smtp_line_kind {
	/* Client to server, without CRLF and as it came: printable or not. Of AUTH only "AUTH" and
	   the mechanism; the initial response follows as an AUTH_PAYLOAD of its own. */
	SMTP_LINE_KIND_COMMAND,
	/* Client to server, an AUTH payload of any kind: mechanism, blank, length of the encoded
	   payload in octets, as in "PLAIN 52"; the mechanism is "?" where a line that may be a
	   payload came at the wrong time. A cancellation is "LOGIN *". */
	SMTP_LINE_KIND_AUTH_PAYLOAD,
	/* Server to client, one line of a reply, without CRLF: "250-PIPELINING". */
	SMTP_LINE_KIND_REPLY,
	/* Client to server, once a message's content has ended: its size in octets, decimal,
	   without the stuffed dots and the final dot. */
	SMTP_LINE_KIND_CONTENT,
};

/* An observer is void (*observe)(void *context, enum smtp_line_kind kind, struct span text); text
   lives until it returns, and it must not call the machine back. */

#endif
