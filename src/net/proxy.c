/* SPDX-License-Identifier: MIT */
#include "net/proxy.h"

#include "base/buf.h"
#include "base/crc32c.h"

#include <string.h>

#define V1_PREFIX "PROXY "
#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

enum {
	V2_SIGNATURE_LEN = 12,
	V2_HEADER_LEN = 16,
	COMMAND_LOCAL = 0,
	COMMAND_PROXY = 1,
	FAMILY_UNSPEC = 0,
	FAMILY_INET = 1,
	FAMILY_INET6 = 2,
	FAMILY_UNIX = 3,
	PROTOCOL_STREAM = 1,
	LEN_INET = 12,
	LEN_INET6 = 36,
	LEN_UNIX = 216,
	TLV_CRC32C = 3,
	TLV_HEADER_LEN = 3,
	CRC_LEN = 4,
};

static enum net_proxy_result malformed(const char **why_out, const char *why)
{
	*why_out = why;
	return NET_PROXY_MALFORMED;
}

/* ---- version 1 ---- */

/* No sign, no blank, no needless zero. */
static bool parse_port(struct span text, uint16_t *port_out)
{
	uint64_t port;

	if (text.len == 0 || text.len > 5 || (text.len > 1 && text.data[0] == '0') ||
	    !span_to_u64(text, &port) || port > UINT16_MAX)
		return false;
	*port_out = (uint16_t)port;
	return true;
}

static bool is_numeric_host(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		bool hex = byte_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
		if (!hex && c != '.' && c != ':')
			return false;
	}
	return text.len > 0;
}

static bool parse_host(struct span text, int family, struct net_address *address_out)
{
	bool has_colon = span_find(text, ':') < text.len;

	/* ::ffff:192.0.2.1 becomes IPv4 on parsing; what was written decides. */
	return has_colon == (family == AF_INET6) && is_numeric_host(text) &&
	       net_address_parse(text, 0, address_out);
}

/* "192.0.2.1 198.51.100.7 56324 25": exactly four words, one blank between. */
static enum net_proxy_result parse_v1_addresses(
    struct span text, int family, struct net_proxy *proxy_out, const char **why_out)
{
	struct span words[4];
	struct net_address client, server;
	uint16_t client_port, server_port;
	size_t count = 0;

	while (count < 4 && span_take_until(&text, ' ', &words[count]))
		count++;
	if (count < 4 || text.len > 0)
		return malformed(why_out, "two addresses and two ports are not there");
	if (!parse_host(words[0], family, &client) || !parse_host(words[1], family, &server))
		return malformed(why_out, "an address is none of the family it names");
	if (!parse_port(words[2], &client_port) || !parse_port(words[3], &server_port))
		return malformed(why_out, "a port is no number up to 65535");
	net_address_set_port(&client, client_port);
	*proxy_out = (struct net_proxy){ .client = client };
	return NET_PROXY_TAKEN;
}

static enum net_proxy_result parse_v1_line(
    struct span line, struct net_proxy *proxy_out, const char **why_out)
{
	struct span rest = span_skip(line, strlen(V1_PREFIX)), family;

	if (span_equal(rest, SPAN("UNKNOWN")) || span_starts_with(rest, SPAN("UNKNOWN "))) {
		*proxy_out = (struct net_proxy){ .speaks_for_itself = true };
		return NET_PROXY_TAKEN;
	}
	family = span_head(rest, span_find(rest, ' '));
	rest = span_skip(rest, family.len < rest.len ? family.len + 1 : family.len);
	if (span_equal(family, SPAN("TCP4")))
		return parse_v1_addresses(rest, AF_INET, proxy_out, why_out);
	if (span_equal(family, SPAN("TCP6")))
		return parse_v1_addresses(rest, AF_INET6, proxy_out, why_out);
	return malformed(why_out, "the protocol is none of TCP4, TCP6 and UNKNOWN");
}

static enum net_proxy_result take_v1(
    struct span *input, struct net_proxy *proxy_out, const char **why_out)
{
	size_t looked_at = input->len < NET_PROXY_V1_MAX ? input->len : NET_PROXY_V1_MAX;
	struct span head = span_head(*input, looked_at);
	size_t end = span_find_span(head, SPAN("\r\n"));
	enum net_proxy_result result;

	if (end == head.len)
		return looked_at < NET_PROXY_V1_MAX
			   ? NET_PROXY_NEED_MORE
			   : malformed(why_out, "the line is longer than 107 octets");
	result = parse_v1_line(span_head(head, end), proxy_out, why_out);
	if (result == NET_PROXY_TAKEN)
		*input = span_skip(*input, end + 2);
	return result;
}

/* ---- version 2 ---- */

static unsigned byte_at(struct span bytes, size_t at)
{
	return (unsigned char)bytes.data[at];
}

static unsigned u16_at(struct span bytes, size_t at)
{
	return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1);
}

/* Over the whole header, with zeros in the place of the checksum itself. */
static bool checksum_is_right(struct span header, size_t at)
{
	static const char zeros[CRC_LEN];
	uint32_t crc = crc32c(0, span_head(header, at));
	uint32_t said = (uint32_t)u16_at(header, at) << 16 | u16_at(header, at + 2);

	crc = crc32c(crc, span_of(zeros, CRC_LEN));
	return crc32c(crc, span_skip(header, at + CRC_LEN)) == said;
}

