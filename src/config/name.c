/* SPDX-License-Identifier: MIT */
#include "config/name.h"

#include "config/match.h"
#include "config/network.h"
#include "config/problem.h"

#include <string.h>

enum { DOMAIN_MAX = 253, LABEL_MAX = 63, LOCAL_MAX = 64, LOGIN_MAX = 255 };

static bool fail(struct span text, const char *why, struct fault *fault_out)
{
	char shown[CONFIG_SHOWN_MAX];
	fault_set(fault_out, FAULT_LOCAL, "\"%s\" %s", config_shown(text, shown), why);
	return false;
}

static bool is_label(struct span label)
{
	if (!label.len || label.len > LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.len; i++) {
		char c = label.data[i];
		bool inside = i > 0 && i + 1 < label.len;
		if (!byte_is_alpha(c) && !byte_is_digit(c) && c != '_' && !(c == '-' && inside))
			return false;
	}
	return true;
}

static bool is_high(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] >= 0x80)
			return true;
	return false;
}

static bool has_domain_labels(struct span text)
{
	for (;;) {
		size_t len = span_find(text, '.');
		if (!is_label(span_head(text, len)))
			return false;
		if (len == text.len)
			return true;
		text = span_skip(text, len + 1);
	}
}

static bool is_dotted_number(struct span text)
{
	size_t last = text.len;
	while (last && byte_is_digit(text.data[last - 1]))
		last--;
	return last < text.len && (!last || text.data[last - 1] == '.');
}

bool config_domain_check(struct span text, struct fault *fault_out)
{
	if (is_high(text))
		return fail(text, "is not ASCII: write the domain in its xn-- form", fault_out);
	if (text.len > 1 && text.data[text.len - 1] == '.')
		return fail(text, "ends in a dot: leave it out", fault_out);
	if (text.len > DOMAIN_MAX || !has_domain_labels(text))
		return fail(text, "is not a domain name", fault_out);
	if (is_dotted_number(text))
		return fail(text, "is a number or an address, not a domain name", fault_out);
	return true;
}

/* Dot-string of RFC 5321, 4.1.2. */
static bool is_local(struct span local)
{
	if (!local.len || local.len > LOCAL_MAX)
		return false;
	for (size_t i = 0; i < local.len; i++) {
		char c = local.data[i];
		bool dot_fits = i > 0 && i + 1 < local.len && local.data[i - 1] != '.';
		if (c == '.' ? !dot_fits
			     : !byte_is_alpha(c) && !byte_is_digit(c) &&
				   (c == '\0' || !strchr("!#$%&'*+-/=?^_`{|}~", c)))
			return false;
	}
	return true;
}

bool config_mail_check(const char *text, struct fault *fault_out)
{
	struct span all = span_from_string(text), local, domain;
	if (!config_address_split(all, &local, &domain))
		return fail(all, "is not a complete address: write name@domain", fault_out);
	if (!is_local(local))
		return fail(
		    all, "has no local part that can stand before @ without quotes", fault_out);
	return config_domain_check(domain, fault_out);
}

/* ---- patterns ---- */

/* Domain part of a pattern: "*", "*.domain" or "domain". */
static bool parse_domain(struct span text, struct config_pattern *pattern, struct fault *fault_out)
{
	if (span_equal(text, SPAN("*")))
		return true;
	if (span_starts_with(text, SPAN("*."))) {
		pattern->subdomains = true;
		text = span_skip(text, 2);
	}
	if (!config_domain_check(text, fault_out))
		return false;
	pattern->domain = text;
	return true;
}

static bool parse_address(struct span all, struct config_pattern *pattern, struct fault *fault_out)
{
	struct span local, domain;
	config_address_split(all, &local, &domain);
	if (!span_equal(local, SPAN("*"))) {
		if (span_find(local, '*') < local.len || !is_local(local))
			return fail(
			    all, "is not a pattern: before @ stands * or one name", fault_out);
		pattern->local = local;
	}
	return parse_domain(domain, pattern, fault_out);
}

/* A login without "@". */
static bool parse_login(struct span all, struct config_pattern *pattern, struct fault *fault_out)
{
	if (!all.len || all.len > LOGIN_MAX || span_find(all, '*') < all.len)
		return fail(all, "is not a pattern of logins: *, *@domain, *.domain or one name",
		    fault_out);
	pattern->local = all;
	pattern->domain = SPAN("");
	return true;
}

static bool parse_bare(struct span all, enum config_pattern_use use, struct config_pattern *pattern,
    struct fault *fault_out)
{
	if (span_starts_with(all, SPAN("*.")) || use == CONFIG_PATTERN_USE_DOMAIN)
		return parse_domain(all, pattern, fault_out);
	if (use == CONFIG_PATTERN_USE_LOGIN)
		return parse_login(all, pattern, fault_out);
	char shown[CONFIG_SHOWN_MAX];
	config_shown(all, shown);
	fault_set(fault_out, FAULT_LOCAL,
	    "\"%s\" is not a pattern of addresses: write *@%s for a "
	    "domain, *.%s for those below it, or user@%s",
	    shown, shown, shown, shown);
	return false;
}

static bool parse_pattern(struct span all, enum config_pattern_use use,
    struct config_pattern *pattern, struct fault *fault_out)
{
	bool has_at = span_find(all, '@') < all.len;
	if (use == CONFIG_PATTERN_USE_DOMAIN && (has_at || span_equal(all, SPAN("*"))))
		return fail(
		    all, "does not name a domain: write example.org or *.example.org", fault_out);
	if (span_equal(all, SPAN("*"))) {
		pattern->any = true;
		return true;
	}
	if (span_equal(all, SPAN("<>")) && use == CONFIG_PATTERN_USE_SENDER) {
		pattern->null_path = true;
		return true;
	}
	return has_at ? parse_address(all, pattern, fault_out)
		      : parse_bare(all, use, pattern, fault_out);
}

bool config_pattern_parse(struct config_arena *arena, const char *text, enum config_pattern_use use,
    struct config_pattern *out, struct fault *fault_out)
{
	struct config_pattern pattern = { .text =
					      config_arena_copy(arena, span_from_string(text)) };
	if (!parse_pattern(span_from_string(pattern.text), use, &pattern, fault_out))
		return false;
	*out = pattern;
	return true;
}
