/* SPDX-License-Identifier: MIT */
#include "relay/upstream_private.h"

#include "base/memory.h"
#include "message/remedy.h"
#include "sasl/describe.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REPLY_MS (5 * 60 * 1000)    /* RFC 5321, 4.5.3.2: greeting, MAIL, RCPT, data block */
#define MESSAGE_MS (10 * 60 * 1000) /* 4.5.3.2.6 */
#define QUIT_MS 5000

const char *upstream_trouble_name(enum upstream_trouble trouble)
{
	static const char *const names[] = {
		[UPSTREAM_TROUBLE_NONE] = "none",
		[UPSTREAM_TROUBLE_NAME] = "name",
		[UPSTREAM_TROUBLE_CONNECTION] = "connection",
		[UPSTREAM_TROUBLE_GREETING] = "greeting",
		[UPSTREAM_TROUBLE_TLS] = "tls",
		[UPSTREAM_TROUBLE_AUTH] = "auth",
		[UPSTREAM_TROUBLE_AUTH_TEMPORARY] = "auth-temporary",
		[UPSTREAM_TROUBLE_TOKEN] = "token",
		[UPSTREAM_TROUBLE_LIMIT] = "limit",
		[UPSTREAM_TROUBLE_LOCAL] = "local",
	};
	return names[trouble];
}

/* ---- events ---- */

void upstream_give(struct upstream *u, const struct upstream_event *event)
{
	u->on_event(u, event, u->owner);
}

void upstream_note(struct upstream *u, const char *format, ...)
{
	struct upstream_event event = { .kind = UPSTREAM_NOTE };
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	event.text = text;
	upstream_give(u, &event);
}

void upstream_fail(
    struct upstream *u, enum smtp_client_stage stage, const struct smtp_received_reply *reply)
{
	struct upstream_event event = {
		.kind = UPSTREAM_FAILED,
		.trouble = u->trouble,
		.stage = stage,
		.text = u->trouble_text,
		.reply = reply,
		.login_refused = u->login_refused,
	};

	u->learned->last_failure_ms = net_loop_wall_ms(u->loop);
	snprintf(
	    u->learned->last_failure, sizeof(u->learned->last_failure), "%.500s", u->trouble_text);
	upstream_give(u, &event);
}

void upstream_set_trouble(
    struct upstream *u, enum upstream_trouble trouble, const char *format, ...)
{
	va_list arguments;

	u->trouble = trouble;
	va_start(arguments, format);
	vsnprintf(u->trouble_text, sizeof(u->trouble_text), format, arguments);
	va_end(arguments);
}

/* ---- observation ---- */

void upstream_observe_line(void *context, enum smtp_line_kind kind, struct span text)
{
	struct upstream *u = context;
	struct buf shown;

	buf_init(&shown, 1024);
	if (kind == SMTP_LINE_KIND_AUTH_PAYLOAD && u->payload.len > 0) {
		struct span mechanism = text;
		span_take_until(&text, ' ', &mechanism);
		if (sasl_describe(mechanism, u->payload_step, buf_span(&u->payload), &shown))
			text = buf_span(&shown);
	}
	u->observe(u->observe_context, &u->dialogue, kind, text, u->client.tls_active);
	buf_fini(&shown);
}

void upstream_observe(
    struct upstream *u, upstream_observe_fn *observe_fn, void *context, uint64_t dialogue)
{
	u->observe = observe_fn;
	u->observe_context = context;
	u->dialogue.number = dialogue;
	u->dialogue.role = TRACE_ROLE_CLIENT;
	u->dialogue.hop = u->settings.hop;
	u->dialogue.peer = u->peer;
	if (u->client_alive)
		smtp_client_observe(&u->client, observe_fn ? upstream_observe_line : NULL, u);
}

/* ---- TLS ---- */

void upstream_start_tls(struct upstream *u)
{
	const char *name = u->settings.tls_name ? u->settings.tls_name : upstream_via(u)->host;

	u->tls_pending = true;
	conn_set_deadline(u->conn, UPSTREAM_CONNECT_MS);
	conn_tls_connect(u->conn, u->settings.tls, name ? name : "localhost");
}

static void tls_is_up(struct upstream *u)
{
	struct conn_tls_info info;

	u->tls_pending = false;
	if (conn_tls_info(u->conn, &info)) {
		snprintf(
		    u->learned->tls_version, sizeof(u->learned->tls_version), "%s", info.version);
		upstream_note(u, "TLS started: %s %s, certificate %s", info.version, info.cipher,
		    info.verified         ? "verified"
		    : info.verify_problem ? info.verify_problem
					  : "not verified");
	}
	if (upstream_via(u)->scheme != CONFIG_SCHEME_SMTPS)
		smtp_client_tls_started(&u->client);
}

/* ---- the machine ---- */

