/* SPDX-License-Identifier: MIT */
#include "config/syntax.h"

#include <string.h>

enum {
	NESTING_MAX = 8,
	INCLUDE_DEPTH_MAX = 16,
	FILES_MAX = 100,
	DIRECTIVES_MAX = 10000,
	VALUES_MAX = 1000,
	PATHS_MAX = 65536
};

/* One file being read, inside those that include it. */
struct parser {
	struct config_reading *reading;
	struct config_lexer lexer;
	const struct parser *outer;
	unsigned depth; /* of includes */
};

enum ending { ENDING_STATEMENT, ENDING_BLOCK, ENDING_FILE };

static enum ending parse_statements(
    struct parser *p, struct config_statement *block, unsigned nesting);
static void read_file(struct config_reading *reading, const char *path,
    const struct config_place *from, const struct parser *outer, struct config_statement *block,
    unsigned nesting);

const char *config_path_resolve(struct config_arena *arena, const char *file, const char *path)
{
	const char *slash = file ? strrchr(file, '/') : NULL;
	if (path[0] == '/' || !slash)
		return config_arena_copy(arena, span_from_string(path));
	return config_arena_format(arena, "%.*s/%s", (int)(slash - file), file, path);
}

static void stop(struct parser *p, struct config_place place, const char *sentence)
{
	if (!p->reading->stopped)
		config_error(p->reading->report, place, "%s", sentence);
	p->reading->stopped = true;
}

/* ---- include ---- */

static void include_path(struct parser *p, const struct config_word *word, const char *path,
    struct config_statement *block, unsigned nesting)
{
	char shown[CONFIG_SHOWN_MAX];
	config_shown(span_from_string(path), shown);
	for (const struct parser *each = p; each; each = each->outer) {
		if (strcmp(each->lexer.file->path, path) != 0)
			continue;
		config_error(p->reading->report, word->place,
		    "%s is being read already: it includes itself", shown);
		return;
	}
	if (p->depth == INCLUDE_DEPTH_MAX) {
		config_error(p->reading->report, word->place, "includes are more than %d deep",
		    INCLUDE_DEPTH_MAX);
		return;
	}
	read_file(p->reading, path, &word->place, p, block, nesting);
}

static void include_pattern(struct parser *p, const struct config_word *word, const char *pattern,
    struct config_statement *block, unsigned nesting)
{
	const struct config_source *source = p->reading->source;
	struct fault fault = { 0 };
	struct buf paths;
	buf_init(&paths, PATHS_MAX);
	if (!source->list_files) {
		config_error(p->reading->report, word->place, "a pattern cannot be included here");
	} else if (!source->list_files(source->context, pattern, &paths, &fault)) {
		config_error(
		    p->reading->report, word->place, "the pattern cannot be used: %s", fault.text);
	}
	struct span left = buf_span(&paths), path;
	while (span_take_until(&left, '\0', &path))
		include_path(p, word, config_arena_copy(p->reading->arena, path), block, nesting);
	buf_fini(&paths);
}

static void include(struct parser *p, const struct config_statement *statement,
    struct config_statement *block, unsigned nesting)
{
	if (!statement->word_count || statement->is_block) {
		config_error(p->reading->report, statement->name.place,
		    "include takes paths: include conf.d/*.conf;");
		return;
	}
	for (size_t i = 0; i < statement->word_count && !p->reading->stopped; i++) {
		const struct config_word *word = &statement->words[i];
		if (word->broken)
			continue;
		const char *path =
		    config_path_resolve(p->reading->arena, p->lexer.file->path, word->text);
		if (strpbrk(word->text, "*?["))
			include_pattern(p, word, path, block, nesting);
		else
			include_path(p, word, path, block, nesting);
	}
}

/* ---- one directive ---- */

