/* SPDX-License-Identifier: MIT */

/*
 * Runs scenarios (see scenario.h) against the pure machines: in step with the dialogue, whole,
 * bytewise and in pieces that are the same at each run. Replies, events and what the observer
 * sees must be those of the file, and the same however the bytes came.
 *
 *  *      runner FILE...
 */

#include "base/base64.h"
#include "base/escape.h"
#include "base/memory.h"
#include "dialogues/owner.h"
#include "smtp/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mode {
	MODE_IN_STEP, /* a line of the client's, then the replies to it */
	MODE_WHOLE,   /* all that can be sent without waiting, at once */
	MODE_BYTEWISE,
	MODE_PIECES, /* cut by chance, with a fixed seed */
};

static const struct run {
	const char *name;
	enum mode mode;
	unsigned seed;
	bool answers_late;
} runs[] = {
	{ "in step", MODE_IN_STEP, 0, false },
	{ "in step, answered late", MODE_IN_STEP, 0, true },
	{ "whole", MODE_WHOLE, 0, false },
	{ "whole, answered late", MODE_WHOLE, 0, true },
	{ "bytewise", MODE_BYTEWISE, 0, false },
	{ "in pieces 1", MODE_PIECES, 1, true },
	{ "in pieces 2", MODE_PIECES, 2, false },
	{ "in pieces 3", MODE_PIECES, 3, true },
	{ "in pieces 4", MODE_PIECES, 4, false },
};

static void complain(const struct scenario *s, const struct run *run, unsigned line,
    const char *what, struct span wanted, struct span got)
{
	char wanted_text[700], got_text[700];

	fprintf(stderr, "%s:%u: (%s) %s\n\twanted: %s\n\tgot:    %s\n", s->path, line, run->name,
	    what, escape_to(wanted_text, sizeof(wanted_text), wanted),
	    escape_to(got_text, sizeof(got_text), got));
}

/* --- Feeding --- */

static unsigned next_random(unsigned *state)
{
	*state = *state * 1103515245u + 12345u;
	return *state >> 16 & 0x7fff;
}

static size_t piece_len(const struct run *run, size_t left, unsigned *state)
{
	unsigned random;

	if (run->mode == MODE_BYTEWISE)
		return 1;
	if (run->mode != MODE_PIECES)
		return left;
	random = next_random(state);
	random = 1 + (random & 3 ? random % 11 : random % 900);
	return random < left ? random : left;
}

static void feed(struct owner *o, const struct run *run, struct span bytes, unsigned *state)
{
	while (bytes.len > 0 && o->failure[0] == '\0') {
		size_t len = piece_len(run, bytes.len, state);

		owner_feed(o, span_head(bytes, len));
		bytes = span_skip(bytes, len);
	}
}

/* --- Comparing --- */

/* Takes the next line off *lines, without its end. A rest without end counts, too. */
static bool take_output_line(struct span *lines, struct span *line_out)
{
	size_t end = span_find_span(*lines, SPAN("\r\n"));

	if (lines->len == 0)
		return false;
	*line_out = span_head(*lines, end);
	*lines = span_skip(*lines, end < lines->len ? end + 2 : end);
	return true;
}

static bool lines_are_well_formed(
    const struct scenario *s, const struct run *run, struct span lines)
{
	struct span line;

	if (lines.len > 0 && !span_ends_with_nocase(lines, SPAN("\r\n"))) {
		complain(s, run, 0, "the output does not end in CRLF", SPAN(""), lines);
		return false;
	}
	while (take_output_line(&lines, &line)) {
		bool is_challenge = span_starts_with(line, SPAN("334 "));

		if (line.len + 2 > SMTP_REPLY_LINE_MAX && !is_challenge) {
			complain(s, run, 0, "a reply line is too long", SPAN(""), line);
			return false;
		}
		for (size_t i = 0; i < line.len; i++) {
			if (line.data[i] >= ' ' && line.data[i] <= '~')
				continue;
			complain(s, run, 0, "a reply is not printable", SPAN(""), line);
			return false;
		}
	}
	return true;
}

/* Compares the lines with all steps of a kind. */
static bool compare_lines(const struct scenario *s, const struct run *run, enum step_kind kind,
    struct span lines, bool (*take)(struct span *lines, struct span *line_out))
{
	struct span got;

