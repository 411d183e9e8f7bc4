/* SPDX-License-Identifier: MIT */
#include "config/reader.h"

#include "base/memory.h"
#include "config/mechanism.h"
#include "config/oauth.h"
#include "config/value.h"

#include <string.h>

enum { ARGUMENTS_MAX = 64 };

/* ---- password-command ---- */

/* The program: a path, or a bare name for PATH. */
static const char *take_program(struct config_builder *b, const struct config_word *word)
{
	struct fault fault = { 0 };
	const char *path = word->text;
	bool bare = *path && *path != '~' && !strchr(path, '/');
	if (bare)
		return config_arena_copy(b->arena, span_from_string(path));
	if (!config_type_path.convert(b, NULL, word, &path, &fault))
		config_report_fault(b, word, &fault);
	return path;
}

static void take_command(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, struct config_account *account)
{
	if (!config_expect_values(b, d, statement, 1, ARGUMENTS_MAX))
		return;
	const char **arguments =
	    config_arena_alloc(b->arena, (statement->word_count + 1) * sizeof(*arguments));
	arguments[0] = take_program(b, &statement->words[0]);
	for (size_t i = 1; i < statement->word_count; i++)
		arguments[i] =
		    config_arena_copy(b->arena, span_from_string(statement->words[i].text));
	account->password_command = arguments;
}

static bool put_command(const struct config_account *account, struct buf *out)
{
	bool done = account->password_command;
	for (size_t i = 0; done && account->password_command[i]; i++)
		done = (!i || buf_append_byte(out, ' ')) &&
		       config_quote(out, account->password_command[i]);
	return done;
}

void config_read_password_command(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	take_command(b, d, statement, object);
}

bool config_print_password_command(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	return n == 0 && put_command(object, out);
}

/* ---- mechanisms ---- */

static bool is_among(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

const char *const *config_take_mechanisms(
    struct config_builder *b, const struct config_statement *statement, size_t *count_out)
{
	const char **names = NULL;
	size_t count = 0;
	for (size_t i = 0; i < statement->word_count; i++) {
		const struct config_word *word = &statement->words[i];
		struct fault fault = { 0 };
		const struct config_mechanism *found = config_mechanism_find(word->text, &fault);
		if (!found)
			config_report_fault(b, word, &fault);
		else if (!is_among(names, count, found->name))
			CONFIG_ADD(b, names, count, found->name);
	}
	*count_out = count;
	return names;
}

bool config_put_mechanisms(const char *const *names, size_t count, struct buf *out)
{
	bool done = count > 0;
	for (size_t i = 0; i < count; i++)
		done = done && (!i || buf_append_byte(out, ' ')) && config_quote(out, names[i]);
	return done;
}

void config_read_mechanisms(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_account *account = object;
	account->mechanisms = config_take_mechanisms(b, statement, &account->mechanism_count);
}

bool config_print_mechanisms(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_account *account = object;
	return n == 0 && config_put_mechanisms(account->mechanisms, account->mechanism_count, out);
}

void config_read_route_mechanisms(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_route *route = object;
	route->mechanisms = config_take_mechanisms(b, statement, &route->mechanism_count);
}

bool config_print_route_mechanisms(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_route *route = object;
	return n == 0 && config_put_mechanisms(route->mechanisms, route->mechanism_count, out);
}

/* ---- oauth ---- */

void config_read_oauth(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_account *account = object;
	struct config_oauth *oauth = config_arena_alloc(b->arena, sizeof(*oauth));
	oauth->origin = config_origin_of(b, statement->name.place);
	oauth->origins = config_origins_make(b, CONFIG_OBJECT_OAUTH);
	config_set_defaults(b, CONFIG_OBJECT_OAUTH, oauth);
	config_read_children(b, d->child, statement, oauth);
	config_oauth_complete(b, oauth);
	account->oauth = oauth;
}

/* ---- route: the account of a name ---- */

void config_read_account(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	if (config_expect_values(b, d, statement, 1, 1))
		CONFIG_ADD(b, b->account_references.items, b->account_references.count,
		    (struct config_reference){ &statement->words[0], object });
}

bool config_print_account(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_route *route = object;
	return n == 0 && route->account && route->account->label &&
	       config_quote(out, route->account->label);
}

/* ---- route: login and password of its own ---- */

/* The route's own account, made by the first of its directives. */
static struct config_account *own_account(
    struct config_builder *b, struct config_route *route, const struct config_statement *statement)
{
	if (!route->account) {
		struct config_account *account = config_arena_alloc(b->arena, sizeof(*account));
		account->origin = config_origin_of(b, statement->name.place);
		account->origins = config_origins_make(b, CONFIG_OBJECT_ACCOUNT);
		config_set_defaults(b, CONFIG_OBJECT_ACCOUNT, account);
		account->login = "";
		config_object_list_add(b, &b->accounts, account, statement);
		route->account = account;
	}
	return (struct config_account *)route->account;
}

/* Reads the statement as the directive of that name in an account. */
void config_read_own(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	const struct config_directive *row = config_directive_find(CONFIG_BLOCK_ACCOUNT, d->name);
	if (row->type && !config_expect_values(b, d, statement, 1, 1))
		return;
	struct config_account *account = own_account(b, object, statement);
	struct fault fault = { 0 };
	if (!row->type)
		row->read(b, row, statement, account);
	else if (!row->type->convert(
		     b, row, statement->words, (char *)account + row->offset, &fault))
		config_report_fault(b, statement->words, &fault);
	((struct config_origin *)account->origins)[config_directive_slot(row)] =
	    config_origin_of(b, statement->name.place);
}

bool config_print_own(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_directive *row = config_directive_find(CONFIG_BLOCK_ACCOUNT, d->name);
	const struct config_account *account = ((const struct config_route *)object)->account;
	if (n || !account || account->label)
		return false;
	if (row->type)
		return row->type->print(row, (const char *)account + row->offset, out);
	return row->print(row, account, n, out, origin_out);
}
