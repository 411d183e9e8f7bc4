/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CLI_SCREEN_H
#define FRANK_CLI_SCREEN_H

/*
 * Text for people: how wide the terminal is, values cut to fit it, times and sizes in short
 * forms, and the other way round the durations that people type. What comes from peers is escaped
 * on the way.
 */

#include "base/buf.h"

#include <jansson.h>
#include <stdio.h>

/* Columns of the terminal that standard output is (at least 40); 0: it is none, and nothing is to
   be cut. */
unsigned cli_screen_width(void);

/* Escapes and prints at most columns of the text, the last one an ellipsis when it was cut. 0:
   all. Returns the columns used. */
unsigned cli_screen_put(FILE *stream, struct span text, unsigned columns);
/* The same, filled up with blanks. */
void cli_screen_put_cell(FILE *stream, struct span text, unsigned columns);

/* Escapes and prints the text in lines of at most width columns (0: one line), each behind indent
   blanks, broken between words. */
void cli_screen_put_block(FILE *stream, struct span text, unsigned indent, unsigned width);

#define CLI_SCREEN_SIZE_MAX 16
/* "812", "4.0K", "1.2M". Returns out. */
const char *cli_screen_size(uint64_t bytes, char out[CLI_SCREEN_SIZE_MAX]);

/* The text under the key; empty when there is none. */
struct span cli_json_get(const json_t *object, const char *key);
/* The number under the key, or 0. */
uint64_t cli_json_number(const json_t *object, const char *key);
/* The time under the key in wall milliseconds, or 0. */
int64_t cli_json_time(const json_t *object, const char *key);

/* "2026-11-21T03:24:31Z". False for anything else. */
bool cli_time_parse(struct span text, int64_t *wall_ms_out);
/* "90s", "5m", "1h30m", "7d": numbers with s, m, h or d. False for anything else, for nothing,
   and for more than a hundred years. */
bool cli_duration_parse(struct span text, int64_t *seconds_out);

#endif
