/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_OAUTH_RESPONSE_H
#define FRANK_ACCOUNT_OAUTH_RESPONSE_H

/*
 * What an identity provider answers, read with suspicion: token responses (RFC 6749, 5.1), device
 * authorization responses (RFC 8628, 3.2) and errors (RFC 6749, 5.2). The same bytes give the same
 * result: no descriptor, no clock. Whatever is no such answer (HTML, half a JSON, a redirect) is
 * one sentence, and every length has a limit.
 */

#include "account/oauth.h"

#define OAUTH_RESPONSE_MAX 65536           /* of JSON; tokens are a few KiB */
#define OAUTH_LIFETIME_MAX_S (366 * 86400) /* longer ones are cut */
#define OAUTH_LIFETIME_DEFAULT_S 3600      /* expires_in is only RECOMMENDED */
#define OAUTH_DEVICE_LIFETIME_MAX_S 3600
#define OAUTH_DEVICE_INTERVAL_MAX_S 60

struct oauth_grant {
	struct buf access_token;  /* secret */
	struct buf refresh_token; /* secret; empty: the old one stays good */
	int64_t lifetime_s;       /* at least 1 */
};

struct oauth_error {
	char code[64];         /* "invalid_grant"; empty: it gave none */
	char description[512]; /* one line, escaped; may be empty */
	unsigned number;       /* Microsoft's AADSTSnnn; 0: none */
};

struct oauth_device {
	struct buf device_code; /* secret */
	char user_code[64];
	char address[512];  /* verification_uri: https */
	char complete[512]; /* verification_uri_complete, or empty */
	int64_t lifetime_s, interval_s;
};

enum oauth_response {
	OAUTH_RESPONSE_GRANTED, /* the first output is set */
	OAUTH_RESPONSE_REFUSED, /* *error_out is set */
	OAUTH_RESPONSE_GARBLED, /* fault_out: FAULT_TEMPORARY; the server is broken, or is another
				 */
};

void oauth_grant_init(struct oauth_grant *grant);
void oauth_grant_fini(struct oauth_grant *grant);
void oauth_device_init(struct oauth_device *device);
void oauth_device_fini(struct oauth_device *device);

/* status is that of HTTP. Outputs are initialised by the caller, and untouched when not set. */
enum oauth_response oauth_response_grant(unsigned status, struct span body,
    struct oauth_grant *grant_out, struct oauth_error *error_out, struct fault *fault_out);
enum oauth_response oauth_response_device(unsigned status, struct span body,
    struct oauth_device *device_out, struct oauth_error *error_out, struct fault *fault_out);

/* Only printable ASCII without blanks, at most OAUTH_TOKEN_MAX (RFC 6749, appendix A.12): a token
   goes into an AUTH line between control characters. */
bool oauth_token_is_sound(struct span token);

/* Finds "AADSTS65001" in a description; 0: none. */
unsigned oauth_error_number(struct span description);

#endif
