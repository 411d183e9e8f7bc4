/* SPDX-License-Identifier: MIT */
#include "net/address.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

static void set_v4(struct net_address *address, const void *bytes, in_port_t port)
{
	*address = (struct net_address){ .len = sizeof(address->v4) };
	address->v4.sin_family = AF_INET;
	address->v4.sin_port = port;
	memcpy(&address->v4.sin_addr, bytes, sizeof(address->v4.sin_addr));
}

static void unmap(struct net_address *address)
{
	struct sockaddr_in6 v6 = address->v6;

	if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
		set_v4(address, &v6.sin6_addr.s6_addr[12], v6.sin6_port);
}

static void set_local(struct net_address *address, const struct sockaddr *from, socklen_t len)
{
	const struct sockaddr_un *local = (const struct sockaddr_un *)from;
	size_t room = len - offsetof(struct sockaddr_un, sun_path);

	address->local.sun_family = AF_UNIX;
	memcpy(address->local.sun_path, local->sun_path, strnlen(local->sun_path, room));
	address->len = sizeof(address->local);
}

void net_address_set(struct net_address *address, const struct sockaddr *from, socklen_t len)
{
	*address = (struct net_address){ .len = 0 };
	if (len < sizeof(sa_family_t))
		return;
	if (from->sa_family == AF_INET && len >= sizeof(address->v4)) {
		memcpy(&address->v4, from, sizeof(address->v4));
		address->len = sizeof(address->v4);
	} else if (from->sa_family == AF_INET6 && len >= sizeof(address->v6)) {
		memcpy(&address->v6, from, sizeof(address->v6));
		address->len = sizeof(address->v6);
		unmap(address);
	} else if (from->sa_family == AF_UNIX && len <= sizeof(address->local)) {
		set_local(address, from, len);
	}
}

static bool parse_v6(char *text, struct net_address *address)
{
	char *zone = strchr(text, '%');

	if (zone) {
		*zone++ = '\0';
		address->v6.sin6_scope_id = if_nametoindex(zone);
		if (address->v6.sin6_scope_id == 0)
			return false;
	}
	address->v6.sin6_family = AF_INET6;
	address->len = sizeof(address->v6);
	return inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1;
}

bool net_address_parse(struct span host, uint16_t port, struct net_address *address_out)
{
	struct net_address address = { .len = 0 };
	char text[NET_ADDRESS_TEXT_MAX];
	struct in_addr v4;
	bool brackets = host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';

	if (brackets)
		host = span_of(host.data + 1, host.len - 2);
	if (host.len == 0 || host.len >= sizeof(text) || memchr(host.data, '\0', host.len))
		return false;
	memcpy(text, host.data, host.len);
	text[host.len] = '\0';
	if (!brackets && inet_pton(AF_INET, text, &v4) == 1) {
		set_v4(&address, &v4, 0);
	} else {
		if (!parse_v6(text, &address))
			return false;
		unmap(&address);
	}
	net_address_set_port(&address, port);
	*address_out = address;
	return true;
}

bool net_address_from_path(struct span path, struct net_address *address_out)
{
	struct net_address address = { .len = sizeof(address.local) };

	if (path.len == 0 || path.len >= sizeof(address.local.sun_path))
		return false;
	if (memchr(path.data, '\0', path.len))
		return false;
	address.local.sun_family = AF_UNIX;
	memcpy(address.local.sun_path, path.data, path.len);
	*address_out = address;
	return true;
}

bool net_address_is_loopback(const struct net_address *address)
{
	if (address->len == 0)
		return false;
	if (address->any.sa_family == AF_INET)
		return (ntohl(address->v4.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
	if (address->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
	return true;
}

bool net_address_equal(const struct net_address *a, const struct net_address *b)
{
	if (a->len != b->len)
		return false;
	if (a->len == 0)
		return true;
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_port == b->v4.sin_port &&
		       a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	if (a->any.sa_family == AF_INET6)
		return a->v6.sin6_port == b->v6.sin6_port &&
		       a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
		       IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr);
	return strncmp(a->local.sun_path, b->local.sun_path, sizeof(a->local.sun_path)) == 0;
}

uint16_t net_address_port(const struct net_address *address)
{
	if (address->len && address->any.sa_family == AF_INET)
		return ntohs(address->v4.sin_port);
	if (address->len && address->any.sa_family == AF_INET6)
		return ntohs(address->v6.sin6_port);
	return 0;
}

void net_address_set_port(struct net_address *address, uint16_t port)
{
	if (address->len && address->any.sa_family == AF_INET)
		address->v4.sin_port = htons(port);
	else if (address->len && address->any.sa_family == AF_INET6)
		address->v6.sin6_port = htons(port);
}

static void append_zone(const struct net_address *address, char out[NET_ADDRESS_TEXT_MAX])
{
	char name[IF_NAMESIZE];
	size_t len = strlen(out);

	if (address->v6.sin6_scope_id && if_indextoname(address->v6.sin6_scope_id, name))
		snprintf(out + len, NET_ADDRESS_TEXT_MAX - len, "%%%s", name);
}

const char *net_address_format_host(
    const struct net_address *address, char out[NET_ADDRESS_TEXT_MAX])
{
	snprintf(out, NET_ADDRESS_TEXT_MAX, "unknown");
	if (address->len == 0)
		return out;
	if (address->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address->v4.sin_addr, out, NET_ADDRESS_TEXT_MAX);
	} else if (address->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address->v6.sin6_addr, out, NET_ADDRESS_TEXT_MAX);
		append_zone(address, out);
	} else if (address->any.sa_family == AF_UNIX) {
		snprintf(out, NET_ADDRESS_TEXT_MAX, "unix:%.*s",
		    (int)sizeof(address->local.sun_path), address->local.sun_path);
	}
	return out;
}

const char *net_address_format(const struct net_address *address, char out[NET_ADDRESS_TEXT_MAX])
{
	char host[NET_ADDRESS_TEXT_MAX];
	bool v6 = address->len && address->any.sa_family == AF_INET6;
	bool v4 = address->len && address->any.sa_family == AF_INET;

	net_address_format_host(address, host);
	if (v4 || v6)
		snprintf(out, NET_ADDRESS_TEXT_MAX, v6 ? "[%.70s]:%u" : "%.70s:%u", host,
		    (unsigned)net_address_port(address));
	else
		memcpy(out, host, sizeof(host));
	return out;
}
