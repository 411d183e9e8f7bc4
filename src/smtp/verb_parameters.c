/* SPDX-License-Identifier: MIT */
#include "smtp/server_private.h"

#include "base/memory.h"

#include <inttypes.h>

/* So much of a parameter is repeated in a reply. */
enum { SHOWN_MAX = 100 };

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

/* RFC 6152. BINARYMIME (RFC 3030) is not offered: what has no lines cannot be passed on with DATA.
 */
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

/* RFC 3461, 4.3. */
static bool take_ret(struct smtp_server *s, struct span value, struct smtp_server_event *event)
{
	if (smtp_return_parse(value, &event->mail.ret))
		return true;
	smtp_server_error(s, SMTP_REPLY_PARAMETER_VALUE, "RET is FULL or HDRS");
	return false;
}

/* RFC 3461, 4.4. */
static bool take_envid(struct smtp_server *s, struct span value, struct smtp_server_event *event)
{
	event->mail.envid = value;
	if (smtp_envid_is_valid(value))
		return true;
	smtp_server_error(s, SMTP_REPLY_PARAMETER_VALUE,
	    "ENVID needs xtext for at most 100 printable characters");
	return false;
}

static bool has_no_value(struct smtp_server *s, struct span value, const char *keyword)
{
	if (value.len == 0)
		return true;
	smtp_server_error(
	    s, SMTP_REPLY_PARAMETER_VALUE, "%s stands alone, without a value", keyword);
	return false;
}

/* RFC 6531, 3.4. */
static bool take_smtputf8(struct smtp_server *s, struct span value, struct smtp_server_event *event)
{
	event->mail.smtputf8 = true;
	return has_no_value(s, value, "SMTPUTF8");
}

/* RFC 8689, 3. */
static bool take_requiretls(
    struct smtp_server *s, struct span value, struct smtp_server_event *event)
{
	event->mail.requiretls = true;
	return has_no_value(s, value, "REQUIRETLS");
}

/* RFC 3461, 4.1. */
static bool take_notify(struct smtp_server *s, struct span value, struct smtp_server_event *event)
{
	if (smtp_notify_parse(value, &event->rcpt.notify))
		return true;
	smtp_server_error(s, SMTP_REPLY_PARAMETER_VALUE,
	    "NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY, each once");
	return false;
}

/* RFC 3461, 4.2. */
static bool take_orcpt(struct smtp_server *s, struct span value, struct smtp_server_event *event)
{
	event->rcpt.orcpt = value;
	if (smtp_orcpt_is_valid(value, s->smtputf8))
		return true;
	smtp_server_error(s, SMTP_REPLY_PARAMETER_VALUE,
	    "ORCPT needs a type, a semicolon and an address in xtext: rfc822;a@b.example");
	return false;
}

static bool is_always_offered(const struct smtp_server *s)
{
	return true;
}

static bool dsn_is_offered(const struct smtp_server *s)
{
	return s->settings->dsn;
}

static bool smtputf8_is_offered(const struct smtp_server *s)
{
	return s->settings->smtputf8;
}

bool smtp_server_requiretls_is_offered(const struct smtp_server *s)
{
	return s->settings->requiretls && s->tls_active;
}

struct parameter_rule {
	const char *keyword;
	bool (*is_offered)(const struct smtp_server *s);
	bool (*take)(struct smtp_server *s, struct span value, struct smtp_server_event *event);
};

static const struct parameter_rule mail_rules[] = {
	{ "SIZE", is_always_offered, take_size },
	{ "BODY", is_always_offered, take_body },
	{ "AUTH", is_always_offered, take_auth },
	{ "RET", dsn_is_offered, take_ret },
	{ "ENVID", dsn_is_offered, take_envid },
	{ "SMTPUTF8", smtputf8_is_offered, take_smtputf8 },
	{ "REQUIRETLS", smtp_server_requiretls_is_offered, take_requiretls },
};

static const struct parameter_rule rcpt_rules[] = {
	{ "NOTIFY", dsn_is_offered, take_notify },
	{ "ORCPT", dsn_is_offered, take_orcpt },
};

/* The index of the rule, or count. */
static size_t find_rule(const struct smtp_server *s, const struct parameter_rule *rules,
    size_t count, struct span keyword)
{
	size_t i = 0;

	while (i < count && !span_equal_nocase(keyword, span_from_string(rules[i].keyword)))
		i++;
	return i < count && rules[i].is_offered(s) ? i : count;
}

static void refuse(struct smtp_server *s, enum smtp_parameter_result result,
    const struct smtp_parameter *parameter)
{
	struct span keyword = parameter->keyword;

	if (keyword.len > SHOWN_MAX)
		keyword = span_head(keyword, SHOWN_MAX);
	if (result == SMTP_PARAMETER_MALFORMED)
		smtp_server_error(s, SMTP_REPLY_PARAMETER_VALUE, "The parameter %.*s is malformed",
		    SPAN_ARG(keyword));
	else
		smtp_server_error(s, SMTP_REPLY_PARAMETER_UNKNOWN,
		    "The parameter %.*s is not offered here", SPAN_ARG(keyword));
}

static bool take_parameters(struct smtp_server *s, const struct parameter_rule *rules, size_t count,
    struct span parameters, struct smtp_server_event *event)
{
	struct smtp_parameter parameter;
	enum smtp_parameter_result result;
	unsigned seen = 0;

	for (;;) {
		size_t i;

		result = smtp_parameter_take(&parameters, &parameter);
		if (result == SMTP_PARAMETER_NONE_LEFT)
			break;
		i = find_rule(s, rules, count, parameter.keyword);
		if (result == SMTP_PARAMETER_MALFORMED || i == count) {
			refuse(s, result, &parameter);
			return false;
		}
		if (seen & (1u << i)) {
			smtp_server_error(
			    s, SMTP_REPLY_PARAMETER_VALUE, "%s is given twice", rules[i].keyword);
			return false;
		}
		seen |= 1u << i;
		if (!rules[i].take(s, parameter.value, event))
			return false;
	}
	return seen == 0 || s->extended ||
	       smtp_server_allow_quirks(s, SMTP_QUIRK_BIT(SMTP_QUIRK_EXTENSION_AFTER_HELO));
}

bool smtp_server_take_mail_parameters(
    struct smtp_server *s, struct span parameters, struct smtp_server_event *event)
{
	return take_parameters(s, mail_rules, ARRAY_LEN(mail_rules), parameters, event);
}

bool smtp_server_take_rcpt_parameters(
    struct smtp_server *s, struct span parameters, struct smtp_server_event *event)
{
	return take_parameters(s, rcpt_rules, ARRAY_LEN(rcpt_rules), parameters, event);
}
