/* SPDX-License-Identifier: MIT */
#include "config/reader.h"

#include "base/memory.h"
#include "config/name.h"
#include "config/network.h"
#include "config/value.h"

#include <stdio.h>
#include <string.h>

/* ---- route: match ---- */

static const char *const match_keys[] = {
	[CONFIG_MATCH_KEY_SENDER] = "sender",
	[CONFIG_MATCH_KEY_LOGIN] = "login",
	[CONFIG_MATCH_KEY_CLIENT] = "client",
	[CONFIG_MATCH_KEY_LISTENER] = "listener",
};

static bool find_match_key(
    struct config_builder *b, const struct config_word *word, enum config_match_key *key_out)
{
	char shown[CONFIG_SHOWN_MAX];
	for (size_t i = 0; i < ARRAY_LEN(match_keys); i++) {
		if (strcmp(match_keys[i], word->text) != 0)
			continue;
		*key_out = (enum config_match_key)i;
		return true;
	}
	config_error(b->report, word->place, "\"%s\" is none of sender, login, client, listener%s",
	    config_shown(span_from_string(word->text), shown),
	    strcmp(word->text, "recipient") ? ""
					    : "; the pattern of the recipient stands "
					      "before the {");
	return false;
}

static void read_match_pattern(
    struct config_builder *b, const struct config_word *word, struct config_match *match)
{
	struct config_pattern pattern;
	struct fault fault = { 0 };
	enum config_pattern_use use = match->key == CONFIG_MATCH_KEY_SENDER
					  ? CONFIG_PATTERN_USE_SENDER
					  : CONFIG_PATTERN_USE_LOGIN;
	if (config_pattern_parse(b->arena, word->text, use, &pattern, &fault))
		CONFIG_ADD(b, match->patterns, match->pattern_count, pattern);
	else
		config_report_fault(b, word, &fault);
}

static void read_match_value(struct config_builder *b, const struct config_word *word,
    struct config_route *route, struct config_match *match)
{
	struct config_network network;
	switch (match->key) {
	case CONFIG_MATCH_KEY_SENDER:
	case CONFIG_MATCH_KEY_LOGIN:
		read_match_pattern(b, word, match);
		break;
	case CONFIG_MATCH_KEY_CLIENT:
		if (config_take_network(b, word, &network))
			CONFIG_ADD(b, match->networks, match->network_count, network);
		break;
	case CONFIG_MATCH_KEY_LISTENER:
		CONFIG_ADD(b, match->listeners, match->listener_count,
		    config_arena_copy(b->arena, span_from_string(word->text)));
		CONFIG_ADD(b, b->listener_references.items, b->listener_references.count,
		    (struct config_reference){ word, route });
		break;
	}
}

void config_read_match(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_route *route = object;
	struct config_match match = { .origin = config_origin_of(b, statement->name.place) };
	if (!find_match_key(b, &statement->words[0], &match.key) ||
	    !config_expect_values(b, d, statement, 2, SIZE_MAX))
		return;
	for (size_t i = 1; i < statement->word_count; i++)
		read_match_value(b, &statement->words[i], route, &match);
	CONFIG_ADD(b, route->matches, route->match_count, match);
}

bool config_print_match(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_route *route = object;
	if (n >= route->match_count)
		return false;
	const struct config_match *match = &route->matches[n];
	*origin_out = match->origin;
	bool done = buf_append_string(out, match_keys[match->key]);
	for (size_t i = 0; i < match->pattern_count; i++)
		done =
		    done && buf_append_byte(out, ' ') && config_quote(out, match->patterns[i].text);
	for (size_t i = 0; i < match->network_count; i++)
		done =
		    done && buf_append_byte(out, ' ') && config_quote(out, match->networks[i].text);
	for (size_t i = 0; i < match->listener_count; i++)
		done = done && buf_append_byte(out, ' ') && config_quote(out, match->listeners[i]);
	return done;
}

/* ---- route: via, refuse, source ---- */

