/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_CONTROL_H
#define FRANK_RELAY_CONTROL_H

/*
 * The relay as a whole, and its main thread: starts lanes, keeper and workers, holds the setup in
 * force, and handles signals, reloads and the stop. SIGTERM and SIGINT end it gracefully, SIGHUP
 * reloads configuration and certificates.
 *
 * Stop: lanes answer 421 and end their sessions at the next reply, jobs at the next delivery; after
 * 30 s what is left is cut; the keeper commits what it holds.
 */

#include "account/bans.h"
#include "account/census.h"
#include "account/check.h"
#include "net/privilege.h"
#include "relay/admin.h"
#include "relay/certificates.h"
#include "relay/lane.h"
#include "relay/quirk_book.h"
#include "relay/schedule.h"

#define CONTROL_STOP_MS 30000
#define CONTROL_CERTIFICATE_CHECK_MS 60000

/* Reads the configuration anew. NULL when it has errors; problems_out gets all that is to be said.
 */
typedef const struct config *control_load_fn(void *context, struct buf *problems_out);

/* Sockets that are bound, in the order of the lanes. */
struct control_binding {
	struct list link;
	struct config_address address;
	char label[64];                  /* of the listener */
	char text[NET_ADDRESS_TEXT_MAX]; /* as bound: with the port that the kernel chose */
	bool wanted;                     /* during a reload */
};

struct control {
	struct net_loop loop;
	struct inbox from_lanes;
	uv_signal_t on_term, on_int, on_hup;
	struct net_timer stop_timer, certificate_timer, learned_timer;
	char *learned_path;
	control_load_fn *load;
	void *load_context;

	struct worker_pool *load_pool; /* one thread, for what a reload reads and runs */
	struct inbox from_loader;
	bool loading, load_again;
	struct certificates_watch certificates;
	struct quirk_book quirks;

	const struct setup *setup;
	struct lane_services services;
	struct lane **lanes;
	unsigned lanes_running;
	struct keeper *keeper;
	struct schedule schedule;
	struct worker_pool *hash_pool, *file_pool;
	struct account_census *census;
	struct account_tally *tally;
	struct account_bans *bans;
	struct net_timer bans_timer;
	char *bans_directory;
	uint64_t bans_written; /* account_bans_changes() of what the file has */
	struct account_checker *checker;
	struct list bindings;
	struct admin *admin;
	struct oauth_keeper *tokens; /* NULL: no account has OAuth */
	unsigned watchers;

	int64_t started_ms, reloaded_ms; /* wall */
	char *reload_problem;            /* why the last reload was refused; NULL: it was not */
	bool stopping, tokens_stopping;
};

/* Sockets that must be bound before privileges are dropped. */
struct control_sockets {
	struct list bindings; /* of struct control_binding, with their descriptors beside: */
	int *fds;             /* lane_count a binding, in order */
	size_t binding_count;
	int admin_fd; /* -1: none */
};

/* Binds all listeners and the admin socket. False: everything is closed again. */
bool control_bind(const struct config *config, unsigned lane_count,
    struct control_sockets *sockets_out, struct fault *fault_out);

struct control_options {
	const struct setup *setup;       /* a reference, taken */
	struct control_sockets *sockets; /* taken */
	unsigned lane_count;
	control_load_fn *load;
	void *load_context;
};

/* Opens the spool, starts everything, serves until a signal ends it. False: it could not start. */
bool control_run(const struct control_options *options, struct fault *fault_out);

/* For relay/tokens.h: no provider is being asked any more. */
void control_tokens_stopped(struct control *control);

/* For relay/admin.h: how many look at dialogues now. */
void control_set_watchers(struct control *control, unsigned watchers);

#endif