/* at is where they begin in the header, which is whole. */
static enum net_proxy_result check_tlvs(struct span header, size_t at, const char **why_out)
{
	while (at < header.len) {
		size_t len;
		if (header.len - at < TLV_HEADER_LEN)
			return malformed(why_out, "a TLV is cut short");
		len = u16_at(header, at + 1);
		if (header.len - at - TLV_HEADER_LEN < len)
			return malformed(why_out, "a TLV is longer than its header");
		if (byte_at(header, at) == TLV_CRC32C &&
		    (len != CRC_LEN || !checksum_is_right(header, at + TLV_HEADER_LEN)))
			return malformed(why_out, "the checksum is wrong");
		at += TLV_HEADER_LEN + len;
	}
	return NET_PROXY_TAKEN;
}

static void set_client(struct span addresses, unsigned family, struct net_proxy *proxy)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (family == FAMILY_INET) {
		memcpy(&v4.sin_addr, addresses.data, 4);
		memcpy(&v4.sin_port, addresses.data + 8, 2);
		net_address_set(&proxy->client, (struct sockaddr *)&v4, sizeof(v4));
	} else {
		memcpy(&v6.sin6_addr, addresses.data, 16);
		memcpy(&v6.sin6_port, addresses.data + 32, 2);
		net_address_set(&proxy->client, (struct sockaddr *)&v6, sizeof(v6));
	}
}

/* The addresses of the family and what stands behind them. header is whole. */
static enum net_proxy_result take_addresses(
    struct span header, unsigned family, struct net_proxy *proxy, const char **why_out)
{
	static const size_t lens[] = { [FAMILY_UNSPEC] = 0,
		[FAMILY_INET] = LEN_INET,
		[FAMILY_INET6] = LEN_INET6,
		[FAMILY_UNIX] = LEN_UNIX };
	struct span rest = span_skip(header, V2_HEADER_LEN);

	if (family > FAMILY_UNIX)
		return malformed(why_out, "the family of addresses is unknown");
	if (rest.len < lens[family])
		return malformed(why_out, "the addresses are cut short");
	if (family == FAMILY_INET || family == FAMILY_INET6)
		set_client(rest, family, proxy);
	else
		proxy->speaks_for_itself = true;
	return check_tlvs(header, V2_HEADER_LEN + lens[family], why_out);
}

static enum net_proxy_result parse_v2(
    struct span header, struct net_proxy *proxy, const char **why_out)
{
	unsigned version = byte_at(header, 12) >> 4, command = byte_at(header, 12) & 15;
	unsigned family = byte_at(header, 13) >> 4, protocol = byte_at(header, 13) & 15;

	if (version != 2)
		return malformed(why_out, "the version is not 2");
	if (command == COMMAND_LOCAL) {
		/* What follows must be skipped, whatever it is. */
		proxy->speaks_for_itself = true;
		return NET_PROXY_TAKEN;
	}
	if (command != COMMAND_PROXY)
		return malformed(why_out, "the command is neither LOCAL nor PROXY");
	if (family != FAMILY_UNSPEC && protocol != PROTOCOL_STREAM)
		return malformed(why_out, "the transport is no stream");
	return take_addresses(header, family, proxy, why_out);
}

static enum net_proxy_result take_v2(
    struct span *input, struct net_proxy *proxy_out, const char **why_out)
{
	struct net_proxy proxy = { 0 };
	enum net_proxy_result result;
	size_t len;

	if (input->len < V2_HEADER_LEN)
		return NET_PROXY_NEED_MORE;
	len = V2_HEADER_LEN + u16_at(*input, 14);
	if (len > NET_PROXY_V2_MAX)
		return malformed(why_out, "the header is longer than 4096 octets");
	if (input->len < len)
		return NET_PROXY_NEED_MORE;
	result = parse_v2(span_head(*input, len), &proxy, why_out);
	if (result != NET_PROXY_TAKEN)
		return result;
	*proxy_out = proxy;
	*input = span_skip(*input, len);
	return NET_PROXY_TAKEN;
}

/* ---- which ---- */

/* input begins with the prefix, as far as either goes. */
static bool may_begin(struct span input, struct span prefix)
{
	size_t len = input.len < prefix.len ? input.len : prefix.len;

	return span_equal(span_head(input, len), span_head(prefix, len));
}

enum net_proxy_result net_proxy_take(
    struct span *input, struct net_proxy *proxy_out, const char **why_out)
{
	struct span v1 = SPAN(V1_PREFIX), v2 = span_of(V2_SIGNATURE, V2_SIGNATURE_LEN);

	if (may_begin(*input, v1))
		return input->len < v1.len ? NET_PROXY_NEED_MORE
					   : take_v1(input, proxy_out, why_out);
	if (may_begin(*input, v2))
		return take_v2(input, proxy_out, why_out);
	return malformed(why_out, "it does not begin with a PROXY header");
}
