/* SPDX-License-Identifier: MIT */
#include "config/reader.h"

#include "base/memory.h"
#include "config/name.h"
#include "config/near.h"
#include "config/network.h"
#include "config/value.h"
#include "config/via.h"

#include <stdio.h>
#include <string.h>

static void report(
    struct config_builder *b, const struct config_word *word, const struct fault *fault)
{
	config_error(b->report, word->place, "%s", fault->text);
}

/* Room for one more element of an array that belongs to the configuration. */
#define ADD(b, array, count, ...)                                                                  \
	do {                                                                                       \
		(array) = config_arena_grow((b)->arena, (array), (count), sizeof(*(array)));       \
		(array)[(count)++] = (__VA_ARGS__);                                                \
	} while (0)

/* ---- listen: address, relay-from ---- */

void config_read_address(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_listener *listener = object;
	for (size_t i = 0; i < statement->word_count; i++) {
		struct config_address parsed[2];
		size_t count;
		struct fault fault = { 0 };
		if (!config_socket_parse(
			b->arena, statement->words[i].text, parsed, &count, &fault)) {
			report(b, &statement->words[i], &fault);
			continue;
		}
		for (size_t j = 0; j < count; j++) {
			parsed[j].origin = config_origin_of(b, statement->words[i].place);
			ADD(b, listener->addresses, listener->address_count, parsed[j]);
		}
	}
}

bool config_print_address(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_listener *listener = object;
	for (size_t i = 0; i < listener->address_count; i++) {
		const struct config_address *address = &listener->addresses[i];
		bool second = address->any && address->socket.ss_family == AF_INET6;
		if (second || n--)
			continue;
		*origin_out = address->origin;
		return config_quote(out, address->text);
	}
	return false;
}

static bool read_network(
    struct config_builder *b, const struct config_word *word, struct config_network *out)
{
	struct fault fault = { 0 };
	if (config_network_parse(b->arena, word->text, out, &fault))
		return true;
	report(b, word, &fault);
	return false;
}

/* A listener that relays for everybody is an open relay: never by a slip of the pen. */
static bool may_relay(
    struct config_builder *b, const struct config_word *word, const struct config_network *network)
{
	unsigned wide = network->family == AF_INET ? 8 : 16;
	if (!network->prefix_len) {
		config_error(b->report, word->place,
		    "%s is everybody: this would be an open relay; "
		    "name the networks that may relay",
		    network->text);
		return false;
	}
	if (network->prefix_len < wide)
		config_warning(b->report, word->place,
		    "everybody in %s may relay without signing "
		    "in: is it meant to be so wide?",
		    network->text);
	return true;
}

void config_read_relay_from(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_listener *listener = object;
	for (size_t i = 0; i < statement->word_count; i++) {
		struct config_network network;
		if (read_network(b, &statement->words[i], &network) &&
		    may_relay(b, &statement->words[i], &network))
			ADD(b, listener->relay_from, listener->relay_from_count, network);
	}
}

bool config_print_relay_from(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_listener *listener = object;
	return n < listener->relay_from_count && config_quote(out, listener->relay_from[n].text);
}

/* ---- domain: recipients, alias, deliver ---- */

/* "file PATH" from word number at on; NULL after an error. */
static const char *read_file_path(
    struct config_builder *b, const struct config_statement *statement, size_t at)
{
	if (at >= statement->word_count) {
		config_error(
		    b->report, statement->words[at - 1].end, "a path is missing behind file");
		return NULL;
	}
	const struct config_word *word = &statement->words[at];
	struct fault fault = { 0 };
	const char *path = NULL;
	if (!config_type_path.convert(b, NULL, word, &path, &fault))
		report(b, word, &fault);
	return path;
}

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
		domain->recipients_file = read_file_path(b, statement, 1);
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

