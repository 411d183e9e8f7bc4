/* SPDX-License-Identifier: MIT */
#include "config/reader.h"

#include "config/name.h"
#include "config/value.h"

#include <string.h>

/* ---- alias NAME ADDRESS …, of a domain or of a route ---- */

struct aliases {
	struct config_alias *items;
	size_t count;
};

/* What may stand before "@"; on a route, that or a complete address. */
static bool check_name(struct config_builder *b, const struct config_word *word, bool complete)
{
	struct fault fault = { 0 };
	const char *address = word->text;
	bool has_at = strchr(word->text, '@');
	if (!has_at)
		address = config_arena_format(b->arena, "%s@a", word->text);
	if ((complete || !has_at) && config_mail_check(address, &fault))
		return true;
	config_error(b->report, word->place,
	    "an alias begins with a local part, the name before @%s: "
	    "alias info anna@example.org;",
	    complete ? ", or with an address" : "");
	return false;
}

static bool is_new(
    struct config_builder *b, const struct aliases *list, const struct config_word *word)
{
	char origin[CONFIG_ORIGIN_TEXT_MAX];
	for (size_t i = 0; i < list->count; i++) {
		const struct config_alias *other = &list->items[i];
		if (!span_equal_nocase(span_from_string(other->name), span_from_string(word->text)))
			continue;
		config_error(b->report, word->place, "the alias \"%s\" is there already, at %s",
		    other->name, config_origin_format(other->origin, origin));
		return false;
	}
	return true;
}

static void read_alias(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, struct aliases *list, bool complete)
{
	if (!config_expect_values(b, d, statement, 2, SIZE_MAX) ||
	    !check_name(b, &statement->words[0], complete) ||
	    !is_new(b, list, &statement->words[0]))
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
	CONFIG_ADD(b, list->items, list->count, alias);
}

static bool print_alias(const struct config_alias *aliases, size_t count, size_t n, struct buf *out,
    struct config_origin *origin_out)
{
	if (n >= count)
		return false;
	*origin_out = aliases[n].origin;
	bool done = config_quote(out, aliases[n].name);
	for (size_t i = 0; i < aliases[n].address_count; i++)
		done =
		    done && buf_append_byte(out, ' ') && config_quote(out, aliases[n].addresses[i]);
	return done;
}

void config_read_alias(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_domain *domain = object;
	struct aliases list = { domain->aliases, domain->alias_count };
	read_alias(b, d, statement, &list, false);
	domain->aliases = list.items;
	domain->alias_count = list.count;
}

bool config_print_alias(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_domain *domain = object;
	return print_alias(domain->aliases, domain->alias_count, n, out, origin_out);
}

void config_read_route_alias(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_route *route = object;
	struct aliases list = { route->aliases, route->alias_count };
	read_alias(b, d, statement, &list, true);
	route->aliases = list.items;
	route->alias_count = list.count;
}

bool config_print_route_alias(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_route *route = object;
	return print_alias(route->aliases, route->alias_count, n, out, origin_out);
}
