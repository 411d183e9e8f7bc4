/* SPDX-License-Identifier: MIT */
/*
 * The header scan: however the content is cut, the result is the same; and with its prefix in front
 * every message is proper. The first byte chooses the sizes of the pieces.
 */
#include "message/header.h"
#include "message/trace_fields.h"

#include <assert.h>

static void feed_pieces(struct message_header *h, struct span content, size_t seed)
{
	while (content.len) {
		size_t n = 1 + seed % 13;

		seed = seed * 31 + 7;
		if (n > content.len)
			n = content.len;
		message_header_feed(h, span_head(content, n));
		content = span_skip(content, n);
	}
}

static void assert_same_value(
    const struct message_header_value *a, const struct message_header_value *b)
{
	assert(a->cut == b->cut);
	assert(span_equal(message_header_value_span(a), message_header_value_span(b)));
}

static void assert_same(const struct message_header *a, const struct message_header *b)
{
	assert(a->shape == b->shape && a->header_len == b->header_len && a->size == b->size);
	assert(a->has_date == b->has_date && a->has_from == b->has_from);
	assert(a->has_message_id == b->has_message_id && a->has_sender == b->has_sender);
	assert(a->received_count == b->received_count);
	assert(a->eight_bit_header == b->eight_bit_header);
	assert(a->eight_bit_body == b->eight_bit_body);
	assert(a->line_len_max == b->line_len_max);
	assert_same_value(&a->subject, &b->subject);
	assert_same_value(&a->message_id, &b->message_id);
}

static void assert_proper_with_prefix(const struct message_header *h, struct span content)
{
	struct message_trace trace = {
		.protocol = MESSAGE_PROTOCOL_ESMTP,
		.helo = content,
		.client_address = SPAN("192.0.2.1"),
		.hostname = SPAN("relay.example.org"),
		.reverse_path = content,
		.recipient = content,
		.submitted = true,
	};
	struct message_header again;
	struct buf prefix;

	buf_init(&prefix, MESSAGE_PREFIX_MAX);
	assert(message_prefix_format(&prefix, h, &trace));
	message_header_init(&again);
	message_header_feed(&again, buf_span(&prefix));
	message_header_feed(&again, content);
	message_header_end(&again);
	assert(again.shape == MESSAGE_HEADER_PROPER || again.shape == MESSAGE_HEADER_TOO_LARGE);
	if (again.shape == MESSAGE_HEADER_PROPER)
		assert(again.has_date && again.has_from && again.has_message_id);
	assert(again.received_count >= 1);
	buf_fini(&prefix);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message_header whole, pieces;
	struct span content;

	if (size == 0)
		return 0;
	content = span_of(data + 1, size - 1);
	message_header_init(&whole);
	message_header_feed(&whole, content);
	message_header_end(&whole);
	assert(whole.shape != MESSAGE_HEADER_UNDECIDED);
	assert(whole.header_len <= whole.size && whole.size == content.len);
	message_header_init(&pieces);
	feed_pieces(&pieces, content, data[0]);
	message_header_end(&pieces);
	assert_same(&whole, &pieces);
	assert_proper_with_prefix(&whole, content);
	return 0;
}
