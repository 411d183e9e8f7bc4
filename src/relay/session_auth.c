/* SPDX-License-Identifier: MIT */
#include "relay/session_auth.h"

#include "base/memory.h"
#include "relay/guard.h"
#include "relay/session_private.h"
#include "relay/watch.h"

/* Whom the attempt is about, as far as that is known. */
static struct span login_of(const struct account_signin *signin)
{
	return buf_span(signin->login.len > 0 ? &signin->login : &signin->sasl.identity.authcid);
}

static void begin_line(const struct session *s, struct log_line *line, enum event event)
{
	const struct account_signin *signin = s->signin;
	char address[NET_ADDRESS_TEXT_MAX];

	event_begin(line, event);
	log_number(line, "session", (int64_t)s->number);
	log_text(line, "client", net_address_format_host(&s->peer, address));
	if (signin) {
		log_text(line, "mechanism", sasl_mechanism_name(signin->sasl.mechanism));
		if (login_of(signin).len > 0)
			log_span(line, "login", login_of(signin));
	}
	log_text(line, "tls", s->smtp.tls_active ? "yes" : "no");
}

void session_auth_forget(struct session *s)
{
	if (!s->signin)
		return;
	account_signin_fini(s->signin);
	mem_free(s->signin);
	s->signin = NULL;
}

/* ---- the health of stores ---- */

/* Once when a store fails, and once when it is back: not with each login. */
static void note_store(const struct session *s, enum account_signin_state state)
{
	struct account_store *store = s->signin->fault;
	bool down = state == ACCOUNT_SIGNIN_UNAVAILABLE;
	struct log_line line;
	char name[256];

	if (!store || !account_store_note(store, down))
		return;
	event_begin(&line, down ? EVENT_STORE_DOWN : EVENT_STORE_UP);
	log_text(&line, "store", account_store_name(store, name, sizeof(name)));
	if (down)
		log_text(&line, "reason", s->signin->reason);
	log_end(&line);
}

/* ---- the verdict ---- */

/* At once, or after a pause that makes guessing slow. text may be NULL for the table's. */
static void answer_failure(
    struct session *s, enum smtp_reply_id reply, const char *text, int64_t pause_ms)
{
	if (pause_ms > 0) {
		s->paused_reply = reply;
		s->question = SESSION_QUESTION_PAUSE;
		conn_set_deadline(s->conn, pause_ms);
	} else {
		smtp_server_auth_failure(&s->smtp, reply, text);
	}
	session_auth_forget(s);
}

void session_auth_pause_ended(struct session *s)
{
	s->question = SESSION_QUESTION_NONE;
	smtp_server_auth_failure(&s->smtp, s->paused_reply, NULL);
}

static void fail(struct session *s, enum smtp_reply_id reply)
{
	struct log_line line;
	int64_t pause_ms = 0;

	begin_line(s, &line,
	    reply == SMTP_REPLY_AUTH_TEMPORARY ? EVENT_AUTH_UNAVAILABLE : EVENT_AUTH_FAILED);
	log_text(&line, "reason", s->signin->reason);
	if (s->signin->sasl.identity.has_line_end)
		log_text(&line, "hint",
		    "the name or password ends with a line end: "
		    "was it made by echo without -n?");
	log_end(&line);
	if (reply == SMTP_REPLY_AUTH_REJECTED)
		pause_ms = guard_failed(s, login_of(s->signin));
	answer_failure(
	    s, reply, reply == SMTP_REPLY_AUTH_MALFORMED ? s->signin->reason : NULL, pause_ms);
}

/* Right or wrong: that is not told. */
static void refuse_banned(struct session *s)
{
	struct log_line line;

	begin_line(s, &line, EVENT_AUTH_FAILED);
	log_text(&line, "reason", "banned");
	log_end(&line);
	answer_failure(s, SMTP_REPLY_AUTH_TEMPORARY, NULL, guard_banned_pause(s));
}

static bool is_verdict(enum account_signin_state state)
{
	return state == ACCOUNT_SIGNIN_PASSED || state == ACCOUNT_SIGNIN_REFUSED;
}

static void refuse_session(struct session *s, const char *why)
{
	struct log_line line;

	begin_line(s, &line, EVENT_AUTH_UNAVAILABLE);
	log_text(&line, "reason", why);
	log_end(&line);
	answer_failure(s, SMTP_REPLY_AUTH_TEMPORARY, why, 0);
}

