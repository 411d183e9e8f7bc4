/* SPDX-License-Identifier: MIT */
#include "smtp/ehlo_parse.h"

#include "base/escape.h"
#include "base/memory.h"
#include "smtp/reply_parse.h"

#include <inttypes.h>
#include <string.h>

static void set_pipelining(struct smtp_extensions *e, struct span arguments)
{
	e->pipelining = true;
}

static void set_size(struct smtp_extensions *e, struct span arguments)
{
	struct span figure;

	e->size = true;
	if (span_take_word(&arguments, &figure) && !span_to_u64(figure, &e->size_max))
		e->size_max = 0;
}

static void set_eight_bit_mime(struct smtp_extensions *e, struct span arguments)
{
	e->eight_bit_mime = true;
}

static void set_smtputf8(struct smtp_extensions *e, struct span arguments)
{
	e->smtputf8 = true;
}

static void set_chunking(struct smtp_extensions *e, struct span arguments)
{
	e->chunking = true;
}

static void set_enhanced_status_codes(struct smtp_extensions *e, struct span arguments)
{
	e->enhanced_status_codes = true;
}

static void set_dsn(struct smtp_extensions *e, struct span arguments)
{
	e->dsn = true;
}

static void set_burl(struct smtp_extensions *e, struct span arguments)
{
	e->burl = true;
}

static void set_starttls(struct smtp_extensions *e, struct span arguments)
{
	e->starttls = true;
}

static void set_requiretls(struct smtp_extensions *e, struct span arguments)
{
	e->requiretls = true;
}

/* A limit that is no number, or 0, is none that can be kept. */
static void set_limit(struct smtp_extensions *e, struct span word)
{
	const struct {
		struct span name;
		unsigned *limit;
	} limits[] = {
		{ SPAN("RCPTMAX"), &e->recipients_max },
		{ SPAN("MAILMAX"), &e->messages_max },
		{ SPAN("RCPTDOMAINMAX"), &e->domains_max },
	};
	struct span name;
	uint64_t value;

	span_take_until(&word, '=', &name);
	if (!span_to_u64(word, &value) || value > UINT32_MAX)
		return;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		if (span_equal_nocase(name, limits[i].name))
			*limits[i].limit = (unsigned)value;
	}
}

static void set_limits(struct smtp_extensions *e, struct span arguments)
{
	struct span word;

	e->limits = true;
	while (span_take_word(&arguments, &word))
		set_limit(e, word);
}

/* Upper case into out; false for what RFC 4422, 3.1 does not allow as a name. */
static bool read_mechanism(struct span word, char out[SMTP_MECHANISM_MAX + 1])
{
	if (word.len == 0 || word.len > SMTP_MECHANISM_MAX)
		return false;
	for (size_t i = 0; i < word.len; i++) {
		char c = word.data[i];

		if (byte_is_alpha(c))
			out[i] = (char)(c & ~0x20);
		else if (byte_is_digit(c) || c == '-' || c == '_')
			out[i] = c;
		else
			return false;
	}
	out[word.len] = '\0';
	return true;
}

static void add_mechanism(struct smtp_extensions *e, struct span word)
{
	char name[SMTP_MECHANISM_MAX + 1];

	if (!read_mechanism(word, name)) {
		e->mechanisms_dropped = true;
		return;
	}
	if (smtp_extensions_offer_mechanism(e, span_from_string(name)))
		return;
	if (e->mechanism_count == SMTP_MECHANISMS_MAX) {
		e->mechanisms_dropped = true;
		return;
	}
	memcpy(e->mechanisms[e->mechanism_count++], name, word.len + 1);
}

static void set_auth(struct smtp_extensions *e, struct span arguments)
{
	struct span word;

	e->auth = true;
	while (span_take_word(&arguments, &word))
		add_mechanism(e, word);
}

static const struct keyword {
	const char *name;
	void (*set)(struct smtp_extensions *e, struct span arguments);
} keywords[] = {
	{ "PIPELINING", set_pipelining },
	{ "SIZE", set_size },
	{ "8BITMIME", set_eight_bit_mime },
	{ "SMTPUTF8", set_smtputf8 },
	{ "CHUNKING", set_chunking },
	{ "ENHANCEDSTATUSCODES", set_enhanced_status_codes },
	{ "DSN", set_dsn },
	{ "BURL", set_burl },
	{ "STARTTLS", set_starttls },
	{ "REQUIRETLS", set_requiretls },
	{ "LIMITS", set_limits },
	{ "AUTH", set_auth },
};

