/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "net/proxy.h"
#include "relay/guard.h"
#include "relay/quirk_use.h"
#include "relay/session_auth.h"
#include "relay/session_private.h"
#include "relay/watch.h"
#include "smtp/notify.h"

#include <stdio.h>
#include <string.h>

#define PROXY_HEADER_MS 10000
#define VALUE_MAX 512 /* of an attribute of XCLIENT, decoded */

/* ---- who may come in ---- */

static void log_refused(const struct session *s, const char *reason)
{
	struct log_line line;
	uint64_t untold;

	if (!refusals_tell(&s->lane->refusals, net_loop_now_ms(&s->lane->loop), &untold))
		return;
	session_begin_line(s, &line, EVENT_SESSION_REFUSED);
	log_text(&line, "listener", s->listener->label);
	log_text(&line, "reason", reason);
	if (untold > 0)
		log_number(&line, "untold", (int64_t)untold);
	log_end(&line);
}

static bool is_denied(const struct session *s)
{
	return config_either_contains(
	    &s->listener->deny, &s->setup->config->deny, &s->peer.storage);
}

static const char *count(struct session *s, struct account_census_limits limits)
{
	s->counted_as = account_address_of(&s->peer.any);
	switch (account_census_enter(s->lane->services->census,
	    span_from_string(s->listener->label), &s->counted_as, limits)) {
	case ACCOUNT_CENSUS_ENTERED:
		s->counted = true;
		return NULL;
	case ACCOUNT_CENSUS_ADDRESS_FULL:
		return "connections-per-address";
	case ACCOUNT_CENSUS_LISTENER_FULL:
		break;
	}
	return "connections-max";
}

void session_leave(struct session *s)
{
	if (s->counted)
		account_census_leave(s->lane->services->census,
		    span_from_string(s->listener->label), &s->counted_as);
	s->counted = false;
}

/* False: *reply_out is the only word that the client gets. */
static bool admit(struct session *s, enum smtp_reply_id *reply_out)
{
	bool exempt = s->trusted || net_address_is_loopback(&s->peer);
	struct account_census_limits limits = {
		.listener_max = s->listener->connections_max,
		.address_max = exempt ? 0 : s->listener->connections_per_address,
	};
	const char *reason;

	if (is_denied(s)) {
		*reply_out = SMTP_REPLY_ACCESS_DENIED;
		reason = "denied";
	} else if (guard_bans_address(s)) {
		*reply_out = SMTP_REPLY_CLOSING_BANNED;
		reason = "banned";
	} else {
		*reply_out = SMTP_REPLY_CLOSING_CONNECTIONS;
		reason = count(s, limits);
	}
	if (reason)
		log_refused(s, reason);
	return !reason;
}

/* The proxy itself counts for the listener only. */
static bool admit_proxy(struct session *s, enum smtp_reply_id *reply_out)
{
	const char *reason = count(
	    s, (struct account_census_limits){ .listener_max = s->listener->connections_max });

	*reply_out = SMTP_REPLY_CLOSING_CONNECTIONS;
	if (reason)
		log_refused(s, reason);
	return !reason;
}

/* The client is this one, from now on. */
static void set_peer(struct session *s, const struct net_address *peer)
{
	s->peer = *peer;
	s->trusted = config_networks_contain(
	    s->listener->relay_from, s->listener->relay_from_count, &peer->storage);
}

static const struct smtp_server_settings *settings_of(const struct session *s)
{
	size_t index = (size_t)(s->listener - s->setup->config->listeners);

	return &s->setup->servers[index][s->trusted];
}

static bool may_xclient(const struct session *s)
{
	return config_either_contains(
	    &s->listener->xclient, &s->setup->config->xclient, &s->peer.storage);
}

/* The client is known, and admitted. */
static void begin(struct session *s)
{
	s->begun = true;
	smtp_server_init(&s->smtp, settings_of(s), conn_output(s->conn));
	smtp_server_allow_xclient(&s->smtp, may_xclient(s));
	quirk_use_grant(s);
	session_watch(s, s->lane->watchers > 0);
	watch_session_note(s, "connected");
	if (s->listener->tls == CONFIG_TLS_MODE_IMPLICIT)
		session_start_tls(s);
	else
		smtp_server_greet(&s->smtp);
	conn_wake(s->conn);
}

