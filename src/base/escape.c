/* SPDX-License-Identifier: MIT */
#include "base/escape.h"

#include <assert.h>
#include <string.h>

/* Length of the valid UTF-8 sequence that s begins with (RFC 3629), 0 when there is none. */
static size_t utf8_len(struct span s, uint32_t *code_out)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char lead = (unsigned char)s.data[0];
	size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	uint32_t code = lead & (0x7fu >> len);

	if (lead < 0xc2 || lead > 0xf4 || s.len < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if (((unsigned char)s.data[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | ((unsigned char)s.data[i] & 0x3f);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*code_out = code;
	return len;
}

/* Controls, and characters that are invisible or turn the direction of the text around them. */
static bool is_hidden(uint32_t code)
{
	return code < 0xa0 || code == 0xad || code == 0x61c || code == 0x180e ||
	       (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202f) ||
	       (code >= 0x2060 && code <= 0x206f) || (code >= 0xe000 && code <= 0xf8ff) ||
	       code == 0xfeff || (code >= 0xfff0 && code <= 0xffff) || code >= 0xe0000;
}

static size_t put(char out[ESCAPE_CHARACTER_MAX], const char *bytes, size_t len)
{
	memcpy(out, bytes, len);
	return len;
}

static size_t put_hex(char out[ESCAPE_CHARACTER_MAX], unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";
	char text[4] = { '\\', 'x', digits[byte >> 4], digits[byte & 15] };

	return put(out, text, sizeof(text));
}

static size_t take_ascii(char c, char out[ESCAPE_CHARACTER_MAX])
{
	switch (c) {
	case '\\':
		return put(out, "\\\\", 2);
	case '\r':
		return put(out, "\\r", 2);
	case '\n':
		return put(out, "\\n", 2);
	case '\t':
		return put(out, "\\t", 2);
	}
	if (c >= ' ' && c <= '~')
		return put(out, &c, 1);
	return put_hex(out, (unsigned char)c);
}

size_t escape_take(struct span *bytes, char out[ESCAPE_CHARACTER_MAX])
{
	unsigned char first = (unsigned char)bytes->data[0];
	uint32_t code = 0;
	size_t len = first >= 0x80 ? utf8_len(*bytes, &code) : 0, out_len;

	if (len && !is_hidden(code))
		out_len = put(out, bytes->data, len);
	else
		out_len = take_ascii((char)first, out), len = 1;
	*bytes = span_skip(*bytes, len);
	return out_len;
}

bool escape_append(struct buf *b, struct span bytes)
{
	size_t len_before = b->len;
	char character[ESCAPE_CHARACTER_MAX];

	while (bytes.len) {
		size_t len = escape_take(&bytes, character);

		if (!buf_append(b, span_of(character, len))) {
			buf_truncate(b, len_before);
			return false;
		}
	}
	return true;
}

const char *escape_to(char *out, size_t size, struct span bytes)
{
	size_t len = 0, cut = 0; /* cut: where the mark would still fit */
	char character[ESCAPE_CHARACTER_MAX];

	assert(size >= 8);
	while (bytes.len) {
		size_t n = escape_take(&bytes, character);

		if (n > size - 1 - len) {
			len = cut + put(out + cut, "...", 3);
			break;
		}
		memcpy(out + len, character, n);
		len += n;
		if (len <= size - 4)
			cut = len;
	}
	out[len] = '\0';
	return out;
}
