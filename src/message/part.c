/* SPDX-License-Identifier: MIT */
#include "message/part.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	LINE_LEN_MAX = 998,       /* RFC 5322, 2.1.1 */
	QUOTED_LINE_LEN_MAX = 76, /* RFC 2045, 6.7 */
};

static bool has_line_end(struct span content, size_t at)
{
	return at + 1 < content.len && content.data[at] == '\r' && content.data[at + 1] == '\n';
}

static bool is_standing_byte(char c, bool eight_bit)
{
	return (c >= ' ' && c <= '~') || c == '\t' || (eight_bit && (unsigned char)c > 127);
}

bool message_part_can_stand(struct span content, bool eight_bit)
{
	size_t line_len = 0;

	for (size_t i = 0; i < content.len; i++) {
		char c = content.data[i];

		if (has_line_end(content, i)) {
			line_len = 0;
			i++;
			continue;
		}
		if (!is_standing_byte(c, eight_bit) || ++line_len > LINE_LEN_MAX)
			return false;
	}
	return true;
}

/* A blank is plain unless its line ends behind it, where it could get lost. */
static bool is_plain(struct span content, size_t at)
{
	char c = content.data[at];

	if (c == ' ' || c == '\t')
		return at + 1 < content.len && !has_line_end(content, at + 1);
	return c > ' ' && c <= '~' && c != '=';
}

static bool append_quoted(struct buf *b, struct span content)
{
	size_t column = 0;
	bool fits = true;

	for (size_t i = 0; fits && i < content.len; i++) {
		bool plain = is_plain(content, i);
		size_t width = plain ? 1 : 3;

		if (has_line_end(content, i)) {
			fits = buf_append_string(b, "\r\n");
			column = 0;
			i++;
			continue;
		}
		if (column + width > QUOTED_LINE_LEN_MAX - 1) {
			fits = buf_append_string(b, "=\r\n");
			column = 0;
		}
		if (plain)
			fits = fits && buf_append_byte(b, content.data[i]);
		else
			fits = fits && buf_printf(b, "=%02X", (unsigned char)content.data[i]);
		column += width;
	}
	return fits;
}

/* "=_" stands in no quoted-printable text, and the other parts are searched. What they hold cannot
   be chosen by who knows no random number, but n bytes could at worst hold n candidates. */
void message_boundary_choose(char out[MESSAGE_BOUNDARY_SIZE], uint64_t random,
    const struct message_part *parts, size_t count)
{
	for (bool found = true; found; random++) {
		snprintf(out, MESSAGE_BOUNDARY_SIZE, "=_frank_%016" PRIx64, random);
		found = false;
		for (size_t i = 0; i < count; i++) {
			struct span content = buf_span(&parts[i].content);

			if (span_find_span(content, span_from_string(out)) < content.len)
				found = true;
		}
	}
}

bool message_part_append(struct buf *b, const char *boundary, const struct message_part *part)
{
	struct span content = buf_span(&part->content);
	bool is_seven_bit = message_part_can_stand(content, false);
	bool as_it_is = is_seven_bit || part->as_it_is;

	return buf_printf(b,
		   "\r\n--%s\r\nContent-Type: %s\r\nContent-Description: %s\r\n"
		   "Content-Transfer-Encoding: %s\r\n\r\n",
		   boundary, part->type, part->description,
		   is_seven_bit ? "7bit"
		   : as_it_is   ? "8bit"
				: "quoted-printable") &&
	       (as_it_is ? buf_append(b, content) : append_quoted(b, content));
}

bool message_part_append_end(struct buf *b, const char *boundary)
{
	return buf_printf(b, "\r\n--%s--\r\n", boundary);
}