	for (size_t i = 0; i < s->step_count; i++) {
		const struct step *step = &s->steps[i];

		if (step->kind != kind)
			continue;
		if (!take(&lines, &got)) {
			complain(
			    s, run, step->line, "nothing came", buf_span(&step->bytes), SPAN(""));
			return false;
		}
		if (!pattern_matches(buf_span(&step->bytes), got)) {
			complain(s, run, step->line, "differs", buf_span(&step->bytes), got);
			return false;
		}
	}
	if (!take(&lines, &got))
		return true;
	complain(s, run, 0, "more came than the scenario has", SPAN(""), got);
	return false;
}

static bool take_record_line(struct span *lines, struct span *line_out)
{
	return span_take_until(lines, '\n', line_out);
}

/* A scenario need not list them. */
static bool compare_record(
    const struct scenario *s, const struct run *run, enum step_kind kind, const struct buf *record)
{
	return !scenario_has(s, kind) ||
	       compare_lines(s, run, kind, buf_span(record), take_record_line);
}

static bool compare_quirks(const struct scenario *s, const struct run *run, const struct owner *o)
{
	struct buf got;
	bool same;

	buf_init(&got, 4096);
	for (unsigned i = 0; i < SMTP_QUIRK_COUNT; i++) {
		if (o->server.quirks[i])
			buf_printf(&got, "%s%s=%lu", got.len ? " " : "", smtp_quirk_name(i),
			    (unsigned long)o->server.quirks[i]);
	}
	buf_append_byte(&got, '\n');
	same = !s->has_quirks || span_equal(buf_span(&got), buf_span(&s->quirks));
	if (!same)
		complain(s, run, 0, "quirks", buf_span(&s->quirks), buf_span(&got));
	buf_fini(&got);
	return same;
}

static bool compare_missed(const struct scenario *s, const struct run *run, const struct owner *o)
{
	struct buf got;
	bool same;

	buf_init(&got, 4096);
	for (unsigned i = 0; i < SMTP_QUIRK_COUNT; i++) {
		if (o->server.quirks_missed & SMTP_QUIRK_BIT(i))
			buf_printf(&got, "%s%s", got.len ? " " : "", smtp_quirk_name(i));
	}
	buf_append_byte(&got, '\n');
	same = s->missed.len == 0 || span_equal(buf_span(&got), buf_span(&s->missed));
	if (!same)
		complain(s, run, 0, "missed quirks", buf_span(&s->missed), buf_span(&got));
	buf_fini(&got);
	return same;
}

/* Nothing that the observer saw holds a password, or the base64 of one. */
static bool observer_saw_no_secret(
    const struct scenario *s, const struct run *run, const struct owner *o)
{
	struct span users = buf_span(&s->users), line, name, password;
	struct span seen = buf_span(&o->observed);
	bool safe = true;
	struct buf encoded;

	buf_init(&encoded, 4096);
	while (span_take_until(&users, '\n', &line) && span_take_word(&line, &name) &&
	       span_take_word(&line, &password)) {
		buf_clear(&encoded);
		base64_encode(&encoded, password);
		if (span_find_span(seen, password) < seen.len ||
		    span_find_span(seen, buf_span(&encoded)) < seen.len) {
			complain(s, run, 0, "the observer saw a secret", SPAN(""), seen);
			safe = false;
		}
	}
	buf_fini(&encoded);
	return safe;
}

static bool compare_all(const struct scenario *s, const struct run *run, struct owner *o)
{
	if (o->failure[0] != '\0') {
		complain(
		    s, run, 0, "the machine misbehaved", SPAN(""), span_from_string(o->failure));
		return false;
	}
	return compare_lines(s, run, STEP_SERVER, buf_span(&o->sent), take_output_line) &&
	       lines_are_well_formed(s, run, buf_span(&o->sent)) &&
	       compare_record(s, run, STEP_EVENT, &o->events) &&
	       compare_record(s, run, STEP_OBSERVED, &o->observed) && compare_quirks(s, run, o) &&
	       compare_missed(s, run, o) && observer_saw_no_secret(s, run, o);
}

/* --- Running --- */

/* In step: the replies that stand before this step of the client's must have come, and no more. */
static bool replies_have_come(
    const struct scenario *s, const struct run *run, const struct owner *o, size_t step_index)
{
	struct span lines = buf_span(&o->sent), line = SPAN("");

	for (size_t i = 0; i < step_index; i++) {
		if (s->steps[i].kind == STEP_SERVER && !take_output_line(&lines, &line)) {
			complain(s, run, s->steps[i].line, "no reply came in time",
			    buf_span(&s->steps[i].bytes), SPAN(""));
			return false;
		}
	}
	if (lines.len == 0)
		return true;
	complain(s, run, s->steps[step_index].line, "a reply came too early", SPAN(""), lines);
	return false;
}

