/* SPDX-License-Identifier: MIT */
#include "message/trace_fields.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum {
	COLUMNS_MAX = 76,      /* RFC 5322, 2.1.1: 78, here with the CR and a semicolon */
	NAME_MAX_LEN = 255,    /* of a host name (RFC 5321, 4.5.3.1.2) and the like */
	ADDRESS_MAX_LEN = 512, /* longer than any path (RFC 5321, 4.5.3.1.3) */
	WORD_MAX = 640,
};

/* ---- Bytes from outside ---- */

static bool is_printable(char c)
{
	return c > ' ' && c <= '~';
}

static bool is_special(char c)
{
	return span_find(SPAN("()<>@,;:\\\""), c) < 10;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]": its colons are no specials (RFC 5321, 4.1.3). */
static bool is_address_literal(struct span name)
{
	if (name.len < 3 || name.data[0] != '[' || name.data[name.len - 1] != ']')
		return false;
	for (size_t i = 1; i < name.len - 1; i++) {
		char c = name.data[i];

		if (!byte_is_alpha(c) && !byte_is_digit(c) && c != '.' && c != ':' && c != '-')
			return false;
	}
	return true;
}

static void append_clean(struct buf *b, struct span name)
{
	bool literal = is_address_literal(name);

	if (name.len > NAME_MAX_LEN)
		name.len = NAME_MAX_LEN;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		buf_append_byte(b, is_printable(c) && (literal || !is_special(c)) ? c : '?');
	}
}

/* An address may hold a quoted string, and with it a blank. One that holds more than that is left
   out by the callers: a changed address would be somebody else's. */
static bool is_clean_address(struct span address, bool eight_bit)
{
	for (size_t i = 0; i < address.len; i++) {
		char c = address.data[i];
		bool is_letter =
		    is_printable(c) || c == ' ' || (eight_bit && (unsigned char)c > 127);

		if (!is_letter || c == '<' || c == '>')
			return false;
	}
	return address.len <= ADDRESS_MAX_LEN;
}

/* ---- Folding ---- */

/* A field under way: words are collected one at a time, so that a fold can stand between them. */
struct field {
	struct buf text;
	struct buf word;
	size_t column;
};

static void field_begin(struct field *f, const char *name)
{
	buf_init(&f->text, MESSAGE_PREFIX_MAX);
	buf_init(&f->word, WORD_MAX);
	buf_append_string(&f->text, name);
	f->column = f->text.len;
}

/* Puts the word behind what is there, on a new line when this one has no room. */
static void field_add_word(struct field *f)
{
	bool fold = f->column + 1 + f->word.len > COLUMNS_MAX;

	buf_append_string(&f->text, fold ? "\r\n\t" : " ");
	buf_append(&f->text, buf_span(&f->word));
	f->column = (fold ? 0 : f->column) + 1 + f->word.len;
	buf_clear(&f->word);
}

static void field_add_string(struct field *f, const char *word)
{
	buf_append_string(&f->word, word);
	field_add_word(f);
}

static bool field_end(struct field *f, struct buf *b)
{
	bool fits;

	buf_append_string(&f->text, "\r\n");
	fits = buf_append(b, buf_span(&f->text));
	buf_fini(&f->text);
	buf_fini(&f->word);
	return fits;
}

/* ---- Received ---- */

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]". */
static void append_literal(struct buf *b, struct span address)
{
	bool has_tag = span_starts_with_nocase(address, SPAN("IPv6:"));
	bool is_ipv6 = span_find(address, ':') < address.len && !has_tag;
	size_t len = address.len < NAME_MAX_LEN ? address.len : NAME_MAX_LEN;

	buf_append_string(b, is_ipv6 ? "[IPv6:" : "[");
	for (size_t i = 0; i < len; i++) {
		char c = address.data[i];

		buf_append_byte(b, is_printable(c) && (c == ':' || !is_special(c)) ? c : '?');
	}
	buf_append_string(b, "]");
}

/* "from helo (name [address])" (RFC 5321, 4.4, From-domain). */
static void add_from(struct field *f, const struct message_trace *trace)
{
	bool has_address = trace->client_address.len != 0;

	if (!trace->helo.len && !has_address)
		return;
	buf_append_string(&f->word, "from ");
	if (trace->helo.len)
		append_clean(&f->word, trace->helo);
	else
		append_literal(&f->word, trace->client_address);
	field_add_word(f);
	if (!has_address)
		return;
	buf_append_string(&f->word, "(");
	if (trace->client_name.len) {
		append_clean(&f->word, trace->client_name);
		field_add_word(f);
	}
	append_literal(&f->word, trace->client_address);
	buf_append_string(&f->word, ")");
	field_add_word(f);
}

