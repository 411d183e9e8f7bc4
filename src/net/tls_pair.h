/* SPDX-License-Identifier: MIT */
#ifndef FRANK_NET_TLS_PAIR_H
#define FRANK_NET_TLS_PAIR_H

/*
 * What the files of TLS contexts share, and nobody else includes: files that are watched for
 * changes, certificates loaded with their keys, and what an SSL object knows of us.
 */

#include "net/tls.h"

#include <openssl/ssl.h>
#include <sys/types.h>
#include <time.h>

/* What tells a file from another, and from itself after a change. */
struct tls_file {
	char *path; /* NULL: none is watched */
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

/* Before reading: a change meanwhile is then seen as one. */
void tls_file_watch(struct tls_file *file, const char *path);
bool tls_file_has_changed(const struct tls_file *file);
void tls_file_fini(struct tls_file *file);

struct tls_pair {
	struct tls_file certificate, key;
	X509 *leaf;
	STACK_OF(X509) * chain; /* without the leaf */
	EVP_PKEY *private;
};

/* Both files are read and checked (net/tls.h says for what). On failure the pair is half made:
   tls_pair_fini() takes it all the same. */
bool tls_pair_load(struct tls_pair *pair, const char *certificate_path, const char *key_path,
    struct fault *fault_out);
/* From now on connections of the context can show it, beside those of other kinds of key. */
bool tls_pair_use(const struct tls_pair *pair, SSL_CTX *ctx, struct fault *fault_out);
bool tls_pair_is_stale(const struct tls_pair *pair);
void tls_pair_fini(struct tls_pair *pair);

/* An SSL object's application data. */
struct tls_state {
	struct tls_server_context *server;
	struct tls_client_context *client;
	char *name; /* the one to verify */
	char *session_key;
	char *problem; /* the first that verification found */
	bool certificate_shown;
};

/* A context of that level, with all that both roles want of it. */
SSL_CTX *tls_make_ctx(const SSL_METHOD *method, enum tls_level level, struct fault *fault_out);
SSL *tls_open_ssl(SSL_CTX *ctx); /* with an empty state; or NULL */

/* Keeps the sentence for what verification has found, unless there is one already. */
void tls_note_problem(struct tls_state *state, X509_STORE_CTX *store, const char *name);

#endif
