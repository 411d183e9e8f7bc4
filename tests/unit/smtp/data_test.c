/* SPDX-License-Identifier: MIT */
#include "smtp/data.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum outcome {
	ENDS, /* content is what was meant, rest stays */
	WAITS,
	BARE_LF, /* after the content */
	BARE_CR,
};

static const struct read_case {
	const char *name, *input;
	enum outcome want;
	const char *content, *rest;
	uint64_t line;
} read_cases[] = {
	{ "an empty message", ".\r\n", ENDS, "", "" },
	{ "a line", "a\r\n.\r\n", ENDS, "a\r\n", "" },
	{ "what follows stays", "a\r\n.\r\nQUIT\r\n", ENDS, "a\r\n", "QUIT\r\n" },
	{ "a stuffed dot", "..\r\n.\r\n", ENDS, ".\r\n", "" },
	{ "a dot that was not stuffed", ".a\r\n.\r\n", ENDS, "a\r\n", "" },
	{ "dots inside lines", "a.\r\nb.c\r\n.\r\n", ENDS, "a.\r\nb.c\r\n", "" },
	{ "empty lines", "\r\n\r\n.\r\n", ENDS, "\r\n\r\n", "" },
	{ "a dot and a blank", ". \r\n.\r\n", ENDS, " \r\n", "" },
	{ "no end", "abc\r\n", WAITS, "abc\r\n", "" },
	{ "a half line", "abc", WAITS, "abc", "" },
	{ "a CR waits", "abc\r", WAITS, "abc", "\r" },
	{ "a dot waits", "abc\r\n.", WAITS, "abc\r\n", "." },
	{ "a dot and a CR wait", "abc\r\n.\r", WAITS, "abc\r\n", ".\r" },
	{ "LF alone", "a\nb", BARE_LF, "a", "\nb", 1 },
	{ "LF first", "\n", BARE_LF, "", "\n", 1 },
	{ "LF in the third line", "a\r\nb\r\nc\n", BARE_LF, "a\r\nb\r\nc", "\n", 3 },
	{ "CR alone", "a\rb", BARE_CR, "a", "\rb", 1 },
	{ "CR CR LF", "a\r\r\n", BARE_CR, "a", "\r\r\n", 1 },
	{ "a CR before an LF far away", "a\rbc\r\n", BARE_CR, "a", "\rbc\r\n", 1 },
	{ "LF . LF", "a\n.\nb", BARE_LF, "a", "\n.\nb", 1 },
	{ "LF . CR LF", "a\n.\r\nb", BARE_LF, "a", "\n.\r\nb", 1 },
	{ "CR . CR", "a\r.\rb", BARE_CR, "a", "\r.\rb", 1 },
	{ "CR LF . LF", "a\r\n.\nb", BARE_LF, "a\r\n", "\nb", 2 },
	{ "CR LF . CR", "a\r\n.\rb", BARE_CR, "a\r\n", "\rb", 2 },
	{ "CR LF . CR CR LF", "a\r\n.\r\r\n", BARE_CR, "a\r\n", "\r\r\n", 2 },
};

/* Feeds the input in pieces of piece_len, each in memory of its own size, as the owner of a machine
   does: what was not taken comes again in front of the next piece. */
struct feeder {
	struct smtp_data_reader reader;
	struct buf input, content;
	enum smtp_data_result last;
};

static void read_available(struct feeder *f)
{
	do {
		size_t len = f->input.len;
		char *copy = malloc(len ? len : 1);
		struct span rest, content = SPAN("");

		memcpy(copy, buf_span(&f->input).data, len);
		rest = span_of(copy, len);
		f->last = smtp_data_read(&f->reader, &rest, &content);
		if (f->last == SMTP_DATA_CONTENT) {
			assert_true(content.len > 0);
			buf_append(&f->content, content);
		}
		buf_consume(&f->input, len - rest.len);
		free(copy);
	} while (f->last == SMTP_DATA_CONTENT);
}

static void read_in_pieces(struct feeder *f, struct span input, size_t piece_len)
{
	smtp_data_reader_init(&f->reader);
	buf_init(&f->input, 1000);
	buf_init(&f->content, 1000);
	f->last = SMTP_DATA_NEED_MORE;
	while (input.len > 0 && f->last == SMTP_DATA_NEED_MORE) {
		size_t len = piece_len < input.len ? piece_len : input.len;

		buf_append(&f->input, span_head(input, len));
		input = span_skip(input, len);
		read_available(f);
		if (f->last == SMTP_DATA_NEED_MORE)
			assert_true(f->input.len <= 3);
	}
	buf_append(&f->input, input);
}

