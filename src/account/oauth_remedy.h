/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_OAUTH_REMEDY_H
#define FRANK_ACCOUNT_OAUTH_REMEDY_H

/*
 * What an identity provider's refusal means, and what to do about it: one table from Microsoft's
 * numbers, Google's sentences and the codes of RFC 6749 (5.2, 4.1.2.1) and RFC 8628 (3.5).
 */

#include "account/oauth_response.h"

enum oauth_trouble {
	OAUTH_TROUBLE_NONE,
	OAUTH_TROUBLE_PASSING,   /* the provider's own: try again */
	OAUTH_TROUBLE_SETTINGS,  /* somebody must change something, here or at the provider; the
				    sign-in itself is still good */
	OAUTH_TROUBLE_GRANT,     /* the sign-in has ended, or was never: frank token login */
	OAUTH_TROUBLE_WAIT,      /* device flow: not yet */
	OAUTH_TROUBLE_SLOW_DOWN, /* device flow: not yet, and ask less often */
};

/* text_out gets the sentence: what is wrong, what to do, and in brackets what the provider said. */
#define OAUTH_REMEDY_MAX 1024
enum oauth_trouble oauth_remedy(const struct oauth_account *account,
    const struct oauth_error *error, char text_out[OAUTH_REMEDY_MAX]);

#endif
