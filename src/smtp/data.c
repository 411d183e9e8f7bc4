/* SPDX-License-Identifier: MIT */
#include "smtp/data.h"

#include "smtp/data_clean.h"
#include "smtp/line.h"

void smtp_data_reader_init(struct smtp_data_reader *reader)
{
	*reader = (struct smtp_data_reader){ .line = 1, .at_line_start = true };
}

/* What the run of content ended at. */
enum run_end {
	RUN_END_OF_INPUT,
	RUN_DOT, /* a dot at the start of a line */
	RUN_BARE_LF,
	RUN_BARE_CR,
};

/* Looks at one line, from at on: memchr() for the LF, and again for a CR that does not belong
   to it, is faster than any loop over bytes. Returns where the scan stands afterwards;
   *end_out is set when it cannot go on. */
static size_t scan_line(struct span s, size_t at, bool *line_ended_out, enum run_end *end_out)
{
	size_t lf = at + span_find(span_skip(s, at), '\n');
	size_t cr = at + span_find(span_head(span_skip(s, at), lf - at), '\r');

	*line_ended_out = false;
	if (cr + 1 == s.len && lf == s.len) {
		*end_out = RUN_END_OF_INPUT; /* its LF may follow */
		return cr;
	}
	if (cr + 1 == lf && lf < s.len) {
		*line_ended_out = true;
		return lf + 1;
	}
	if (cr < lf) {
		*end_out = RUN_BARE_CR;
		return cr;
	}
	*end_out = lf < s.len ? RUN_BARE_LF : RUN_END_OF_INPUT;
	return lf;
}

/* The length of content at the front of s, which does not begin with a dot that starts a line. */
static size_t scan_run(struct smtp_data_reader *reader, struct span s, enum run_end *end_out)
{
	size_t at = smtp_data_clean_extent(s, reader->at_line_start, &reader->line);

	if (at > 0)
		reader->at_line_start = s.data[at - 1] == '\n';
	*end_out = RUN_END_OF_INPUT;
	while (at < s.len) {
		bool line_ended;
		size_t next;

		if (reader->at_line_start && s.data[at] == '.') {
			*end_out = RUN_DOT;
			break;
		}
		next = scan_line(s, at, &line_ended, end_out);
		if (next > at)
			reader->at_line_start = line_ended;
		reader->line += line_ended;
		at = next;
		if (!line_ended)
			break;
	}
	return at;
}

enum dot_kind {
	DOT_STUFFED,
	DOT_FINAL,
	DOT_CONTENT, /* of a line that a bare LF began or ended */
	DOT_UNCLEAR, /* more bytes must come */
};

/* s begins with a dot that starts a line. */
static enum dot_kind classify_dot(const struct smtp_data_reader *reader, struct span s)
{
	if (s.len >= 2 && s.data[1] == '\n' && reader->takes_lf)
		return DOT_CONTENT;
	if (s.len >= 2 && s.data[1] != '\r')
		return reader->after_lf && s.data[1] != '.' ? DOT_CONTENT : DOT_STUFFED;
	if (s.len < 3)
		return DOT_UNCLEAR;
	if (reader->after_lf)
		return DOT_CONTENT;
	return s.data[2] == '\n' ? DOT_FINAL : DOT_STUFFED;
}

/* Deals with a dot at the start of a line. False: the line goes on, and a dot that was a stuffed
   one is taken. */
static bool take_dot(
    struct smtp_data_reader *reader, struct span *input, enum smtp_data_result *result_out)
{
	switch (classify_dot(reader, *input)) {
	case DOT_UNCLEAR:
		*result_out = SMTP_DATA_NEED_MORE;
		return true;
	case DOT_FINAL:
		*input = span_skip(*input, 3);
		*result_out = SMTP_DATA_END;
		return true;
	case DOT_STUFFED:
		*input = span_skip(*input, 1);
		break;
	case DOT_CONTENT:
		reader->lone_dot |= input->data[1] == '\n' || input->data[1] == '\r';
		break;
	}
	reader->at_line_start = reader->after_lf = false;
	return false;
}

/* The bare LF at the front of the input, as the line end that it was meant to be. */
static struct span take_bare_lf(struct smtp_data_reader *reader, struct span *input)
{
	*input = span_skip(*input, 1);
	reader->octets += 2;
	reader->line++;
	reader->bare_lfs++;
	reader->at_line_start = reader->after_lf = true;
	return SPAN("\r\n");
}

enum smtp_data_result smtp_data_read(
    struct smtp_data_reader *reader, struct span *input, struct span *content_out)
{
	enum smtp_data_result result;
	enum run_end end;
	size_t len;

	if (reader->at_line_start && input->len > 0 && input->data[0] == '.' &&
	    take_dot(reader, input, &result))
		return result;
	len = scan_run(reader, *input, &end);
	if (len > 0) {
		*content_out = span_head(*input, len);
		*input = span_skip(*input, len);
		reader->octets += len;
		reader->after_lf = false;
		return SMTP_DATA_CONTENT;
	}
	if (end == RUN_BARE_LF && reader->takes_lf) {
		*content_out = take_bare_lf(reader, input);
		return SMTP_DATA_CONTENT;
	}
	if (end == RUN_BARE_LF)
		return SMTP_DATA_BARE_LF;
	return end == RUN_BARE_CR ? SMTP_DATA_BARE_CR : SMTP_DATA_NEED_MORE;
}

/* ---- Chunks ---- */

