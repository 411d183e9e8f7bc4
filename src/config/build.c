/* SPDX-License-Identifier: MIT */
#include "config/build.h"

#include "config/name.h"
#include "config/near.h"
#include "config/oauth.h"
#include "config/reader.h"
#include "config/unknown.h"
#include "config/value.h"

#include <assert.h>
#include <string.h>

#define FILES_MAX 128 /* more than a run can read */

struct config_origin config_origin_of(struct config_builder *b, struct config_place place)
{
	assert(place.file->number < FILES_MAX);
	if (!b->paths)
		b->paths = config_arena_alloc(b->arena, FILES_MAX * sizeof(*b->paths));
	const char **path = &b->paths[place.file->number];
	if (!*path)
		*path = config_arena_copy(b->arena, span_from_string(place.file->path));
	return (struct config_origin){ *path, place.line, place.column };
}

void config_object_list_add(struct config_builder *b, struct config_object_list *list, void *item,
    const struct config_statement *statement)
{
	list->items = config_arena_grow(b->arena, list->items, list->count, sizeof(*list->items));
	list->statements =
	    config_arena_grow(b->arena, list->statements, list->count, sizeof(*list->statements));
	list->items[list->count] = item;
	list->statements[list->count++] = statement;
}

static struct config_origin *origins_of(enum config_object kind, void *object)
{
	switch (kind) {
	case CONFIG_OBJECT_CONFIG:
		return (struct config_origin *)((struct config *)object)->origins;
	case CONFIG_OBJECT_CERTIFICATE:
		return (struct config_origin *)((struct config_certificate *)object)->origins;
	case CONFIG_OBJECT_LISTENER:
		return (struct config_origin *)((struct config_listener *)object)->origins;
	case CONFIG_OBJECT_DOMAIN:
		return (struct config_origin *)((struct config_domain *)object)->origins;
	case CONFIG_OBJECT_ACCOUNT:
		return (struct config_origin *)((struct config_account *)object)->origins;
	case CONFIG_OBJECT_OAUTH:
		return (struct config_origin *)((struct config_oauth *)object)->origins;
	case CONFIG_OBJECT_ROUTE:
		return (struct config_origin *)((struct config_route *)object)->origins;
	case CONFIG_OBJECT_LOGIN:
		return (struct config_origin *)((struct config_login *)object)->origins;
	case CONFIG_OBJECT_COUNT:
		break;
	}
	assert(!"a kind of object");
	return NULL;
}

static struct config_origin *origin_slot(const struct config_directive *d, void *object)
{
	return &origins_of(config_blocks[d->block].object, object)[config_directive_slot(d)];
}

/* ---- the form of one directive ---- */

/* A value on a new line that is the name of a directive: somebody forgot the ";" before it. */
static bool finds_missing_semicolon(
    struct config_builder *b, enum config_block block, const struct config_statement *statement)
{
	const struct config_word *before = &statement->name;
	for (size_t i = 0; i < statement->word_count; i++) {
		const struct config_word *word = &statement->words[i];
		if (!word->quoted && word->place.line > before->end.line &&
		    config_directive_find(block, word->text)) {
			config_error(b->report, before->end, "a ; is missing here, before \"%s\"",
			    word->text);
			return true;
		}
		before = word;
	}
	return false;
}

bool config_expect_values(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, size_t min, size_t max)
{
	const struct config_word *words = statement->words;
	if (statement->word_count < min) {
		config_error(b->report,
		    statement->word_count ? words[statement->word_count - 1].end
					  : statement->name.end,
		    "a value is missing: %s %s;", d->name, d->value);
		return false;
	}
	if (statement->word_count <= max)
		return true;
	const struct config_word *extra = &words[max];
	if (max && extra->place.line > words[max - 1].end.line)
		config_error(b->report, words[max - 1].end, "a ; is missing here");
	else
		config_error(b->report, extra->place,
		    "\"%s\" takes %s: %s %s; a value with blanks "
		    "stands in double quotes",
		    d->name, max == 1 ? "one value" : "fewer values", d->name, d->value);
	return false;
}

