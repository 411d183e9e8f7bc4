/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_SCHEDULE_H
#define FRANK_RELAY_SCHEDULE_H

/*
 * The schedule: which delivery is tried next, by which connection. It lives in control's thread,
 * never touches the spool (it asks the keeper) and never a connection (it gives jobs to lanes).
 * Messages come in hand when they are accepted, or by a lease when their time has come; beyond the
 * budgets they are rows on disk and nothing else.
 *
 * Here is the mechanism; what an attempt means for a message stands in relay/outcome.h.
 */

#include "account/oauth_keeper.h"
#include "base/id.h"
#include "base/map.h"
#include "net/loop.h"
#include "relay/hop.h"
#include "relay/inbox.h"
#include "relay/learned.h"
#include "relay/lane.h"
#include "spool/keeper.h"

#define SCHEDULE_HAND_MAX 20000                 /* deliveries in memory */
#define SCHEDULE_BODIES_MAX (64u * 1024 * 1024) /* bytes of bodies in memory */
#define SCHEDULE_UNCOMMITTED_MAX 10000          /* results */
#define SCHEDULE_LEASE_MAX 50
#define SCHEDULE_HOPS_MAX 4096 /* read from the store for status */

struct schedule {
	struct net_loop *loop;
	struct keeper *keeper;
	struct worker_pool *file_pool;
	struct inbox from_keeper;  /* arrivals, results, queries */
	struct inbox from_workers; /* Maildir jobs, notices */
	struct lane **lanes;
	unsigned lane_count;
	struct id_source ids; /* of notices */
	const struct setup *setup;
	unsigned generation; /* counts setups */

	struct map *hops; /* by key: struct hop */
	struct list hop_list;
	struct map *slots; /* by id: struct hop_slot */
	uint64_t last_slot;
	unsigned next_lane;
	int64_t arrived_ms; /* loop time: when new mail came last; 0: not yet */
	size_t hand_count;  /* deliveries in memory, those with slots included */
	size_t body_bytes;
	size_t uncommitted;
	struct mailbox_chain *to_lane; /* one a lane, posted at the end of the turn */
	struct list to_release;        /* of struct spool_delivery */
	size_t release_count;          /* of them; 1 at least while the store is down */
	int64_t release_at_ms;         /* wall: when they are given back */

	struct oauth_keeper *oauth; /* control's; NULL: no account has OAuth */
	/* A hop has refused the password of this account, which may be another one by now. */
	void (*on_refused)(void *owner, const struct setup_account *account);
	void *refused_owner;

	bool learned_news; /* of a hop, since schedule_learned_json() */

	struct net_timer timer;
	int64_t timer_at_ms; /* monotonic; 0: not running */
	bool surveying;
	bool survey_again;          /* something changed meanwhile */
	int64_t survey_at_ms;       /* wall: the next look at the whole store */
	struct spool_stats stats;   /* as of the last survey */
	bool rekeying, rekey_again; /* a sweep after a reload is under way, must begin anew */
	int64_t rekey_at_ms;        /* wall: when it is tried again; 0: it did not fail */
	bool stopping;              /* nothing new begins */
};

/* The lanes must be running. setup is referenced. Looks at the store at once. */
void schedule_init(struct schedule *s, struct net_loop *loop, struct worker_pool *file_pool,
    unsigned node, uint64_t last_id);
void schedule_start(struct schedule *s, struct keeper *keeper, struct lane **lanes,
    unsigned lane_count, const struct setup *setup);
/* Where the keeper posts arrivals. */
struct mailbox *schedule_arrivals(struct schedule *s);

/* A new configuration: waiting mail takes its routes and logins at once. */
void schedule_set_setup(struct schedule *s, const struct setup *setup);

/* A RELAY_MAIL_JOB_PROGRESS has come; it is taken. */
void schedule_progress(struct schedule *s, struct job_progress *progress);

/* Posts what the turn has collected, after giving jobs to hops that can take some. */
void schedule_turn_end(struct schedule *s);

/* Everything that waits in memory goes back to disk, so that the operator's changes can reach it.
 */
void schedule_release_ready(struct schedule *s);
/* Looks at the store soon: rows may have become due. */
void schedule_survey(struct schedule *s);
/* The hop may be used at once, and what was learned of it is forgotten. False: no such hop. */
bool schedule_forget_hop(struct schedule *s, struct span key);
/* Its pause ends: the operator wants to see it tried now. */
void schedule_resume_hop(struct schedule *s, struct hop *hop);
/* While the operator changes the queue, nothing of the hop is in memory but what lanes have; calls
   may be nested. Once the turn's mail is posted the rest is on disk. */
void schedule_freeze_hop(struct schedule *s, struct hop *hop);
void schedule_thaw_hop(struct schedule *s, struct hop *hop);

/* What is known of all hops, for relay/learned.h; and back at the start. */
json_t *schedule_learned_json(struct schedule *s);
void schedule_set_learned(struct schedule *s, const json_t *hops);

/* When the hop's pause ends, by the wall clock; 0: it is not paused. */
int64_t schedule_pause_ends_ms(struct schedule *s, const struct hop *hop);
/* The keeper of tokens has news of this account. */
void schedule_token_changed(struct schedule *s, struct span label);

/* Nothing new begins. What comes back from lanes and workers still becomes results. */
void schedule_stop(struct schedule *s);
/* The file pool is gone: what it finished becomes results, for the keeper's last commit. */
void schedule_workers_ended(struct schedule *s);
/* After lanes, workers and keeper have ended. */
void schedule_fini(struct schedule *s);

/* For relay/outcome.h: */
struct hop *schedule_hop(struct schedule *s, struct span key); /* made when it is new */
/* A result for the keeper; taken. wake_ms: when its delivery is due again, or 0. */
void schedule_post_result(struct schedule *s, struct spool_result *result, bool survey);
/* A delivery goes back to disk as it was. Taken. */
void schedule_release(struct schedule *s, struct spool_delivery *delivery);
/* A delivery leaves memory. Its body, if any, is given back. */
void schedule_drop_body(struct schedule *s, struct spool_delivery *delivery);

#endif
