/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_SESSION_AUTH_H
#define FRANK_RELAY_SESSION_AUTH_H

/*
 * AUTH in a session: steps the mechanism, has the password checked off the loop, tells the machine.
 * The client learns nothing about which of user and password was wrong.
 */

#include "relay/session.h"
#include "relay/setup.h"

#define SESSION_AUTH_DEADLINE_MS 30000 /* for the check; then 454 4.7.0 */

/* TLS is up: from now on that is offered which can succeed under it. */
void session_auth_offer(struct session *s, const struct setup_offer *offer);
void session_auth_begin(struct session *s, const struct smtp_server_event *event);
void session_auth_response(struct session *s, const struct smtp_server_event *event);
/* The answer stays the caller's. Perhaps another question is open afterwards. */
void session_auth_checked(struct session *s, struct account_check_answer *answer);
/* The client has broken off. */
void session_auth_cancelled(struct session *s);
/* The exchange, if there is one, is over; its secrets are wiped. */
void session_auth_forget(struct session *s);

#endif
