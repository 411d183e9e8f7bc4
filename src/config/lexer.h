/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_LEXER_H
#define FRANK_CONFIG_LEXER_H

/*
 * From the text of one file to words, ";", "{" and "}". A value that contains a blank, ";", "{",
 * "}" or "#" stands in double quotes, where \" and \\ and \$ are escapes. ${VAR} and ${VAR:-text}
 * are replaced inside a word, and what they give is never read again: it stays one word. Errors are
 * reported here and the lexer goes on behind them.
 */

#include "config/arena.h"
#include "config/problem.h"

#define CONFIG_WORD_MAX 4096

/* What all files of one run share. */
struct config_reading {
	const struct config_source *source;
	struct config_report *report;
	struct config_arena *arena; /* lives until the configuration is built */
	unsigned file_count;
	size_t directive_count;
	bool stopped; /* a limit was passed: nothing more is read */
};

struct config_word {
	const char *text;               /* unquoted and expanded; holds no control character */
	struct config_place place, end; /* its first byte, and behind its last */
	bool quoted;
	bool broken; /* an error in it was reported: say no more about it */
};

enum config_token {
	CONFIG_TOKEN_WORD, /* lexer->word is set */
	CONFIG_TOKEN_SEMICOLON,
	CONFIG_TOKEN_OPEN,
	CONFIG_TOKEN_CLOSE,
	CONFIG_TOKEN_END, /* end of the file, again and again */
};

struct config_lexer {
	struct config_reading *reading;
	const struct config_file *file;
	size_t position;
	unsigned line;
	size_t line_start;
	struct config_place token; /* where the last token begins */
	struct config_word word;
	const struct config_word *secret; /* the name whose values must not be shown, or NULL */
};

void config_lexer_init(
    struct config_lexer *lexer, struct config_reading *reading, const struct config_file *file);
enum config_token config_lexer_next(struct config_lexer *lexer);

/* Where the lexer stands. */
struct config_place config_lexer_place(const struct config_lexer *lexer);

#endif
