/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_SERVER_PRIVATE_H
#define FRANK_SMTP_SERVER_PRIVATE_H

/*
 * What the files of the server machine share, and nobody else includes: server.c (the loop and the
 * owner's calls), server_reply.c (replies and events), server_phase.c (phases, the transaction),
 * server_content.c, server_chunk.c, verbs.c (the table of verbs), the verbs themselves, and
 * verb_parameters.c.
 */

#include "smtp/command.h"
#include "smtp/server.h"

/* What the owner has to answer. */
enum smtp_owed {
	SMTP_OWED_NOTHING,
	SMTP_OWED_AUTH,
	SMTP_OWED_XCLIENT,
	SMTP_OWED_MAIL,
	SMTP_OWED_RCPT,
	SMTP_OWED_DATA,
	SMTP_OWED_CHUNK, /* the first BDAT, as for DATA */
	SMTP_OWED_MESSAGE,
};

/* server_reply.c */

/* Appends a reply; format NULL takes the table's text. */
void smtp_server_reply(struct smtp_server *s, enum smtp_reply_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void smtp_server_vreply(struct smtp_server *s, enum smtp_reply_id id, const char *format,
    va_list arguments) __attribute__((format(printf, 3, 0)));
/* The same for a wrong command: it is counted, and one too many closes the session. */
void smtp_server_error(struct smtp_server *s, enum smtp_reply_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The lines that were appended to the output since its length was before_len go to the observer. */
void smtp_server_observe_replies(struct smtp_server *s, size_t before_len);
void smtp_server_observe_line(struct smtp_server *s, enum smtp_line_kind kind, struct span text);
void smtp_server_observe_payload(struct smtp_server *s, struct span mechanism, size_t len);

void smtp_server_push(struct smtp_server *s, const struct smtp_server_event *event);
bool smtp_server_take_queued(struct smtp_server *s, struct smtp_server_event *event_out);

/* server_phase.c */

/* The one place where the phase changes. Leaving a transaction resets the whole of it. */
void smtp_server_enter(struct smtp_server *s, enum smtp_phase phase);
/* Drops the transaction, if there is one, and says so. */
void smtp_server_abort(struct smtp_server *s, enum smtp_abort reason);
/* Sends the reply, aborts, and is closed. */
void smtp_server_close(
    struct smtp_server *s, enum smtp_close reason, enum smtp_reply_id id, const char *text);
/* Counts harmless quirks (bits). False: the listener is strict, and the command was refused. */
bool smtp_server_allow_quirks(struct smtp_server *s, unsigned quirks);
/* Counts the use of a quirk that must be named. False: it is not; that is noted, and the caller
   refuses. */
bool smtp_server_take_quirk(struct smtp_server *s, enum smtp_quirk quirk);
bool smtp_server_takes_lf(const struct smtp_server *s);

/* server_content.c: takes content off the input. False: more input is needed. */
bool smtp_server_step_content(struct smtp_server *s, struct span *input);
void smtp_server_push_message(struct smtp_server *s);
void smtp_server_push_content(struct smtp_server *s, struct span content);
void smtp_server_observe_content(struct smtp_server *s, uint64_t octets);
/* Drops the draft; what goes on in the input is thrown away, and then smtp_server_reply_refused()
   has its say. */
void smtp_server_refuse(struct smtp_server *s, enum smtp_refusal reason);
void smtp_server_reply_refused(struct smtp_server *s);
/* More octets than this are never read, not even to be thrown away. */
uint64_t smtp_server_content_beyond(const struct smtp_server *s);

/* server_chunk.c: takes octets of a chunk off the input. False: more input is needed. */
bool smtp_server_step_chunk(struct smtp_server *s, struct span *input);
/* A BDAT command, in whatever state: octets follow it. False: the session is closed, as nobody
   knows how many. Then whether it may run is found out, with replies deferred, and said. */
bool smtp_server_open_chunk(struct smtp_server *s, const struct smtp_command *command);
void smtp_server_enter_chunk(struct smtp_server *s, bool allowed);
/* The owner's answer to the first chunk. */
void smtp_server_begin_chunks(struct smtp_server *s, bool accepted);
/* Replies go to where they wait for the end of the chunk, until smtp_server_undefer() gets what
   defer() gave. */
struct buf *smtp_server_defer(struct smtp_server *s);
void smtp_server_undefer(struct smtp_server *s, struct buf *output);

/* verbs.c: the command leads to a message, or is refused for no fault of the client's: it does not
   count against commands_max. */
void smtp_server_forgive_command(struct smtp_server *s);
/* Does what a command line says. */
void smtp_server_take_command(struct smtp_server *s, struct span line);

/* verb_auth.c */
bool smtp_server_may_auth(struct smtp_server *s);
bool smtp_server_auth_is_offered(const struct smtp_server *s);
/* In the old form, too. */
bool smtp_server_offers_auth_equals(const struct smtp_server *s);
void smtp_server_handle_auth(struct smtp_server *s, const struct smtp_command *command);
void smtp_server_take_auth_line(struct smtp_server *s, struct span line);
/* The exchange is over without success: what it left is wiped, and the owner is told. */
void smtp_server_cancel_auth(struct smtp_server *s);
/* Shows an AUTH command to the observer without its payload. */
void smtp_server_observe_auth(struct smtp_server *s, const struct smtp_command *command);

/* verb_xclient.c */
bool smtp_server_may_xclient(struct smtp_server *s);
void smtp_server_handle_xclient(struct smtp_server *s, const struct smtp_command *command);

/* verb_mail.c */
void smtp_server_handle_mail(struct smtp_server *s, const struct smtp_command *command);
void smtp_server_handle_rcpt(struct smtp_server *s, const struct smtp_command *command);
void smtp_server_handle_data(struct smtp_server *s, const struct smtp_command *command);

/* verb_parameters.c: RFC 5321, 4.1.1.11. False when one of them was refused. */
bool smtp_server_take_mail_parameters(
    struct smtp_server *s, struct span parameters, struct smtp_server_event *event);
bool smtp_server_take_rcpt_parameters(
    struct smtp_server *s, struct span parameters, struct smtp_server_event *event);
bool smtp_server_requiretls_is_offered(const struct smtp_server *s);

/* verb_session.c */
void smtp_server_handle_ehlo(struct smtp_server *s, const struct smtp_command *command);
void smtp_server_handle_helo(struct smtp_server *s, const struct smtp_command *command);
void smtp_server_handle_rset(struct smtp_server *s, const struct smtp_command *command);
void smtp_server_handle_noop(struct smtp_server *s, const struct smtp_command *command);
void smtp_server_handle_vrfy(struct smtp_server *s, const struct smtp_command *command);
void smtp_server_handle_help(struct smtp_server *s, const struct smtp_command *command);
void smtp_server_handle_quit(struct smtp_server *s, const struct smtp_command *command);
bool smtp_server_may_starttls(struct smtp_server *s);
void smtp_server_handle_starttls(struct smtp_server *s, const struct smtp_command *command);

#endif
