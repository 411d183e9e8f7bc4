/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CLI_ROUTE_H
#define FRANK_CLI_ROUTE_H

/*
 * `frank route test`: route.c reads the command line and finds the answer, route_words.c has what
 * is said of TLS, signing in and rewriting, route_text.c and route_json.c show it, route_connect.c
 * signs in for real.
 */

#include "base/buf.h"
#include "config/match.h"
#include "net/address.h"
#include "sasl/mechanism.h"

#include <jansson.h>

#define ROUTE_TEXT_MAX (1024 * 1024)

struct route_task {
	const char *from, *to, *login, *client, *listener;
	const char *config_path, *socket;
	bool json, connect;

	const struct config *config;
	struct config_question question;
	struct net_address address; /* of the client */
	struct buf why, completed;
	/* Both addresses of the question as the configuration has them: domains in ASCII. */
	struct buf sender, recipient;

	/* The answer; either may be NULL. */
	const struct config_domain *domain;
	const struct config_alias *alias; /* the domain's or the route's, for the recipient */
	const struct config_route *route;
	const char
	    *relaying;   /* whether the relay would take it from this client; NULL: not asked */
	json_t *learned; /* what a relay that runs knows of the hop ("hop list"); NULL */
};

/* ---- route.c ---- */

/* The way leads through SMTP or LMTP. */
bool route_has_session(const struct route_task *task);

/* ---- route_words.c ---- */

const char *route_initial_response_name(enum config_initial_response way);
void route_describe_tls(
    const struct config_route *route, const struct config_via *via, struct buf *out);

void route_describe_patterns(const struct config_pattern *patterns, size_t count, struct buf *out);
const char *route_recipients_words(const struct config_domain *domain);

/* What the route's account can serve, the strongest first; returns how many. */
size_t route_mechanisms(
    const struct config_route *route, enum sasl_mechanism mechanisms_out[SASL_MECHANISM_COUNT]);
/* "SCRAM-SHA-256, then PLAIN" */
void route_describe_mechanisms(const struct config_route *route, struct buf *out);
void route_describe_initial(const struct config_route *route, struct buf *out);
/* "up, login frank@example.net, password from /etc/frank/password" */
void route_describe_account(const struct config_account *account, struct buf *out);

/* What the hop is told as sender and in From, where that is not the original; empty bufs where it
   is. False after a complaint: a map cannot be read. */
bool route_preview(const struct route_task *task, struct buf *sender_out, struct buf *from_out);

/* Whether the addresses need SMTPUTF8 (RFC 6531) at the hop, as far as it is known with what
   becomes of them where the hop does not offer it. False, and nothing is appended: they are ASCII.
 */
bool route_describe_utf8(const struct route_task *task, struct buf *out);

/* ---- route_text.c, route_json.c ---- */

void route_print(struct route_task *task);
json_t *route_json(struct route_task *task);

/* ---- route_connect.c ---- */

/* Asks a relay that runs what it has learned; says nothing when there is none. */
void route_ask_learned(struct route_task *task);

/* Signs in at the route's hop, shows the dialogue (or adds it to answer, with --json), and leaves.
   Exit status. */
int route_connect(struct route_task *task, json_t *answer);

#endif
