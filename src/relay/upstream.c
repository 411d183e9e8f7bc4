/* SPDX-License-Identifier: MIT */
#include "relay/upstream.h"

#include "base/base64.h"
#include "base/escape.h"
#include "base/memory.h"
#include "base/moment.h"
#include "net/resolver.h"
#include "sasl/describe.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_MS 30000
#define REPLY_MS (5 * 60 * 1000)    /* RFC 5321, 4.5.3.2: greeting, MAIL, RCPT, data block */
#define MESSAGE_MS (10 * 60 * 1000) /* 4.5.3.2.6 */
#define QUIT_MS 5000

struct upstream {
	struct net_loop *loop;
	struct upstream_settings settings;
	struct upstream_learned *learned;
	upstream_event_fn *on_event;
	void *owner;

	size_t via; /* under way */
	struct resolver *resolver;
	struct resolver_result addresses;
	size_t address;
	struct conn *conn;
	struct smtp_client client;
	bool client_alive;
	struct sasl_ladder ladder;
	bool ladder_alive;
	bool tls_pending;
	bool was_ready; /* no other address is tried any more */
	bool abandoned;
	size_t pending_seen;                   /* output pending when the deadline was set */
	enum smtp_client_stage deadline_stage; /* and the stage then */
	char peer[300];
	char trouble_text[1024];
	enum upstream_trouble trouble;

	upstream_observe_fn *observe;
	void *observe_context;
	struct trace_dialogue dialogue;
	struct buf payload; /* secret: the AUTH payload that is being sent */
	unsigned payload_step;
};

static void try_next(struct upstream *u);
static void try_address(struct upstream *u);

static const struct config_via *via_of(const struct upstream *u)
{
	return &u->settings.vias[u->via];
}

/* A host name, and not an address or a socket. */
static bool has_name(const struct config_via *via)
{
	struct net_address numeric;

	return via->host && !net_address_parse(span_from_string(via->host), via->port, &numeric);
}

static bool has_account(const struct upstream *u)
{
	return u->settings.login.len > 0;
}

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
		[UPSTREAM_TROUBLE_LOCAL] = "local",
	};
	return names[trouble];
}

/* ---- events ---- */

static void give(struct upstream *u, const struct upstream_event *event)
{
	u->on_event(u, event, u->owner);
}

static void note(struct upstream *u, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct upstream *u, const char *format, ...)
{
	struct upstream_event event = { .kind = UPSTREAM_NOTE };
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	event.text = text;
	give(u, &event);
}

static void forget_session(struct upstream *u)
{
	if (u->ladder_alive)
		sasl_ladder_fini(&u->ladder);
	if (u->client_alive)
		smtp_client_fini(&u->client);
	u->ladder_alive = u->client_alive = u->tls_pending = false;
	conn_close(&u->conn, CONN_CLOSE_FLUSH);
}

/* The last event; u is gone afterwards. */
static void fail(
    struct upstream *u, enum smtp_client_stage stage, const struct smtp_received_reply *reply)
{
	struct upstream_event event = {
		.kind = UPSTREAM_FAILED,
		.trouble = u->trouble,
		.stage = stage,
		.text = u->trouble_text,
		.reply = reply,
	};

	u->learned->last_failure_ms = net_loop_wall_ms(u->loop);
	snprintf(
	    u->learned->last_failure, sizeof(u->learned->last_failure), "%.500s", u->trouble_text);
	give(u, &event);
}

static void set_trouble(struct upstream *u, enum upstream_trouble trouble, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void set_trouble(struct upstream *u, enum upstream_trouble trouble, const char *format, ...)
{
	va_list arguments;

	u->trouble = trouble;
	va_start(arguments, format);
	vsnprintf(u->trouble_text, sizeof(u->trouble_text), format, arguments);
	va_end(arguments);
}

/* A host that cannot be used may have a neighbour that can; but a refused login is never tried
   again elsewhere with the same secret. */
static bool another_may_do(const struct upstream *u)
{
	return !u->was_ready && u->trouble != UPSTREAM_TROUBLE_AUTH &&
	       u->trouble != UPSTREAM_TROUBLE_AUTH_TEMPORARY;
}

static void give_up_address(
    struct upstream *u, enum smtp_client_stage stage, const struct smtp_received_reply *reply)
{
	if (another_may_do(u) &&
	    (u->address + 1 < u->addresses.count || u->via + 1 < u->settings.via_count)) {
		note(u, "%s", u->trouble_text);
		try_next(u);
		return;
	}
	fail(u, stage, reply);
}

/* ---- observation ---- */

static void observe(void *context, enum smtp_line_kind kind, struct span text)
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
		smtp_client_observe(&u->client, observe_fn ? observe : NULL, u);
}

