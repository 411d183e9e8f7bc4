/* SPDX-License-Identifier: MIT */
#include "config/load.h"

#include "base/memory.h"
#include "config/build.h"
#include "config/check.h"

#include <assert.h>

static struct config *make_config(const char *path)
{
	struct config *config = MEM_NEW(struct config);
	config->arena = config_arena_create();
	config->file = config_arena_copy(config->arena, span_from_string(path));
	atomic_init(&config->references, 1);
	return config;
}

const struct config *config_load(const struct config_source *source, const char *path,
    const char *machine_name, struct config_report *report)
{
	struct config_reading reading = {
		.source = source,
		.report = report,
		.arena = config_arena_create(),
	};
	size_t errors = report->error_count;
	struct config_statement *root = config_syntax_read(&reading, path);
	const struct config *config = make_config(path);
	struct config_builder builder = {
		.config = (struct config *)config,
		.arena = config->arena,
		.report = report,
		.machine_name = machine_name,
		.syntax_errors = report->error_count > errors,
	};
	if (!reading.stopped)
		config_build(&builder, root);
	if (report->error_count == errors)
		config_check(&builder, root);
	if (report->error_count > errors)
		config_unref(&config);
	config_report_sort(report);
	config_arena_destroy(&reading.arena);
	return config;
}
