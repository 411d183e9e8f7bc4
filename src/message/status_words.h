/* SPDX-License-Identifier: MIT */
#ifndef FRANK_MESSAGE_STATUS_WORDS_H
#define FRANK_MESSAGE_STATUS_WORDS_H

/* Enhanced status codes (RFC 3463, and the IANA registry behind it) in plain words. */

#include "base/span.h"

/* True for class "." subject "." detail with class 2, 4 or 5 and up to three digits each. */
bool message_status_is_valid(struct span status);

/* A sentence for the person who sent the message; "" when the code says nothing of use. */
const char *message_status_words(struct span status);

#endif
