/* SPDX-License-Identifier: MIT */
#include "message/rewrite.h"

#include "message/address_field.h"

#define LINE_MAX_OCTETS 998 /* RFC 5322, 2.1.1 */
#define ADDRESS_MAX 1000    /* of a completed address that is looked up in the map */

struct field {
	struct span raw;  /* with its CRLF */
	struct span head; /* the name, up to and with the colon */
	struct span name;
	struct span value; /* without the CRLF that ends it */
	struct span end;   /* that CRLF; empty where the content ends in its header */
};

/* What is known before the first byte is written. */
struct survey {
	bool has_reply_to;
	bool from_is_new; /* there is a From, and the rule makes it name rules->address */
};

struct rewriter {
	const struct message_rewrite_rules *rules;
	struct message_rewrite_result *result;
	struct survey survey;
	struct buf *b;
	bool full;       /* the ceiling of b was met */
	size_t line_len; /* of the line under way in b */
	size_t longest;  /* line since begin_field() */
	struct buf completed;
};

/* ---- fields ---- */

static size_t line_end(struct span s)
{
	size_t at = span_find_span(s, SPAN("\r\n"));

	return at < s.len ? at + 2 : s.len;
}

static bool continues(struct span s)
{
	return s.len && (s.data[0] == ' ' || s.data[0] == '\t');
}

static bool take_field(struct span *header, struct field *field_out)
{
	struct span rest = *header;
	size_t colon;

	if (rest.len == 0)
		return false;
	do
		rest = span_skip(rest, line_end(rest));
	while (continues(rest));
	field_out->raw = span_head(*header, header->len - rest.len);
	*header = rest;
	colon = span_find(field_out->raw, ':');
	field_out->head = span_head(field_out->raw, colon < field_out->raw.len ? colon + 1 : colon);
	field_out->name = span_trim(span_head(field_out->raw, colon));
	field_out->value = span_skip(field_out->raw, field_out->head.len);
	field_out->end = span_skip(field_out->value, field_out->value.len);
	if (field_out->value.len >= 2 && field_out->value.data[field_out->value.len - 1] == '\n' &&
	    field_out->value.data[field_out->value.len - 2] == '\r') {
		field_out->value.len -= 2;
		field_out->end = span_of(field_out->value.data + field_out->value.len, 2);
	}
	return true;
}

static bool is_named(const struct field *field, struct span name)
{
	return span_equal_nocase(field->name, name);
}

/* ---- writing ---- */

static void end_line(struct rewriter *r, size_t len)
{
	if (len > r->longest)
		r->longest = len;
}

static void put(struct rewriter *r, struct span bytes)
{
	struct span rest = bytes;

	if (!buf_append(r->b, bytes))
		r->full = true;
	for (size_t end; (end = span_find_span(rest, SPAN("\r\n"))) < rest.len;) {
		end_line(r, r->line_len + end);
		r->line_len = 0;
		rest = span_skip(rest, end + 2);
	}
	r->line_len += rest.len;
	end_line(r, r->line_len);
}

/* For undoing: where b stood. */
static size_t begin_field(struct rewriter *r)
{
	r->line_len = r->longest = 0;
	return r->b->len;
}

static void put_unchanged(struct rewriter *r, const struct field *field)
{
	begin_field(r);
	put(r, field->raw);
}

static void put_as_it_was(struct rewriter *r, const struct field *field, size_t mark)
{
	if (r->full)
		return;
	buf_truncate(r->b, mark);
	put_unchanged(r, field);
}

static bool line_is_blank(const struct rewriter *r)
{
	struct span all = buf_span(r->b);

	return message_address_trim(span_skip(all, all.len - r->line_len)).len == 0;
}

/* Before something of this length, unless a line of its own would not help. */
static void fold_before(struct rewriter *r, size_t len)
{
	if (!r->full && r->line_len + len > LINE_MAX_OCTETS && len < LINE_MAX_OCTETS &&
	    !line_is_blank(r))
		put(r, SPAN("\r\n "));
}