static bool has_right_form(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement)
{
	bool wants_block = d->child != CONFIG_BLOCK_TOP;
	if (statement->is_block && !wants_block) {
		config_error(b->report, statement->name.place,
		    "\"%s\" is not a block: write %s %s;", d->name, d->name, d->value);
		return false;
	}
	if (!statement->is_block && wants_block) {
		config_error(b->report, statement->name.place, "\"%s\" is a block here: %s%s { … }",
		    d->name, d->name, d->flags & CONFIG_FLAG_REPEATABLE ? " NAME" : "");
		return false;
	}
	if (wants_block && !(d->flags & CONFIG_FLAG_REPEATABLE) && statement->word_count) {
		config_error(b->report, statement->words[0].place, "\"%s\" takes no name: %s { … }",
		    d->name, d->name);
		return false;
	}
	return wants_block || d->read == config_read_password ||
	       config_expect_values(b, d, statement, 1, d->type ? 1 : SIZE_MAX);
}

/* ---- reading ---- */

static bool is_duplicate(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	char text[CONFIG_ORIGIN_TEXT_MAX];
	struct config_origin *origin = origin_slot(d, object);
	if (!origin->file) {
		*origin = config_origin_of(b, statement->name.place);
		return false;
	}
	if (d->flags & CONFIG_FLAG_REPEATABLE)
		return false;
	config_error(b->report, statement->name.place, "\"%s\" is set twice; the first is at %s",
	    d->name, config_origin_format(*origin, text));
	return true;
}

static void read_plain(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *object)
{
	struct fault fault = { 0 };
	if (!d->type->convert(b, d, word, (char *)object + d->offset, &fault))
		config_error(b->report, word->place, "%s", fault.text);
}

static void read_statement(struct config_builder *b, enum config_block block,
    const struct config_statement *statement, void *object)
{
	const struct config_directive *d = config_directive_find(block, statement->name.text);
	if (!d) {
		config_report_unknown(b, block, &statement->name);
		return;
	}
	if (d->flags & CONFIG_FLAG_LATER) {
		config_report_later(b, &statement->name);
		return;
	}
	if (finds_missing_semicolon(b, block, statement) || !has_right_form(b, d, statement) ||
	    is_duplicate(b, d, statement, object))
		return;
	if (d->type)
		read_plain(b, d, statement->words, object);
	else
		d->read(b, d, statement, object);
}

static void check_required(struct config_builder *b, enum config_block block,
    const struct config_statement *statement, void *object)
{
	for (size_t i = 0; i < config_directive_count; i++) {
		const struct config_directive *d = &config_directives[i];
		if (d->block == block && (d->flags & CONFIG_FLAG_REQUIRED) &&
		    !origin_slot(d, object)->file)
			config_error(b->report, statement->name.place, "\"%s%s%s\" needs %s %s;",
			    statement->name.text, statement->word_count ? " " : "",
			    statement->word_count ? statement->words[0].text : "", d->name,
			    d->value);
	}
}

void config_read_children(struct config_builder *b, enum config_block block,
    const struct config_statement *statement, void *object)
{
	size_t errors = b->report->error_count;
	for (size_t i = 0; i < statement->child_count; i++)
		if (!statement->children[i]->broken)
			read_statement(b, block, statement->children[i], object);
	if (errors == b->report->error_count && !b->syntax_errors)
		check_required(b, block, statement, object);
}

void config_read_block(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	config_read_children(b, d->child, statement, object);
}

/* Every plain value that the table knows a default for. */
void config_set_defaults(struct config_builder *b, enum config_object kind, void *object)
{
	static const struct config_file no_file = { .path = "" };
	size_t first = config_object_first(kind);
	for (size_t i = first; i < first + config_object_count(kind); i++) {
		const struct config_directive *d = &config_directives[i];
		if (!d->type || !d->fallback || (d->flags & CONFIG_FLAG_COMPUTED))
			continue;
		struct config_word word = { .text = d->fallback, .place.file = &no_file };
		struct fault fault = { 0 };
		bool converted = d->type->convert(b, d, &word, (char *)object + d->offset, &fault);
		assert(converted);
	}
}

const struct config_origin *config_origins_make(struct config_builder *b, enum config_object kind)
{
	return config_arena_alloc(
	    b->arena, config_object_count(kind) * sizeof(struct config_origin));
}

