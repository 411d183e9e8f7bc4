/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_ADMIN_H
#define FRANK_RELAY_ADMIN_H

/*
 * The admin socket: a unix socket on which the command line asks the running relay. Who may connect
 * is decided by the socket's file mode (0660, admin group).
 *
 * A client sends one line, a JSON object of at most ADMIN_REQUEST_MAX bytes:
 *
 *	{"command":"queue list","hop":"*example.net*"}
 *
 * and gets lines back, each a JSON object of one key, of which the last is {"end":status} with the
 * exit status that the command shall have:
 *
 *	{"item":{…}}	queue list, queue show: a message, as DESIGN's "queue list" has it
 *	{"missing":[…]}	of the ids asked for, those that nobody knows
 *	{"changed":{…}}	what queue retry, hold, release, drop and run did
 *	{"progress":n}	messages changed so far; about once a second
 *	{"status":{…}}	status
 *	{"hop":{…}}	hop list, hop show, hop forget
 *	{"token":{…}}	token list: an OAuth account
 *	{"ban":{…}}	ban list, ban add: one that is in force
 *	{"removed":n}	ban remove: how many were
 *	{"quirks":{…}}	quirks: since when, and how many entries were forgotten
 *	{"quirk":{…}}	quirks: who used which, or was refused for want of it
 *	{"line":{…}}	trace: a line of a dialogue. Goes on until the client leaves
 *	{"note":"…"}	for people
 *	{"error":"…"}	the request is no good, or could not be carried out
 *
 * At most ADMIN_CLIENTS_MAX clients at a time; one that asks nothing for 10 s, or takes nothing
 * of an answer for 15 minutes, is closed. What a client does not read is bounded: lists wait for
 * it, lines of a trace are dropped and counted. So nobody stalls control, in whose thread all of
 * this lives.
 */

#include "trace/line.h"

#define ADMIN_REQUEST_MAX 32768
#define ADMIN_CLIENTS_MAX 32

struct admin;
struct control;

/* Takes fd, a listening unix socket. NULL, and a line in the log, when it cannot be watched. */
struct admin *admin_create(struct control *control, int fd);
/* The keeper has ended. NULL is accepted. */
void admin_destroy(struct admin **admin);

/* A line of a dialogue, for those who follow; so many before it did not come this far. */
void admin_trace(struct admin *admin, const struct trace_line *line, uint64_t dropped);

#endif
