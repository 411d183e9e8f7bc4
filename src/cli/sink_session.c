/* SPDX-License-Identifier: MIT */
#include "cli/sink_session.h"

#include "base/base64.h"
#include "base/memory.h"
#include "sasl/describe.h"

#include <assert.h>

enum { IDLE_MS = 5 * 60 * 1000, HANDSHAKE_MS = 60 * 1000, AUTH_MS = 30 * 1000 };

/* ---- the dialogue, when somebody follows it ---- */

static void follow_line(struct sink_session *s, enum smtp_line_kind kind, struct span text)
{
	struct trace_dialogue dialogue = { .number = s->number, .role = TRACE_ROLE_SERVER };
	struct trace_line line;
	trace_line_init(
	    &line, &dialogue, kind, text, s->smtp.tls_active, net_loop_wall_ms(&s->sink->loop));
	cli_dialogue_print(stderr, &s->sink->style, &line);
	trace_line_fini(&line);
}

static void follow_note(struct sink_session *s, const char *text)
{
	struct trace_dialogue dialogue = { .number = s->number, .role = TRACE_ROLE_SERVER };
	struct trace_line line;
	if (!s->sink->settings->follow)
		return;
	trace_line_init_note(
	    &line, &dialogue, text, s->smtp.tls_active, net_loop_wall_ms(&s->sink->loop));
	cli_dialogue_print(stderr, &s->sink->style, &line);
	trace_line_fini(&line);
}

static void show_payload_seen(struct sink_session *s)
{
	char *seen = s->payload_seen;
	if (seen == NULL)
		return;
	s->payload_seen = NULL;
	follow_line(s, SMTP_LINE_KIND_AUTH_PAYLOAD, span_from_string(seen));
	mem_free(seen);
}

/* A payload waits for its event, which has it decoded. */
static void observe(void *context, enum smtp_line_kind kind, struct span text)
{
	struct sink_session *s = context;
	show_payload_seen(s);
	if (kind == SMTP_LINE_KIND_AUTH_PAYLOAD)
		s->payload_seen = mem_dup(text.data, text.len);
	else
		follow_line(s, kind, text);
}

static void follow_payload(
    struct sink_session *s, const struct smtp_server_event *event, unsigned step)
{
	struct buf encoded, shown;
	if (s->payload_seen == NULL)
		return;
	buf_init_secret(&encoded, SMTP_AUTH_LINE_MAX * 2);
	buf_init(&shown, 4096);
	if (base64_encode(&encoded, event->auth.data) &&
	    sasl_describe(event->auth.mechanism, step, buf_span(&encoded), &shown)) {
		mem_free(s->payload_seen);
		s->payload_seen = NULL;
		follow_line(s, SMTP_LINE_KIND_AUTH_PAYLOAD, buf_span(&shown));
	}
	buf_fini(&shown);
	buf_fini(&encoded);
}

/* ---- AUTH ---- */

static void auth_failed(struct sink_session *s, enum smtp_reply_id reply, const char *text)
{
	s->sink->auth_failures++;
	sink_say(s->sink, "%s: AUTH refused: %s", conn_peer_text(s->conn), text);
	smtp_server_auth_failure(&s->smtp, reply, reply == SMTP_REPLY_AUTH_MALFORMED ? text : NULL);
	account_signin_fini(&s->signin);
}

static void auth_passed(struct sink_session *s, const struct buf *name)
{
	s->login = mem_dup(buf_span(name).data, name->len);
	smtp_server_auth_success(&s->smtp);
	account_signin_fini(&s->signin);
}

static void auth_pending(struct sink_session *s)
{
	s->checking = true;
	map_set(s->sink->asking, MAP_KEY(s->number), s);
	conn_clear_deadline(s->conn);
}