static const struct keyword *find_keyword(struct span word)
{
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		if (span_equal_nocase(word, span_from_string(keywords[i].name)))
			return &keywords[i];
	}
	return NULL;
}

/* A line that a middlebox has overwritten: four X or more, a last character may be left. */
static bool is_masked(struct span word)
{
	size_t count = 0;

	while (count < word.len && word.data[count] == 'X')
		count++;
	return count >= 4 && count + 1 >= word.len;
}

static bool is_auth_equals(struct span text)
{
	return span_starts_with_nocase(text, SPAN("AUTH="));
}

static void read_extension(struct smtp_extensions *e, struct span text, bool *standard_auth)
{
	const struct keyword *keyword;
	struct span word;

	if (is_auth_equals(text)) {
		e->auth_equals = true;
		set_auth(e, span_skip(text, sizeof("AUTH=") - 1));
		return;
	}
	if (!span_take_word(&text, &word))
		return;
	if (is_masked(word))
		e->masked = true;
	keyword = find_keyword(word);
	if (!keyword)
		return;
	keyword->set(e, text);
	if (keyword->set == set_auth)
		*standard_auth = true;
}

static void read_first_line(struct smtp_extensions *e, struct span text)
{
	struct span word = { 0 };

	if (is_auth_equals(text))
		e->extension_in_first_line = true;
	if (!span_take_word(&text, &word))
		return;
	if (find_keyword(word))
		e->extension_in_first_line = true;
	if (is_masked(word))
		e->masked = true;
	escape_to(e->host, sizeof(e->host), word);
}

void smtp_ehlo_parse(struct span lines, struct smtp_extensions *extensions_out)
{
	struct smtp_extensions e = { .esmtp = true };
	struct smtp_reply_line line;
	struct span piece;
	bool first = true, standard_auth = false;

	while (span_take_until(&lines, '\n', &piece)) {
		if (smtp_reply_line_parse(piece, &line) != SMTP_REPLY_FAULT_NONE)
			continue;
		if (first)
			read_first_line(&e, line.text);
		else
			read_extension(&e, line.text, &standard_auth);
		first = false;
	}
	e.auth_equals_only = e.auth_equals && !standard_auth;
	*extensions_out = e;
}

bool smtp_extensions_offer_mechanism(const struct smtp_extensions *e, struct span name)
{
	for (size_t i = 0; i < e->mechanism_count; i++) {
		if (span_equal_nocase(span_from_string(e->mechanisms[i]), name))
			return true;
	}
	return false;
}

static bool append_word(struct buf *b, size_t begin, const char *word)
{
	return (b->len == begin || buf_append_byte(b, ' ')) && buf_append_string(b, word);
}

bool smtp_extensions_format(const struct smtp_extensions *e, struct buf *b)
{
	const struct {
		bool offered;
		const char *name;
	} rows[] = {
		{ e->pipelining, "PIPELINING" },
		{ e->size && e->size_max == 0, "SIZE" },
		{ e->size && e->size_max != 0, "SIZE=" },
		{ e->eight_bit_mime, "8BITMIME" },
		{ e->smtputf8, "SMTPUTF8" },
		{ e->chunking, "CHUNKING" },
		{ e->enhanced_status_codes, "ENHANCEDSTATUSCODES" },
		{ e->dsn, "DSN" },
		{ e->limits, "LIMITS" },
		{ e->requiretls, "REQUIRETLS" },
		{ e->starttls, "STARTTLS" },
	};
	size_t begin = b->len;
	bool fits = true;

	for (size_t i = 0; i < ARRAY_LEN(rows) && fits; i++) {
		if (!rows[i].offered)
			continue;
		fits = append_word(b, begin, rows[i].name);
		if (fits && strcmp(rows[i].name, "SIZE=") == 0)
			fits = buf_printf(b, "%" PRIu64, e->size_max);
	}
	if (!fits)
		buf_truncate(b, begin);
	return fits;
}

bool smtp_greeting_is_masked(struct span text)
{
	return span_find_span(text, SPAN("********")) < text.len;
}
