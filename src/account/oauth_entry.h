/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_OAUTH_ENTRY_H
#define FRANK_ACCOUNT_OAUTH_ENTRY_H

/*
 * One account of the keeper (account/oauth_keeper.h): its token, and the way to the next one. A
 * refresh is OPEN (lock the file, see whether somebody else has refreshed), ASK (the provider),
 * SAVE (write, unlock). For the keeper only.
 */

#include "account/oauth_keeper.h"
#include "account/oauth_remedy.h"
#include "account/oauth_work.h"
#include "net/https.h"

enum oauth_step {
	OAUTH_STEP_IDLE,
	OAUTH_STEP_LOOKING,
	OAUTH_STEP_OPENING,
	OAUTH_STEP_ASKING,
	OAUTH_STEP_SAVING,
};

struct oauth_entry {
	struct list link;
	struct oauth_keeper *keeper;
	struct oauth_account *account;
	enum oauth_step step;
	struct oauth_work *work;         /* with a worker, or NULL */
	struct https_transfer *transfer; /* or NULL */
	int lock_fd;                     /* -1: not held */
	struct net_timer timer;

	struct oauth_token token;
	struct oauth_file_stamp stamp; /* of the file that it came from, or went to */
	bool known;                    /* the file has been looked at */
	bool look_again;               /* it may have changed */
	bool unsaved;                  /* token is newer than the file */
	bool leaving;                  /* its account is gone: ends with what is under way */

	/* Monotonic; the wall clock's expires_ms counts too, for clocks that stand while a machine
	   sleeps. */
	int64_t valid_until, refresh_at;
	bool rejected;     /* a hop did not take the token: it is not to be used again */
	int64_t forced_at; /* when that made us refresh; 0: never */

	enum oauth_trouble trouble; /* NONE, PASSING, SETTINGS or GRANT */
	char why[OAUTH_REMEDY_MAX];
	int64_t trouble_ms; /* wall */
	char told[OAUTH_REMEDY_MAX];
	unsigned failures; /* in a row */
	int64_t retry_at;  /* monotonic: nothing is asked before */
};

struct oauth_keeper {
	struct net_loop *loop;
	struct oauth_keeper_settings settings;
	char *directory;
	struct https_client *https;
	struct mailbox from_workers;
	uv_async_t *wake;
	uv_fs_event_t *watch; /* or NULL: then the looks each minute must do */
	struct net_timer look_timer;
	struct list entries, leaving;
	bool stopping, told_stopped;
};

struct oauth_entry *oauth_entry_create(
    struct oauth_keeper *keeper, struct oauth_account *account); /* references the account */
void oauth_entry_destroy(struct oauth_entry **entry);

/* Does the next thing that is due, or sets the timer for it. Never calls back. May free an entry
   that is leaving. */
void oauth_entry_advance(struct oauth_entry *entry);
void oauth_entry_take_work(struct oauth_entry *entry, struct oauth_work *work);

bool oauth_entry_is_valid(const struct oauth_entry *entry);

#endif
