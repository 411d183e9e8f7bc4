/* SPDX-License-Identifier: MIT */
#include "message/report.h"

#include "base/escape.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "message/part.h"
#include "message/remedy.h"
#include "message/status_words.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum {
	TEXT_LINE_MAX = 900, /* bytes of foreign text in one line, escaped */
	FOLD_COLUMN = 72,
	ESCAPED_MAX = MESSAGE_REPORT_REPLY_MAX * ESCAPE_CHARACTER_MAX,
	CONTENT_MAX = 64 * 1024, /* of a part without its recipients, and for each of them */
};

/* ---- Foreign text ---- */

static struct span limit(struct span text, size_t max)
{
	return span_head(text, text.len < max ? text.len : max);
}

/* Escaped, at most max bytes of it. In a field, which is ASCII, a byte beyond is escaped too. */
static void append_escaped(struct buf *b, struct span text, size_t max, bool ascii)
{
	char out[ESCAPE_CHARACTER_MAX];

	while (text.len) {
		struct span at = ascii ? span_head(text, 1) : text, rest = at;
		size_t n = escape_take(&rest, out);

		if (n > max)
			return;
		buf_append(b, span_of(out, n));
		max -= n;
		text = span_skip(text, at.len - rest.len);
	}
}

static bool is_eight_bit(char c)
{
	return (unsigned char)c > 127;
}

static bool is_ascii(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (is_eight_bit(text.data[i]))
			return false;
	}
	return true;
}

/* Well-formed, as escape_take() sees it: every letter outside ASCII is shown as it is. */
static bool is_utf8(struct span text)
{
	char out[ESCAPE_CHARACTER_MAX];

	while (text.len) {
		bool eight_bit = is_eight_bit(text.data[0]);

		escape_take(&text, out);
		if (eight_bit && !is_eight_bit(out[0]))
			return false;
	}
	return true;
}

/* With letters outside ASCII, and not only bytes. */
static bool is_global_address(struct span text)
{
	return !is_ascii(text) && is_utf8(text);
}

/* As it is, for fields and words alike. Only what a field cannot hold is escaped: the backslash of
   a quoted local part must stay single. Cut at a letter. */
static void append_text(struct buf *b, struct span text, bool utf8)
{
	size_t len_max = b->len + TEXT_LINE_MAX - 2 * ESCAPE_CHARACTER_MAX;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (b->len > len_max && ((unsigned char)c & 0xc0) != 0x80)
			return;
		if ((c >= ' ' && c <= '~') || (utf8 && is_eight_bit(c)))
			buf_append_byte(b, c);
		else
			buf_printf(b, "\\x%02x", (unsigned char)c);
	}
}

/* A host name or the like. */
static void append_name(struct buf *b, struct span name)
{
	append_text(b, name, false);
}

/* Letters outside ASCII stand as they are, which makes it a report of RFC 6533. */
static void append_address(struct buf *b, struct span address)
{
	append_text(b, address, is_global_address(address));
}

/* How much of text stands in one line of at most max bytes: up to a blank in its second half if
   there is one, and never a part of a character. */
static size_t line_piece(struct span text, size_t max)
{
	size_t n = max;

	if (text.len <= max)
		return text.len;
	while (n > max / 2 && text.data[n] != ' ')
		n--;
	if (text.data[n] == ' ')
		return n;
	for (n = max; n > max - 4 && ((unsigned char)text.data[n] & 0xc0) == 0x80;)
		n--;
	return n;
}

/* How much of text stands in a line with room for width bytes: up to a blank. A word that is
   longer stands there whole, up to TEXT_LINE_MAX. */
static size_t fold_piece(struct span text, size_t width)
{
	size_t n = width;

	if (text.len <= width)
		return text.len;
	while (n > 1 && text.data[n] != ' ')
		n--;
	if (text.data[n] != ' ')
		n = span_find(span_skip(text, 1), ' ') + 1;
	return n <= TEXT_LINE_MAX ? n : line_piece(text, TEXT_LINE_MAX);
}

/* The blank at a fold begins the next line; where a word was broken one is added. indent stands
   before it. */
