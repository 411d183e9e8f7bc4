/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_SERVER_H
#define FRANK_SMTP_SERVER_H

/*
 * The server's side of one SMTP session (RFC 5321) with PIPELINING, SIZE, 8BITMIME,
 * ENHANCEDSTATUSCODES, STARTTLS (RFC 3207), AUTH (RFC 4954), and, where the settings say so,
 * CHUNKING (RFC 3030), DSN (RFC 3461), SMTPUTF8 (RFC 6531), LIMITS (RFC 9422) and REQUIRETLS (RFC
 * 8689). Pure: no descriptor, no clock, no memory but a small one for AUTH payloads and one for the
 * refusal of a chunk that must be read to its end first. The owner
 *
 * - calls smtp_server_next() again and again with what it has received, until that says NEED_INPUT
 *   or WAIT (so pipelining needs nothing else);
 * - acts on the events, and answers those marked "Owed" below, at once or later;
 * - sends what stands in the output buffer whenever it likes, and before it waits at the latest.
 *
 * The machine keeps no input: a line that is not whole stays with the owner, whose input buffer
 * must hold SMTP_SERVER_INPUT_MIN bytes. While an answer is owed nothing is taken.
 */

#include "smtp/address.h"
#include "smtp/data.h"
#include "smtp/line_kind.h"
#include "smtp/notify.h"
#include "smtp/quirk.h"
#include "smtp/reply.h"
#include "smtp/xclient.h"

#define SMTP_AUTH_LINE_MAX 12288   /* RFC 4954, 4 */
#define SMTP_COMMAND_LINE_MAX 2048 /* RFC 5321's 512 and room for parameters */
#define SMTP_SERVER_INPUT_MIN (SMTP_AUTH_LINE_MAX + 64)
#define SMTP_SERVER_OUTPUT_ROOM 16384 /* below this much room in the output, NEED_OUTPUT */
#define SMTP_HELLO_NAME_MAX 255

/* One listener's rules; the same for all its sessions, which it outlives. */
struct smtp_server_settings {
	const char *hostname;
	const char *greeting;        /* behind "ESMTP" in the greeting; NULL: "Frank" */
	uint64_t size_max_bytes;     /* of content; not 0 */
	unsigned recipients_max;     /* accepted in one transaction; not 0 */
	unsigned errors_max;         /* wrong commands before 421; 0: 20. A kept message
					sets the count back to 0. */
	unsigned auth_failures_max;  /* failures before 421; 0: 5 */
	unsigned commands_max; /* commands before 421; 0: any number. Accepted recipients and chunks
				  are none, and a kept message sets the count back to 0. */
	bool tls_offered;            /* STARTTLS */
	bool tls_active;             /* TLS from the first byte */
	bool tls_required;           /* MAIL without TLS: 530 */
	const char *auth_mechanisms; /* "PLAIN LOGIN"; NULL or "": no AUTH. To begin with: see
					smtp_server_offer_auth() */
	bool auth_required;          /* MAIL without AUTH: 530 */
	bool auth_needs_tls;         /* AUTH without TLS is not listed, and 538 */
	bool strict;                 /* quirks that are understood unnamed are refused */
	unsigned quirks;             /* those named here: bits, SMTP_QUIRK_BIT(…) */
	/* Extensions that the owner can honour: */
	bool chunking;   /* BDAT */
	bool dsn;        /* RET, ENVID, NOTIFY, ORCPT */
	bool smtputf8;   /* addresses and headers beyond ASCII */
	bool limits;     /* tells recipients_max */
	bool requiretls; /* listed under TLS only */
};

enum smtp_phase {
	SMTP_PHASE_START,   /* no greeting yet */
	SMTP_PHASE_GREETED, /* no EHLO or HELO yet */
	SMTP_PHASE_READY,
	SMTP_PHASE_AUTH,    /* inside an AUTH exchange */
	SMTP_PHASE_MAIL,    /* a sender is accepted */
	SMTP_PHASE_RCPT,    /* and a recipient */
	SMTP_PHASE_CONTENT, /* after 354 */
	SMTP_PHASE_CHUNKS,  /* after the first BDAT, in or between chunks */
	SMTP_PHASE_TLS,     /* after 220 to STARTTLS */
	SMTP_PHASE_CLOSED,
};

