/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_REMOTE_ID_H
#define FRANK_SMTP_REMOTE_ID_H

/*
 * The next hop's own queue id, read from the text of its final reply, so that a message can be
 * found again over there. No standard says how it is written; these forms are known:
 *
 *	Postfix		2.0.0 Ok: queued as 51D3C0B2F1			51D3C0B2F1
 *	Stalwart	2.0.0 Message queued with id 123abc.		123abc
 *	qmail		ok 1113954693 qp 29052				1113954693 qp 29052
 *	Exchange	2.6.0 <x@y> [InternalId=106, ...] Queued mail for delivery	106
 *	Exchange 2003	2.6.0 <x@y> Queued mail for delivery		<x@y>
 *	Exim		OK id=1abcDE-0001-2F				1abcDE-0001-2F
 *	Sendmail, OpenSMTPD	2.0.0 h12ABC Message accepted for delivery	h12ABC
 *	Google		2.0.0 OK  1700000000 abc-def - gsmtp		abc-def
 *	Dovecot LMTP	2.0.0 <a@b> 4R5tKxyz Saved			4R5tKxyz
 *	Amazon SES	Ok 0100018b2f8a4c1e-...-000000			0100018b2f8a4c1e-...-000000
 *	Frank		2.0.0 0abcdefghjkmn kept			0abcdefghjkmn
 */

#include "base/span.h"

/* text is smtp_received_reply.text. *id_out borrows from it, has no blanks at its ends, and is at
   most 128 octets of printable ASCII. False when no form fits. */
bool smtp_remote_id_find(struct span text, struct span *id_out);

#endif
