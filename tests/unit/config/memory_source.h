/* SPDX-License-Identifier: MIT */
#ifndef FRANK_TESTS_CONFIG_MEMORY_SOURCE_H
#define FRANK_TESTS_CONFIG_MEMORY_SOURCE_H

/* Files and variables that exist in a test only. */

#include "config/load.h"

#include <stdio.h>
#include <string.h>

struct memory_file {
	const char *path;
	struct span text;
};

struct memory_source {
	const struct memory_file *files;
	size_t count;
};

static inline bool memory_read(
    void *context, const char *path, struct buf *out, struct fault *fault_out)
{
	const struct memory_source *memory = context;
	for (size_t i = 0; i < memory->count; i++)
		if (!strcmp(memory->files[i].path, path)) {
			if (buf_append(out, memory->files[i].text))
				return true;
			fault_set(fault_out, FAULT_LOCAL, "it is larger than 1 MiB");
			return false;
		}
	fault_set(fault_out, FAULT_LOCAL, "no such file");
	return false;
}

/* Lists what lies in the directory of the pattern, whatever its last part. */
static inline bool memory_list(
    void *context, const char *pattern, struct buf *paths_out, struct fault *fault_out)
{
	const struct memory_source *memory = context;
	size_t len = (size_t)(strrchr(pattern, '/') + 1 - pattern);
	for (size_t i = 0; i < memory->count; i++) {
		const char *path = memory->files[i].path;
		if (!strncmp(path, pattern, len) && !strchr(path + len, '/'))
			buf_append(paths_out, span_of(path, strlen(path) + 1));
	}
	return true;
}

static inline const char *memory_variable(void *context, const char *name)
{
	static const char *const variables[][2] = {
		{ "HOST", "smtp.example.net" },
		{ "EMPTY", "" },
		{ "ODD", "a b; c { \"d" },
		{ "REF", "${HOST}" },
		{ "BELL", "a\ab" },
	};
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (!strcmp(variables[i][0], name))
			return variables[i][1];
	return NULL;
}

/* Loads files[0] among files. */
static inline const struct config *memory_load_files(
    const struct memory_file *files, size_t count, struct config_report *report)
{
	struct memory_source memory = { files, count };
	struct config_source source = { &memory, memory_read, memory_variable, memory_list };
	config_report_init(report);
	return config_load(&source, files[0].path, "box.example.org", report);
}

static inline const struct config *memory_load(struct span text, struct config_report *report)
{
	struct memory_file file = { "/etc/frank/frank.conf", text };
	return memory_load_files(&file, 1, report);
}

/* For tests whose configuration must be right: what is wrong is printed. */
static inline void memory_print(const struct config_report *report)
{
	struct buf text;
	buf_init(&text, 256 * 1024);
	config_report_format(report, &text);
	fputs(buf_string(&text), stderr);
	buf_fini(&text);
}

#endif