/* What remains of a line end whose CR has been given out. */
static bool end_line(struct smtp_data_reader *reader, struct span s)
{
	if (s.data[0] != '\n')
		return false;
	reader->after_cr = false;
	reader->at_line_start = true;
	reader->line++;
	return true;
}

/* The length of sound content at the front of s, whose first `at` octets have been looked at. */
static size_t scan_chunk(
    struct smtp_data_reader *reader, struct span s, size_t at, enum run_end *end_out)
{
	bool line_ended = true;

	if (at == 0)
		at = smtp_data_clean_extent(s, false, &reader->line);
	if (at > 0)
		reader->at_line_start = s.data[at - 1] == '\n';
	*end_out = RUN_END_OF_INPUT;
	while (at < s.len && line_ended) {
		size_t next = scan_line(s, at, &line_ended, end_out);

		if (next > at)
			reader->at_line_start = line_ended;
		reader->line += line_ended;
		at = next;
	}
	return at;
}

enum smtp_data_result smtp_data_read_chunk(
    struct smtp_data_reader *reader, struct span *input, uint64_t *left, struct span *content_out)
{
	struct span s = *left < input->len ? span_head(*input, (size_t)*left) : *input;
	bool follows_cr = reader->after_cr;
	enum run_end end;
	size_t len;

	if (*left == 0)
		return SMTP_DATA_END;
	if (s.len == 0)
		return SMTP_DATA_NEED_MORE;
	if (follows_cr && !end_line(reader, s)) {
		/* Whether it went out before depends on how the octets came. */
		reader->octets--;
		return SMTP_DATA_BARE_CR;
	}
	len = scan_chunk(reader, s, follows_cr, &end);
	/* A CR at the end of what is there goes out with it, and is remembered. */
	if (end == RUN_END_OF_INPUT && len < s.len) {
		reader->after_cr = true;
		reader->at_line_start = false;
		len = s.len;
	}
	if (len == 0)
		return end == RUN_BARE_LF ? SMTP_DATA_BARE_LF : SMTP_DATA_BARE_CR;
	*content_out = span_head(s, len);
	*input = span_skip(*input, len);
	*left -= len;
	reader->octets += len;
	return SMTP_DATA_CONTENT;
}

bool smtp_data_chunks_may_end(const struct smtp_data_reader *reader)
{
	return !reader->after_cr;
}

static bool discard_to_end(struct smtp_data_reader *reader, struct span *input)
{
	enum smtp_data_result result;

	for (;;) {
		if (reader->at_line_start && input->len > 0) {
			if (input->data[0] != '.')
				reader->at_line_start = false;
			else if (take_dot(reader, input, &result))
				return result == SMTP_DATA_END;
		}
		if (input->len == 0 || !smtp_line_discard(input))
			return false;
		reader->at_line_start = true;
		reader->after_lf = false;
	}
}

bool smtp_data_discard(struct smtp_data_reader *reader, struct span *input, uint64_t *dropped_out)
{
	size_t before = input->len;
	bool ended = discard_to_end(reader, input);

	*dropped_out += before - input->len;
	return ended;
}

void smtp_data_writer_init(struct smtp_data_writer *writer)
{
	*writer = (struct smtp_data_writer){ .last = "\r\n" };
}

static bool writer_is_at_line_start(const struct smtp_data_writer *writer)
{
	return writer->last[0] == '\r' && writer->last[1] == '\n';
}

static void writer_note(struct smtp_data_writer *writer, struct span written)
{
	if (written.len == 0)
		return;
	writer->last[0] = written.len > 1 ? written.data[written.len - 2] : writer->last[1];
	writer->last[1] = written.data[written.len - 1];
}

/* The length of the piece that needs no dot inside: up to a CRLF that a dot follows. The CRLF
   may have begun with the last byte written. */
static size_t unstuffed_extent(const struct smtp_data_writer *writer, struct span content)
{
	uint64_t line_ends = 0;
	size_t at = smtp_data_clean_extent(content, false, &line_ends);
	size_t lf;

	at -= at > 0; /* its last byte may be the LF before a dot */
	lf = at + span_find(span_skip(content, at), '\n');
	while (lf + 1 < content.len) {
		char before = lf > 0 ? content.data[lf - 1] : writer->last[1];

		if (content.data[lf + 1] == '.' && before == '\r')
			return lf + 1;
		lf += 1 + span_find(span_skip(content, lf + 1), '\n');
	}
	return content.len;
}

size_t smtp_data_write(struct smtp_data_writer *writer, struct buf *b, struct span content)
{
	size_t taken = 0;

	while (content.len > 0) {
		bool stuff = content.data[0] == '.' && writer_is_at_line_start(writer);
		size_t room = b->max - b->len;
		size_t piece;

		if (room < 1 + (size_t)stuff)
			break;
		/* No further than there is room: content may be a thousand times as long. */
		piece = content.len < room - stuff ? content.len : room - stuff;
		piece = unstuffed_extent(writer, span_head(content, piece));
		if (stuff)
			buf_append_byte(b, '.');
		buf_append(b, span_head(content, piece));
		writer_note(writer, span_head(content, piece));
		content = span_skip(content, piece);
		taken += piece;
	}
	return taken;
}

bool smtp_data_finish(struct smtp_data_writer *writer, struct buf *b)
{
	return buf_append(b, writer_is_at_line_start(writer) ? SPAN(".\r\n") : SPAN("\r\n.\r\n"));
}
