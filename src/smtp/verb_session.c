/* SPDX-License-Identifier: MIT */
#include "smtp/server_private.h"

#include <inttypes.h>
#include <string.h>

static bool is_name_byte(char c)
{
	return byte_is_alpha(c) || byte_is_digit(c) || c == '.' || c == '-' || c == '_' ||
	       c == ':' || c == '[' || c == ']';
}

/* Copies the name, with a question mark for each byte that must not get into a header field. */
static void keep_name(struct smtp_server *s, struct span name)
{
	if (name.len > SMTP_HELLO_NAME_MAX)
		name = span_head(name, SMTP_HELLO_NAME_MAX);
	for (size_t i = 0; i < name.len; i++)
		s->hello_name[i] = is_name_byte(name.data[i]) ? name.data[i] : '?';
	s->hello_name[name.len] = '\0';
}

/* The length of its beginning that a host's name may have. */
static size_t clean_len(struct span name)
{
	size_t at = 0;

	while (at < name.len && is_name_byte(name.data[at]))
		at++;
	return at;
}

static void refuse_name(struct smtp_server *s, const struct smtp_command *command, struct span name)
{
	if (name.len == 0)
		smtp_server_error(s, SMTP_REPLY_HELO_NAME_MISSING,
		    "The name of the client is missing: %.*s host.example.org",
		    SPAN_ARG(command->verb));
	else if (name.len > SMTP_HELLO_NAME_MAX)
		smtp_server_error(s, SMTP_REPLY_ARGUMENTS,
		    "The name has %zu characters; %d are the limit", name.len, SMTP_HELLO_NAME_MAX);
	else
		smtp_server_error(s, SMTP_REPLY_ARGUMENTS,
		    "Character %zu of the name is none that a host's name has: %.*s "
		    "host.example.org",
		    clean_len(name) + 1, SPAN_ARG(command->verb));
}

/* False when the name was refused. */
static bool take_name(struct smtp_server *s, const struct smtp_command *command)
{
	struct span rest = command->arguments, name = SPAN(""), more;
	unsigned quirks = 0;
	bool proper;

	span_take_word(&rest, &name);
	proper = name.len > 0 && name.len <= SMTP_HELLO_NAME_MAX && clean_len(name) == name.len;
	if (!proper && !smtp_server_take_quirk(s, SMTP_QUIRK_HELLO_NAME)) {
		refuse_name(s, command, name);
		return false;
	}
	if (span_take_word(&rest, &more))
		quirks |= SMTP_QUIRK_BIT(SMTP_QUIRK_EXTRA_ARGUMENT);
	if (!smtp_server_allow_quirks(s, quirks))
		return false;
	keep_name(s, name);
	return true;
}

static void begin_session(struct smtp_server *s, bool extended)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_HELLO };

	smtp_server_abort(s, extended ? SMTP_ABORT_EHLO : SMTP_ABORT_HELO);
	s->hello_done = true;
	s->extended = extended;
	smtp_server_enter(s, SMTP_PHASE_READY);
	event.hello.name = span_from_string(s->hello_name);
	event.hello.extended = extended;
	smtp_server_push(s, &event);
}

/* The list is computed: only what can succeed is offered. */
static void append_extensions(struct smtp_server *s)
{
	const struct smtp_server_settings *settings = s->settings;
	struct buf *output = s->output;

	buf_printf(output, "250-%s\r\n250-PIPELINING\r\n", settings->hostname);
	buf_printf(output, "250-SIZE %" PRIu64 "\r\n", settings->size_max_bytes);
	buf_append(output, SPAN("250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"));
	if (settings->chunking)
		buf_append(output, SPAN("250-CHUNKING\r\n"));
	if (settings->dsn)
		buf_append(output, SPAN("250-DSN\r\n"));
	if (settings->smtputf8)
		buf_append(output, SPAN("250-SMTPUTF8\r\n"));
	if (settings->limits)
		buf_printf(output, "250-LIMITS RCPTMAX=%u\r\n", settings->recipients_max);
	if (smtp_server_requiretls_is_offered(s))
		buf_append(output, SPAN("250-REQUIRETLS\r\n"));
	if (settings->tls_offered && !s->tls_active)
		buf_append(output, SPAN("250-STARTTLS\r\n"));
	if (s->xclient_allowed)
		buf_append(output, SPAN("250-XCLIENT " SMTP_XCLIENT_ATTRIBUTES "\r\n"));
	if (smtp_server_auth_is_offered(s))
		buf_printf(output, "250-AUTH %s\r\n", s->auth_mechanisms);
	if (smtp_server_auth_is_offered(s) && smtp_server_offers_auth_equals(s))
		buf_printf(output, "250-AUTH=%s\r\n", s->auth_mechanisms);
	buf_append(output, SPAN("250 HELP\r\n"));
}