static void check_name(struct parser *p, struct config_statement *statement)
{
	const struct config_word *name = &statement->name;
	bool good = !name->quoted && !name->broken && byte_is_alpha(name->text[0]);
	for (const char *c = name->text; good && *c; c++)
		good = byte_is_alpha(*c) || byte_is_digit(*c) || *c == '-' || *c == '_';
	statement->broken = !good;
	if (good || name->broken)
		return;
	config_error(p->reading->report, name->place, "the name of a directive is expected here");
}

static void add_word(struct parser *p, struct config_statement *statement)
{
	const struct config_word *word = &p->lexer.word;
	if (!statement->word_count && !word->quoted && !strcmp(word->text, "=")) {
		config_error(p->reading->report, word->place,
		    "a blank stands between name and value, not =");
		return;
	}
	statement->broken = statement->broken || word->broken;
	if (statement->word_count == VALUES_MAX) {
		stop(p, word->place, "a directive has more than 1000 values");
		return;
	}
	statement->words = config_arena_grow(
	    p->reading->arena, statement->words, statement->word_count, sizeof(*word));
	statement->words[statement->word_count++] = *word;
}

static void report_missing_semicolon(
    struct parser *p, struct config_statement *statement, const char *before)
{
	const struct config_word *last =
	    statement->word_count ? &statement->words[statement->word_count - 1] : &statement->name;
	config_error(p->reading->report, last->end, "a ; is missing here, before the %s", before);
	statement->broken = true;
}

/* Behind a "{" that cannot be read: goes on behind its "}", however deep it is. */
static void skip_block(struct parser *p)
{
	for (size_t open = 1; open;) {
		switch (config_lexer_next(&p->lexer)) {
		case CONFIG_TOKEN_OPEN:
			open++;
			break;
		case CONFIG_TOKEN_CLOSE:
			open--;
			break;
		case CONFIG_TOKEN_END:
			return;
		case CONFIG_TOKEN_WORD:
		case CONFIG_TOKEN_SEMICOLON:
			break;
		}
	}
}

static void parse_block(struct parser *p, struct config_statement *statement, unsigned nesting)
{
	struct config_place open = p->lexer.token;
	char shown[CONFIG_SHOWN_MAX];
	statement->is_block = true;
	p->lexer.secret = NULL;
	if (nesting == NESTING_MAX) {
		config_error(p->reading->report, open, "blocks are more than %d deep", NESTING_MAX);
		statement->broken = true;
		skip_block(p);
		return;
	}
	if (parse_statements(p, statement, nesting + 1) == ENDING_FILE && !p->reading->stopped) {
		config_error(p->reading->report, open,
		    "the block \"%s\" is not closed: the file ends without its }",
		    config_shown(span_from_string(statement->name.text), shown));
		statement->broken = true;
	}
}

/* Behind the name: values up to the ";" or the end of the block. */
static enum ending parse_rest(
    struct parser *p, struct config_statement *statement, unsigned nesting)
{
	for (;;) {
		switch (config_lexer_next(&p->lexer)) {
		case CONFIG_TOKEN_WORD:
			add_word(p, statement);
			break;
		case CONFIG_TOKEN_SEMICOLON:
			return ENDING_STATEMENT;
		case CONFIG_TOKEN_OPEN:
			parse_block(p, statement, nesting);
			return ENDING_STATEMENT;
		case CONFIG_TOKEN_CLOSE:
			report_missing_semicolon(p, statement, "}");
			return ENDING_BLOCK;
		case CONFIG_TOKEN_END:
			report_missing_semicolon(p, statement, "end of the file");
			return ENDING_FILE;
		}
	}
}

static void add_statement(
    struct parser *p, struct config_statement *block, struct config_statement *statement)
{
	block->children = config_arena_grow(
	    p->reading->arena, block->children, block->child_count, sizeof(*block->children));
	block->children[block->child_count++] = statement;
}

