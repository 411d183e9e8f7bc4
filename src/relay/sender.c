/* SPDX-License-Identifier: MIT */
#include "relay/sender.h"

#include "base/escape.h"
#include "message/from.h"
#include "smtp/domain.h"

#include <stdio.h>

enum {
	ADDRESS_MAX = 2048,
	RULE_MAX = 200,
	SHOWN_MAX = 100,
};

/* "%login, *@example.org (rule: login *@example.org)" */
static void describe(const struct config_login *rule, char out[RULE_MAX])
{
	struct buf text;

	buf_init(&text, 65536);
	for (size_t i = 0; i < rule->send_as_count; i++)
		buf_printf(&text, "%s%s", i > 0 ? ", " : "", rule->send_as[i].text);
	buf_append_string(&text, " (rule: login");
	for (size_t i = 0; i < rule->pattern_count; i++)
		buf_printf(&text, " %s", rule->patterns[i].text);
	buf_append_byte(&text, ')');
	escape_to(out, RULE_MAX, buf_span(&text));
	buf_fini(&text);
}

static bool refuse(const struct config_login *rule, struct span login, const char *what,
    struct span address, char why_out[SENDER_WHY_MAX])
{
	char shown_login[SHOWN_MAX], shown_address[SHOWN_MAX], allowed[RULE_MAX];

	describe(rule, allowed);
	snprintf(why_out, SENDER_WHY_MAX, "%s <%s> is not for the login %s, which may send as %s",
	    what, escape_to(shown_address, sizeof(shown_address), address),
	    escape_to(shown_login, sizeof(shown_login), login), allowed);
	return false;
}

/* Domains are compared in the form that the configuration has them in. */
static bool may_use(const struct config *config, const struct config_login *rule, struct span login,
    struct span address)
{
	struct buf comparable;
	bool may;

	buf_init(&comparable, ADDRESS_MAX);
	if (!smtp_text_is_ascii(address) && smtp_mailbox_append_comparable(&comparable, address))
		address = buf_span(&comparable);
	may = config_login_may_send_as(config, rule, login, address);
	buf_fini(&comparable);
	return may;
}

bool sender_may_use_path(const struct config *config, const struct config_login *rule,
    struct span login, struct span reverse_path, char why_out[SENDER_WHY_MAX])
{
	if (!rule || rule->send_as_count == 0 || may_use(config, rule, login, reverse_path))
		return true;
	return refuse(rule, login, "the sender", reverse_path, why_out);
}

/* A bare name is completed as it will be on the way out. */
static bool may_use_from(const struct config *config, const struct config_login *rule,
    struct span login, struct span local, struct span domain, char why_out[SENDER_WHY_MAX])
{
	struct buf whole;
	bool may;

	if (domain.len == 0 && config->default_domain)
		domain = span_from_string(config->default_domain);
	buf_init(&whole, ADDRESS_MAX);
	may = buf_append(&whole, local) &&
	      (domain.len == 0 || (buf_append_byte(&whole, '@') && buf_append(&whole, domain))) &&
	      may_use(config, rule, login, buf_span(&whole));
	if (!may)
		refuse(rule, login, "the From address", buf_span(&whole), why_out);
	buf_fini(&whole);
	return may;
}

static bool judge(const struct config *config, const struct config_login *rule, struct span login,
    struct span fields, char why_out[SENDER_WHY_MAX])
{
	struct message_from from;
	struct span local, domain;

	message_from_init(&from, fields);
	for (;;) {
		switch (message_from_next(&from, &local, &domain)) {
		case MESSAGE_FROM_FOUND:
			if (!may_use_from(config, rule, login, local, domain, why_out))
				return false;
			break;
		case MESSAGE_FROM_END:
			return true;
		case MESSAGE_FROM_UNREADABLE:
			snprintf(why_out, SENDER_WHY_MAX,
			    "the From field cannot be read as addresses, so that nobody can tell "
			    "whether this login may send it");
			return false;
		}
	}
}

bool sender_may_use_from(const struct config *config, const struct config_login *rule,
    struct span login, const struct message_header *header, struct span content,
    char why_out[SENDER_WHY_MAX])
{
	if (!rule || rule->send_as_count == 0)
		return true;
	switch (header->shape) {
	case MESSAGE_HEADER_PROPER:
		return judge(
		    config, rule, login, span_head(content, (size_t)header->header_len), why_out);
	case MESSAGE_HEADER_TOO_LARGE:
		snprintf(why_out, SENDER_WHY_MAX,
		    "the header is longer than %d octets, too long to find out who it is from",
		    MESSAGE_HEADER_SIZE_MAX);
		return false;
	case MESSAGE_HEADER_UNDECIDED:
	case MESSAGE_HEADER_MISSING:
	case MESSAGE_HEADER_RUNS_INTO_BODY:
		break;
	}
	return true;
}