/* The name of an alias: what may stand before "@", and no other alias of the domain. */
static bool check_alias(
    struct config_builder *b, const struct config_domain *domain, const struct config_word *word)
{
	char origin[CONFIG_ORIGIN_TEXT_MAX];
	struct fault fault = { 0 };
	const char *address = config_arena_format(b->arena, "%s@a", word->text);
	if (strchr(word->text, '@') || !config_mail_check(address, &fault)) {
		config_error(b->report, word->place,
		    "an alias begins with a local part, the name "
		    "before @: alias info anna@example.org;");
		return false;
	}
	for (size_t i = 0; i < domain->alias_count; i++) {
		const struct config_alias *other = &domain->aliases[i];
		if (!span_equal_nocase(span_from_string(other->name), span_from_string(word->text)))
			continue;
		config_error(b->report, word->place, "the alias \"%s\" is there already, at %s",
		    other->name, config_origin_format(other->origin, origin));
		return false;
	}
	return true;
}

void config_read_alias(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_domain *domain = object;
	if (!config_expect_values(b, d, statement, 2, SIZE_MAX) ||
	    !check_alias(b, domain, &statement->words[0]))
		return;
	struct config_alias alias = {
		.name = config_arena_copy(b->arena, span_from_string(statement->words[0].text)),
		.origin = config_origin_of(b, statement->name.place),
	};
	for (size_t i = 1; i < statement->word_count; i++) {
		const struct config_word *word = &statement->words[i];
		struct fault fault = { 0 };
		if (config_mail_check(word->text, &fault))
			ADD(b, alias.addresses, alias.address_count,
			    config_arena_copy(b->arena, span_from_string(word->text)));
		else
			report(b, word, &fault);
	}
	ADD(b, domain->aliases, domain->alias_count, alias);
}

bool config_print_alias(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_domain *domain = object;
	if (n >= domain->alias_count)
		return false;
	const struct config_alias *alias = &domain->aliases[n];
	*origin_out = alias->origin;
	bool done = config_quote(out, alias->name);
	for (size_t i = 0; i < alias->address_count; i++)
		done = done && buf_append_byte(out, ' ') && config_quote(out, alias->addresses[i]);
	return done;
}

static bool read_via(
    struct config_builder *b, const struct config_word *word, struct config_via *out)
{
	struct fault fault = { 0 };
	if (!config_via_parse(b->arena, word->place.file->path, word->text, out, &fault)) {
		report(b, word, &fault);
		return false;
	}
	out->origin = config_origin_of(b, word->place);
	return true;
}

/* As it may be read again from any directory. */
static bool print_via(struct buf *out, const struct config_via *via)
{
	struct buf text;
	buf_init(&text, 2 * CONFIG_WORD_MAX);
	if (via->scheme == CONFIG_SCHEME_MAILDIR)
		buf_printf(&text, "maildir:%s", via->path);
	else
		buf_append_string(&text, via->text);
	bool done = config_quote(out, buf_string(&text));
	buf_fini(&text);
	return done;
}

void config_read_deliver(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_domain *domain = object;
	struct config_via via;
	if (!config_expect_values(b, d, statement, 1, 1) ||
	    !read_via(b, &statement->words[0], &via))
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
	return n == 0 && domain->deliver.text && print_via(out, &domain->deliver);
}

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
		ADD(b, match->patterns, match->pattern_count, pattern);
	else
		report(b, word, &fault);
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
		if (read_network(b, word, &network))
			ADD(b, match->networks, match->network_count, network);
		break;
	case CONFIG_MATCH_KEY_LISTENER:
		ADD(b, match->listeners, match->listener_count,
		    config_arena_copy(b->arena, span_from_string(word->text)));
		ADD(b, b->listener_references.items, b->listener_references.count,
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
	ADD(b, route->matches, route->match_count, match);
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
		if (read_via(b, &statement->words[i], &via))
			ADD(b, route->vias, route->via_count, via);
	}
}

