/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_GUARD_H
#define FRANK_RELAY_GUARD_H

/*
 * What a session does about guessed passwords and worn-out limits, between its SMTP machine and
 * what all sessions share (account/bans.h, account/tally.h). It logs what it decides.
 *
 * A failed login is answered after a pause that doubles with each failure of the session, or of its
 * address of late, up to 30 s: the session waits, nobody else does. Exempt from pauses and bans are
 * loopback, relay-from, and the networks that "bans exempt" names.
 */

#include "relay/session.h"

#define GUARD_PAUSE_MAX_MS 30000

/* Whether the session's address may not even be greeted. */
bool guard_bans_address(const struct session *s);
/* Whether this login may not be tried from there now. */
bool guard_bans_login(const struct session *s, struct span login);

/* The login failed. How long to wait before that is said, in milliseconds. */
int64_t guard_failed(struct session *s, struct span login);
/* How long to wait before a banned login is told so. */
int64_t guard_banned_pause(const struct session *s);
/* The login was right. False: it has as many sessions as it may have, and why_out says so. */
#define GUARD_WHY_MAX 200
bool guard_succeeded(struct session *s, struct span login, char why_out[GUARD_WHY_MAX]);
/* The session is no longer that of its login. */
void guard_leave(struct session *s);

enum guard_answer {
	GUARD_TAKE,
	GUARD_REFUSE, /* 451 4.7.1, and why_out */
};
/* One message, or one recipient, more. TAKE beyond a limit, where the rule says hold, makes the
   message one to be held. */
enum guard_answer guard_message(struct session *s, char why_out[GUARD_WHY_MAX]);
enum guard_answer guard_recipient(struct session *s, char why_out[GUARD_WHY_MAX]);
/* The transaction has ended; unless its message was kept, it counts for nothing. */
void guard_end_transaction(struct session *s, bool kept);

#endif
