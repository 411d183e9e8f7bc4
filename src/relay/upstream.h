/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_UPSTREAM_H
#define FRANK_RELAY_UPSTREAM_H

/*
 * A session with a next hop, from the look-up of its name to QUIT: tries every address of every
 * host in order, starts TLS, climbs the AUTH ladder, and then hands the machine's events to its
 * owner. Used by delivery and by `frank send`. Lives in one loop.
 *
 * The owner answers READY with smtp_client_mail(), smtp_client_probe() or smtp_client_quit() on
 * upstream_client(), and calls upstream_flush() when it did so outside the callback.
 *
 * Steps of signing in that take long (a key derived from the password, a ticket) are done by a
 * worker where the owner has one. An upstream may be destroyed meanwhile.
 */

#include "base/worker.h"
#include "config/config.h"
#include "net/conn.h"
#include "relay/scram_keep.h"
#include "sasl/ladder.h"
#include "smtp/client.h"
#include "trace/line.h"

struct upstream;

/* What was learned of a next hop: plain values, owned by control, given with each job and returned.
 */
struct upstream_learned {
	bool greeted; /* the rest is from a session that got as far as EHLO */
	struct smtp_extensions extensions;
	struct sasl_memory memory;              /* whether an initial response works */
	char mechanism[SMTP_MECHANISM_MAX + 1]; /* that worked last; empty: none yet */
	char tls_version[16];                   /* empty: in clear */
	int64_t last_ok_ms, last_failure_ms;    /* wall */
	char last_failure[512];
	bool falls_over_ahead; /* it closed on the next MAIL behind a final dot */
};

struct upstream_settings {
	const struct config_via *vias; /* tried in order */
	size_t via_count;
	struct net_address source; /* len 0: any */
	struct span ehlo_name;
	bool account;                  /* there is one: the session signs in, or comes to nothing */
	struct span login, password;   /* empty: none */
	struct span token;             /* OAuth access token; empty: none */
	bool certificate;              /* tls has one for the server that asks */
	bool kerberos;                 /* the tickets of our user may be used */
	const char *const *mechanisms; /* the only ones to be used */
	size_t mechanism_count;        /* 0: all that the account can serve */
	enum config_initial_response initial_response;
	bool cleartext_auth; /* AUTH without TLS is allowed */
	bool tls_off;        /* never STARTTLS (for `send`) */
	bool pipelining_off;
	struct scram_keep *scram;       /* borrowed; NULL: none */
	struct tls_client_context *tls; /* borrowed */
	const char *tls_name;           /* NULL: the host of the via */
	const char *hop;                /* its key, for traces; NULL */
	/* For slow steps; both or neither (then they are done at once, and block). What comes to
	   slow_reply_to with worker_job.kind UPSTREAM_JOB goes to upstream_stepped(). */
	struct worker_pool *slow_pool;
	struct mailbox *slow_reply_to;
};

/* Why a session came to nothing. What is said about us pauses the hop and never bounces a message.
 */
enum upstream_trouble {
	UPSTREAM_TROUBLE_NONE,
	UPSTREAM_TROUBLE_NAME,           /* look-up failed */
	UPSTREAM_TROUBLE_CONNECTION,     /* refused, timed out, lost; 421 */
	UPSTREAM_TROUBLE_GREETING,       /* 554, or no SMTP */
	UPSTREAM_TROUBLE_TLS,            /* missing, refused, failed, or a wrong certificate */
	UPSTREAM_TROUBLE_AUTH,           /* refused, not offered, not possible */
	UPSTREAM_TROUBLE_AUTH_TEMPORARY, /* 4yz to AUTH */
	UPSTREAM_TROUBLE_TOKEN, /* the account has no token that is good: nobody was asked yet, or
				   the hop refused the one there is */
	UPSTREAM_TROUBLE_LIMIT, /* too many connections, says the hop */
	UPSTREAM_TROUBLE_LOCAL, /* here: no descriptors and the like */
};
const char *upstream_trouble_name(enum upstream_trouble trouble);

enum upstream_event_kind {
	UPSTREAM_NOTE,    /* text: "connecting to …", for who watches */
	UPSTREAM_READY,   /* the first time, and after each transaction */
	UPSTREAM_SMTP,    /* smtp: RECIPIENT, CONTENT, MESSAGE, TRANSACTION_FAILED, PROBED */
	UPSTREAM_DRAINED, /* more content may be given */
	UPSTREAM_FAILED,  /* trouble, stage, text, reply. The last event; destroy it. */
	UPSTREAM_CLOSED,  /* after QUIT. The last event; destroy it. */
};

struct upstream_event {
	enum upstream_event_kind kind;
	const struct smtp_client_event *smtp;
	enum upstream_trouble trouble;
	enum smtp_client_stage stage;
	const char *text;
	const struct smtp_received_reply *reply; /* FAILED: the hop's words, or NULL */
	bool login_refused; /* FAILED: the hop was shown a login, and said no to it for good */
};

/* The callback may not destroy the upstream, except in FAILED and CLOSED, where it must. */
typedef void upstream_event_fn(struct upstream *u, const struct upstream_event *event, void *owner);

/* learned is read and written. Settings are copied; what they borrow must outlive the upstream. */
struct upstream *upstream_create(struct net_loop *loop, const struct upstream_settings *settings,
    struct upstream_learned *learned, upstream_event_fn *on_event, void *owner);
void upstream_destroy(struct upstream **u); /* closes at once; NULL is accepted */

struct smtp_client *upstream_client(struct upstream *u);
/* Gives up in the middle: FAILED follows in a later turn, with trouble LOCAL and this text. */
void upstream_abandon(struct upstream *u, const char *text);
void upstream_flush(struct upstream *u);
/* The session is under TLS, and the hop has shown that it is the one that was meant. */
bool upstream_tls_is_verified(const struct upstream *u);
const char *upstream_peer(const struct upstream *u); /* "smtp.example.net[192.0.2.1]:587" */

#define UPSTREAM_JOB 6 /* worker_job.kind */
/* A worker has done a slow step. In the loop of the upstream, which may be gone. */
void upstream_stepped(struct worker_job *job);

/* Every classified line, and notes; NULL ends it. */
typedef void upstream_observe_fn(void *context, const struct trace_dialogue *dialogue,
    enum smtp_line_kind kind, struct span text, bool tls_active);
void upstream_observe(
    struct upstream *u, upstream_observe_fn *observe, void *context, uint64_t dialogue);

#endif
