/* SPDX-License-Identifier: MIT */
#include "smtp/client_internal.h"

#include "base/escape.h"
#include "smtp/client_foreign.h"

#include <stdio.h>

enum { SEEN_MAX = 160, REPLY_TEXT_MAX = 320 };

const char *smtp_client_stage_name(enum smtp_client_stage stage)
{
	switch (stage) {
	case SMTP_CLIENT_STAGE_GREETING:
		return "greeting";
	case SMTP_CLIENT_STAGE_EHLO:
		return "EHLO";
	case SMTP_CLIENT_STAGE_HELO:
		return "HELO";
	case SMTP_CLIENT_STAGE_STARTTLS:
		return "STARTTLS";
	case SMTP_CLIENT_STAGE_TLS:
		return "TLS";
	case SMTP_CLIENT_STAGE_AUTH:
		return "AUTH";
	case SMTP_CLIENT_STAGE_READY:
		return "idle";
	case SMTP_CLIENT_STAGE_RSET:
		return "RSET";
	case SMTP_CLIENT_STAGE_MAIL:
		return "MAIL";
	case SMTP_CLIENT_STAGE_RCPT:
		return "RCPT";
	case SMTP_CLIENT_STAGE_DATA:
		return "DATA";
	case SMTP_CLIENT_STAGE_CONTENT:
		return "content";
	case SMTP_CLIENT_STAGE_MESSAGE:
		return "message";
	case SMTP_CLIENT_STAGE_QUIT:
		return "QUIT";
	case SMTP_CLIENT_STAGE_CLOSED:
		return "closed";
	}
	return "?";
}

/* "instead of answering RCPT", "in the middle of the content", ... */
static const char *when(const struct smtp_client *c, char *out, size_t size)
{
	switch (c->stage) {
	case SMTP_CLIENT_STAGE_GREETING:
		return "before its greeting";
	case SMTP_CLIENT_STAGE_TLS:
		return "when TLS was to begin";
	case SMTP_CLIENT_STAGE_READY:
		return "while the session was idle";
	case SMTP_CLIENT_STAGE_CONTENT:
		return "in the middle of the content";
	case SMTP_CLIENT_STAGE_MESSAGE:
		return "instead of answering to the end of the message";
	case SMTP_CLIENT_STAGE_CLOSED:
		return "after the end";
	case SMTP_CLIENT_STAGE_EHLO:
	case SMTP_CLIENT_STAGE_HELO:
	case SMTP_CLIENT_STAGE_STARTTLS:
	case SMTP_CLIENT_STAGE_AUTH:
	case SMTP_CLIENT_STAGE_RSET:
	case SMTP_CLIENT_STAGE_MAIL:
	case SMTP_CLIENT_STAGE_RCPT:
	case SMTP_CLIENT_STAGE_DATA:
	case SMTP_CLIENT_STAGE_QUIT:
		break;
	}
	if (c->owes != SMTP_CLIENT_OWES_NOTHING)
		snprintf(out, size, "after its answer to %s", smtp_client_stage_name(c->stage));
	else
		snprintf(out, size, "instead of answering %s", smtp_client_stage_name(c->stage));
	return out;
}

/* Where nothing at all has come, the likeliest cause. */
static const char *silence_hint(const struct smtp_client *c)
{
	if (c->stage != SMTP_CLIENT_STAGE_GREETING || c->tls_active)
		return "";
	return "; a port that begins with TLS (465) is silent until the client begins with TLS too";
}

static const char *missing_tls_hint(const struct smtp_client *c)
{
	if (c->extensions.masked)
		return "; something in between overwrites parts of its replies (SMTP inspection in "
		       "a "
		       "firewall): switch that off";
	if (c->extensions.extension_in_first_line)
		return "; its EHLO reply is malformed: an extension stands in the first line";
	return "";
}

