/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_CLIENT_INTERNAL_H
#define FRANK_SMTP_CLIENT_INTERNAL_H

/*
 * Shared by the files of the client machine, and by nobody else.
 *
 *	client.c		the loop, the session up to READY, taking leave
 *	client_auth.c		AUTH
 *	client_transaction.c	MAIL to the final reply, RSET
 *	client_fault.c		the sentences
 *	client_foreign.c	greetings of other protocols
 *
 * The commands of a transaction are steps, numbered in the order in which they are sent: RSET (left
 * out when none is needed), MAIL, one RCPT per recipient, DATA. Replies come in the same order,
 * so two counters say it all: step_sent is the next to send, step_answered the next to be answered.
 */

#include "smtp/client.h"

/* What the owner is asked for; nothing else is consumed meanwhile than a 421 or nonsense. */
enum smtp_client_owes {
	SMTP_CLIENT_OWES_NOTHING,
	SMTP_CLIENT_OWES_HELO, /* helo or quit */
	SMTP_CLIENT_OWES_TLS,
	SMTP_CLIENT_OWES_AUTH,     /* auth_start, auth_none or quit */
	SMTP_CLIENT_OWES_RESPONSE, /* auth_respond or auth_cancel */
	SMTP_CLIENT_OWES_COMMAND,  /* mail, probe or quit */
	SMTP_CLIENT_OWES_CONTENT,
};

/* One reply may cause several events: they wait as bits of pending. */
#define SMTP_CLIENT_BIT(kind) (1u << (kind))

/* Appends one command line and shows it to the observer. Fails the session at output's ceiling. */
bool smtp_client_command(struct smtp_client *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void smtp_client_show(struct smtp_client *c, enum smtp_line_kind kind, struct span text);
void smtp_client_post(struct smtp_client *c, enum smtp_client_event_kind kind);
void smtp_client_ask(struct smtp_client *c, enum smtp_client_owes owes);
/* The one place where the stage changes. */
void smtp_client_enter(struct smtp_client *c, enum smtp_client_stage stage);
void smtp_client_enter_ready(struct smtp_client *c);

/* Ends the session in failure at the current stage. The sentence is made from the failure, the
   stage and the reply. */
void smtp_client_fail(struct smtp_client *c, enum smtp_client_failure failure);
/* A reply that is well-formed and has no place here. */
void smtp_client_fail_unexpected(struct smtp_client *c);
/* What came is no reply; seen is its beginning. */
void smtp_client_fail_malformed(
    struct smtp_client *c, enum smtp_reply_fault fault, struct span seen);

/* One reply is complete in c->parser.reply. */
void smtp_client_on_auth(struct smtp_client *c);
void smtp_client_on_step(struct smtp_client *c);  /* to a command of the transaction */
void smtp_client_on_early(struct smtp_client *c); /* before the content has ended */
void smtp_client_on_message(struct smtp_client *c);
void smtp_client_on_probe(struct smtp_client *c);
/* Sends what the transaction may send now. */
void smtp_client_fill(struct smtp_client *c);

#endif