static void assert_text(struct span got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.data, want, got.len);
}

static void only_crlf_dot_crlf_ends_content_in_pieces_of_any_length(void **state)
{
	static const enum smtp_data_result results[] = { [ENDS] = SMTP_DATA_END,
		[WAITS] = SMTP_DATA_NEED_MORE,
		[BARE_LF] = SMTP_DATA_BARE_LF,
		[BARE_CR] = SMTP_DATA_BARE_CR };

	for (size_t i = 0; i < ARRAY_LEN(read_cases); i++) {
		const struct read_case *c = &read_cases[i];
		struct span input = span_from_string(c->input);

		for (size_t piece_len = 1; piece_len <= input.len; piece_len++) {
			struct feeder f;

			print_message("%s, in pieces of %zu\n", c->name, piece_len);
			read_in_pieces(&f, input, piece_len);
			assert_int_equal(f.last, results[c->want]);
			assert_text(buf_span(&f.content), c->content);
			assert_text(buf_span(&f.input), c->rest);
			assert_int_equal(f.reader.octets, strlen(c->content));
			if (c->line)
				assert_int_equal(f.reader.line, c->line);
			buf_fini(&f.input);
			buf_fini(&f.content);
		}
	}
}

/* With many clean lines before: the end is found where whole blocks are skipped, too. */
static void what_follows_long_content_is_found(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(read_cases); i++) {
		const struct read_case *c = &read_cases[i];

		for (size_t lines = 60; lines < 75; lines++) {
			struct feeder f;
			struct buf input;

			buf_init(&input, 1000);
			for (size_t k = 0; k < lines; k++)
				buf_append(&input, SPAN("12345\r\n"));
			buf_append_string(&input, c->input);
			print_message("%s, after %zu lines\n", c->name, lines);
			read_in_pieces(&f, buf_span(&input), lines % 2 ? 1000 : 97);
			assert_int_equal(f.content.len, 7 * lines + strlen(c->content));
			assert_text(span_skip(buf_span(&f.content), 7 * lines), c->content);
			assert_text(buf_span(&f.input), c->rest);
			if (c->line)
				assert_int_equal(f.reader.line, lines + c->line);
			buf_fini(&f.input);
			buf_fini(&f.content);
			buf_fini(&input);
		}
	}
}

static void content_comes_in_one_piece_where_nothing_stands_between(void **state)
{
	struct span input = SPAN("one\r\ntwo\r\nthree\r\n..four\r\n.\r\n"), content;
	struct smtp_data_reader reader;

	smtp_data_reader_init(&reader);
	assert_int_equal(smtp_data_read(&reader, &input, &content), SMTP_DATA_CONTENT);
	assert_text(content, "one\r\ntwo\r\nthree\r\n");
	assert_int_equal(smtp_data_read(&reader, &input, &content), SMTP_DATA_CONTENT);
	assert_text(content, ".four\r\n");
	assert_int_equal(smtp_data_read(&reader, &input, &content), SMTP_DATA_END);
}

static const struct discard_case {
	const char *input;
	bool want;
	const char *rest;
} discard_cases[] = {
	{ "\nx\r\n.\r\nQUIT\r\n", true, "QUIT\r\n" },
	{ "\n.\r\nx\r\n.\r\n", true, "" },
	{ "\n.\nx\r\n..\r\n.x\r\n.\r\n", true, "" },
	{ "\r.\r\n", false, "" },
	{ "\nx\r\n.\r", false, ".\r" },
	{ "\nx\r\n.", false, "." },
	{ "\nx\r", false, "\r" },
	{ "\nx\r\n.\n\r\n.\r\ny", true, "y" },
	{ "\nx\r\n.\r\r\n.\r\ny", true, "y" },
};

/* A reader that stands behind "a", in the middle of a line. */
static void reader_after_a(struct smtp_data_reader *reader)
{
	struct span input = SPAN("a"), content;

	smtp_data_reader_init(reader);
	assert_int_equal(smtp_data_read(reader, &input, &content), SMTP_DATA_CONTENT);
}

