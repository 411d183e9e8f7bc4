/* SPDX-License-Identifier: MIT */
#ifndef FRANK_NET_HTTPS_H
#define FRANK_NET_HTTPS_H

/*
 * One question to an https server, without blocking the loop: libcurl's multi interface, its
 * sockets in our loop. For identity providers and the like, so it is narrow: https only, the
 * certificate is verified always, no redirect is followed, no proxy of the environment is used, no
 * connection is kept, and an answer has a ceiling and a deadline. Whatever goes wrong becomes one
 * sentence, and nothing was sent anywhere else.
 *
 * Names are looked up by net/resolver.h and handed to libcurl: its own resolver is never asked.
 */

#include "base/fault.h"
#include "base/span.h"
#include "net/loop.h"

#define HTTPS_BODY_MAX (1024 * 1024)
#define HTTPS_HEADERS_MAX 65536
#define HTTPS_TIMEOUT_MS 30000 /* the whole of it: name lookup, TLS, answer */
#define HTTPS_URL_MAX 2048

struct https_client;

struct https_question {
	const char *url;
	/* POSTed as application/x-www-form-urlencoded; empty: a GET. */
	struct span form;
	/* PEM text of the certificates to trust instead of the system's; empty: the system's. */
	struct span trust;
	const char *trust_directory; /* or a directory of them; NULL: none */
	int64_t timeout_ms;          /* 0: HTTPS_TIMEOUT_MS */
};

/* What the server said, whatever its status. The body belongs to the transfer. */
struct https_answer {
	unsigned status;        /* 200, 302, 500, … */
	bool json;              /* its Content-Type is application/json, or ends with +json */
	int64_t retry_after_ms; /* 0: not said; at most an hour */
	struct span body;
};

/* Called by the loop, once, in a later turn. fault is NULL when there is a complete answer;
   otherwise answer is NULL and the sentence names the host. Faults are FAULT_TEMPORARY, but
   FAULT_LOCAL for an URL that is no https URL and for a certificate that does not verify: those do
   not mend by themselves. */
typedef void https_done_fn(
    const struct https_answer *answer, const struct fault *fault, void *owner);

struct https_transfer;

/* For one loop. NULL when libcurl cannot be had (FAULT_LOCAL). */
struct https_client *https_client_create(struct net_loop *loop, struct fault *fault_out);
/* Transfers under way end without a call. Not from within done. Accepts NULL; clears the pointer.
 */
void https_client_destroy(struct https_client **client);

/* Copies what the question holds; the form is wiped at the end. Freed by itself after done. */
struct https_transfer *https_start(struct https_client *client,
    const struct https_question *question, https_done_fn *done, void *owner);
/* done is not called any more. Clears the pointer; NULL is accepted. Not after done was called. */
void https_cancel(struct https_transfer **transfer);

#endif
