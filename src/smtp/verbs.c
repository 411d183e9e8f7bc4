/* SPDX-License-Identifier: MIT */
#include "smtp/server_private.h"

#include "base/memory.h"
#include "smtp/line.h"
#include "smtp/words.h"

#define IN(phase) (1u << (phase))
#define BETWEEN_TRANSACTIONS (IN(SMTP_PHASE_GREETED) | IN(SMTP_PHASE_READY))
#define INSIDE_TRANSACTION (IN(SMTP_PHASE_MAIL) | IN(SMTP_PHASE_RCPT))
#define ANYWHERE (BETWEEN_TRANSACTIONS | INSIDE_TRANSACTION | IN(SMTP_PHASE_CHUNKS))

#define KNOWN_VERBS "EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT STARTTLS AUTH"
/* Of the standards, and not offered; BDAT where the settings say so. */
#define FOREIGN_VERBS "EXPN TURN ETRN ATRN BDAT SEND SOML SAML LHLO BURL XCLIENT XFORWARD"
#define HTTP_METHODS "GET POST PUT HEAD OPTIONS CONNECT DELETE PATCH"

#define BDAT "BDAT"

enum arguments_rule {
	ARGUMENTS_NONE,
	ARGUMENTS_MAY, /* the handler judges them */
};

/* What is legal. Order of the questions: hello, TLS, AUTH, phase, may_run, arguments. */
static const struct verb_rule {
	const char *verb;
	unsigned phases;                         /* bit per enum smtp_phase */
	bool needs_hello, needs_tls, needs_auth; /* the latter two if the settings say so */
	enum arguments_rule arguments;
	enum smtp_reply_id out_of_phase;        /* where phases leaves one out */
	bool (*may_run)(struct smtp_server *s); /* what is not of the table; replies itself */
	void (*handle)(struct smtp_server *s, const struct smtp_command *command);
} verb_rules[] = {
	{ "EHLO", ANYWHERE, false, false, false, ARGUMENTS_MAY, SMTP_REPLY_OUT_OF_SEQUENCE, NULL,
	    smtp_server_handle_ehlo },
	{ "HELO", ANYWHERE, false, false, false, ARGUMENTS_MAY, SMTP_REPLY_OUT_OF_SEQUENCE, NULL,
	    smtp_server_handle_helo },
	{ "MAIL", IN(SMTP_PHASE_READY), true, true, true, ARGUMENTS_MAY, SMTP_REPLY_MAIL_NESTED,
	    NULL, smtp_server_handle_mail },
	{ "RCPT", INSIDE_TRANSACTION, true, true, true, ARGUMENTS_MAY, SMTP_REPLY_MAIL_FIRST, NULL,
	    smtp_server_handle_rcpt },
	{ "DATA", IN(SMTP_PHASE_RCPT), true, true, true, ARGUMENTS_NONE, SMTP_REPLY_MAIL_FIRST,
	    NULL, smtp_server_handle_data },
	/* Without a handler: its octets are read in any case (server_chunk.c). */
	{ BDAT, IN(SMTP_PHASE_RCPT) | IN(SMTP_PHASE_CHUNKS), true, true, true, ARGUMENTS_MAY,
	    SMTP_REPLY_MAIL_FIRST, NULL, NULL },
	{ "XCLIENT", BETWEEN_TRANSACTIONS, false, false, false, ARGUMENTS_MAY,
	    SMTP_REPLY_OUT_OF_SEQUENCE, smtp_server_may_xclient, smtp_server_handle_xclient },
	{ "RSET", ANYWHERE, false, false, false, ARGUMENTS_NONE, SMTP_REPLY_OUT_OF_SEQUENCE, NULL,
	    smtp_server_handle_rset },
	{ "NOOP", ANYWHERE, false, false, false, ARGUMENTS_MAY, SMTP_REPLY_OUT_OF_SEQUENCE, NULL,
	    smtp_server_handle_noop },
	{ "VRFY", ANYWHERE, false, false, false, ARGUMENTS_MAY, SMTP_REPLY_OUT_OF_SEQUENCE, NULL,
	    smtp_server_handle_vrfy },
	{ "HELP", ANYWHERE, false, false, false, ARGUMENTS_MAY, SMTP_REPLY_OUT_OF_SEQUENCE, NULL,
	    smtp_server_handle_help },
	{ "QUIT", ANYWHERE, false, false, false, ARGUMENTS_NONE, SMTP_REPLY_OUT_OF_SEQUENCE, NULL,
	    smtp_server_handle_quit },
	{ "STARTTLS", ANYWHERE, true, false, false, ARGUMENTS_NONE, SMTP_REPLY_OUT_OF_SEQUENCE,
	    smtp_server_may_starttls, smtp_server_handle_starttls },
	{ "AUTH", IN(SMTP_PHASE_READY), true, false, false, ARGUMENTS_MAY,
	    SMTP_REPLY_AUTH_IN_TRANSACTION, smtp_server_may_auth, smtp_server_handle_auth },
};

