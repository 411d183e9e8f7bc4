/* SPDX-License-Identifier: MIT */
#include "config/lexer.h"

#include <string.h>

enum { NAME_MAX_LEN = 64 };

void config_lexer_init(
    struct config_lexer *lexer, struct config_reading *reading, const struct config_file *file)
{
	*lexer = (struct config_lexer){ .reading = reading, .file = file, .line = 1 };
	if (span_starts_with(file->text, SPAN("\xef\xbb\xbf"))) /* a byte order mark */
		lexer->position = 3;
}

struct config_place config_lexer_place(const struct config_lexer *lexer)
{
	return (struct config_place){
		.file = lexer->file,
		.line = lexer->line,
		.column = (unsigned)(lexer->position - lexer->line_start) + 1,
		.line_start = lexer->line_start,
	};
}

static bool at_end(const struct config_lexer *lexer)
{
	return lexer->position == lexer->file->text.len;
}

/* The next byte, or 0 at the end: a NUL in the file is told apart by at_end(). */
static char peek(const struct config_lexer *lexer)
{
	return at_end(lexer) ? '\0' : lexer->file->text.data[lexer->position];
}

static struct span rest(const struct config_lexer *lexer)
{
	return span_skip(lexer->file->text, lexer->position);
}

static void step(struct config_lexer *lexer)
{
	char c = lexer->file->text.data[lexer->position++];
	if (c == '\n') {
		lexer->line++;
		lexer->line_start = lexer->position;
	}
}

/* What is wrong inside a secret's value is said at its name, and without the value. */
static bool report_secret(struct config_lexer *lexer)
{
	if (lexer->secret)
		config_error(lexer->reading->report, lexer->secret->place,
		    "the value of \"%s\" is not well-formed", lexer->secret->text);
	return lexer->secret;
}

