/* SPDX-License-Identifier: MIT */
#include "relay/session.h"

#include "base/memory.h"
#include "relay/guard.h"
#include "relay/quirk_use.h"
#include "relay/sender.h"
#include "relay/session_auth.h"
#include "relay/session_private.h"
#include "relay/watch.h"
#include "smtp/domain.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define TLS_HANDSHAKE_MS 60000
#define COMPARABLE_MAX (SMTP_LOCAL_PART_MAX + 1 + SMTP_DOMAIN_ASCII_MAX + SMTP_MAILBOX_MAX)

/* ---- log ---- */

void session_begin_line(const struct session *s, struct log_line *line, enum event event)
{
	char address[NET_ADDRESS_TEXT_MAX];

	event_begin(line, event);
	log_number(line, "session", (int64_t)s->number);
	log_text(line, "client", net_address_format_host(&s->peer, address));
	log_text(line, "login", s->login);
}

static void log_recipients(const struct session *s, struct log_line *line)
{
	const struct spool_draft *draft =
	    s->submission->draft ? s->submission->draft : s->submission->accept.draft;
	struct list *head = draft ? (struct list *)&draft->deliveries : NULL;

	if (!head)
		return;
	LIST_FOR_EACH (position, head) {
		struct spool_delivery *d = LIST_ENTRY(position, struct spool_delivery, link);
		for (unsigned i = 0; i < d->recipient_count; i++)
			log_span(line, "to", d->recipients[i].address);
	}
}

/* ---- transaction ---- */

static void end_transaction(struct session *s, bool kept)
{
	guard_end_transaction(s, kept);
	if (s->submission && !s->submission->with_keeper)
		submission_destroy(&s->submission);
	s->submission = NULL; /* the keeper's answer destroys the other kind */
	mem_free(s->reverse_path);
	s->reverse_path = NULL;
}

/* A client that gives up after an accepted recipient leaves a trace, so that "it never arrived" can
   be answered. */
static void drop_transaction(struct session *s, const char *reason)
{
	struct log_line line;

	if (s->submission && s->submission->recipients > 0 && !s->submission->with_keeper) {
		session_begin_line(s, &line, EVENT_MESSAGE_DROPPED);
		log_id(&line, "message", s->submission->id);
		log_text(&line, "from", s->reverse_path);
		log_recipients(s, &line);
		log_text(&line, "reason", reason);
		log_end(&line);
	}
	/* Who leaves while it is being kept has sent it. */
	end_transaction(s, s->submission && s->submission->with_keeper);
}

static struct policy_client policy_client(const struct session *s)
{
	return (struct policy_client){
		.listener = s->listener,
		.address = &s->peer.storage,
		.login = span_from_string(s->login),
		.trusted = s->trusted,
	};
}

static void describe_trace(struct session *s, struct message_trace *trace, char *address)
{
	struct conn_tls_info tls;

	bool extended = s->told_protocol.len > 0 ? s->told_protocol.len > strlen("SMTP")
						 : s->smtp.extended;

	*trace = (struct message_trace){
		.protocol = extended ? MESSAGE_PROTOCOL_ESMTP : MESSAGE_PROTOCOL_SMTP,
		.tls_active = s->smtp.tls_active,
		.authenticated = s->login != NULL,
		.helo = session_hello_name(s),
		.client_address = span_from_string(address),
		.hostname = span_from_string(s->setup->config->hostname),
		.reverse_path = span_from_string(s->reverse_path),
		.smtputf8 = s->smtp.smtputf8,
	};
	if (s->smtp.tls_active && conn_tls_info(s->conn, &tls)) {
		trace->tls_version = span_from_string(tls.version);
		trace->tls_cipher = span_from_string(tls.cipher);
	}
}

