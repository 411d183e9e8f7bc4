/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CLI_DIALOGUE_H
#define FRANK_CLI_DIALOGUE_H

/*
 * A dialogue as it is shown: line by line with swaks' marks ("->" sent, "<-" received, "<**" an
 * error reply, "~>" "<~" "<~*" the same under TLS, "===" a note, "***" a failure), or as the JSON
 * that `send` and `explain` share. Lines come from trace/line.h: printable, and without secrets.
 */

#include "trace/line.h"

#include <jansson.h>
#include <stdio.h>

struct cli_dialogue_style {
	bool colour;
	bool times;       /* seconds since start_ms before each line */
	bool numbered;    /* the dialogue's number before each line */
	int64_t start_ms; /* wall */
};

/* Colour is for terminals, and never where NO_COLOR is set and not empty. */
bool cli_colour_wanted(FILE *stream);

void cli_dialogue_print(
    FILE *stream, const struct cli_dialogue_style *style, const struct trace_line *line);
/* "*** text", which nobody has said: the session has failed. */
void cli_dialogue_print_failure(
    FILE *stream, const struct cli_dialogue_style *style, const char *text);

/* {"n":1,"from":"client|server|note","text":"…","t":0.012} for the list "lines". */
json_t *cli_dialogue_json_line(const struct trace_line *line, size_t number, int64_t start_ms);

#endif
