/* SPDX-License-Identifier: MIT */
#include "message/header.h"

#include <assert.h>
#include <string.h>

enum state {
	LINE_BEGIN,    /* behind a CRLF, or at the very beginning */
	EMPTY_LINE_CR, /* a CR at the begin of a line */
	NAME,
	NAME_BLANK, /* blanks between the name and its colon */
	VALUE,      /* also in continuation lines */
	VALUE_CR,
	BODY,
};

void message_header_init(struct message_header *h)
{
	memset(h, 0, sizeof(*h));
	h->state = LINE_BEGIN;
}

/* ---- What the bytes are like, header or body ---- */

static bool has_eight_bit(struct span s)
{
	uint64_t word, all = 0;

	for (; s.len >= sizeof(word); s = span_of(s.data + sizeof(word), s.len - sizeof(word))) {
		memcpy(&word, s.data, sizeof(word));
		all |= word;
	}
	for (size_t i = 0; i < s.len; i++)
		all |= (unsigned char)s.data[i];
	return all & UINT64_C(0x8080808080808080);
}

/* line_len counts a CR until the LF behind it makes both a line end. */
static void measure_lines(struct message_header *h, struct span s)
{
	while (s.len) {
		size_t at = span_find(s, '\n');
		bool after_cr = at ? s.data[at - 1] == '\r' : h->line_ends_with_cr;
		uint64_t len = h->line_len + at;

		if (at == s.len) {
			h->line_len = len;
			h->line_ends_with_cr = s.data[at - 1] == '\r';
			len -= h->line_ends_with_cr;
		} else {
			h->line_len = after_cr ? 0 : len + 1;
			h->line_ends_with_cr = false;
			len -= after_cr;
		}
		if (len > h->line_len_max)
			h->line_len_max = len;
		s = span_skip(s, at < s.len ? at + 1 : at);
	}
}

/* ---- Values ---- */

static void value_append(struct message_header *h, char c)
{
	struct message_header_value *value = h->value;

	if (!value || (value->len == 0 && (c == ' ' || c == '\t')))
		return;
	if (value->len < sizeof(value->text))
		value->text[value->len++] = c;
	else if (c != ' ' && c != '\t')
		value->cut = true;
}

static void value_end(struct message_header *h)
{
	struct message_header_value *value = h->value;

	h->value = NULL;
	if (value)
		value->len = span_trim(message_header_value_span(value)).len;
}

struct span message_header_value_span(const struct message_header_value *value)
{
	return span_of(value->text, value->len);
}

/* ---- Fields ---- */

static void note_field(struct message_header *h, struct span name)
{
	if (span_equal(name, SPAN("date"))) {
		h->has_date = true;
	} else if (span_equal(name, SPAN("from"))) {
		h->has_from = true;
	} else if (span_equal(name, SPAN("sender"))) {
		h->has_sender = true;
	} else if (span_equal(name, SPAN("received"))) {
		h->received_count++;
	} else if (span_equal(name, SPAN("subject"))) {
		h->value = h->subject.len ? NULL : &h->subject;
	} else if (span_equal(name, SPAN("message-id"))) {
		h->value = h->message_id.len ? NULL : &h->message_id;
		h->has_message_id = true;
	}
}

static void begin_name(struct message_header *h)
{
	value_end(h);
	h->name_len = 0;
	h->state = NAME;
}

/* Printable ASCII but the colon (RFC 5322, 3.6.8, ftext). A name longer than the array is none that
   matters here: its length says so. */
static bool name_append(struct message_header *h, char c)
{
	if (c <= ' ' || c > '~')
		return false;
	if (h->name_len < sizeof(h->name))
		h->name[h->name_len] = byte_to_lower(c);
	h->name_len++;
	return true;
}

static void end_name(struct message_header *h)
{
	if (h->name_len <= sizeof(h->name))
		note_field(h, span_of(h->name, h->name_len));
	h->state = VALUE;
}

/* ---- Where the header ends ---- */

