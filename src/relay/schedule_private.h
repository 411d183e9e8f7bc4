/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_SCHEDULE_PRIVATE_H
#define FRANK_RELAY_SCHEDULE_PRIVATE_H

/*
 * What the files of the schedule share: schedule.c (hops, what is in memory, the turn, life),
 * schedule_store.c (questions to the keeper, and results) and schedule_job.c (jobs for slots, and
 * what comes back), schedule_account.c (hops in trouble, tokens) and schedule_sibling.c (hops that
 * share an account at one server).
 */

#include "relay/schedule.h"

#define SCHEDULE_RETRY_MS 1000 /* to ask the keeper again after its store was down */

/* ---- schedule.c ---- */

int64_t schedule_now_ms(struct schedule *s);   /* wall: what stands in rows */
int64_t schedule_clock_ms(struct schedule *s); /* monotonic: pauses, rates */
/* The timer fires at this wall time, or after this time, at the latest. */
void schedule_wake_at(struct schedule *s, int64_t at_ms);
void schedule_wake_in(struct schedule *s, int64_t delay_ms);
/* The hop is looked at before the turn ends. */
void schedule_touch(struct hop *hop);
/* Something on disk for this hop may be due then. */
void schedule_is_due_at(struct schedule *s, struct hop *hop, int64_t at_ms);
/* Whether one more delivery of the hop may come into memory. */
bool schedule_may_take(struct schedule *s, const struct hop *hop);
/* A delivery has come into our hands: into memory for its hop, or back to disk. */
void schedule_take_in_hand(struct schedule *s, struct spool_delivery *delivery);
/* All that waits in memory for the hop goes back to disk. */
void schedule_release_hop(struct schedule *s, struct hop *hop);
void schedule_on_arrival(struct schedule *s, struct keeper_item *item);

/* ---- schedule_store.c ---- */

void schedule_on_keeper(struct mailbox_item *mail, void *owner);
/* What goes back to disk goes together; at_once does not wait for more. */
void schedule_post_releases(struct schedule *s);
void schedule_release_at_once(struct schedule *s);
void schedule_start_lease(struct schedule *s, struct hop *hop, size_t max);
/* Every waiting row is shown to the routes of the setup in force. */
void schedule_start_rekey(struct schedule *s, struct spool_cursor cursor);

/* ---- schedule_job.c ---- */

/* Gives the hop's slots what they can take, and takes more from disk when there is little left. */
void schedule_dispatch(struct schedule *s, struct hop *hop);
void schedule_lease_more(struct schedule *s, struct hop *hop);
void schedule_on_worker(struct mailbox_item *item, void *owner);

/* ---- schedule_account.c ---- */

/* What an account with OAuth signs in with; VALID and nothing appended for other hops. */
enum oauth_token_state schedule_find_token(
    struct schedule *s, const struct hop *hop, struct buf *token_out, struct fault *why_out);
/* Makes token_out a secret buf with what a job needs to sign in with. False: the hop is paused, as
   lanes never wait for a token. */
bool schedule_sign_in(struct schedule *s, struct hop *hop, struct buf *token_out);
/* What the end of a session says of the hop. */
void schedule_trouble(struct schedule *s, struct hop *hop, const struct job_progress *p);
/* A session of this slot is ready, or a delivery went through. */
void schedule_works(const struct hop_slot *slot);
void schedule_log_paused(struct schedule *s, const struct hop *hop);
void schedule_log_resumed(const struct hop *hop);

/* ---- schedule_sibling.c ---- */

/* Siblings are hops that sign in as the same account at the same server (the first of their via):
   several routes lead there. A refused login is one for all of them, and servers lock accounts. */

/* The hop's login was refused, and it is paused: so are its siblings. */
void schedule_pause_siblings(struct schedule *s, struct hop *hop);
/* The hop is new: a pause of its siblings is its own. */
void schedule_join_siblings(struct schedule *s, struct hop *hop);
/* A session of this slot was let in: siblings that wait for it, or were paused, may go on. */
void schedule_login_works(struct schedule *s, const struct hop_slot *slot);
/* The login may be tried: siblings that were paused for it are so no more. */
void schedule_release_siblings(struct schedule *s, struct hop *hop);
/* They are looked at before the turn ends: one of them may have waited for this hop. */
void schedule_touch_siblings(struct schedule *s, const struct hop *hop);
/* A sibling is about to find out whether the login works. */
bool schedule_waits_for_sibling(struct schedule *s, const struct hop *hop);

#endif