/* RFC 3848: S for TLS, A for AUTH. Plain SMTP knows neither. RFC 6531, 4.3: UTF8SMTP. */
static const char *protocol_name(const struct message_trace *trace)
{
	static const char *const utf8smtp[] = { "UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA",
		"UTF8SMTPSA" };
	static const char *const esmtp[] = { "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA" };
	static const char *const lmtp[] = { "LMTP", "LMTPS", "LMTPA", "LMTPSA" };
	int form = (trace->tls_active ? 1 : 0) + (trace->authenticated ? 2 : 0);

	switch (trace->protocol) {
	case MESSAGE_PROTOCOL_SMTP:
		return form ? esmtp[form] : "SMTP";
	case MESSAGE_PROTOCOL_ESMTP:
		return trace->smtputf8 ? utf8smtp[form] : esmtp[form];
	case MESSAGE_PROTOCOL_LMTP:
		return lmtp[form];
	case MESSAGE_PROTOCOL_LOCAL:
		return "local";
	}
	return NULL;
}

static void add_tls(struct field *f, const struct message_trace *trace)
{
	if (!trace->tls_active || !trace->tls_version.len)
		return;
	buf_append_string(&f->word, "(");
	append_clean(&f->word, trace->tls_version);
	if (trace->tls_cipher.len) {
		field_add_word(f);
		append_clean(&f->word, trace->tls_cipher);
	}
	buf_append_string(&f->word, ")");
	field_add_word(f);
}

/* One outside ASCII is left out: our field must not be what keeps a message from servers without
   SMTPUTF8. */
static void add_recipient(struct field *f, struct span recipient)
{
	if (!recipient.len || !is_clean_address(recipient, false))
		return;
	field_add_string(f, "for");
	buf_printf(&f->word, "<%.*s>", SPAN_ARG(recipient));
	field_add_word(f);
}

/* The semicolon belongs to the word before it; the date folds as a whole. */
static void add_date(struct field *f, int64_t wall_ms)
{
	char date[MOMENT_TEXT_MAX];

	buf_append_string(&f->text, ";");
	f->column++;
	field_add_string(f, moment_format_rfc5322(wall_ms, date));
}

bool message_received_format(struct buf *b, const struct message_trace *trace)
{
	char id[ID_TEXT_SIZE];
	struct field f;

	field_begin(&f, "Received:");
	add_from(&f, trace);
	buf_append_string(&f.word, "by ");
	append_clean(&f.word, trace->hostname);
	field_add_word(&f);
	buf_printf(&f.word, "with %s", protocol_name(trace));
	field_add_word(&f);
	add_tls(&f, trace);
	buf_printf(&f.word, "id %s", id_format(trace->message_id, id));
	field_add_word(&f);
	add_recipient(&f, trace->recipient);
	add_date(&f, trace->received_wall_ms);
	return field_end(&f, b);
}

/* ---- The other fields ---- */

bool message_return_path_format(struct buf *b, struct span reverse_path)
{
	if (!is_clean_address(reverse_path, true))
		reverse_path.len = 0;
	return buf_printf(b, "Return-Path: <%.*s>\r\n", SPAN_ARG(reverse_path));
}

static void append_message_id(struct buf *b, const struct message_trace *trace)
{
	char id[ID_TEXT_SIZE];

	buf_printf(
	    b, "Message-ID: <%s.%016" PRIx64 "@", id_format(trace->message_id, id), trace->random);
	append_clean(b, trace->hostname);
	buf_append_string(b, ">\r\n");
}

static void append_date(struct buf *b, const struct message_trace *trace)
{
	char date[MOMENT_TEXT_MAX];

	buf_printf(b, "Date: %s\r\n", moment_format_rfc5322(trace->received_wall_ms, date));
}

/* A bare name gets our domain: RFC 5322 knows no address without one. */
static void append_from(struct buf *b, const struct message_trace *trace)
{
	struct span from = trace->reverse_path;

	if (!from.len || !is_clean_address(from, trace->smtputf8))
		from = SPAN("MAILER-DAEMON");
	buf_append_string(b, "From: ");
	buf_append(b, from);
	if (span_find(from, '@') == from.len) {
		buf_append_string(b, "@");
		append_clean(b, trace->hostname);
	}
	buf_append_string(b, "\r\n");
}

static void append_missing(struct buf *b, const struct message_header *h, bool has_header,
    const struct message_trace *trace)
{
	if (!has_header || !h->has_message_id)
		append_message_id(b, trace);
	if (!has_header || !h->has_date)
		append_date(b, trace);
	if (!has_header || !h->has_from)
		append_from(b, trace);
}

static bool has_header(const struct message_header *h)
{
	switch (h->shape) {
	case MESSAGE_HEADER_PROPER:
	case MESSAGE_HEADER_TOO_LARGE:
		return true;
	case MESSAGE_HEADER_MISSING:
	case MESSAGE_HEADER_RUNS_INTO_BODY:
		return false;
	case MESSAGE_HEADER_UNDECIDED:
		break;
	}
	assert(!"the shape is decided");
	return false;
}

bool message_prefix_format(
    struct buf *b, const struct message_header *h, const struct message_trace *trace)
{
	struct buf prefix;
	bool fits;

	buf_init(&prefix, MESSAGE_PREFIX_MAX);
	message_received_format(&prefix, trace);
	if (trace->submitted && h->shape != MESSAGE_HEADER_TOO_LARGE)
		append_missing(&prefix, h, has_header(h), trace);
	if (!has_header(h))
		buf_append_string(&prefix, "\r\n");
	fits = buf_append(b, buf_span(&prefix));
	buf_fini(&prefix);
	return fits;
}
