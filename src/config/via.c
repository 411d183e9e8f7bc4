/* SPDX-License-Identifier: MIT */
#include "config/via.h"

#include "base/memory.h"
#include "config/name.h"
#include "config/near.h"
#include "config/network.h"
#include "config/problem.h"
#include "config/syntax.h"

#include <string.h>

static const struct scheme {
	const char *name;
	uint16_t port; /* 0: no host follows */
} schemes[] = {
	[CONFIG_SCHEME_SMTP] = { "smtp", 25 },
	[CONFIG_SCHEME_SUBMISSION] = { "submission", 587 },
	[CONFIG_SCHEME_SMTPS] = { "smtps", 465 },
	[CONFIG_SCHEME_LMTP] = { "lmtp", 24 },
	[CONFIG_SCHEME_MAILDIR] = { "maildir", 0 },
	[CONFIG_SCHEME_DISCARD] = { "discard", 0 },
};

static const char *const later_schemes[] = { "mx", "pipe", "http", "https" };

const char *config_scheme_name(enum config_scheme scheme)
{
	return schemes[scheme].name;
}

uint16_t config_scheme_port(enum config_scheme scheme)
{
	return schemes[scheme].port;
}

bool config_via_is_session(const struct config_via *via)
{
	return schemes[via->scheme].port != 0;
}

static bool fail(const char *text, const char *why, struct fault *fault_out)
{
	char shown[CONFIG_SHOWN_MAX];
	fault_set(
	    fault_out, FAULT_LOCAL, "\"%s\" %s", config_shown(span_from_string(text), shown), why);
	return false;
}

static bool fail_scheme(const char *text, struct span name, struct fault *fault_out)
{
	for (size_t i = 0; i < ARRAY_LEN(later_schemes); i++) {
		if (!span_equal(name, span_from_string(later_schemes[i])))
			continue;
		fault_set(
		    fault_out, FAULT_LOCAL, "\"%s\" is not in this version", later_schemes[i]);
		return false;
	}
	unsigned best = CONFIG_NEAR_NOT;
	const char *near = NULL;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (config_near_keep(name, schemes[i].name, &best))
			near = schemes[i].name;
	if (!near)
		return fail(text,
		    "does not begin with smtp:, submission:, smtps:, lmtp:, maildir: "
		    "or discard; write for example submission://smtp.example.net:587",
		    fault_out);
	char shown[CONFIG_SHOWN_MAX];
	fault_set(fault_out, FAULT_LOCAL, "the scheme \"%s\" is unknown; did you mean \"%s\"?",
	    config_shown(name, shown), near);
	return false;
}

static bool find_scheme(
    const char *text, struct span name, enum config_scheme *scheme_out, struct fault *fault_out)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (!span_equal_nocase(name, span_from_string(schemes[i].name)))
			continue;
		*scheme_out = (enum config_scheme)i;
		return true;
	}
	return fail_scheme(text, name, fault_out);
}

/* ---- maildir:PATH ---- */

static bool check_percents(const char *text, struct fault *fault_out)
{
	for (const char *c = strchr(text, '%'); c; c = strchr(c + 2, '%'))
		if (c[1] != 'u' && c[1] != 'd')
			return fail(text,
			    "may contain %u (local part) and %d (domain), and no other %",
			    fault_out);
	return true;
}

static bool parse_maildir(struct config_arena *arena, const char *file, struct span rest,
    struct config_via *via, struct fault *fault_out)
{
	if (!rest.len)
		return fail(via->text, "needs a path: maildir:/var/mail/%u", fault_out);
	if (span_starts_with(rest, SPAN("//")))
		rest = span_skip(rest, span_starts_with(rest, SPAN("///")) ? 2 : 1);
	via->path = config_path_resolve(arena, file, config_arena_copy(arena, rest));
	if (strlen(via->path) > CONFIG_PATH_MAX)
		return fail(
		    via->text, "is too long for a path: 1024 bytes are the limit", fault_out);
	return check_percents(via->path, fault_out);
}

/* ---- //host:port ---- */

static bool check_host(struct span host, struct fault *fault_out)
{
	struct sockaddr_storage address;
	socklen_t len;
	char text[64] = "";
	if (host.len && host.len < sizeof(text)) {
		memcpy(text, host.data, host.len);
		if (config_ip_parse(text, &address, &len))
			return true;
	}
	return config_domain_check(host, fault_out);
}

