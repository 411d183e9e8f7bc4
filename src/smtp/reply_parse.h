/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_REPLY_PARSE_H
#define FRANK_SMTP_REPLY_PARSE_H

/*
 * Reads the replies of a server (RFC 5321, 4.2): lines of three digits, a hyphen or a blank, and
 * text. Only CRLF ends a line: a line feed alone is a fault that is named as such, because waiting
 * for the CR that never comes would look like a slow server. Codes from 200 to 599 are taken. Where
 * the lines of one reply differ in code the last counts (RFC 5321, 4.2.1), and the reply is marked.
 *
 * Lines up to 4096 octets are read (RFC 5321 allows 512, servers send more); of a reply, 100 lines
 * and 16 KiB are kept, the rest is read and dropped; a reply of more than 1000 lines is a fault.
 */

#include "base/conceal.h"

#define SMTP_RECEIVED_LINE_MAX 4096
#define SMTP_RECEIVED_LINES_KEPT 100
#define SMTP_RECEIVED_OCTETS_KEPT 16384
#define SMTP_RECEIVED_LINES_MAX 1000

/* Enhanced status code (RFC 3463), as in "5.7.8"; all zero when there is none. */
struct smtp_reply_status {
	uint8_t class; /* 2, 4 or 5 */
	uint16_t subject, detail;
};

/* One line of a reply. */
struct smtp_reply_line {
	unsigned code;
	bool last; /* a blank, or nothing, follows the code */
	struct smtp_reply_status status;
	struct span text; /* behind code and separator, the enhanced status with it */
};

enum smtp_reply_fault {
	SMTP_REPLY_FAULT_NONE,
	SMTP_REPLY_FAULT_NOT_A_REPLY, /* three digits and a blank or a hyphen are missing */
	SMTP_REPLY_FAULT_CODE,        /* below 200 or above 599 */
	SMTP_REPLY_FAULT_TOO_LONG,    /* no CRLF within 4096 octets */
	SMTP_REPLY_FAULT_BARE_LF,     /* a line feed without a carriage return */
	SMTP_REPLY_FAULT_ENDLESS,     /* more than 1000 lines */
};

/* Reads one line, given without its CRLF. *line_out borrows from it, and is set only when the
   result is SMTP_REPLY_FAULT_NONE; the others that can come are NOT_A_REPLY and CODE. */
enum smtp_reply_fault smtp_reply_line_parse(struct span line, struct smtp_reply_line *line_out);

/* The enhanced status in a reply's text: in front ("5.7.8 text"), or as qmail and others write it
   ("text (#5.7.0)", "#5.5.1 text"). All zero when there is none. */
struct smtp_reply_status smtp_reply_status_find(struct span text);

/* A whole reply. Lives inside the parser until its next call. */
struct smtp_received_reply {
	unsigned code;                   /* 0: no reply was received */
	struct smtp_reply_status status; /* that of the first line which has one */
	struct span text;                /* the lines' texts joined by blanks, for one-line use; the
					    enhanced status stands once, where it came first */
	struct span lines;               /* the lines as they came, each followed by one LF */
	unsigned line_count;             /* with the dropped ones */
	bool cut;                        /* some was dropped */
	bool mixed_codes;
};

bool smtp_reply_is_positive(const struct smtp_received_reply *reply);  /* 2yz */
bool smtp_reply_is_temporary(const struct smtp_received_reply *reply); /* 4yz */
bool smtp_reply_is_permanent(const struct smtp_received_reply *reply); /* 5yz */

/* Writes "550 5.7.1 text" in printable form, cut to size, always with a NUL. Returns out. */
const char *smtp_reply_format(const struct smtp_received_reply *reply, char *out, size_t size);

struct smtp_reply_parser {
	struct smtp_received_reply reply;
	struct buf lines, text;
	/* What the server was told in confidence: from where replies enter, nobody sees it in them.
	   Borrowed; NULL: nothing yet. */
	const struct conceal *conceal;
	struct buf hidden;    /* a line without it */
	struct buf challenge; /* secret: see smtp_reply_parser_challenge() */
	bool complete;
};

enum smtp_reply_result {
	SMTP_REPLY_RESULT_NEED_MORE, /* *input holds no whole line; it is left alone */
	SMTP_REPLY_RESULT_LINE,      /* a line was taken, the reply goes on */
	SMTP_REPLY_RESULT_COMPLETE,  /* a line was taken, parser->reply is whole */
	SMTP_REPLY_RESULT_MALFORMED, /* *fault_out says why, *line_out is what was seen of the
					line; nothing is taken */
};

void smtp_reply_parser_init(struct smtp_reply_parser *parser);
void smtp_reply_parser_fini(struct smtp_reply_parser *parser);
/* Forgets the reply and gives its memory back. */
void smtp_reply_parser_reset(struct smtp_reply_parser *parser);
/* Takes one line off *input. *line_out is the line without CRLF, for the observer, and lives until
   the next call or change of the input; it is set unless the result is NEED_MORE. A call after
   COMPLETE begins the next reply. */
enum smtp_reply_result smtp_reply_parser_next(struct smtp_reply_parser *parser, struct span *input,
    struct span *line_out, enum smtp_reply_fault *fault_out);

/* The text of a complete 334 as it came: a mechanism needs it to the letter. Never to be shown. */
struct span smtp_reply_parser_challenge(const struct smtp_reply_parser *parser);

#endif