/* ---- blocks that make an object ---- */

static const char *copy_word(struct config_builder *b, const struct config_word *word)
{
	return config_arena_copy(b->arena, span_from_string(word->text));
}

/* The label of the block, or NULL when it has none. */
static const char *read_label(struct config_builder *b, const struct config_statement *statement)
{
	if (statement->word_count > 1)
		config_error(b->report, statement->words[1].place, "\"%s\" takes one name",
		    statement->name.text);
	if (!statement->word_count)
		return NULL;
	if (!statement->words[0].text[0])
		config_error(b->report, statement->words[0].place, "the name is empty");
	return copy_word(b, &statement->words[0]);
}

void config_read_tls(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_certificate *certificate = config_arena_alloc(b->arena, sizeof(*certificate));
	certificate->origin = config_origin_of(b, statement->name.place);
	certificate->origins = config_origins_make(b, CONFIG_OBJECT_CERTIFICATE);
	certificate->label = read_label(b, statement);
	config_read_children(b, d->child, statement, certificate);
	config_object_list_add(b, &b->certificates, certificate, statement);
}

void config_read_listener(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_listener *listener = config_arena_alloc(b->arena, sizeof(*listener));
	listener->origin = config_origin_of(b, statement->name.place);
	listener->origins = config_origins_make(b, CONFIG_OBJECT_LISTENER);
	config_set_defaults(b, CONFIG_OBJECT_LISTENER, listener);
	listener->label = read_label(b, statement);
	config_read_children(b, d->child, statement, listener);
	if (!listener->label)
		listener->label = listener->address_count ? listener->addresses[0].text : "?";
	config_object_list_add(b, &b->listeners, listener, statement);
}

static const char *pattern_words(enum config_pattern_use use)
{
	switch (use) {
	case CONFIG_PATTERN_USE_DOMAIN:
		return "domain is missing: domain example.org { … }";
	case CONFIG_PATTERN_USE_LOGIN:
		return "pattern of logins is missing: login * { … }";
	case CONFIG_PATTERN_USE_RECIPIENT:
	case CONFIG_PATTERN_USE_SENDER:
		break;
	}
	return "pattern of recipients is missing: route * { … }";
}

/* The patterns between the name of a block and its "{". */
static struct config_pattern *read_patterns(struct config_builder *b,
    const struct config_statement *statement, enum config_pattern_use use, size_t *count_out)
{
	struct config_pattern *patterns = NULL;
	*count_out = 0;
	if (!statement->word_count)
		config_error(b->report, statement->name.end, "a %s", pattern_words(use));
	for (size_t i = 0; i < statement->word_count; i++) {
		const struct config_word *word = &statement->words[i];
		struct config_pattern pattern;
		struct fault fault = { 0 };
		if (!config_pattern_parse(b->arena, word->text, use, &pattern, &fault)) {
			config_error(b->report, word->place, "%s", fault.text);
			continue;
		}
		patterns = config_arena_grow(b->arena, patterns, *count_out, sizeof(*patterns));
		patterns[(*count_out)++] = pattern;
	}
	return patterns;
}

void config_read_domain(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_domain *domain = config_arena_alloc(b->arena, sizeof(*domain));
	domain->origin = config_origin_of(b, statement->name.place);
	domain->origins = config_origins_make(b, CONFIG_OBJECT_DOMAIN);
	config_set_defaults(b, CONFIG_OBJECT_DOMAIN, domain);
	domain->patterns =
	    read_patterns(b, statement, CONFIG_PATTERN_USE_DOMAIN, &domain->pattern_count);
	config_read_children(b, d->child, statement, domain);
	config_object_list_add(b, &b->domains, domain, statement);
}

void config_read_named_account(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_account *account = config_arena_alloc(b->arena, sizeof(*account));
	account->origin = config_origin_of(b, statement->name.place);
	account->origins = config_origins_make(b, CONFIG_OBJECT_ACCOUNT);
	config_set_defaults(b, CONFIG_OBJECT_ACCOUNT, account);
	account->login = "";
	account->label = read_label(b, statement);
	if (!account->label) {
		config_error(
		    b->report, statement->name.end, "a name is missing: account NAME { … }");
		return;
	}
	config_read_children(b, d->child, statement, account);
	config_object_list_add(b, &b->accounts, account, statement);
}

