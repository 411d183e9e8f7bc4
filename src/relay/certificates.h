/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_CERTIFICATES_H
#define FRANK_RELAY_CERTIFICATES_H

/*
 * The certificates of a setup, watched: by log and status an operator learns which are shown, with
 * their fingerprints, and which of them end soon; files that change are loaded; our own is made
 * anew in time.
 */

#include "relay/setup.h"

#define CERTIFICATES_WARN_MS (14LL * 24 * 3600 * 1000) /* before the end */
#define CERTIFICATES_SAY_MS (24LL * 3600 * 1000)       /* the warning is said once a day */
#define CERTIFICATES_RENEW_MS (3600LL * 1000)          /* between two tries to make our own anew */

struct certificates_watch {
	int64_t warned_ms, tried_ms; /* wall; 0: not yet */
};

/* Walks those that listeners show, each file once, in the order of the listeners: start with
 *position = 0. False at the end. */
bool certificates_next(
    const struct setup *setup, size_t *position, struct tls_certificate_info *info_out);

/* A line in the log for each that the setup before (may be NULL) did not show. */
void certificates_log(const struct setup *setup, const struct setup *before);

/* Once a minute: warns in the log. True with a sentence when a reload is due: a file has changed,
   or our own certificate is to be made anew. */
bool certificates_look(struct certificates_watch *watch, const struct setup *setup, int64_t now_ms,
    struct fault *why_out);

#endif
