/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_LOAD_H
#define FRANK_CONFIG_LOAD_H

/*
 * From text to a struct config. Pure: files and variables come through callbacks, the machine's
 * name through an argument. Everything that is wrong is reported in one run (at most 50 problems),
 * with file, line, column, the line itself and a caret; a configuration comes out only when there
 * is no error at all. A directive of work that is not built is refused by name: nothing is parsed
 * and then not obeyed.
 *
 * Relative paths, of includes and in values, start at the directory of the file that names them.
 *
 * Limits: 1 MiB a file, 100 files, 16 includes deep, blocks 8 deep, 10,000 directives, 4 KiB a
 * value, 1,000 values a directive.
 */

#include "base/buf.h"
#include "base/fault.h"
#include "config/config.h"

#define CONFIG_FILE_MAX (1024 * 1024)
#define CONFIG_PROBLEMS_MAX 50

struct config_source {
	void *context;
	/* Appends the whole file to out, whose ceiling is CONFIG_FILE_MAX. On failure the fault's
	   text says why, without the path. */
	bool (*read_file)(
	    void *context, const char *path, struct buf *out, struct fault *fault_out);
	/* The value of an environment variable, or NULL when it is not set. */
	const char *(*variable)(void *context, const char *name);
	/* Appends the paths that fit the pattern of an include, in sorted order, each with a NUL
	   behind it. No path is no failure. May be NULL: patterns in includes are then refused. */
	bool (*list_files)(
	    void *context, const char *pattern, struct buf *paths_out, struct fault *fault_out);
};

struct config_problem {
	bool warning; /* else an error */
	char *file;
	unsigned file_number;  /* in order of reading */
	unsigned line, column; /* from 1, column in bytes; line 0: about the whole file */
	char *text;            /* one sentence, printable */
	char *excerpt;         /* "\t<line>\n\t<blanks>^", printable; NULL without a line */
};

struct config_report {
	struct config_problem problems[CONFIG_PROBLEMS_MAX]; /* by file and line */
	size_t count;
	size_t error_count, warning_count; /* those that were not kept are counted too */
};

void config_report_init(struct config_report *report);
void config_report_fini(struct config_report *report);

/* Everything as text for people: "file:line:column: error: sentence", the line, the caret. False
   when out is full. */
bool config_report_format(const struct config_report *report, struct buf *out);

/* Reads path and what it includes. machine_name is the hostname where the file gives none; it may
   be NULL. The report, made ready by its owner, receives errors and warnings. Returns NULL when
   there is an error; otherwise a configuration with one reference. */
const struct config *config_load(const struct config_source *source, const char *path,
    const char *machine_name, struct config_report *report);

#endif