static size_t longest_line(struct span s)
{
	size_t longest = 0;

	while (s.len) {
		size_t end = span_find_span(s, SPAN("\r\n"));
		if (end > longest)
			longest = end;
		s = span_skip(s, line_end(s));
	}
	return longest;
}

/* False: the new form is no good where the old one was. */
static bool lines_are_sound(const struct rewriter *r, const struct field *old)
{
	return r->longest <= LINE_MAX_OCTETS || longest_line(old->raw) > LINE_MAX_OCTETS;
}

/* ---- what stands for an address ---- */

struct edit {
	struct span local; /* all of it where domain is empty */
	struct span domain;
	bool by_map;
};

static bool completes(const struct rewriter *r, const struct message_address *address)
{
	return address->domain.len == 0 && r->rules->default_domain.len > 0;
}

static struct span without_route(const struct message_address *address)
{
	size_t before = (size_t)(address->local.data - address->address.data);

	return span_skip(address->address, before);
}

static bool find_in_map(
    struct rewriter *r, const struct message_address *address, struct span *to_out)
{
	const struct message_rewrite_rules *rules = r->rules;

	if (rules->map(rules->map_context, without_route(address), to_out))
		return true;
	buf_clear(&r->completed);
	return completes(r, address) && buf_append(&r->completed, address->local) &&
	       buf_append_byte(&r->completed, '@') &&
	       buf_append(&r->completed, rules->default_domain) &&
	       rules->map(rules->map_context, buf_span(&r->completed), to_out);
}

/* False: the address stays. */
static bool edit_of(
    struct rewriter *r, const struct message_address *address, bool mapped, struct edit *edit_out)
{
	struct span to;

	if (address->kind != MESSAGE_ADDRESS_MAILBOX)
		return false;
	if (mapped && find_in_map(r, address, &to)) {
		*edit_out = (struct edit){ .local = to, .by_map = true };
		return !span_equal_nocase(to, without_route(address));
	}
	*edit_out = (struct edit){ .local = address->local, .domain = r->rules->default_domain };
	return completes(r, address);
}

static void put_edit(struct rewriter *r, const struct edit *edit)
{
	put(r, edit->local);
	if (edit->domain.len == 0)
		return;
	put(r, SPAN("@"));
	put(r, edit->domain);
}

/* ---- lists of addresses ---- */

struct list_outcome {
	bool readable, edited;
	bool by_map;     /* the map has changed an address */
	struct span new; /* then: the first new one */
};

static struct span until(const char *begin, const char *end)
{
	return span_of(begin, (size_t)(end - begin));
}

static const char *end_of(struct span s)
{
	return s.data + s.len;
}

/* One member of a list, with all that is written before it from *cursor on. */
static void put_member(struct rewriter *r, const struct message_address *address, bool mapped,
    const char **cursor, struct list_outcome *outcome)
{
	struct span first_line = span_head(address->text, span_find(address->text, '\r'));
	struct edit edit = { .local = SPAN("") };
	bool edited = edit_of(r, address, mapped, &edit);
	size_t growth = edited ? edit.local.len + edit.domain.len + 1 : 0;

	put(r, until(*cursor, address->text.data));
	fold_before(r, first_line.len + growth + 1); /* 1: a comma */
	*cursor = address->text.data;
	if (!edited)
		return;
	put(r, until(*cursor, address->address.data));
	put_edit(r, &edit);
	*cursor = end_of(address->address);
	if (edit.by_map && !outcome->by_map)
		outcome->new = edit.local;
	outcome->edited = true;
	outcome->by_map |= edit.by_map;
}

/* The value, with every address that has another one; not what ends the field. */
static void put_list(
    struct rewriter *r, struct span value, bool mapped, struct list_outcome *outcome_out)
{
	struct message_address_list list = { .rest = value };
	struct list_outcome outcome = { 0 };
	enum message_address_result result;
	struct message_address address;
	const char *cursor = value.data;

	while ((result = message_address_next(&list, &address)) == MESSAGE_ADDRESS_FOUND)
		put_member(r, &address, mapped, &cursor, &outcome);
	put(r, until(cursor, end_of(value)));
	outcome.readable = result == MESSAGE_ADDRESS_END;
	*outcome_out = outcome;
}