static bool flush_pending(
    struct owner *o, const struct run *run, struct buf *pending, unsigned *state)
{
	feed(o, run, buf_span(pending), state);
	buf_clear(pending);
	return o->failure[0] == '\0';
}

static bool play_step(const struct scenario *s, const struct run *run, struct owner *o, size_t i,
    struct buf *pending, unsigned *state)
{
	const struct step *step = &s->steps[i];
	bool in_step = run->mode == MODE_IN_STEP;

	switch (step->kind) {
	case STEP_CLIENT:
		if (in_step && pending->len == 0 && !replies_have_come(s, run, o, i))
			return false;
		return buf_append(pending, buf_span(&step->bytes));
	case STEP_SERVER:
		return !in_step || flush_pending(o, run, pending, state);
	case STEP_EVENT:
	case STEP_OBSERVED:
		return true;
	case STEP_ACTION:
		if (!flush_pending(o, run, pending, state) ||
		    (in_step && !replies_have_come(s, run, o, i)))
			return false;
		if (owner_act(o, buf_span(&step->bytes)))
			return true;
		complain(s, run, step->line, "the action is unknown or out of place",
		    buf_span(&step->bytes), SPAN(""));
		return false;
	}
	return false;
}

static bool play(const struct scenario *s, const struct run *run, struct owner *o)
{
	unsigned state = run->seed;
	struct buf pending;
	bool good = true;

	buf_init(&pending, 8 * 1024 * 1024);
	owner_begin(o);
	for (size_t i = 0; i < s->step_count && good; i++)
		good = play_step(s, run, o, i, &pending, &state);
	flush_pending(o, run, &pending, &state);
	buf_fini(&pending);
	return good || o->failure[0] != '\0';
}

/* The records of the first run, for comparison with the others. */
struct records {
	struct buf events, observed;
	bool set;
};

static bool compare_records(
    const struct scenario *s, const struct run *run, struct owner *o, struct records *first)
{
	if (!first->set) {
		buf_append(&first->events, buf_span(&o->events));
		buf_append(&first->observed, buf_span(&o->observed));
		first->set = true;
	}
	if (!span_equal(buf_span(&first->events), buf_span(&o->events))) {
		complain(s, run, 0, "events differ from those in step", buf_span(&first->events),
		    buf_span(&o->events));
		return false;
	}
	if (!span_equal(buf_span(&first->observed), buf_span(&o->observed))) {
		complain(s, run, 0, "the observer sees something else", buf_span(&first->observed),
		    buf_span(&o->observed));
		return false;
	}
	return true;
}

static bool run_once(const struct scenario *s, const struct run *run, struct records *first)
{
	struct owner *o = MEM_NEW(struct owner);
	bool good = owner_init(o, s, run->answers_late);

	good =
	    good && play(s, run, o) && compare_all(s, run, o) && compare_records(s, run, o, first);
	if (!good && getenv("VERBOSE"))
		fprintf(stderr, "--- sent\n%.*s--- events\n%.*s--- observed\n%.*s",
		    SPAN_ARG(buf_span(&o->sent)), SPAN_ARG(buf_span(&o->events)),
		    SPAN_ARG(buf_span(&o->observed)));
	owner_fini(o);
	mem_free(o);
	return good;
}

static bool run_scenario(const char *path)
{
	struct records first = { .set = false };
	struct scenario s;
	bool good = scenario_read(&s, path);

	buf_init(&first.events, 8 * 1024 * 1024);
	buf_init(&first.observed, 8 * 1024 * 1024);
	if (good && s.peer.len > 0 && !span_equal(buf_span(&s.peer), SPAN("server\n"))) {
		fprintf(stderr, "%s: only scenarios of the server are run here\n", path);
		good = false;
	}
	for (size_t i = 0; i < ARRAY_LEN(runs) && good; i++) {
		bool at_once = runs[i].mode == MODE_IN_STEP || runs[i].mode == MODE_WHOLE;

		if (at_once || s.together.len == 0)
			good = run_once(&s, &runs[i], &first);
	}
	buf_fini(&first.events);
	buf_fini(&first.observed);
	scenario_fini(&s);
	return good;
}

int main(int argc, char **argv)
{
	int failures = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: runner FILE...\n");
		return 2;
	}
	for (int i = 1; i < argc; i++)
		failures += !run_scenario(argv[i]);
	return failures ? 1 : 0;
}