enum smtp_server_event_kind {
	SMTP_SERVER_NEED_INPUT,     /* read more, and call again */
	SMTP_SERVER_NEED_OUTPUT,    /* flush the output, and call again */
	SMTP_SERVER_WAIT,           /* an answer or the news of TLS is owed; or all is over */
	SMTP_SERVER_HELLO,          /* hello */
	SMTP_SERVER_STARTTLS,       /* the 220 is in the output: flush it, throw away and count
				       what was received behind the command, start TLS, then
				       call smtp_server_tls_started() */
	SMTP_SERVER_AUTH_BEGIN,     /* auth. Owed: challenge, success or failure */
	SMTP_SERVER_AUTH_RESPONSE,  /* auth. Owed: the same */
	SMTP_SERVER_AUTH_CANCELLED, /* the exchange is over: "*", or no base64; answered */
	SMTP_SERVER_XCLIENT,        /* xclient. Owed: smtp_server_become(), _turn_away(), or
				       smtp_server_answer() with why not */
	SMTP_SERVER_MAIL,           /* mail. Owed: smtp_server_answer() */
	SMTP_SERVER_RCPT,           /* rcpt. Owed: the same */
	SMTP_SERVER_DATA,           /* or the first BDAT. Owed: SMTP_REPLY_START_CONTENT, which
				       is not sent to BDAT, or why not */
	SMTP_SERVER_CONTENT,        /* content, a piece of the message, dots unstuffed */
	SMTP_SERVER_MESSAGE,        /* message, it is complete. Owed: smtp_server_answer() */
	SMTP_SERVER_REFUSED,        /* refused: drop the draft. The rest of the content, or of the
				       chunk, is thrown away here, and the 55x sent behind it. */
	SMTP_SERVER_ABORTED,        /* aborted: a transaction with its MAIL accepted is lost */
	SMTP_SERVER_CLOSE,          /* close: flush the output, then close. The last event. */
};

enum smtp_abort {
	SMTP_ABORT_RSET,
	SMTP_ABORT_EHLO,
	SMTP_ABORT_HELO,
	SMTP_ABORT_STARTTLS,
	SMTP_ABORT_QUIT,
	SMTP_ABORT_CHUNK, /* a chunk was refused: the message lacks it */
	SMTP_ABORT_CLOSE, /* a CLOSE event follows, and says why */
};

enum smtp_refusal {
	SMTP_REFUSAL_BARE_LF,
	SMTP_REFUSAL_BARE_CR,
	SMTP_REFUSAL_TOO_LARGE,
};

enum smtp_close {
	SMTP_CLOSE_QUIT,
	SMTP_CLOSE_ERRORS, /* too many wrong commands */
	SMTP_CLOSE_COMMANDS, /* too many that led to no message */
	SMTP_CLOSE_AUTH_FAILURES,
	SMTP_CLOSE_CONTENT,   /* content without end */
	SMTP_CLOSE_CHUNK,     /* a BDAT that does not say how many octets follow */
	SMTP_CLOSE_LINE,      /* a line without end */
	SMTP_CLOSE_TLS_HELLO, /* the client began with TLS where none is */
	SMTP_CLOSE_HTTP,
	SMTP_CLOSE_TURNED_AWAY,
	SMTP_CLOSE_ANSWERED, /* the owner answered 421 */
	SMTP_CLOSE_SHUTDOWN,
	SMTP_CLOSE_TIMEOUT,
};

