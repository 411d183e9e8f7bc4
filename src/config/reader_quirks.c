/* SPDX-License-Identifier: MIT */
#include "config/reader.h"

#include "config/near.h"
#include "config/value.h"

#include <string.h>

#define BIT(quirk) (1u << (quirk))
#define LEGACY_NAME "legacy"

static const char *const names[CONFIG_QUIRK_COUNT] = {
	[CONFIG_QUIRK_NO_HELLO] = "no-hello",
	[CONFIG_QUIRK_HELLO_NAME] = "hello-name",
	[CONFIG_QUIRK_AUTH_BLANK] = "auth-blank",
	[CONFIG_QUIRK_AUTH_EQUALS] = "auth-equals",
	[CONFIG_QUIRK_EARLY_QUIT] = "early-quit",
	[CONFIG_QUIRK_BARE_LF] = "bare-lf",
};

/* What old clients usually need. Bare LF changes what a message is: it is named by itself. */
static const unsigned legacy = (BIT(CONFIG_QUIRK_COUNT) - 1) & ~BIT(CONFIG_QUIRK_BARE_LF);

const char *config_quirk_name(enum config_quirk quirk)
{
	return names[quirk];
}

static void report_unknown(struct config_builder *b, const struct config_word *word)
{
	char shown[CONFIG_SHOWN_MAX];
	unsigned best = CONFIG_NEAR_NOT;
	const char *near = NULL;
	for (size_t i = 0; i < CONFIG_QUIRK_COUNT; i++)
		if (config_near_keep(span_from_string(word->text), names[i], &best))
			near = names[i];
	if (config_near_keep(span_from_string(word->text), LEGACY_NAME, &best))
		near = LEGACY_NAME;
	config_shown(span_from_string(word->text), shown);
	if (near)
		config_error(b->report, word->place,
		    "there is no quirk \"%s\"; did you mean \"%s\"?", shown, near);
	else
		config_error(b->report, word->place,
		    "there is no quirk \"%s\"; there are legacy, no-hello, hello-name, auth-blank, "
		    "auth-equals, early-quit and bare-lf",
		    shown);
}

static void take_name(
    struct config_builder *b, const struct config_word *word, struct config_quirks *quirks)
{
	unsigned found = strcmp(word->text, LEGACY_NAME) ? 0 : legacy;
	for (unsigned i = 0; i < CONFIG_QUIRK_COUNT; i++)
		if (!strcmp(word->text, names[i]))
			found = BIT(i);
	if (!found) {
		report_unknown(b, word);
		return;
	}
	quirks->quirks |= found;
	CONFIG_ADD(b, quirks->names, quirks->name_count,
	    config_arena_copy(b->arena, span_from_string(word->text)));
}

static void take_networks(struct config_builder *b, const struct config_statement *statement,
    size_t at, struct config_quirks *quirks)
{
	if (at == statement->word_count)
		config_error(b->report, statement->words[at - 1].end,
		    "a network is missing behind from: quirks NAME … from 192.0.2.0/24;");
	for (; at < statement->word_count; at++) {
		struct config_network network;
		if (config_take_network(b, &statement->words[at], &network))
			CONFIG_ADD(b, quirks->networks, quirks->network_count, network);
	}
}

/* Who may end lines with LF is trusted to mean nothing by it. */
static void check_bare_lf(struct config_builder *b, const struct config_statement *statement,
    const struct config_quirks *quirks, bool has_from)
{
	bool everybody = !has_from;
	if (!(quirks->quirks & BIT(CONFIG_QUIRK_BARE_LF)))
		return;
	for (size_t i = 0; i < quirks->network_count; i++)
		everybody = everybody || !quirks->networks[i].prefix_len;
	if (everybody)
		config_error(b->report, statement->name.place,
		    "bare-lf is not for everybody: name the networks that may, quirks bare-lf "
		    "from 192.0.2.0/24;");
}

void config_read_quirks(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_quirks quirks = { .origin = config_origin_of(b, statement->name.place) };
	bool at_top = d->block == CONFIG_BLOCK_TOP;
	size_t at = 0;
	while (at < statement->word_count && strcmp(statement->words[at].text, "from") != 0)
		take_name(b, &statement->words[at++], &quirks);
	bool has_from = at < statement->word_count;
	if (has_from && !at)
		config_error(b->report, statement->words[0].place,
		    "the names stand before from: quirks NAME … from NETWORK …;");
	if (has_from)
		take_networks(b, statement, at + 1, &quirks);
	else if (at_top)
		config_error(b->report, statement->name.place,
		    "at the top quirks are for networks: quirks NAME … from NETWORK …; without "
		    "them they stand in listen { }");
	check_bare_lf(b, statement, &quirks, has_from);
	if (at_top)
		CONFIG_ADD(b, ((struct config *)object)->quirks,
		    ((struct config *)object)->quirks_count, quirks);
	else
		CONFIG_ADD(b, ((struct config_listener *)object)->quirks,
		    ((struct config_listener *)object)->quirks_count, quirks);
}

static bool put_words(struct buf *out, const struct config_quirks *quirks)
{
	bool done = true;
	for (size_t i = 0; i < quirks->name_count && done; i++)
		done = (!i || buf_append_byte(out, ' ')) && config_quote(out, quirks->names[i]);
	if (quirks->network_count)
		done = done && buf_append_string(out, " from");
	for (size_t i = 0; i < quirks->network_count && done; i++)
		done = buf_append_byte(out, ' ') && config_quote(out, quirks->networks[i].text);
	return done;
}

bool config_print_quirks(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config *config = object;
	const struct config_listener *listener = object;
	bool at_top = d->block == CONFIG_BLOCK_TOP;
	size_t count = at_top ? config->quirks_count : listener->quirks_count;
	if (n >= count)
		return false;
	*origin_out = at_top ? config->quirks[n].origin : listener->quirks[n].origin;
	return put_words(out, at_top ? &config->quirks[n] : &listener->quirks[n]);
}
