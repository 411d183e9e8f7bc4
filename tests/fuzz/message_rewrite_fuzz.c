/* SPDX-License-Identifier: MIT */
/*
 * Header rewriting: whatever was a proper header is one afterwards, with no line that is longer
 * than allowed where it was not; fields of other names are there to the byte; and a second time
 * changes nothing. The first byte chooses the rules.
 */
#include "message/header.h"
#include "message/rewrite.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS SPAN("alerts@example.org")

/* Never the same address twice in a row: mapping would not come to rest. */
static bool find(const void *context, struct span address, struct span *to_out)
{
	if (address.len == 0 || span_equal(address, ADDRESS))
		return false;
	if (address.data[0] % 2)
		return false;
	*to_out = ADDRESS;
	return true;
}

static struct span header_of(struct span content)
{
	struct message_header scan;

	message_header_init(&scan);
	message_header_feed(&scan, content);
	message_header_end(&scan);
	if (scan.shape != MESSAGE_HEADER_PROPER)
		return span_of("", 0);
	return span_head(content, (size_t)scan.header_len);
}

static size_t longest_line(struct span s)
{
	size_t longest = 0;

	while (s.len) {
		size_t end = span_find_span(s, SPAN("\r\n"));
		if (end > longest)
			longest = end;
		s = span_skip(s, end < s.len ? end + 2 : end);
	}
	return longest;
}

/* Fields that no rule speaks of, one behind the other. */
static void keep_others(struct span header, struct buf *out)
{
	static const char *const names[] = { "from", "sender", "reply-to", "to", "cc", "bcc" };

	while (header.len) {
		struct span rest = header, name;
		bool spoken_of = false;

		do {
			size_t end = span_find_span(rest, SPAN("\r\n"));
			rest = span_skip(rest, end < rest.len ? end + 2 : end);
		} while (rest.len && (rest.data[0] == ' ' || rest.data[0] == '\t'));
		name = span_trim(span_head(header, span_find(header, ':')));
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			spoken_of |= span_equal_nocase(name, span_from_string(names[i]));
		if (!spoken_of)
			assert(buf_append(out, span_head(header, header.len - rest.len)));
		header = rest;
	}
}

static void assert_others_stay(struct span before, struct span after)
{
	struct buf a, b;

	buf_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	keep_others(before, &a);
	keep_others(after, &b);
	assert(span_equal(buf_span(&a), buf_span(&b)));
	buf_fini(&a);
	buf_fini(&b);
}

static void look(struct span header, const struct message_rewrite_rules *rules)
{
	struct message_rewrite_result result, second;
	struct buf once, twice;

	buf_init(&once, 1 << 20);
	buf_init(&twice, 1 << 20);
	if (message_rewrite(&once, header, rules, &result)) {
		assert(result.changed == !span_equal(buf_span(&once), header));
		assert(!result.from_changed || span_equal(result.from, ADDRESS));
		assert(header_of(buf_span(&once)).len == once.len);
		if (longest_line(header) <= 998)
			assert(longest_line(buf_span(&once)) <= 998);
		assert_others_stay(header, buf_span(&once));
		if (message_rewrite(&twice, buf_span(&once), rules, &second))
			assert(!second.changed);
	} else {
		assert(once.len == 0);
	}
	buf_fini(&once);
	buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message_rewrite_rules rules = { .address = ADDRESS, .map = find };
	struct span header;

	if (size == 0)
		return 0;
	rules.from = (enum message_rewrite_from)(data[0] % 4);
	if (data[0] & 4)
		rules.default_domain = SPAN("box.example");
	header = header_of(span_of(data + 1, size - 1));
	if (header.len > 0)
		look(header, &rules);
	return 0;
}
