/* SPDX-License-Identifier: MIT */
#include "smtp/reply_parse.h"

#include "base/escape.h"
#include "smtp/line.h"

#include <stdio.h>

/* Takes decimal digits off *s, at most three (RFC 3463, 2). */
static bool take_number(struct span *s, uint16_t *value_out)
{
	size_t n = 0;
	unsigned value = 0;

	while (n < s->len && n < 3 && byte_is_digit(s->data[n]))
		value = value * 10 + (unsigned)(s->data[n++] - '0');
	if (n == 0)
		return false;
	*s = span_skip(*s, n);
	*value_out = (uint16_t)value;
	return true;
}

static bool take_byte(struct span *s, char byte)
{
	if (s->len == 0 || s->data[0] != byte)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

/* Takes "5.7.8" off *s; what follows may be nothing that continues the number. */
static bool take_status(struct span *s, struct smtp_reply_status *status_out)
{
	struct smtp_reply_status status = { 0 };
	struct span rest = *s;

	if (rest.len == 0 || (rest.data[0] != '2' && rest.data[0] != '4' && rest.data[0] != '5'))
		return false;
	status.class = (uint8_t)(rest.data[0] - '0');
	rest = span_skip(rest, 1);
	if (!take_byte(&rest, '.') || !take_number(&rest, &status.subject) ||
	    !take_byte(&rest, '.') || !take_number(&rest, &status.detail))
		return false;
	if (rest.len && (byte_is_digit(rest.data[0]) || byte_is_alpha(rest.data[0]) ||
			    rest.data[0] == '.' || rest.data[0] == '-'))
		return false;
	*s = rest;
	*status_out = status;
	return true;
}

struct smtp_reply_status smtp_reply_status_find(struct span text)
{
	struct smtp_reply_status status = { 0 };
	struct span rest = span_trim(text);
	size_t at;

	if (take_status(&rest, &status))
		return status;
	if (take_byte(&rest, '#') && take_status(&rest, &status))
		return status;
	while ((at = span_find_span(rest, SPAN("(#"))) < rest.len) {
		rest = span_skip(rest, at + 2);
		if (take_status(&rest, &status))
			return status;
	}
	return status;
}

enum smtp_reply_fault smtp_reply_line_parse(struct span line, struct smtp_reply_line *line_out)
{
	unsigned code = 0;

	if (line.len < 3 || (line.len > 3 && line.data[3] != ' ' && line.data[3] != '-'))
		return SMTP_REPLY_FAULT_NOT_A_REPLY;
	for (size_t i = 0; i < 3; i++) {
		if (!byte_is_digit(line.data[i]))
			return SMTP_REPLY_FAULT_NOT_A_REPLY;
		code = code * 10 + (unsigned)(line.data[i] - '0');
	}
	if (code < 200 || code > 599)
		return SMTP_REPLY_FAULT_CODE;
	line_out->code = code;
	line_out->last = line.len == 3 || line.data[3] == ' ';
	line_out->text = span_trim(span_skip(line, line.len > 3 ? 4 : 3));
	line_out->status = smtp_reply_status_find(line_out->text);
	return SMTP_REPLY_FAULT_NONE;
}

bool smtp_reply_is_positive(const struct smtp_received_reply *reply)
{
	return reply->code / 100 == 2;
}

bool smtp_reply_is_temporary(const struct smtp_received_reply *reply)
{
	return reply->code / 100 == 4;
}

bool smtp_reply_is_permanent(const struct smtp_received_reply *reply)
{
	return reply->code / 100 == 5;
}

const char *smtp_reply_format(const struct smtp_received_reply *reply, char *out, size_t size)
{
	int n = snprintf(out, size, "%u ", reply->code);

	if (n > 0 && (size_t)n + 8 <= size)
		escape_to(out + n, size - (size_t)n, reply->text);
	return out;
}

void smtp_reply_parser_init(struct smtp_reply_parser *parser)
{
	*parser = (struct smtp_reply_parser){ 0 };
	buf_init(&parser->lines, SMTP_RECEIVED_OCTETS_KEPT);
	buf_init(&parser->text, SMTP_RECEIVED_OCTETS_KEPT);
	buf_init(&parser->hidden, 4 * SMTP_RECEIVED_LINE_MAX);
	buf_init_secret(&parser->challenge, SMTP_RECEIVED_LINE_MAX);
}

void smtp_reply_parser_fini(struct smtp_reply_parser *parser)
{
	buf_fini(&parser->lines);
	buf_fini(&parser->text);
	buf_fini(&parser->hidden);
	buf_fini(&parser->challenge);
}

void smtp_reply_parser_reset(struct smtp_reply_parser *parser)
{
	smtp_reply_parser_fini(parser);
	parser->reply = (struct smtp_received_reply){ 0 };
	parser->complete = false;
}

static bool status_equal(struct smtp_reply_status a, struct smtp_reply_status b)
{
	return a.class == b.class && a.subject == b.subject && a.detail == b.detail;
}

/* Appends a line's text for one-line use. Servers repeat the enhanced status on each line (RFC
   2034, 4); it is wanted once. */
static bool join_text(struct smtp_reply_parser *parser, struct span text)
{
	struct smtp_reply_status status;
	struct span rest = text;

	if (parser->text.len && take_status(&rest, &status) &&
	    status_equal(status, parser->reply.status))
		text = span_trim(rest);
	if (text.len == 0)
		return true;
	if (text.len + 1 > parser->text.max - parser->text.len)
		return false;
	return (parser->text.len == 0 || buf_append_byte(&parser->text, ' ')) &&
	       buf_append(&parser->text, text);
}

static bool keep_line(struct smtp_reply_parser *parser, struct span line, struct span text)
{
	if (parser->reply.cut || parser->reply.line_count > SMTP_RECEIVED_LINES_KEPT ||
	    line.len + 1 > parser->lines.max - parser->lines.len)
		return false;
	return buf_append(&parser->lines, line) && buf_append_byte(&parser->lines, '\n') &&
	       join_text(parser, text);
}

static void add_line(
    struct smtp_reply_parser *parser, struct span line, const struct smtp_reply_line *parsed)
{
	struct smtp_received_reply *reply = &parser->reply;

	if (reply->line_count++ > 0 && parsed->code != reply->code)
		reply->mixed_codes = true;
	reply->code = parsed->code;
	if (!keep_line(parser, line, parsed->text))
		reply->cut = true;
	if (reply->status.class == 0)
		reply->status = parsed->status;
	reply->lines = buf_span(&parser->lines);
	reply->text = buf_span(&parser->text);
}

/* The first line of *input up to its CRLF. A line feed alone is found at once: its line would
   otherwise never end. */
static enum smtp_reply_fault take_line(struct span *input, struct span *line_out, bool *taken_out)
{
	size_t max = SMTP_RECEIVED_LINE_MAX;
	struct span start = span_head(*input, input->len < max + 2 ? input->len : max + 2);
	size_t feed = span_find(start, '\n');

	*taken_out = false;
	if (feed < start.len && (feed == 0 || start.data[feed - 1] != '\r')) {
		*line_out = span_head(start, feed);
		return SMTP_REPLY_FAULT_BARE_LF;
	}
	switch (smtp_line_take(input, max, line_out)) {
	case SMTP_LINE_COMPLETE:
	case SMTP_LINE_BARE_NEWLINE: /* a bare CR: harmless here, and shown escaped */
		*taken_out = true;
		return SMTP_REPLY_FAULT_NONE;
	case SMTP_LINE_NEED_MORE:
		return SMTP_REPLY_FAULT_NONE;
	case SMTP_LINE_TOO_LONG:
		break;
	}
	*line_out = span_head(*input, max);
	return SMTP_REPLY_FAULT_TOO_LONG;
}

/* The code and what follows it stay: a secret stands in the text. */
static void hide_secrets(struct smtp_reply_parser *parser, struct span *line)
{
	struct smtp_reply_line parsed;
	bool has_code = smtp_reply_line_parse(*line, &parsed) == SMTP_REPLY_FAULT_NONE;
	size_t code_len = has_code && line->len > 3 ? 4 : 0;

	buf_clear(&parser->hidden);
	buf_append(&parser->hidden, span_head(*line, code_len));
	if (parser->conceal &&
	    conceal_hide(parser->conceal, span_skip(*line, code_len), &parser->hidden))
		*line = buf_span(&parser->hidden);
}

static void keep_challenge(struct smtp_reply_parser *parser, const struct smtp_reply_line *parsed)
{
	if (parsed->code == 334 && parsed->last && parser->reply.line_count == 0)
		buf_append(&parser->challenge, parsed->text);
}

struct span smtp_reply_parser_challenge(const struct smtp_reply_parser *parser)
{
	return parser->reply.line_count == 1 ? buf_span(&parser->challenge) : parser->reply.text;
}

enum smtp_reply_result smtp_reply_parser_next(struct smtp_reply_parser *parser, struct span *input,
    struct span *line_out, enum smtp_reply_fault *fault_out)
{
	struct smtp_reply_line parsed;
	struct span rest = *input, line = { 0 };
	enum smtp_reply_fault fault;
	bool taken;

	fault = take_line(&rest, &line, &taken);
	if (fault == SMTP_REPLY_FAULT_NONE && !taken)
		return SMTP_REPLY_RESULT_NEED_MORE;
	if (parser->complete)
		smtp_reply_parser_reset(parser);
	if (fault == SMTP_REPLY_FAULT_NONE)
		fault = smtp_reply_line_parse(line, &parsed);
	if (fault == SMTP_REPLY_FAULT_NONE && parser->reply.line_count == SMTP_RECEIVED_LINES_MAX)
		fault = SMTP_REPLY_FAULT_ENDLESS;
	if (fault == SMTP_REPLY_FAULT_NONE)
		keep_challenge(parser, &parsed);
	hide_secrets(parser, &line);
	*line_out = line;
	if (fault != SMTP_REPLY_FAULT_NONE) {
		*fault_out = fault;
		return SMTP_REPLY_RESULT_MALFORMED;
	}
	*input = rest;
	smtp_reply_line_parse(line, &parsed); /* again, as it may be shown */
	add_line(parser, line, &parsed);
	parser->complete = parsed.last;
	return parsed.last ? SMTP_REPLY_RESULT_COMPLETE : SMTP_REPLY_RESULT_LINE;
}
