/* SPDX-License-Identifier: MIT */
#include "message/from.h"

void message_from_init(struct message_from *from, struct span header)
{
	*from = (struct message_from){ .header = header };
}

static struct span take_line(struct span *s)
{
	size_t at = span_find_span(*s, SPAN("\r\n"));
	struct span line = span_head(*s, at);

	*s = span_skip(*s, at < s->len ? at + 2 : at);
	return line;
}

/* The next field with its folds, without the CRLF that ends it. */
static bool take_field(struct span *header, struct span *field_out)
{
	struct span rest = *header, line;

	if (rest.len == 0)
		return false;
	do
		line = take_line(&rest);
	while (rest.len > 0 && (rest.data[0] == ' ' || rest.data[0] == '\t'));
	*field_out = span_head(*header, (size_t)(line.data + line.len - header->data));
	*header = rest;
	return true;
}

static bool next_field(struct message_from *from)
{
	struct span field;

	while (take_field(&from->header, &field)) {
		size_t colon = span_find(field, ':');
		if (!span_equal_nocase(span_trim(span_head(field, colon)), SPAN("from")))
			continue;
		from->list = (struct message_address_list){
			.rest = span_skip(field, colon < field.len ? colon + 1 : colon),
		};
		from->in_field = true;
		from->found = 0;
		return true;
	}
	return false;
}

/* Within the field. END: it has no more. */
static enum message_from_result next_address(
    struct message_from *from, struct span *local_out, struct span *domain_out)
{
	struct message_address address;

	for (;;) {
		switch (message_address_next(&from->list, &address)) {
		case MESSAGE_ADDRESS_END:
			return from->found > 0 ? MESSAGE_FROM_END : MESSAGE_FROM_UNREADABLE;
		case MESSAGE_ADDRESS_UNREADABLE:
			return MESSAGE_FROM_UNREADABLE;
		case MESSAGE_ADDRESS_FOUND:
			break;
		}
		if (address.kind == MESSAGE_ADDRESS_NAME)
			return MESSAGE_FROM_UNREADABLE;
		if (address.kind != MESSAGE_ADDRESS_MAILBOX)
			continue;
		from->found++;
		*local_out = address.local;
		*domain_out = address.domain;
		return MESSAGE_FROM_FOUND;
	}
}

enum message_from_result message_from_next(
    struct message_from *from, struct span *local_out, struct span *domain_out)
{
	enum message_from_result result;

	for (;;) {
		if (!from->in_field && !next_field(from))
			return MESSAGE_FROM_END;
		result = next_address(from, local_out, domain_out);
		if (result != MESSAGE_FROM_END)
			return result;
		from->in_field = false;
	}
}
