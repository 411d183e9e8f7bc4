/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_UPSTREAM_PRIVATE_H
#define FRANK_RELAY_UPSTREAM_PRIVATE_H

/*
 * What the files of an upstream share: upstream.c (events, observation, the machine),
 * upstream_connect.c (hosts, addresses, the beginning and the end of a session) and upstream_auth.c
 * (signing in).
 */

#include "net/resolver.h"
#include "relay/upstream.h"

#define UPSTREAM_CONNECT_MS 30000
#define UPSTREAM_STEP_MS 60000 /* a slow step of signing in: a ticket server that is silent */

struct upstream_auth; /* upstream_auth.c */

struct upstream {
	struct net_loop *loop;
	struct upstream_settings settings;
	struct upstream_learned *learned;
	upstream_event_fn *on_event;
	void *owner;

	size_t via; /* under way */
	struct resolver *resolver;
	struct resolver_result addresses;
	size_t address;
	struct conn *conn;
	struct smtp_client client;
	bool client_alive;
	struct upstream_auth *auth; /* NULL: not begun */
	bool tls_pending;
	bool was_ready; /* no other address is tried any more */
	bool abandoned;
	size_t pending_seen;                   /* output pending when the deadline was set */
	enum smtp_client_stage deadline_stage; /* and the stage then */
	char peer[300];
	char trouble_text[1024];
	enum upstream_trouble trouble;
	bool login_refused;

	upstream_observe_fn *observe;
	void *observe_context;
	struct trace_dialogue dialogue;
	struct conceal conceal; /* what the hop is told for signing in */
	struct buf payload;     /* secret: the AUTH payload that is being sent */
	unsigned payload_step;
};

/* ---- upstream.c ---- */

void upstream_give(struct upstream *u, const struct upstream_event *event);
void upstream_note(struct upstream *u, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void upstream_set_trouble(struct upstream *u, enum upstream_trouble trouble, const char *format,
    ...) __attribute__((format(printf, 3, 4)));
/* Adds what a reply means and what can be done, where that is known; a complaint about the number
   of connections becomes the trouble LIMIT. */
void upstream_add_remedy(struct upstream *u, const struct smtp_received_reply *reply);
/* The last event; u is gone afterwards. */
void upstream_fail(
    struct upstream *u, enum smtp_client_stage stage, const struct smtp_received_reply *reply);
/* The machine's observer. */
void upstream_observe_line(void *context, enum smtp_line_kind kind, struct span text);
void upstream_start_tls(struct upstream *u);
/* The connection's callback. */
void upstream_pump(struct conn *conn, void *owner);

/* ---- upstream_connect.c ---- */

const struct config_via *upstream_via(const struct upstream *u); /* the one under way */
/* A host name, and not an address or a socket. */
bool upstream_has_name(const struct config_via *via);
void upstream_start_via(struct upstream *u);
/* Ends the session without a word to the owner. */
void upstream_forget_session(struct upstream *u);
/* From a failure to the next address or host, or, when none may help, to upstream_fail(). */
void upstream_give_up_address(
    struct upstream *u, enum smtp_client_stage stage, const struct smtp_received_reply *reply);

/* ---- upstream_auth.c ---- */

/* Answers to SMTP_CLIENT_AUTH, AUTH_CHALLENGE and AUTH_REPLY, at once or when a worker has done its
   step. */
void upstream_auth_begin(struct upstream *u);
void upstream_auth_challenge(struct upstream *u, const struct smtp_client_event *event);
void upstream_auth_reply(struct upstream *u, const struct smtp_client_event *event);
/* A worker has a step. */
bool upstream_auth_is_working(const struct upstream *u);
/* ... and has had it for too long. */
void upstream_auth_timeout(struct upstream *u);
/* Ends it, or leaves it to the worker who has it. */
void upstream_auth_forget(struct upstream *u);

#endif
