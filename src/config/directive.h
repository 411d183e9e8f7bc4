/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_DIRECTIVE_H
#define FRANK_CONFIG_DIRECTIVE_H

/*
 * The one table of directives, as others may see it: it drives parsing, "frank config show" and the
 * check of frank.conf(5).
 */

#include <stdbool.h>
#include <stddef.h>

struct config_directive_info {
	const char *block; /* "" at the top; "listen", "route", "listen timeout", … */
	const char *name;
	const char
	    *value; /* its syntax: "TIME", "off|starttls|implicit", "NAME ADDRESS …", "{ }" */
	const char *fallback; /* the default, in words where it is computed; NULL: none */
	const char *meaning;  /* one line, no full stop */
	bool repeatable;      /* may stand more than once in its block */
	bool later;           /* refused as "not in this version"; value and fallback are NULL */
};

/* Walks the table in its order: start with *position = 0. False at the end. */
bool config_directive_next(size_t *position, struct config_directive_info *info_out);

#endif
