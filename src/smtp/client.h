/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_CLIENT_H
#define FRANK_SMTP_CLIENT_H

/*
 * The client's side of SMTP (RFC 5321) and LMTP (RFC 2033), for delivery and for `frank send`
 * alike. Pure: received bytes go in through smtp_client_next(), commands are appended to the
 * owner's output buffer, and events say what happened and what the owner owes.
 *
 *	greeting, EHLO	by itself; EHLO_REFUSED asks the owner
 *	STARTTLS	by itself, as settings.starttls says; the event asks for the handshake
 *	AUTH		the owner steps the mechanism (sasl/ladder.h), unknown to this folder
 *	READY		the owner gives a transaction, probes, or quits
 *
 * A machine never goes on in clear text where TLS is required. After FAILED the connection is of no
 * use any more; smtp_client_quit() is still allowed and takes leave where that makes sense.
 *
 * The owner flushes output while it reads: in a pipelined group up to 100 commands or 16 KiB are
 * unanswered at a time, the rest is added as replies come in. Call smtp_client_next() again after
 * output has drained, too.
 */

#include "base/fault.h"
#include "smtp/data.h"
#include "smtp/ehlo_parse.h"
#include "smtp/line_kind.h"
#include "smtp/notify.h"
#include "smtp/reply_parse.h"

#define SMTP_CLIENT_OUTPUT_MIN 32768 /* the least ceiling of the owner's output buffer */
#define SMTP_CLIENT_PATH_MAX 1000    /* octets of one address */
#define SMTP_CLIENT_PAYLOAD_MAX 9000 /* octets of an AUTH payload: its line is 12,288 */

enum smtp_client_starttls {
	SMTP_CLIENT_STARTTLS_NEVER,
	SMTP_CLIENT_STARTTLS_IF_OFFERED,
	SMTP_CLIENT_STARTTLS_REQUIRED,
};

struct smtp_client_settings {
	struct span ehlo_name; /* borrowed for the machine's life; no blanks or controls */
	enum smtp_client_starttls starttls;
	bool tls_active;     /* from the first byte; starttls then has no meaning */
	bool auth_required;  /* a refused EHLO is then final: HELO brings no AUTH */
	bool lmtp;           /* LHLO, and a final reply per accepted recipient */
	bool pipelining_off; /* wait for each reply even where PIPELINING is offered */
};

/* What is going on: which reply is awaited, or what the owner is asked for. Deadlines differ by it
   (RFC 5321, 4.5.3.2), and a failure names it. */
enum smtp_client_stage {
	SMTP_CLIENT_STAGE_GREETING,
	SMTP_CLIENT_STAGE_EHLO,
	SMTP_CLIENT_STAGE_HELO,
	SMTP_CLIENT_STAGE_STARTTLS, /* the command */
	SMTP_CLIENT_STAGE_TLS,      /* the handshake, which is the owner's */
	SMTP_CLIENT_STAGE_AUTH,
	SMTP_CLIENT_STAGE_READY, /* between transactions */
	SMTP_CLIENT_STAGE_RSET,  /* a reset before a transaction, or a probe */
	SMTP_CLIENT_STAGE_MAIL,
	SMTP_CLIENT_STAGE_RCPT,
	SMTP_CLIENT_STAGE_DATA,
	SMTP_CLIENT_STAGE_CONTENT, /* the content is being sent */
	SMTP_CLIENT_STAGE_MESSAGE, /* the reply to the final dot */
	SMTP_CLIENT_STAGE_QUIT,
	SMTP_CLIENT_STAGE_CLOSED,
};

const char *smtp_client_stage_name(enum smtp_client_stage stage); /* "greeting", "MAIL", ... */

