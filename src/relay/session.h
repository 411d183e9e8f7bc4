/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_SESSION_H
#define FRANK_RELAY_SESSION_H

/*
 * One client's connection, from accept to close: carries bytes between the connection and the SMTP
 * machine, steps AUTH, asks policy about recipients, and hands messages to the submission. It has
 * one question open at a time (a password, a commit); the machine consumes nothing meanwhile and
 * the idle deadline rests.
 *
 * A session keeps the setup it began with.
 */

#include "account/signin.h"
#include "net/conn.h"
#include "relay/lane.h"
#include "relay/submission.h"

enum session_question {
	SESSION_QUESTION_NONE,
	SESSION_QUESTION_PASSWORD,
	SESSION_QUESTION_WRITE, /* a worker must write before more content is read */
	SESSION_QUESTION_COMMIT,
	SESSION_QUESTION_PAUSE, /* the answer to a failed login is held back */
};

struct session {
	struct list link;
	struct lane *lane;
	struct conn *conn;
	struct smtp_server smtp;
	struct account_handle handle;
	const struct setup *setup;
	const struct config_listener *listener;
	struct net_address peer; /* the client; behind a proxy not that of the connection */
	bool trusted;       /* relay-from */
	bool proxy_pending; /* the header of a proxy is awaited */
	bool begun;         /* smtp is in use */
	bool counted;       /* in the census, as counted_as */
	struct account_address counted_as;
	char *told_helo;           /* by XCLIENT; NULL: what was said here counts */
	struct span told_protocol; /* "SMTP" or "ESMTP", or empty */
	bool tls_pending;   /* the handshake is under way */
	bool command_waits; /* the deadline of the present command is running */
	enum session_question question;
	uint64_t number;               /* "session=" in the log */
	char *login;                   /* NULL before AUTH has succeeded */
	const struct config_login *rule; /* of the login; NULL: none */
	bool counted_login;            /* among its sessions */
	unsigned login_failures;
	enum smtp_reply_id paused_reply; /* after the pause */
	/* Of the transaction, while it has not ended: counted against limits. */
	bool taken_of_address, hold;
	unsigned taken_messages, taken_recipients;
	struct account_signin *signin; /* during an exchange */
	char *reverse_path;            /* of the transaction */
	struct submission *submission; /* NULL outside a transaction, and before MAIL is answered */
	unsigned messages;             /* accepted */
	const char *end;               /* why the session ended, for the log */
	uint64_t quirks_told[SMTP_QUIRK_COUNT]; /* to control: see relay/quirk_use.h */
	unsigned quirks_missed_told, quirks_logged;
	char *payload_seen;            /* watched: an AUTH payload that is not yet described */
};

/* Takes fd. Turned away at once when the limits say so. */
void session_accept(struct lane *lane, const struct config_listener *listener, int fd,
    const struct net_address *peer);

/* Answers to the session's question. */
void session_password_checked(struct session *s, struct account_check_answer *answer);
void session_committed(struct session *s, enum keeper_answer answer, const char *why);
void session_written(struct session *s);

/* 421 at the next boundary between commands. */
void session_stop(struct session *s);
/* Closes at once. */
void session_cut(struct session *s);
/* Somebody looks at dialogues now, or no longer. */
void session_watch(struct session *s, bool watched);

#endif
