/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_LADDER_WORDS_H
#define FRANK_SASL_LADDER_WORDS_H

/*
 * Which of the mechanisms on offer a ladder may use, and why it may use none: what the server
 * offers, beside what the account could do. For ladder.c.
 */

#include "sasl/ladder.h"

/* A bit per mechanism. */
unsigned sasl_ladder_usable(const struct sasl_ladder_settings *settings);
/* Whether a -PLUS mechanism is on offer, of whatever hash. */
bool sasl_ladder_binding_is_offered(const struct sasl_ladder_settings *settings);
/* What became of the certificate, where it was not shown: begins with "; ". Else empty. */
const char *sasl_ladder_certificate_words(const struct sasl_ladder_settings *settings);
/* When none is usable: a sentence, cut at size. */
void sasl_ladder_explain(const struct sasl_ladder_settings *settings, char *out, size_t size);

#endif
