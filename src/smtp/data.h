/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_DATA_H
#define FRANK_SMTP_DATA_H

/*
 * The content of a message between 354 and the final dot (RFC 5321, 4.1.1.4 and 4.5.2), both
 * ways. Only CRLF.CRLF ends it. A bare CR or LF is found and named: were it taken for a line end
 * by anyone behind us, a second message could be hidden in the first (SMTP smuggling).
 *
 * RFC 3030 lets other content into chunks only with BINARYMIME, which is not offered: in chunks,
 * too, only CRLF ends a line, and what goes on from here is stuffed with dots like all the rest.
 *
 * Inside a network that its operator trusts to mean well (SMTP_QUIRK_BARE_LF) a bare LF may be
 * given out as CR LF. A dot between two line ends of which one is a bare LF is content there, and
 * is stuffed when it goes on: what ends a message here ends it everywhere. Since who writes LF may
 * stuff dots behind LF, too, one of two dots behind a bare LF is taken off; a single one stays.
 *
 * Reading borrows: content comes as spans of the input, as long as possible, that is up to a
 * stuffed dot, a bare newline or the end of what is there. At most three bytes stay behind for
 * the next call.
 */

#include "base/buf.h"

enum smtp_data_result {
	SMTP_DATA_CONTENT, /* *content_out is set and taken off the input */
	SMTP_DATA_NEED_MORE,
	SMTP_DATA_END,     /* the final dot and its CRLF are taken */
	SMTP_DATA_BARE_LF, /* stands at the front of the input, in line reader->line */
	SMTP_DATA_BARE_CR,
};

struct smtp_data_reader {
	uint64_t octets; /* given out as content so far */
	uint64_t line;   /* the current line, counted from 1 */
	bool at_line_start;
	bool takes_lf; /* set by who began it: a bare LF is given out as CR LF, and ends a line */
	bool after_lf; /* at_line_start, and a bare LF ended the line before */
	bool lone_dot; /* a dot stood alone where only bare LFs made it a line */
	uint64_t bare_lfs;
	bool after_cr; /* chunks only: content given out ends in a CR, whose LF must follow */
};

void smtp_data_reader_init(struct smtp_data_reader *reader);
enum smtp_data_result smtp_data_read(
    struct smtp_data_reader *reader, struct span *input, struct span *content_out);

/* The same for content that comes in chunks (RFC 3030), where dots mean nothing: reads no further
   than *left octets, and takes them off it. END: *left is 0. A CR may end a chunk if an LF begins
   the next one; whether the content may end here, smtp_data_chunks_may_end() says. */
enum smtp_data_result smtp_data_read_chunk(
    struct smtp_data_reader *reader, struct span *input, uint64_t *left, struct span *content_out);
bool smtp_data_chunks_may_end(const struct smtp_data_reader *reader);

/* Drops content up to and including the final dot, for a message that is refused already. True when
   the end was there. *dropped_out is increased by what was taken. Once a reader has discarded, it
   is of no other use. */
bool smtp_data_discard(struct smtp_data_reader *reader, struct span *input, uint64_t *dropped_out);

/* Writing: content in pieces of any length, dots stuffed, ended by the final dot. */
struct smtp_data_writer {
	char last[2]; /* the last two bytes written */
};

void smtp_data_writer_init(struct smtp_data_writer *writer);

/* Appends content to b with dots stuffed, as much of it as b's ceiling allows, and returns how many
   bytes of content that was. Line ends must be CRLF already: nothing is repaired here. */
size_t smtp_data_write(struct smtp_data_writer *writer, struct buf *b, struct span content);

/* Appends the final dot, after a CRLF when the content did not end in one. False at b's
   ceiling, and nothing is written. */
bool smtp_data_finish(struct smtp_data_writer *writer, struct buf *b);

#endif