static void decide(struct message_header *h, enum message_header_shape shape)
{
	value_end(h);
	h->shape = shape;
	h->state = BODY;
	if (shape == MESSAGE_HEADER_MISSING || shape == MESSAGE_HEADER_RUNS_INTO_BODY) {
		h->header_len = 0;
		h->eight_bit_body = h->eight_bit_header;
		h->eight_bit_header = false;
	}
}

/* The line under way is neither a field nor empty. header_len counts whole lines only. */
static void decide_broken(struct message_header *h)
{
	decide(h, h->header_len ? MESSAGE_HEADER_RUNS_INTO_BODY : MESSAGE_HEADER_MISSING);
}

static void step_line_begin(struct message_header *h, char c)
{
	if (c == '\r')
		h->state = EMPTY_LINE_CR;
	else if ((c == ' ' || c == '\t') && h->header_len)
		h->state = VALUE, value_append(h, c);
	else if (begin_name(h), c == ':' || !name_append(h, c))
		decide_broken(h);
}

static void step_name(struct message_header *h, char c)
{
	if (c == ':')
		end_name(h);
	else if (c == ' ' || c == '\t')
		h->state = NAME_BLANK;
	else if (h->state == NAME_BLANK || !name_append(h, c))
		decide_broken(h);
}

/* line_begin is where the next line would begin. */
static void step_value(struct message_header *h, char c, uint64_t line_begin)
{
	if (h->state == VALUE_CR && c == '\n') {
		h->header_len = line_begin;
		h->state = LINE_BEGIN;
		return;
	}
	if (h->state == VALUE_CR)
		value_append(h, '\r');
	if (c != '\r')
		value_append(h, c);
	h->state = c == '\r' ? VALUE_CR : VALUE;
}

static void step(struct message_header *h, char c, uint64_t offset)
{
	switch ((enum state)h->state) {
	case LINE_BEGIN:
		step_line_begin(h, c);
		break;
	case EMPTY_LINE_CR:
		if (c == '\n')
			decide(h, MESSAGE_HEADER_PROPER);
		else
			decide_broken(h);
		break;
	case NAME:
	case NAME_BLANK:
		step_name(h, c);
		break;
	case VALUE:
	case VALUE_CR:
		step_value(h, c, offset + 1);
		break;
	case BODY:
		assert(!"the header is over");
	}
}

/* A value nobody wants, up to the CR that may end it: most of a header. */
static size_t skip_value(struct message_header *h, struct span content)
{
	struct span run = span_head(content, span_find(content, '\r'));

	h->eight_bit_header = h->eight_bit_header || has_eight_bit(run);
	return run.len;
}

/* Returns how many bytes the header took. */
static size_t scan_header(struct message_header *h, struct span content)
{
	size_t rest = MESSAGE_HEADER_SIZE_MAX - (size_t)h->size;
	struct span looked_at = span_head(content, content.len < rest ? content.len : rest);
	size_t i = 0;

	while (i < looked_at.len && h->state != BODY) {
		if (h->state == VALUE && !h->value)
			i += skip_value(h, span_skip(looked_at, i));
		if (i == looked_at.len)
			break;
		if ((unsigned char)content.data[i] > 127)
			h->eight_bit_header = true;
		step(h, content.data[i], h->size + i);
		i++;
	}
	if (h->state != BODY && looked_at.len < content.len)
		decide(h, MESSAGE_HEADER_TOO_LARGE);
	return i;
}

void message_header_feed(struct message_header *h, struct span content)
{
	size_t header_len = h->state == BODY ? 0 : scan_header(h, content);

	measure_lines(h, content);
	h->size += content.len;
	if (!h->eight_bit_body)
		h->eight_bit_body = has_eight_bit(span_skip(content, header_len));
}

void message_header_end(struct message_header *h)
{
	switch ((enum state)h->state) {
	case LINE_BEGIN:
		decide(h, h->header_len ? MESSAGE_HEADER_PROPER : MESSAGE_HEADER_MISSING);
		break;
	case VALUE:
	case VALUE_CR:
		h->header_len = h->size;
		decide(h, MESSAGE_HEADER_PROPER);
		break;
	case EMPTY_LINE_CR:
	case NAME:
	case NAME_BLANK:
		decide_broken(h);
		break;
	case BODY:
		break;
	}
}
