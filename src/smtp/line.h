/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_LINE_H
#define FRANK_SMTP_LINE_H

/*
 * Splits received bytes into SMTP lines (RFC 5321, 2.3.8). Only CRLF ends a line. A bare CR or LF
 * is reported and never repaired here: servers that disagree on line ends let mail be smuggled.
 */

#include "base/span.h"

enum smtp_line_result {
	SMTP_LINE_COMPLETE,     /* taken; *line_out is set, without its CRLF */
	SMTP_LINE_BARE_NEWLINE, /* the same, but a bare CR or LF stands inside the line */
	SMTP_LINE_NEED_MORE,    /* no CRLF yet; nothing is taken */
	SMTP_LINE_TOO_LONG,     /* longer than max_len; nothing is taken */
};

/* Takes the first line off *input, whole up to its CRLF. *line_out borrows from *input. max_len
   excludes the CRLF. With NEED_MORE and TOO_LONG both arguments are left alone. */
enum smtp_line_result smtp_line_take(struct span *input, size_t max_len, struct span *line_out);

/* The same where LF alone ends a line, too (SMTP_QUIRK_BARE_LF): then *was_bare_out is set. A CR
   that no LF follows is a BARE_NEWLINE as before. */
enum smtp_line_result smtp_line_take_lf(
    struct span *input, size_t max_len, struct span *line_out, bool *was_bare_out);

/* Drops the rest of a line that is too long, through its CRLF. False: the CRLF has not come
   yet, and all but a CR at the very end has been dropped. */
bool smtp_line_discard(struct span *input);
/* The same through the next LF. */
bool smtp_line_discard_lf(struct span *input);

/* What a command line may not contain. */
enum smtp_line_flaw {
	SMTP_LINE_CLEAN, /* printable ASCII, blanks and tabs */
	SMTP_LINE_BARE_LF,
	SMTP_LINE_BARE_CR,
	SMTP_LINE_NUL,
	SMTP_LINE_CONTROL,   /* another byte below 32, or 127 */
	SMTP_LINE_EIGHT_BIT, /* a byte above 127, and nothing worse */
};

/* Finds the first flaw of a line (its bytes above 127 only when there is no other). *position_out,
   counted from 1, is set unless CLEAN. */
enum smtp_line_flaw smtp_line_check(struct span line, size_t *position_out);

#endif