static const struct verb_rule *find_rule(const struct smtp_server *s, struct span verb)
{
	for (size_t i = 0; i < ARRAY_LEN(verb_rules); i++) {
		if (span_equal_nocase(verb, span_from_string(verb_rules[i].verb)))
			return verb_rules[i].handle || s->settings->chunking ? &verb_rules[i]
									     : NULL;
	}
	return NULL;
}

static bool may_run_in_phase(struct smtp_server *s, const struct verb_rule *rule)
{
	if (rule->phases & IN(s->phase))
		return true;
	if (s->phase == SMTP_PHASE_CHUNKS) {
		smtp_server_error(s, SMTP_REPLY_CHUNKS_BEGUN, NULL);
		return false;
	}
	/* DATA behind a sender whose recipients were all refused: no fault of the client's. */
	if (s->phase == SMTP_PHASE_MAIL && rule->out_of_phase == SMTP_REPLY_MAIL_FIRST)
		smtp_server_reply(s, SMTP_REPLY_RECIPIENT_FIRST, NULL);
	else
		smtp_server_error(s, rule->out_of_phase, NULL);
	return false;
}

/* A login is wanted before MAIL: says what leads to it. */
static void require_auth(struct smtp_server *s)
{
	bool tls_leads_there = s->settings->auth_needs_tls && !s->tls_active;

	smtp_server_error(s, SMTP_REPLY_AUTH_REQUIRED, "%s",
	    tls_leads_there ? "Authentication is required: STARTTLS, EHLO, then AUTH"
			    : smtp_reply_get(SMTP_REPLY_AUTH_REQUIRED)->text);
}

/* What begins something can stand where HELO should have been; RCPT and DATA wait for MAIL. */
static bool goes_without_hello(struct smtp_server *s, const struct verb_rule *rule)
{
	if (!(rule->phases & IN(SMTP_PHASE_READY)) ||
	    !smtp_server_take_quirk(s, SMTP_QUIRK_NO_HELLO))
		return false;
	s->hello_done = true;
	smtp_server_enter(s, SMTP_PHASE_READY);
	return true;
}

static bool may_run(
    struct smtp_server *s, const struct verb_rule *rule, const struct smtp_command *command)
{
	if (rule->needs_hello && !s->hello_done && !goes_without_hello(s, rule)) {
		smtp_server_error(s, SMTP_REPLY_HELLO_FIRST, "Say EHLO first, then %s", rule->verb);
		return false;
	}
	if (rule->needs_tls && s->settings->tls_required && !s->tls_active) {
		smtp_server_error(s, SMTP_REPLY_TLS_REQUIRED, NULL);
		return false;
	}
	if (rule->needs_auth && s->settings->auth_required && !s->authenticated) {
		require_auth(s);
		return false;
	}
	if (!may_run_in_phase(s, rule) || (rule->may_run && !rule->may_run(s)))
		return false;
	if (rule->arguments == ARGUMENTS_NONE && command->arguments.len > 0) {
		smtp_server_error(
		    s, SMTP_REPLY_ARGUMENTS, "%s stands alone on its line", rule->verb);
		return false;
	}
	return true;
}

