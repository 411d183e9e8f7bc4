/* SPDX-License-Identifier: MIT */
#ifndef FRANK_NET_PROXY_H
#define FRANK_NET_PROXY_H

/*
 * The header that a proxy puts before everything else on a connection, to say for whom it speaks:
 * the PROXY protocol, versions 1 (a line of text) and 2 (binary, with TLVs), as haproxy's
 * proxy-protocol.txt has it. Pure: the caller knows from whom such a header is believed, and there
 * it must be: whether a connection has one is never guessed.
 *
 * Only what fits the letter of the document is taken. Of the TLVs the form is checked, and the
 * checksum where there is one; what they say is not used.
 */

#include "net/address.h"

#define NET_PROXY_V1_MAX 107  /* a line with its CRLF */
#define NET_PROXY_V2_MAX 4096 /* header, addresses and TLVs */

enum net_proxy_result {
	NET_PROXY_TAKEN,
	NET_PROXY_NEED_MORE,
	NET_PROXY_MALFORMED, /* or too long; close the connection */
};

struct net_proxy {
	bool speaks_for_itself; /* LOCAL, UNKNOWN, UNSPEC, a unix socket: client is not set */
	struct net_address client;
};

/* Takes the header off *input. Unless TAKEN, *input and *proxy_out are left alone; MALFORMED sets
 *why_out, to end a sentence with: "the port is no number". */
enum net_proxy_result net_proxy_take(
    struct span *input, struct net_proxy *proxy_out, const char **why_out);

#endif