static void follow_auth(struct sink_session *s, enum account_signin_state state)
{
	switch (state) {
	case ACCOUNT_SIGNIN_CHALLENGE:
		smtp_server_auth_challenge(&s->smtp, s->signin.sasl.challenge);
		break;
	case ACCOUNT_SIGNIN_PENDING:
		auth_pending(s);
		break;
	case ACCOUNT_SIGNIN_PASSED:
		auth_passed(s, &s->signin.login);
		break;
	case ACCOUNT_SIGNIN_REFUSED:
		auth_failed(s, SMTP_REPLY_AUTH_REJECTED, s->signin.reason);
		break;
	case ACCOUNT_SIGNIN_MALFORMED:
		auth_failed(s, SMTP_REPLY_AUTH_MALFORMED, s->signin.reason);
		break;
	case ACCOUNT_SIGNIN_UNAVAILABLE:
		auth_failed(s, SMTP_REPLY_AUTH_TEMPORARY, s->signin.reason);
		break;
	}
}

/* --users any: whatever name and password come, they are right. */
static void follow_any(struct sink_session *s, enum sasl_outcome outcome)
{
	const struct sasl_server *sasl = &s->signin.sasl;
	if (outcome == SASL_OUTCOME_CHALLENGE)
		smtp_server_auth_challenge(&s->smtp, sasl->challenge);
	else if (outcome == SASL_OUTCOME_IDENTITY)
		auth_passed(s, &sasl->identity.authcid);
	else
		auth_failed(s, SMTP_REPLY_AUTH_MALFORMED, sasl->sentence);
}

void sink_session_checked(struct sink_session *s, struct account_check_answer *answer)
{
	assert(s->checking);
	s->checking = false;
	follow_auth(s, account_signin_answer(&s->signin, answer, net_loop_now_ms(&s->sink->loop)));
	if (!s->checking)
		conn_wake(s->conn);
}

static void prepare_auth(struct sink_session *s)
{
	struct sink *sink = s->sink;
	struct account_signin_place place = {
		.stores = sink->stores,
		.checker = sink->checker,
		.conn = s->conn,
		.hostname = span_from_string(sink->settings->hostname),
		.decoy_key = span_of(sink->decoy_key, sizeof(sink->decoy_key)),
		.bound_offered = setup_auth_state(s->conn) & SETUP_OFFER_BOUND,
		.deadline_ms = AUTH_MS,
		.asker = { .index = s->number },
		.reply_to = &sink->loop.mailbox,
	};
	account_signin_fini(&s->signin);
	account_signin_init(&s->signin, &place);
}

static void begin_auth(struct sink_session *s, const struct smtp_server_event *event)
{
	bool has_initial = event->auth.has_initial;
	struct span data = event->auth.data;
	enum sasl_mechanism mechanism;
	if (!sasl_mechanism_find(event->auth.mechanism, &mechanism)) {
		smtp_server_auth_failure(&s->smtp, SMTP_REPLY_AUTH_MECHANISM_UNKNOWN, NULL);
		return;
	}
	if (has_initial)
		follow_payload(s, event, 0);
	prepare_auth(s);
	if (s->sink->settings->users_any)
		follow_any(s, sasl_server_start(&s->signin.sasl, mechanism, has_initial, data));
	else
		follow_auth(s,
		    account_signin_begin(&s->signin, mechanism, has_initial, data,
			net_loop_now_ms(&s->sink->loop), net_loop_wall_ms(&s->sink->loop) / 1000));
}

static void respond_auth(struct sink_session *s, const struct smtp_server_event *event)
{
	follow_payload(s, event, s->signin.sasl.step);
	if (s->sink->settings->users_any)
		follow_any(s, sasl_server_step(&s->signin.sasl, event->auth.data));
	else
		follow_auth(s,
		    account_signin_step(&s->signin, event->auth.data,
			net_loop_now_ms(&s->sink->loop), net_loop_wall_ms(&s->sink->loop) / 1000));
}

/* ---- the transaction ---- */

static void begin_message(struct sink_session *s, struct span reverse_path)
{
	if (s->sink->stopping) {
		smtp_server_answer(&s->smtp, SMTP_REPLY_CLOSING_SHUTDOWN, NULL);
		return;
	}
	sink_message_destroy(&s->message);
	s->message = sink_message_create(s->sink, reverse_path);
	smtp_server_answer(&s->smtp, SMTP_REPLY_SENDER_OK, NULL);
}

static void fail_message(struct sink_session *s, const struct fault *fault)
{
	sink_say(s->sink, "%s: %s", conn_peer_text(s->conn), fault->text);
	sink_message_destroy(&s->message);
}