bool config_print_via(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_route *route = object;
	if (n >= route->via_count)
		return false;
	*origin_out = route->vias[n].origin;
	return print_via(out, &route->vias[n]);
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

/* ---- route: account, or login and password-file ---- */

void config_read_account(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	if (config_expect_values(b, d, statement, 1, 1))
		ADD(b, b->account_references.items, b->account_references.count,
		    (struct config_reference){ &statement->words[0], object });
}

bool config_print_account(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_route *route = object;
	return n == 0 && route->account && route->account->label &&
	       config_quote(out, route->account->label);
}

/* The route's own account, made by the first of its two directives. */
static struct config_account *own_account(
    struct config_builder *b, struct config_route *route, const struct config_statement *statement)
{
	if (!route->account) {
		struct config_account *account = config_arena_alloc(b->arena, sizeof(*account));
		account->origin = config_origin_of(b, statement->name.place);
		account->origins = config_arena_alloc(b->arena,
		    config_object_count(CONFIG_OBJECT_ACCOUNT) * sizeof(*account->origins));
		config_object_list_add(b, &b->accounts, account, statement);
		route->account = account;
	}
	return (struct config_account *)route->account;
}

/* Reads the value as the directive of that name in an account. */
static void read_own(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, struct config_route *route)
{
	if (!config_expect_values(b, d, statement, 1, 1))
		return;
	const struct config_directive *row = config_directive_find(CONFIG_BLOCK_ACCOUNT, d->name);
	struct config_account *account = own_account(b, route, statement);
	struct fault fault = { 0 };
	if (!row->type->convert(b, row, statement->words, (char *)account + row->offset, &fault))
		report(b, statement->words, &fault);
	((struct config_origin *)account->origins)[config_directive_slot(row)] =
	    config_origin_of(b, statement->name.place);
}

void config_read_own_login(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	read_own(b, d, statement, object);
}

void config_read_own_password_file(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	read_own(b, d, statement, object);
}

bool config_print_own_login(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_route *route = object;
	return n == 0 && route->account && !route->account->label &&
	       config_quote(out, route->account->login);
}

bool config_print_own_password_file(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_route *route = object;
	return n == 0 && route->account && !route->account->label &&
	       config_quote(out, route->account->password_file);
}

void config_read_password(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	config_error(b->report, statement->name.place,
	    "a password does not stand in the "
	    "configuration: put it into a file of its own and write password-file PATH;");
}

/* ---- log ---- */

static bool find_log_target(const char *text, enum log_target *target_out)
{
	static const struct {
		const char *name;
		enum log_target target;
	} targets[] = {
		{ "stderr", LOG_TARGET_STDERR },
		{ "syslog", LOG_TARGET_SYSLOG },
		{ "file", LOG_TARGET_FILE },
	};
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		if (strcmp(targets[i].name, text) != 0)
			continue;
		*target_out = targets[i].target;
		return true;
	}
	return false;
}

void config_read_log(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config *config = object;
	char shown[CONFIG_SHOWN_MAX];
	const struct config_word *word = statement->words;
	if (!find_log_target(word->text, &config->log.target)) {
		config_error(b->report, word->place, "\"%s\" is none of stderr, syslog, file PATH",
		    config_shown(span_from_string(word->text), shown));
		return;
	}
	size_t count = config->log.target == LOG_TARGET_FILE ? 2 : 1;
	if (!config_expect_values(b, d, statement, 1, count + 1))
		return;
	if (count == 2)
		config->log.path = read_file_path(b, statement, 1);
	if (statement->word_count <= count)
		return;
	if (!strcmp(statement->words[count].text, "json"))
		config->log.json = true;
	else
		config_error(b->report, statement->words[count].place,
		    "only json may stand here; without it lines are key=value");
}

bool config_print_log(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config *config = object;
	if (n)
		return false;
	bool to_file = config->log.target == LOG_TARGET_FILE;
	buf_append_string(out, to_file                                   ? "file "
			       : config->log.target == LOG_TARGET_SYSLOG ? "syslog"
									 : "stderr");
	if (to_file)
		config_quote(out, config->log.path);
	return !config->log.json || buf_append_string(out, " json");
}
