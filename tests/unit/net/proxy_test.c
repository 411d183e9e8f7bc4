/* SPDX-License-Identifier: MIT */
#include "net/proxy.h"

#include "base/memory.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2_INET SIGNATURE "\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\x9c\x40\0\x19"

#define BYTES(literal)                                                                             \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

static const struct proxy_case {
	const char *name;
	struct span input;
	const char *client; /* NULL: refused; "": it speaks for itself */
	size_t left;
} cases[] = {
	{ "TCP4", BYTES("PROXY TCP4 192.0.2.7 127.0.0.1 40000 25\r\nEHLO"), "192.0.2.7:40000", 4 },
	{ "TCP6", BYTES("PROXY TCP6 2001:db8::7 ::1 1 65535\r\n"), "[2001:db8::7]:1", 0 },
	{ "a mapped address is IPv4", BYTES("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"),
	    "192.0.2.7:1", 0 },
	{ "UNKNOWN", BYTES("PROXY UNKNOWN\r\n"), "", 0 },
	{ "UNKNOWN with words behind it", BYTES("PROXY UNKNOWN ffff:: x y\r\n"), "", 0 },
	{ "UNKNOWNS", BYTES("PROXY UNKNOWNS\r\n"), NULL, 0 },
	{ "another transport", BYTES("PROXY UDP4 192.0.2.7 127.0.0.1 1 2\r\n"), NULL, 0 },
	{ "IPv6 in TCP4", BYTES("PROXY TCP4 2001:db8::7 ::1 1 2\r\n"), NULL, 0 },
	{ "IPv4 in TCP6", BYTES("PROXY TCP6 192.0.2.7 ::1 1 2\r\n"), NULL, 0 },
	{ "a name", BYTES("PROXY TCP4 localhost 127.0.0.1 1 2\r\n"), NULL, 0 },
	{ "a scope", BYTES("PROXY TCP6 fe80::1%lo ::1 1 2\r\n"), NULL, 0 },
	{ "brackets", BYTES("PROXY TCP6 [2001:db8::7] ::1 1 2\r\n"), NULL, 0 },
	{ "a port too high", BYTES("PROXY TCP4 192.0.2.7 127.0.0.1 65536 2\r\n"), NULL, 0 },
	{ "a port with a sign", BYTES("PROXY TCP4 192.0.2.7 127.0.0.1 +1 2\r\n"), NULL, 0 },
	{ "a port with a zero before it", BYTES("PROXY TCP4 192.0.2.7 127.0.0.1 01 2\r\n"), NULL,
	    0 },
	{ "no port", BYTES("PROXY TCP4 192.0.2.7 127.0.0.1 1\r\n"), NULL, 0 },
	{ "a word too many", BYTES("PROXY TCP4 192.0.2.7 127.0.0.1 1 2 3\r\n"), NULL, 0 },
	{ "two blanks", BYTES("PROXY TCP4  192.0.2.7 127.0.0.1 1 2\r\n"), NULL, 0 },
	{ "a bare LF", BYTES("PROXY TCP4 192.0.2.7 127.0.0.1 1 2\nEHLO x\r\n"), NULL, 0 },
	{ "a small letter", BYTES("proxy TCP4 192.0.2.7 127.0.0.1 1 2\r\n"), NULL, 0 },
	{ "SMTP", BYTES("EHLO x\r\n"), NULL, 0 },
	{ "TLS", BYTES("\x16\x03\x01"), NULL, 0 },
	{ "a line without end",
	    BYTES("PROXY UNKNOWN xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
	    NULL, 0 },
	{ "version 2", BYTES(V2_INET "EHLO"), "192.0.2.7:40000", 4 },
	{ "version 2, IPv6",
	    BYTES(SIGNATURE "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
			    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x01\0\x19"),
	    "[2001:db8::7]:1", 0 },
	{ "LOCAL", BYTES(SIGNATURE "\x20\0\0\0"), "", 0 },
	{ "LOCAL with what must be skipped", BYTES(SIGNATURE "\x20\x11\0\x02xx!"), "", 1 },
	{ "UNSPEC", BYTES(SIGNATURE "\x21\0\0\0"), "", 0 },
	{ "a TLV",
	    BYTES(SIGNATURE "\x21\x11\0\x10\xc0\0\x02\x07\x7f\0\0\x01\0\x01\0\x19\x01\0\x01h"),
	    "192.0.2.7:1", 0 },
	{ "a TLV that is cut",
	    BYTES(SIGNATURE "\x21\x11\0\x0e\xc0\0\x02\x07\x7f\0\0\x01\0\x01\0\x19\x01\0"), NULL,
	    0 },
	{ "a TLV that is too long",
	    BYTES(SIGNATURE "\x21\x11\0\x10\xc0\0\x02\x07\x7f\0\0\x01\0\x01\0\x19\x01\0\x02h"),
	    NULL, 0 },
	{ "a wrong checksum",
	    BYTES(SIGNATURE "\x21\x11\0\x13\xc0\0\x02\x07\x7f\0\0\x01\0\x01\0\x19\x03\0\x04"
			    "abcd"),
	    NULL, 0 },
	{ "addresses that are cut",
	    BYTES(SIGNATURE "\x21\x11\0\x0b\xc0\0\x02\x07\x7f\0\0\x01\0\x01\0"), NULL, 0 },
	{ "a datagram", BYTES(SIGNATURE "\x21\x12\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\0\x01\0\x19"),
	    NULL, 0 },
	{ "a family that is none", BYTES(SIGNATURE "\x21\x41\0\0"), NULL, 0 },
	{ "version 3", BYTES(SIGNATURE "\x31\x11\0\0"), NULL, 0 },
	{ "a command that is none", BYTES(SIGNATURE "\x22\x11\0\0"), NULL, 0 },
	{ "more than is ever read", BYTES(SIGNATURE "\x21\x11\x10\0"), NULL, 0 },
};

static void check_case(const struct proxy_case *c)
{
	struct span left = c->input;
	struct net_proxy proxy = { 0 };
	char text[NET_ADDRESS_TEXT_MAX];
	const char *why = NULL;
	enum net_proxy_result result = net_proxy_take(&left, &proxy, &why);

	if (!c->client) {
		if (result != NET_PROXY_MALFORMED)
			fail_msg("%s: taken", c->name);
		assert_non_null(why);
		assert_int_equal(left.len, c->input.len);
		return;
	}
	if (result != NET_PROXY_TAKEN)
		fail_msg("%s: %s", c->name, why ? why : "more is wanted");
	assert_int_equal(left.len, c->left);
	assert_int_equal(proxy.speaks_for_itself, c->client[0] == '\0');
	if (c->client[0] != '\0')
		assert_string_equal(net_address_format(&proxy.client, text), c->client);
}

/* Every prefix wants more, or is refused as the whole is. */
static void check_prefixes(const struct proxy_case *c)
{
	for (size_t len = 0; len < c->input.len - c->left; len++) {
		struct span prefix = span_head(c->input, len), left = prefix;
		struct net_proxy proxy;
		const char *why = NULL;
		enum net_proxy_result result = net_proxy_take(&left, &proxy, &why);
		if (result == NET_PROXY_TAKEN || (c->client && result == NET_PROXY_MALFORMED))
			fail_msg("%s: the first %zu bytes", c->name, len);
		assert_int_equal(left.len, len);
	}
}

static void headers_are_taken_to_the_letter(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		check_case(&cases[i]);
		check_prefixes(&cases[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_taken_to_the_letter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