static void begin_content(struct sink_session *s)
{
	struct fault fault;
	if (sink_message_open(s->message, s->sink, &fault)) {
		smtp_server_answer(&s->smtp, SMTP_REPLY_START_CONTENT, NULL);
		return;
	}
	sink_say(s->sink, "%s: %s", conn_peer_text(s->conn), fault.text);
	smtp_server_answer(&s->smtp, SMTP_REPLY_LOCAL_ERROR, NULL);
}

/* After a failure the rest of the content is read and dropped; the answer comes at its end. */
static void take_content(struct sink_session *s, struct span content)
{
	struct fault fault;
	if (s->message != NULL && !sink_message_append(s->message, content, &fault))
		fail_message(s, &fault);
}

static void finish_message(struct sink_session *s)
{
	struct fault fault;
	char id[ID_TEXT_SIZE];
	if (s->message != NULL && !sink_message_finish(s->message, &fault))
		fail_message(s, &fault);
	if (s->message == NULL) {
		smtp_server_answer(&s->smtp, SMTP_REPLY_LOCAL_ERROR, NULL);
		return;
	}
	struct sink_message_source source = {
		.client = conn_peer_text(s->conn),
		.login = s->login,
		.tls_active = s->smtp.tls_active,
	};
	sink_message_report(s->message, s->sink, &source);
	smtp_server_answer(
	    &s->smtp, SMTP_REPLY_MESSAGE_KEPT, "%s kept", id_format(s->message->id, id));
	sink_message_taken(s->sink, s->message->size, s->message->recipient_count);
	sink_message_destroy(&s->message);
}

static void abort_message(struct sink_session *s, const char *why)
{
	if (s->message != NULL && s->message->recipient_count > 0)
		sink_say(s->sink, "%s: a transaction was left unfinished: %s",
		    conn_peer_text(s->conn), why);
	sink_message_destroy(&s->message);
}

/* ---- the machine's events ---- */

static void start_tls(struct sink_session *s)
{
	s->tls_pending = true;
	conn_set_deadline(s->conn, HANDSHAKE_MS);
	if (conn_tls_accept(s->conn, s->sink->settings->tls_context) > 0)
		sink_say(s->sink, "%s: bytes in clear stood behind STARTTLS; they were thrown away",
		    conn_peer_text(s->conn));
}

static void tls_is_up(struct sink_session *s)
{
	s->tls_pending = false;
	struct conn_tls_info info;
	if (conn_tls_info(s->conn, &info))
		follow_note(s, info.version);
	smtp_server_offer_auth(&s->smtp, s->sink->offer.lists[setup_auth_state(s->conn)]);
	if (s->sink->settings->tls == CONFIG_TLS_MODE_IMPLICIT)
		smtp_server_greet(&s->smtp);
	else
		smtp_server_tls_started(&s->smtp);
}

/* False when the machine must not be asked again in this turn. */
static bool handle(struct sink_session *s, const struct smtp_server_event *event)
{
	switch (event->kind) {
	case SMTP_SERVER_NEED_INPUT:
	case SMTP_SERVER_NEED_OUTPUT:
	case SMTP_SERVER_WAIT:
		return false;
	case SMTP_SERVER_HELLO:
	case SMTP_SERVER_AUTH_CANCELLED:
		return true;
	case SMTP_SERVER_STARTTLS:
		start_tls(s);
		return false;
	case SMTP_SERVER_AUTH_BEGIN:
		begin_auth(s, event);
		return !s->checking;
	case SMTP_SERVER_AUTH_RESPONSE:
		respond_auth(s, event);
		return !s->checking;
	case SMTP_SERVER_XCLIENT: /* not offered */
		smtp_server_answer(&s->smtp, SMTP_REPLY_POLICY_REFUSED, NULL);
		return true;
	case SMTP_SERVER_MAIL:
		begin_message(s, event->mail.address.mailbox);
		return true;
	case SMTP_SERVER_RCPT:
		sink_message_add(s->message, event->rcpt.address.mailbox);
		smtp_server_answer(&s->smtp, SMTP_REPLY_RECIPIENT_OK, NULL);
		return true;
	case SMTP_SERVER_DATA:
		begin_content(s);
		return true;
	case SMTP_SERVER_CONTENT:
		take_content(s, event->content);
		return true;
	case SMTP_SERVER_MESSAGE:
		finish_message(s);
		return true;
	case SMTP_SERVER_REFUSED:
		abort_message(s, smtp_refusal_name(event->refused.reason));
		return true;
	case SMTP_SERVER_ABORTED:
		abort_message(s, smtp_abort_name(event->aborted.reason));
		return true;
	case SMTP_SERVER_CLOSE:
		s->end = smtp_close_name(event->close);
		return false;
	}
	return false;
}