static unsigned flags_of(const struct smtp_server_event *event)
{
	unsigned flags = 0;

	if (event->mail.is_eight_bit)
		flags |= SPOOL_FLAG_8BIT;
	if (event->mail.smtputf8)
		flags |= SPOOL_FLAG_SMTPUTF8;
	if (event->mail.requiretls)
		flags |= SPOOL_FLAG_REQUIRETLS;
	if (event->mail.ret == SMTP_RETURN_HEADERS)
		flags |= SPOOL_FLAG_RETURN_HEADERS;
	if (event->mail.ret == SMTP_RETURN_FULL)
		flags |= SPOOL_FLAG_RETURN_FULL;
	return flags;
}

/* The trace's texts must outlive this call: all but the address live in the session and the
   connection, and that one is taken from the message's envelope. */
static bool begin_submission(struct session *s, const struct smtp_server_event *event)
{
	struct policy_client client = policy_client(s);
	char address[NET_ADDRESS_TEXT_MAX];
	struct message_trace trace;
	struct spool_envelope envelope = {
		.reverse_path = event->mail.address.mailbox,
		.login = span_from_string(s->login),
		.helo = session_hello_name(s),
		.listener = span_from_string(s->listener->label),
		.received_ms = net_loop_wall_ms(&s->lane->loop),
		.envid = event->mail.envid,
	};

	net_address_format_host(&s->peer, address);
	envelope.client = span_from_string(address);
	envelope.flags = flags_of(event) | (policy_may_relay(&client) ? SPOOL_FLAG_SUBMITTED : 0) |
			 (s->smtp.tls_active ? SPOOL_FLAG_TLS : 0);
	s->reverse_path =
	    mem_dup(event->mail.address.mailbox.data, event->mail.address.mailbox.len);
	describe_trace(s, &trace, address);
	trace.submitted = (envelope.flags & SPOOL_FLAG_SUBMITTED) != 0;
	s->submission = submission_begin(s->lane, s->handle, &envelope, &trace);
	if (!s->submission)
		return false;
	s->submission->trace.client_address = s->submission->draft->message->envelope.client;
	s->submission->config = s->setup->config;
	s->submission->rule = s->login ? s->rule : NULL;
	s->submission->login = span_from_string(s->login);
	return true;
}

/* False: the reverse-path is none that the login may use, or it has sent enough; answered. */
static bool may_begin(struct session *s, struct span reverse_path)
{
	char why[SENDER_WHY_MAX];
	enum smtp_reply_id reply = SMTP_REPLY_RATE_LIMITED;
	struct log_line line;

	if (s->login && !sender_may_use_path(s->setup->config, s->rule,
			    span_from_string(s->login), reverse_path, why))
		reply = SMTP_REPLY_SENDER_NOT_OWNED;
	else if (guard_message(s, why) == GUARD_TAKE)
		return true;
	session_begin_line(s, &line, EVENT_SENDER_REFUSED);
	log_span(&line, "from", reverse_path);
	log_text(&line, "reason", why);
	log_end(&line);
	smtp_server_answer(&s->smtp, reply, "%s", why);
	guard_end_transaction(s, false);
	return false;
}

static void handle_mail(struct session *s, const struct smtp_server_event *event)
{
	const struct smtp_address *address = &event->mail.address;
	struct smtp_server_event completed = *event;
	const char *domain = s->setup->config->default_domain;
	struct policy_client client = policy_client(s);
	struct buf whole;

	buf_init(&whole, 1024);
	if (address->domain.len == 0 && !address->is_null && domain && policy_may_relay(&client)) {
		buf_printf(&whole, "%.*s@%s", SPAN_ARG(address->mailbox), domain);
		completed.mail.address.mailbox = buf_span(&whole);
	}
	if (may_begin(s, completed.mail.address.mailbox)) {
		if (begin_submission(s, &completed))
			smtp_server_answer(&s->smtp, SMTP_REPLY_SENDER_OK, NULL);
		else
			smtp_server_answer(&s->smtp, SMTP_REPLY_TOO_BUSY, NULL);
	}
	if (!s->submission)
		end_transaction(s, false);
	buf_fini(&whole);
}

static void refuse_recipient(
    struct session *s, struct span recipient, const struct policy_verdict *verdict)
{
	const struct config_refusal *own = verdict->refusal;
	struct log_line line;

