/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_REPLY_H
#define FRANK_SMTP_REPLY_H

/*
 * Every reply the server can send, in one table: code (RFC 5321, 4.2), enhanced status (RFC 3463,
 * RFC 2034, RFC 5248) and text. A text given by the caller replaces the table's. Whatever the
 * text holds, a reply is lines of at most 512 octets of printable ASCII, each ended by CRLF: long
 * texts become several lines, and other bytes become "?".
 */

#include "base/buf.h"

#include <stdarg.h>

enum smtp_reply_id {
	/* Greeting and session */
	SMTP_REPLY_GREETING,  /* 220 */
	SMTP_REPLY_HELLO,     /* 250, the first line in answer to HELO and EHLO */
	SMTP_REPLY_HELP,      /* 214 2.0.0 */
	SMTP_REPLY_BYE,       /* 221 2.0.0 */
	SMTP_REPLY_DONE,      /* 250 2.0.0: NOOP, RSET */
	SMTP_REPLY_START_TLS, /* 220 2.0.0 */
	SMTP_REPLY_WILL_TRY,  /* 252 2.0.0, to VRFY */
	/* AUTH (RFC 4954, 6) */
	SMTP_REPLY_AUTHENTICATED,           /* 235 2.7.0 */
	SMTP_REPLY_CHALLENGE,               /* 334, with base64 as its text */
	SMTP_REPLY_AUTH_CANCELLED,          /* 501 5.0.0 */
	SMTP_REPLY_AUTH_MALFORMED,          /* 501 5.5.2: not base64 */
	SMTP_REPLY_AUTH_TOO_LONG,           /* 500 5.5.6 */
	SMTP_REPLY_AUTH_REJECTED,           /* 535 5.7.8 */
	SMTP_REPLY_AUTH_TEMPORARY,          /* 454 4.7.0 */
	SMTP_REPLY_AUTH_MECHANISM_UNKNOWN,  /* 504 5.5.4 */
	SMTP_REPLY_AUTH_MECHANISM_TOO_WEAK, /* 534 5.7.9 */
	SMTP_REPLY_AUTH_NOT_OFFERED,        /* 502 5.5.1 */
	SMTP_REPLY_AUTH_NEEDS_TLS,          /* 538 5.7.11 */
	SMTP_REPLY_AUTH_ALREADY,            /* 503 5.5.1 */
	SMTP_REPLY_AUTH_IN_TRANSACTION,     /* 503 5.5.1 */
	SMTP_REPLY_AUTH_REQUIRED,           /* 530 5.7.0 */
	SMTP_REPLY_TLS_REQUIRED,            /* 530 5.7.0 */
	/* Transaction */
	SMTP_REPLY_SENDER_OK,     /* 250 2.1.0 */
	SMTP_REPLY_RECIPIENT_OK,  /* 250 2.1.5 */
	SMTP_REPLY_START_CONTENT, /* 354 */
	SMTP_REPLY_CHUNK_TAKEN,   /* 250 2.0.0: more chunks follow */
	SMTP_REPLY_MESSAGE_KEPT,  /* 250 2.0.0: durable; the text carries the id */
	/* 421: the connection closes */
	SMTP_REPLY_CLOSING_SHUTDOWN,            /* 4.3.2 */
	SMTP_REPLY_CLOSING_IDLE,                /* 4.4.2 */
	SMTP_REPLY_CLOSING_ERRORS,              /* 4.7.0 */
	SMTP_REPLY_CLOSING_COMMANDS,            /* 4.7.0: too many without a message */
	SMTP_REPLY_CLOSING_AUTH_FAILURES,       /* 4.7.0 */
	SMTP_REPLY_CLOSING_CONNECTIONS,         /* 4.7.0: too many in all */
	SMTP_REPLY_CLOSING_CONNECTIONS_ADDRESS, /* 4.7.0: too many from one address */
	SMTP_REPLY_CLOSING_BANNED,              /* 4.7.0 */
	SMTP_REPLY_CLOSING_CONTENT,             /* 4.7.0: content far beyond the limit */
	SMTP_REPLY_CLOSING_CHUNK,               /* 4.7.0: a BDAT that does not say its size */
	SMTP_REPLY_CLOSING_LINE,                /* 4.7.0: a line without end */
	SMTP_REPLY_CLOSING_TLS_HELLO,           /* 4.7.0: TLS from the first byte, where none is */
	SMTP_REPLY_CLOSING_HTTP,                /* 4.7.0: a browser */
	SMTP_REPLY_CLOSING_LOCAL_ERROR,         /* 4.3.0 */
	/* Not now */
	SMTP_REPLY_LOCAL_ERROR,         /* 451 4.3.0 */
	SMTP_REPLY_MAILBOX_BUSY,        /* 450 4.2.0 */
	SMTP_REPLY_SENDER_TEMPORARY,    /* 451 4.1.8 */
	SMTP_REPLY_RECIPIENT_TEMPORARY, /* 451 4.4.0: cannot decide about a recipient now */
	SMTP_REPLY_POLICY_TEMPORARY,    /* 451 4.7.1 */
	SMTP_REPLY_RATE_LIMITED,        /* 451 4.7.1 */
	SMTP_REPLY_NO_SPACE,            /* 452 4.3.1: disk */
	SMTP_REPLY_TOO_BUSY,            /* 452 4.3.1: memory */
	SMTP_REPLY_TOO_MANY_RECIPIENTS, /* 452 4.5.3 */
	SMTP_REPLY_TLS_UNAVAILABLE,     /* 454 4.7.0 */
	/* The command is wrong */
	SMTP_REPLY_COMMAND_UNKNOWN,      /* 500 5.5.1 */
	SMTP_REPLY_LINE_TOO_LONG,        /* 500 5.5.2 */
	SMTP_REPLY_LINE_BARE_NEWLINE,    /* 500 5.5.2 */
	SMTP_REPLY_LINE_BINARY,          /* 500 5.5.2 */
	SMTP_REPLY_SYNTAX,               /* 501 5.5.2 */
	SMTP_REPLY_ARGUMENTS,            /* 501 5.5.4 */
	SMTP_REPLY_HELO_NAME_MISSING,    /* 501 5.5.4 */
	SMTP_REPLY_NOT_IMPLEMENTED,      /* 502 5.5.1 */
	SMTP_REPLY_STARTTLS_NOT_OFFERED, /* 502 5.5.1 */
	SMTP_REPLY_OUT_OF_SEQUENCE,      /* 503 5.5.1 */
	SMTP_REPLY_HELLO_FIRST,          /* 503 5.5.1 */
	SMTP_REPLY_MAIL_FIRST,           /* 503 5.5.1 */
	SMTP_REPLY_RECIPIENT_FIRST,      /* 503 5.5.1 */
	SMTP_REPLY_MAIL_NESTED,          /* 503 5.5.1 */
	SMTP_REPLY_CHUNKS_BEGUN,         /* 503 5.5.1 */
	SMTP_REPLY_TLS_ALREADY,          /* 503 5.5.1 */
	SMTP_REPLY_PARAMETER_VALUE,      /* 501 5.5.4 */
	SMTP_REPLY_PARAMETER_UNKNOWN,    /* 555 5.5.4 */
	/* The address is wrong */
	SMTP_REPLY_SENDER_SYNTAX,     /* 553 5.1.7 */
	SMTP_REPLY_RECIPIENT_SYNTAX,  /* 553 5.1.3 */
	SMTP_REPLY_SENDER_REFUSED,    /* 553 5.1.7 */
	SMTP_REPLY_RECIPIENT_REFUSED, /* 553 5.1.3 */
	SMTP_REPLY_NEEDS_SMTPUTF8,    /* 553 5.6.7 */
	SMTP_REPLY_RECIPIENT_UNKNOWN, /* 550 5.1.1 */
	SMTP_REPLY_SENDER_NOT_OWNED,  /* 553 5.7.1 */
	/* Policy */
	SMTP_REPLY_RELAYING_DENIED, /* 550 5.7.1 */
	SMTP_REPLY_POLICY_REFUSED,  /* 550 5.7.1 */
	SMTP_REPLY_ACCESS_DENIED,   /* 554 5.7.1 */
	/* The message is wrong */
	SMTP_REPLY_BARE_NEWLINE,    /* 550 5.6.11 */
	SMTP_REPLY_TOO_LARGE,       /* 552 5.3.4 */
	SMTP_REPLY_LOOP,            /* 554 5.4.6 */
	SMTP_REPLY_CONTENT_REFUSED, /* 554 5.6.0 */
	SMTP_REPLY_COUNT,
};

struct smtp_reply {
	unsigned code;
	const char *enhanced; /* "5.7.8"; NULL where RFC 2034 puts none */
	const char *text;     /* plain: no printf directives */
};

const struct smtp_reply *smtp_reply_get(enum smtp_reply_id id);

#define SMTP_REPLY_LINE_MAX 512  /* with code and CRLF (RFC 5321, 4.5.3.1.5) */
#define SMTP_REPLY_TEXT_MAX 2000 /* longer texts are cut */

/* Appends the reply to b; an empty text takes the table's. Returns false at b's ceiling, and
   nothing is written. */
bool smtp_reply_append(struct buf *b, enum smtp_reply_id id, struct span text);
/* The same for a reply in the operator's own words, which no table can hold. */
bool smtp_reply_append_custom(struct buf *b, const struct smtp_reply *reply, struct span text);

#endif