/* False: the field is as it was. */
static bool rewrite_list(
    struct rewriter *r, const struct field *field, bool mapped, struct list_outcome *outcome_out)
{
	size_t mark = begin_field(r);

	put(r, field->head);
	put_list(r, field->value, mapped, outcome_out);
	put(r, field->end);
	if (outcome_out->readable && outcome_out->edited && lines_are_sound(r, field)) {
		r->result->changed = true;
		return true;
	}
	put_as_it_was(r, field, mark);
	return false;
}

/* ---- From ---- */

/* What a From field holds, for the rules that put one address in its place. */
struct holder {
	bool readable;
	unsigned mailboxes;
	bool differs;                 /* one of them from the new address */
	bool bare;                    /* one of them, and it cannot be completed */
	struct message_address first; /* mailbox; without any: the first name, or NOTHING */
};

static void note_mailbox(
    const struct rewriter *r, const struct message_address *address, struct holder *holder)
{
	if (holder->mailboxes++ == 0)
		holder->first = *address;
	if (!span_equal_nocase(without_route(address), r->rules->address))
		holder->differs = true;
	if (address->domain.len == 0 && !completes(r, address))
		holder->bare = true;
}

static struct holder look_at(const struct rewriter *r, struct span value)
{
	struct holder holder = { .first.kind = MESSAGE_ADDRESS_NOTHING };
	struct message_address_list list = { .rest = value };
	enum message_address_result result;
	struct message_address address;

	while ((result = message_address_next(&list, &address)) == MESSAGE_ADDRESS_FOUND) {
		if (address.kind == MESSAGE_ADDRESS_MAILBOX)
			note_mailbox(r, &address, &holder);
		else if (address.kind == MESSAGE_ADDRESS_NAME && holder.mailboxes == 0 &&
			 holder.first.kind == MESSAGE_ADDRESS_NOTHING)
			holder.first = address;
	}
	holder.readable = result == MESSAGE_ADDRESS_END;
	return holder;
}

/* The old From behind the new one, for those who answer. */
static void add_reply_to(struct rewriter *r, const struct field *from)
{
	struct holder holder = look_at(r, from->value);
	struct list_outcome outcome;
	size_t mark = begin_field(r);
	char first = from->value.len ? from->value.data[0] : '\0';

	if (r->survey.has_reply_to || !holder.readable || holder.mailboxes == 0 || holder.bare)
		return;
	put(r, SPAN("Reply-To:"));
	if (first != ' ' && first != '\t' && first != '\r')
		put(r, SPAN(" "));
	put_list(r, from->value, false, &outcome);
	put(r, SPAN("\r\n"));
	if (!r->full && !lines_are_sound(r, from))
		buf_truncate(r->b, mark);
	else
		r->survey.has_reply_to = true;
}

static void note_new_from(struct rewriter *r, struct span new)
{
	r->result->changed = true;
	if (!r->result->from_changed)
		r->result->from = new;
	r->result->from_changed = true;
}

static void put_name_and_address(struct rewriter *r, const struct holder *holder)
{
	const struct message_address *first = &holder->first;
	struct span to = r->rules->address;

	put(r, SPAN(" "));
	if (r->rules->from == MESSAGE_REWRITE_FROM_REPLACE ||
	    first->kind == MESSAGE_ADDRESS_NOTHING) {
		put(r, to);
	} else if (first->kind == MESSAGE_ADDRESS_NAME) {
		put(r, first->text);
		fold_before(r, to.len + 3);
		put(r, SPAN(" <"));
		put(r, to);
		put(r, SPAN(">"));
	} else {
		put(r, until(first->text.data, first->address.data));
		put(r, to);
		put(r, until(end_of(first->address), end_of(first->text)));
	}
}

