/* SPDX-License-Identifier: MIT */
#include "smtp/address.h"

#include "smtp/domain.h"

/* RFC 5322, 3.2.3: atext. What is printable and has no meaning of its own; with SMTPUTF8 every
   letter outside ASCII (RFC 6531, 3.3). Whether such letters may stand here was decided before. */
static bool is_atext(char c)
{
	switch (c) {
	case '"':
	case '(':
	case ')':
	case ',':
	case '.':
	case ':':
	case ';':
	case '<':
	case '>':
	case '@':
	case '[':
	case '\\':
	case ']':
		return false;
	default:
		return (c > ' ' && c <= '~') || (unsigned char)c > 127;
	}
}

/* Letters, digits and hyphens; the underscore is in no host name and in many that work. */
static bool is_label_byte(char c)
{
	return byte_is_alpha(c) || byte_is_digit(c) || c == '-' || c == '_';
}

static bool is_dot_atom(struct span s)
{
	char before = '.';

	for (size_t i = 0; i < s.len; i++) {
		bool dot_is_right = s.data[i] == '.' && before != '.';

		if (!is_atext(s.data[i]) && !dot_is_right)
			return false;
		before = s.data[i];
	}
	return before != '.';
}

/* RFC 5321, 4.1.2: Domain = sub-domain *("." sub-domain). A dot at the end is not part of it. */
static bool is_ascii_domain(struct span s)
{
	struct span label;

	if (s.len == 0 || s.data[s.len - 1] == '.')
		return false;
	while (span_take_until(&s, '.', &label)) {
		if (label.len == 0 || label.len > 63)
			return false;
		if (label.data[0] == '-' || label.data[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++) {
			if (!is_label_byte(label.data[i]))
				return false;
		}
	}
	return true;
}

/* One with other letters is what its form in ASCII is. */
static bool is_domain(struct span s)
{
	struct buf ascii;
	bool good;

	if (smtp_text_is_ascii(s))
		return is_ascii_domain(s);
	buf_init(&ascii, SMTP_DOMAIN_MAX);
	good = smtp_domain_append_ascii(&ascii, s) && is_ascii_domain(buf_span(&ascii));
	buf_fini(&ascii);
	return good;
}

static bool is_ipv4(struct span s)
{
	unsigned parts = 0;
	uint64_t value;
	struct span part;

	if (s.len == 0 || s.data[s.len - 1] == '.')
		return false;
	while (span_take_until(&s, '.', &part)) {
		if (part.len > 3 || !span_to_u64(part, &value) || value > 255)
			return false;
		parts++;
	}
	return parts == 4;
}

static bool is_hex_group(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = byte_to_lower(s.data[i]);

		if (!byte_is_digit(c) && !(c >= 'a' && c <= 'f'))
			return false;
	}
	return s.len > 0 && s.len <= 4;
}

/* How many of an IPv6 address's eight groups s holds, separated by single colons; the last ones may
   be an IPv4 address. Nothing is no group; 9 stands for what is wrong. */
static unsigned count_groups(struct span s, bool ipv4_may_end)
{
	unsigned groups = 0;
	struct span group;

	if (s.len > 0 && s.data[s.len - 1] == ':')
		return 9;
	while (groups < 9 && span_take_until(&s, ':', &group)) {
		if (ipv4_may_end && s.len == 0 && is_ipv4(group))
			return groups + 2;
		groups = is_hex_group(group) ? groups + 1 : 9;
	}
	return groups;
}

/* RFC 5321, 4.1.3: IPv6-full and the rest. "::" stands for two groups at least. */
static bool is_ipv6(struct span s)
{
	size_t gap = span_find_span(s, SPAN("::"));

	if (gap == s.len)
		return count_groups(s, true) == 8;
	return count_groups(span_head(s, gap), false) + count_groups(span_skip(s, gap + 2), true) <=
	       6;
}

/* RFC 5321, 4.1.3: dcontent, printable but for brackets and backslash, behind a tag. */
static bool is_general_literal(struct span s)
{
	size_t colon = span_find(s, ':');

	if (colon == 0 || colon + 1 >= s.len)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];

		if (i < colon ? !is_label_byte(c) : c <= ' ' || c > '~' || c == '[' || c == '\\')
			return false;
	}
	return s.data[colon - 1] != '-';
}

/* s begins with "[". */
static bool is_literal(struct span s)
{
	struct span inner;

	if (s.len < 3 || s.data[s.len - 1] != ']')
		return false;
	inner = span_head(span_skip(s, 1), s.len - 2);
	if (span_find(inner, ']') < inner.len)
		return false;
	if (span_starts_with_nocase(inner, SPAN("IPv6:")))
		return is_ipv6(span_skip(inner, 5));
	return is_ipv4(inner) || is_general_literal(inner);
}

/* The length of the quoted string at the front of s, with its quotes; 0 when it does not end. */
static size_t quoted_extent(struct span s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.data[i] == '\\')
			i++;
		else if (s.data[i] == '"')
			return i + 1;
	}
	return 0;
}

static enum smtp_address_flaw check_bytes(struct span s)
{
	enum smtp_address_flaw flaw = SMTP_ADDRESS_VALID;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c < 32 || c == 127)
			return SMTP_ADDRESS_BAD_BYTE;
		if (c > 127)
			flaw = SMTP_ADDRESS_EIGHT_BIT;
	}
	return flaw;
}

