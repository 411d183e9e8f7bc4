/* SPDX-License-Identifier: MIT */
#include "config/network.h"

#include "config/problem.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { IP_TEXT_MAX = 64 };

/* NUL-terminates text in out; false when it cannot be an address for its length. */
static bool copy_text(struct span text, char out[IP_TEXT_MAX])
{
	if (!text.len || text.len >= IP_TEXT_MAX)
		return false;
	memcpy(out, text.data, text.len);
	out[text.len] = '\0';
	return true;
}

static bool is_v4_mapped(const unsigned char bytes[16])
{
	static const unsigned char prefix[12] = { [10] = 0xff, [11] = 0xff };
	return memcmp(bytes, prefix, sizeof(prefix)) == 0;
}

/* The family, or 0 when text is no address; bytes holds 4 or 16. */
static int parse_bytes(struct span text, unsigned char bytes[16])
{
	char copy[IP_TEXT_MAX];
	memset(bytes, 0, 16);
	if (!copy_text(text, copy))
		return 0;
	if (inet_pton(AF_INET, copy, bytes) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, copy, bytes) == 1 ? AF_INET6 : 0;
}

static socklen_t fill_socket(
    int family, const unsigned char bytes[16], uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, bytes, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, bytes, 16);
	return sizeof(*in6);
}

static struct span without_brackets(struct span text)
{
	if (text.len >= 2 && text.data[0] == '[' && text.data[text.len - 1] == ']')
		return span_of(text.data + 1, text.len - 2);
	return text;
}

bool config_ip_parse(const char *text, struct sockaddr_storage *out, socklen_t *len_out)
{
	unsigned char bytes[16];
	int family = parse_bytes(without_brackets(span_from_string(text)), bytes);
	if (!family)
		return false;
	*len_out = fill_socket(family, bytes, 0, out);
	return true;
}

bool config_port_parse(struct span text, uint16_t *port_out)
{
	uint64_t port;
	if (text.len > 5 || !span_to_u64(text, &port) || port > UINT16_MAX)
		return false;
	*port_out = (uint16_t)port;
	return true;
}

/* ---- sockets to bind ---- */

static bool split_port(struct span text, struct span *host_out, uint16_t *port_out)
{
	size_t colon = text.len;
	while (colon && text.data[colon - 1] != ':')
		colon--;
	if (!colon || !config_port_parse(span_skip(text, colon), port_out))
		return false;
	*host_out = span_head(text, colon - 1);
	return true;
}

static struct config_address make_address(
    const char *text, bool any, int family, const unsigned char bytes[16], uint16_t port)
{
	struct config_address address = { .text = text, .any = any, .port = port };
	address.socket_len = fill_socket(family, bytes, port, &address.socket);
	return address;
}

static bool fail_socket(const char *text, const char *why, struct fault *fault_out)
{
	char shown[CONFIG_SHOWN_MAX];
	fault_set(
	    fault_out, FAULT_LOCAL, "\"%s\" %s", config_shown(span_from_string(text), shown), why);
	return false;
}

bool config_socket_parse(struct config_arena *arena, const char *text, struct config_address out[2],
    size_t *count_out, struct fault *fault_out)
{
	struct span all = span_from_string(text), host;
	unsigned char bytes[16];
	uint16_t port;
	if (parse_bytes(without_brackets(all), bytes) || span_equal(all, SPAN("*")))
		return fail_socket(
		    text, "has no port: write for example *:587 or [::1]:587", fault_out);
	if (!split_port(all, &host, &port))
		return fail_socket(text,
		    "does not end in a port, a number up to 65535: "
		    "write for example *:587 or 127.0.0.1:2525",
		    fault_out);
	const char *copy = config_arena_copy(arena, all);
	if (span_equal(host, SPAN("*"))) {
		memset(bytes, 0, sizeof(bytes));
		out[0] = make_address(copy, true, AF_INET, bytes, port);
		out[1] = make_address(copy, true, AF_INET6, bytes, port);
		*count_out = 2;
		return true;
	}
	int family = parse_bytes(without_brackets(host), bytes);
	if (!family)
		return fail_socket(text,
		    "is neither * nor an IP address with a port: names are not "
		    "taken here; write for example 127.0.0.1:2525",
		    fault_out);
	if ((family == AF_INET6) != (host.data[0] == '['))
		return fail_socket(text,
		    "needs brackets around an IPv6 address, and only there: "
		    "[::1]:25",
		    fault_out);
	out[0] = make_address(copy, false, family, bytes, port);
	*count_out = 1;
	return true;
}

/* ---- networks ---- */

/* Clears the bits behind the prefix; true when there were any. */
static bool clear_host_bits(struct config_network *network)
{
	bool found = false;
	for (unsigned i = 0; i < 16; i++) {
		unsigned first = i * 8;
		unsigned keep = network->prefix_len <= first ? 0 : network->prefix_len - first;
		unsigned char mask = keep >= 8 ? 0xff : (unsigned char)(0xff00u >> keep);
		found = found || (network->bytes[i] & ~mask);
		network->bytes[i] &= mask;
	}
	return found;
}

static void unmap(struct config_network *network)
{
	if (network->family != AF_INET6 || network->prefix_len < 96 ||
	    !is_v4_mapped(network->bytes))
		return;
	memmove(network->bytes, network->bytes + 12, 4);
	memset(network->bytes + 4, 0, 12);
	network->family = AF_INET;
	network->prefix_len -= 96;
}

static void fail_host_bits(
    const char *shown, const struct config_network *network, struct fault *fault_out)
{
	char text[INET6_ADDRSTRLEN];
	inet_ntop(network->family, network->bytes, text, sizeof(text));
	fault_set(fault_out, FAULT_LOCAL,
	    "\"%s\" has bits behind its prefix: write %s/%u for the network, or leave out "
	    "the prefix for the one address",
	    shown, text, network->prefix_len);
}

bool config_network_parse(struct config_arena *arena, const char *text, struct config_network *out,
    struct fault *fault_out)
{
	char shown[CONFIG_SHOWN_MAX];
	struct span all = span_from_string(text);
	config_shown(all, shown);
	size_t slash = span_find(all, '/');
	struct config_network network = { 0 };
	network.family = parse_bytes(without_brackets(span_head(all, slash)), network.bytes);
	if (!network.family) {
		fault_set(fault_out, FAULT_LOCAL,
		    "\"%s\" is not a network: write for example "
		    "192.168.7.0/24, fd00::/8 or 10.1.2.3",
		    shown);
		return false;
	}
	uint64_t bits = network.family == AF_INET ? 32 : 128, len = bits;
	if (slash < all.len && (!span_to_u64(span_skip(all, slash + 1), &len) || len > bits)) {
		fault_set(fault_out, FAULT_LOCAL, "\"%s\" needs a number up to %u behind its slash",
		    shown, (unsigned)bits);
		return false;
	}
	network.prefix_len = (unsigned)len;
	if (clear_host_bits(&network)) {
		fail_host_bits(shown, &network, fault_out);
		return false;
	}
	unmap(&network);
	network.text = config_arena_copy(arena, all);
	*out = network;
	return true;
}