void config_read_route(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_route *route = config_arena_alloc(b->arena, sizeof(*route));
	route->origin = config_origin_of(b, statement->name.place);
	route->origins = config_origins_make(b, CONFIG_OBJECT_ROUTE);
	config_set_defaults(b, CONFIG_OBJECT_ROUTE, route);
	route->patterns =
	    read_patterns(b, statement, CONFIG_PATTERN_USE_RECIPIENT, &route->pattern_count);
	config_read_children(b, d->child, statement, route);
	config_object_list_add(b, &b->routes, route, statement);
}

void config_read_login(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_login *login = config_arena_alloc(b->arena, sizeof(*login));
	login->origin = config_origin_of(b, statement->name.place);
	login->origins = config_origins_make(b, CONFIG_OBJECT_LOGIN);
	config_set_defaults(b, CONFIG_OBJECT_LOGIN, login);
	login->patterns =
	    read_patterns(b, statement, CONFIG_PATTERN_USE_LOGIN, &login->pattern_count);
	config_read_children(b, d->child, statement, login);
	config_object_list_add(b, &b->logins, login, statement);
}

/* ---- joining ---- */

/* Copies what stands at the top to where an object says nothing. */
static void inherit(struct config_builder *b, enum config_object kind, void *object)
{
	size_t first = config_object_first(kind);
	for (size_t i = first; i < first + config_object_count(kind); i++) {
		const struct config_directive *d = &config_directives[i];
		if (!(d->flags & CONFIG_FLAG_INHERITED) || origin_slot(d, object)->file)
			continue;
		const struct config_directive *parent = config_directive_parent(d);
		memcpy(
		    (char *)object + d->offset, (char *)b->config + parent->offset, d->type->size);
		*origin_slot(d, object) = *origin_slot(parent, b->config);
	}
}

static void report_no_account(struct config_builder *b, const struct config_word *word)
{
	char shown[CONFIG_SHOWN_MAX];
	unsigned best = CONFIG_NEAR_NOT;
	const char *near = NULL;
	for (size_t i = 0; i < b->accounts.count; i++) {
		const struct config_account *account = b->accounts.items[i];
		if (account->label &&
		    config_near_keep(span_from_string(word->text), account->label, &best))
			near = account->label;
	}
	config_shown(span_from_string(word->text), shown);
	if (near)
		config_error(b->report, word->place,
		    "there is no account \"%s\"; did you mean "
		    "\"%s\"?",
		    shown, near);
	else
		config_error(b->report, word->place,
		    "there is no account \"%s\"; write account "
		    "\"%s\" { login …; password-file …; }",
		    shown, shown);
}

static void resolve_account(struct config_builder *b, const struct config_reference *reference)
{
	if (reference->route->account) {
		config_error(b->report, reference->word->place,
		    "the route has a login of its own "
		    "already: write either account or login and password-file");
		return;
	}
	for (size_t i = 0; i < b->accounts.count; i++) {
		const struct config_account *account = b->accounts.items[i];
		if (!account->label || strcmp(account->label, reference->word->text) != 0)
			continue;
		reference->route->account = account;
		return;
	}
	report_no_account(b, reference->word);
}

static void resolve_listener(struct config_builder *b, const struct config_reference *reference)
{
	char shown[CONFIG_SHOWN_MAX];
	unsigned best = CONFIG_NEAR_NOT;
	const char *near = NULL;
	for (size_t i = 0; i < b->listeners.count; i++) {
		const struct config_listener *listener = b->listeners.items[i];
		if (!strcmp(listener->label, reference->word->text))
			return;
		if (config_near_keep(
			span_from_string(reference->word->text), listener->label, &best))
			near = listener->label;
	}
	config_shown(span_from_string(reference->word->text), shown);
	if (near)
		config_error(b->report, reference->word->place,
		    "there is no listener \"%s\"; did "
		    "you mean \"%s\"?",
		    shown, near);
	else
		config_error(
		    b->report, reference->word->place, "there is no listener \"%s\"", shown);
}