/* REPLACE and KEEP_NAME. */
static void set_from(struct rewriter *r, const struct field *field)
{
	struct holder holder = look_at(r, field->value);
	size_t mark = begin_field(r);
	bool replaces = r->rules->from == MESSAGE_REWRITE_FROM_REPLACE;

	if (!replaces && (!holder.readable || (holder.mailboxes == 1 && !holder.differs))) {
		r->result->left_alone += !holder.readable;
		put(r, field->raw);
		return;
	}
	put(r, field->head);
	put_name_and_address(r, &holder);
	put(r, SPAN("\r\n"));
	if (r->full)
		return;
	if (span_equal(span_skip(buf_span(r->b), mark), field->raw))
		return;
	if (!lines_are_sound(r, field)) {
		r->result->left_alone++;
		put_as_it_was(r, field, mark);
		return;
	}
	note_new_from(r, r->rules->address);
	if (holder.differs)
		add_reply_to(r, field);
}

static void map_from(struct rewriter *r, const struct field *field)
{
	bool mapped = r->rules->from == MESSAGE_REWRITE_FROM_MAP;
	struct list_outcome outcome;

	if (!rewrite_list(r, field, mapped, &outcome)) {
		r->result->left_alone += !outcome.readable || outcome.edited;
		return;
	}
	if (!outcome.by_map)
		return;
	if (field->end.len == 0)
		put(r, SPAN("\r\n"));
	note_new_from(r, outcome.new);
	add_reply_to(r, field);
}

static bool sets_from(const struct message_rewrite_rules *rules)
{
	return rules->from == MESSAGE_REWRITE_FROM_REPLACE ||
	       rules->from == MESSAGE_REWRITE_FROM_KEEP_NAME;
}

/* ---- Sender ---- */

/* It names who has really sent the message: next to a From of ours it would contradict. */
static void rewrite_sender(struct rewriter *r, const struct field *field)
{
	struct list_outcome outcome;
	struct holder holder;

	if (!r->survey.from_is_new) {
		rewrite_list(r, field, r->rules->from == MESSAGE_REWRITE_FROM_MAP, &outcome);
		r->result->left_alone += !outcome.readable;
		return;
	}
	holder = look_at(r, field->value);
	begin_field(r);
	if (holder.readable && holder.mailboxes == 1 && !holder.differs)
		put(r, field->raw);
	else
		r->result->changed = true;
}

/* ---- the header ---- */

static bool is_list(const struct field *field)
{
	return is_named(field, SPAN("To")) || is_named(field, SPAN("Cc")) ||
	       is_named(field, SPAN("Bcc")) || is_named(field, SPAN("Reply-To"));
}

static void rewrite_field(struct rewriter *r, const struct field *field)
{
	struct list_outcome outcome;

	if (is_named(field, SPAN("From")) && sets_from(r->rules))
		set_from(r, field);
	else if (is_named(field, SPAN("From")))
		map_from(r, field);
	else if (is_named(field, SPAN("Sender")))
		rewrite_sender(r, field);
	else if (is_list(field) && r->rules->default_domain.len > 0)
		rewrite_list(r, field, false, &outcome);
	else
		put_unchanged(r, field);
}

static struct survey survey(const struct rewriter *r, struct span header)
{
	struct survey found = { 0 };
	struct field field;

	while (take_field(&header, &field)) {
		if (is_named(&field, SPAN("Reply-To")))
			found.has_reply_to = true;
		else if (is_named(&field, SPAN("From")) && sets_from(r->rules))
			found.from_is_new |= r->rules->from == MESSAGE_REWRITE_FROM_REPLACE ||
					     look_at(r, field.value).readable;
	}
	return found;
}

bool message_rewrite(struct buf *b, struct span header, const struct message_rewrite_rules *rules,
    struct message_rewrite_result *result_out)
{
	struct message_rewrite_result result = { 0 };
	struct rewriter r = { .rules = rules, .result = &result, .b = b };
	size_t mark = b->len;
	struct field field;

	buf_init(&r.completed, ADDRESS_MAX);
	r.survey = survey(&r, header);
	while (!r.full && take_field(&header, &field))
		rewrite_field(&r, &field);
	buf_fini(&r.completed);
	if (r.full) {
		buf_truncate(b, mark);
		return false;
	}
	*result_out = result;
	return true;
}