void smtp_server_handle_ehlo(struct smtp_server *s, const struct smtp_command *command)
{
	size_t before_len = s->output->len;

	if (!take_name(s, command))
		return;
	append_extensions(s);
	smtp_server_observe_replies(s, before_len);
	begin_session(s, true);
}

void smtp_server_handle_helo(struct smtp_server *s, const struct smtp_command *command)
{
	if (!take_name(s, command))
		return;
	smtp_server_reply(s, SMTP_REPLY_HELLO, "%s", s->settings->hostname);
	begin_session(s, false);
}

/* Legal in every state, before EHLO too, where it does nothing (RFC 5321, 4.1.1.5). */
void smtp_server_handle_rset(struct smtp_server *s, const struct smtp_command *command)
{
	smtp_server_reply(s, SMTP_REPLY_DONE, NULL);
	smtp_server_abort(s, SMTP_ABORT_RSET);
}

void smtp_server_handle_noop(struct smtp_server *s, const struct smtp_command *command)
{
	smtp_server_reply(s, SMTP_REPLY_DONE, NULL);
}

/* Answers the same to everybody: VRFY would tell who exists (RFC 5321, 7.3). */
void smtp_server_handle_vrfy(struct smtp_server *s, const struct smtp_command *command)
{
	if (command->arguments.len == 0)
		smtp_server_error(s, SMTP_REPLY_ARGUMENTS, "VRFY needs an address");
	else
		smtp_server_reply(s, SMTP_REPLY_WILL_TRY, NULL);
}

void smtp_server_handle_help(struct smtp_server *s, const struct smtp_command *command)
{
	smtp_server_reply(s, SMTP_REPLY_HELP,
	    "Commands: EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT%s%s%s. In order: EHLO "
	    "name, "
	    "MAIL FROM:<address>, RCPT TO:<address>, DATA, the message, a line with a dot, QUIT.",
	    s->settings->chunking ? " BDAT" : "", s->settings->tls_offered ? " STARTTLS" : "",
	    s->auth_mechanisms && *s->auth_mechanisms ? " AUTH" : "");
}

/* Who asked for EHLO's list may send QUIT together with the dot (RFC 2920, 3.1). */
void smtp_server_handle_quit(struct smtp_server *s, const struct smtp_command *command)
{
	if (s->command_is_early && !s->extended &&
	    !smtp_server_take_quirk(s, SMTP_QUIRK_EARLY_QUIT)) {
		smtp_server_error(s, SMTP_REPLY_OUT_OF_SEQUENCE,
		    "QUIT came before the reply to the message: wait for it, or begin with EHLO");
		return;
	}
	smtp_server_abort(s, SMTP_ABORT_QUIT);
	smtp_server_close(s, SMTP_CLOSE_QUIT, SMTP_REPLY_BYE, NULL);
}

bool smtp_server_may_starttls(struct smtp_server *s)
{
	if (s->tls_active)
		smtp_server_error(s, SMTP_REPLY_TLS_ALREADY, NULL);
	else if (!s->settings->tls_offered)
		smtp_server_error(s, SMTP_REPLY_STARTTLS_NOT_OFFERED, NULL);
	else
		return true;
	return false;
}

void smtp_server_handle_starttls(struct smtp_server *s, const struct smtp_command *command)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_STARTTLS };

	smtp_server_reply(s, SMTP_REPLY_START_TLS, NULL);
	smtp_server_abort(s, SMTP_ABORT_STARTTLS);
	smtp_server_enter(s, SMTP_PHASE_TLS);
	smtp_server_push(s, &event);
}