static enum ending parse_statement(
    struct parser *p, struct config_statement *block, unsigned nesting)
{
	if (++p->reading->directive_count > DIRECTIVES_MAX) {
		stop(p, p->lexer.token, "there are more than 10000 directives");
		return ENDING_FILE;
	}
	struct config_statement *statement =
	    config_arena_alloc(p->reading->arena, sizeof(*statement));
	statement->name = p->lexer.word;
	check_name(p, statement);
	if (config_name_is_secret(span_from_string(statement->name.text)))
		p->lexer.secret = &statement->name;
	enum ending ending = parse_rest(p, statement, nesting);
	p->lexer.secret = NULL;
	if (!statement->broken && !strcmp(statement->name.text, "include"))
		include(p, statement, block, nesting);
	else
		add_statement(p, block, statement);
	return ending;
}

/* ---- a file ---- */

static void report_stray(struct parser *p, const char *sentence)
{
	config_error(p->reading->report, p->lexer.token, "%s", sentence);
}

static enum ending parse_statements(
    struct parser *p, struct config_statement *block, unsigned nesting)
{
	while (!p->reading->stopped) {
		enum ending ending = ENDING_STATEMENT;
		switch (config_lexer_next(&p->lexer)) {
		case CONFIG_TOKEN_WORD:
			ending = parse_statement(p, block, nesting);
			break;
		case CONFIG_TOKEN_SEMICOLON:
			report_stray(p, "this ; ends nothing; none stands behind a }");
			break;
		case CONFIG_TOKEN_OPEN:
			report_stray(p, "a block needs a name before its {");
			skip_block(p);
			break;
		case CONFIG_TOKEN_CLOSE:
			return ENDING_BLOCK;
		case CONFIG_TOKEN_END:
			return ENDING_FILE;
		}
		if (ending != ENDING_STATEMENT)
			return ending;
	}
	return ENDING_FILE;
}

static void report_unreadable(struct config_reading *reading, const char *path,
    const struct config_place *from, const char *why)
{
	char shown[CONFIG_SHOWN_MAX];
	struct config_file *file = config_arena_alloc(reading->arena, sizeof(*file));
	file->path = path;
	if (from)
		config_error(reading->report, *from, "%s cannot be read: %s",
		    config_shown(span_from_string(path), shown), why);
	else
		config_error(reading->report, (struct config_place){ .file = file },
		    "it cannot be read: %s", why);
}

static const struct config_file *load_file(
    struct config_reading *reading, const char *path, const struct config_place *from)
{
	struct fault fault = { 0 };
	struct buf text;
	buf_init(&text, CONFIG_FILE_MAX);
	struct config_file *file = NULL;
	if (reading->source->read_file(reading->source->context, path, &text, &fault)) {
		file = config_arena_alloc(reading->arena, sizeof(*file));
		file->path = path;
		file->number = reading->file_count;
		file->text = span_of(config_arena_copy(reading->arena, buf_span(&text)), text.len);
	} else {
		report_unreadable(reading, path, from, fault.text);
	}
	buf_fini(&text);
	return file;
}

static void read_file(struct config_reading *reading, const char *path,
    const struct config_place *from, const struct parser *outer, struct config_statement *block,
    unsigned nesting)
{
	if (reading->file_count++ == FILES_MAX) {
		if (!reading->stopped)
			config_error(
			    reading->report, *from, "more than %d files are included", FILES_MAX);
		reading->stopped = true;
		return;
	}
	const struct config_file *file = load_file(reading, path, from);
	if (!file)
		return;
	struct parser p = {
		.reading = reading, .outer = outer, .depth = outer ? outer->depth + 1 : 0
	};
	config_lexer_init(&p.lexer, reading, file);
	while (parse_statements(&p, block, nesting) == ENDING_BLOCK)
		report_stray(&p, "this } closes nothing");
}

struct config_statement *config_syntax_read(struct config_reading *reading, const char *path)
{
	struct config_statement *root = config_arena_alloc(reading->arena, sizeof(*root));
	struct config_file *file = config_arena_alloc(reading->arena, sizeof(*file));
	file->path = config_arena_copy(reading->arena, span_from_string(path));
	root->name = (struct config_word){ .text = "", .place.file = file };
	read_file(reading, file->path, NULL, NULL, root, 0);
	return root;
}
