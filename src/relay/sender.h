/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_SENDER_H
#define FRANK_RELAY_SENDER_H

/*
 * As whom a login may send: its reverse-path at MAIL, and each address of From at the dot, against
 * the send-as of its rule. A decision only. Refusals name the rule in words for whoever wrote the
 * message; they go behind 553 5.7.1.
 */

#include "config/match.h"
#include "message/header.h"

#define SENDER_WHY_MAX 400

/* rule NULL: the login has none, and may send as anybody. False: why_out is the sentence. */
bool sender_may_use_path(const struct config *config, const struct config_login *rule,
    struct span login, struct span reverse_path, char why_out[SENDER_WHY_MAX]);

/* content begins with the header, whose shape is decided, all of it. A message without a proper
   header gets one from the reverse-path, which has been judged. */
bool sender_may_use_from(const struct config *config, const struct config_login *rule,
    struct span login, const struct message_header *header, struct span content,
    char why_out[SENDER_WHY_MAX]);

#endif