/* What is about to be sent as an AUTH payload, so that the observer can show it decoded. */
static void remember_payload(struct upstream *u, struct span bytes, unsigned step)
{
	buf_clear(&u->payload);
	if (u->observe)
		base64_encode(&u->payload, bytes);
	u->payload_step = step;
}

/* ---- AUTH ---- */

static void take_action(struct upstream *u, const struct sasl_ladder_action *action)
{
	switch (action->kind) {
	case SASL_LADDER_START:
		snprintf(u->learned->mechanism, sizeof(u->learned->mechanism), "%.*s",
		    SPAN_ARG(action->mechanism));
		remember_payload(u, action->bytes, 0);
		smtp_client_auth_start(
		    &u->client, action->mechanism, action->has_initial, action->bytes);
		break;
	case SASL_LADDER_RESPOND:
		remember_payload(u, action->bytes, u->ladder.client.step - 1);
		smtp_client_auth_respond(&u->client, action->bytes);
		break;
	case SASL_LADDER_CANCEL:
		smtp_client_auth_cancel(&u->client);
		break;
	case SASL_LADDER_DONE:
		break; /* READY follows by itself */
	case SASL_LADDER_GIVE_UP:
		u->learned->mechanism[0] = '\0';
		set_trouble(u,
		    action->trouble == SASL_TROUBLE_TEMPORARY ? UPSTREAM_TROUBLE_AUTH_TEMPORARY
		    : action->trouble == SASL_TROUBLE_NO_TLS  ? UPSTREAM_TROUBLE_TLS
							      : UPSTREAM_TROUBLE_AUTH,
		    "%s: %s", u->peer, action->sentence);
		smtp_client_quit(&u->client);
		break;
	}
	buf_clear(&u->payload);
}

static enum sasl_initial_response initial_response(const struct upstream *u)
{
	switch (u->settings.initial_response) {
	case CONFIG_INITIAL_RESPONSE_AUTO:
		return SASL_INITIAL_RESPONSE_AUTO;
	case CONFIG_INITIAL_RESPONSE_YES:
		return SASL_INITIAL_RESPONSE_YES;
	case CONFIG_INITIAL_RESPONSE_NO:
		return SASL_INITIAL_RESPONSE_NO;
	}
	return SASL_INITIAL_RESPONSE_AUTO;
}

static void begin_auth(struct upstream *u)
{
	const struct smtp_extensions *offered = smtp_client_extensions(&u->client);
	struct span names[SMTP_MECHANISMS_MAX];
	struct sasl_ladder_action action;
	struct sasl_ladder_settings settings = {
		.offered = names,
		.offered_count = offered->mechanism_count,
		.tls_active = smtp_client_tls_active(&u->client),
		.cleartext_allowed = u->settings.cleartext_auth,
		.credentials = { u->settings.login, u->settings.password },
		.only_mechanism = u->settings.only_mechanism,
		.initial_response = initial_response(u),
	};

	u->learned->greeted = true;
	u->learned->extensions = *offered;
	if (!has_account(u)) {
		smtp_client_auth_none(&u->client);
		return;
	}
	for (size_t i = 0; i < offered->mechanism_count; i++)
		names[i] = span_from_string(offered->mechanisms[i]);
	u->ladder_alive = true;
	sasl_ladder_begin(&u->ladder, &settings, &u->learned->memory, &action);
	take_action(u, &action);
}

static void auth_challenge(struct upstream *u, const struct smtp_client_event *event)
{
	struct sasl_ladder_action action;

	sasl_ladder_challenge(&u->ladder, event->challenge, &action);
	take_action(u, &action);
}

static void auth_reply(struct upstream *u, const struct smtp_client_event *event)
{
	struct sasl_ladder_action action;

	sasl_ladder_reply(&u->ladder, event->reply->code, event->reply->text, &action);
	take_action(u, &action);
}

/* ---- TLS ---- */