	session_begin_line(s, &line, EVENT_RECIPIENT_REFUSED);
	log_id(&line, "message", s->submission->id);
	log_text(&line, "from", s->reverse_path);
	log_span(&line, "to", recipient);
	log_text(&line, "reason", own ? own->text : verdict->text);
	log_end(&line);
	if (own)
		smtp_server_answer_custom(&s->smtp, own->code, own->enhanced, own->text);
	else
		smtp_server_answer(&s->smtp, verdict->reply, "%s", verdict->text);
}

/* Domains are compared in the form that the configuration has them in; what is kept is what the
   client said. Both texts live in room. */
static void ask_policy(struct session *s, const struct smtp_address *address, struct buf *room,
    struct buf *scratch, struct policy_verdict *verdict)
{
	struct policy_client client = policy_client(s);
	struct span sender = span_from_string(s->reverse_path);
	struct smtp_address asked = *address;
	size_t split;

	if (s->smtp.smtputf8) {
		buf_reserve(room, 2 * COMPARABLE_MAX);
		smtp_mailbox_append_comparable(room, sender);
		split = room->len;
		sender = buf_span(room);
		smtp_mailbox_append_comparable(room, address->mailbox);
		asked.mailbox = span_skip(buf_span(room), split);
		asked.local = span_head(asked.mailbox, address->local.len);
		asked.domain = span_skip(asked.mailbox, address->mailbox.len - address->domain.len);
	}
	policy_recipient(s->setup, &client, sender, &asked, scratch, verdict);
	for (size_t i = 0; i < verdict->target_count; i++)
		if (verdict->targets[i].address.data == asked.mailbox.data)
			verdict->targets[i].address = address->mailbox;
}

/* The verdict becomes a refusal when the login has had its recipients. */
static void ask_guard(struct session *s, struct policy_verdict *verdict)
{
	char why[GUARD_WHY_MAX];

	if (verdict->target_count == 0 || guard_recipient(s, why) == GUARD_TAKE)
		return;
	verdict->target_count = 0;
	verdict->refusal = NULL;
	verdict->reply = SMTP_REPLY_RATE_LIMITED;
	snprintf(verdict->text, sizeof(verdict->text), "%s", why);
}

static void handle_rcpt(struct session *s, const struct smtp_server_event *event)
{
	struct policy_verdict verdict;
	struct buf scratch, room;

	buf_init(&scratch, 1024);
	buf_init(&room, 2 * COMPARABLE_MAX);
	ask_policy(s, &event->rcpt.address, &room, &scratch, &verdict);
	if (submission_has_room(s->submission))
		ask_guard(s, &verdict);
	if (!submission_has_room(s->submission)) {
		smtp_server_answer(&s->smtp, SMTP_REPLY_TOO_BUSY, NULL);
	} else if (verdict.target_count == 0) {
		refuse_recipient(s, event->rcpt.address.mailbox, &verdict);
	} else {
		submission_add(s->submission, &verdict, event->rcpt.notify, event->rcpt.orcpt);
		smtp_server_answer(&s->smtp, SMTP_REPLY_RECIPIENT_OK, NULL);
	}
	buf_fini(&scratch);
	buf_fini(&room);
}

static void log_accepted(struct session *s, const struct submission *submission)
{
	struct log_line line;

	session_begin_line(s, &line, EVENT_MESSAGE_ACCEPTED);
	log_id(&line, "message", submission->id);
	log_text(&line, "from", s->reverse_path);
	log_number(&line, "recipients", submission->recipients);
	log_number(&line, "size", (int64_t)submission->header.size);
	if (submission->hold)
		log_text(&line, "held", "yes");
	log_end(&line);
}

static void refuse_message(struct session *s, enum smtp_reply_id reply, const char *why)
{
	struct log_line line;

	session_begin_line(s, &line, EVENT_MESSAGE_REFUSED);
	log_id(&line, "message", s->submission->id);
	log_text(&line, "from", s->reverse_path);
	log_recipients(s, &line);
	log_number(&line, "code", smtp_reply_get(reply)->code);
	log_text(&line, "reason", why && *why ? why : smtp_reply_get(reply)->text);
	log_end(&line);
	smtp_server_answer(&s->smtp, reply, why && *why ? "%s" : NULL, why);
	end_transaction(s, false);
}

