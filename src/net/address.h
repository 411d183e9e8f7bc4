/* SPDX-License-Identifier: MIT */
#ifndef FRANK_NET_ADDRESS_H
#define FRANK_NET_ADDRESS_H

/*
 * One end of a connection: an IPv4 or IPv6 address with a port, or the path of a unix socket. An
 * IPv4 address that arrives mapped into IPv6 (::ffff:192.0.2.1, RFC 4291, 2.5.5.2) is turned into
 * plain IPv4 on entry, so that networks, bans and logs know one form only.
 */

#include "base/span.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct net_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
		struct sockaddr_storage storage; /* for what takes any of them */
	};
	socklen_t len; /* 0: no address */
};

#define NET_ADDRESS_TEXT_MAX 128

/* From the system's form; IPv4-mapped is unmapped. An unknown family gives no address (len 0). */
void net_address_set(struct net_address *address, const struct sockaddr *from, socklen_t len);

/* A numeric host: "192.0.2.1", "2001:db8::1", "fe80::1%eth0", with or without brackets. False for
   anything else, names included. */
bool net_address_parse(struct span host, uint16_t port, struct net_address *address_out);

/* False when the path is empty, holds a NUL or is longer than a sockaddr_un takes. */
bool net_address_from_path(struct span path, struct net_address *address_out);

/* 127.0.0.0/8, ::1, or a unix socket. */
bool net_address_is_loopback(const struct net_address *address);
bool net_address_equal(const struct net_address *a, const struct net_address *b);
uint16_t net_address_port(const struct net_address *address); /* 0 for a unix socket */
void net_address_set_port(struct net_address *address, uint16_t port);

/* "192.0.2.1:25", "[2001:db8::1]:25", "unix:/run/x", "unknown" for no address. Returns out. */
const char *net_address_format(const struct net_address *address, char out[NET_ADDRESS_TEXT_MAX]);
/* The same without port and brackets: "192.0.2.1", "2001:db8::1", "unix:/run/x". */
const char *net_address_format_host(
    const struct net_address *address, char out[NET_ADDRESS_TEXT_MAX]);

#endif