static void start_tls(struct upstream *u)
{
	const char *name = u->settings.tls_name ? u->settings.tls_name : via_of(u)->host;

	u->tls_pending = true;
	conn_set_deadline(u->conn, CONNECT_MS);
	conn_tls_connect(u->conn, u->settings.tls, name ? name : "localhost");
}

static void tls_is_up(struct upstream *u)
{
	struct conn_tls_info info;

	u->tls_pending = false;
	if (conn_tls_info(u->conn, &info)) {
		snprintf(
		    u->learned->tls_version, sizeof(u->learned->tls_version), "%s", info.version);
		note(u, "TLS started: %s %s, certificate %s", info.version, info.cipher,
		    info.verified         ? "verified"
		    : info.verify_problem ? info.verify_problem
					  : "not verified");
	}
	if (via_of(u)->scheme != CONFIG_SCHEME_SMTPS)
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
	    !has_account(u) || via_of(u)->scheme != CONFIG_SCHEME_SMTP)
		return "";
	return "; the route has an account, and signing in without TLS needs "
	       "\"cleartext-auth yes\" there";
}

static void session_failed(struct upstream *u, const struct smtp_client_event *event)
{
	struct smtp_received_reply reply = *event->reply;

	if (u->trouble == UPSTREAM_TROUBLE_NONE)
		set_trouble(u, trouble_of(event), "%s: %s%s", u->peer, event->fault->text,
		    tls_remedy(u, event));
	give_up_address(u, event->stage, reply.code ? &reply : NULL);
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
		start_tls(u);
		return false;
	case SMTP_CLIENT_STARTTLS_REFUSED:
		note(u, "STARTTLS was refused, going on in clear");
		return true;
	case SMTP_CLIENT_AUTH:
		begin_auth(u);
		return true;
	case SMTP_CLIENT_AUTH_CHALLENGE:
		auth_challenge(u, event);
		return true;
	case SMTP_CLIENT_AUTH_REPLY:
		auth_reply(u, event);
		return true;
	case SMTP_CLIENT_READY:
		u->was_ready = true;
		u->learned->last_ok_ms = net_loop_wall_ms(u->loop);
		up.kind = UPSTREAM_READY;
		give(u, &up);
		return true;
	case SMTP_CLIENT_RECIPIENT:
	case SMTP_CLIENT_CONTENT:
	case SMTP_CLIENT_MESSAGE:
	case SMTP_CLIENT_TRANSACTION_FAILED:
	case SMTP_CLIENT_PROBED:
		give(u, &up);
		return true;
	case SMTP_CLIENT_FAILED:
		session_failed(u, event);
		return false;
	case SMTP_CLIENT_CLOSED:
		if (u->trouble != UPSTREAM_TROUBLE_NONE) {
			give_up_address(u, SMTP_CLIENT_STAGE_AUTH, NULL);
			return false;
		}
		up.kind = UPSTREAM_CLOSED;
		give(u, &up);
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
	set_trouble(u, UPSTREAM_TROUBLE_TLS, "%s: %s", u->peer, conn_fault(u->conn)->text);
	give_up_address(u, SMTP_CLIENT_STAGE_TLS, NULL);
}

static void connection_failed(struct upstream *u)
{
	bool named = has_name(via_of(u));

	/* The sentence has the address; the name is added where there is one. */
	set_trouble(u, UPSTREAM_TROUBLE_CONNECTION, "%s%s%s", named ? via_of(u)->host : "",
	    named ? ": " : "", conn_fault(u->conn)->text);
	give_up_address(u, SMTP_CLIENT_STAGE_GREETING, NULL);
}

