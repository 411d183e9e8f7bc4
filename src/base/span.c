/* SPDX-License-Identifier: MIT */
#include "base/span.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

struct span span_of(const void *data, size_t len)
{
	return (struct span){ data, len };
}

struct span span_from_string(const char *string)
{
	return span_of(string, string ? strlen(string) : 0);
}

static bool bytes_equal_nocase(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (byte_to_lower(a[i]) != byte_to_lower(b[i]))
			return false;
	}
	return true;
}

bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool span_equal_nocase(struct span a, struct span b)
{
	return a.len == b.len && bytes_equal_nocase(a.data, b.data, a.len);
}

bool span_starts_with(struct span s, struct span prefix)
{
	return s.len >= prefix.len && span_equal(span_head(s, prefix.len), prefix);
}

bool span_starts_with_nocase(struct span s, struct span prefix)
{
	return s.len >= prefix.len && bytes_equal_nocase(s.data, prefix.data, prefix.len);
}

bool span_ends_with_nocase(struct span s, struct span suffix)
{
	return s.len >= suffix.len && span_equal_nocase(span_skip(s, s.len - suffix.len), suffix);
}

bool span_equal_secret(struct span a, struct span b)
{
	volatile unsigned char difference = 0;

	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		difference = difference | (unsigned char)(a.data[i] ^ b.data[i]);
	return difference == 0;
}

size_t span_find(struct span s, char byte)
{
	const char *found = s.len ? memchr(s.data, byte, s.len) : NULL;

	return found ? (size_t)(found - s.data) : s.len;
}

size_t span_find_span(struct span s, struct span needle)
{
	const char *found;

	if (needle.len == 0)
		return 0;
	if (needle.len > s.len)
		return s.len;
	found = memmem(s.data, s.len, needle.data, needle.len);
	return found ? (size_t)(found - s.data) : s.len;
}

struct span span_skip(struct span s, size_t n)
{
	assert(n <= s.len);
	return n ? span_of(s.data + n, s.len - n) : s;
}

struct span span_head(struct span s, size_t n)
{
	assert(n <= s.len);
	return span_of(s.data, n);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
	while (s.len && is_blank(s.data[0]))
		s = span_skip(s, 1);
	while (s.len && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

bool span_take_until(struct span *s, char separator, struct span *piece_out)
{
	size_t at;

	if (s->len == 0)
		return false;
	at = span_find(*s, separator);
	*piece_out = span_head(*s, at);
	*s = span_skip(*s, at < s->len ? at + 1 : at);
	return true;
}

bool span_take_word(struct span *s, struct span *word_out)
{
	size_t begin = 0, end;

	while (begin < s->len && is_blank(s->data[begin]))
		begin++;
	if (begin == s->len)
		return false;
	for (end = begin; end < s->len && !is_blank(s->data[end]);)
		end++;
	*word_out = span_of(s->data + begin, end - begin);
	*s = span_skip(*s, end);
	return true;
}

bool span_to_u64(struct span s, uint64_t *value_out)
{
	uint64_t value = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit;

		if (!byte_is_digit(s.data[i]))
			return false;
		digit = (unsigned)(s.data[i] - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*value_out = value;
	return true;
}

char *span_to_string(struct span s)
{
	if (s.len && memchr(s.data, 0, s.len))
		return NULL;
	return mem_dup(s.data, s.len);
}

bool byte_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool byte_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char byte_to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}
