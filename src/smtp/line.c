/* SPDX-License-Identifier: MIT */
#include "smtp/line.h"

/* The index of the first CRLF, or s.len. */
static size_t find_crlf(struct span s)
{
	size_t at = 0;

	while (at < s.len) {
		size_t lf = at + span_find(span_skip(s, at), '\n');

		if (lf == s.len)
			break;
		if (lf > 0 && s.data[lf - 1] == '\r')
			return lf - 1;
		at = lf + 1;
	}
	return s.len;
}

static bool has_bare_newline(struct span line)
{
	return span_find(line, '\n') < line.len || span_find(line, '\r') < line.len;
}

enum smtp_line_result smtp_line_take(struct span *input, size_t max_len, struct span *line_out)
{
	size_t window = input->len < max_len + 2 ? input->len : max_len + 2;
	size_t end = find_crlf(span_head(*input, window));

	if (end == window) {
		bool may_still_end = input->len <= max_len ||
				     (input->len == max_len + 1 && input->data[max_len] == '\r');
		return may_still_end ? SMTP_LINE_NEED_MORE : SMTP_LINE_TOO_LONG;
	}
	*line_out = span_head(*input, end);
	*input = span_skip(*input, end + 2);
	return has_bare_newline(*line_out) ? SMTP_LINE_BARE_NEWLINE : SMTP_LINE_COMPLETE;
}

enum smtp_line_result smtp_line_take_lf(
    struct span *input, size_t max_len, struct span *line_out, bool *was_bare_out)
{
	size_t window = input->len < max_len + 2 ? input->len : max_len + 2;
	size_t end = span_find(span_head(*input, window), '\n');
	size_t len = end;

	if (end == window)
		return smtp_line_take(input, max_len, line_out);
	if (end > 0 && input->data[end - 1] == '\r')
		len--;
	if (len > max_len)
		return SMTP_LINE_TOO_LONG;
	*line_out = span_head(*input, len);
	*was_bare_out = len == end;
	*input = span_skip(*input, end + 1);
	return has_bare_newline(*line_out) ? SMTP_LINE_BARE_NEWLINE : SMTP_LINE_COMPLETE;
}

bool smtp_line_discard_lf(struct span *input)
{
	size_t end = span_find(*input, '\n');
	bool ended = end < input->len;

	*input = span_skip(*input, ended ? end + 1 : end);
	return ended;
}

bool smtp_line_discard(struct span *input)
{
	size_t end = find_crlf(*input);

	if (end < input->len) {
		*input = span_skip(*input, end + 2);
		return true;
	}
	if (input->len > 0 && input->data[input->len - 1] == '\r')
		end--;
	*input = span_skip(*input, end);
	return false;
}

static enum smtp_line_flaw byte_flaw(unsigned char byte)
{
	if (byte == '\n')
		return SMTP_LINE_BARE_LF;
	if (byte == '\r')
		return SMTP_LINE_BARE_CR;
	if (byte == '\0')
		return SMTP_LINE_NUL;
	if ((byte < 32 && byte != '\t') || byte == 127)
		return SMTP_LINE_CONTROL;
	return byte > 127 ? SMTP_LINE_EIGHT_BIT : SMTP_LINE_CLEAN;
}

enum smtp_line_flaw smtp_line_check(struct span line, size_t *position_out)
{
	size_t eight_bit = 0;

	for (size_t i = 0; i < line.len; i++) {
		enum smtp_line_flaw flaw;

		if (line.data[i] >= ' ' && line.data[i] <= '~')
			continue;
		flaw = byte_flaw((unsigned char)line.data[i]);
		if (flaw == SMTP_LINE_CLEAN)
			continue;
		if (flaw == SMTP_LINE_EIGHT_BIT) {
			if (eight_bit == 0)
				eight_bit = i + 1;
			continue;
		}
		*position_out = i + 1;
		return flaw;
	}
	if (eight_bit == 0)
		return SMTP_LINE_CLEAN;
	*position_out = eight_bit;
	return SMTP_LINE_EIGHT_BIT;
}