static void discarding_ends_where_the_message_does(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(discard_cases); i++) {
		const struct discard_case *c = &discard_cases[i];
		struct span whole = span_from_string(c->input);

		for (size_t cut = 0; cut <= whole.len; cut++) {
			struct smtp_data_reader reader;
			struct span input = span_head(whole, cut);
			uint64_t dropped = 0;
			bool ended;

			reader_after_a(&reader);
			ended = smtp_data_discard(&reader, &input, &dropped);
			if (!ended)
				assert_true(input.len <= 3);
			input = span_skip(whole, (size_t)(input.data - whole.data));
			if (!ended)
				ended = smtp_data_discard(&reader, &input, &dropped);
			print_message("discard %zu cut at %zu\n", i, cut);
			assert_int_equal(ended, c->want);
			assert_text(input, c->rest);
			assert_int_equal(dropped, whole.len - input.len);
		}
	}
}

static const struct write_case {
	const char *content, *want;
} write_cases[] = {
	{ "", ".\r\n" },
	{ "a\r\n", "a\r\n.\r\n" },
	{ "a", "a\r\n.\r\n" },
	{ ".\r\n", "..\r\n.\r\n" },
	{ "..\r\n.x\r\na.\r\n", "...\r\n..x\r\na.\r\n.\r\n" },
	{ "\r\n.\r\n", "\r\n..\r\n.\r\n" },
	{ "a\r\n.\r\n.\r\n\r\n.b", "a\r\n..\r\n..\r\n\r\n..b\r\n.\r\n" },
};

static void written_dots_are_stuffed_in_pieces_of_any_length(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(write_cases); i++) {
		struct span whole = span_from_string(write_cases[i].content);

		for (size_t piece_len = 1; piece_len <= whole.len + 1; piece_len++) {
			struct span content = whole;
			struct smtp_data_writer writer;
			struct buf b;

			buf_init(&b, 1000);
			smtp_data_writer_init(&writer);
			while (content.len > 0) {
				size_t len = piece_len < content.len ? piece_len : content.len;

				assert_int_equal(
				    smtp_data_write(&writer, &b, span_head(content, len)), len);
				content = span_skip(content, len);
			}
			assert_true(smtp_data_finish(&writer, &b));
			assert_text(buf_span(&b), write_cases[i].want);
			buf_fini(&b);
		}
	}
}

static void dots_in_long_content_are_stuffed(void **state)
{
	for (size_t lines = 1; lines < 40; lines++) {
		struct smtp_data_writer writer;
		struct buf content, b, want;

		buf_init(&content, 2000);
		buf_init(&want, 2000);
		buf_init(&b, 2000);
		for (size_t i = 0; i < 60; i++) {
			buf_append(&content, i % lines ? SPAN("12345\r\n") : SPAN(".\r\n"));
			buf_append(&want, i % lines ? SPAN("12345\r\n") : SPAN("..\r\n"));
		}
		smtp_data_writer_init(&writer);
		assert_int_equal(smtp_data_write(&writer, &b, buf_span(&content)), content.len);
		assert_true(span_equal(buf_span(&b), buf_span(&want)));
		buf_fini(&content);
		buf_fini(&want);
		buf_fini(&b);
	}
}

/* A full buffer takes what it can; the rest goes on as if nothing had been. */
static void writing_heeds_the_ceiling(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(write_cases); i++) {
		for (size_t max = 2; max < 8; max++) {
			struct span content = span_from_string(write_cases[i].content);
			struct smtp_data_writer writer;
			struct buf b, all;

			buf_init(&b, max);
			buf_init(&all, 1000);
			smtp_data_writer_init(&writer);
			while (content.len > 0) {
				size_t taken = smtp_data_write(&writer, &b, content);

				assert_true(taken > 0);
				content = span_skip(content, taken);
				buf_append(&all, buf_span(&b));
				buf_clear(&b);
			}
			assert_true(smtp_data_finish(&writer, &all));
			assert_text(buf_span(&all), write_cases[i].want);
			buf_fini(&b);
			buf_fini(&all);
		}
	}
}

