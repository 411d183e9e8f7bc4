/* SPDX-License-Identifier: MIT */
#include "cli/dialogue.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool cli_colour_wanted(FILE *stream)
{
	const char *no_color = getenv("NO_COLOR");
	return (no_color == NULL || no_color[0] == '\0') && isatty(fileno(stream)) == 1;
}

/* Sent, received, error, note: told apart at a glance, on light and dark grounds. */
static const char *colour_of(const struct trace_line *line, const char *mark)
{
	if (line->note)
		return "\033[2m";
	if (strchr(mark, '*') != NULL)
		return "\033[31m";
	return line->sent ? "\033[36m" : "\033[32m";
}

static void print_front(
    FILE *stream, const struct cli_dialogue_style *style, int64_t wall_ms, uint64_t dialogue)
{
	if (style->times)
		fprintf(stream, "%8.3f ", (double)(wall_ms - style->start_ms) / 1000);
	if (style->numbered)
		fprintf(stream, "%4llu ", (unsigned long long)dialogue);
}

/* What the observer is given for content is its size alone. */
static void print_text(FILE *stream, const struct trace_line *line)
{
	if (!line->note && line->kind == SMTP_LINE_KIND_CONTENT)
		fprintf(stream, "[content, %s octets]", line->text);
	else
		fputs(line->text, stream);
}

void cli_dialogue_print(
    FILE *stream, const struct cli_dialogue_style *style, const struct trace_line *line)
{
	const char *mark = trace_line_mark(line);
	print_front(stream, style, line->wall_ms, line->dialogue);
	if (style->colour)
		fputs(colour_of(line, mark), stream);
	fprintf(stream, "%s ", mark);
	print_text(stream, line);
	fputs(style->colour ? "\033[0m\n" : "\n", stream);
}

void cli_dialogue_print_failure(
    FILE *stream, const struct cli_dialogue_style *style, const char *text)
{
	if (style->times)
		fprintf(stream, "%8s ", "");
	fprintf(stream, style->colour ? "\033[31m*** %s\033[0m\n" : "*** %s\n", text);
}

static const char *speaker(const struct trace_line *line)
{
	if (line->note)
		return "note";
	return line->sent == (line->role == TRACE_ROLE_CLIENT) ? "client" : "server";
}

json_t *cli_dialogue_json_line(const struct trace_line *line, size_t number, int64_t start_ms)
{
	bool content = !line->note && line->kind == SMTP_LINE_KIND_CONTENT;
	json_t *text =
	    content ? json_sprintf("[content, %s octets]", line->text) : json_string(line->text);
	return json_pack("{s:I, s:s, s:o, s:f}", "n", (json_int_t)number, "from", speaker(line),
	    "text", text, "t", (double)(line->wall_ms - start_ms) / 1000);
}
