/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_BANS_H
#define FRANK_ACCOUNT_BANS_H

/*
 * Who may not sign in for a while, or not even connect. Failures are counted for an address *and* a
 * login, and for the address with whatever login: the first ban the two together, so that one
 * forgotten telephone locks out nobody else, the second ban the address. Each further ban of the
 * same is twice as long as the one before; a day after the last has ended it begins anew. An
 * address from which somebody has signed in within a day is not banned by failures. IPv6 clients
 * are counted by their /64 (account/census.h).
 *
 * Shared by all lanes and control under one lock, which is held for a few lookups and never over
 * I/O. The policy comes from the caller, so a reload needs nothing here. At most
 * ACCOUNT_BANS_MAX entries are known: then the one that was not used for longest is forgotten, of
 * those that are not banned first. Times are wall milliseconds: bans outlive a restart
 * (account/bans_file.h), counts do not.
 */

#include "account/census.h"

#define ACCOUNT_BANS_MAX 65536
#define ACCOUNT_BANS_LOGIN_MAX 255 /* bytes of a login that are looked at */
#define ACCOUNT_BANS_FOR_EVER INT64_MAX

struct account_bans;

struct account_ban_policy {
	bool automatic;                      /* failures lead to bans */
	unsigned failures, address_failures; /* so many within window_ms */
	int64_t window_ms, first_ms, max_ms;
};

/* One ban, as it is shown, written and read. */
struct account_ban {
	struct account_address address;
	char login[ACCOUNT_BANS_LOGIN_MAX]; /* any bytes */
	size_t login_len;                   /* 0: the address, whatever the login */
	int64_t since_ms, until_ms;
	unsigned failures; /* that led to it; 0: an operator's */
	unsigned times;    /* how often in a row, this one included */
};

struct account_bans *account_bans_create(size_t entries_max);
void account_bans_destroy(struct account_bans **bans);

/* Whether the address is banned; whether it is together with the login. */
bool account_bans_address(
    struct account_bans *bans, const struct account_address *address, int64_t now_ms);
bool account_bans_login(struct account_bans *bans, const struct account_address *address,
    struct span login, int64_t now_ms);

/* What came of a failure. */
struct account_bans_outcome {
	unsigned address_failures;                 /* within the window, this one included */
	bool login_banned, address_banned;         /* just now */
	struct account_ban login_ban, address_ban; /* then */
};
void account_bans_failed(struct account_bans *bans, const struct account_ban_policy *policy,
    const struct account_address *address, struct span login, int64_t now_ms,
    struct account_bans_outcome *outcome_out);
/* The login's failures from there are forgiven. */
void account_bans_succeeded(struct account_bans *bans, const struct account_address *address,
    struct span login, int64_t now_ms);

/* An operator's, or one that was kept in a file. Replaces what is there. */
void account_bans_add(struct account_bans *bans, const struct account_ban *ban);
/* Ends bans, and forgets what led to them. login.data NULL: all of that address. Returns how many
   were in force. */
size_t account_bans_remove(struct account_bans *bans, const struct account_address *address,
    struct span login, int64_t now_ms);

/* Those in force, on the heap and the caller's to free; also, for the file, those that have ended
   and still make the next one longer. */
struct account_ban *account_bans_list(
    struct account_bans *bans, int64_t now_ms, bool ended_too, size_t *count_out);

/* Grows with each change of what account_bans_list() gives. */
uint64_t account_bans_changes(struct account_bans *bans);

#endif