static void a_full_buffer_does_not_get_half_a_final_dot(void **state)
{
	struct smtp_data_writer writer;
	struct buf b;

	buf_init(&b, 2);
	smtp_data_writer_init(&writer);
	assert_false(smtp_data_finish(&writer, &b));
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

/* ---- Chunks ---- */

static const struct chunk_case {
	const char *name, *first, *second; /* two chunks; the second is the last */
	enum smtp_data_result want;        /* END: all of it is content */
	uint64_t line;                     /* of what is wrong */
	bool may_end;
} chunk_cases[] = {
	{ "two lines", "a\r\n", "b\r\n", SMTP_DATA_END, 3, true },
	{ "a line in two chunks", "ab", "cd\r\n", SMTP_DATA_END, 2, true },
	{ "a line end in two chunks", "ab\r", "\ncd\r\n", SMTP_DATA_END, 3, true },
	{ "dots mean nothing", ".\r\n..\r\n", ".\r\n", SMTP_DATA_END, 4, true },
	{ "nothing", "", "", SMTP_DATA_END, 1, true },
	{ "no line end", "a", "b", SMTP_DATA_END, 1, true },
	{ "a CR at the end", "a", "b\r", SMTP_DATA_END, 1, false },
	{ "LF alone", "a\nb", "", SMTP_DATA_BARE_LF, 1, true },
	{ "LF first in a chunk", "a\r\n", "\n", SMTP_DATA_BARE_LF, 2, true },
	{ "CR alone", "a\rb", "", SMTP_DATA_BARE_CR, 1, true },
	{ "CR, and something else in the next chunk", "a\r", "b", SMTP_DATA_BARE_CR, 1, true },
	{ "CR CR LF", "a\r", "\r\n", SMTP_DATA_BARE_CR, 1, true },
	{ "LF . LF", "a\n.\n", "", SMTP_DATA_BARE_LF, 1, true },
	{ "CR LF . LF", "a\r\n.", "\nMAIL", SMTP_DATA_BARE_LF, 2, true },
};

/* Gives one chunk in pieces of piece_len; behind it commands stand, of which nothing may be taken.
 */
static enum smtp_data_result read_chunk(
    struct smtp_data_reader *reader, struct span chunk, size_t piece_len, struct buf *content)
{
	uint64_t left = chunk.len;
	size_t given = 0;

	for (;;) {
		struct span rest = span_skip(chunk, chunk.len - (size_t)left), piece;
		size_t len = piece_len < rest.len ? piece_len : rest.len;
		struct buf input;
		enum smtp_data_result result;

		buf_init(&input, 100000);
		buf_append(&input, span_head(rest, len));
		if (len == rest.len)
			buf_append_string(&input, "\r\n.\r\nQUIT\r\n");
		rest = buf_span(&input);
		result = smtp_data_read_chunk(reader, &rest, &left, &piece);
		if (result == SMTP_DATA_CONTENT)
			buf_append(content, piece);
		buf_fini(&input);
		if (result != SMTP_DATA_CONTENT)
			return result;
		assert_true(++given <= chunk.len);
	}
}

static void chunks_end_where_they_say_in_pieces_of_any_length(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(chunk_cases); i++) {
		const struct chunk_case *c = &chunk_cases[i];
		size_t whole_len = strlen(c->first) + strlen(c->second);

		print_message("%s\n", c->name);
		for (size_t piece = 1; piece <= whole_len + 1; piece++) {
			struct smtp_data_reader reader;
			enum smtp_data_result result;
			struct buf content;

			buf_init(&content, 100000);
			smtp_data_reader_init(&reader);
			result = read_chunk(&reader, span_from_string(c->first), piece, &content);
			if (result == SMTP_DATA_END)
				result = read_chunk(
				    &reader, span_from_string(c->second), piece, &content);
			assert_int_equal(result, c->want);
			assert_int_equal(reader.line, c->line);
			if (result == SMTP_DATA_END) {
				assert_int_equal(smtp_data_chunks_may_end(&reader), c->may_end);
				assert_int_equal(content.len, whole_len);
				assert_int_equal(reader.octets, whole_len);
			}
			buf_fini(&content);
		}
	}
}

/* The blocks of 64 octets and the lines between them agree. */
static void what_is_bare_is_found_anywhere_in_a_long_chunk(void **state)
{
	enum { LEN = 400 };

	for (size_t at = 0; at < LEN; at++) {
		for (size_t kind = 0; kind < 2; kind++) {
			struct smtp_data_reader reader;
			struct buf content;
			char chunk[LEN];

			for (size_t i = 0; i < LEN; i++)
				chunk[i] = i % 10 == 8 ? '\r' : i % 10 == 9 ? '\n' : '.';
			if (at % 10 >= 8)
				continue;
			chunk[at] = kind ? '\r' : '\n';
			buf_init(&content, 100000);
			smtp_data_reader_init(&reader);
			assert_int_equal(read_chunk(&reader, span_of(chunk, LEN), LEN, &content),
			    kind ? SMTP_DATA_BARE_CR : SMTP_DATA_BARE_LF);
			assert_int_equal(reader.line, at / 10 + 1);
			buf_fini(&content);
		}
	}
}