static bool parse_authority(
    struct config_arena *arena, struct span rest, struct config_via *via, struct fault *fault_out)
{
	size_t host_len = span_find(rest, ':');
	bool bracketed = rest.len && rest.data[0] == '[';
	if (bracketed) {
		host_len = span_find(rest, ']') + 1;
		if (host_len > rest.len)
			return fail(via->text, "has an unclosed [", fault_out);
	}
	struct span host = span_head(rest, host_len), port = span_skip(rest, host_len);
	via->port = config_scheme_port(via->scheme);
	if (port.len && (port.data[0] != ':' ||
			    !config_port_parse(span_skip(port, 1), &via->port) || !via->port))
		return fail(via->text,
		    "has no valid port behind its host: a number from 1 to 65535", fault_out);
	if (!host.len)
		return fail(via->text, "names no host", fault_out);
	if (!check_host(host, fault_out))
		return false;
	if (bracketed)
		host = span_of(host.data + 1, host.len - 2);
	via->host = config_arena_copy(arena, host);
	return true;
}

static bool parse_unix(
    struct config_arena *arena, struct span path, struct config_via *via, struct fault *fault_out)
{
	enum { SOCKET_PATH_MAX = 107 };
	if (via->scheme != CONFIG_SCHEME_LMTP)
		return fail(
		    via->text, "is not possible: only lmtp goes to a unix socket", fault_out);
	if (!path.len || path.data[0] != '/' || path.len > SOCKET_PATH_MAX)
		return fail(via->text,
		    "needs an absolute path of at most 107 bytes behind unix:", fault_out);
	via->path = config_arena_copy(arena, path);
	return true;
}

static bool parse_session(
    struct config_arena *arena, struct span rest, struct config_via *via, struct fault *fault_out)
{
	if (!span_starts_with(rest, SPAN("//")))
		return fail(via->text, "needs // between scheme and host", fault_out);
	rest = span_skip(rest, 2);
	if (span_starts_with(rest, SPAN("unix:")))
		return parse_unix(arena, span_skip(rest, 5), via, fault_out);
	if (rest.len && rest.data[rest.len - 1] == '/')
		rest.len--;
	return parse_authority(arena, rest, via, fault_out);
}

static bool parse(
    struct config_arena *arena, const char *file, struct config_via *via, struct fault *fault_out)
{
	struct span all = span_from_string(via->text);
	size_t colon = span_find(all, ':');
	if (!find_scheme(via->text, span_head(all, colon), &via->scheme, fault_out))
		return false;
	struct span rest = colon < all.len ? span_skip(all, colon + 1) : span_of("", 0);
	if (via->scheme == CONFIG_SCHEME_DISCARD)
		return !rest.len ||
		       fail(via->text, "takes nothing behind it: write discard", fault_out);
	if (via->scheme == CONFIG_SCHEME_MAILDIR)
		return parse_maildir(arena, file, rest, via, fault_out);
	return parse_session(arena, rest, via, fault_out);
}

static bool has_login(struct span text)
{
	size_t at = span_find(text, '@'), slashes = span_find_span(text, SPAN("//"));
	return at < text.len && slashes < at && !span_starts_with(text, SPAN("maildir:"));
}

bool config_via_parse(struct config_arena *arena, const char *file, const char *text,
    struct config_via *out, struct fault *fault_out)
{
	if (has_login(span_from_string(text))) {
		fault_set(fault_out, FAULT_LOCAL,
		    "a login does not belong in a URL: use login and "
		    "password-file, or an account");
		return false;
	}
	struct config_via via = { .text = config_arena_copy(arena, span_from_string(text)) };
	if (!parse(arena, file, &via, fault_out))
		return false;
	*out = via;
	return true;
}

/* ---- filling in ---- */

static bool append_safe(struct buf *out, struct span value)
{
	if (!value.len || value.data[0] == '.')
		return false;
	for (size_t i = 0; i < value.len; i++) {
		char c = byte_to_lower(value.data[i]);
		bool safe = byte_is_alpha(c) || byte_is_digit(c) || (c && strchr("._+-", c));
		if (!safe || !buf_append_byte(out, c))
			return false;
	}
	return true;
}

static bool append_expanded(
    const char *path, struct span local, struct span domain, struct buf *out)
{
	for (const char *c = path; *c; c++) {
		bool done;
		if (*c == '%' && c[1] == 'u')
			done = append_safe(out, local);
		else if (*c == '%' && c[1] == 'd')
			done = append_safe(out, domain);
		else
			done = buf_append_byte(out, *c);
		if (!done)
			return false;
		c += *c == '%';
	}
	return true;
}

bool config_path_expand(const char *path, struct span local, struct span domain, struct buf *out)
{
	size_t before = out->len;
	bool done = append_expanded(path, local, domain, out);
	if (!done)
		buf_truncate(out, before);
	return done;
}
