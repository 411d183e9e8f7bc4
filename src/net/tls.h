/* SPDX-License-Identifier: MIT */
#ifndef FRANK_NET_TLS_H
#define FRANK_NET_TLS_H

/*
 * TLS contexts: what all connections of one role and configuration share. They are made once (at
 * start, at reload), checked when they are made, never changed afterwards, and shared by all
 * threads through references. A reload makes new ones; connections keep theirs.
 */

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How far back a side goes. */
enum tls_level {
	TLS_LEVEL_INTERMEDIATE, /* TLS 1.2 and 1.3 */
	TLS_LEVEL_MODERN,       /* 1.3 alone */
	/* 1.0 and 1.1 too (RFC 8996 forbids them), with CBC, SHA-1, key exchange by RSA, short
	   keys, and peers that know nothing of secure renegotiation (RFC 5746). */
	TLS_LEVEL_LEGACY,
};

/* ---- server ---- */

struct tls_server_context;

struct tls_pair_paths {
	const char *certificate, *key;
};

/* PEM files. */
struct tls_server_policy {
	const char *certificate_path; /* the leaf first, then its chain */
	const char *key_path;
	/* Clients are asked for a certificate, which one of these has signed (SASL's EXTERNAL).
	   One without, or with another one, comes in all the same: conn_tls_info() tells.
	   Sessions are then not resumed, so that each shows its certificate again. NULL: they
	   are not asked. */
	const char *client_ca_path;
	enum tls_level level;
	/* Further certificates: a client that asks for a name (SNI, RFC 6066, 3) is shown those
	   for it, the first of each kind of key. The pair above is for the others, with those
	   beside it that are for one of its names and have another kind of key: ECDSA and RSA. */
	const struct tls_pair_paths *more;
	size_t more_count;
};

/*
 * Refused with a sentence (FAULT_LOCAL), which names the file: what cannot be read or is no PEM; a
 * certificate that is expired, not yet valid, or not for this key; a key that is encrypted; a key
 * file that others may read or write, or its group may write. previous (may be NULL) is the context
 * this one replaces: its ticket keys are carried over, so that clients resume across a reload.
 */
struct tls_server_context *tls_server_context_create(const struct tls_server_policy *policy,
    const struct tls_server_context *previous, struct fault *fault_out);
struct tls_server_context *tls_server_context_ref(struct tls_server_context *context);
void tls_server_context_unref(struct tls_server_context **context); /* clears the pointer */

/* Whether one of the files is another one, or has changed, since the context was made. */
bool tls_server_context_is_stale(const struct tls_server_context *context);
/* When the first of its certificates ends, in wall milliseconds. */
int64_t tls_server_context_expires_ms(const struct tls_server_context *context);

#define TLS_FINGERPRINT_MAX 96 /* "9F:86:…": SHA-256, with its NUL */

struct tls_certificate_info {
	const char *path; /* lives as long as the context; and so does kind */
	int64_t expires_ms;
	bool is_rsa;
	const char *kind; /* "RSA", "EC", "ED25519" */
	char fingerprint[TLS_FINGERPRINT_MAX];
};

/* Its certificates, from 0 on, in the order of the policy. False behind the last one. */
bool tls_server_context_certificate(
    const struct tls_server_context *context, size_t index, struct tls_certificate_info *info_out);

/* ---- client ---- */

struct tls_client_policy {
	bool verify;            /* chain and name must be good, else the handshake fails */
	const char *trust_path; /* PEM file or hashed directory; NULL: the system's */
	enum tls_level level;
	/* Shown to servers that ask for one (SASL's EXTERNAL); both or neither (NULL). Checked as
	   the server's pair is. */
	const char *certificate_path, *key_path;
};

struct tls_client_context;

/* Without verify anything is accepted, short keys too: encryption against listeners only. Fails
   (FAULT_LOCAL) when trust_path cannot be read or holds no certificate, or when the pair is refused
   for one of the reasons above. A context with a certificate never resumes: a resumed session does
   not show it, and who signs in with it must know that it was shown. */
struct tls_client_context *tls_client_context_create(
    const struct tls_client_policy *policy, struct fault *fault_out);
struct tls_client_context *tls_client_context_ref(struct tls_client_context *context);
void tls_client_context_unref(struct tls_client_context **context);
/* As with servers; false without a certificate of our own. */
bool tls_client_context_is_stale(const struct tls_client_context *context);

/* ---- for net/conn ---- */

struct ssl_st;

/* The SSL object of a connection, without BIOs; NULL when OpenSSL has no memory. */
struct ssl_st *tls_server_context_open(struct tls_server_context *context);
/* peer and name key the session cache. The name is set as SNI and as the name to verify. */
struct ssl_st *tls_client_context_open(
    struct tls_client_context *context, const char *peer, const char *name);
/* Frees what the two above made. A session that ended in order stays resumable. */
void tls_close(struct ssl_st **ssl);
/* The sentence about the peer's certificate that verification found, or NULL. */
const char *tls_verify_problem(struct ssl_st *ssl);
/* Whether the context of this server connection asks for a certificate. */
bool tls_certificate_asked(struct ssl_st *ssl);
/* Whether the context of this client connection demands a good certificate. */
bool tls_verify_wanted(struct ssl_st *ssl);
/* Whether our certificate went to the server in this handshake: it was asked for, and it fits what
   the server takes. */
bool tls_certificate_shown(struct ssl_st *ssl);

#endif
