/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/directive.h"

#include "memory_source.h"

#include <stdlib.h>

/* frank.conf(5) against the table of directives: what the program takes stands there, with its
   default and an example that it takes. */

static char *manual;

static int read_manual(void **state)
{
	FILE *file = fopen(MANUAL, "r");
	if (!file)
		return -1;
	struct buf text;
	buf_init(&text, 1 << 20);
	char piece[4096];
	size_t len;
	while ((len = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_append(&text, span_of(piece, len));
	fclose(file);
	manual = buf_take_string(&text);
	return 0;
}

static int free_manual(void **state)
{
	free(manual);
	return 0;
}

/* The text between a line and the first of the given beginnings of lines behind it. */
static struct span part_after(struct span text, const char *line, const char *const *ends)
{
	char wanted[256];
	snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	size_t start = span_find_span(text, span_from_string(wanted));
	if (start == text.len)
		fail_msg("the manual lacks: %s", line);
	text = span_skip(text, start + strlen(wanted) - 1);
	for (; *ends; ends++)
		text = span_head(text, span_find_span(text, span_from_string(*ends)));
	return text;
}

static struct span section_of(const char *block)
{
	static const char *const ends[] = { "\n.Ss ", "\n.Sh ", NULL };
	char line[128];
	snprintf(line, sizeof(line), ".Ss %s", *block ? block : "Directives at the top");
	return part_after(span_from_string(manual), line, ends);
}

/* As the manual writes it: three dots for the one sign. */
static void write_value(const char *value, char out[128])
{
	size_t len = 0;
	while (*value && len < 124) {
		bool dots = !strncmp(value, "\xe2\x80\xa6", 3);
		memcpy(out + len, dots ? "..." : value, dots ? 3 : 1);
		len += dots ? 3 : 1;
		value += dots ? 3 : 1;
	}
	out[len] = '\0';
}

static struct span entry_of(const struct config_directive_info *info)
{
	static const char *const ends[] = { "\n.It ", "\n.El", NULL };
	char value[128], line[256];
	write_value(info->value, value);
	snprintf(line, sizeof(line), ".It Ic %s %s", info->name, value);
	return part_after(section_of(info->block), line, ends);
}

static void every_directive_stands_in_the_manual_with_its_default(void **state)
{
	struct config_directive_info info;
	size_t position = 0, count = 0;
	while (config_directive_next(&position, &info)) {
		if (info.later)
			continue;
		struct span entry = entry_of(&info);
		char line[256];
		snprintf(
		    line, sizeof(line), "Default: %s.\n", info.fallback ? info.fallback : "none");
		if (strcmp(info.value, "{ }") != 0 &&
		    span_find_span(entry, span_from_string(line)) == entry.len)
			fail_msg("%s %s: %s", info.block, info.name, line);
		count++;
	}
	assert_true(count > 60);
}

static void every_directive_of_later_work_is_listed(void **state)
{
	static const char *const ends[] = { "\n.Pp", "\n.Sh ", NULL };
	struct span text = span_from_string(manual);
	text = span_skip(text, span_find_span(text, SPAN("\n.Sh NOT IN THIS VERSION\n")));
	struct config_directive_info info;
	size_t position = 0;
	while (config_directive_next(&position, &info)) {
		if (!info.later)
			continue;
		char start[64], name[64];
		snprintf(
		    start, sizeof(start), *info.block ? "\nIn %s: " : "\nAt the top: ", info.block);
		struct span names = span_skip(text, span_find_span(text, span_from_string(start)));
		assert_true(names.len > 0);
		for (const char *const *end = ends; *end; end++)
			names = span_head(names, span_find_span(names, span_from_string(*end)));
		snprintf(name, sizeof(name), " %s", info.name);
		size_t at = span_find_span(names, span_from_string(name));
		if (at == names.len || !strchr(",.", names.data[at + strlen(name)]))
			fail_msg("%s %s", info.block, info.name);
	}
}

/* What a block needs beside the example, so that it is complete. */
static const char *filler(const char *block, const char *name)
{
	if (!strcmp(block, "listen"))
		return strcmp(name, "address") ? "address *:1;" : "";
	if (!strcmp(block, "domain"))
		return strcmp(name, "deliver") ? "deliver discard;" : "";
	if (!strcmp(block, "account") || !strcmp(block, "login"))
		return "";
	if (!strcmp(block, "account oauth"))
		return "login a;";
	if (!strcmp(name, "login"))
		return "via smtp://h; password-file b;";
	if (!strcmp(name, "password-file"))
		return "via smtp://h; login a;";
	return strcmp(name, "via") && strcmp(name, "refuse") ? "via smtp://h;" : "";
}

static void wrap_example(const char *block, const char *name, const char *example, char out[1024])
{
	static const char *const objects[] = { "listen", "domain", "account", "route", "login" };
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		if (strncmp(block, objects[i], strlen(objects[i])) != 0)
			continue;
		snprintf(out, 1024,
		    "tls { certificate c; key k; } tls old { certificate c; key k; } "
		    "users { file u; }\n"
		    "account up { login a; password-file b; }\n%s %s { %s %s }",
		    objects[i],
		    !strcmp(objects[i], "domain") ? "a.b"
		    : i >= 3                      ? "*"
						  : "x",
		    example, filler(strcmp(block, "account oauth") ? objects[i] : block, name));
		return;
	}
	snprintf(out, 1024, "%s", example);
}

static void expect_read(const char *text)
{
	struct config_report report;
	const struct config *c = memory_load(span_from_string(text), &report);
	if (!c) {
		memory_print(&report);
		fail_msg("%s", text);
	}
	config_unref(&c);
	config_report_fini(&report);
}

static void every_example_can_be_read(void **state)
{
	struct config_directive_info info;
	size_t position = 0;
	while (config_directive_next(&position, &info)) {
		if (info.later || !strcmp(info.value, "{ }"))
			continue;
		struct span entry = entry_of(&info), mark = SPAN("\nExample:\n.Li ");
		size_t at = span_find_span(entry, mark);
		if (at == entry.len)
			fail_msg("%s %s has no example", info.block, info.name);
		struct span example = span_skip(entry, at + mark.len);
		example = span_head(example, span_find(example, '\n'));
		char copy[512], text[1024];
		size_t len = 0;
		for (size_t i = 0; i < example.len && len < sizeof(copy) - 1; i++) {
			bool quote = span_starts_with(span_skip(example, i), SPAN("\\(dq"));
			copy[len++] = quote ? '"' : example.data[i];
			i += quote ? 3 : 0;
		}
		copy[len] = '\0';
		if (!strstr(copy, info.name))
			fail_msg("%s %s: %s", info.block, info.name, copy);
		wrap_example(info.block, info.name, copy, text);
		expect_read(text);
	}
}

static void the_whole_example_can_be_read(void **state)
{
	static const char *const ends[] = { "\n.Ed", NULL };
	struct span text = span_from_string(manual);
	text = span_skip(text, span_find_span(text, SPAN("\n.Sh EXAMPLES\n")));
	text = part_after(text, ".Bd -literal -offset indent", ends);
	char copy[4096];
	snprintf(copy, sizeof(copy), "%.*s\n", SPAN_ARG(text));
	assert_non_null(strstr(copy, "account up;"));
	expect_read(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_directive_stands_in_the_manual_with_its_default),
		cmocka_unit_test(every_directive_of_later_work_is_listed),
		cmocka_unit_test(every_example_can_be_read),
		cmocka_unit_test(the_whole_example_can_be_read),
	};
	return cmocka_run_group_tests(tests, read_manual, free_manual);
}