static void follow(struct session *s, enum submission_step step)
{
	s->question = SESSION_QUESTION_NONE;
	switch (step) {
	case SUBMISSION_GO_ON:
		break;
	case SUBMISSION_PAUSE:
		s->question = SESSION_QUESTION_WRITE;
		break;
	case SUBMISSION_WAIT:
		s->question = SESSION_QUESTION_COMMIT;
		break;
	case SUBMISSION_REFUSED:
		refuse_message(s, s->submission->refusal, s->submission->why);
		break;
	}
}

static void handle_refused(struct session *s, const struct smtp_server_event *event)
{
	struct log_line line;

	session_begin_line(s, &line, EVENT_MESSAGE_REFUSED);
	log_id(&line, "message", s->submission->id);
	log_text(&line, "from", s->reverse_path);
	log_recipients(s, &line);
	log_text(&line, "reason", smtp_refusal_name(event->refused.reason));
	log_number(&line, "line", (int64_t)event->refused.line);
	log_end(&line);
	end_transaction(s, false);
}

/* ---- TLS ---- */

static size_t listener_index(const struct session *s)
{
	return (size_t)(s->listener - s->setup->config->listeners);
}

/* What was said in clear counts no more (RFC 3207, 4.2), and who signed in there may have been
   somebody else. */
void session_start_tls(struct session *s)
{
	size_t injected = 0;
	struct log_line line;

	guard_leave(s);
	mem_free(s->login);
	s->login = NULL;
	s->tls_pending = true;
	conn_set_deadline(s->conn, TLS_HANDSHAKE_MS);
	if (smtp_server_phase(&s->smtp) == SMTP_PHASE_START)
		/* Behind the header of a proxy the client has begun already. */
		conn_tls_accept_input(s->conn, s->setup->listener_tls[listener_index(s)]);
	else
		injected = conn_tls_accept(s->conn, s->setup->listener_tls[listener_index(s)]);
	if (injected == 0)
		return;
	session_begin_line(s, &line, EVENT_TLS_INJECTION);
	log_number(&line, "octets", (int64_t)injected);
	log_end(&line);
}

static void tls_is_up(struct session *s)
{
	s->tls_pending = false;
	s->command_waits = false;
	watch_session_note(s, "TLS started");
	session_auth_offer(s, &s->setup->offers[listener_index(s)]);
	if (s->listener->tls == CONFIG_TLS_MODE_IMPLICIT)
		smtp_server_greet(&s->smtp);
	else
		smtp_server_tls_started(&s->smtp);
}

/* ---- the machine's events ---- */

/* Returns false when the machine must not be asked again in this turn. */
static bool handle_event(struct session *s, const struct smtp_server_event *event)
{
	switch (event->kind) {
	case SMTP_SERVER_NEED_INPUT:
	case SMTP_SERVER_NEED_OUTPUT:
	case SMTP_SERVER_WAIT:
		return false;
	case SMTP_SERVER_HELLO:
		session_auth_forget(s);
		return true;
	case SMTP_SERVER_AUTH_CANCELLED:
		session_auth_cancelled(s);
		return true;
	case SMTP_SERVER_STARTTLS:
		session_start_tls(s);
		return false;
	case SMTP_SERVER_AUTH_BEGIN:
		session_auth_begin(s, event);
		return s->question == SESSION_QUESTION_NONE;
	case SMTP_SERVER_AUTH_RESPONSE:
		session_auth_response(s, event);
		return s->question == SESSION_QUESTION_NONE;
	case SMTP_SERVER_XCLIENT:
		session_xclient(s, event);
		return true;
	case SMTP_SERVER_MAIL:
		handle_mail(s, event);
		return true;
	case SMTP_SERVER_RCPT:
		handle_rcpt(s, event);
		return true;
	case SMTP_SERVER_DATA:
		smtp_server_answer(&s->smtp, SMTP_REPLY_START_CONTENT, NULL);
		return true;
	case SMTP_SERVER_CONTENT:
		follow(s, submission_content(s->submission, event->content));
		return s->question == SESSION_QUESTION_NONE;
	case SMTP_SERVER_MESSAGE:
		s->submission->hold = s->hold;
		follow(s, submission_finish(s->submission));
		return s->question == SESSION_QUESTION_NONE;
	case SMTP_SERVER_REFUSED:
		handle_refused(s, event);
		return true;
	case SMTP_SERVER_ABORTED:
		drop_transaction(s, smtp_abort_name(event->aborted.reason));
		return true;
	case SMTP_SERVER_CLOSE:
		s->end = smtp_close_name(event->close);
		return false;
	}
	return false;
}

