/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_SCRAM_H
#define FRANK_SASL_SCRAM_H

/*
 * SCRAM-SHA-1 (RFC 5802), SCRAM-SHA-256 (RFC 7677) and their -PLUS forms: the client proves that it
 * knows the password, and the server that it has what was made of it. Here is what both sides
 * share; scram_client.c and scram_server.c play them.
 *
 * Limits: a message is at most SASL_SCRAM_MESSAGE_MAX octets, a nonce 256, a salt 256. A client
 * refuses fewer than 4,096 iterations (a server that asks for one wants a proof that is quickly
 * guessed from) and more than ten million (which is some seconds of a core).
 */

#include "sasl/client.h"
#include "sasl/digest.h"

#define SASL_SCRAM_ITERATIONS_MIN 4096
#define SASL_SCRAM_ITERATIONS_MAX 10000000
#define SASL_SCRAM_MESSAGE_MAX 2048
#define SASL_SCRAM_NONCE_MAX 256

/* What a server stores of a user (RFC 5802, 3). */
struct sasl_scram_verifier {
	unsigned iterations;
	struct span salt;                   /* at most 128 octets */
	struct span stored_key, server_key; /* as long as the hash's digest */
};

struct sasl_scram_keys {
	char client_key[SASL_DIGEST_MAX], stored_key[SASL_DIGEST_MAX], server_key[SASL_DIGEST_MAX];
};

enum sasl_hash sasl_scram_hash(enum sasl_mechanism mechanism);

/* SASLprep (RFC 4013); what cannot be prepared is taken as it is, as servers do that do not
   prepare at all. out is a secret buf of SASL_PASSWORD_MAX * 4. */
void sasl_scram_prepare(struct span password, struct buf *out);
/* Hi(prepared password): slow. */
bool sasl_scram_salt(enum sasl_hash hash, struct span password, struct span salt,
    unsigned iterations, char salted_out[SASL_DIGEST_MAX]);
/* The keys that are made of a salted password. */
bool sasl_scram_keys(enum sasl_hash hash, const char *salted, struct sasl_scram_keys *keys_out);

/* Takes "x=value" off *message, with the comma behind it. False: no such attribute comes next. */
bool sasl_scram_take(struct span *message, char attribute, struct span *value_out);
/* Printable, not empty, no comma, not too long (RFC 5802, 7: "printable"). */
bool sasl_scram_nonce_is_sound(struct span nonce);
/* Appends random octets as a nonce. */
bool sasl_scram_append_nonce(struct buf *out, struct span random);
/* A name with "," and "=" as "=2C" and "=3D", and back; false on another "=". */
bool sasl_scram_append_name(struct buf *out, struct span name);
bool sasl_scram_read_name(struct span text, struct buf *out);

/* The client's side, for client.c. */
void sasl_scram_client_start(struct sasl_client *c, bool with_initial, struct buf *out);
enum sasl_client_result sasl_scram_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out);
void sasl_scram_client_destroy(struct sasl_scram_client **scram);

#endif
