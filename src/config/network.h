/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_NETWORK_H
#define FRANK_CONFIG_NETWORK_H

/*
 * Numeric addresses in a configuration: sockets to bind, addresses to connect from, networks in
 * CIDR form (RFC 4632; RFC 4291, 2.3). Names are not taken: nothing here may ask a resolver.
 */

#include "base/fault.h"
#include "config/arena.h"
#include "config/config.h"

/* "*:25", "[::1]:25", "127.0.0.1:2525". Fills one address, or two for "*"; count_out says which. */
bool config_socket_parse(struct config_arena *arena, const char *text, struct config_address out[2],
    size_t *count_out, struct fault *fault_out);

/* "192.0.2.1", "2001:db8::1" or "[2001:db8::1]", with port 0. */
bool config_ip_parse(const char *text, struct sockaddr_storage *out, socklen_t *len_out);

/* "10.0.0.0/8", "fd00::/8", or an address alone for itself. Bits behind the prefix must be 0. */
bool config_network_parse(struct config_arena *arena, const char *text, struct config_network *out,
    struct fault *fault_out);

/* Digits only, at most 65535. */
bool config_port_parse(struct span text, uint16_t *port_out);

#endif
