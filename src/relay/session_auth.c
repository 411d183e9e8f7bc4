/* SPDX-License-Identifier: MIT */
#include "relay/session_auth.h"

#include "base/memory.h"
#include "relay/events.h"
#include "relay/watch.h"

#include <assert.h>

static void begin_line(const struct session *s, struct log_line *line, enum event event)
{
	char address[NET_ADDRESS_TEXT_MAX];

	event_begin(line, event);
	log_number(line, "session", (int64_t)s->number);
	log_text(line, "client", net_address_format_host(&s->peer, address));
	if (s->sasl) {
		log_text(line, "mechanism", sasl_mechanism_name(s->sasl->mechanism));
		if (s->sasl->identity.authcid.len > 0)
			log_span(line, "login", buf_span(&s->sasl->identity.authcid));
	}
	log_text(line, "tls", s->smtp.tls_active ? "yes" : "no");
}

void session_auth_forget(struct session *s)
{
	if (!s->sasl)
		return;
	sasl_server_fini(s->sasl);
	mem_free(s->sasl);
	s->sasl = NULL;
}

static void fail(struct session *s, enum smtp_reply_id reply, const char *reason)
{
	struct log_line line;

	begin_line(s, &line,
	    reply == SMTP_REPLY_AUTH_TEMPORARY ? EVENT_AUTH_UNAVAILABLE : EVENT_AUTH_FAILED);
	log_text(&line, "reason", reason);
	if (s->sasl && s->sasl->identity.has_line_end)
		log_text(&line, "hint",
		    "the name or password ends with a line end: "
		    "was it made by echo without -n?");
	log_end(&line);
	smtp_server_auth_failure(
	    &s->smtp, reply, reply == SMTP_REPLY_AUTH_MALFORMED ? reason : NULL);
	session_auth_forget(s);
}

static void succeed(struct session *s)
{
	struct buf *name = &s->sasl->identity.authcid;
	struct log_line line;

	begin_line(s, &line, EVENT_AUTH_SUCCEEDED);
	log_end(&line);
	s->login = mem_dup(buf_span(name).data, name->len);
	smtp_server_auth_success(&s->smtp);
	session_auth_forget(s);
}

void session_auth_checked(struct session *s, enum account_check_result result)
{
	switch (result) {
	case ACCOUNT_CHECK_PASS:
		succeed(s);
		break;
	case ACCOUNT_CHECK_FAIL:
		fail(s, SMTP_REPLY_AUTH_REJECTED, "unknown user or wrong password");
		break;
	case ACCOUNT_CHECK_BUSY:
		fail(s, SMTP_REPLY_AUTH_TEMPORARY, "too many logins are being checked");
		break;
	case ACCOUNT_CHECK_PENDING:
		s->question = SESSION_QUESTION_PASSWORD;
		break;
	}
}

static void check(struct session *s)
{
	const struct sasl_identity *identity = &s->sasl->identity;
	int64_t now = net_loop_now_ms(&s->lane->loop);
	struct account_check_question question = {
		.login = buf_span(&identity->authcid),
		.password = buf_span(&identity->password),
		.asker = s->handle,
		.reply_to = &s->lane->from_workers.box,
		.kind = LANE_JOB_PASSWORD,
		.now_ms = now,
		.deadline_ms = now + SESSION_AUTH_DEADLINE_MS,
	};

	session_auth_checked(
	    s, account_check_begin(s->lane->services->checker, s->setup->users, &question));
}

static void act(struct session *s, enum sasl_outcome outcome)
{
	switch (outcome) {
	case SASL_OUTCOME_CHALLENGE:
		smtp_server_auth_challenge(&s->smtp, s->sasl->challenge);
		break;
	case SASL_OUTCOME_IDENTITY:
		check(s);
		break;
	case SASL_OUTCOME_LOOKUP:
	case SASL_OUTCOME_PROVED:
	case SASL_OUTCOME_REFUSED:
		assert(!"PLAIN and LOGIN, which alone are offered, end in an identity");
		break;
	case SASL_OUTCOME_MALFORMED:
		fail(s, SMTP_REPLY_AUTH_MALFORMED, s->sasl->sentence);
		break;
	}
}

void session_auth_begin(struct session *s, const struct smtp_server_event *event)
{
	enum sasl_mechanism mechanism;

	session_auth_forget(s);
	if (!sasl_mechanism_find(event->auth.mechanism, &mechanism)) {
		smtp_server_auth_failure(&s->smtp, SMTP_REPLY_AUTH_MECHANISM_UNKNOWN, NULL);
		return;
	}
	s->sasl = MEM_NEW(struct sasl_server);
	sasl_server_init(s->sasl);
	if (event->auth.has_initial)
		watch_session_payload(s, event->auth.mechanism, 0, event->auth.data);
	act(s, sasl_server_start(s->sasl, mechanism, event->auth.has_initial, event->auth.data));
}

void session_auth_response(struct session *s, const struct smtp_server_event *event)
{
	watch_session_payload(s, event->auth.mechanism, s->sasl->step, event->auth.data);
	act(s, sasl_server_step(s->sasl, event->auth.data));
}
