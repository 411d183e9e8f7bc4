/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CLI_SINK_SERVER_H
#define FRANK_CLI_SINK_SERVER_H

/*
 * The catching server of `frank sink`: takes every message for everybody, and stores or only counts
 * it. One thread and one loop; writing into a Maildir holds up everybody else, which an
 * instrument may. It prints "listening ADDRESS:PORT …" for each socket first, so that a script can
 * wait for it and learn the port that the kernel chose, then a line for each message.
 */

#include "account/signin.h"
#include "account/users.h"
#include "base/id.h"
#include "base/list.h"
#include "base/map.h"
#include "cli/dialogue.h"
#include "config/config.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/tls.h"
#include "relay/setup_auth.h"
#include "smtp/server.h"

struct sink_address {
	struct net_address socket; /* port 0: the kernel chooses */
	bool optional;             /* from "*": a machine may be without IPv6 */
};

struct sink_settings {
	const struct sink_address *listen;
	size_t listen_count;
	enum config_tls_mode tls;
	struct tls_server_context *tls_context; /* borrowed; NULL with tls off */
	enum config_auth_mode auth;
	bool users_any;              /* every name with every password may sign in */
	struct account_users *users; /* borrowed; NULL: any, or nobody */
	bool cleartext_auth;
	const char *hostname;
	uint64_t size_max_bytes;
	const char *maildir;   /* NULL: contents are not kept */
	uint64_t messages_max; /* ends after so many; 0: never */
	bool count_only;       /* no line for a message */
	bool json, quiet, follow;
};

struct sink {
	const struct sink_settings *settings;
	struct smtp_server_settings smtp;
	struct net_loop loop;
	struct list listeners;    /* struct sink_listener */
	struct list sessions;     /* struct sink_session */
	struct map *asking;       /* sessions that wait for a password check, by number */
	struct worker_pool *pool; /* NULL without users */
	struct account_checker *checker;
	struct account_stores *stores; /* the users, or nobody */
	struct setup_offer offer;      /* the mechanisms */
	char decoy_key[ACCOUNT_SIGNIN_DECOY_KEY];
	struct id_source ids;
	struct cli_dialogue_style style;
	uv_signal_t on_term, on_int;
	struct net_timer patience; /* with the sessions, after a stop */
	bool stopping;             /* no new connection, no new message */
	bool told;                 /* sessions know */
	bool output_failed;        /* standard output is gone: nobody reads */
	uint32_t sessions_born;
	uint64_t messages, recipients, octets, auth_failures;
};

/* Serves until SIGTERM or SIGINT, or messages_max, and prints the count at the end. False when it
   cannot listen or run at all. */
bool sink_run(const struct sink_settings *settings, struct fault *fault_out);

/* For sessions: one message was taken, or the last session has ended. */
void sink_message_taken(struct sink *sink, uint64_t octets, uint64_t recipients);
void sink_session_ended(struct sink *sink);
/* One line to standard error, unless quiet. */
void sink_say(struct sink *sink, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
