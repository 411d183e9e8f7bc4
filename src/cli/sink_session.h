/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CLI_SINK_SESSION_H
#define FRANK_CLI_SINK_SESSION_H

/*
 * One client of the sink, from accept to close: carries bytes between connection and machine, steps
 * AUTH, and hands content to the message under way.
 */

#include "cli/sink_message.h"
#include "cli/sink_server.h"
#include "net/conn.h"

struct sink_session {
	struct list link;
	struct sink *sink;
	struct conn *conn;
	struct smtp_server smtp;
	struct account_signin signin; /* during an exchange */
	bool tls_pending;             /* the handshake is under way */
	bool checking;                /* the password is with the checker */
	uint32_t number;
	char *login;                  /* NULL before AUTH has succeeded */
	struct sink_message *message; /* NULL outside a transaction */
	const char *end;              /* why the session ended; set: destroy it */
	char *payload_seen;           /* --follow: an AUTH payload that is not yet described */
};

/* Takes fd. */
void sink_session_accept(struct sink *sink, int fd, const struct net_address *peer);
/* The answer to the password question. */
void sink_session_checked(struct sink_session *s, struct account_check_answer *answer);
/* 421 at the next boundary between commands. */
void sink_session_stop(struct sink_session *s);
/* At once. */
void sink_session_cut(struct sink_session *s);

#endif
