/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_PROBLEM_H
#define FRANK_CONFIG_PROBLEM_H

/*
 * How the parts of the parser report. A problem has a place; the line there is shown with a caret.
 * A line that sets a password is shown with stars in its place, whatever the problem was about.
 */

#include "config/load.h"

#include <stdarg.h>

struct config_file {
	const char *path;
	struct span text;
	unsigned number; /* in order of reading */
};

struct config_place {
	const struct config_file *file;
	unsigned line, column; /* from 1; line 0: about the whole file */
	size_t line_start;     /* offset of the line's first byte */
};

void config_error(struct config_report *report, struct config_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void config_warning(struct config_report *report, struct config_place place, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

/* Sorts what was reported by file, line and column. */
void config_report_sort(struct config_report *report);

/* Whether a directive of that name would carry a secret in its value: "password", "client-secret",
   but not "password-file". */
bool config_name_is_secret(struct span name);

/* Peer bytes cannot get here, the operator's can: shows at most 60 of them, escaped. */
#define CONFIG_SHOWN_MAX 80
const char *config_shown(struct span text, char out[CONFIG_SHOWN_MAX]);

#endif