/* ---- life ---- */

static void log_closed(const struct session *s)
{
	struct log_line line;

	session_begin_line(s, &line, EVENT_SESSION_CLOSED);
	log_text(&line, "listener", s->listener->label);
	log_text(&line, "end", s->end);
	log_text(&line, "phase", smtp_phase_name(smtp_server_phase(&s->smtp)));
	log_number(&line, "messages", s->messages);
	log_text(&line, "tls", s->smtp.tls_active ? "yes" : "no");
	for (unsigned i = 0; i < SMTP_QUIRK_COUNT; i++)
		if (s->smtp.quirks[i] > 0)
			log_text(&line, "quirk", smtp_quirk_name((enum smtp_quirk)i));
	log_end(&line);
}

static void destroy(struct session *s, enum conn_close how)
{
	struct lane *lane = s->lane;

	drop_transaction(s, s->end);
	if (s->begun) {
		log_closed(s);
		quirk_use_tell(s);
	watch_session_note(s, s->end);
		smtp_server_fini(&s->smtp);
	}
	session_auth_forget(s);
	guard_leave(s);
	session_leave(s);
	lane_place_free(lane, s->handle);
	list_remove(&s->link);
	lane->session_count--;
	conn_close(&s->conn, how);
	mem_free(s->login);
	mem_free(s->told_helo);
	mem_free(s->payload_seen);
	setup_unref(&s->setup);
	mem_free(s);
	lane_check_done(lane);
}

static void set_deadline(struct session *s)
{
	if (s->question == SESSION_QUESTION_PAUSE) {
		s->command_waits = false;
	} else if (s->question != SESSION_QUESTION_NONE) {
		/* A commit has no deadline; the checker and the workers keep their own. */
		conn_clear_deadline(s->conn);
		s->command_waits = false;
	} else if (smtp_server_in_content(&s->smtp)) {
		conn_set_deadline(s->conn, s->listener->timeout.data_ms);
		s->command_waits = false;
	} else if (!s->command_waits) {
		/* Not renewed by single bytes: the whole command must come in time. */
		conn_set_deadline(s->conn, s->listener->timeout.command_ms);
		s->command_waits = true;
	}
}

/* Feeds the machine until it needs something. */
static void run_machine(struct session *s)
{
	struct smtp_server_event event;
	bool more = true;

	while (more && !s->end) {
		struct span shown = conn_input(s->conn), left = shown;
		smtp_server_next(&s->smtp, &left, &event);
		quirk_use_log_missed(s);
		if (left.len != shown.len && !smtp_server_in_content(&s->smtp))
			s->command_waits = false;
		if (event.kind == SMTP_SERVER_STARTTLS)
			conn_consume(s->conn, shown.len - left.len);
		more = handle_event(s, &event);
		if (event.kind != SMTP_SERVER_STARTTLS)
			conn_consume(s->conn, shown.len - left.len);
	}
}

/* True when the session is over and gone. */
static bool end_if_over(struct session *s)
{
	if (s->end) {
		destroy(s, s->question == SESSION_QUESTION_NONE &&
				   strcmp(s->end, smtp_close_name(SMTP_CLOSE_QUIT)) == 0
			       ? CONN_CLOSE_FLUSH
			       : CONN_CLOSE_LINGER);
		return true;
	}
	if (conn_eof(s->conn) && !s->tls_pending &&
	    (s->question == SESSION_QUESTION_NONE || s->question == SESSION_QUESTION_PAUSE)) {
		s->end = "connection-closed";
		destroy(s, CONN_CLOSE_FLUSH);
		return true;
	}
	return false;
}

