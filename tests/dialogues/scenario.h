/* SPDX-License-Identifier: MIT */
#ifndef FRANK_TESTS_DIALOGUES_SCENARIO_H
#define FRANK_TESTS_DIALOGUES_SCENARIO_H

/*
 * A scenario is one dialogue in a file that reads as it would look on the wire. Lines, by how
 * they begin:
 *
 * # comment; empty lines mean nothing either.
 *
 * peer: server -- whom the scenario tests; the server when the line is missing.
 *
 * settings: words out of tls-offered tls-active tls-required auth=PLAIN,LOGIN auth-required
 * cleartext-auth strict chunking dsn smtputf8 limits requiretls size=N recipients=N errors=N
 * auth-failures=N turn-away=REPLY quirks=NAME,NAME
 *
 * user: NAME PASSWORD -- a login that the owner of the machine accepts.
 *
 * answer: EVENT PATTERN REPLY [TEXT] -- what the owner answers to mail, rcpt, data, message or
 * auth when the address (or "-") matches; otherwise it accepts. REPLY is a name from owner.c.
 *
 * C: text -- the client sends the line, and CRLF. "C~ text" is without CRLF.
 *
 * S: pattern -- the server's next line; * stands for anything.
 *
 * E: pattern -- the machine's next event; with one of them, all events must be listed.
 *
 * O: pattern -- the observer's next line; with one of them, all lines must be listed.
 *
 * Q: NAME=N ... -- the quirks counted in the end, all of them.
 *
 * missed: NAME ... -- the quirks for want of which something was refused, all of them.
 *
 * together: -- only those runs in which what can be sent without waiting comes at once: the
 * scenario is about what comes too early.
 *
 * ! ACTION -- TLS (the handshake is done), SHUTDOWN, TIMEOUT.
 *
 * "C*20: text" and "S*20: ..." stand for twenty such lines. In what the client sends, \r \n \t \\
 * \xHH stand for bytes, and \{A*3000} for A three thousand times.
 */

#include "base/buf.h"

enum step_kind {
	STEP_CLIENT,
	STEP_SERVER,
	STEP_EVENT,
	STEP_OBSERVED,
	STEP_ACTION,
};

struct step {
	enum step_kind kind;
	unsigned line;
	struct buf bytes;
};

struct scenario {
	const char *path;
	struct step *steps;
	size_t step_count;
	/* What stands behind the colon, one line each, without escapes. */
	struct buf settings, users, answers, quirks, missed, together;
	bool has_quirks;
	struct buf peer;
};

/* Reads the file; complains on stderr and returns false when it is not a scenario. */
bool scenario_read(struct scenario *s, const char *path);
void scenario_fini(struct scenario *s);

bool scenario_has(const struct scenario *s, enum step_kind kind);

/* Whether text matches the pattern as a whole; * stands for any bytes. */
bool pattern_matches(struct span pattern, struct span text);

#endif
