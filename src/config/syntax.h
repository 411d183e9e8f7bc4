/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_SYNTAX_H
#define FRANK_CONFIG_SYNTAX_H

/*
 * From files to a tree of directives: "name value …;" and "name [label …] { … }". An include is
 * replaced by what the file holds. What a directive means is not known here.
 */

#include "config/lexer.h"

struct config_statement {
	struct config_word name;
	struct config_word *words; /* values or labels */
	size_t word_count;
	bool is_block;
	bool broken; /* an error in it was reported: say no more about it */
	struct config_statement **children;
	size_t child_count;
};

/* The tree: a block without a name. Errors are in the report; what could be understood is in the
   tree nevertheless. */
struct config_statement *config_syntax_read(struct config_reading *reading, const char *path);

#define CONFIG_PATH_MAX 1024 /* bytes of a path in a value, made absolute */

/* A relative path starts at the directory of the file that names it. */
const char *config_path_resolve(struct config_arena *arena, const char *file, const char *path);

#endif