static void pump(struct conn *conn, void *owner)
{
	struct upstream *u = owner;
	struct smtp_client_event event;
	struct upstream_event drained = { .kind = UPSTREAM_DRAINED };
	bool more = true, progressed = false;

	if (u->abandoned) {
		fail(u, smtp_client_stage(&u->client), NULL);
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
		give(u, &drained);
	if (conn_fault(conn) || conn_eof(conn))
		smtp_client_eof(&u->client);
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

/* ---- addresses ---- */

static enum smtp_client_starttls starttls_of(const struct upstream *u)
{
	const struct config_via *via = via_of(u);

	if (u->settings.tls_off || via->path)
		return SMTP_CLIENT_STARTTLS_NEVER;
	if (via->scheme == CONFIG_SCHEME_SUBMISSION)
		return SMTP_CLIENT_STARTTLS_REQUIRED;
	return has_account(u) && !u->settings.cleartext_auth ? SMTP_CLIENT_STARTTLS_REQUIRED
							     : SMTP_CLIENT_STARTTLS_IF_OFFERED;
}

static void begin_session(struct upstream *u)
{
	const struct config_via *via = via_of(u);
	struct smtp_client_settings settings = {
		.ehlo_name = u->settings.ehlo_name,
		.starttls = starttls_of(u),
		.tls_active = via->scheme == CONFIG_SCHEME_SMTPS,
		.auth_required = has_account(u),
		.lmtp = via->scheme == CONFIG_SCHEME_LMTP,
		.pipelining_off = u->settings.pipelining_off,
	};

	u->trouble = UPSTREAM_TROUBLE_NONE;
	u->deadline_stage = SMTP_CLIENT_STAGE_CLOSED;
	u->learned->tls_version[0] = '\0';
	smtp_client_init(&u->client, &settings, conn_output(u->conn));
	u->client_alive = true;
	if (u->observe)
		smtp_client_observe(&u->client, observe, u);
	if (settings.tls_active)
		start_tls(u);
}

static void try_address(struct upstream *u)
{
	const struct net_address *to = &u->addresses.addresses[u->address];
	const struct net_address *source = u->settings.source.len ? &u->settings.source : NULL;
	char text[NET_ADDRESS_TEXT_MAX];

	forget_session(u);
	net_address_format(to, text);
	if (has_name(via_of(u)))
		snprintf(u->peer, sizeof(u->peer), "%.120s (%s)", via_of(u)->host, text);
	else
		snprintf(u->peer, sizeof(u->peer), "%s", text);
	note(u, "connecting to %s", u->peer);
	u->conn = conn_connect(u->loop, to, source, CONNECT_MS, pump, u);
	begin_session(u);
}

static void skip_other_families(struct upstream *u)
{
	sa_family_t family = u->settings.source.any.sa_family;
	size_t kept = 0;

	if (u->settings.source.len == 0)
		return;
	for (size_t i = 0; i < u->addresses.count; i++)
		if (u->addresses.addresses[i].any.sa_family == family)
			u->addresses.addresses[kept++] = u->addresses.addresses[i];
	u->addresses.count = kept;
}

static void on_resolved(
    const struct resolver_result *result, const struct fault *fault, void *owner)
{
	struct upstream *u = owner;

	u->resolver = NULL;
	u->addresses.count = 0;
	u->address = 0;
	if (result) {
		u->addresses = *result;
		skip_other_families(u);
	}
	if (u->addresses.count > 0) {
		try_address(u);
		return;
	}
	set_trouble(u, UPSTREAM_TROUBLE_NAME, "%s",
	    result ? "the host has no address of the family of \"source\"" : fault->text);
	give_up_address(u, SMTP_CLIENT_STAGE_GREETING, NULL);
}

/* A unix socket has no name to look up. */
static void try_path(struct upstream *u)
{
	u->addresses.count = 1;
	u->address = 0;
	try_address(u);
}

static void start_via(struct upstream *u)
{
	const struct config_via *via = via_of(u);

	u->addresses.count = 0;
	if (via->path &&
	    net_address_from_path(span_from_string(via->path), &u->addresses.addresses[0]))
		try_path(u);
	else /* a path that no socket can have fails there, as a name */
		u->resolver = resolver_start(u->loop,
		    span_from_string(via->host ? via->host : via->path), via->port, on_resolved, u);
}

/* From a failure to the next address, or to the next host. */
static void try_next(struct upstream *u)
{
	if (u->address + 1 < u->addresses.count) {
		u->address++;
		try_address(u);
		return;
	}
	forget_session(u);
	u->via++;
	start_via(u);
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
	start_via(u);
	return u;
}

void upstream_destroy(struct upstream **u)
{
	if (!*u)
		return;
	resolver_cancel(&(*u)->resolver);
	forget_session(*u);
	buf_fini(&(*u)->payload);
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
	set_trouble(u, UPSTREAM_TROUBLE_LOCAL, "%s", text);
	conn_wake(u->conn);
}

const char *upstream_peer(const struct upstream *u)
{
	return u->peer;
}