static enum upstream_trouble trouble_of(const struct smtp_client_event *event)
{
	switch (event->failure) {
	case SMTP_CLIENT_FAILURE_TLS_NOT_OFFERED:
	case SMTP_CLIENT_FAILURE_TLS_REFUSED:
	case SMTP_CLIENT_FAILURE_TLS_INJECTION:
		return UPSTREAM_TROUBLE_TLS;
	case SMTP_CLIENT_FAILURE_REFUSED:
		return event->reply->code >= 500 ? UPSTREAM_TROUBLE_GREETING
						 : UPSTREAM_TROUBLE_CONNECTION;
	case SMTP_CLIENT_FAILURE_PROTOCOL:
	case SMTP_CLIENT_FAILURE_NOT_SMTP:
		return UPSTREAM_TROUBLE_GREETING;
	case SMTP_CLIENT_FAILURE_NONE:
	case SMTP_CLIENT_FAILURE_LEAVING:
	case SMTP_CLIENT_FAILURE_CLOSED:
	case SMTP_CLIENT_FAILURE_TIMEOUT:
	case SMTP_CLIENT_FAILURE_STUCK:
		return UPSTREAM_TROUBLE_CONNECTION;
	}
	return UPSTREAM_TROUBLE_CONNECTION;
}

/* An account keeps the door shut without TLS: say what the operator can do about it. */
static const char *tls_remedy(const struct upstream *u, const struct smtp_client_event *event)
{
	if (!u->settings.hop || event->failure != SMTP_CLIENT_FAILURE_TLS_NOT_OFFERED ||
	    !u->settings.account || upstream_via(u)->scheme != CONFIG_SCHEME_SMTP)
		return "";
	return "; the route has an account, and signing in without TLS needs "
	       "\"cleartext-auth yes\" there";
}

void upstream_add_remedy(struct upstream *u, const struct smtp_received_reply *reply)
{
	char text[2048];
	const struct message_remedy *remedy =
	    message_remedy_find(span_from_string(smtp_reply_format(reply, text, sizeof(text))));
	size_t len = strlen(u->trouble_text);

	if (!remedy)
		return;
	if (len > 0 && u->trouble_text[len - 1] == '.')
		len--;
	snprintf(u->trouble_text + len, sizeof(u->trouble_text) - len, ". That means: %s%s%s",
	    remedy->meaning, remedy->what_to_do[0] ? "; " : "", remedy->what_to_do);
	if (remedy->kind == MESSAGE_REMEDY_LIMIT)
		u->trouble = UPSTREAM_TROUBLE_LIMIT;
}

static void session_failed(struct upstream *u, const struct smtp_client_event *event)
{
	struct smtp_received_reply reply = *event->reply;

	if (u->trouble == UPSTREAM_TROUBLE_NONE) {
		upstream_set_trouble(u, trouble_of(event), "%s: %s%s", u->peer, event->fault->text,
		    tls_remedy(u, event));
		upstream_add_remedy(u, &reply);
	}
	upstream_give_up_address(u, event->stage, reply.code ? &reply : NULL);
}

/* Returns false when u may be gone, or must not be asked again now. */
static bool handle_event(struct upstream *u, const struct smtp_client_event *event)
{
	struct upstream_event up = { .kind = UPSTREAM_SMTP, .smtp = event };

	switch (event->kind) {
	case SMTP_CLIENT_WAIT:
		return false;
	case SMTP_CLIENT_EHLO_REFUSED:
		smtp_client_helo(&u->client);
		return true;
	case SMTP_CLIENT_STARTTLS:
		upstream_start_tls(u);
		return false;
	case SMTP_CLIENT_STARTTLS_REFUSED:
		upstream_note(u, "STARTTLS was refused, going on in clear");
		return true;
	case SMTP_CLIENT_AUTH:
		upstream_auth_begin(u);
		return true;
	case SMTP_CLIENT_AUTH_CHALLENGE:
		upstream_auth_challenge(u, event);
		return true;
	case SMTP_CLIENT_AUTH_REPLY:
		upstream_auth_reply(u, event);
		return true;
	case SMTP_CLIENT_READY:
		u->was_ready = true;
		u->learned->last_ok_ms = net_loop_wall_ms(u->loop);
		up.kind = UPSTREAM_READY;
		upstream_give(u, &up);
		return true;
	case SMTP_CLIENT_RECIPIENT:
	case SMTP_CLIENT_CONTENT:
	case SMTP_CLIENT_MESSAGE:
	case SMTP_CLIENT_TRANSACTION_FAILED:
	case SMTP_CLIENT_PROBED:
		upstream_give(u, &up);
		return true;
	case SMTP_CLIENT_FAILED:
		session_failed(u, event);
		return false;
	case SMTP_CLIENT_CLOSED:
		if (u->trouble != UPSTREAM_TROUBLE_NONE) {
			upstream_give_up_address(u, SMTP_CLIENT_STAGE_AUTH, NULL);
			return false;
		}
		up.kind = UPSTREAM_CLOSED;
		upstream_give(u, &up);
		return false;
	}
	return false;
}

/* Renewed by whole replies and by output that moves, not by single bytes: a reply that drips in
   comes too late all the same. */
