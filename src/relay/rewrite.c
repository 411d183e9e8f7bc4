/* SPDX-License-Identifier: MIT */
#include "relay/rewrite.h"

#include "base/memory.h"
#include "config/match.h"
#include "message/address_field.h"

#include <string.h>

#define ADDRESS_MAX 1000

/* ---- the maps ---- */

static bool read_map(const char *path, struct rewrite_map **map_out, struct fault *fault_out)
{
	if (!path)
		return true;
	*map_out = rewrite_map_read(path, fault_out);
	return *map_out != NULL;
}

bool rewrite_init(struct rewrite *rewrite, const struct config *config,
    const struct config_route *route, struct fault *fault_out)
{
	const char *sender = route->sender.kind == CONFIG_SENDER_MAP ? route->sender.file : NULL;
	const char *from =
	    route->header_from.kind == CONFIG_HEADER_FROM_MAP ? route->header_from.file : NULL;
	bool shared = sender && from && strcmp(sender, from) == 0;

	*rewrite = (struct rewrite){
		.route = route,
		.default_domain = rewrite_default_domain(config, route),
	};
	if (!read_map(sender, &rewrite->sender_map, fault_out) ||
	    !read_map(shared ? NULL : from, &rewrite->from_map, fault_out)) {
		rewrite_fini(rewrite);
		return false;
	}
	if (shared)
		rewrite->from_map = rewrite->sender_map;
	return true;
}

void rewrite_fini(struct rewrite *rewrite)
{
	if (rewrite->from_map != rewrite->sender_map)
		rewrite_map_destroy(&rewrite->from_map);
	rewrite_map_destroy(&rewrite->sender_map);
	*rewrite = (struct rewrite){ 0 };
}

/* ---- bare names ---- */

const char *rewrite_default_domain(const struct config *config, const struct config_route *route)
{
	return route && route->default_domain ? route->default_domain : config->default_domain;
}

static bool is_bare(struct span address)
{
	return address.len > 0 && span_find(address, '@') == address.len;
}

/* False: it needs no completing, or there is nothing to complete it with. */
static bool complete(const struct rewrite *rewrite, struct span address, bool is_ours,
    struct buf *scratch, struct span *completed_out)
{
	buf_clear(scratch);
	if (!is_ours || !rewrite->default_domain || !is_bare(address) ||
	    !buf_append(scratch, address) || !buf_append_byte(scratch, '@') ||
	    !buf_append_string(scratch, rewrite->default_domain))
		return false;
	*completed_out = buf_span(scratch);
	return true;
}

/* ---- the reverse-path ---- */

/* As it was written, then completed. */
static bool find_sender(const struct rewrite *rewrite, struct span sender, bool is_ours,
    struct buf *scratch, struct span *to_out)
{
	struct span completed;

	return rewrite_map_find(rewrite->sender_map, sender, to_out) ||
	       (complete(rewrite, sender, is_ours, scratch, &completed) &&
		   rewrite_map_find(rewrite->sender_map, completed, to_out));
}

static bool sender_by_rule(const struct rewrite *rewrite, struct span sender, bool is_ours,
    struct buf *scratch, struct span *to_out)
{
	switch (rewrite->route->sender.kind) {
	case CONFIG_SENDER_KEEP:
		return false;
	case CONFIG_SENDER_REPLACE:
		if (sender.len == 0)
			return false;
		*to_out = span_from_string(rewrite->route->sender.address);
		return true;
	case CONFIG_SENDER_MAP:
		return find_sender(rewrite, sender, is_ours, scratch, to_out);
	}
	return false;
}

bool rewrite_sender(const struct rewrite *rewrite, struct span sender, bool is_ours,
    struct buf *scratch, struct span *as_out)
{
	struct span to;

	if (!rewrite->route || (!sender_by_rule(rewrite, sender, is_ours, scratch, &to) &&
				   !complete(rewrite, sender, is_ours, scratch, &to)))
		return false;
	if (span_equal(to, sender))
		return false;
	*as_out = to;
	return true;
}

/* ---- the header ---- */

static bool find_from(const void *context, struct span address, struct span *to_out)
{
	return rewrite_map_find(context, address, to_out);
}

bool rewrite_wants_header(const struct rewrite *rewrite, bool is_ours)
{
	return rewrite->route && (rewrite->route->header_from.kind != CONFIG_HEADER_FROM_KEEP ||
				     (is_ours && rewrite->default_domain));
}

