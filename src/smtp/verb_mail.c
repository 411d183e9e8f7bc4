/* SPDX-License-Identifier: MIT */
#include "smtp/server_private.h"

#include "smtp/domain.h"

/* So much of an address is repeated in a reply. */
enum { SHOWN_MAX = 100 };

static struct span shown(struct span text)
{
	return text.len > SHOWN_MAX ? span_head(text, SHOWN_MAX) : text;
}

/* The form of a command, as help in replies about it. */
struct form {
	const char *verb, *keyword; /* MAIL, FROM */
	const char *other;          /* TO */
	enum smtp_reply_id bad_address;
};

static const struct form mail_form = { "MAIL", "FROM", "TO", SMTP_REPLY_SENDER_SYNTAX };
static const struct form rcpt_form = { "RCPT", "TO", "FROM", SMTP_REPLY_RECIPIENT_SYNTAX };

static void refuse_form(struct smtp_server *s, const struct form *form, const char *what)
{
	smtp_server_error(s, SMTP_REPLY_ARGUMENTS, "%s: the form is %s %s:<address>", what,
	    form->verb, form->keyword);
}

static void refuse_address(
    struct smtp_server *s, const struct form *form, const struct smtp_path *path)
{
	struct span text = shown(path->text);

	smtp_server_error(s, form->bad_address, "<%.*s> %s", SPAN_ARG(text),
	    smtp_address_flaw_text(path->address_flaw));
}

/* RFC 6531, 3.4: such an address stands in a transaction only whose MAIL said SMTPUTF8. */
static bool is_within(struct smtp_server *s, struct span address, bool smtputf8)
{
	if (smtputf8 || smtp_text_is_ascii(address))
		return true;
	smtp_server_error(s, SMTP_REPLY_NEEDS_SMTPUTF8,
	    s->settings->smtputf8 ? "The address has letters outside ASCII: MAIL must say SMTPUTF8"
				  : NULL);
	return false;
}

static void refuse_path(
    struct smtp_server *s, const struct form *form, const struct smtp_path *path)
{
	switch (path->flaw) {
	case SMTP_PATH_VALID:
		return;
	case SMTP_PATH_NO_KEYWORD:
		smtp_server_error(s, SMTP_REPLY_ARGUMENTS,
		    "%s: is missing: the form is %s %s:<address>", form->keyword, form->verb,
		    form->keyword);
		return;
	case SMTP_PATH_WRONG_KEYWORD:
		smtp_server_error(s, SMTP_REPLY_ARGUMENTS, "It is %s %s:, not %s %s:", form->verb,
		    form->keyword, form->verb, form->other);
		return;
	case SMTP_PATH_NO_COLON:
		refuse_form(s, form, "The colon is missing");
		return;
	case SMTP_PATH_BLANK_BEFORE_COLON:
		refuse_form(s, form, "No blank before the colon");
		return;
	case SMTP_PATH_NO_ADDRESS:
		refuse_form(s, form, "The address is missing");
		return;
	case SMTP_PATH_NO_OPENING_BRACKET:
		refuse_form(s, form, "The < before the address is missing");
		return;
	case SMTP_PATH_NO_CLOSING_BRACKET:
		refuse_form(s, form, "The > behind the address is missing");
		return;
	case SMTP_PATH_TEXT_BEHIND_BRACKET:
		refuse_form(s, form, "A blank is missing behind the >");
		return;
	case SMTP_PATH_BAD_ADDRESS:
		refuse_address(s, form, path);
		return;
	}
}

/* What both commands ask of their path. */
static bool take_path(struct smtp_server *s, const struct form *form, bool smtputf8,
    const struct smtp_command *command, struct smtp_path *path_out)
{
	bool valid = smtp_path_parse(command->arguments, span_from_string(form->keyword), path_out);

	if ((valid || path_out->flaw == SMTP_PATH_BAD_ADDRESS) &&
	    !is_within(s, path_out->text, smtputf8))
		return false;
	if (valid)
		return smtp_server_allow_quirks(s, path_out->quirks);
	refuse_path(s, form, path_out);
	return false;
}

void smtp_server_handle_mail(struct smtp_server *s, const struct smtp_command *command)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_MAIL };
	struct smtp_path path;

	/* Whether SMTPUTF8 was said is known only behind the parameters. */
	if (!take_path(s, &mail_form, s->settings->smtputf8, command, &path) ||
	    !smtp_server_take_mail_parameters(s, path.parameters, &event) ||
	    !is_within(s, path.text, event.mail.smtputf8))
		return;
	event.mail.address = path.address;
	s->smtputf8 = event.mail.smtputf8;
	s->owed = SMTP_OWED_MAIL;
	smtp_server_push(s, &event);
}

void smtp_server_handle_rcpt(struct smtp_server *s, const struct smtp_command *command)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_RCPT };
	struct smtp_path path;

	if (!take_path(s, &rcpt_form, s->smtputf8, command, &path) ||
	    !smtp_server_take_rcpt_parameters(s, path.parameters, &event))
		return;
	if (path.address.is_null) {
		smtp_server_error(s, SMTP_REPLY_RECIPIENT_SYNTAX, "<> is no recipient");
		return;
	}
	if (s->recipients >= s->settings->recipients_max) {
		smtp_server_reply(s, SMTP_REPLY_TOO_MANY_RECIPIENTS,
		    "Too many recipients: %u are the limit; send the rest in another transaction",
		    s->settings->recipients_max);
		smtp_server_forgive_command(s);
		return;
	}
	event.rcpt.address = path.address;
	s->owed = SMTP_OWED_RCPT;
	smtp_server_push(s, &event);
}

void smtp_server_handle_data(struct smtp_server *s, const struct smtp_command *command)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_DATA };

	s->owed = SMTP_OWED_DATA;
	smtp_server_push(s, &event);
}
