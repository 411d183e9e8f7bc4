/* SPDX-License-Identifier: MIT */
#include "smtp/notify.h"

#include "base/memory.h"
#include "smtp/domain.h"

#include <stdio.h>

enum { ENVID_DECODED_MAX = 100, ADDRESS_TYPE_MAX = 32 };

static bool is_xtext_byte(char c)
{
	return c > ' ' && c <= '~' && c != '=';
}

/* The value of an upper-case hexadecimal digit (RFC 3461, 4: no others), or -1. */
static int digit_value(char c)
{
	if (byte_is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that "+XX" at the front of text stands for, or -1. */
static int hexchar_value(struct span text)
{
	int high, low;

	if (text.len < 3 || text.data[0] != '+')
		return -1;
	high = digit_value(text.data[1]);
	low = digit_value(text.data[2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool smtp_xtext_is_valid(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!is_xtext_byte(text.data[i]))
			return false;
		if (text.data[i] != '+')
			continue;
		if (hexchar_value(span_skip(text, i)) < 0)
			return false;
		i += 2;
	}
	return true;
}

bool smtp_xtext_decode(struct span text, struct buf *b)
{
	size_t before_len = b->len;
	bool fits = true;

	while (fits && text.len > 0) {
		int value = hexchar_value(text);

		fits = buf_append_byte(b, value < 0 ? text.data[0] : (char)value);
		text = span_skip(text, value < 0 ? 1 : 3);
	}
	if (!fits)
		buf_truncate(b, before_len);
	return fits;
}

/* ---- NOTIFY ---- */

static const struct {
	unsigned bit;
	const char *name;
} notify_words[] = {
	{ SMTP_NOTIFY_NEVER, "NEVER" },
	{ SMTP_NOTIFY_SUCCESS, "SUCCESS" },
	{ SMTP_NOTIFY_FAILURE, "FAILURE" },
	{ SMTP_NOTIFY_DELAY, "DELAY" },
};

static unsigned notify_bit(struct span word)
{
	for (size_t i = 0; i < ARRAY_LEN(notify_words); i++) {
		if (span_equal_nocase(word, span_from_string(notify_words[i].name)))
			return notify_words[i].bit;
	}
	return 0;
}

bool smtp_notify_parse(struct span value, unsigned *notify_out)
{
	bool ends_in_comma = value.len > 0 && value.data[value.len - 1] == ',';
	unsigned notify = 0;
	struct span word;

	while (span_take_until(&value, ',', &word)) {
		unsigned bit = notify_bit(word);

		if (!bit || notify & bit)
			return false;
		notify |= bit;
	}
	if (!notify || ends_in_comma || (notify & SMTP_NOTIFY_NEVER && notify != SMTP_NOTIFY_NEVER))
		return false;
	*notify_out = notify;
	return true;
}

const char *smtp_notify_format(unsigned notify, char out[SMTP_NOTIFY_TEXT_MAX])
{
	int len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(notify_words); i++) {
		if (notify & notify_words[i].bit)
			len += snprintf(out + len, (size_t)(SMTP_NOTIFY_TEXT_MAX - len), "%s%s",
			    len ? "," : "", notify_words[i].name);
	}
	return out;
}

/* ---- RET, ENVID, ORCPT ---- */

bool smtp_return_parse(struct span value, enum smtp_return *return_out)
{
	if (span_equal_nocase(value, SPAN("HDRS")))
		*return_out = SMTP_RETURN_HEADERS;
	else if (span_equal_nocase(value, SPAN("FULL")))
		*return_out = SMTP_RETURN_FULL;
	else
		return false;
	return true;
}

bool smtp_envid_is_valid(struct span value)
{
	size_t decoded = 0;

	if (value.len == 0 || value.len > SMTP_ENVID_MAX || !smtp_xtext_is_valid(value))
		return false;
	for (size_t i = 0; i < value.len; i++, decoded++) {
		int c = hexchar_value(span_skip(value, i));

		if (c < 0)
			continue;
		if (c < ' ' || c > '~')
			return false;
		i += 2;
	}
	return decoded <= ENVID_DECODED_MAX;
}

/* RFC 3461, 4.2: an atom. */
static bool is_address_type(struct span type)
{
	for (size_t i = 0; i < type.len; i++) {
		if (!byte_is_alpha(type.data[i]) && !byte_is_digit(type.data[i]) &&
		    type.data[i] != '-')
			return false;
	}
	return type.len > 0 && type.len <= ADDRESS_TYPE_MAX;
}

/* RFC 6533, 3: in ASCII "\x{10FFFF}" for a letter outside it, or the letters themselves. Neither
   can end the parameter. */
static bool is_utf8_address(struct span text, bool utf8)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c <= ' ' || c == '=' || c == 127)
			return false;
	}
	return text.len > 0 && (utf8 ? smtp_text_is_utf8(text) : smtp_text_is_ascii(text));
}

/* What stands behind the semicolon. A decoded address never holds a control character. */
static bool is_xtext_address(struct span text)
{
	if (text.len == 0 || !smtp_xtext_is_valid(text))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int c = hexchar_value(span_skip(text, i));

		if (c >= 0 && (c < ' ' || c > '~'))
			return false;
	}
	return true;
}

bool smtp_orcpt_is_valid(struct span value, bool utf8)
{
	size_t semicolon = span_find(value, ';');
	struct span type = span_head(value, semicolon), address;

	if (value.len > SMTP_ORCPT_MAX || semicolon == value.len || !is_address_type(type))
		return false;
	address = span_skip(value, semicolon + 1);
	return span_equal_nocase(type, SPAN("utf-8")) ? is_utf8_address(address, utf8)
						      : is_xtext_address(address);
}