static void append_folded(struct buf *b, struct span text, size_t column, const char *indent)
{
	while (text.len) {
		size_t n = fold_piece(text, column < FOLD_COLUMN ? FOLD_COLUMN - column : 1);

		buf_append(b, span_head(text, n));
		text = span_skip(text, n);
		if (text.len)
			buf_printf(b, "\r\n%s%s", indent, text.data[0] == ' ' ? "" : " ");
		column = 1;
	}
}

static bool take_line(struct span *text, struct span *line_out)
{
	if (!span_take_until(text, '\n', line_out))
		return false;
	if (line_out->len && line_out->data[line_out->len - 1] == '\r')
		line_out->len--;
	return true;
}

/* ---- Plain words ---- */

/* Verbatim but for escapes: each line of the reply in a line of its own, or in several. */
static void append_reply(struct buf *b, struct span reply)
{
	bool cut = reply.len > MESSAGE_REPORT_REPLY_MAX;
	struct buf escaped;
	struct span line;

	reply = limit(reply, MESSAGE_REPORT_REPLY_MAX);
	buf_init(&escaped, ESCAPED_MAX);
	while (take_line(&reply, &line)) {
		append_escaped(&escaped, line, ESCAPED_MAX, false);
		while (escaped.len) {
			size_t n = line_piece(buf_span(&escaped), TEXT_LINE_MAX);

			buf_append_string(b, "      ");
			buf_append(b, span_head(buf_span(&escaped), n));
			buf_append_string(b, "\r\n");
			buf_consume(&escaped, n);
		}
	}
	buf_fini(&escaped);
	if (cut)
		buf_append_string(b, "      ...\r\n");
}

static void append_sentence(struct buf *b, struct span sentence)
{
	struct buf escaped;

	if (!sentence.len)
		return;
	buf_init(&escaped, ESCAPED_MAX);
	append_escaped(&escaped, sentence, ESCAPED_MAX, false);
	buf_append_string(b, "  ");
	append_folded(b, buf_span(&escaped), 2, " ");
	buf_append_string(b, "\r\n");
	buf_fini(&escaped);
}

static void append_attempts(struct buf *b, const struct message_report_recipient *r)
{
	char date[MOMENT_TEXT_MAX];

	if (!r->attempts)
		return;
	if (r->attempts == 1)
		buf_append_string(b, "  It was tried once");
	else
		buf_printf(b, "  It was tried %u times", r->attempts);
	if (r->last_attempt_wall_ms)
		buf_printf(b, "%s %s", r->attempts == 1 ? "," : ", last",
		    moment_format_rfc5322(r->last_attempt_wall_ms, date));
	buf_append_string(b, ".\r\n");
}

/* What the provider means, for who runs this relay; else what the status says. */
static void append_advice(struct buf *b, const struct message_report_recipient *r)
{
	const struct message_remedy *remedy = message_remedy_find(r->reply);
	char text[512];

	if (!remedy) {
		append_sentence(b, span_from_string(message_status_words(r->status)));
		return;
	}
	snprintf(text, sizeof(text), "That means: %s.", remedy->meaning);
	append_sentence(b, span_from_string(text));
	if (remedy->what_to_do[0] == '\0')
		return;
	snprintf(text, sizeof(text), "Who runs this relay can help: %s.", remedy->what_to_do);
	append_sentence(b, span_from_string(text));
}

static void append_recipient_words(struct buf *b, const struct message_report_recipient *r)
{
	buf_append_string(b, "\r\n<");
	append_address(b, r->address);
	buf_append_string(b, ">\r\n");
	append_sentence(b, r->reason);
	if (r->reply.len) {
		buf_append_string(b, "  ");
		append_name(b, r->hop.len ? r->hop : SPAN("The mail server"));
		buf_append_string(b, " said:\r\n");
		append_reply(b, r->reply);
	}
	append_advice(b, r);
	append_attempts(b, r);
}

static size_t count_kind(const struct message_report *report, enum message_report_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < report->recipient_count; i++)
		count += report->recipients[i].kind == kind;
	return count;
}

static void append_opening(
    struct buf *b, const struct message_report *report, enum message_report_kind kind)
{
	const char *whom = count_kind(report, kind) == 1 ? "the recipient" : "the recipients";
	char date[MOMENT_TEXT_MAX];

