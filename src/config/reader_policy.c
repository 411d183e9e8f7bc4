/* SPDX-License-Identifier: MIT */
#include "config/reader.h"

#include "config/name.h"
#include "config/value.h"

#include <string.h>

/* ---- deny, proxy-protocol, xclient, exempt ---- */

/* Who may say for whom he speaks may be anybody, for bans, limits and relay-from. */
static bool is_sane(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, const struct config_network *network)
{
	bool speaks = !strcmp(d->name, "proxy-protocol") || !strcmp(d->name, "xclient");
	if (!speaks || network->prefix_len)
		return true;
	config_error(b->report, word->place,
	    "%s is everybody: each client could claim any address; name the proxies",
	    network->text);
	return false;
}

void config_read_networks(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_networks *networks = (void *)((char *)object + d->offset);
	for (size_t i = 0; i < statement->word_count; i++) {
		struct config_network network;
		if (config_take_network(b, &statement->words[i], &network) &&
		    is_sane(b, d, &statement->words[i], &network))
			CONFIG_ADD(b, networks->items, networks->count, network);
	}
}

bool config_print_networks(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_networks *networks = (const void *)((const char *)object + d->offset);
	return n < networks->count && config_quote(out, networks->items[n].text);
}

/* ---- login: send-as ---- */

#define WORD_LOGIN "%login"

/* "%login@…": only the domain of the pattern matters. */
static bool parse_local(
    struct config_builder *b, const char *text, struct config_send_as *out, struct fault *fault_out)
{
	const char *pattern = config_arena_format(b->arena, "*%s", text + strlen(WORD_LOGIN));
	out->kind = CONFIG_SEND_AS_LOCAL;
	return config_pattern_parse(
	    b->arena, pattern, CONFIG_PATTERN_USE_SENDER, &out->pattern, fault_out);
}

static bool parse_send_as(
    struct config_builder *b, const char *text, struct config_send_as *out, struct fault *fault_out)
{
	*out =
	    (struct config_send_as){ .text = config_arena_copy(b->arena, span_from_string(text)) };
	if (!strcmp(text, WORD_LOGIN)) {
		out->kind = CONFIG_SEND_AS_LOGIN;
		return true;
	}
	if (!strncmp(text, WORD_LOGIN "@", strlen(WORD_LOGIN "@")))
		return parse_local(b, text, out, fault_out);
	out->kind = CONFIG_SEND_AS_PATTERN;
	return config_pattern_parse(b->arena, strcmp(text, "any") ? text : "*",
	    CONFIG_PATTERN_USE_SENDER, &out->pattern, fault_out);
}

void config_read_send_as(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_login *login = object;
	for (size_t i = 0; i < statement->word_count; i++) {
		struct config_send_as send_as;
		struct fault fault = { 0 };
		if (parse_send_as(b, statement->words[i].text, &send_as, &fault))
			CONFIG_ADD(b, login->send_as, login->send_as_count, send_as);
		else
			config_report_fault(b, &statement->words[i], &fault);
	}
}

bool config_print_send_as(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_login *login = object;
	return n < login->send_as_count && config_quote(out, login->send_as[n].text);
}
