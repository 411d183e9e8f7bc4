/* SPDX-License-Identifier: MIT */
#include "config/unknown.h"

#include "config/near.h"

#include <string.h>

static const char *block_shown(struct config_builder *b, enum config_block block)
{
	if (block == CONFIG_BLOCK_TOP)
		return "at the top of the file";
	return config_arena_format(b->arena, "in %s { }", config_blocks[block].path);
}

/* The row of that very name in another block, or NULL; one that is built wins. */
static const struct config_directive *find_elsewhere(const char *name)
{
	const struct config_directive *found = NULL;
	for (size_t i = 0; i < config_directive_count; i++) {
		const struct config_directive *d = &config_directives[i];
		if (strcmp(d->name, name) != 0 || (d->flags & CONFIG_FLAG_HIDDEN))
			continue;
		if (!found || (found->flags & CONFIG_FLAG_LATER))
			found = d;
	}
	return found;
}

/* The row with the nearest name: in the block, or, when none is near there, anywhere. */
static const struct config_directive *find_near(
    enum config_block block, const char *name, bool anywhere)
{
	const struct config_directive *found = NULL;
	unsigned best = CONFIG_NEAR_NOT;
	for (size_t i = 0; i < config_directive_count; i++) {
		const struct config_directive *d = &config_directives[i];
		if ((d->flags & CONFIG_FLAG_HIDDEN) || (!anywhere && d->block != block))
			continue;
		if (config_near_keep(span_from_string(name), d->name, &best))
			found = d;
	}
	return found || anywhere ? found : find_near(block, name, true);
}

void config_report_later(struct config_builder *b, const struct config_word *name)
{
	config_error(b->report, name->place, "\"%s\" is not in this version", name->text);
}

void config_report_unknown(
    struct config_builder *b, enum config_block block, const struct config_word *name)
{
	const struct config_directive *d = find_elsewhere(name->text);
	if (d && (d->flags & CONFIG_FLAG_LATER)) {
		config_report_later(b, name);
		return;
	}
	if (d) {
		config_error(b->report, name->place, "\"%s\" does not belong %s; it stands %s",
		    name->text, block_shown(b, block), block_shown(b, d->block));
		return;
	}
	if (config_name_is_secret(span_from_string(name->text))) {
		config_error(b->report, name->place,
		    "\"%s\" is unknown; a secret stands in a file "
		    "of its own: password-file PATH;",
		    name->text);
		return;
	}
	d = find_near(block, name->text, false);
	if (!d)
		config_error(b->report, name->place, "\"%s\" is unknown %s", name->text,
		    block_shown(b, block));
	else if (d->block == block)
		config_error(b->report, name->place, "\"%s\" is unknown; did you mean \"%s\"?",
		    name->text, d->name);
	else
		config_error(b->report, name->place,
		    "\"%s\" is unknown; did you mean \"%s\", which "
		    "stands %s?",
		    name->text, d->name, block_shown(b, d->block));
}
