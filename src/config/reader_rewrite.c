/* SPDX-License-Identifier: MIT */
#include "config/reader.h"

#include "base/memory.h"
#include "config/check.h"
#include "config/name.h"
#include "config/value.h"

#include <string.h>

/* ---- sender, header-from: a keyword, and what belongs to it ---- */

/* The place of the first value among the keywords, or -1 after an error. */
static int find_keyword(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, const char *const *keywords, size_t count)
{
	char shown[CONFIG_SHOWN_MAX];
	for (size_t i = 0; i < count; i++)
		if (!strcmp(keywords[i], word->text))
			return (int)i;
	config_error(b->report, word->place, "\"%s\" is none of %s",
	    config_shown(span_from_string(word->text), shown), d->value);
	return -1;
}

/* The value behind the keyword, by its type; NULL without one, or after an error. */
static const char *take_value(struct config_builder *b, const struct config_type *type,
    const struct config_statement *statement)
{
	struct fault fault = { 0 };
	const char *value = NULL;
	if (statement->word_count > 1 &&
	    !type->convert(b, NULL, &statement->words[1], &value, &fault))
		config_report_fault(b, &statement->words[1], &fault);
	return value;
}

static bool put_rule(struct buf *out, const char *keyword, const char *value)
{
	return buf_append_string(out, keyword) &&
	       (!value || (buf_append_byte(out, ' ') && config_quote(out, value)));
}

static const char *const sender_keywords[] = {
	[CONFIG_SENDER_KEEP] = "keep",
	[CONFIG_SENDER_REPLACE] = "replace",
	[CONFIG_SENDER_MAP] = "map",
};

void config_read_sender(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_sender_rule *rule = &((struct config_route *)object)->sender;
	int kind =
	    find_keyword(b, d, &statement->words[0], sender_keywords, ARRAY_LEN(sender_keywords));
	size_t count = kind == CONFIG_SENDER_KEEP ? 1 : 2;
	if (kind < 0 || !config_expect_values(b, d, statement, count, count))
		return;
	rule->kind = (enum config_sender)kind;
	switch (rule->kind) {
	case CONFIG_SENDER_KEEP:
		break;
	case CONFIG_SENDER_REPLACE:
		rule->address = take_value(b, &config_type_mail, statement);
		break;
	case CONFIG_SENDER_MAP:
		rule->file = take_value(b, &config_type_path, statement);
		break;
	}
}

bool config_print_sender(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_sender_rule *rule = &((const struct config_route *)object)->sender;
	return n == 0 && put_rule(out, sender_keywords[rule->kind],
			     rule->address ? rule->address : rule->file);
}

static const char *const header_from_keywords[] = {
	[CONFIG_HEADER_FROM_KEEP] = "keep",
	[CONFIG_HEADER_FROM_REPLACE] = "replace",
	[CONFIG_HEADER_FROM_KEEP_NAME] = "keep-name",
	[CONFIG_HEADER_FROM_MAP] = "map",
};

void config_read_header_from(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_header_from_rule *rule = &((struct config_route *)object)->header_from;
	int kind = find_keyword(
	    b, d, &statement->words[0], header_from_keywords, ARRAY_LEN(header_from_keywords));
	if (kind < 0 ||
	    !config_expect_values(b, d, statement, 1, kind == CONFIG_HEADER_FROM_KEEP ? 1 : 2))
		return;
	rule->kind = (enum config_header_from)kind;
	switch (rule->kind) {
	case CONFIG_HEADER_FROM_KEEP:
		break;
	case CONFIG_HEADER_FROM_REPLACE:
	case CONFIG_HEADER_FROM_KEEP_NAME:
		rule->address = take_value(b, &config_type_mail, statement);
		break;
	case CONFIG_HEADER_FROM_MAP:
		rule->file = take_value(b, &config_type_path, statement);
		break;
	}
}

bool config_print_header_from(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_header_from_rule *rule =
	    &((const struct config_route *)object)->header_from;
	return n == 0 && put_rule(out, header_from_keywords[rule->kind],
			     rule->address ? rule->address : rule->file);
}

/* A rule that takes its value from the sender's needs one there. */
void config_check_rewriting(struct config_builder *b, const struct config_route *route,
    const struct config_statement *block)
{
	const struct config_header_from_rule *rule = &route->header_from;
	struct config_place place = config_place_of(block, "header-from");
	switch (rule->kind) {
	case CONFIG_HEADER_FROM_KEEP:
		break;
	case CONFIG_HEADER_FROM_REPLACE:
	case CONFIG_HEADER_FROM_KEEP_NAME:
		if (!rule->address && route->sender.kind == CONFIG_SENDER_KEEP)
			config_error(b->report, place,
			    "header-from %s needs an address here: header-from %s ADDRESS; only "
			    "with sender replace or sender map it can follow the sender",
			    header_from_keywords[rule->kind], header_from_keywords[rule->kind]);
		break;
	case CONFIG_HEADER_FROM_MAP:
		if (!rule->file)
			config_error(b->report, place,
			    "header-from map needs a file here: header-from map FILE; only with "
			    "sender map it can follow the sender");
		break;
	}
}
