/* SPDX-License-Identifier: MIT */

/* The PROXY header: no input is taken twice or beyond its end, no prefix of what is taken is
   refused or taken, and a client that is named is one of an address family. */

#include "net/proxy.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_prefixes(struct span whole, size_t taken)
{
	for (size_t len = 0; len < taken; len++) {
		struct span prefix = span_head(whole, len), left = prefix;
		struct net_proxy proxy;
		const char *why = NULL;

		assert(net_proxy_take(&left, &proxy, &why) == NET_PROXY_NEED_MORE);
		assert(left.data == prefix.data && left.len == prefix.len && !why);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span whole = span_of((const char *)data, size), left = whole;
	struct net_proxy proxy = { 0 };
	char text[NET_ADDRESS_TEXT_MAX];
	const char *why = NULL;

	switch (net_proxy_take(&left, &proxy, &why)) {
	case NET_PROXY_TAKEN:
		assert(left.len < size && size - left.len <= NET_PROXY_V2_MAX);
		check_prefixes(whole, size - left.len);
		assert(proxy.speaks_for_itself || proxy.client.any.sa_family == AF_INET ||
		       proxy.client.any.sa_family == AF_INET6);
		if (!proxy.speaks_for_itself)
			assert(*net_address_format(&proxy.client, text));
		break;
	case NET_PROXY_NEED_MORE:
		assert(left.len == size && size < NET_PROXY_V2_MAX);
		break;
	case NET_PROXY_MALFORMED:
		assert(why && left.len == size);
		break;
	}
	return 0;
}