void config_read_via(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_route *route = object;
	for (size_t i = 0; i < statement->word_count; i++) {
		struct config_via via;
		if (config_take_via(b, &statement->words[i], &via))
			CONFIG_ADD(b, route->vias, route->via_count, via);
	}
}

bool config_print_via(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_route *route = object;
	if (n >= route->via_count)
		return false;
	*origin_out = route->vias[n].origin;
	return config_put_via(out, &route->vias[n]);
}

/* Length of an enhanced status of that class at the start of text (RFC 3463, 2), or 0. */
static size_t enhanced_len(struct span text, char class)
{
	size_t len = span_find(text, ' ');
	struct span word = span_head(text, len), part;
	if (word.len < 5 || word.data[0] != class || word.data[1] != '.')
		return 0;
	unsigned parts = 0;
	uint64_t number;
	while (span_take_until(&word, '.', &part)) {
		if (part.len > 3 || !span_to_u64(part, &number))
			return 0;
		parts++;
	}
	return parts == 3 ? len : 0;
}

static bool looks_enhanced(struct span text)
{
	return text.len > 3 && byte_is_digit(text.data[0]) && text.data[1] == '.' &&
	       byte_is_digit(text.data[2]);
}

static bool is_reply_text(struct span text)
{
	enum { REPLY_TEXT_MAX = 400 };
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < ' ' || (unsigned char)text.data[i] > '~')
			return false;
	return text.len > 0 && text.len <= REPLY_TEXT_MAX;
}

static bool parse_refusal(struct config_builder *b, const char *value, struct config_refusal *out)
{
	struct span text = span_from_string(value);
	uint64_t code;
	if (text.len < 5 || text.data[3] != ' ' || !span_to_u64(span_head(text, 3), &code) ||
	    code < 400 || code > 599)
		return false;
	struct config_refusal refusal = { .code = (unsigned)code };
	struct span rest = span_trim(span_skip(text, 4));
	size_t len = enhanced_len(rest, text.data[0]);
	if (!len && looks_enhanced(rest))
		return false;
	if (len) {
		refusal.enhanced = config_arena_copy(b->arena, span_head(rest, len));
		rest = span_trim(span_skip(rest, len));
	}
	if (!is_reply_text(rest))
		return false;
	refusal.text = config_arena_copy(b->arena, rest);
	*out = refusal;
	return true;
}

void config_read_refuse(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_route *route = object;
	if (statement->word_count > 1 && !statement->words[0].quoted) {
		config_error(b->report, statement->words[0].place,
		    "a reply has blanks and stands in quotes: refuse \"550 5.7.1 Not here\";");
		return;
	}
	if (config_expect_values(b, d, statement, 1, 1) &&
	    !parse_refusal(b, statement->words[0].text, &route->refuse))
		config_error(b->report, statement->words[0].place,
		    "a refusal is a code 4yz or 5yz, perhaps an enhanced status of the "
		    "same class, and an ASCII text: refuse \"550 5.7.1 Not here\";");
}

bool config_print_refuse(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_refusal *refuse = &((const struct config_route *)object)->refuse;
	char text[512];
	if (n || !refuse->code)
		return false;
	snprintf(text, sizeof(text), "%u %s%s%s", refuse->code,
	    refuse->enhanced ? refuse->enhanced : "", refuse->enhanced ? " " : "", refuse->text);
	return config_quote(out, text);
}

void config_read_source(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_route *route = object;
	const struct config_word *word = statement->words;
	char shown[CONFIG_SHOWN_MAX];
	if (!config_expect_values(b, d, statement, 1, 1))
		return;
	if (!config_ip_parse(word->text, &route->source_socket, &route->source_socket_len))
		config_error(b->report, word->place, "\"%s\" is not an IP address of this machine",
		    config_shown(span_from_string(word->text), shown));
	else
		route->source = config_arena_copy(b->arena, span_from_string(word->text));
}

bool config_print_source(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_route *route = object;
	return n == 0 && route->source && config_quote(out, route->source);
}