	switch (kind) {
	case MESSAGE_REPORT_FAILURE:
		buf_printf(b,
		    "Your message could not be delivered to %s below.\r\n"
		    "It will not be tried again.\r\n",
		    whom);
		break;
	case MESSAGE_REPORT_DELAY:
		buf_printf(b,
		    "Your message could not be delivered yet to %s below.\r\n"
		    "Nothing needs to be done: it is still being tried",
		    whom);
		if (report->give_up_wall_ms)
			buf_printf(b, ", until\r\n%s",
			    moment_format_rfc5322(report->give_up_wall_ms, date));
		buf_append_string(b, ".\r\n");
		break;
	case MESSAGE_REPORT_RELAYED:
		buf_printf(b,
		    "Your message was passed on for %s below, to a mail server that\r\n"
		    "does not report on deliveries. You will hear of it again only if it "
		    "fails.\r\n",
		    whom);
		break;
	case MESSAGE_REPORT_DELIVERED:
		buf_printf(b, "Your message was delivered to %s below.\r\n", whom);
		break;
	}
}

/* "  Label:  value", escaped, when there is one. */
static void append_about(struct buf *b, const char *label, struct span value)
{
	if (!value.len)
		return;
	buf_printf(b, "  %-12s", label);
	append_escaped(b, value, TEXT_LINE_MAX, false);
	buf_append_string(b, "\r\n");
}

static void append_recipients_of(
    struct buf *b, const struct message_report *report, enum message_report_kind kind)
{
	for (size_t i = 0; i < report->recipient_count; i++) {
		if (report->recipients[i].kind == kind)
			append_recipient_words(b, &report->recipients[i]);
	}
}

static void append_words(struct buf *b, const struct message_report *report)
{
	char date[MOMENT_TEXT_MAX], id[ID_TEXT_SIZE];

	buf_append_string(b, "This is the mail relay ");
	append_name(b, report->hostname);
	buf_append_string(b, ".\r\n\r\n");
	append_opening(b, report, report->kind);
	buf_append_string(b, "\r\n");
	append_about(b, "Subject:", report->subject);
	append_about(b, "Message-ID:", report->original_message_id);
	append_about(
	    b, "Received:", span_from_string(moment_format_rfc5322(report->arrival_wall_ms, date)));
	append_about(b, "Queue id:", span_from_string(id_format(report->message_id, id)));
	append_recipients_of(b, report, report->kind);
	for (unsigned kind = 0; kind <= MESSAGE_REPORT_DELIVERED; kind++) {
		if (kind == report->kind || !count_kind(report, kind))
			continue;
		buf_append_string(b, "\r\n");
		append_opening(b, report, kind);
		append_recipients_of(b, report, kind);
	}
	buf_append_string(b, "\r\nBy its queue id the relay's operator finds the message.\r\n");
}

/* ---- Fields for machines (RFC 3464, 2.2 and 2.3) ---- */

static void append_name_field(struct buf *b, const char *name, struct span value)
{
	buf_printf(b, "%s ", name);
	append_name(b, value);
	buf_append_string(b, "\r\n");
}

static void append_address_field(struct buf *b, const char *name, struct span address)
{
	buf_printf(b, "%s ", name);
	append_address(b, address);
	buf_append_string(b, "\r\n");
}

static void append_date_field(struct buf *b, const char *name, int64_t wall_ms)
{
	char date[MOMENT_TEXT_MAX];

	if (wall_ms)
		buf_printf(b, "%s %s\r\n", name, moment_format_rfc5322(wall_ms, date));
}

/* Escaped and folded, in words with one blank between them: a folded line must not be blank. */
static void append_text_field(struct buf *b, const char *name, struct span text)
{
	struct span line, word;
	struct buf value;

	buf_init(&value, ESCAPED_MAX);
	text = limit(text, MESSAGE_REPORT_REPLY_MAX);
	while (take_line(&text, &line)) {
		while (span_take_word(&line, &word)) {
			if (value.len)
				buf_append_byte(&value, ' ');
			append_escaped(&value, word, ESCAPED_MAX, true);
		}
	}
	buf_printf(b, "%s ", name);
	append_folded(b, buf_span(&value), span_from_string(name).len + 1, "");
	buf_append_string(b, "\r\n");
	buf_fini(&value);
}