static void run_machine(struct sink_session *s)
{
	struct smtp_server_event event;
	bool more = true;
	while (more && s->end == NULL) {
		struct span shown = conn_input(s->conn), left = shown;
		smtp_server_next(&s->smtp, &left, &event);
		size_t taken = shown.len - left.len;
		/* What is not consumed when TLS starts is discarded; what is, must live until
		   it is handled. */
		if (event.kind == SMTP_SERVER_STARTTLS)
			conn_consume(s->conn, taken);
		more = handle(s, &event);
		if (event.kind != SMTP_SERVER_STARTTLS)
			conn_consume(s->conn, taken);
	}
}

/* ---- life ---- */

static void destroy(struct sink_session *s, enum conn_close how)
{
	struct sink *sink = s->sink;
	show_payload_seen(s);
	abort_message(s, s->end);
	follow_note(s, s->end);
	if (s->checking)
		map_remove(sink->asking, MAP_KEY(s->number));
	list_remove(&s->link);
	smtp_server_fini(&s->smtp);
	account_signin_fini(&s->signin);
	conn_close(&s->conn, how);
	mem_free(s->login);
	mem_free(s);
	sink_session_ended(sink);
}

/* True when the session is over and gone. */
static bool end_if_over(struct sink_session *s)
{
	if (s->end != NULL) {
		destroy(s, CONN_CLOSE_FLUSH);
		return true;
	}
	if (conn_fault(s->conn) != NULL && (s->tls_pending || conn_input(s->conn).len == 0)) {
		if (s->tls_pending)
			sink_say(s->sink, "%s", conn_fault(s->conn)->text);
		s->end = s->tls_pending ? "TLS failed" : "connection lost";
		destroy(s, CONN_CLOSE_NOW);
		return true;
	}
	if (conn_eof(s->conn) && !s->checking && !s->tls_pending) {
		s->end = "the client closed the connection";
		destroy(s, CONN_CLOSE_FLUSH);
		return true;
	}
	return false;
}

static void pump(struct conn *conn, void *owner)
{
	struct sink_session *s = owner;
	if (s->tls_pending && conn_tls_active(conn))
		tls_is_up(s);
	if (conn_deadline_passed(conn) && !s->checking)
		smtp_server_timeout(&s->smtp);
	if (!s->tls_pending && !s->checking)
		run_machine(s);
	if (end_if_over(s) || s->tls_pending || s->checking)
		return;
	conn_set_deadline(conn, IDLE_MS);
}

void sink_session_accept(struct sink *sink, int fd, const struct net_address *peer)
{
	struct sink_session *s = MEM_NEW(struct sink_session);
	s->sink = sink;
	s->number = ++sink->sessions_born;
	s->conn = conn_open(&sink->loop, fd, peer, pump, s);
	list_append(&sink->sessions, &s->link);
	account_signin_init(&s->signin, &(struct account_signin_place){ 0 });
	smtp_server_init(&s->smtp, &sink->smtp, conn_output(s->conn));
	if (sink->settings->follow)
		smtp_server_observe(&s->smtp, observe, s);
	follow_note(s, conn_peer_text(s->conn));
	if (sink->settings->tls == CONFIG_TLS_MODE_IMPLICIT)
		start_tls(s);
	else
		smtp_server_greet(&s->smtp);
}

void sink_session_stop(struct sink_session *s)
{
	if (s->tls_pending) {
		sink_session_cut(s);
		return;
	}
	smtp_server_shutdown(&s->smtp);
	if (!s->checking)
		conn_wake(s->conn);
}

void sink_session_cut(struct sink_session *s)
{
	s->end = "stopped";
	destroy(s, CONN_CLOSE_FLUSH);
}