/* Lays the objects of a list out as an array. */
static void *make_array(
    struct config_builder *b, const struct config_object_list *list, size_t size)
{
	char *array = config_arena_alloc(b->arena, (list->count + 1) * size);
	for (size_t i = 0; i < list->count; i++)
		memcpy(array + i * size, list->items[i], size);
	return array;
}

static void number_accounts(struct config_builder *b)
{
	for (size_t i = 0; i < b->accounts.count; i++)
		((struct config_account *)b->accounts.items[i])->index = i;
}

static void lay_out(struct config_builder *b)
{
	struct config *config = b->config;
	number_accounts(b);
	config->certificates = make_array(b, &b->certificates, sizeof(*config->certificates));
	config->certificate_count = b->certificates.count;
	config->listeners = make_array(b, &b->listeners, sizeof(*config->listeners));
	config->listener_count = b->listeners.count;
	config->domains = make_array(b, &b->domains, sizeof(*config->domains));
	config->domain_count = b->domains.count;
	config->accounts = make_array(b, &b->accounts, sizeof(*config->accounts));
	config->account_count = b->accounts.count;
	config->routes = make_array(b, &b->routes, sizeof(*config->routes));
	config->route_count = b->routes.count;
	config->logins = make_array(b, &b->logins, sizeof(*config->logins));
	config->login_count = b->logins.count;
	for (size_t i = 0; i < config->route_count; i++) {
		struct config_route *route = &config->routes[i];
		route->index = i;
		if (route->account)
			route->account = &config->accounts[route->account->index];
	}
}

/* What a route leaves to its account. */
static void compute_account(struct config_route *route)
{
	const struct config_account *account = route->account;
	if (!account)
		return;
	if (account->oauth)
		config_oauth_limit(route);
	if (route->mechanism_count || !account->mechanism_count)
		return;
	route->mechanisms = account->mechanisms;
	route->mechanism_count = account->mechanism_count;
	*origin_slot(config_directive_find(CONFIG_BLOCK_ROUTE, "mechanisms"), route) = *origin_slot(
	    config_directive_find(CONFIG_BLOCK_ACCOUNT, "mechanisms"), (void *)account);
}

/* What the From rule leaves to the sender's. */
static void compute_rewriting(struct config_route *route)
{
	struct config_header_from_rule *rule = &route->header_from;
	if (rule->kind == CONFIG_HEADER_FROM_MAP && !rule->file)
		rule->file = route->sender.file;
	else if (rule->kind != CONFIG_HEADER_FROM_KEEP && !rule->address)
		rule->address = route->sender.address;
}

/* What falls back to other values, in the order of their dependence. */
static void compute(struct config_builder *b)
{
	struct config *config = b->config;
	struct fault fault = { 0 };
	if (!config->hostname && b->machine_name &&
	    config_domain_check(span_from_string(b->machine_name), &fault))
		config->hostname = config_arena_copy(b->arena, span_from_string(b->machine_name));
	if (!config->bounce.from)
		config->bounce.from = config->postmaster
					  ? config->postmaster
					  : config_arena_format(b->arena, "postmaster@%s",
						config->hostname ? config->hostname : "localhost");
	for (size_t i = 0; i < config->listener_count; i++)
		inherit(b, CONFIG_OBJECT_LISTENER, &config->listeners[i]);
	for (size_t i = 0; i < config->route_count; i++) {
		struct config_route *route = &config->routes[i];
		inherit(b, CONFIG_OBJECT_ROUTE, route);
		if (!route->ehlo)
			route->ehlo = config->hostname;
		compute_account(route);
		compute_rewriting(route);
	}
}

void config_build(struct config_builder *b, const struct config_statement *root)
{
	b->config->origins = config_origins_make(b, CONFIG_OBJECT_CONFIG);
	config_set_defaults(b, CONFIG_OBJECT_CONFIG, b->config);
	config_read_children(b, CONFIG_BLOCK_TOP, root, b->config);
	for (size_t i = 0; i < b->account_references.count; i++)
		resolve_account(b, &b->account_references.items[i]);
	for (size_t i = 0; i < b->listener_references.count; i++)
		resolve_listener(b, &b->listener_references.items[i]);
	lay_out(b);
	config_resolve_certificates(b);
	compute(b);
}
