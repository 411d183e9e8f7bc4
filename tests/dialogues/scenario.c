/* SPDX-License-Identifier: MIT */
#include "dialogues/scenario.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 4 * 1024 * 1024, STEPS_MAX = 100000, REPEAT_MAX = 2000000 };

bool pattern_matches(struct span pattern, struct span text)
{
	size_t star = span_find(pattern, '*');
	struct span rest;

	if (star == pattern.len)
		return span_equal(pattern, text);
	if (!span_starts_with(text, span_head(pattern, star)))
		return false;
	rest = span_skip(pattern, star + 1);
	for (size_t skip = star; skip <= text.len; skip++) {
		if (pattern_matches(rest, span_skip(text, skip)))
			return true;
	}
	return false;
}

static int hex_value(char c)
{
	c = byte_to_lower(c);
	if (byte_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* {A*3000}, behind the backslash. */
static bool append_repeated(struct buf *b, struct span *text)
{
	size_t end = span_find(*text, '}');
	struct span inner = span_head(*text, end), unit;
	uint64_t count;

	if (end == text->len)
		return false;
	inner = span_skip(inner, 1);
	if (!span_take_until(&inner, '*', &unit) || !span_to_u64(inner, &count) ||
	    count > REPEAT_MAX)
		return false;
	for (uint64_t i = 0; i < count; i++)
		buf_append(b, unit);
	*text = span_skip(*text, end + 1);
	return true;
}

/* *text begins behind the backslash. */
static bool append_escape(struct buf *b, struct span *text)
{
	static const char letters[] = "rnt\\", bytes[] = "\r\n\t\\";
	const char *letter;
	int high, low;

	if (text->len == 0)
		return false;
	if (text->data[0] == '{')
		return append_repeated(b, text);
	letter = memchr(letters, text->data[0], 4);
	if (letter) {
		buf_append_byte(b, bytes[letter - letters]);
		*text = span_skip(*text, 1);
		return true;
	}
	if (text->data[0] != 'x' || text->len < 3)
		return false;
	high = hex_value(text->data[1]);
	low = hex_value(text->data[2]);
	buf_append_byte(b, (char)(high * 16 + low));
	*text = span_skip(*text, 3);
	return high >= 0 && low >= 0;
}

static bool append_text(struct buf *b, struct span text)
{
	while (text.len > 0) {
		char c = text.data[0];

		text = span_skip(text, 1);
		if (c != '\\')
			buf_append_byte(b, c);
		else if (!append_escape(b, &text))
			return false;
	}
	return true;
}

static bool add_step(
    struct scenario *s, enum step_kind kind, unsigned line, struct span text, bool add_crlf)
{
	struct step *step;

	if (s->step_count == STEPS_MAX)
		return false;
	s->steps = mem_realloc(s->steps, (s->step_count + 1) * sizeof(*s->steps));
	step = &s->steps[s->step_count++];
	step->kind = kind;
	step->line = line;
	buf_init(&step->bytes, TEXT_MAX);
	if (kind == STEP_CLIENT && !append_text(&step->bytes, text))
		return false;
	if (kind != STEP_CLIENT && !buf_append(&step->bytes, text))
		return false;
	return !add_crlf || buf_append(&step->bytes, SPAN("\r\n"));
}

/* Takes "C" or "C*20" off the line, with the mark and one blank behind it. */
static bool take_mark(struct span *line, char who, char mark, uint64_t *count_out)
{
	struct span rest = *line, digits;
	size_t at;

	if (rest.len < 2 || rest.data[0] != who)
		return false;
	rest = span_skip(rest, 1);
	at = span_find(rest, mark);
	digits = span_head(rest, at);
	*count_out = 1;
	if (at == rest.len ||
	    (digits.len > 0 &&
		(digits.data[0] != '*' || !span_to_u64(span_skip(digits, 1), count_out))))
		return false;
	rest = span_skip(rest, at + 1);
	*line = rest.len > 0 && rest.data[0] == ' ' ? span_skip(rest, 1) : rest;
	return true;
}

static const struct step_mark {
	char who, mark;
	enum step_kind kind;
	bool add_crlf;
} step_marks[] = {
	{ 'C', ':', STEP_CLIENT, true },
	{ 'C', '~', STEP_CLIENT, false },
	{ 'S', ':', STEP_SERVER, false },
	{ 'E', ':', STEP_EVENT, false },
	{ 'O', ':', STEP_OBSERVED, false },
};

static bool read_step(struct scenario *s, struct span line, unsigned number)
{
	uint64_t count;

	if (span_starts_with(line, SPAN("! ")))
		return add_step(s, STEP_ACTION, number, span_skip(line, 2), false);
	for (size_t i = 0; i < ARRAY_LEN(step_marks); i++) {
		if (!take_mark(&line, step_marks[i].who, step_marks[i].mark, &count))
			continue;
		while (count-- > 0) {
			if (!add_step(s, step_marks[i].kind, number, line, step_marks[i].add_crlf))
				return false;
		}
		return true;
	}
	return false;
}

static bool read_header(struct scenario *s, struct span line)
{
	const struct {
		struct span name;
		struct buf *text;
	} headers[] = {
		{ SPAN("peer:"), &s->peer },
		{ SPAN("settings:"), &s->settings },
		{ SPAN("user:"), &s->users },
		{ SPAN("answer:"), &s->answers },
		{ SPAN("Q:"), &s->quirks },
		{ SPAN("missed:"), &s->missed },
		{ SPAN("together:"), &s->together },
	};

	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		if (!span_starts_with(line, headers[i].name))
			continue;
		s->has_quirks = s->has_quirks || headers[i].text == &s->quirks;
		line = span_trim(span_skip(line, headers[i].name.len));
		return buf_append(headers[i].text, line) && buf_append(headers[i].text, SPAN("\n"));
	}
	return false;
}

static bool read_file(struct buf *b, const char *path)
{
	FILE *file = fopen(path, "re");
	char piece[4096];
	size_t len;

	if (!file)
		return false;
	while ((len = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_append(b, span_of(piece, len));
	fclose(file);
	return true;
}

bool scenario_read(struct scenario *s, const char *path)
{
	struct span rest, line;
	struct buf file;
	unsigned number = 0;
	bool good = true;

	*s = (struct scenario){ .path = path };
	buf_init(&s->peer, 100);
	buf_init(&s->settings, 4096);
	buf_init(&s->users, 4096);
	buf_init(&s->answers, 4096);
	buf_init(&s->quirks, 4096);
	buf_init(&s->missed, 4096);
	buf_init(&s->together, 100);
	buf_init(&file, TEXT_MAX);
	if (!read_file(&file, path)) {
		fprintf(stderr, "%s: cannot be read\n", path);
		good = false;
	}
	rest = buf_span(&file);
	while (good && span_take_until(&rest, '\n', &line)) {
		number++;
		if (line.len == 0 || line.data[0] == '#' || read_header(s, line) ||
		    read_step(s, line, number))
			continue;
		fprintf(stderr, "%s:%u: not a line of a scenario\n", path, number);
		good = false;
	}
	buf_fini(&file);
	return good;
}

void scenario_fini(struct scenario *s)
{
	for (size_t i = 0; i < s->step_count; i++)
		buf_fini(&s->steps[i].bytes);
	mem_free(s->steps);
	buf_fini(&s->peer);
	buf_fini(&s->settings);
	buf_fini(&s->users);
	buf_fini(&s->answers);
	buf_fini(&s->quirks);
	buf_fini(&s->missed);
	buf_fini(&s->together);
	*s = (struct scenario){ 0 };
}

bool scenario_has(const struct scenario *s, enum step_kind kind)
{
	for (size_t i = 0; i < s->step_count; i++) {
		if (s->steps[i].kind == kind)
			return true;
	}
	return false;
}