static void fail(struct config_lexer *lexer, struct config_place place, const char *sentence)
{
	if (!report_secret(lexer))
		config_error(lexer->reading->report, place, "%s", sentence);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_control(char c)
{
	return ((unsigned char)c < ' ' && !is_space(c)) || c == 0x7f;
}

static bool ends_word(const struct config_lexer *lexer)
{
	char c = peek(lexer);
	return at_end(lexer) || is_space(c) || c == ';' || c == '{' || c == '}';
}

static void skip_comment(struct config_lexer *lexer)
{
	while (!at_end(lexer) && peek(lexer) != '\n')
		step(lexer);
}

static void report_control(struct config_lexer *lexer)
{
	config_error(lexer->reading->report, config_lexer_place(lexer),
	    "the byte 0x%02x does not belong in a configuration",
	    (unsigned)(unsigned char)peek(lexer));
}

/* A lone comma between values, or one at the start of a word. */
static void skip_comma(struct config_lexer *lexer)
{
	fail(lexer, config_lexer_place(lexer),
	    "values are separated by blanks: leave out the comma");
	step(lexer);
}

static void skip_blanks(struct config_lexer *lexer)
{
	for (;;) {
		char c = peek(lexer);
		if (at_end(lexer))
			return;
		if (c == '#')
			skip_comment(lexer);
		else if (c == ',')
			skip_comma(lexer);
		else if (is_space(c))
			step(lexer);
		else if (is_control(c)) {
			report_control(lexer);
			step(lexer);
		} else
			return;
	}
}

/* ---- variables ---- */

static bool is_name_byte(char c, bool first)
{
	return byte_is_alpha(c) || c == '_' || (!first && byte_is_digit(c));
}

/* The name at the start of inside; false when it is none. */
static bool take_name(struct span *inside, struct span *name_out)
{
	size_t len = 0;
	while (len < inside->len && is_name_byte(inside->data[len], len == 0))
		len++;
	if (!len || len > NAME_MAX_LEN)
		return false;
	*name_out = span_head(*inside, len);
	*inside = span_skip(*inside, len);
	return true;
}

static void report_unset(struct config_lexer *lexer, struct config_place place, struct span name)
{
	if (!report_secret(lexer))
		config_error(lexer->reading->report, place,
		    "the variable %.*s is not set; ${%.*s:-text} would give a default",
		    SPAN_ARG(name), SPAN_ARG(name));
}

/* The text for what stands between "${" and "}". As in a shell, ":-" serves for an empty variable
   too. */
static bool expand(struct config_lexer *lexer, struct config_place place, struct span inside,
    struct span *text_out)
{
	struct span name, fallback = inside;
	bool named = take_name(&fallback, &name);
	bool has_fallback = named && span_starts_with(fallback, SPAN(":-"));
	if (!named || (fallback.len && !has_fallback) || span_find(inside, '$') < inside.len) {
		fail(lexer, place, "a variable is written ${NAME} or ${NAME:-text}");
		return false;
	}
	const struct config_source *source = lexer->reading->source;
	char key[NAME_MAX_LEN + 1] = "";
	memcpy(key, name.data, name.len);
	const char *value = source->variable ? source->variable(source->context, key) : NULL;
	if (!value && !has_fallback) {
		report_unset(lexer, place, name);
		return false;
	}
	bool use_fallback = has_fallback && (!value || !*value);
	*text_out = use_fallback ? span_skip(fallback, 2) : span_from_string(value);
	return true;
}

/* At "${". Appends what the variable gives. False when an error was reported. */
static bool take_variable(struct config_lexer *lexer, struct buf *text)
{
	struct config_place place = config_lexer_place(lexer);
	struct span inside = span_skip(rest(lexer), 2);
	inside.len = span_find(span_head(inside, span_find(inside, '\n')), '}');
	bool closed = inside.data + inside.len < lexer->file->text.data + lexer->file->text.len &&
		      inside.data[inside.len] == '}';
	lexer->position += 2 + inside.len + closed;
	if (!closed) {
		fail(lexer, place, "the variable is not closed: } is missing on this line");
		return false;
	}
	struct span value;
	if (!expand(lexer, place, inside, &value))
		return false;
	if (!buf_append(text, value)) {
		fail(lexer, place, "the value is longer than 4096 bytes");
		return false;
	}
	return true;
}

/* ---- words ---- */

static void skip_word(struct config_lexer *lexer)
{
	while (!ends_word(lexer))
		step(lexer);
}

static bool take_byte(struct config_lexer *lexer, struct buf *text)
{
	if (buf_append_byte(text, peek(lexer))) {
		step(lexer);
		return true;
	}
	fail(lexer, lexer->word.place, "the value is longer than 4096 bytes");
	skip_word(lexer);
	return false;
}

static bool at_variable(const struct config_lexer *lexer)
{
	return span_starts_with(rest(lexer), SPAN("${"));
}

static bool take_escape(struct config_lexer *lexer, struct buf *text)
{
	struct config_place place = config_lexer_place(lexer);
	step(lexer);
	char c = peek(lexer);
	if (at_end(lexer) || c == '\n')
		return true; /* the missing quote is the error to report */
	if (c != '"' && c != '\\' && c != '$') {
		fail(lexer, place, "only \\\" and \\\\ and \\$ are escapes; a backslash is \\\\");
		step(lexer);
		return false;
	}
	return take_byte(lexer, text);
}

/* Behind the opening quote. */
static bool take_quoted(struct config_lexer *lexer, struct buf *text)
{
	bool good = true;
	while (!at_end(lexer) && peek(lexer) != '\n' && peek(lexer) != '"') {
		bool taken;
		if (at_variable(lexer))
			taken = take_variable(lexer, text);
		else if (peek(lexer) == '\\')
			taken = take_escape(lexer, text);
		else
			taken = take_byte(lexer, text);
		good = good && taken;
	}
	if (peek(lexer) != '"') {
		fail(lexer, lexer->word.place, "the quote is not closed on this line");
		return false;
	}
	step(lexer);
	if (!ends_word(lexer)) {
		fail(lexer, config_lexer_place(lexer),
		    "a blank or ; is missing behind the closing quote");
		return false;
	}
	return good;
}

/* The next comma-less pieces around the comma where the lexer stands, for the suggestion. */
static void report_comma(struct config_lexer *lexer, const struct buf *text)
{
	if (report_secret(lexer))
		return;
	if (span_find_span(buf_span(text), SPAN("//")) < text->len) { /* may hold a password */
		fail(lexer, config_lexer_place(lexer),
		    "values are separated by blanks, not by a comma");
		return;
	}
	char before[CONFIG_SHOWN_MAX], after[CONFIG_SHOWN_MAX];
	struct span behind = span_skip(rest(lexer), 1);
	size_t len = 0;
	while (len < behind.len && !is_space(behind.data[len]) && behind.data[len] != ',' &&
	       behind.data[len] != ';')
		len++;
	config_error(lexer->reading->report, config_lexer_place(lexer),
	    "values are separated by blanks, not by a comma: write %s%s%s",
	    config_shown(buf_span(text), before), len ? " " : "",
	    config_shown(span_head(behind, len), after));
}

/* False when the word ends here for another reason than its end. */
static bool take_bare_byte(struct config_lexer *lexer, struct buf *text, bool *good)
{
	char c = peek(lexer);
	if (c == ',') {
		report_comma(lexer, text);
		step(lexer);
		return false;
	}
	if (c == '#' || c == '"') {
		fail(lexer, config_lexer_place(lexer),
		    c == '#' ? "a value with # stands in double quotes; a comment needs a blank "
			       "before it"
			     : "a quote opens at the start of a value only");
		*good = false;
		skip_word(lexer);
		return false;
	}
	*good = take_byte(lexer, text) && *good;
	return true;
}

static bool take_bare(struct config_lexer *lexer, struct buf *text)
{
	bool good = true;
	while (!ends_word(lexer)) {
		if (at_variable(lexer))
			good = take_variable(lexer, text) && good;
		else if (!take_bare_byte(lexer, text, &good))
			break;
	}
	return good;
}

static bool check_word(struct config_lexer *lexer, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.data[i] >= ' ' && text.data[i] != 0x7f)
			continue;
		fail(lexer, lexer->word.place, "the value contains a control character");
		return false;
	}
	return true;
}

static enum config_token take_word(struct config_lexer *lexer)
{
	struct buf text;
	buf_init(&text, CONFIG_WORD_MAX);
	lexer->word = (struct config_word){ .place = config_lexer_place(lexer) };
	lexer->word.quoted = peek(lexer) == '"';
	bool good;
	if (lexer->word.quoted) {
		step(lexer);
		good = take_quoted(lexer, &text);
	} else {
		good = take_bare(lexer, &text);
	}
	lexer->word.broken = !good || !check_word(lexer, buf_span(&text));
	lexer->word.end = config_lexer_place(lexer);
	lexer->word.text = config_arena_copy(lexer->reading->arena, buf_span(&text));
	buf_fini(&text);
	return CONFIG_TOKEN_WORD;
}

enum config_token config_lexer_next(struct config_lexer *lexer)
{
	skip_blanks(lexer);
	lexer->token = config_lexer_place(lexer);
	if (at_end(lexer))
		return CONFIG_TOKEN_END;
	switch (peek(lexer)) {
	case ';':
		step(lexer);
		return CONFIG_TOKEN_SEMICOLON;
	case '{':
		step(lexer);
		return CONFIG_TOKEN_OPEN;
	case '}':
		step(lexer);
		return CONFIG_TOKEN_CLOSE;
	default:
		return take_word(lexer);
	}
}
