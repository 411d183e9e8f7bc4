/* SPDX-License-Identifier: MIT */
#ifndef FRANK_NET_CERTIFICATE_H
#define FRANK_NET_CERTIFICATE_H

/*
 * Certificates and keys in files: reading with the checks that spare an operator a night, making a
 * self-signed one, and saying in words why a peer's certificate is not good.
 */

#include "base/buf.h"
#include "base/fault.h"

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

/*
 * Makes an ECDSA P-256 key and a self-signed certificate for it: directory/key.pem (0600) and
 * directory/cert.pem. It is for hostname, further names (count of them, DNS names or addresses; may
 * be none), localhost, 127.0.0.1 and ::1, valid for days from yesterday on. Existing files are
 * replaced. FAULT_LOCAL when they cannot be written.
 */
bool tls_self_signed(const char *directory, const char *hostname, const char *const *names,
    size_t count, int days, struct fault *fault_out);

/* The PEM certificates of a file, the leaf first. The leaf is valid now. Free with
   sk_X509_pop_free(chain, X509_free). */
STACK_OF(X509) * certificate_load_chain(const char *path, struct fault *fault_out);

/* The private key of a file whose mode protects it. */
EVP_PKEY *certificate_load_key(const char *path, struct fault *fault_out);

/* The sentence for a verification error of OpenSSL's: which name was wanted and which names the
   certificate has, when it expired, who is unknown. certificate is the one at fault. */
void certificate_explain(struct buf *b, int verify_error, X509 *certificate, const char *wanted);

/* "a.example, *.b.example, 192.0.2.1": the names in the certificate, at most 8, escaped. */
void certificate_append_names(struct buf *b, X509 *certificate);

/* The SHA-256 of its DER, as "openssl x509 -fingerprint -sha256" shows it. */
void certificate_fingerprint(const X509 *certificate, char out[96]);

/* When it ends, in wall milliseconds. */
int64_t certificate_expires_ms(const X509 *certificate);

#endif