/* The one address that From gets; false: the sender has been given none, and From stays. */
static bool from_address(const struct rewrite *rewrite, struct span sender, bool is_ours,
    struct buf *scratch, struct span *address_out)
{
	const char *address = rewrite->route->header_from.address;

	if (!address)
		return find_sender(rewrite, sender, is_ours, scratch, address_out);
	*address_out = span_from_string(address);
	return true;
}

static void make_rules(const struct rewrite *rewrite, struct span sender, bool is_ours,
    struct buf *scratch, struct message_rewrite_rules *rules)
{
	static const enum message_rewrite_from kinds[] = {
		[CONFIG_HEADER_FROM_KEEP] = MESSAGE_REWRITE_FROM_KEEP,
		[CONFIG_HEADER_FROM_REPLACE] = MESSAGE_REWRITE_FROM_REPLACE,
		[CONFIG_HEADER_FROM_KEEP_NAME] = MESSAGE_REWRITE_FROM_KEEP_NAME,
		[CONFIG_HEADER_FROM_MAP] = MESSAGE_REWRITE_FROM_MAP,
	};

	*rules = (struct message_rewrite_rules){
		.from = kinds[rewrite->route->header_from.kind],
		.map = find_from,
		.map_context = rewrite->from_map,
		.default_domain = span_from_string(is_ours ? rewrite->default_domain : NULL),
	};
	if ((rules->from == MESSAGE_REWRITE_FROM_REPLACE ||
		rules->from == MESSAGE_REWRITE_FROM_KEEP_NAME) &&
	    !from_address(rewrite, sender, is_ours, scratch, &rules->address))
		rules->from = MESSAGE_REWRITE_FROM_KEEP;
}

bool rewrite_header(const struct rewrite *rewrite, struct span sender, bool is_ours,
    struct span header, struct buf *b, struct message_rewrite_result *result_out)
{
	struct message_rewrite_rules rules;
	struct buf scratch;
	bool fits;

	buf_init(&scratch, ADDRESS_MAX);
	make_rules(rewrite, sender, is_ours, &scratch, &rules);
	fits = message_rewrite(b, header, &rules, result_out);
	buf_fini(&scratch);
	return fits;
}

/* ---- for "route test" ---- */

bool rewrite_preview_sender(const struct rewrite *rewrite, struct span sender, struct buf *out)
{
	struct buf scratch;
	struct span as;
	bool differs;

	buf_init(&scratch, ADDRESS_MAX);
	differs = rewrite_sender(rewrite, sender, true, &scratch, &as) && buf_append(out, as);
	buf_fini(&scratch);
	return differs;
}

/* The value of the first field, which is From. */
static struct span first_value(struct span header)
{
	size_t begin = strlen("From: "), end = begin;

	for (; end < header.len; end++)
		if (span_starts_with(span_skip(header, end), SPAN("\r\n")) &&
		    end + 2 < header.len && header.data[end + 2] != ' ' &&
		    header.data[end + 2] != '\t')
			break;
	return message_address_trim(span_head(span_skip(header, begin), end - begin));
}

bool rewrite_preview_from(
    const struct rewrite *rewrite, struct span sender, struct span from, struct buf *out)
{
	struct message_rewrite_result result;
	struct buf header, rewritten;
	struct span value;
	bool differs = false;

	if (!rewrite_wants_header(rewrite, true))
		return false;
	buf_init(&header, MESSAGE_HEADER_SIZE_MAX);
	buf_init(&rewritten, REWRITE_HEADER_MAX);
	if (buf_append_string(&header, "From: ") && buf_append(&header, from.len ? from : sender) &&
	    rewrite_header(rewrite, sender, true, buf_span(&header), &rewritten, &result) &&
	    result.changed) {
		value = first_value(buf_span(&rewritten));
		differs = buf_append(out, value);
	}
	buf_fini(&header);
	buf_fini(&rewritten);
	return differs;
}

/* ---- aliases ---- */

static bool is_meant(struct span domain, const char *own)
{
	return own && span_equal_nocase(domain, span_from_string(own));
}

const struct config_alias *rewrite_find_alias(
    const struct config *config, const struct config_route *route, struct span recipient)
{
	struct span local, domain;
	bool is_local;

	config_address_split(recipient, &local, &domain);
	is_local = domain.len == 0 || is_meant(domain, config->hostname) ||
		   is_meant(domain, rewrite_default_domain(config, route));
	for (size_t i = 0; i < route->alias_count; i++) {
		struct span name = span_from_string(route->aliases[i].name);
		if (span_equal_nocase(name, is_bare(name) && is_local ? local : recipient))
			return &route->aliases[i];
	}
	return NULL;
}