static void set_sentence(struct smtp_client *c, enum smtp_client_failure failure)
{
	char text[REPLY_TEXT_MAX], place[64];
	const char *reply = smtp_reply_format(&c->parser.reply, text, sizeof(text));

	switch (failure) {
	case SMTP_CLIENT_FAILURE_NONE:
	case SMTP_CLIENT_FAILURE_PROTOCOL:
	case SMTP_CLIENT_FAILURE_NOT_SMTP:
		break; /* set where it was found */
	case SMTP_CLIENT_FAILURE_REFUSED:
		fault_set(&c->fault, FAULT_TEMPORARY, "the server refused %s: %s",
		    c->stage == SMTP_CLIENT_STAGE_GREETING ? "the connection"
							   : smtp_client_stage_name(c->stage),
		    reply);
		break;
	case SMTP_CLIENT_FAILURE_LEAVING:
		fault_set(&c->fault, FAULT_TEMPORARY, "the server ended the session %s: %s",
		    c->stage == SMTP_CLIENT_STAGE_GREETING ? "with its greeting"
							   : when(c, place, sizeof(place)),
		    reply);
		break;
	case SMTP_CLIENT_FAILURE_CLOSED:
		fault_set(&c->fault, FAULT_TEMPORARY, "the server closed the connection %s%s",
		    when(c, place, sizeof(place)), silence_hint(c));
		break;
	case SMTP_CLIENT_FAILURE_TIMEOUT:
		fault_set(&c->fault, FAULT_TEMPORARY, "the server let the time run out %s%s",
		    when(c, place, sizeof(place)), silence_hint(c));
		break;
	case SMTP_CLIENT_FAILURE_TLS_NOT_OFFERED:
		fault_set(&c->fault, FAULT_TEMPORARY,
		    "TLS is required, and the server does not offer STARTTLS%s",
		    missing_tls_hint(c));
		break;
	case SMTP_CLIENT_FAILURE_TLS_REFUSED:
		fault_set(&c->fault, FAULT_TEMPORARY,
		    "TLS is required, and the server offers STARTTLS but refuses it: %s", reply);
		break;
	case SMTP_CLIENT_FAILURE_TLS_INJECTION:
		fault_set(&c->fault, FAULT_TEMPORARY,
		    "bytes in clear text came behind the server's reply to STARTTLS: somebody may "
		    "have put them there");
		break;
	case SMTP_CLIENT_FAILURE_STUCK:
		fault_set(&c->fault, FAULT_TEMPORARY, "the server does not read what it is sent");
		break;
	}
}

void smtp_client_fail(struct smtp_client *c, enum smtp_client_failure failure)
{
	if (c->over)
		return;
	set_sentence(c, failure);
	c->failure = failure;
	c->failure_stage = c->stage;
	c->over = true;
	smtp_client_ask(c, SMTP_CLIENT_OWES_NOTHING);
	smtp_client_post(c, SMTP_CLIENT_FAILED);
}

void smtp_client_fail_unexpected(struct smtp_client *c)
{
	char text[REPLY_TEXT_MAX], place[64];
	const char *reply = smtp_reply_format(&c->parser.reply, text, sizeof(text));

	if (c->stage == SMTP_CLIENT_STAGE_GREETING)
		fault_set(&c->fault, FAULT_TEMPORARY, "this is no greeting: %s", reply);
	else if (c->owes != SMTP_CLIENT_OWES_NOTHING || c->stage == SMTP_CLIENT_STAGE_CONTENT)
		fault_set(&c->fault, FAULT_TEMPORARY, "the server spoke out of turn %s: %s",
		    when(c, place, sizeof(place)), reply);
	else
		fault_set(&c->fault, FAULT_TEMPORARY,
		    "the server's answer has no place there (%s): %s",
		    smtp_client_stage_name(c->stage), reply);
	smtp_client_fail(c, SMTP_CLIENT_FAILURE_PROTOCOL);
}

static bool fail_foreign(struct smtp_client *c, struct span seen)
{
	const char *hint, *name = smtp_foreign_greeting(seen, &hint);
	char text[SEEN_MAX];

	if (!name || c->stage != SMTP_CLIENT_STAGE_GREETING)
		return false;
	fault_set(&c->fault, FAULT_TEMPORARY, "this is not SMTP but looks like %s (\"%s\"): %s",
	    name, escape_to(text, sizeof(text), seen), hint);
	smtp_client_fail(c, SMTP_CLIENT_FAILURE_NOT_SMTP);
	return true;
}

void smtp_client_fail_malformed(
    struct smtp_client *c, enum smtp_reply_fault fault, struct span seen)
{
	static const char *const what[] = {
		[SMTP_REPLY_FAULT_NONE] = "",
		[SMTP_REPLY_FAULT_NOT_A_REPLY] =
		    "is not a reply: three digits and a blank or a hyphen are missing",
		[SMTP_REPLY_FAULT_CODE] = "is not a reply: its code is not between 200 and 599",
		[SMTP_REPLY_FAULT_TOO_LONG] = "is longer than 4096 octets",
		[SMTP_REPLY_FAULT_BARE_LF] =
		    "ends with a bare LF (line feed) where CRLF is required",
		[SMTP_REPLY_FAULT_ENDLESS] = "is the 1001st line of one reply",
	};
	char text[SEEN_MAX];

	if (fail_foreign(c, seen))
		return;
	escape_to(text, sizeof(text), seen);
	fault_set(&c->fault, FAULT_TEMPORARY, "the server's line \"%s\" (%s) %s", text,
	    smtp_client_stage_name(c->stage), what[fault]);
	smtp_client_fail(c, SMTP_CLIENT_FAILURE_PROTOCOL);
}
