/* SPDX-License-Identifier: MIT */
#include "account/census.h"

#include "base/map.h"
#include "base/memory.h"
#include "net/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* The maps hold plain numbers in the place of pointers; a count of 0 is no entry. */
struct account_census {
	pthread_mutex_t lock;
	struct map *listeners, *addresses;
	struct account_census_totals totals; /* addresses is counted by its map */
};

static bool is_whole(const struct in6_addr *in6)
{
	return IN6_IS_ADDR_V4MAPPED(in6) || IN6_IS_ADDR_LOOPBACK(in6);
}

struct account_address account_address_of(const struct sockaddr *peer)
{
	struct account_address address = { { 0 } };
	if (peer->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)peer;
		memset(address.bytes + 10, 0xff, 2);
		memcpy(address.bytes + 12, &in->sin_addr, 4);
	} else if (peer->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)peer;
		memcpy(address.bytes, &in6->sin6_addr, is_whole(&in6->sin6_addr) ? 16 : 8);
	}
	return address;
}

const char *account_address_format(
    const struct account_address *address, char out[ACCOUNT_ADDRESS_TEXT_MAX])
{
	char text[INET6_ADDRSTRLEN] = "unknown";
	struct in6_addr in6;
	memcpy(&in6, address->bytes, sizeof(in6));
	bool mapped = IN6_IS_ADDR_V4MAPPED(&in6), none = account_address_is_none(address);
	if (!none)
		inet_ntop(mapped ? AF_INET : AF_INET6, address->bytes + (mapped ? 12 : 0), text,
		    sizeof(text));
	snprintf(out, ACCOUNT_ADDRESS_TEXT_MAX, "%s%s", text, none || is_whole(&in6) ? "" : "/64");
	return out;
}

bool account_address_parse(struct span text, struct account_address *address_out)
{
	struct net_address parsed;
	bool is_network = span_ends_with_nocase(text, SPAN("/64"));
	if (is_network)
		text.len -= strlen("/64");
	if (!net_address_parse(text, 0, &parsed) ||
	    (is_network && parsed.any.sa_family != AF_INET6))
		return false;
	*address_out = account_address_of(&parsed.any);
	return true;
}

struct account_census *account_census_create(void)
{
	struct account_census *census = MEM_NEW(struct account_census);
	pthread_mutex_init(&census->lock, NULL);
	census->listeners = map_create();
	census->addresses = map_create();
	return census;
}

void account_census_destroy(struct account_census **census_pointer)
{
	struct account_census *census = *census_pointer;
	*census_pointer = NULL;
	if (census == NULL)
		return;
	map_destroy(&census->listeners, NULL);
	map_destroy(&census->addresses, NULL);
	pthread_mutex_destroy(&census->lock);
	mem_free(census);
}

static struct span key_of(const struct account_address *address)
{
	return span_of(address->bytes, sizeof(address->bytes));
}

bool account_address_is_none(const struct account_address *address)
{
	static const struct account_address none;
	return memcmp(address, &none, sizeof(none)) == 0;
}

static size_t count_of(const struct map *counts, struct span key)
{
	return (size_t)(uintptr_t)map_get(counts, key);
}

static void count_set(struct map *counts, struct span key, size_t count)
{
	if (count == 0)
		map_remove(counts, key);
	else
		map_set(counts, key, (void *)(uintptr_t)count);
}

static enum account_census_result enter(struct account_census *census, struct span listener,
    const struct account_address *address, struct account_census_limits limits)
{
	size_t on_listener = count_of(census->listeners, listener);
	if (limits.listener_max != 0 && on_listener >= limits.listener_max)
		return ACCOUNT_CENSUS_LISTENER_FULL;
	if (!account_address_is_none(address)) {
		size_t of_address = count_of(census->addresses, key_of(address));
		if (limits.address_max != 0 && of_address >= limits.address_max)
			return ACCOUNT_CENSUS_ADDRESS_FULL;
		count_set(census->addresses, key_of(address), of_address + 1);
	}
	count_set(census->listeners, listener, on_listener + 1);
	return ACCOUNT_CENSUS_ENTERED;
}

enum account_census_result account_census_enter(struct account_census *census, struct span listener,
    const struct account_address *address, struct account_census_limits limits)
{
	pthread_mutex_lock(&census->lock);
	enum account_census_result result = enter(census, listener, address, limits);
	if (result == ACCOUNT_CENSUS_ENTERED) {
		census->totals.connections++;
		census->totals.entered++;
	} else {
		census->totals.refused++;
	}
	pthread_mutex_unlock(&census->lock);
	return result;
}

void account_census_leave(
    struct account_census *census, struct span listener, const struct account_address *address)
{
	pthread_mutex_lock(&census->lock);
	size_t on_listener = count_of(census->listeners, listener);
	assert(on_listener > 0 && census->totals.connections > 0);
	count_set(census->listeners, listener, on_listener - 1);
	census->totals.connections--;
	if (!account_address_is_none(address)) {
		size_t of_address = count_of(census->addresses, key_of(address));
		assert(of_address > 0);
		count_set(census->addresses, key_of(address), of_address - 1);
	}
	pthread_mutex_unlock(&census->lock);
}

struct account_census_totals account_census_totals(struct account_census *census)
{
	pthread_mutex_lock(&census->lock);
	struct account_census_totals totals = census->totals;
	totals.addresses = map_count(census->addresses);
	pthread_mutex_unlock(&census->lock);
	return totals;
}

size_t account_census_listener(struct account_census *census, struct span listener)
{
	pthread_mutex_lock(&census->lock);
	size_t count = count_of(census->listeners, listener);
	pthread_mutex_unlock(&census->lock);
	return count;
}

size_t account_census_address(struct account_census *census, const struct account_address *address)
{
	pthread_mutex_lock(&census->lock);
	size_t count =
	    account_address_is_none(address) ? 0 : count_of(census->addresses, key_of(address));
	pthread_mutex_unlock(&census->lock);
	return count;
}
