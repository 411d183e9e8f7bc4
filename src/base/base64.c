/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include "base/memory.h"

static const char alphabet[64] = {
	'A',
	'B',
	'C',
	'D',
	'E',
	'F',
	'G',
	'H',
	'I',
	'J',
	'K',
	'L',
	'M',
	'N',
	'O',
	'P',
	'Q',
	'R',
	'S',
	'T',
	'U',
	'V',
	'W',
	'X',
	'Y',
	'Z',
	'a',
	'b',
	'c',
	'd',
	'e',
	'f',
	'g',
	'h',
	'i',
	'j',
	'k',
	'l',
	'm',
	'n',
	'o',
	'p',
	'q',
	'r',
	's',
	't',
	'u',
	'v',
	'w',
	'x',
	'y',
	'z',
	'0',
	'1',
	'2',
	'3',
	'4',
	'5',
	'6',
	'7',
	'8',
	'9',
	'+',
	'/',
};

/* Value + 1 of each character of the alphabet; 0 for every other byte. */
static const unsigned char places[256] = {
	['A'] = 1,
	['B'] = 2,
	['C'] = 3,
	['D'] = 4,
	['E'] = 5,
	['F'] = 6,
	['G'] = 7,
	['H'] = 8,
	['I'] = 9,
	['J'] = 10,
	['K'] = 11,
	['L'] = 12,
	['M'] = 13,
	['N'] = 14,
	['O'] = 15,
	['P'] = 16,
	['Q'] = 17,
	['R'] = 18,
	['S'] = 19,
	['T'] = 20,
	['U'] = 21,
	['V'] = 22,
	['W'] = 23,
	['X'] = 24,
	['Y'] = 25,
	['Z'] = 26,
	['a'] = 27,
	['b'] = 28,
	['c'] = 29,
	['d'] = 30,
	['e'] = 31,
	['f'] = 32,
	['g'] = 33,
	['h'] = 34,
	['i'] = 35,
	['j'] = 36,
	['k'] = 37,
	['l'] = 38,
	['m'] = 39,
	['n'] = 40,
	['o'] = 41,
	['p'] = 42,
	['q'] = 43,
	['r'] = 44,
	['s'] = 45,
	['t'] = 46,
	['u'] = 47,
	['v'] = 48,
	['w'] = 49,
	['x'] = 50,
	['y'] = 51,
	['z'] = 52,
	['0'] = 53,
	['1'] = 54,
	['2'] = 55,
	['3'] = 56,
	['4'] = 57,
	['5'] = 58,
	['6'] = 59,
	['7'] = 60,
	['8'] = 61,
	['9'] = 62,
	['+'] = 63,
	['/'] = 64,
};

static void encode_group(const unsigned char in[3], size_t len, char out[4])
{
	uint32_t bits = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];

	out[0] = alphabet[bits >> 18];
	out[1] = alphabet[bits >> 12 & 63];
	out[2] = len > 1 ? alphabet[bits >> 6 & 63] : '=';
	out[3] = len > 2 ? alphabet[bits & 63] : '=';
}

bool base64_encode(struct buf *b, struct span bytes)
{
	const unsigned char *in = (const unsigned char *)bytes.data;
	size_t groups = bytes.len / 3 + (bytes.len % 3 != 0), rest = bytes.len;
	char *out;

	if (groups > SIZE_MAX / 4)
		return false;
	out = buf_reserve(b, groups * 4);
	if (!out)
		return false;
	for (; rest >= 3; rest -= 3, in += 3, out += 4)
		encode_group(in, 3, out);
	if (rest) {
		unsigned char last[3] = { in[0], rest > 1 ? in[1] : 0, 0 };

		encode_group(last, rest, out);
		mem_wipe(last, sizeof(last));
	}
	buf_commit(b, groups * 4);
	return true;
}

/* Four characters without padding to three bytes. */
static bool decode_group(const char *text, unsigned char out[3])
{
	unsigned a = places[(unsigned char)text[0]], b = places[(unsigned char)text[1]];
	unsigned c = places[(unsigned char)text[2]], d = places[(unsigned char)text[3]];
	uint32_t bits = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);

	if (!a || !b || !c || !d)
		return false;
	out[0] = (unsigned char)(bits >> 16);
	out[1] = (unsigned char)(bits >> 8);
	out[2] = (unsigned char)bits;
	return true;
}

/* The last group: 'A' stands for each pad, and what it decodes to must be zero. */
static bool decode_last(const char *text, size_t pads, unsigned char *out)
{
	char full[4] = { text[0], text[1], pads > 1 ? 'A' : text[2], pads > 0 ? 'A' : text[3] };
	unsigned char bytes[3];
	bool valid = decode_group(full, bytes);

	for (size_t i = 0; valid && i < 3; i++) {
		if (i < 3 - pads)
			out[i] = bytes[i];
		else if (bytes[i])
			valid = false;
	}
	mem_wipe(full, sizeof(full));
	mem_wipe(bytes, sizeof(bytes));
	return valid;
}

static size_t count_pads(struct span text)
{
	if (text.data[text.len - 1] != '=')
		return 0;
	return text.data[text.len - 2] == '=' ? 2 : 1;
}

bool base64_decode(struct buf *b, struct span text)
{
	const char *in = text.data;
	unsigned char *begin, *out;
	size_t pads, len;
	bool valid = true;

	if (text.len == 0)
		return true;
	if (text.len % 4)
		return false;
	pads = count_pads(text);
	len = text.len / 4 * 3 - pads;
	begin = out = (unsigned char *)buf_reserve(b, len);
	if (!out)
		return false;
	for (size_t rest = text.len; valid && rest > 4; rest -= 4, in += 4, out += 3)
		valid = decode_group(in, out);
	valid = valid && decode_last(in, pads, out);
	if (valid)
		buf_commit(b, len);
	else if (b->secret)
		mem_wipe(begin, len);
	return valid;
}