/* The reply in clear; under implicit TLS nobody could read it. */
static void say_no(
    struct conn *conn, const struct config_listener *listener, enum smtp_reply_id reply)
{
	if (listener->tls != CONFIG_TLS_MODE_IMPLICIT)
		smtp_reply_append(conn_output(conn), reply, span_of("", 0));
}

/* A short way out that costs no session. */
static void turn_away(struct session *s, int fd, enum smtp_reply_id reply)
{
	struct conn *conn = conn_open(&s->lane->loop, fd, &s->peer, NULL, NULL);

	if (conn)
		say_no(conn, s->listener, reply);
	conn_close(&conn, refusals_may_linger(s->lane->loop.conn_count, s->lane->session_count)
			      ? CONN_CLOSE_LINGER
			      : CONN_CLOSE_FLUSH);
	setup_unref(&s->setup);
	mem_free(s);
}

static void open_session(struct session *s, int fd, const struct net_address *peer)
{
	s->conn = conn_open(&s->lane->loop, fd, peer, session_pump, s);
	s->handle = lane_place_take(s->lane, s);
	list_append(&s->lane->sessions, &s->link);
	s->lane->session_count++;
}

void session_accept(struct lane *lane, const struct config_listener *listener, int fd,
    const struct net_address *peer)
{
	struct session *s = MEM_NEW(struct session);
	enum smtp_reply_id reply;
	bool speaks_for_others;

	s->lane = lane;
	s->listener = listener;
	s->setup = setup_ref(lane->setup);
	s->number = ++lane->sessions_born * lane->services->lane_count + lane->index;
	set_peer(s, peer);
	speaks_for_others = config_either_contains(
	    &listener->proxy_protocol, &s->setup->config->proxy_protocol, &peer->storage);
	if (!(speaks_for_others ? admit_proxy(s, &reply) : admit(s, &reply))) {
		turn_away(s, fd, reply);
		return;
	}
	open_session(s, fd, peer);
	if (speaks_for_others) {
		s->proxy_pending = true;
		conn_set_deadline(s->conn, PROXY_HEADER_MS);
	} else {
		begin(s);
	}
}

/* ---- PROXY ---- */

static bool end(struct session *s, const char *reason, const char *why)
{
	char text[160];

	snprintf(text, sizeof(text), "proxy-header%s%s", why ? ": " : "", why ? why : "");
	log_refused(s, text);
	s->end = reason;
	return false;
}

static bool take_proxy(struct session *s, const struct net_proxy *proxy)
{
	enum smtp_reply_id reply;

	s->proxy_pending = false;
	conn_clear_deadline(s->conn);
	session_leave(s);
	if (!proxy->speaks_for_itself)
		set_peer(s, &proxy->client);
	if (admit(s, &reply)) {
		begin(s);
		return true;
	}
	say_no(s->conn, s->listener, reply);
	s->end = "turned-away";
	return false;
}

bool session_await_proxy(struct session *s)
{
	struct span input = conn_input(s->conn), left = input;
	struct net_proxy proxy;
	const char *why = NULL;

	switch (net_proxy_take(&left, &proxy, &why)) {
	case NET_PROXY_TAKEN:
		conn_consume(s->conn, input.len - left.len);
		return take_proxy(s, &proxy);
	case NET_PROXY_MALFORMED:
		return end(s, "proxy-header", why);
	case NET_PROXY_NEED_MORE:
		break;
	}
	if (conn_fault(s->conn) || conn_eof(s->conn))
		s->end = "connection-closed"; /* a proxy that looks whether we live */
	else if (conn_deadline_passed(s->conn))
		return end(s, "timeout", "it did not come in time");
	return false;
}

/* ---- XCLIENT ---- */

/* What the proxy says, decoded. NULL: not said, or not known. */
static char *decode(struct span xtext)
{
	struct buf text;
	char *string;

	if (xtext.len == 0)
		return NULL;
	buf_init(&text, VALUE_MAX);
	string = smtp_xtext_decode(xtext, &text) ? span_to_string(buf_span(&text)) : NULL;
	buf_fini(&text);
	return string;
}

