/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_CLIENT_H
#define FRANK_SASL_CLIENT_H

/*
 * The client's side of one SASL exchange (RFC 4422), raw bytes in and out. Which mechanism is used,
 * and what to do when it goes wrong, is the ladder's business (sasl/ladder.h).
 */

#include "base/buf.h"
#include "sasl/binding.h"
#include "sasl/mechanism.h"
#include "sasl/scram_cache.h"

#define SASL_CLIENT_BYTES_MAX 9000 /* of one response */

struct sasl_credentials {
	struct span login;    /* may be empty where no password and no token is: the certificate or
				 the ticket says who it is */
	struct span password; /* empty: none */
	struct span token;    /* OAuth access token; empty: none */
	bool certificate;     /* one was shown in this TLS session: EXTERNAL */
	bool certificate_unasked; /* there is one, and this session did not ask for it */
	bool kerberos;            /* GSSAPI may be used */
	struct span service;      /* "smtp", which is what empty means, too */
	struct span host;         /* as configured; for OAUTHBEARER, DIGEST-MD5 and GSSAPI */
	unsigned port;
};

/* All of it is borrowed for the exchange. */
struct sasl_client_settings {
	struct sasl_credentials credentials;
	struct sasl_binding binding;
	bool binding_offered; /* the server lists a -PLUS mechanism */
	struct span random;   /* at least 16 random octets, for SCRAM; never used twice */
	struct sasl_scram_cache *scram_cache; /* or NULL */
	unsigned scram_iterations_min;        /* 0: SASL_SCRAM_ITERATIONS_MIN */
};

enum sasl_client_result {
	SASL_CLIENT_RESPOND,    /* the response was appended to out */
	SASL_CLIENT_NAME_AGAIN, /* the challenge asks for the name that was sent already */
	SASL_CLIENT_UNEXPECTED, /* a challenge where none has a place */
	SASL_CLIENT_UNTRUSTED,  /* the server does not play the mechanism as it must: sentence */
	SASL_CLIENT_UNABLE,     /* the mechanism cannot be played from here: sentence */
};

struct sasl_client {
	enum sasl_mechanism mechanism;
	struct sasl_client_settings settings;
	bool with_initial;
	bool name_repeated, secret_sent;
	bool initial_ignored; /* the server asked for what had come as initial response */
	bool server_proved;   /* the mechanism proves the server too, and did */
	unsigned step;        /* challenges so far */
	struct sasl_scram_client *scram;
	struct sasl_rare *rare;
	/* What is wrong, or what the server says of a refused token; printable, no secret. */
	char sentence[256];
};

/* False with a sentence (static) when no mechanism can carry these: empty, too long, with a NUL. */
bool sasl_credentials_are_sound(const struct sasl_credentials *credentials, const char **why_out);
/* Whether the account has what the mechanism needs. A -PLUS one needs a binding beyond that. */
bool sasl_credentials_have(const struct sasl_credentials *credentials, enum sasl_secret secret);
bool sasl_credentials_serve(
    const struct sasl_credentials *credentials, enum sasl_mechanism mechanism);

/* Begins an exchange. With with_initial the initial response is appended to out, a secret buf of
   SASL_CLIENT_BYTES_MAX. The mechanism must be one that may have one. */
void sasl_client_start(struct sasl_client *c, enum sasl_mechanism mechanism,
    const struct sasl_client_settings *settings, bool with_initial, struct buf *out);
/* challenge is decoded, or the raw text where it is not base64: some servers do not encode. */
enum sasl_client_result sasl_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out);
/* Whether a server may say that the login succeeded now: SCRAM, DIGEST-MD5 and GSSAPI prove the
   server too, and a "yes" before that is no answer of one who knows the password. */
bool sasl_client_may_succeed(const struct sasl_client *c);
/* Whether the next step is one that takes long: a derived key, a ticket. */
bool sasl_client_is_slow(const struct sasl_client *c);
/* Wipes and frees; accepts a zeroed client. */
void sasl_client_fini(struct sasl_client *c);

/* Whether this mechanism is begun with an initial response when nothing is known of the server. */
bool sasl_client_prefers_initial(enum sasl_mechanism mechanism);
/* Whether it may have one: not where the server speaks first (RFC 4422, 5). */
bool sasl_client_permits_initial(enum sasl_mechanism mechanism);

/* True for a prompt that asks for a user name ("Username:", "User Name") and not for a password. */
bool sasl_prompt_asks_for_name(struct span prompt);

#endif