/* Drops "@one.example,@two.example:" from the front (RFC 5321, appendix C). */
static bool skip_route(struct span *s)
{
	size_t colon = span_find(*s, ':');
	struct span route = span_head(*s, colon), hop;

	if (colon == s->len)
		return false;
	while (span_take_until(&route, ',', &hop)) {
		if (hop.len < 2 || hop.data[0] != '@' || !is_domain(span_skip(hop, 1)))
			return false;
	}
	*s = span_skip(*s, colon + 1);
	return true;
}

/* Splits at the @ that ends the local part; there need not be one. */
static bool split_local(struct span mailbox, struct smtp_address *address)
{
	size_t len;

	address->is_quoted = mailbox.len > 0 && mailbox.data[0] == '"';
	len = address->is_quoted ? quoted_extent(mailbox) : span_find(mailbox, '@');
	if (len == 0 || (len < mailbox.len && mailbox.data[len] != '@'))
		return false;
	address->mailbox = mailbox;
	address->local = span_head(mailbox, len);
	address->domain = span_skip(mailbox, len);
	return address->is_quoted || is_dot_atom(address->local);
}

/* address->domain still has its @, or is empty. */
static enum smtp_address_flaw check_domain(struct smtp_address *address)
{
	if (address->domain.len == 0)
		return SMTP_ADDRESS_VALID;
	address->domain = span_skip(address->domain, 1);
	if (address->domain.len > SMTP_DOMAIN_MAX)
		return SMTP_ADDRESS_DOMAIN_TOO_LONG;
	address->is_literal = address->domain.len > 0 && address->domain.data[0] == '[';
	if (address->is_literal)
		return is_literal(address->domain) ? SMTP_ADDRESS_VALID : SMTP_ADDRESS_BAD_LITERAL;
	return is_domain(address->domain) ? SMTP_ADDRESS_VALID : SMTP_ADDRESS_BAD_DOMAIN;
}

static enum smtp_address_flaw parse(struct span text, bool utf8, struct smtp_address *address_out)
{
	struct smtp_address address = { 0 };
	enum smtp_address_flaw flaw = check_bytes(text);

	if (text.len == 0)
		return SMTP_ADDRESS_EMPTY;
	if (flaw == SMTP_ADDRESS_EIGHT_BIT && utf8) {
		address.is_eight_bit = true;
		flaw = smtp_text_is_utf8(text) ? SMTP_ADDRESS_VALID : SMTP_ADDRESS_BAD_BYTE;
	}
	if (flaw != SMTP_ADDRESS_VALID)
		return flaw;
	if (text.data[0] == '@' && !skip_route(&text))
		return SMTP_ADDRESS_BAD_ROUTE;
	if (!split_local(text, &address))
		return SMTP_ADDRESS_BAD_LOCAL;
	if (address.local.len > SMTP_LOCAL_PART_MAX)
		return SMTP_ADDRESS_LOCAL_TOO_LONG;
	flaw = check_domain(&address);
	if (flaw != SMTP_ADDRESS_VALID)
		return flaw;
	if (text.len > SMTP_MAILBOX_MAX)
		return SMTP_ADDRESS_TOO_LONG;
	*address_out = address;
	return SMTP_ADDRESS_VALID;
}

enum smtp_address_flaw smtp_address_parse(struct span text, struct smtp_address *address_out)
{
	return parse(text, false, address_out);
}

enum smtp_address_flaw smtp_address_parse_utf8(struct span text, struct smtp_address *address_out)
{
	return parse(text, true, address_out);
}

const char *smtp_address_flaw_text(enum smtp_address_flaw flaw)
{
	switch (flaw) {
	case SMTP_ADDRESS_VALID:
		return "is well-formed";
	case SMTP_ADDRESS_EMPTY:
		return "is missing";
	case SMTP_ADDRESS_EIGHT_BIT:
		return "has letters outside ASCII, and SMTPUTF8 is not offered";
	case SMTP_ADDRESS_BAD_BYTE:
		return "contains a control character, or bytes that are no UTF-8";
	case SMTP_ADDRESS_BAD_LOCAL:
		return "is malformed before its @";
	case SMTP_ADDRESS_BAD_DOMAIN:
		return "is malformed behind its @";
	case SMTP_ADDRESS_BAD_LITERAL:
		return "has a malformed address in square brackets";
	case SMTP_ADDRESS_BAD_ROUTE:
		return "has a malformed source route";
	case SMTP_ADDRESS_LOCAL_TOO_LONG:
		return "has more than 64 characters before its @";
	case SMTP_ADDRESS_DOMAIN_TOO_LONG:
		return "has more than 255 characters behind its @";
	case SMTP_ADDRESS_TOO_LONG:
		return "has more than 254 characters";
	}
	return "is malformed";
}

size_t smtp_address_extent(struct span text, struct span stops)
{
	bool quoted = false, literal = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"' && !literal)
			quoted = !quoted;
		else if (!quoted && (c == '[' || c == ']'))
			literal = c == '[';
		else if (!quoted && !literal && span_find(stops, c) < stops.len)
			return i;
	}
	return text.len;
}

bool smtp_address_append_local(struct buf *b, const struct smtp_address *address)
{
	struct span s = address->local;
	size_t before = b->len;

	if (!address->is_quoted)
		return buf_append(b, s);
	s = span_head(span_skip(s, 1), s.len - 2);
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '\\' && i + 1 < s.len)
			i++;
		if (!buf_append_byte(b, s.data[i])) {
			buf_truncate(b, before);
			return false;
		}
	}
	return true;
}
