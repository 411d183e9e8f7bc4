/* SPDX-License-Identifier: MIT */
#include "smtp/xclient.h"

#include "base/memory.h"
#include "smtp/notify.h"

static const struct attribute {
	const char *name;
	size_t offset; /* SIZE_MAX: not used */
} attributes[] = {
	{ "ADDR", offsetof(struct smtp_xclient, address) },
	{ "PORT", offsetof(struct smtp_xclient, port) },
	{ "PROTO", offsetof(struct smtp_xclient, protocol) },
	{ "HELO", offsetof(struct smtp_xclient, helo) },
	{ "LOGIN", offsetof(struct smtp_xclient, login) },
	{ "NAME", SIZE_MAX },
	{ "DESTADDR", SIZE_MAX },
	{ "DESTPORT", SIZE_MAX },
};

static bool is_unavailable(struct span value)
{
	return span_equal_nocase(value, SPAN("[UNAVAILABLE]")) ||
	       span_equal_nocase(value, SPAN("[TEMPUNAVAIL]"));
}

/* ADDR says IPv6 with a prefix, as address literals do (RFC 5321, 4.1.3). */
static struct span without_prefix(struct span address)
{
	struct span prefix = SPAN("IPV6:");

	return span_starts_with_nocase(address, prefix) ? span_skip(address, prefix.len) : address;
}

static bool protocol_is_known(struct span protocol)
{
	return protocol.len == 0 || span_equal_nocase(protocol, SPAN("SMTP")) ||
	       span_equal_nocase(protocol, SPAN("ESMTP"));
}

static bool take(struct span word, struct smtp_xclient *xclient)
{
	size_t equals = span_find(word, '=');
	struct span name = span_head(word, equals), value;

	if (equals == word.len)
		return false;
	value = span_skip(word, equals + 1);
	if (is_unavailable(value))
		value.len = 0;
	else if (value.len == 0 || !smtp_xtext_is_valid(value))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
		if (!span_equal_nocase(name, span_from_string(attributes[i].name)))
			continue;
		if (attributes[i].offset != SIZE_MAX)
			*(struct span *)(void *)((char *)xclient + attributes[i].offset) = value;
		return true;
	}
	return false;
}

bool smtp_xclient_parse(
    struct span arguments, struct smtp_xclient *xclient_out, struct span *wrong_out)
{
	struct smtp_xclient xclient = { .address = { NULL, 0 } };
	struct span word = span_of("", 0);
	size_t count = 0;

	for (; span_take_word(&arguments, &word); count++) {
		*wrong_out = word;
		if (!take(word, &xclient) || !protocol_is_known(xclient.protocol))
			return false;
	}
	*wrong_out = span_of("", 0);
	xclient.address = without_prefix(xclient.address);
	if (count > 0)
		*xclient_out = xclient;
	return count > 0;
}
