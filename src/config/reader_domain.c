/* SPDX-License-Identifier: MIT */
#include "config/reader.h"

#include "config/name.h"
#include "config/value.h"
#include "config/via.h"

#include <string.h>

/* ---- domain: recipients, alias, deliver ---- */

void config_read_recipients(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_domain *domain = object;
	const char *kind = statement->words[0].text;
	size_t count = !strcmp(kind, "file") ? 2 : 1;
	if (!config_expect_values(b, d, statement, 1, count))
		return;
	if (!strcmp(kind, "any")) {
		domain->recipients = CONFIG_RECIPIENTS_ANY;
	} else if (!strcmp(kind, "users")) {
		domain->recipients = CONFIG_RECIPIENTS_USERS;
	} else if (count == 2) {
		domain->recipients = CONFIG_RECIPIENTS_FILE;
		domain->recipients_file = config_take_file_path(b, statement, 1);
	} else {
		char shown[CONFIG_SHOWN_MAX];
		config_error(b->report, statement->words[0].place,
		    "\"%s\" is none of any, users, file PATH",
		    config_shown(span_from_string(kind), shown));
	}
}

bool config_print_recipients(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_domain *domain = object;
	if (n)
		return false;
	switch (domain->recipients) {
	case CONFIG_RECIPIENTS_USERS:
		return buf_append_string(out, "users");
	case CONFIG_RECIPIENTS_ANY:
		return buf_append_string(out, "any");
	case CONFIG_RECIPIENTS_FILE:
		return buf_append_string(out, "file ") &&
		       config_quote(out, domain->recipients_file);
	}
	return false;
}

/* The name of an alias: what may stand before "@", and no other alias of the domain. */
static bool check_alias(
    struct config_builder *b, const struct config_domain *domain, const struct config_word *word)
{
	char origin[CONFIG_ORIGIN_TEXT_MAX];
	struct fault fault = { 0 };
	const char *address = config_arena_format(b->arena, "%s@a", word->text);
	if (strchr(word->text, '@') || !config_mail_check(address, &fault)) {
		config_error(b->report, word->place,
		    "an alias begins with a local part, the name "
		    "before @: alias info anna@example.org;");
		return false;
	}
	for (size_t i = 0; i < domain->alias_count; i++) {
		const struct config_alias *other = &domain->aliases[i];
		if (!span_equal_nocase(span_from_string(other->name), span_from_string(word->text)))
			continue;
		config_error(b->report, word->place, "the alias \"%s\" is there already, at %s",
		    other->name, config_origin_format(other->origin, origin));
		return false;
	}
	return true;
}

void config_read_alias(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_domain *domain = object;
	if (!config_expect_values(b, d, statement, 2, SIZE_MAX) ||
	    !check_alias(b, domain, &statement->words[0]))
		return;
	struct config_alias alias = {
		.name = config_arena_copy(b->arena, span_from_string(statement->words[0].text)),
		.origin = config_origin_of(b, statement->name.place),
	};
	for (size_t i = 1; i < statement->word_count; i++) {
		const struct config_word *word = &statement->words[i];
		struct fault fault = { 0 };
		if (config_mail_check(word->text, &fault))
			CONFIG_ADD(b, alias.addresses, alias.address_count,
			    config_arena_copy(b->arena, span_from_string(word->text)));
		else
			config_report_fault(b, word, &fault);
	}
	CONFIG_ADD(b, domain->aliases, domain->alias_count, alias);
}

bool config_print_alias(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_domain *domain = object;
	if (n >= domain->alias_count)
		return false;
	const struct config_alias *alias = &domain->aliases[n];
	*origin_out = alias->origin;
	bool done = config_quote(out, alias->name);
	for (size_t i = 0; i < alias->address_count; i++)
		done = done && buf_append_byte(out, ' ') && config_quote(out, alias->addresses[i]);
	return done;
}

void config_read_deliver(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_domain *domain = object;
	struct config_via via;
	if (!config_expect_values(b, d, statement, 1, 1) ||
	    !config_take_via(b, &statement->words[0], &via))
		return;
	if (via.scheme < CONFIG_SCHEME_LMTP)
		config_error(b->report, statement->words[0].place,
		    "deliver goes to maildir:PATH, "
		    "lmtp://HOST or discard; to pass mail on to \"%s\", use a route",
		    via.text);
	else
		domain->deliver = via;
}

bool config_print_deliver(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_domain *domain = object;
	return n == 0 && domain->deliver.text && config_put_via(out, &domain->deliver);
}