/* Spans live until the next call for this machine, and no longer than the input they came from. */
struct smtp_server_event {
	enum smtp_server_event_kind kind;
	union {
		struct {
			struct span name; /* see smtp_server_hello_name() */
			bool extended;    /* EHLO */
		} hello;
		struct {
			struct span mechanism; /* as listed in the settings */
			struct span data;      /* decoded; wiped at the end */
			bool has_initial;      /* BEGIN: data is an initial response */
		} auth;
		struct smtp_xclient xclient;
		struct {
			struct smtp_address address;
			uint64_t size;     /* SIZE=, 0 when absent */
			bool is_eight_bit; /* BODY=8BITMIME */
			bool smtputf8, requiretls;
			enum smtp_return ret;
			struct span envid; /* xtext; empty when absent */
		} mail;
		struct {
			struct smtp_address address; /* domain is empty for a bare local name */
			unsigned notify;             /* enum smtp_notify; 0 when absent */
			struct span orcpt;           /* as it came; empty when absent */
		} rcpt;
		struct span content;
		struct {
			uint64_t octets;
		} message;
		struct {
			enum smtp_refusal reason;
			uint64_t line;   /* of the bare newline, counted from 1 */
			uint64_t octets; /* given out as CONTENT before */
		} refused;
		struct {
			enum smtp_abort reason;
			unsigned recipients; /* accepted ones */
		} aborted;
		enum smtp_close close;
	};
};

/* Private to the machine, but for quirks[], quirks_missed, tls_active, authenticated and
   extended. */
struct smtp_server {
	const struct smtp_server_settings *settings;
	struct buf *output;
	void (*observe)(void *context, enum smtp_line_kind kind, struct span text);
	void *observe_context;

	enum smtp_phase phase;
	unsigned owed; /* enum smtp_owed, in server_private.h */
	unsigned queued_count;
	struct smtp_server_event queued[4]; /* to be given out first */

	bool tls_active, authenticated;
	bool extended; /* EHLO, not HELO */
	bool hello_done, shutting_down;
	bool line_overlong;   /* discarding through the CRLF */
	bool bare_lf_waiting; /* in what has come of the present line */
	bool auth_tried;      /* since then bare words may be secrets */
	bool auth_just_tried;
	unsigned errors, auth_failures, commands;
	bool xclient_allowed;
	uint64_t overlong_octets;
	size_t overlong_limit;

	unsigned recipients; /* of the transaction */
	bool smtputf8;       /* said by its MAIL */
	struct smtp_data_reader reader;
	bool in_chunk; /* octets of a chunk are read */
	bool chunk_is_last;
	bool chunk_is_discarded; /* its reply is in deferred */
	uint64_t chunk_left, chunk_octets;
	struct buf deferred; /* the reply to a chunk that is refused */
	bool refused;
	enum smtp_refusal refusal;
	uint64_t refused_line, discarded;

	const char *auth_mechanisms; /* those on offer now */
	struct span mechanism;       /* borrows from them */
	struct buf auth_data;        /* secret */

	unsigned allowed;                  /* quirks that are named: bits */
	unsigned quirks_missed;            /* bits: something was refused for want of them */
	uint64_t quirks[SMTP_QUIRK_COUNT]; /* uses so far */
	bool input_behind;                 /* came behind a message whose reply was not yet given */
	bool command_is_early;
	char hello_name[SMTP_HELLO_NAME_MAX + 1];
};

/* The output buffer is the connection's own: replies are appended to it. Its ceiling must be
   2 * SMTP_SERVER_OUTPUT_ROOM at least. */
void smtp_server_init(
    struct smtp_server *s, const struct smtp_server_settings *settings, struct buf *output);
void smtp_server_fini(struct smtp_server *s); /* wipes what is secret */

/* From now on every classified line is shown to observe; NULL ends that. */
void smtp_server_observe(struct smtp_server *s,
    void (*observe)(void *context, enum smtp_line_kind kind, struct span text), void *context);

/* These quirks, and those of the settings, are understood from now on: bits. For what holds for
   some clients of a listener only. */
void smtp_server_allow(struct smtp_server *s, unsigned quirks);