static bool end_if_broken(struct session *s)
{
	const struct fault *fault = conn_fault(s->conn);
	struct log_line line;

	if (!fault)
		return false;
	if (s->tls_pending) {
		session_begin_line(s, &line, EVENT_TLS_FAILED);
		log_text(&line, "reason", fault->text);
		log_end(&line);
	}
	s->end = s->tls_pending ? "tls-failed" : "connection-lost";
	destroy(s, CONN_CLOSE_NOW);
	return true;
}

void session_pump(struct conn *conn, void *owner)
{
	struct session *s = owner;

	if (s->proxy_pending && !session_await_proxy(s)) {
		if (s->end)
			destroy(s, CONN_CLOSE_LINGER);
		return;
	}
	if (conn_fault(conn) && conn_input(conn).len == 0 && end_if_broken(s))
		return;
	if (s->tls_pending && conn_tls_active(conn))
		tls_is_up(s);
	if (s->tls_pending) {
		end_if_broken(s);
		return;
	}
	if (conn_deadline_passed(conn) && s->question == SESSION_QUESTION_PAUSE)
		session_auth_pause_ended(s);
	else if (conn_deadline_passed(conn) && s->question == SESSION_QUESTION_NONE)
		smtp_server_timeout(&s->smtp);
	quirk_use_log_missed(s);
	if (s->question == SESSION_QUESTION_NONE)
		run_machine(s);
	if (!end_if_over(s) && !s->tls_pending && !end_if_broken(s))
		set_deadline(s);
}

/* After an answer that did not come from the connection. */
static void resume(struct session *s)
{
	s->question = SESSION_QUESTION_NONE;
	conn_wake(s->conn);
}

/* ---- answers ---- */

void session_password_checked(struct session *s, struct account_check_answer *answer)
{
	assert(s->question == SESSION_QUESTION_PASSWORD);
	s->question = SESSION_QUESTION_NONE;
	session_auth_checked(s, answer);
	if (s->question == SESSION_QUESTION_NONE)
		resume(s);
}

void session_committed(struct session *s, enum keeper_answer answer, const char *why)
{
	char id[ID_TEXT_SIZE];

	switch (answer) {
	case KEEPER_KEPT:
		s->messages++;
		log_accepted(s, s->submission);
		quirk_use_tell(s);
		if (conn_input(s->conn).len > 0)
			smtp_server_note_input(&s->smtp);
		smtp_server_answer(
		    &s->smtp, SMTP_REPLY_MESSAGE_KEPT, "%s kept", id_format(s->submission->id, id));
		end_transaction(s, true);
		break;
	case KEEPER_FULL:
		refuse_message(s, SMTP_REPLY_NO_SPACE, why);
		break;
	case KEEPER_FAILED:
		refuse_message(s, SMTP_REPLY_LOCAL_ERROR, why);
		break;
	}
	resume(s);
}

void session_written(struct session *s)
{
	follow(s, submission_written(s->submission));
	if (s->question == SESSION_QUESTION_NONE)
		resume(s);
}

void session_stop(struct session *s)
{
	if (!s->begun) {
		session_cut(s);
		return;
	}
	smtp_server_shutdown(&s->smtp);
	if (s->question == SESSION_QUESTION_PAUSE)
		session_auth_pause_ended(s);
	if (s->question == SESSION_QUESTION_NONE && !s->tls_pending)
		conn_wake(s->conn);
	else if (s->tls_pending)
		session_cut(s);
}

void session_cut(struct session *s)
{
	s->end = "stopped";
	destroy(s, CONN_CLOSE_FLUSH);
}

void session_watch(struct session *s, bool watched)
{
	if (s->begun)
		smtp_server_observe(&s->smtp, watched ? watch_session_line : NULL, s);
}
