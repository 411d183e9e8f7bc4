/* SPDX-License-Identifier: MIT */
/*
 * The content of messages, the one place where two servers may disagree about where a message
 * ends. The first byte cuts the input.
 *
 * - What is read out of DATA and of chunks is the same whole and in pieces, and holds no CR and no
 *   LF alone.
 * - Where LF alone ends a line, too, a dot between two of them still ends nothing.
 * - What the writer stuffs is what the reader gives back, and what stands behind its end is left.
 */
#include "smtp/data.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORD_MAX = 16 * 1024 * 1024 };

struct outcome {
	enum smtp_data_result result;
	struct buf content;
	size_t taken;
	uint64_t octets;
};

static size_t piece_of(size_t left, unsigned *cuts)
{
	size_t len = left;

	if (*cuts == 0)
		return left;
	*cuts = *cuts * 1103515245u + 12345u;
	if (len > 1 + (*cuts >> 16) % 7)
		len = 1 + (*cuts >> 16) % 7;
	return len;
}

static void check_lines(struct span content, bool may_end_in_cr)
{
	for (size_t i = 0; i < content.len; i++) {
		if (content.data[i] == '\n')
			assert(i > 0 && content.data[i - 1] == '\r');
		if (content.data[i] == '\r' && !(may_end_in_cr && i + 1 == content.len))
			assert(i + 1 < content.len && content.data[i + 1] == '\n');
	}
}

static bool goes_on(enum smtp_data_result result)
{
	return result == SMTP_DATA_CONTENT || result == SMTP_DATA_NEED_MORE;
}

/* left is NULL for DATA; else what remains of a chunk. */
static struct outcome read_all(struct span wire, unsigned cuts, bool takes_lf, uint64_t *left)
{
	struct outcome outcome = { .result = SMTP_DATA_NEED_MORE };
	struct smtp_data_reader reader;
	size_t shown = 0;

	smtp_data_reader_init(&reader);
	reader.takes_lf = takes_lf;
	buf_init(&outcome.content, RECORD_MAX);
	while (goes_on(outcome.result)) {
		struct span seen = span_skip(span_head(wire, shown), outcome.taken), before = seen;
		struct span content = SPAN("");

		outcome.result = left ? smtp_data_read_chunk(&reader, &seen, left, &content)
				      : smtp_data_read(&reader, &seen, &content);
		outcome.taken += before.len - seen.len;
		buf_append(&outcome.content, content);
		if (outcome.result == SMTP_DATA_NEED_MORE && shown == wire.len)
			break;
		if (outcome.result == SMTP_DATA_NEED_MORE)
			shown += piece_of(wire.len - shown, &cuts);
	}
	outcome.octets = reader.octets;
	return outcome;
}

static void compare(struct outcome *whole, struct outcome *pieces, bool is_chunk)
{
	assert(whole->result == pieces->result);
	if (goes_on(whole->result) || whole->result == SMTP_DATA_END) {
		assert(span_equal(buf_span(&whole->content), buf_span(&pieces->content)));
		assert(whole->taken == pieces->taken && whole->octets == pieces->octets);
		assert(whole->octets == whole->content.len);
		check_lines(buf_span(&whole->content), is_chunk);
	}
	buf_fini(&whole->content);
	buf_fini(&pieces->content);
}

static void check_data(struct span wire, unsigned cuts, bool takes_lf)
{
	struct outcome whole = read_all(wire, 0, takes_lf, NULL);
	struct outcome pieces = read_all(wire, cuts, takes_lf, NULL);

	if (whole.result == SMTP_DATA_END) {
		struct span taken = span_head(wire, whole.taken);

		assert(span_equal(taken, SPAN(".\r\n")) ||
		       span_ends_with_nocase(taken, SPAN("\r\n.\r\n")));
	}
	compare(&whole, &pieces, false);
}

static void check_chunk(struct span wire, unsigned cuts)
{
	uint64_t left = wire.len / 2, same = left;
	struct outcome whole = read_all(wire, 0, false, &left);
	struct outcome pieces = read_all(wire, cuts, false, &same);

	assert(whole.taken <= wire.len / 2);
	compare(&whole, &pieces, true);
}

/* The content, made sound, goes through the writer and comes back. */
static void check_round_trip(struct span wire, unsigned cuts)
{
	struct smtp_data_writer writer;
	struct buf content, out;
	struct outcome back;
	size_t taken;

	buf_init(&content, RECORD_MAX);
	buf_init(&out, RECORD_MAX);
	for (size_t i = 0; i < wire.len; i++) {
		if (wire.data[i] == '\n')
			buf_append_byte(&content, '\r');
		if (wire.data[i] != '\r')
			buf_append_byte(&content, wire.data[i]);
	}
	if (content.len > 0 && wire.data[wire.len - 1] != '\n')
		buf_append(&content, SPAN("\r\n"));
	smtp_data_writer_init(&writer);
	taken = smtp_data_write(&writer, &out, buf_span(&content));
	assert(taken == content.len && smtp_data_finish(&writer, &out));
	buf_append(&out, SPAN("QUIT\r\n"));
	back = read_all(buf_span(&out), cuts, false, NULL);
	assert(back.result == SMTP_DATA_END && back.taken == out.len - strlen("QUIT\r\n"));
	check_lines(buf_span(&content), false);
	assert(span_equal(buf_span(&back.content), buf_span(&content)));
	buf_fini(&back.content);
	buf_fini(&content);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span wire;
	unsigned cuts;

	if (size < 1)
		return 0;
	cuts = data[0] + 1u;
	wire = span_of(data + 1, size - 1);
	check_data(wire, cuts, false);
	check_data(wire, cuts, true);
	check_chunk(wire, cuts);
	check_round_trip(wire, cuts);
	return 0;
}