static void succeed(struct session *s)
{
	const struct buf *name = &s->signin->login;
	char why[GUARD_WHY_MAX];
	struct log_line line;

	if (!guard_succeeded(s, buf_span(name), why)) {
		refuse_session(s, why);
		return;
	}
	begin_line(s, &line, EVENT_AUTH_SUCCEEDED);
	log_end(&line);
	s->login = mem_dup(buf_span(name).data, name->len);
	smtp_server_auth_success(&s->smtp);
	session_auth_forget(s);
}

static void follow(struct session *s, enum account_signin_state state)
{
	note_store(s, state);
	if (is_verdict(state) && guard_bans_login(s, login_of(s->signin))) {
		refuse_banned(s);
		return;
	}
	switch (state) {
	case ACCOUNT_SIGNIN_CHALLENGE:
		smtp_server_auth_challenge(&s->smtp, s->signin->sasl.challenge);
		break;
	case ACCOUNT_SIGNIN_PENDING:
		s->question = SESSION_QUESTION_PASSWORD;
		break;
	case ACCOUNT_SIGNIN_PASSED:
		succeed(s);
		break;
	case ACCOUNT_SIGNIN_REFUSED:
		fail(s, SMTP_REPLY_AUTH_REJECTED);
		break;
	case ACCOUNT_SIGNIN_MALFORMED:
		fail(s, SMTP_REPLY_AUTH_MALFORMED);
		break;
	case ACCOUNT_SIGNIN_UNAVAILABLE:
		fail(s, SMTP_REPLY_AUTH_TEMPORARY);
		break;
	}
}

void session_auth_checked(struct session *s, struct account_check_answer *answer)
{
	follow(s, account_signin_answer(s->signin, answer, net_loop_now_ms(&s->lane->loop)));
}

/* A refusal that the client did not wait for is one all the same. */
void session_auth_cancelled(struct session *s)
{
	struct log_line line;

	if (s->signin && account_signin_had_failed(s->signin)) {
		begin_line(s, &line, EVENT_AUTH_FAILED);
		log_text(&line, "reason", s->signin->reason);
		log_end(&line);
		guard_failed(s, login_of(s->signin));
	}
	session_auth_forget(s);
}

/* ---- what is offered ---- */

void session_auth_offer(struct session *s, const struct setup_offer *offer)
{
	smtp_server_offer_auth(&s->smtp, offer->lists[setup_auth_state(s->conn)]);
}

static bool offers_binding(const struct session *s)
{
	struct span list = span_from_string(s->smtp.auth_mechanisms);

	return span_find_span(list, SPAN("-PLUS")) < list.len;
}

/* ---- the exchange ---- */

static struct account_signin *create(struct session *s)
{
	const struct lane_services *services = s->lane->services;
	struct account_signin *signin = MEM_NEW(struct account_signin);
	struct account_signin_place place = {
		.stores = s->setup->stores,
		.checker = services->checker,
		.dovecots = &s->lane->dovecots,
		.conn = s->conn,
		.hostname = span_from_string(s->setup->config->hostname),
		.decoy_key = span_of(services->decoy_key, sizeof(services->decoy_key)),
		.bound_offered = offers_binding(s),
		.deadline_ms = SESSION_AUTH_DEADLINE_MS,
		.asker = s->handle,
		.reply_to = &s->lane->from_workers.box,
		.kind = LANE_JOB_PASSWORD,
		.share = account_signin_share(&s->peer.any),
	};

	account_signin_init(signin, &place);
	return signin;
}

static int64_t wall_s(const struct session *s)
{
	return net_loop_wall_ms(&s->lane->loop) / 1000;
}

void session_auth_begin(struct session *s, const struct smtp_server_event *event)
{
	enum sasl_mechanism mechanism;

	session_auth_forget(s);
	if (!sasl_mechanism_find(event->auth.mechanism, &mechanism) ||
	    !sasl_server_speaks(mechanism)) {
		smtp_server_auth_failure(&s->smtp, SMTP_REPLY_AUTH_MECHANISM_UNKNOWN, NULL);
		return;
	}
	s->signin = create(s);
	if (event->auth.has_initial)
		watch_session_payload(s, event->auth.mechanism, 0, event->auth.data);
	follow(s, account_signin_begin(s->signin, mechanism, event->auth.has_initial,
		      event->auth.data, net_loop_now_ms(&s->lane->loop), wall_s(s)));
}

void session_auth_response(struct session *s, const struct smtp_server_event *event)
{
	watch_session_payload(s, event->auth.mechanism, s->signin->sasl.step, event->auth.data);
	follow(s, account_signin_step(
		      s->signin, event->auth.data, net_loop_now_ms(&s->lane->loop), wall_s(s)));
}
