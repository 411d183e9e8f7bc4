/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_SIGNIN_H
#define FRANK_ACCOUNT_SIGNIN_H

/*
 * One client's attempt to sign in, from its AUTH to the verdict: steps the mechanism
 * (sasl/server.h) and asks the stores, one after the other, until one knows the user. What takes
 * time is done elsewhere, and its answer comes through a mailbox with the asker's handle.
 *
 * Why somebody was refused is for the log; the client is told the same whether the user is unknown
 * or the proof is wrong, after the same work.
 */

#include "account/dovecot.h"
#include "account/stores.h"
#include "net/conn.h"
#include "sasl/server.h"

#define ACCOUNT_SIGNIN_DECOY_KEY 32

enum account_signin_state {
	ACCOUNT_SIGNIN_CHALLENGE,   /* challenge is to be sent; then account_signin_step() */
	ACCOUNT_SIGNIN_PENDING,     /* an answer is to come; then account_signin_answer() */
	ACCOUNT_SIGNIN_PASSED,      /* login has signed in: 235 */
	ACCOUNT_SIGNIN_REFUSED,     /* 535; reason */
	ACCOUNT_SIGNIN_MALFORMED,   /* 501; reason is for the client too */
	ACCOUNT_SIGNIN_UNAVAILABLE, /* 454; reason */
};

/* Where the attempt is made. Borrowed until it is over; conn too. */
struct account_signin_place {
	struct account_stores *stores;
	struct account_checker *checker;
	struct account_dovecots *dovecots; /* NULL: none; such stores are then down */
	const struct conn *conn;
	struct span hostname;
	struct span decoy_key; /* see sasl/server.h; ACCOUNT_SIGNIN_DECOY_KEY octets */
	bool bound_offered;    /* a -PLUS mechanism was listed */
	int64_t deadline_ms;   /* for an answer, from now on each time */
	/* For questions (account/check.h): */
	struct account_handle asker;
	struct mailbox *reply_to;
	unsigned kind;
	uint64_t share;
};

struct account_signin {
	struct account_signin_place place;
	struct sasl_server sasl;
	struct buf tls_exporter, tls_unique;
	char random[24];
	size_t store;                /* that is being asked */
	struct account_store *fault; /* the store whose answer this is, for PASSED too; or NULL */
	struct buf login;            /* with PASSED: who it is */
	char reason[320];            /* for the log; see the states */
};

/* Zeroed memory is a finished one. fini wipes. After a fini an answer that comes is nobody's. */
void account_signin_init(struct account_signin *s, const struct account_signin_place *place);
void account_signin_fini(struct account_signin *s);

/* now_ms is monotonic, now_s the time of day. initial is decoded. */
enum account_signin_state account_signin_begin(struct account_signin *s,
    enum sasl_mechanism mechanism, bool has_initial, struct span initial, int64_t now_ms,
    int64_t now_s);
enum account_signin_state account_signin_step(
    struct account_signin *s, struct span response, int64_t now_ms, int64_t now_s);
/* The answer stays the caller's. */
enum account_signin_state account_signin_answer(
    struct account_signin *s, struct account_check_answer *answer, int64_t now_ms);

/* The client has broken off. Whether the login had failed already, and the client was being told:
   that counts as a failure. */
bool account_signin_had_failed(const struct account_signin *s);

/* 64 bits that tell an address from others, for worker shares. */
uint64_t account_signin_share(const struct sockaddr *peer);

#endif