/* One of the two begins the session. Turned away, it gets this reply (421 or 554; text may be
   NULL for the table's) as its greeting, and CLOSE; so does who is turned away after XCLIENT. */
void smtp_server_greet(struct smtp_server *s);
void smtp_server_turn_away(struct smtp_server *s, enum smtp_reply_id id, const char *text);

/* Takes off *input what it has understood, appends the replies, and returns one event, whose
   kind is also event_out->kind. After CLOSE it returns WAIT for ever. */
enum smtp_server_event_kind smtp_server_next(
    struct smtp_server *s, struct span *input, struct smtp_server_event *event_out);

/* Answers MAIL, RCPT, DATA and MESSAGE. The code's class decides what happens: 2yz and 354
   accept. A 421 closes. format may be NULL for the table's text; the enhanced status comes
   from the table. */
void smtp_server_answer(struct smtp_server *s, enum smtp_reply_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same in the operator's own words (a route's "refuse"): code is 400 to 599; enhanced may be
 * NULL. */
void smtp_server_answer_custom(
    struct smtp_server *s, unsigned code, const char *enhanced, const char *text);

/* Before answering a MESSAGE: input stands there already. Who calls smtp_server_next() with it
   meanwhile need not say so. */
void smtp_server_note_input(struct smtp_server *s);

/* Answer AUTH_BEGIN and AUTH_RESPONSE. challenge is raw, at most 9,210 bytes. A failure is an
   answer of 4yz or 5yz, usually SMTP_REPLY_AUTH_REJECTED or _TEMPORARY (which does not count
   as a failure). */
void smtp_server_auth_challenge(struct smtp_server *s, struct span challenge);
void smtp_server_auth_success(struct smtp_server *s);
void smtp_server_auth_failure(struct smtp_server *s, enum smtp_reply_id id, const char *text);

/* TLS is up: the session is as at its beginning, without a new greeting (RFC 3207, 4.2). */
void smtp_server_tls_started(struct smtp_server *s);

/* XCLIENT is offered from now on, or refused with 550. */
void smtp_server_allow_xclient(struct smtp_server *s, bool allowed);
/* Answers XCLIENT: the session is another client's now, who begins with a greeting, under these
   settings; signed in, when the one who speaks for him says so. */
void smtp_server_become(
    struct smtp_server *s, const struct smtp_server_settings *settings, bool authenticated);

/* 421 and CLOSE at the next boundary between commands: at once when the session is between
   two, after the answer when one is owed, after the message inside content. Call next()
   afterwards. */
void smtp_server_shutdown(struct smtp_server *s);
/* 421 and CLOSE at once, in any phase; an answer that is owed is not awaited, and must not be
   given any more. Call next() afterwards. */
void smtp_server_timeout(struct smtp_server *s);

/* From now on these mechanisms are on offer: TLS has changed what can succeed. Not within an AUTH
   exchange. mechanisms is borrowed until the end of the session; NULL or "": no AUTH. */
void smtp_server_offer_auth(struct smtp_server *s, const char *mechanisms);

bool smtp_server_answer_is_owed(const struct smtp_server *s);
enum smtp_phase smtp_server_phase(const struct smtp_server *s);
/* Octets of a message are expected: its deadline is that of content. */
bool smtp_server_in_content(const struct smtp_server *s);
/* A MAIL was accepted and its transaction has not ended. */
bool smtp_server_in_transaction(const struct smtp_server *s);
/* What the client called itself: printable ASCII without blanks and brackets, other bytes as
   "?"; empty before EHLO. Lives until the next hello. */
struct span smtp_server_hello_name(const struct smtp_server *s);

/* For logs: "rset", "too-many-errors", "bare-lf", "content". */
const char *smtp_phase_name(enum smtp_phase phase);
const char *smtp_abort_name(enum smtp_abort reason);
const char *smtp_refusal_name(enum smtp_refusal reason);
const char *smtp_close_name(enum smtp_close reason);
const char *smtp_server_event_name(enum smtp_server_event_kind kind);

#endif