/* AUTH, or meant to be: its arguments may be a secret. */
static bool is_like_auth(const struct verb_rule *rule, struct span verb)
{
	if (rule)
		return rule->handle == smtp_server_handle_auth;
	return span_starts_with_nocase(verb, SPAN("AUTH")) ||
	       smtp_words_distance(verb, SPAN("AUTH"), 1) <= 1;
}

static bool is_known_word(struct span verb)
{
	return smtp_words_contain(SPAN(KNOWN_VERBS " " FOREIGN_VERBS), verb, NULL);
}

/* After AUTH went wrong many a client goes on with what it would have sent to a prompt. */
static bool may_be_secret(const struct smtp_server *s, const struct smtp_command *command)
{
	return !is_known_word(command->verb) &&
	       (s->auth_just_tried || (s->auth_tried && command->arguments.len == 0));
}

static void observe_command(struct smtp_server *s, struct span line, const struct verb_rule *rule,
    const struct smtp_command *command)
{
	if (!s->observe)
		return;
	if (is_like_auth(rule, command->verb))
		smtp_server_observe_auth(s, command);
	else if (may_be_secret(s, command))
		smtp_server_observe_payload(s, SPAN("?"), line.len);
	else
		smtp_server_observe_line(s, SMTP_LINE_KIND_COMMAND, line);
}

static void note_auth_tried(struct smtp_server *s, const struct verb_rule *rule, struct span verb)
{
	if (is_like_auth(rule, verb))
		s->auth_tried = s->auth_just_tried = true;
	else if (rule || is_known_word(verb))
		s->auth_just_tried = false;
}

static void refuse_foreign(struct smtp_server *s, struct span verb)
{
	if (span_equal(verb, SPAN("LHLO")))
		smtp_server_error(
		    s, SMTP_REPLY_NOT_IMPLEMENTED, "LHLO is LMTP, and this is SMTP: say EHLO");
	else
		smtp_server_error(
		    s, SMTP_REPLY_NOT_IMPLEMENTED, "%.*s is not offered here", SPAN_ARG(verb));
}

/* Words that are no verb, and show what was meant. NULL when they do not. */
static const char *explain_unknown(const struct smtp_command *command)
{
	struct span verb = command->verb;

	if (span_starts_with_nocase(verb, SPAN("MAILFROM")) ||
	    span_starts_with_nocase(verb, SPAN("MAIL:")) || span_equal_nocase(verb, SPAN("FROM")) ||
	    (span_equal_nocase(verb, SPAN("FROM:")) && command->arguments.len > 0))
		return "The command is MAIL FROM:<address>, with a blank behind MAIL";
	if (span_starts_with_nocase(verb, SPAN("RCPTTO")) ||
	    span_starts_with_nocase(verb, SPAN("RCPT:")) || span_equal_nocase(verb, SPAN("TO")) ||
	    (span_equal_nocase(verb, SPAN("TO:")) && command->arguments.len > 0))
		return "The command is RCPT TO:<address>, with a blank behind RCPT";
	if (verb.len > 1 && verb.data[verb.len - 1] == ':')
		return "That looks like a line of a message; DATA and its 354 come before it";
	if (verb.len == 0)
		return "The line is empty";
	return NULL;
}

static void refuse_unknown(struct smtp_server *s, const struct smtp_command *command)
{
	const char *explanation = explain_unknown(command);
	struct span word;

	if (smtp_words_contain(SPAN(FOREIGN_VERBS), command->verb, &word))
		refuse_foreign(s, word);
	else if (smtp_words_contain(SPAN(HTTP_METHODS), command->verb, NULL) &&
		 span_find_span(command->arguments, SPAN("HTTP/")) < command->arguments.len)
		smtp_server_close(s, SMTP_CLOSE_HTTP, SMTP_REPLY_CLOSING_HTTP, NULL);
	else if (may_be_secret(s, command))
		smtp_server_error(s, SMTP_REPLY_COMMAND_UNKNOWN, NULL);
	else if (explanation)
		smtp_server_error(s, SMTP_REPLY_COMMAND_UNKNOWN, "%s", explanation);
	else if (smtp_words_near(SPAN(KNOWN_VERBS), command->verb, &word))
		smtp_server_error(s, SMTP_REPLY_COMMAND_UNKNOWN, "%.*s is unknown; %.*s is offered",
		    SPAN_ARG(command->verb), SPAN_ARG(word));
	else
		smtp_server_error(s, SMTP_REPLY_COMMAND_UNKNOWN, NULL);
}