/* Without ADDR the client is who it was; [UNAVAILABLE] is nobody, whom nothing trusts. */
static bool take_address(
    const struct session *s, const struct smtp_xclient *said, struct net_address *peer_out)
{
	char *text = decode(said->address);
	uint64_t port = 0;
	bool good = true;

	*peer_out = s->peer;
	if (said->address.data)
		*peer_out = (struct net_address){ .len = 0 };
	if (said->port.len > 0)
		good = span_to_u64(said->port, &port) && port <= UINT16_MAX;
	if (said->address.len > 0)
		good = good && text &&
		       net_address_parse(span_from_string(text), (uint16_t)port, peer_out);
	mem_free(text);
	return good;
}

static bool is_login(const char *login)
{
	struct span text = span_from_string(login);

	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 127)
			return false;
	return text.len < ACCOUNT_BANS_LOGIN_MAX;
}

static bool is_hello_name(const char *name)
{
	struct span text = span_from_string(name);

	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == '(' ||
		    text.data[i] == ')' || text.data[i] == '\\')
			return false;
	return text.len <= SMTP_HELLO_NAME_MAX;
}

/* What is said of one client holds for no other. */
static void forget_client(struct session *s)
{
	guard_leave(s);
	session_leave(s);
	session_auth_forget(s);
	mem_free(s->login);
	mem_free(s->told_helo);
	s->login = s->told_helo = NULL;
	s->told_protocol = span_of("", 0);
	s->login_failures = 0;
}

static bool set_login(struct session *s, char **login, char why_out[GUARD_WHY_MAX])
{
	if (!*login)
		return true;
	s->login = *login;
	*login = NULL;
	return guard_succeeded(s, span_from_string(s->login), why_out);
}

static void log_xclient(const struct session *s)
{
	char proxy[NET_ADDRESS_TEXT_MAX];
	struct log_line line;

	session_begin_line(s, &line, EVENT_XCLIENT);
	log_text(&line, "by", net_address_format_host(conn_peer(s->conn), proxy));
	log_end(&line);
}

static void become(struct session *s, const struct smtp_xclient *said,
    const struct net_address *peer, char **login)
{
	char why[GUARD_WHY_MAX];
	enum smtp_reply_id reply;

	quirk_use_tell(s);
	set_peer(s, peer);
	if (span_equal_nocase(said->protocol, SPAN("ESMTP")))
		s->told_protocol = SPAN("ESMTP");
	else if (said->protocol.len > 0)
		s->told_protocol = SPAN("SMTP");
	log_xclient(s);
	quirk_use_grant(s);
	if (!admit(s, &reply))
		smtp_server_turn_away(&s->smtp, reply, NULL);
	else if (!set_login(s, login, why))
		smtp_server_turn_away(&s->smtp, SMTP_REPLY_CLOSING_CONNECTIONS, why);
	else
		smtp_server_become(&s->smtp, settings_of(s), s->login != NULL);
}

/* NULL: it can be believed. */
static const char *find_flaw(const struct smtp_xclient *said, const char *login, const char *helo)
{
	if (said->login.len > 0 && (!login || !is_login(login)))
		return "LOGIN is no name";
	if (said->helo.len > 0 && (!helo || !is_hello_name(helo)))
		return "HELO is no name";
	return NULL;
}

void session_xclient(struct session *s, const struct smtp_server_event *event)
{
	const struct smtp_xclient *said = &event->xclient;
	char *login = decode(said->login), *helo = decode(said->helo);
	const char *flaw = find_flaw(said, login, helo);
	struct net_address peer;

	if (!flaw && !take_address(s, said, &peer))
		flaw = "ADDR is no IP address, or PORT no port";
	if (flaw) {
		smtp_server_answer(&s->smtp, SMTP_REPLY_ARGUMENTS, "%s", flaw);
	} else {
		forget_client(s);
		s->told_helo = helo;
		helo = NULL;
		become(s, said, &peer, &login);
	}
	mem_free(login);
	mem_free(helo);
}

struct span session_hello_name(const struct session *s)
{
	return s->told_helo ? span_from_string(s->told_helo) : smtp_server_hello_name(&s->smtp);
}