static void append_action(struct buf *b, enum message_report_kind kind, struct span status)
{
	static const struct {
		const char *action;
		struct span status; /* where the given one is none, or of another class */
		bool success;
	} rows[] = {
		[MESSAGE_REPORT_FAILURE] = { "failed", SPAN("5.0.0"), false },
		[MESSAGE_REPORT_DELAY] = { "delayed", SPAN("4.0.0"), false },
		[MESSAGE_REPORT_RELAYED] = { "relayed", SPAN("2.0.0"), true },
		[MESSAGE_REPORT_DELIVERED] = { "delivered", SPAN("2.0.0"), true },
	};
	bool valid =
	    message_status_is_valid(status) && (status.data[0] == '2') == rows[kind].success;

	buf_printf(b, "Action: %s\r\n", rows[kind].action);
	if (!valid)
		status = rows[kind].status;
	append_name_field(b, "Status:", status);
}

static void append_recipient_fields(
    struct buf *b, const struct message_report *report, const struct message_report_recipient *r)
{
	buf_append_string(b, "\r\n");
	if (r->original.len) {
		buf_append_string(b, "Original-Recipient: ");
		append_name(b, r->original_type);
		append_address_field(b, ";", r->original);
	}
	append_address_field(b,
	    is_global_address(r->address) ? "Final-Recipient: utf-8;" : "Final-Recipient: rfc822;",
	    r->address);
	append_action(b, r->kind, r->status);
	if (r->hop.len)
		append_name_field(b, "Remote-MTA: dns;", r->hop);
	if (r->reply.len)
		append_text_field(b, "Diagnostic-Code: smtp;", r->reply);
	else if (r->reason.len)
		append_text_field(b, "Diagnostic-Code: x-frank;", r->reason);
	append_date_field(b, "Last-Attempt-Date:", r->last_attempt_wall_ms);
	if (r->kind == MESSAGE_REPORT_DELAY)
		append_date_field(b, "Will-Retry-Until:", report->give_up_wall_ms);
}

static void append_fields(struct buf *b, const struct message_report *report)
{
	char id[ID_TEXT_SIZE];

	if (report->envelope_id.len)
		append_name_field(b, "Original-Envelope-Id:", report->envelope_id);
	append_name_field(b, "Reporting-MTA: dns;", report->hostname);
	append_date_field(b, "Arrival-Date:", report->arrival_wall_ms);
	buf_printf(b, "X-Frank-Message-ID: %s\r\n", id_format(report->message_id, id));
	for (size_t i = 0; i < report->recipient_count; i++)
		append_recipient_fields(b, report, &report->recipients[i]);
}

/* ---- The header of the original ---- */

/* Up to the empty line, or to the last whole line within the limit. */
static struct span header_of(struct span original)
{
	struct span head = limit(original, MESSAGE_REPORT_HEADER_MAX);
	size_t end = span_find_span(head, SPAN("\r\n\r\n"));

	if (span_starts_with(head, SPAN("\r\n")))
		return span_head(head, 0);
	if (end < head.len)
		return span_head(head, end + 2);
	if (original.len == head.len)
		return head;
	for (end = head.len; end && head.data[end - 1] != '\n';)
		end--;
	return end ? span_head(head, end) : head;
}

/* ---- The whole ---- */

enum { PART_WORDS, PART_FIELDS, PART_ORIGINAL, PART_COUNT };

/* RFC 6533, 4: some address in the fields is outside ASCII. */
static bool is_global(const struct message_report *report)
{
	for (size_t i = 0; i < report->recipient_count; i++) {
		if (is_global_address(report->recipients[i].address) ||
		    is_global_address(report->recipients[i].original))
			return true;
	}
	return false;
}

/* "<left@right>" and nothing else: only then may it stand in a field of ours. */
static bool is_message_id(struct span id)
{
	if (id.len < 3 || id.len > TEXT_LINE_MAX || id.data[0] != '<' || id.data[id.len - 1] != '>')
		return false;
	for (size_t i = 1; i < id.len - 1; i++) {
		char c = id.data[i];

		if (c <= ' ' || c > '~' || c == '<' || c == '>')
			return false;
	}
	return true;
}

