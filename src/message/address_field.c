/* SPDX-License-Identifier: MIT */
#include "message/address_field.h"

#define COMMENT_DEPTH_MAX 20

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool starts_with_fold(struct span s)
{
	return s.len > 2 && s.data[0] == '\r' && s.data[1] == '\n' && is_blank(s.data[2]);
}

/* CR and LF count as blanks here: the ends of a field that is already cut out of its header. */
struct span message_address_trim(struct span s)
{
	while (s.len && (is_blank(s.data[0]) || s.data[0] == '\r' || s.data[0] == '\n'))
		s = span_skip(s, 1);
	while (s.len && (is_blank(s.data[s.len - 1]) || s.data[s.len - 1] == '\r' ||
			    s.data[s.len - 1] == '\n'))
		s.len--;
	return s;
}

/* ---- tokens ---- */

/* What cannot stand anywhere: control bytes, and a CR or LF that is not part of a fold. */
static bool is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 127;
}

static bool is_special(char c)
{
	return c == '(' || c == ')' || c == '<' || c == '>' || c == '[' || c == ']' || c == ':' ||
	       c == ';' || c == '@' || c == ',' || c == '"' || c == '\\';
}

/* Takes blanks and folds off *s. */
static void skip_blanks(struct span *s)
{
	for (;;) {
		if (s->len && is_blank(s->data[0]))
			*s = span_skip(*s, 1);
		else if (starts_with_fold(*s))
			*s = span_skip(*s, 3);
		else
			return;
	}
}

/* A backslash and the byte behind it. */
static bool skip_pair(struct span *s)
{
	if (s->len < 2 || is_control(s->data[1]))
		return false;
	*s = span_skip(*s, 2);
	return true;
}

/* Takes one byte, fold or pair off the inside of a comment, quoted string or literal. */
static bool skip_inside(struct span *s)
{
	if (starts_with_fold(*s))
		*s = span_skip(*s, 3);
	else if (s->data[0] == '\\')
		return skip_pair(s);
	else if (is_control(s->data[0]))
		return false;
	else
		*s = span_skip(*s, 1);
	return true;
}

/* *s begins with "(". */
static bool skip_comment(struct span *s)
{
	struct span rest = span_skip(*s, 1);
	unsigned depth = 1;

	while (depth > 0) {
		if (rest.len == 0 || depth > COMMENT_DEPTH_MAX)
			return false;
		if (rest.data[0] == '(' || rest.data[0] == ')') {
			depth += rest.data[0] == '(' ? 1 : -1u;
			rest = span_skip(rest, 1);
		} else if (!skip_inside(&rest)) {
			return false;
		}
	}
	*s = rest;
	return true;
}

/* Takes all that means nothing off *s (CFWS). */
static bool skip_comments(struct span *s)
{
	for (;;) {
		skip_blanks(s);
		if (s->len == 0 || s->data[0] != '(')
			return true;
		if (!skip_comment(s))
			return false;
	}
}

/* *s begins with the opening byte: a quoted string or a domain literal. */
static bool skip_until(struct span *s, char end)
{
	struct span rest = span_skip(*s, 1);

	while (rest.len && rest.data[0] != end)
		if (!skip_inside(&rest))
			return false;
	if (rest.len == 0)
		return false;
	*s = span_skip(rest, 1);
	return true;
}

static void skip_atom(struct span *s)
{
	while (
	    s->len && !is_special(s->data[0]) && !is_blank(s->data[0]) && !is_control(s->data[0]))
		*s = span_skip(*s, 1);
}

/* Atoms and quoted strings without a blank between them. False when none begins here, or a string
   does not end. */
static bool take_run(struct span *s, struct span *run_out)
{
	struct span rest = *s;

	for (;;) {
		size_t before = rest.len;
		skip_atom(&rest);
		if (rest.len && rest.data[0] == '"' && !skip_until(&rest, '"'))
			return false;
		if (rest.len == before)
			break;
	}
	*run_out = span_head(*s, s->len - rest.len);
	*s = rest;
	return run_out->len > 0;
}

static bool has_quotes(struct span s)
{
	return span_find(s, '"') < s.len;
}

