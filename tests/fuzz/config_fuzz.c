/* SPDX-License-Identifier: MIT */

/*
 * Any text is read without a crash; there is a configuration exactly when there is no error; what
 * is shown of it is read again and means the same.
 */

#include "config/load.h"
#include "config/match.h"
#include "config/show.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX (64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is the file, and so is every file it includes. */
static bool read_input(void *context, const char *path, struct buf *out, struct fault *fault_out)
{
	if (buf_append(out, *(const struct span *)context))
		return true;
	fault_set(fault_out, FAULT_LOCAL, "it is too large");
	return false;
}

static const char *variable(void *context, const char *name)
{
	return name[0] == 'A' ? "a; } \"b" : NULL;
}

static const struct config *load(struct span text)
{
	struct config_source source = {
		.context = &text, .read_file = read_input, .variable = variable
	};
	struct config_report report;
	config_report_init(&report);
	const struct config *config =
	    config_load(&source, "/f/frank.conf", "box.example.org", &report);
	assert((config != NULL) == (report.error_count == 0));
	struct buf sentences;
	buf_init(&sentences, 1 << 20);
	assert(config_report_format(&report, &sentences));
	buf_fini(&sentences);
	config_report_fini(&report);
	return config;
}

/* What is shown, without its comments: a "#" in a value stands in quotes, with no tab before it. */
static struct span show_bare(const struct config *config, struct buf *bare)
{
	struct buf shown;
	buf_init(&shown, SHOWN_MAX);
	buf_init(bare, SHOWN_MAX);
	assert(config_show(config, &shown));
	struct span left = buf_span(&shown), line;
	while (span_take_until(&left, '\n', &line)) {
		line = span_head(line, span_find_span(line, SPAN("\t# ")));
		if (!span_starts_with(span_trim(line), SPAN("#"))) {
			buf_append(bare, line);
			buf_append_byte(bare, '\n');
		}
	}
	buf_fini(&shown);
	return buf_span(bare);
}

static void ask(const struct config *config)
{
	struct config_question question = { SPAN("a@b.c"), SPAN("x@y.z"), SPAN("login"), NULL,
		"l" };
	struct buf why;
	buf_init(&why, SHOWN_MAX);
	size_t found = config_route_find(config, &question, &why);
	assert(found == CONFIG_NO_ROUTE || found < config->route_count);
	config_domain_find(config, SPAN("b.c"));
	buf_fini(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct config *config = load(span_of(data, size));
	if (!config)
		return 0;
	ask(config);
	struct buf once, twice;
	struct span text = show_bare(config, &once);
	const struct config *again = load(text);
	assert(again);
	assert(span_equal(text, show_bare(again, &twice)));
	config_unref(&config);
	config_unref(&again);
	buf_fini(&once);
	buf_fini(&twice);
	return 0;
}