static void set_deadline(struct upstream *u, bool progressed)
{
	enum smtp_client_stage stage = smtp_client_stage(&u->client);
	size_t pending = conn_output_pending(u->conn);

	if (upstream_auth_is_working(u)) {
		if (progressed)
			conn_set_deadline(u->conn, UPSTREAM_STEP_MS);
		return;
	}
	if (!progressed && stage == u->deadline_stage && pending == u->pending_seen)
		return;
	u->deadline_stage = stage;
	u->pending_seen = pending;
	if (stage == SMTP_CLIENT_STAGE_MESSAGE)
		conn_set_deadline(u->conn, MESSAGE_MS);
	else if (stage == SMTP_CLIENT_STAGE_QUIT)
		conn_set_deadline(u->conn, QUIT_MS);
	else if (smtp_client_reply_is_due(&u->client) || stage == SMTP_CLIENT_STAGE_CONTENT)
		conn_set_deadline(u->conn, REPLY_MS);
	else
		conn_clear_deadline(u->conn);
}

/* A slow reader is no dead one: as long as output moves there is time. */
static bool time_is_up(struct upstream *u)
{
	return conn_deadline_passed(u->conn) &&
	       (u->pending_seen == 0 || conn_output_pending(u->conn) >= u->pending_seen);
}

static void handshake_failed(struct upstream *u)
{
	upstream_set_trouble(u, UPSTREAM_TROUBLE_TLS, "%s: %s", u->peer, conn_fault(u->conn)->text);
	upstream_give_up_address(u, SMTP_CLIENT_STAGE_TLS, NULL);
}

static void connection_failed(struct upstream *u)
{
	bool named = upstream_has_name(upstream_via(u));

	/* The sentence has the address; the name is added where there is one. */
	upstream_set_trouble(u, UPSTREAM_TROUBLE_CONNECTION, "%s%s%s",
	    named ? upstream_via(u)->host : "", named ? ": " : "", conn_fault(u->conn)->text);
	upstream_give_up_address(u, SMTP_CLIENT_STAGE_GREETING, NULL);
}

void upstream_pump(struct conn *conn, void *owner)
{
	struct upstream *u = owner;
	struct smtp_client_event event;
	struct upstream_event drained = { .kind = UPSTREAM_DRAINED };
	bool more = true, progressed = false;

	if (u->abandoned) {
		upstream_fail(u, smtp_client_stage(&u->client), NULL);
		return;
	}
	if (u->tls_pending && conn_fault(conn)) {
		handshake_failed(u);
		return;
	}
	if (!conn_connected(conn)) {
		if (conn_fault(conn))
			connection_failed(u);
		return;
	}
	if (u->tls_pending && conn_tls_active(conn))
		tls_is_up(u);
	if (u->tls_pending)
		return;
	if (smtp_client_stage(&u->client) == SMTP_CLIENT_STAGE_CONTENT)
		upstream_give(u, &drained);
	if (conn_fault(conn) || conn_eof(conn))
		smtp_client_eof(&u->client);
	else if (upstream_auth_is_working(u) && conn_deadline_passed(conn))
		upstream_auth_timeout(u);
	else if (time_is_up(u))
		smtp_client_timeout(&u->client);
	while (more && !u->abandoned) {
		struct span shown = conn_input(conn), left = shown;
		smtp_client_next(&u->client, &left, &event);
		conn_consume(conn, shown.len - left.len);
		progressed |= event.kind != SMTP_CLIENT_WAIT;
		more = handle_event(u, &event);
		if (event.kind == SMTP_CLIENT_FAILED || event.kind == SMTP_CLIENT_CLOSED)
			return;
	}
	if (!u->tls_pending)
		set_deadline(u, progressed);
}

/* ---- life ---- */

struct upstream *upstream_create(struct net_loop *loop, const struct upstream_settings *settings,
    struct upstream_learned *learned, upstream_event_fn *on_event, void *owner)
{
	struct upstream *u = MEM_NEW(struct upstream);

	assert(settings->via_count > 0);
	u->loop = loop;
	u->settings = *settings;
	u->learned = learned;
	u->on_event = on_event;
	u->owner = owner;
	buf_init_secret(&u->payload, SMTP_CLIENT_PAYLOAD_MAX * 2);
	conceal_init(&u->conceal);
	upstream_start_via(u);
	return u;
}

void upstream_destroy(struct upstream **u)
{
	if (!*u)
		return;
	resolver_cancel(&(*u)->resolver);
	upstream_forget_session(*u);
	buf_fini(&(*u)->payload);
	conceal_fini(&(*u)->conceal);
	mem_free(*u);
	*u = NULL;
}

struct smtp_client *upstream_client(struct upstream *u)
{
	return &u->client;
}

void upstream_flush(struct upstream *u)
{
	conn_flush(u->conn);
	conn_wake(u->conn);
}

void upstream_abandon(struct upstream *u, const char *text)
{
	u->abandoned = true;
	u->was_ready = true;
	upstream_set_trouble(u, UPSTREAM_TROUBLE_LOCAL, "%s", text);
	conn_wake(u->conn);
}

bool upstream_tls_is_verified(const struct upstream *u)
{
	struct conn_tls_info info;

	return u->client.tls_active && conn_tls_info(u->conn, &info) && info.verified;
}

const char *upstream_peer(const struct upstream *u)
{
	return u->peer;
}
