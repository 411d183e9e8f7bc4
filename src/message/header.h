/* SPDX-License-Identifier: MIT */
#ifndef FRANK_MESSAGE_HEADER_H
#define FRANK_MESSAGE_HEADER_H

/*
 * Reads the header of a message (RFC 5322, 2.2 and 3.6) while its content passes by, in pieces of
 * any size, without keeping it: which fields are there, where the header ends, and what the bytes
 * are like. Only CRLF ends a line; a bare CR or LF is a byte of its line. The result does not
 * depend on how the content was cut.
 *
 * A field is a name of printable ASCII without a colon, blanks perhaps (RFC 5322, 4.5.8), and a
 * colon. A line that begins with a blank continues the field before it. A first line that is
 * neither a field nor empty means that there is no header; such a line further down means that the
 * header runs into the body. Software that is made by hand sends both. In both cases the whole of
 * the content counts as body: what is put in front of it (message/trace_fields.h) ends with an
 * empty line, and the content stays as it came.
 */

#include "base/span.h"

#define MESSAGE_HEADER_SIZE_MAX (256 * 1024) /* bytes of header that are looked at */
#define MESSAGE_HEADER_VALUE_MAX 250         /* bytes of a value that are kept */
#define MESSAGE_RECEIVED_COUNT_MAX 50        /* more are a loop: 554 5.4.6 (RFC 5321, 6.3) */

enum message_header_shape {
	MESSAGE_HEADER_UNDECIDED,      /* more content, or message_header_end(), decides */
	MESSAGE_HEADER_PROPER,         /* fields, perhaps none, up to an empty line or the end */
	MESSAGE_HEADER_MISSING,        /* the content begins with its body, or is empty */
	MESSAGE_HEADER_RUNS_INTO_BODY, /* fields, then a line that is none */
	MESSAGE_HEADER_TOO_LARGE,      /* not at its end after MESSAGE_HEADER_SIZE_MAX bytes */
};

/* The value of the first field of that name that has one: unfolded, without blanks at its ends,
   otherwise as it came (escape it before showing it). */
struct message_header_value {
	char text[MESSAGE_HEADER_VALUE_MAX];
	size_t len;
	bool cut; /* the value is longer */
};

struct message_header {
	/* Final as soon as shape is not UNDECIDED. */
	enum message_header_shape shape;
	/* Fields up to where the header ends. When the shape is MISSING or RUNS_INTO_BODY they are
	   part of the body; TOO_LARGE: others may follow. */
	bool has_date, has_message_id, has_from, has_sender;
	unsigned received_count;
	struct message_header_value subject, message_id;
	uint64_t header_len; /* bytes of the fields, without the empty line; 0 when the
				shape is MISSING or RUNS_INTO_BODY */

	/* So far; final after message_header_end(). */
	uint64_t size;         /* bytes fed */
	bool eight_bit_header; /* bytes above 127 in the fields */
	bool eight_bit_body;   /* and behind them */
	uint64_t line_len_max; /* the longest line, without its CRLF */

	/* The scan's own. */
	int state;
	char name[12]; /* of the field under way, in lower case */
	size_t name_len;
	struct message_header_value *value;
	uint64_t line_len;
	bool line_ends_with_cr;
};

void message_header_init(struct message_header *h);
void message_header_feed(struct message_header *h, struct span content);
/* The content is complete. The shape is decided afterwards. */
void message_header_end(struct message_header *h);

struct span message_header_value_span(const struct message_header_value *value);

#endif