static bool take_domain(struct span *s, struct span *domain_out)
{
	struct span rest = *s;

	if (rest.len && rest.data[0] == '[') {
		if (!skip_until(&rest, ']'))
			return false;
		*domain_out = span_head(*s, s->len - rest.len);
		*s = rest;
		return span_find_span(*domain_out, SPAN("\r")) == domain_out->len;
	}
	return take_run(s, domain_out) && !has_quotes(*domain_out);
}

/* ---- an address in angle brackets ---- */

/* "@one.example,@two.example:" (RFC 5322, 4.4): read and not used. */
static bool skip_route(struct span *s)
{
	struct span rest = *s, domain;

	if (rest.len == 0 || rest.data[0] != '@')
		return true;
	while (rest.len && (rest.data[0] == '@' || rest.data[0] == ',')) {
		bool is_domain = rest.data[0] == '@';
		rest = span_skip(rest, 1);
		if ((is_domain && !take_domain(&rest, &domain)) || !skip_comments(&rest))
			return false;
	}
	if (rest.len == 0 || rest.data[0] != ':')
		return false;
	*s = span_skip(rest, 1);
	return skip_comments(s);
}

/* *s begins with "<". "<>" gives an empty address. */
static bool take_angle(struct span *s, struct message_address *address)
{
	struct span rest = span_skip(*s, 1), begin, domain = SPAN(""), local = SPAN("");

	if (!skip_comments(&rest))
		return false;
	begin = rest;
	if (rest.len && rest.data[0] != '>') {
		if (!skip_route(&rest) || !take_run(&rest, &local))
			return false;
		if (rest.len && rest.data[0] == '@') {
			rest = span_skip(rest, 1);
			if (!take_domain(&rest, &domain))
				return false;
		}
	}
	address->address = span_head(begin, begin.len - rest.len);
	address->local = local;
	address->domain = domain;
	if (!skip_comments(&rest) || rest.len == 0 || rest.data[0] != '>')
		return false;
	*s = span_skip(rest, 1);
	return true;
}

/* ---- what stands between two commas ---- */

enum shape {
	SHAPE_NOTHING,
	SHAPE_WORD,    /* one run: a bare name, or a name of one word */
	SHAPE_ADDRESS, /* local@domain */
	SHAPE_WORDS,
	SHAPE_ODD, /* of use only as the name before an address in brackets */
};

struct item {
	enum shape shape;
	struct span local, domain; /* the first run, and what is behind its @ */
};

/* The first run, with its domain when an @ follows at once. */
static bool take_first(struct span *s, struct item *item)
{
	if (!take_run(s, &item->local))
		return false;
	item->shape = SHAPE_WORD;
	if (s->len == 0 || s->data[0] != '@')
		return true;
	*s = span_skip(*s, 1);
	item->shape = take_domain(s, &item->domain) ? SHAPE_ADDRESS : SHAPE_ODD;
	return true;
}

/* Anything else: a further run, or a byte that a name should not hold. */
static bool take_more(struct span *s, struct item *item)
{
	struct span run;

	if (is_control(s->data[0]) || s->data[0] == '>' || s->data[0] == ')')
		return false;
	if (s->data[0] == '"' || !is_special(s->data[0])) {
		bool is_word = item->shape == SHAPE_WORD || item->shape == SHAPE_WORDS;
		if (!take_run(s, &run))
			return false;
		item->shape = is_word ? SHAPE_WORDS : SHAPE_ODD;
		return true;
	}
	item->shape = SHAPE_ODD;
	*s = span_skip(*s, 1);
	return true;
}

static bool ends_item(struct span s)
{
	return s.len == 0 || s.data[0] == ',' || s.data[0] == ';' || s.data[0] == '<' ||
	       s.data[0] == ':';
}

/* Up to the byte that ends it, which stays. */
static bool take_item(struct span *s, struct item *item)
{
	*item = (struct item){ .shape = SHAPE_NOTHING };
	for (;;) {
		if (!skip_comments(s))
			return false;
		if (ends_item(*s))
			return true;
		if (item->shape == SHAPE_NOTHING &&
		    (s->data[0] == '"' || !is_special(s->data[0]))) {
			if (is_control(s->data[0]) || !take_first(s, item))
				return false;
		} else if (!take_more(s, item)) {
			return false;
		}
	}
}

/* A word that no program means as an address: in quotes, encoded (RFC 2047), or not ASCII. */
static bool is_plain_name(struct span word)
{
	if (word.data[0] == '"' || span_starts_with(word, SPAN("=?")))
		return false;
	for (size_t i = 0; i < word.len; i++)
		if ((unsigned char)word.data[i] > 127)
			return false;
	return true;
}

