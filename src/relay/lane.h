/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_LANE_H
#define FRANK_RELAY_LANE_H

/*
 * A lane: a thread with a loop, in which sessions and next-hop connections are born, live and are
 * freed. It blocks on nothing. Work that would block is asked of others (keeper, workers, control),
 * and the answer comes through one of the lane's inboxes; it names who asked by a handle, and is
 * dropped when that one is gone.
 *
 * The fields below belong to the lane's own thread; other threads only post.
 */

#include "account/bans.h"
#include "account/census.h"
#include "account/signin.h"
#include "account/tally.h"
#include "base/id.h"
#include "net/listener.h"
#include "net/loop.h"
#include "relay/inbox.h"
#include "relay/mail.h"
#include "relay/refusals.h"
#include "relay/setup.h"
#include "spool/keeper.h"

#include <pthread.h>

struct session;
struct watch;

/* What every lane is given and none changes. */
struct lane_services {
	struct keeper *keeper;
	struct account_checker *checker;
	struct account_census *census;
	struct account_bans *bans;
	struct account_tally *tally;
	struct worker_pool *file_pool;
	struct worker_pool *hash_pool; /* also what next hops make us compute */
	struct mailbox *control; /* takes struct relay_mail */
	const char *spool_path;
	unsigned lane_count;
	unsigned node; /* for ids */
	char decoy_key[ACCOUNT_SIGNIN_DECOY_KEY];
};

#define LANE_JOB_PASSWORD 2 /* worker_job.kind; see also LARGE_WRITE_JOB, DELIVER_JOB */

/* A place in the table of those who may be waiting for an answer. */
struct lane_place {
	struct session *session; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

/* A listening socket of this lane. */
struct lane_endpoint {
	struct list link;
	struct lane *lane;
	struct config_address address; /* as configured; its texts are not used */
	struct listener *listener;
	int fd;
};

#define LANE_DRAFTS_MAX (256ull * 1024 * 1024) /* all lanes together */

struct lane {
	const struct lane_services *services;
	unsigned index;
	pthread_t thread;
	struct net_loop loop;
	struct inbox from_control, from_keeper, from_workers;
	struct mailbox_chain to_control, to_keeper; /* posted at the end of the turn */
	struct id_source ids;
	const struct setup *setup; /* for new sessions */

	struct list endpoints; /* of struct lane_endpoint */
	struct list sessions;  /* of struct session */
	struct lane_place *places;
	uint32_t place_count, first_free;
	size_t session_count;
	uint64_t sessions_born; /* makes session numbers */

	struct list slots; /* of struct slot: connections to next hops */
	struct account_dovecots dovecots;
	struct refusals refusals;

	size_t draft_bytes;            /* memory of drafts, against the lane's share */
	unsigned watchers;             /* above 0: dialogues are reported to control */
	_Atomic unsigned watch_unread; /* lines on their way to control */
	uint64_t watch_dropped;        /* lines, since one got through */
	struct net_timer drain_timer;  /* at the end: until nothing lingers */
	unsigned drain_looks;
	bool stopping; /* no new sessions; ends when the last one has */
	bool joined;   /* the thread has ended, and so have the workers */
};

/* Starts the thread. The lane has no endpoints yet: control sends them. */
struct lane *lane_start(const struct lane_services *services, unsigned index, uint64_t last_id,
    const struct setup *setup, struct fault *fault_out);
/* After a RELAY_MAIL_LANE_STOPPED from it: joins the thread and frees. */
void lane_join(struct lane **lane);

/* Memory that drafts of one lane may hold. */
size_t lane_draft_share(const struct lane *lane);

/* A place for who waits for an answer, and who is there now (NULL: gone). */
struct account_handle lane_place_take(struct lane *lane, struct session *session);
void lane_place_free(struct lane *lane, struct account_handle handle);
struct session *lane_place_find(struct lane *lane, struct account_handle handle);

/* To control, with this turn's chain. */
void lane_tell_control(struct lane *lane, struct relay_mail *mail);

/* A session or slot has ended: a lane that is stopping may be done. */
void lane_check_done(struct lane *lane);

#endif
