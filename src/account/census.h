/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_CENSUS_H
#define FRANK_ACCOUNT_CENSUS_H

/*
 * Counts the connections that are open: in all, for each listener, and for each address. Shared by
 * all lanes under one lock, which is held for two lookups and never over I/O. The limits come from
 * the caller's configuration, so a reload needs nothing here. Memory is bounded by the connections
 * that exist: an address without one is forgotten.
 *
 * An IPv6 client is counted by its /64: that is the least a subscriber gets, and a limit for single
 * addresses would be none.
 */

#include "base/span.h"

#include <sys/socket.h>

#define ACCOUNT_ADDRESS_BYTES 16

/* What connections are counted by. All zero (a UNIX socket, an unknown family): no address. */
struct account_address {
	unsigned char bytes[ACCOUNT_ADDRESS_BYTES];
};

struct account_address account_address_of(const struct sockaddr *peer);
bool account_address_is_none(const struct account_address *address);

#define ACCOUNT_ADDRESS_TEXT_MAX 64
/* "192.0.2.1", "2001:db8:1:2::/64", "unknown". Returns out. */
const char *account_address_format(
    const struct account_address *address, char out[ACCOUNT_ADDRESS_TEXT_MAX]);
/* What that gives, and any single address; false for everything else. */
bool account_address_parse(struct span text, struct account_address *address_out);

struct account_census;

struct account_census_limits {
	size_t listener_max; /* connections of this listener; 0: no limit */
	size_t address_max;  /* connections of this address, anywhere; 0: no limit */
};

enum account_census_result {
	ACCOUNT_CENSUS_ENTERED,
	ACCOUNT_CENSUS_LISTENER_FULL, /* 421 4.3.2 */
	ACCOUNT_CENSUS_ADDRESS_FULL,  /* 421 4.7.0 */
};

struct account_census *account_census_create(void);
void account_census_destroy(struct account_census **census);

/* Counts a connection, unless a limit is reached. listener is its name in the configuration. */
enum account_census_result account_census_enter(struct account_census *census, struct span listener,
    const struct account_address *address, struct account_census_limits limits);
/* Takes back one ENTERED, with the same listener and address. */
void account_census_leave(
    struct account_census *census, struct span listener, const struct account_address *address);

struct account_census_totals {
	size_t connections;
	size_t addresses;          /* different ones that are connected now */
	uint64_t entered, refused; /* since the start */
};
struct account_census_totals account_census_totals(struct account_census *census);
size_t account_census_listener(struct account_census *census, struct span listener);
size_t account_census_address(struct account_census *census, const struct account_address *address);

#endif