/* What an item without brackets is; false: nothing. */
static bool classify(const struct item *item, struct message_address *address)
{
	address->local = address->address = item->local;
	address->domain = SPAN("");
	switch (item->shape) {
	case SHAPE_NOTHING:
		address->kind = MESSAGE_ADDRESS_NOTHING;
		return true;
	case SHAPE_WORD:
		address->kind =
		    is_plain_name(item->local) ? MESSAGE_ADDRESS_MAILBOX : MESSAGE_ADDRESS_NAME;
		return true;
	case SHAPE_ADDRESS:
		address->kind = MESSAGE_ADDRESS_MAILBOX;
		address->domain = item->domain;
		address->address.len =
		    (size_t)(item->domain.data + item->domain.len - item->local.data);
		return true;
	case SHAPE_WORDS:
		address->kind = MESSAGE_ADDRESS_NAME;
		return true;
	case SHAPE_ODD:
		return false;
	}
	return false;
}

/* ---- the list ---- */

static struct span between(struct span begin, struct span end)
{
	return message_address_trim(span_head(begin, begin.len - end.len));
}

/* *rest begins with "<"; begin is where the item began. */
static bool take_bracketed(struct span begin, struct span *rest, struct message_address *address)
{
	struct span before = *rest;

	if (!take_angle(rest, address) || !skip_comments(rest))
		return false;
	address->kind = address->local.len ? MESSAGE_ADDRESS_MAILBOX : MESSAGE_ADDRESS_NAME;
	address->text = between(begin, address->local.len ? *rest : before);
	if (address->kind == MESSAGE_ADDRESS_NAME && address->text.len == 0)
		address->kind = MESSAGE_ADDRESS_NOTHING;
	return rest->len == 0 || rest->data[0] == ',' || rest->data[0] == ';';
}

/* Behind an item: the comma, or nothing before the end or a ";". */
static bool take_separator(struct span *rest, bool in_group)
{
	if (rest->len == 0)
		return !in_group;
	if (rest->data[0] == ',')
		*rest = span_skip(*rest, 1);
	else if (rest->data[0] != ';' || !in_group)
		return false;
	return true;
}

/* Behind the ";" of a group, another member of the list needs its comma. */
static bool end_group(struct span *rest, struct message_address *address)
{
	address->kind = MESSAGE_ADDRESS_GROUP_END;
	address->text = span_head(*rest, 1);
	*rest = span_skip(*rest, 1);
	if (!skip_comments(rest))
		return false;
	return take_separator(rest, false);
}

static bool begin_group(
    struct span begin, struct span *rest, const struct item *item, struct message_address *address)
{
	if (item->shape != SHAPE_WORD && item->shape != SHAPE_WORDS)
		return false;
	*rest = span_skip(*rest, 1);
	address->kind = MESSAGE_ADDRESS_GROUP;
	address->text = between(begin, *rest);
	return true;
}

static bool take_next(struct message_address_list *list, struct message_address *address)
{
	struct span begin = list->rest, *rest = &list->rest;
	struct item item;

	if (!take_item(rest, &item))
		return false;
	if (rest->len && rest->data[0] == '<')
		return take_bracketed(begin, rest, address) && take_separator(rest, list->in_group);
	if (rest->len && rest->data[0] == ':') {
		bool was_in_group = list->in_group;
		list->in_group = true;
		return !was_in_group && begin_group(begin, rest, &item, address);
	}
	if (list->in_group && item.shape == SHAPE_NOTHING && rest->len && rest->data[0] == ';') {
		list->in_group = false;
		return end_group(rest, address);
	}
	address->text = between(begin, *rest);
	return classify(&item, address) && take_separator(rest, list->in_group);
}

enum message_address_result message_address_next(
    struct message_address_list *list, struct message_address *address_out)
{
	struct message_address_list next = *list;
	struct message_address address = { 0 };

	if (message_address_trim(list->rest).len == 0)
		return list->in_group ? MESSAGE_ADDRESS_UNREADABLE : MESSAGE_ADDRESS_END;
	if (!take_next(&next, &address))
		return MESSAGE_ADDRESS_UNREADABLE;
	*list = next;
	*address_out = address;
	return MESSAGE_ADDRESS_FOUND;
}
