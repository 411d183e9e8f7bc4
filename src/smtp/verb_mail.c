/* SPDX-License-Identifier: MIT */
#include "smtp/server_private.h"

#include <inttypes.h>

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

	if (path->address_flaw == SMTP_ADDRESS_EIGHT_BIT)
		smtp_server_error(s, SMTP_REPLY_NEEDS_SMTPUTF8, NULL);
	else
		smtp_server_error(s, form->bad_address, "<%.*s> %s", SPAN_ARG(text),
		    smtp_address_flaw_text(path->address_flaw));
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
static bool take_path(struct smtp_server *s, const struct form *form,
    const struct smtp_command *command, struct smtp_path *path_out)
{
	if (smtp_path_parse(command->arguments, span_from_string(form->keyword), path_out))
		return smtp_server_allow_quirks(s, path_out->quirks);
	refuse_path(s, form, path_out);
	return false;
}

static void refuse_parameter(struct smtp_server *s, enum smtp_parameter_result result,
    const struct smtp_parameter *parameter)
{
	struct span keyword = shown(parameter->keyword);

	if (result == SMTP_PARAMETER_MALFORMED)
		smtp_server_error(s, SMTP_REPLY_PARAMETER_VALUE, "The parameter %.*s is malformed",
		    SPAN_ARG(keyword));
	else
		smtp_server_error(s, SMTP_REPLY_PARAMETER_UNKNOWN,
		    "The parameter %.*s is not offered here", SPAN_ARG(keyword));
}

/* RFC 1870, 6.1. */
static bool take_size(struct smtp_server *s, struct span value, struct smtp_server_event *event)
{
	if (value.len > 20 || !span_to_u64(value, &event->mail.size)) {
		smtp_server_error(s, SMTP_REPLY_PARAMETER_VALUE, "SIZE needs a number of octets");
		return false;
	}
	if (event->mail.size <= s->settings->size_max_bytes)
		return true;
	smtp_server_reply(s, SMTP_REPLY_TOO_LARGE,
	    "The message has %" PRIu64 " octets, and the limit is %" PRIu64, event->mail.size,
	    s->settings->size_max_bytes);
	return false;
}

/* RFC 6152. */
static bool take_body(struct smtp_server *s, struct span value, struct smtp_server_event *event)
{
	event->mail.is_eight_bit = span_equal_nocase(value, SPAN("8BITMIME"));
	if (event->mail.is_eight_bit || span_equal_nocase(value, SPAN("7BIT")))
		return true;
	smtp_server_error(s, SMTP_REPLY_PARAMETER_VALUE, "BODY is 7BIT or 8BITMIME here");
	return false;
}

/* RFC 4954, 5: who submitted the message first. Nobody here trusts it, so it is dropped. */
static bool take_auth(struct smtp_server *s, struct span value, struct smtp_server_event *event)
{
	if (value.len > 0 && smtp_xtext_is_valid(value))
		return true;
	smtp_server_error(s, SMTP_REPLY_PARAMETER_VALUE, "AUTH needs xtext or <>");
	return false;
}

static const struct mail_parameter {
	const char *keyword;
	bool (*take)(struct smtp_server *s, struct span value, struct smtp_server_event *event);
} mail_parameters[] = {
	{ "SIZE", take_size },
	{ "BODY", take_body },
	{ "AUTH", take_auth },
};
enum { MAIL_PARAMETER_COUNT = sizeof(mail_parameters) / sizeof(mail_parameters[0]) };

/* The index of the parameter, or MAIL_PARAMETER_COUNT. */
static unsigned find_mail_parameter(struct span keyword)
{
	unsigned i = 0;

	while (i < MAIL_PARAMETER_COUNT &&
	       !span_equal_nocase(keyword, span_from_string(mail_parameters[i].keyword)))
		i++;
	return i;
}

static bool take_mail_parameters(
    struct smtp_server *s, struct span parameters, struct smtp_server_event *event)
{
	struct smtp_parameter parameter;
	enum smtp_parameter_result result;
	unsigned seen = 0;

	for (;;) {
		unsigned i;

		result = smtp_parameter_take(&parameters, &parameter);
		if (result == SMTP_PARAMETER_NONE_LEFT)
			break;
		i = find_mail_parameter(parameter.keyword);
		if (result == SMTP_PARAMETER_MALFORMED || i == MAIL_PARAMETER_COUNT) {
			refuse_parameter(s, result, &parameter);
			return false;
		}
		if (seen & (1u << i)) {
			smtp_server_error(s, SMTP_REPLY_PARAMETER_VALUE, "%s is given twice",
			    mail_parameters[i].keyword);
			return false;
		}
		seen |= 1u << i;
		if (!mail_parameters[i].take(s, parameter.value, event))
			return false;
	}
	return seen == 0 || s->extended ||
	       smtp_server_allow_quirks(s, SMTP_QUIRK_BIT(SMTP_QUIRK_EXTENSION_AFTER_HELO));
}

void smtp_server_handle_mail(struct smtp_server *s, const struct smtp_command *command)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_MAIL };
	struct smtp_path path;

	if (!take_path(s, &mail_form, command, &path) ||
	    !take_mail_parameters(s, path.parameters, &event))
		return;
	event.mail.address = path.address;
	s->owed = SMTP_OWED_MAIL;
	smtp_server_push(s, &event);
}

/* No parameter of RCPT is offered. */
static bool has_no_parameters(struct smtp_server *s, struct span parameters)
{
	struct smtp_parameter parameter;
	enum smtp_parameter_result result = smtp_parameter_take(&parameters, &parameter);

	if (result == SMTP_PARAMETER_NONE_LEFT)
		return true;
	refuse_parameter(s, result, &parameter);
	return false;
}

void smtp_server_handle_rcpt(struct smtp_server *s, const struct smtp_command *command)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_RCPT };
	struct smtp_path path;

	if (!take_path(s, &rcpt_form, command, &path) || !has_no_parameters(s, path.parameters))
		return;
	if (path.address.is_null) {
		smtp_server_error(s, SMTP_REPLY_RECIPIENT_SYNTAX, "<> is no recipient");
		return;
	}
	if (s->recipients >= s->settings->recipients_max) {
		smtp_server_reply(s, SMTP_REPLY_TOO_MANY_RECIPIENTS,
		    "Too many recipients: %u are the limit; send the rest in another transaction",
		    s->settings->recipients_max);
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
