/* SPDX-License-Identifier: MIT */
#include "config/problem.h"

#include "base/escape.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXCERPT_MAX = 4096, LINE_SHOWN_MAX = 400, TEXT_MAX = 1024 };

void config_report_init(struct config_report *report)
{
	memset(report, 0, sizeof(*report));
}

void config_report_fini(struct config_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		mem_free(report->problems[i].file);
		mem_free(report->problems[i].text);
		mem_free(report->problems[i].excerpt);
	}
	config_report_init(report);
}

const char *config_shown(struct span text, char out[CONFIG_SHOWN_MAX])
{
	return escape_to(out, CONFIG_SHOWN_MAX, text);
}

bool config_name_is_secret(struct span name)
{
	if (span_ends_with_nocase(name, SPAN("-file")) ||
	    span_ends_with_nocase(name, SPAN("-command")))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		struct span rest = span_skip(name, i);
		if (span_starts_with_nocase(rest, SPAN("pass")) ||
		    span_starts_with_nocase(rest, SPAN("secret")))
			return true;
	}
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool ends_name(char c)
{
	return is_blank(c) || c == ';' || c == '{' || c == '}';
}

static void put_stars(char *line, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (line[i] != '\t')
			line[i] = '*';
}

/* Stars from "//" to the last "@" of the word that begins at from: a login and password in a URL.
 */
static void hide_url(char *line, size_t from, size_t to)
{
	struct span word = span_of(line + from, to - from);
	size_t slashes = span_find_span(word, SPAN("//"));
	size_t at = word.len;
	while (at > slashes && word.data[at - 1] != '@')
		at--;
	if (slashes < word.len && at > slashes + 2)
		put_stars(line, from + slashes + 2, from + at - 1);
}

/* Puts stars over passwords. A secret runs to the end of its directive or line. */
static void hide_secrets(char *line, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t end = i;
		while (end < len && !ends_name(line[end]))
			end++;
		hide_url(line, i, end);
		if (config_name_is_secret(span_of(line + i, end - i)) && end < len &&
		    is_blank(line[end])) {
			size_t stop = end + span_find(span_of(line + end, len - end), ';');
			put_stars(line, end + 1, stop);
			end = stop;
		}
		i = end > i ? end : i + 1;
	}
}

static size_t find_plain(struct span bytes)
{
	size_t tab = span_find(bytes, '\t'), backslash = span_find(bytes, '\\');
	return tab < backslash ? tab : backslash;
}

/* Appends bytes, tabs and backslashes as they are and everything else escaped; carets, unless NULL,
   receives blanks of the same width. */
static void append_shown(struct buf *out, struct buf *carets, struct span bytes)
{
	while (bytes.len) {
		size_t len = find_plain(bytes);
		size_t before = out->len;
		escape_append(out, span_head(bytes, len));
		struct span shown = span_skip(buf_span(out), before);
		for (size_t i = 0; carets && i < shown.len; i++)
			if (((unsigned char)shown.data[i] & 0xc0) != 0x80)
				buf_append_byte(carets, ' ');
		if (len < bytes.len) {
			buf_append_byte(out, bytes.data[len]);
			if (carets)
				buf_append_byte(carets, bytes.data[len] == '\t' ? '\t' : ' ');
			len++;
		}
		bytes = span_skip(bytes, len);
	}
}

static char *make_excerpt(const struct config_place *place)
{
	struct span rest = span_skip(place->file->text, place->line_start);
	struct span line = span_head(rest, span_find(rest, '\n'));
	if (line.len && line.data[line.len - 1] == '\r')
		line.len--;
	size_t column = place->column - 1 < line.len ? place->column - 1 : line.len;
	size_t skipped = column > LINE_SHOWN_MAX / 2 ? column - LINE_SHOWN_MAX / 2 : 0;

	char *copy = mem_dup(line.data, line.len);
	hide_secrets(copy, line.len);
	struct span shown = span_skip(span_of(copy, line.len), skipped);
	if (shown.len > LINE_SHOWN_MAX)
		shown.len = LINE_SHOWN_MAX;

	struct buf out, carets;
	buf_init(&out, EXCERPT_MAX);
	buf_init(&carets, EXCERPT_MAX);
	buf_append_byte(&out, '\t');
	append_shown(&out, &carets, span_head(shown, column - skipped));
	append_shown(&out, NULL, span_skip(shown, column - skipped));
	buf_append_string(&out, "\n\t");
	buf_append(&out, buf_span(&carets));
	buf_append_byte(&out, '^');
	buf_fini(&carets);
	mem_wipe(copy, line.len);
	mem_free(copy);
	return buf_take_string(&out);
}

__attribute__((format(printf, 4, 0))) static void add(struct config_report *report, bool warning,
    const struct config_place *place, const char *format, va_list arguments)
{
	if (warning)
		report->warning_count++;
	else
		report->error_count++;
	if (report->count == CONFIG_PROBLEMS_MAX)
		return;
	char text[TEXT_MAX];
	vsnprintf(text, sizeof(text), format, arguments);
	struct config_problem *problem = &report->problems[report->count++];
	problem->warning = warning;
	problem->file = mem_strdup(place->file->path);
	problem->file_number = place->file->number;
	problem->line = place->line;
	problem->column = place->column;
	problem->text = mem_strdup(text);
	problem->excerpt = place->line ? make_excerpt(place) : NULL;
}

void config_error(struct config_report *report, struct config_place place, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	add(report, false, &place, format, arguments);
	va_end(arguments);
}

void config_warning(
    struct config_report *report, struct config_place place, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	add(report, true, &place, format, arguments);
	va_end(arguments);
}

static int compare(const void *left, const void *right)
{
	const struct config_problem *a = left, *b = right;
	if (a->file_number != b->file_number)
		return a->file_number < b->file_number ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	if (a->warning != b->warning)
		return a->warning ? 1 : -1;
	return strcmp(a->text, b->text);
}

void config_report_sort(struct config_report *report)
{
	qsort(report->problems, report->count, sizeof(report->problems[0]), compare);
}

static bool format_problem(const struct config_problem *problem, struct buf *out)
{
	const char *kind = problem->warning ? "warning" : "error";
	if (!problem->line)
		return buf_printf(out, "%s: %s: %s\n", problem->file, kind, problem->text);
	return buf_printf(out, "%s:%u:%u: %s: %s\n%s\n", problem->file, problem->line,
	    problem->column, kind, problem->text, problem->excerpt);
}

bool config_report_format(const struct config_report *report, struct buf *out)
{
	for (size_t i = 0; i < report->count; i++)
		if (!format_problem(&report->problems[i], out))
			return false;
	size_t hidden = report->error_count + report->warning_count - report->count;
	return !hidden || buf_printf(out, "and %zu more\n", hidden);
}
