/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_TOKENS_H
#define FRANK_RELAY_TOKENS_H

/*
 * The OAuth keeper (account/oauth_keeper.h) in the relay: control owns it, gives it the accounts of
 * the setup in force, logs what it notices, and wakes the hops that wait for a token. There is none
 * as long as no account has OAuth.
 */

#include "relay/control.h"

/* The setup in force is another one, or the first. */
void tokens_set(struct control *control);

/* Nothing new is asked of providers; control_tokens_stopped() is called when nothing is under way
   any more. False: that is so already. */
bool tokens_stop(struct control *control);
/* The file pool is gone. */
void tokens_end(struct control *control);

#endif
