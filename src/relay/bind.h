/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_BIND_H
#define FRANK_RELAY_BIND_H

/*
 * The listening sockets of a configuration: bound at the start, before privileges are dropped, and
 * compared at a reload: only new ones are opened.
 */

#include "relay/control.h"

/* At a reload: binds the addresses that are in config and not among bindings; marks in `wanted`
   which of the bindings stay, with their listener's new label. False: nothing was bound. */
bool bind_changes(const struct config *config, unsigned lane_count, struct list *bindings,
    struct control_sockets *fresh_out, struct fault *fault_out);

/* Closes and frees what a struct control_sockets holds. */
void bind_close(struct control_sockets *sockets, unsigned lane_count);

#endif