static const char *subject(enum message_report_kind kind)
{
	switch (kind) {
	case MESSAGE_REPORT_FAILURE:
		return "Your message could not be delivered";
	case MESSAGE_REPORT_DELAY:
		return "Your message is delayed";
	case MESSAGE_REPORT_RELAYED:
		return "Your message was passed on";
	case MESSAGE_REPORT_DELIVERED:
		return "Your message was delivered";
	}
	return NULL;
}

static void append_header(struct buf *b, const struct message_report *report, const char *boundary)
{
	struct span original = report->original_message_id;
	char id[ID_TEXT_SIZE];

	append_date_field(b, "Date:", report->now_wall_ms);
	buf_append_string(b, "From: Mail relay <");
	append_name(b, report->from);
	buf_append_string(b, ">\r\nTo: <");
	append_address(b, report->to);
	buf_printf(b, ">\r\nSubject: %s\r\nMessage-ID: <%s.%016" PRIx64 "@", subject(report->kind),
	    id_format(report->report_id, id), report->random);
	append_name(b, report->hostname);
	buf_append_string(b, ">\r\n");
	if (is_message_id(original))
		buf_printf(b, "In-Reply-To: %.*s\r\nReferences: %.*s\r\n", SPAN_ARG(original),
		    SPAN_ARG(original));
	buf_printf(b,
	    "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=%s;\r\n"
	    "\tboundary=\"%s\"\r\n\r\n"
	    "This is a report on a delivery, in the form of RFC %s.\r\n",
	    is_global(report) ? "global-delivery-status" : "delivery-status", boundary,
	    is_global(report) ? "6533" : "3464");
}

/* RFC 2046, 5.2.1: a message inside another is not encoded, so that it must be fit as it is. Inside
   a report on one of RFC 6532 it may be (3.7 there). */
static bool can_be_whole(const struct message_report *report)
{
	if (!report->whole || report->kind != MESSAGE_REPORT_FAILURE)
		return false;
	return report->utf8_header || message_part_can_stand(report->header, true);
}

static void make_original(
    struct message_part *part, const struct message_report *report, size_t max)
{
	bool whole = can_be_whole(report);
	struct span content = whole ? report->header : header_of(report->header);
	bool global = report->utf8_header && !is_ascii(content);

	if (whole)
		*part = (struct message_part){ global ? "message/global" : "message/rfc822",
			"The message", .as_it_is = !global };
	else
		*part = (struct message_part){ global ? "message/global-headers"
						      : "text/rfc822-headers",
			"The message's header" };
	buf_init(&part->content, max + content.len);
	buf_append(&part->content, content);
}

/* The ceilings are above what the limits of each piece of text add up to. */
static void make_parts(struct message_part parts[PART_COUNT], const struct message_report *report)
{
	size_t max = CONTENT_MAX * (1 + report->recipient_count);

	parts[PART_WORDS] = (struct message_part){ "text/plain; charset=utf-8", "What happened" };
	parts[PART_FIELDS] =
	    (struct message_part){ is_global(report) ? "message/global-delivery-status"
						     : "message/delivery-status",
		    "Delivery report" };
	buf_init(&parts[PART_WORDS].content, max);
	buf_init(&parts[PART_FIELDS].content, max);
	append_words(&parts[PART_WORDS].content, report);
	append_fields(&parts[PART_FIELDS].content, report);
	make_original(&parts[PART_ORIGINAL], report, max);
}

bool message_report_format(struct buf *b, const struct message_report *report)
{
	struct message_part parts[PART_COUNT];
	char boundary[MESSAGE_BOUNDARY_SIZE];
	size_t len_before = b->len;
	struct buf header;
	bool fits;

	assert(report->to.len && report->recipient_count);
	make_parts(parts, report);
	message_boundary_choose(boundary, report->random, parts, PART_COUNT);
	buf_init(&header, CONTENT_MAX);
	append_header(&header, report, boundary);
	fits = buf_append(b, buf_span(&header));
	for (size_t i = 0; i < PART_COUNT; i++) {
		fits = fits && message_part_append(b, boundary, &parts[i]);
		buf_fini(&parts[i].content);
	}
	fits = fits && message_part_append_end(b, boundary);
	buf_fini(&header);
	if (!fits)
		buf_truncate(b, len_before);
	return fits;
}