enum smtp_client_event_kind {
	/* Nothing more without input, drained output, or the owner's answer to the last event. */
	SMTP_CLIENT_WAIT,
	/* EHLO got 5yz (reply), and settings need no extension. Answer: smtp_client_helo() or
	   smtp_client_quit(). Where they need one, FAILED comes instead. */
	SMTP_CLIENT_EHLO_REFUSED,
	/* The server is ready for TLS. Answer: shake hands, then smtp_client_tls_started(). */
	SMTP_CLIENT_STARTTLS,
	/* A note: STARTTLS was offered and refused (reply), and the policy IF_OFFERED goes on
	   without. Nothing is owed. */
	SMTP_CLIENT_STARTTLS_REFUSED,
	/* Extensions are known. Comes in every session, with or without AUTH on offer. Answer:
	   smtp_client_auth_start(), smtp_client_auth_none() or smtp_client_quit(). */
	SMTP_CLIENT_AUTH,
	/* 334; challenge. Answer: smtp_client_auth_respond() or smtp_client_auth_cancel(). */
	SMTP_CLIENT_AUTH_CHALLENGE,
	/* The final reply of an AUTH. After 2yz nothing is owed and READY follows; else the answer
	   is as for AUTH. */
	SMTP_CLIENT_AUTH_REPLY,
	/* Answer: smtp_client_mail(), smtp_client_probe() or smtp_client_quit(). */
	SMTP_CLIENT_READY,
	/* The reply to one RCPT: recipient, reply. All of them come before CONTENT or
	   TRANSACTION_FAILED of stage DATA. */
	SMTP_CLIENT_RECIPIENT,
	/* 354. Answer: smtp_client_content() until all is sent, then smtp_client_content_end().
	   A content that cannot be finished leaves only closing the connection. */
	SMTP_CLIENT_CONTENT,
	/* The final reply. recipient is SMTP_CLIENT_ALL; with LMTP one event per accepted
	   recipient, in order. READY follows. */
	SMTP_CLIENT_MESSAGE,
	/* stage and reply: MAIL, RCPT (all were refused; reply is the last one's) or DATA refused,
	   and READY follows; or stage CONTENT: a refusal came before the content had ended, and
	   FAILED follows. */
	SMTP_CLIENT_TRANSACTION_FAILED,
	/* The reply to a probe. Unless stale the machine is ready, without another event. stale:
	   the session is of no use (an old 421, a refusal, or the end of the connection, with
	   reply code 0); open a new one, nothing is at fault. */
	SMTP_CLIENT_PROBED,
	/* stage, failure, fault and, where there was one, reply. */
	SMTP_CLIENT_FAILED,
	/* After smtp_client_quit(): the session is over. */
	SMTP_CLIENT_CLOSED,
};

enum smtp_client_failure {
	SMTP_CLIENT_FAILURE_NONE,
	SMTP_CLIENT_FAILURE_REFUSED, /* 4yz or 5yz to the greeting, EHLO, HELO or RSET */
	SMTP_CLIENT_FAILURE_LEAVING, /* 421 at any time */
	SMTP_CLIENT_FAILURE_CLOSED,  /* the connection ended */
	SMTP_CLIENT_FAILURE_TIMEOUT,
	SMTP_CLIENT_FAILURE_PROTOCOL,        /* what came is no reply, or not in its place */
	SMTP_CLIENT_FAILURE_NOT_SMTP,        /* another protocol answers on this port */
	SMTP_CLIENT_FAILURE_TLS_NOT_OFFERED, /* required, and STARTTLS is not listed */
	SMTP_CLIENT_FAILURE_TLS_REFUSED,     /* required, listed and refused */
	SMTP_CLIENT_FAILURE_TLS_INJECTION,   /* bytes in clear behind the reply to STARTTLS */
	SMTP_CLIENT_FAILURE_STUCK,           /* the output buffer does not drain */
};

#define SMTP_CLIENT_ALL SIZE_MAX

/* Lives, with all that it points to, until the next call of any smtp_client function. */
struct smtp_client_event {
	enum smtp_client_event_kind kind;
	enum smtp_client_stage stage;
	const struct smtp_received_reply *reply; /* never NULL; code 0: there was none */
	size_t recipient;                        /* index into the transaction's recipients */
	struct span challenge; /* decoded; the text as it came when it is not base64 */
	bool challenge_is_base64;
	bool stale;
	enum smtp_client_failure failure;
	const struct fault *fault; /* FAILED: the sentence; its kind is always temporary, as a
				      failed session says nothing about a message */
};

/* What the sender wants to hear about one recipient; lives as long as the recipients. */
struct smtp_client_notify {
	unsigned notify;   /* enum smtp_notify; 0: nothing was said */
	struct span orcpt; /* as it came; empty: none */
};

struct smtp_client_transaction {
	struct span reverse_path;      /* without brackets; empty: the null reverse-path */
	const struct span *recipients; /* array and addresses live until the transaction ends; at
					  least one */
	size_t recipient_count;
	uint64_t size;  /* octets, sent where SIZE is offered; 0: not known */
	bool body_8bit; /* BODY=8BITMIME where offered */
	bool smtputf8;  /* SMTPUTF8 where offered */
	bool
	    requiretls; /* REQUIRETLS where offered; whether that will do is the owner's question */
	/* Where DSN is offered: */
	enum smtp_return ret;
	struct span envid; /* xtext; empty: none */
	const struct smtp_client_notify
	    *notify; /* one for each recipient; NULL: nothing was said */
};

/* Fields are the machine's own; read them through the functions. */
struct smtp_client {
	struct smtp_client_settings settings;
	struct buf *output;
	enum smtp_client_stage stage;
	unsigned owes;    /* what the owner is asked for, enum in client_internal.h */
	unsigned pending; /* events due without input, bits in client_internal.h */
	bool tls_active, greeting_masked, eof, timed_out, over;
	struct smtp_extensions extensions;
	struct smtp_reply_parser parser;
	char mechanism[SMTP_MECHANISM_MAX + 1];
	struct buf challenge;
	bool challenge_is_base64;

