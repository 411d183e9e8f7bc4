/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_SESSION_PRIVATE_H
#define FRANK_RELAY_SESSION_PRIVATE_H

/*
 * What the files of a session share: session.c (the pump, transactions, the end), session_entry.c
 * (who comes in, and as whom), session_auth.c, guard.c.
 */

#include "relay/events.h"
#include "relay/session.h"

/* ---- session.c ---- */

/* A line with the session, its client and its login. */
void session_begin_line(const struct session *s, struct log_line *line, enum event event);
/* The connection's on_ready. */
void session_pump(struct conn *conn, void *owner);
/* Who signed in before has not. */
void session_start_tls(struct session *s);

/* ---- session_entry.c ---- */

/* The proxy's header is awaited; true when it is there, and the client's bytes follow. */
bool session_await_proxy(struct session *s);
void session_xclient(struct session *s, const struct smtp_server_event *event);
/* Takes the session out of the census. */
void session_leave(struct session *s);
/* What the client called itself, or is said to have. */
struct span session_hello_name(const struct session *s);

/* ---- session_auth.c ---- */

/* The pause before the answer to a failed login is over. */
void session_auth_pause_ended(struct session *s);

#endif
