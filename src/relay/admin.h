/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_ADMIN_H
#define FRANK_RELAY_ADMIN_H

/*
 * The admin socket: a unix socket on which the command line asks the running relay. A client sends one
 * line of JSON, {"command":"queue list",…}, and gets lines of JSON back, of which the last is
 * {"end":status} with the exit status that the command shall have. `trace` goes on until the client
 * leaves. Who may connect is decided by the socket's file mode (0660, admin group).
 *
 * Lives in control's thread.
 */

#include "trace/line.h"

struct admin;
struct control;

/* Takes fd, a listening unix socket. */
struct admin *admin_create(struct control *control, int fd);
void admin_destroy(struct admin **admin);	/* NULL is accepted */

/* A line of a dialogue, for those who follow. */
void admin_trace(struct admin *admin, const struct trace_line *line);

#endif
