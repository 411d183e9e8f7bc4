/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_HOP_H
#define FRANK_RELAY_HOP_H

/*
 * A next hop as control sees it: what waits for it in memory, its slots, how wide it may be used,
 * whether it is paused and why, and what was learned of it. Values and small decisions; the
 * schedule acts on them. now_ms is monotonic everywhere here: a step of the wall clock makes no
 * pause longer or shorter.
 */

#include "relay/job.h"
#include "relay/pacing.h"

#define HOP_READY_MAX 1000 /* deliveries of one hop in memory */
#define HOP_PAUSE_FIRST_MS 60000
#define HOP_PAUSE_MAX_MS (30 * 60 * 1000)
#define HOP_FAILURES_MAX 3      /* failed connections in a row open the circuit */
#define HOP_QUICK_RETRY_MS 1000 /* before that */
#define HOP_SIBLING_REST_MS                                                                        \
	5000 /* longer than the hop whose login was refused: that one probes                       \
	      */
#define HOP_CROWDED_REST_MS                                                                        \
	10000 /* when the hop complains of too many, and none of ours is open                      \
	       */

struct hop_slot {
	struct list link;
	struct hop *hop;
	uint64_t id;
	unsigned lane;
	bool busy;
	bool signed_in;      /* a session of it was let in with the account */
	unsigned out;        /* deliveries that are not answered */
	unsigned generation; /* of the setup that its job was given under */
};

struct hop {
	struct list link;
	char *key;
	const struct setup_hop *setup; /* in the setup in force; NULL: no route leads there now */

	struct list ready; /* of struct spool_delivery; ->owner is its body or NULL */
	size_t ready_count;
	size_t out;        /* with slots */
	struct list slots; /* of struct hop_slot */
	unsigned slot_count;
	struct pacing_width width;
	struct pacing_rate rate;
	/* Mail waits behind busy slots since then; 0: it does not. */
	int64_t starved_since_ms; /* monotonic */
	bool dirty;               /* to be looked at before the turn ends */
	unsigned frozen;          /* operators who change its mail: none comes into memory */

	/* Its login was refused: sessions of slots up to this one are older, and what they still
	   achieve proves nothing. 0: it was not. */
	uint64_t refused_slot;
	bool proved;       /* a session was ready since the last trouble: more may be opened */
	unsigned failures; /* connections, in a row */
	unsigned pauses;   /* in a row */
	int64_t paused_until_ms; /* monotonic; 0: not paused */
	bool pause_told;         /* why is in the log already */
	enum upstream_trouble trouble;
	char why[1024]; /* what to do about it; empty: nothing is wrong */

	bool leasing;             /* a lease is under way */
	int64_t gives_back_at_ms; /* wall: its mail that was last given back is posted then */
	bool lease_was_old;       /* the last one brought mail that had been tried before */
	int64_t leased_ms;        /* loop time: when the last one came */
	int64_t next_due_ms;      /* wall: when something on disk may be due; 0: nothing known */
	/* As the store said last, for status. */
	uint64_t waiting, held;
	int64_t oldest_ms;

	struct upstream_learned learned;
	uint64_t delivered; /* recipients, since the start */
};

struct hop *hop_create(const char *key);
void hop_destroy(struct hop **hop); /* ready and slots must be empty */

/* A reload: its limits as of now, and no more pause. */
void hop_set_setup(struct hop *hop, const struct setup_hop *setup, int64_t now_ms);

/* No more pause, and its failures are forgotten. */
void hop_forgive(struct hop *hop);

bool hop_is_paused(const struct hop *hop, int64_t now_ms);
/* The pause is over, and one delivery shall find out. */
bool hop_is_probing(const struct hop *hop, int64_t now_ms);

/* Slots that may be open now. */
unsigned hop_width(const struct hop *hop, int64_t now_ms);

/* A session ended in trouble. Pauses the hop, at once or after some failures. True: the reason is
   new and should be logged. */
bool hop_failed(struct hop *hop, enum upstream_trouble trouble, const char *text, int64_t now_ms,
    uint64_t dice);
/* The hop complains of the number of connections, of which open are left. There are fewer from now
   on, and the circuit stays closed; with none left it rests for HOP_CROWDED_REST_MS. True: as
   above. */
bool hop_is_crowded(struct hop *hop, const char *text, unsigned open, int64_t now_ms);
/* Its account has no token to sign in with: paused until hop_has_token(), and at most for
   HOP_PAUSE_MAX_MS. broken: somebody has to act. True: as above. */
bool hop_lacks_token(struct hop *hop, const char *text, bool broken, int64_t now_ms);
/* ... and now it has one: the pause, if it was for that, is over. */
void hop_has_token(struct hop *hop, int64_t now_ms);
/* After hop_failed(): it was the login that was refused. slot is the last one opened. */
void hop_login_refused(struct hop *hop, uint64_t slot);
/* Another hop has the same account at the same server, where its login was refused: paused with it,
   HOP_SIBLING_REST_MS longer. True: as above. */
bool hop_pauses_with(struct hop *hop, const struct hop *refused);
/* A session of this slot is ready, or a delivery went through. */
bool hop_is_proof(const struct hop *hop, uint64_t slot);
/* ... and that is proof. True: it was paused before. */
bool hop_works(struct hop *hop);

#endif
