/* SPDX-License-Identifier: MIT */
#include "smtp/server_private.h"

#include <assert.h>

static bool phase_is_of_transaction(enum smtp_phase phase)
{
	return phase == SMTP_PHASE_MAIL || phase == SMTP_PHASE_RCPT ||
	       phase == SMTP_PHASE_CONTENT || phase == SMTP_PHASE_CHUNKS;
}

static void reset_transaction(struct smtp_server *s)
{
	s->recipients = 0;
	s->smtputf8 = false;
	s->refused = false;
	s->refused_line = 0;
	s->discarded = 0;
	smtp_data_reader_init(&s->reader);
}

void smtp_server_enter(struct smtp_server *s, enum smtp_phase phase)
{
	if (s->phase == SMTP_PHASE_CLOSED)
		return;
	if (!phase_is_of_transaction(phase))
		reset_transaction(s);
	s->phase = phase;
}

bool smtp_server_in_transaction(const struct smtp_server *s)
{
	return phase_is_of_transaction(s->phase) && !s->refused;
}

void smtp_server_abort(struct smtp_server *s, enum smtp_abort reason)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_ABORTED };

	event.aborted.reason = reason;
	event.aborted.recipients = s->recipients;
	if (smtp_server_in_transaction(s))
		smtp_server_push(s, &event);
	if (phase_is_of_transaction(s->phase))
		smtp_server_enter(s, SMTP_PHASE_READY);
}

void smtp_server_close(
    struct smtp_server *s, enum smtp_close reason, enum smtp_reply_id id, const char *text)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_CLOSE };

	if (s->phase == SMTP_PHASE_CLOSED)
		return;
	event.close = reason;
	smtp_server_reply(s, id, text ? "%s" : NULL, text);
	smtp_server_abort(s, SMTP_ABORT_CLOSE);
	buf_fini(&s->auth_data);
	s->owed = SMTP_OWED_NOTHING;
	smtp_server_enter(s, SMTP_PHASE_CLOSED);
	smtp_server_push(s, &event);
}

static enum smtp_quirk first_quirk(unsigned quirks)
{
	unsigned quirk = 0;

	while (!(quirks & SMTP_QUIRK_BIT(quirk)))
		quirk++;
	return (enum smtp_quirk)quirk;
}

bool smtp_server_take_quirk(struct smtp_server *s, enum smtp_quirk quirk)
{
	assert(smtp_quirk_is_named(quirk));
	if (s->allowed & SMTP_QUIRK_BIT(quirk)) {
		s->quirks[quirk]++;
		return true;
	}
	s->quirks_missed |= SMTP_QUIRK_BIT(quirk);
	return false;
}

bool smtp_server_takes_lf(const struct smtp_server *s)
{
	return s->allowed & SMTP_QUIRK_BIT(SMTP_QUIRK_BARE_LF);
}

bool smtp_server_allow_quirks(struct smtp_server *s, unsigned quirks)
{
	if (quirks == 0)
		return true;
	for (unsigned i = 0; i < SMTP_QUIRK_COUNT; i++)
		s->quirks[i] += (quirks & SMTP_QUIRK_BIT(i)) != 0;
	if (!s->settings->strict)
		return true;
	smtp_server_error(s, SMTP_REPLY_SYNTAX, "This server is strict and does not take %s",
	    smtp_quirk_text(first_quirk(quirks)));
	return false;
}