static void refuse_flaw(struct smtp_server *s, enum smtp_line_flaw flaw, size_t position)
{
	switch (flaw) {
	case SMTP_LINE_CLEAN:
		return;
	case SMTP_LINE_BARE_LF:
		s->quirks_missed |= SMTP_QUIRK_BIT(SMTP_QUIRK_BARE_LF);
		/* fall through */
	case SMTP_LINE_BARE_CR:
		smtp_server_error(s, SMTP_REPLY_LINE_BARE_NEWLINE,
		    "Character %zu is a %s alone; only CR LF ends a line", position,
		    flaw == SMTP_LINE_BARE_LF ? "LF" : "CR");
		return;
	case SMTP_LINE_NUL:
		smtp_server_error(s, SMTP_REPLY_LINE_BINARY,
		    "Character %zu is a NUL; commands are printable ASCII", position);
		return;
	case SMTP_LINE_CONTROL:
		smtp_server_error(s, SMTP_REPLY_LINE_BINARY,
		    "Character %zu is a control character (was something corrected while typing?); "
		    "commands are printable ASCII",
		    position);
		return;
	case SMTP_LINE_EIGHT_BIT:
		smtp_server_error(s, SMTP_REPLY_LINE_BINARY,
		    "Character %zu is outside ASCII; commands are printable ASCII", position);
		return;
	}
}

/* MAIL, RCPT, HELO and EHLO have more to say about letters outside ASCII than that. */
static bool judges_eight_bit(const struct verb_rule *rule)
{
	return rule && (rule->handle == smtp_server_handle_mail ||
			   rule->handle == smtp_server_handle_rcpt ||
			   rule->handle == smtp_server_handle_ehlo ||
			   rule->handle == smtp_server_handle_helo);
}

static void take_bdat(
    struct smtp_server *s, const struct verb_rule *rule, const struct smtp_command *command)
{
	struct buf *output;
	bool allowed;

	if (!smtp_server_open_chunk(s, command))
		return;
	output = smtp_server_defer(s);
	allowed = may_run(s, rule, command) && smtp_server_allow_quirks(s, command->quirks);
	smtp_server_undefer(s, output);
	smtp_server_enter_chunk(s, allowed);
}

void smtp_server_forgive_command(struct smtp_server *s)
{
	s->commands -= s->commands > 0;
}

/* Who talks on and on without a message is up to no good. Chunks bring one, QUIT ends it all. */
static bool count_command(struct smtp_server *s, const struct verb_rule *rule)
{
	if (s->settings->commands_max == 0 ||
	    (rule && (!rule->handle || rule->handle == smtp_server_handle_quit)))
		return true;
	if (s->commands < s->settings->commands_max) {
		s->commands++;
		return true;
	}
	smtp_server_close(s, SMTP_CLOSE_COMMANDS, SMTP_REPLY_CLOSING_COMMANDS, NULL);
	return false;
}

void smtp_server_take_command(struct smtp_server *s, struct span line)
{
	struct smtp_command command;
	const struct verb_rule *rule;
	enum smtp_line_flaw flaw;
	size_t position;

	s->command_is_early = s->input_behind;
	s->input_behind = false;
	smtp_command_split(line, &command);
	rule = find_rule(s, command.verb);
	note_auth_tried(s, rule, command.verb);
	observe_command(s, line, rule, &command);
	if (!count_command(s, rule))
		return;
	flaw = smtp_line_check(line, &position);
	if (rule && !rule->handle)
		take_bdat(s, rule, &command);
	else if (flaw != SMTP_LINE_CLEAN &&
		 (flaw != SMTP_LINE_EIGHT_BIT || !judges_eight_bit(rule)))
		refuse_flaw(s, flaw, position);
	else if (!rule)
		refuse_unknown(s, &command);
	else if (may_run(s, rule, &command) && smtp_server_allow_quirks(s, command.quirks))
		rule->handle(s, &command);
}
