/* SPDX-License-Identifier: MIT */
#include "config/reader.h"

#include "config/value.h"
#include "config/via.h"

#include <string.h>

/* ---- domain: recipients, deliver ---- */

void config_read_recipients(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_domain *domain = object;
	const char *kind = statement->words[0].text;
	size_t count = !strcmp(kind, "file") ? 2 : 1;
	if (!config_expect_values(b, d, statement, 1, count))
		return;
	if (!strcmp(kind, "any")) {
		domain->recipients = CONFIG_RECIPIENTS_ANY;
	} else if (!strcmp(kind, "users")) {
		domain->recipients = CONFIG_RECIPIENTS_USERS;
	} else if (count == 2) {
		domain->recipients = CONFIG_RECIPIENTS_FILE;
		domain->recipients_file = config_take_file_path(b, statement, 1);
	} else {
		char shown[CONFIG_SHOWN_MAX];
		config_error(b->report, statement->words[0].place,
		    "\"%s\" is none of any, users, file PATH",
		    config_shown(span_from_string(kind), shown));
	}
}

bool config_print_recipients(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_domain *domain = object;
	if (n)
		return false;
	switch (domain->recipients) {
	case CONFIG_RECIPIENTS_USERS:
		return buf_append_string(out, "users");
	case CONFIG_RECIPIENTS_ANY:
		return buf_append_string(out, "any");
	case CONFIG_RECIPIENTS_FILE:
		return buf_append_string(out, "file ") &&
		       config_quote(out, domain->recipients_file);
	}
	return false;
}

void config_read_deliver(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_domain *domain = object;
	struct config_via via;
	if (!config_expect_values(b, d, statement, 1, 1) ||
	    !config_take_via(b, &statement->words[0], &via))
		return;
	if (via.scheme < CONFIG_SCHEME_LMTP)
		config_error(b->report, statement->words[0].place,
		    "deliver goes to maildir:PATH, "
		    "lmtp://HOST or discard; to pass mail on to \"%s\", use a route",
		    via.text);
	else
		domain->deliver = via;
}

bool config_print_deliver(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_domain *domain = object;
	return n == 0 && domain->deliver.text && config_put_via(out, &domain->deliver);
}