	struct smtp_client_transaction transaction;
	size_t step_sent, step_answered; /* commands, see client_internal.h */
	size_t octets_unanswered;
	size_t ahead_sent, ahead_octets; /* of the next transaction; 0: nothing */
	size_t recipient, accepted_count, answered_count;
	unsigned char *accepted; /* LMTP: one byte per recipient */
	bool transaction_failed, mail_accepted, reset_needed, content_ended, probing;
	enum smtp_client_stage failed_stage;
	struct smtp_data_writer writer;
	uint64_t content_octets;

	enum smtp_client_failure failure;
	enum smtp_client_stage failure_stage;
	struct fault fault;
	void (*observe)(void *context, enum smtp_line_kind kind, struct span text);
	void *observe_context;
};

/* output is the connection's own buffer and outlives the machine; its ceiling is at least
   SMTP_CLIENT_OUTPUT_MIN. */
void smtp_client_init(
    struct smtp_client *c, const struct smtp_client_settings *settings, struct buf *output);
void smtp_client_fini(struct smtp_client *c);
/* Each line, once classified (smtp/line_kind.h). NULL ends it. */
void smtp_client_observe(struct smtp_client *c,
    void (*observe)(void *context, enum smtp_line_kind kind, struct span text), void *context);

/* From now on nothing of these secrets is seen in replies: not by the observer, not in events or
   sentences. They are borrowed for the machine's life, and known best before the first AUTH. The
   challenge of an event is as it came. */
void smtp_client_conceal(struct smtp_client *c, const struct conceal *secrets);

/* Takes whole lines off *input, a partial line stays with the owner; returns one event, which is
   also event_out->kind. Call until WAIT. */
enum smtp_client_event_kind smtp_client_next(
    struct smtp_client *c, struct span *input, struct smtp_client_event *event_out);
/* The connection ended, or the deadline of the stage has passed: call smtp_client_next() with what
   input is left; behind it FAILED, PROBED or CLOSED come. */
void smtp_client_eof(struct smtp_client *c);
void smtp_client_timeout(struct smtp_client *c);

enum smtp_client_stage smtp_client_stage(const struct smtp_client *c);
/* True while the server owes a reply: the deadline of the stage then runs. */
bool smtp_client_reply_is_due(const struct smtp_client *c);
/* What the last EHLO reply offered; all false before one, and between STARTTLS and the next. */
const struct smtp_extensions *smtp_client_extensions(const struct smtp_client *c);
bool smtp_client_tls_active(const struct smtp_client *c);

/* Answers to EHLO_REFUSED and STARTTLS. */
void smtp_client_helo(struct smtp_client *c);
void smtp_client_tls_started(struct smtp_client *c);

/* Answers to AUTH and AUTH_CHALLENGE. mechanism is upper case, as in the list of extensions; the
   payloads are raw, base64 and "=" for an empty initial response are made here. */
void smtp_client_auth_start(
    struct smtp_client *c, struct span mechanism, bool has_initial, struct span initial);
void smtp_client_auth_none(struct smtp_client *c);
void smtp_client_auth_respond(struct smtp_client *c, struct span response);
void smtp_client_auth_cancel(struct smtp_client *c);

/* True for an address that can travel: at most SMTP_CLIENT_PATH_MAX octets, no CR, LF or NUL. */
bool smtp_client_path_is_sound(struct span path);
/* Starts a transaction. False, and nothing is done, when there is no recipient or a path is not
   sound. A reset left over from a failed transaction is sent in front. */
bool smtp_client_mail(struct smtp_client *c, const struct smtp_client_transaction *transaction)
    __attribute__((warn_unused_result));
/* Sends the commands of the next transaction behind the final dot of this one, in one group with it
   (RFC 2920, 3.1), which saves a round trip: call it right after smtp_client_content_end(). Nothing
   is done, and false returned, where the server or the session does not allow it, or where not all
   of them fit. Otherwise READY must be answered, before the next smtp_client_next(), by
   smtp_client_mail() with the same transaction, or by smtp_client_quit(), which then closes: a QUIT
   would be content. */
bool smtp_client_mail_ahead(struct smtp_client *c, const struct smtp_client_transaction *next);
/* Appends content, CRLF text without dot-stuffing, in pieces of any size. Returns how many octets
   of it were taken: fewer when output is near its ceiling; flush and give the rest again. */
size_t smtp_client_content(struct smtp_client *c, struct span bytes);
/* Ends it; a missing last CRLF is added. */
void smtp_client_content_end(struct smtp_client *c);

/* Sends RSET to learn whether an idle session still lives. */
void smtp_client_probe(struct smtp_client *c);
/* Takes leave: from READY, in answer to any event that asks the owner, or after FAILED. */
void smtp_client_quit(struct smtp_client *c);

#endif
