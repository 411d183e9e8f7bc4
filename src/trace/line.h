/* SPDX-License-Identifier: MIT */
#ifndef FRANK_TRACE_LINE_H
#define FRANK_TRACE_LINE_H

/*
 * One line of a dialogue, as it is recorded: what was said, by whom, in which dialogue. It is made
 * when a machine has classified the line, above TLS, and holds no secret: an AUTH payload is its
 * mechanism, decoded identity and length; content is a count.
 */

#include "base/buf.h"
#include "smtp/line_kind.h"

enum trace_role {
	TRACE_ROLE_SERVER, /* a client has called us */
	TRACE_ROLE_CLIENT, /* we have called a next hop */
};

/* What does not change, or seldom, within a dialogue. Strings may be NULL: not known (yet). */
struct trace_dialogue {
	uint64_t number; /* unique within the process */
	enum trace_role role;
	const char *peer; /* "192.0.2.1:4711" */
	const char *login;
	const char *hop;  /* key of the next hop */
	uint64_t message; /* 0: none at the moment */
};

struct trace_line {
	uint64_t dialogue;
	enum trace_role role;
	bool sent; /* by us; else received */
	bool tls_active;
	enum smtp_line_kind kind;
	bool note; /* not said by anybody: "connected", "closed" */
	int64_t wall_ms;
	uint64_t message;
	char *peer, *login, *hop; /* owned; NULL: not known */
	char *text;               /* owned; printable */
};

/* Copies and escapes. Free with trace_line_fini(). */
void trace_line_init(struct trace_line *line, const struct trace_dialogue *dialogue,
    enum smtp_line_kind kind, struct span text, bool tls_active, int64_t wall_ms);
void trace_line_init_note(struct trace_line *line, const struct trace_dialogue *dialogue,
    const char *text, bool tls_active, int64_t wall_ms);
void trace_line_copy(const struct trace_line *line, struct trace_line *copy_out);
void trace_line_fini(struct trace_line *line);

/* The mark in front of the line, as swaks writes it: "->", "<-", "<**", "~>", "<~", "<~*", "===".
   Seen from our side: what we send points right. */
const char *trace_line_mark(const struct trace_line *line);

#endif