/* With LF taken: content, what stays, and whether it has ended; whole and at each split. */
static const struct lf_case {
	const char *name, *input, *content, *rest;
	bool ends, lone_dot;
} lf_cases[] = {
	{ "LF becomes CR LF", "a\nb\r\n.\r\nQ", "a\r\nb\r\n", "Q", true, false },
	{ "LF at the start", "\n.\r\n\r\n.\r\n", "\r\n.\r\n\r\n", "", true, true },
	{ "LF dot LF is content", "a\n.\nQ\r\n.\r\n", "a\r\n.\r\nQ\r\n", "", true, true },
	{ "LF dot CRLF is content", "a\n.\r\nQ\r\n.\r\n", "a\r\n.\r\nQ\r\n", "", true, true },
	{ "CRLF dot LF is content", "a\r\n.\nQ\r\n.\r\n", "a\r\n.\r\nQ\r\n", "", true, true },
	{ "dot LF as the first line", ".\nQ\r\n.\r\n", ".\r\nQ\r\n", "", true, true },
	{ "only such dots end nothing", "a\n.\n", "a\r\n.\r\n", "", false, true },
	{ "the end behind such a dot", "a\n.\r\n.\r\n", "a\r\n.\r\n", "", true, true },
	{ "one of two dots behind LF goes", "a\n..b\r\n.\r\n", "a\r\n.b\r\n", "", true, false },
	{ "a single dot behind LF stays", "a\n.b\r\n.\r\n", "a\r\n.b\r\n", "", true, false },
	{ "behind CRLF it goes", "a\n\r\n.b\r\n.\r\n", "a\r\n\r\nb\r\n", "", true, false },
};

static void read_with_lf(const struct lf_case *c, size_t step)
{
	struct span whole = span_from_string(c->input), input = span_head(whole, 0), piece;
	const char *end = whole.data + whole.len;
	enum smtp_data_result result = SMTP_DATA_NEED_MORE;
	struct smtp_data_reader reader;
	struct buf content;

	smtp_data_reader_init(&reader);
	reader.takes_lf = true;
	buf_init(&content, 4096);
	while (result != SMTP_DATA_END) {
		size_t left = (size_t)(end - input.data) - input.len;

		result = smtp_data_read(&reader, &input, &piece);
		assert_true(result != SMTP_DATA_BARE_LF && result != SMTP_DATA_BARE_CR);
		if (result == SMTP_DATA_CONTENT)
			buf_append(&content, piece);
		if (result == SMTP_DATA_NEED_MORE && left == 0)
			break;
		if (result == SMTP_DATA_NEED_MORE)
			input.len += step < left ? step : left;
	}
	input.len = (size_t)(end - input.data);
	assert_int_equal(result == SMTP_DATA_END, c->ends);
	assert_true(span_equal(buf_span(&content), span_from_string(c->content)));
	assert_true(span_equal(input, span_from_string(c->rest)));
	assert_int_equal(reader.octets, content.len);
	assert_int_equal(reader.lone_dot, c->lone_dot);
	buf_fini(&content);
}

static void bare_lf_is_given_out_as_crlf_where_it_is_taken(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(lf_cases); i++) {
		print_message("%s\n", lf_cases[i].name);
		for (size_t step = 1; step <= strlen(lf_cases[i].input); step++)
			read_with_lf(&lf_cases[i], step);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_crlf_dot_crlf_ends_content_in_pieces_of_any_length),
		cmocka_unit_test(what_follows_long_content_is_found),
		cmocka_unit_test(content_comes_in_one_piece_where_nothing_stands_between),
		cmocka_unit_test(discarding_ends_where_the_message_does),
		cmocka_unit_test(written_dots_are_stuffed_in_pieces_of_any_length),
		cmocka_unit_test(dots_in_long_content_are_stuffed),
		cmocka_unit_test(writing_heeds_the_ceiling),
		cmocka_unit_test(chunks_end_where_they_say_in_pieces_of_any_length),
		cmocka_unit_test(what_is_bare_is_found_anywhere_in_a_long_chunk),
		cmocka_unit_test(a_full_buffer_does_not_get_half_a_final_dot),
		cmocka_unit_test(bare_lf_is_given_out_as_crlf_where_it_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
