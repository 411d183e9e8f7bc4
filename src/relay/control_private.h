/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_CONTROL_PRIVATE_H
#define FRANK_RELAY_CONTROL_PRIVATE_H

/*
 * What the files of control share: control.c (start, lanes, sockets, signals, stop) and reload.c.
 */

#include "relay/control.h"

/* ---- control.c ---- */

/* Tells the lanes of the setup in force. */
void control_give_setup(struct control *c);
/* Sockets that were bound go to the lanes. */
void control_hand_out(struct control *c, struct control_sockets *sockets);
void control_end_binding(struct control *c, struct control_binding *binding);

/* ---- reload.c ---- */

/* Configuration, users, secrets and certificates are read by a worker, since a password command or
   a slow disk must not stop the schedule; what it made is then put in force, or refused. A second
   wish meanwhile is heeded when the first is done. */
void reload_start(struct control *c);
void reload_init(struct control *c);
/* Once the schedule is there: an account whose password a hop refuses is looked at. */
void reload_watch_refusals(struct control *c);
/* Waits for what is being read. Nothing comes of it. */
void reload_end(struct control *c);

#endif
