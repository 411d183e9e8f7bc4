/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_CLIENT_H
#define FRANK_SASL_CLIENT_H

/*
 * The client's side of one SASL exchange (RFC 4422), raw bytes in and out. Which mechanism is used,
 * and what to do when it goes wrong, is the ladder's business (sasl/ladder.h).
 */

#include "base/buf.h"
#include "sasl/mechanism.h"

struct sasl_credentials {
	struct span login;
	struct span password;
};

enum sasl_client_result {
	SASL_CLIENT_RESPOND,    /* the response was appended to out */
	SASL_CLIENT_NAME_AGAIN, /* the challenge asks for the name that was sent already */
	SASL_CLIENT_UNEXPECTED, /* a challenge where none has a place */
};

struct sasl_client {
	enum sasl_mechanism mechanism;
	struct sasl_credentials credentials; /* borrowed for the exchange */
	bool with_initial;
	bool name_repeated, secret_sent;
	unsigned step;
};

/* False with a sentence (static) when no mechanism can carry these: empty, too long, with a NUL. */
bool sasl_credentials_are_sound(const struct sasl_credentials *credentials, const char **why_out);

/* Begins an exchange. With with_initial the initial response is appended to out, a secret buf of
   at least 1024 octets. */
void sasl_client_start(struct sasl_client *c, enum sasl_mechanism mechanism,
    const struct sasl_credentials *credentials, bool with_initial, struct buf *out);
/* challenge is decoded, or the raw text where it is not base64: some servers do not encode. */
enum sasl_client_result sasl_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out);

/* Whether this mechanism is begun with an initial response when nothing is known of the server. */
bool sasl_client_prefers_initial(enum sasl_mechanism mechanism);

/* True for a prompt that asks for a user name ("Username:", "User Name") and not for a password. */
bool sasl_prompt_asks_for_name(struct span prompt);

#endif
