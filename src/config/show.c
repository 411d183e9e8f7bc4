/* SPDX-License-Identifier: MIT */
#include "config/show.h"

#include "base/memory.h"
#include "config/reader.h"
#include "config/table.h"
#include "config/value.h"

#include <string.h>

enum { LINE_MAX_BYTES = 64 * 1024 * 128 };

struct show {
	struct buf *out;
	bool good;
	unsigned indent;
};

static void put(struct show *s, const char *text)
{
	s->good = s->good && buf_append_string(s->out, text);
}

static void put_indent(struct show *s)
{
	for (unsigned i = 0; i < s->indent; i++)
		put(s, "\t");
}

static void put_origin(struct show *s, struct config_origin origin)
{
	char text[CONFIG_ORIGIN_TEXT_MAX];
	put(s, "\t# ");
	put(s, config_origin_format(origin, text));
	put(s, "\n");
}

/* The text of item n of a row into value; false when there is none. */
static bool print_item(const struct config_directive *d, const void *object, size_t n,
    struct buf *value, struct config_origin *origin)
{
	buf_clear(value);
	if (d->type)
		return n == 0 && d->type->print(d, (const char *)object + d->offset, value);
	return d->print && d->print(d, object, n, value, origin);
}

static void put_item(struct show *s, const struct config_directive *d, struct buf *value,
    struct config_origin origin)
{
	put_indent(s);
	put(s, d->name);
	put(s, " ");
	s->good = s->good && buf_append(s->out, buf_span(value));
	put(s, ";");
	put_origin(s, origin);
}

/* What has no value stands as a comment, with what happens instead. In oauth the preset has filled
   in what the flow uses: the rest is not used. */
static void put_absent(struct show *s, const struct config_directive *d)
{
	bool unused = d->block == CONFIG_BLOCK_OAUTH || !d->fallback;
	put_indent(s);
	put(s, "# ");
	put(s, d->name);
	put(s, ": ");
	put(s, unused ? "none" : d->fallback);
	put(s, "\t# default\n");
}

/* What comes from a file or a command, by the name of the directive; NULL: no secret. */
static const char *secret_of(const struct config_directive *d)
{
	static const char *const secrets[][2] = {
		{ "password-file", "password" },
		{ "password-command", "password" },
		{ "client-secret-file", "client secret" },
		{ "key-file", "key" },
	};
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		if (!strcmp(d->name, secrets[i][0]))
			return secrets[i][1];
	return NULL;
}

/* A secret is never here: where it comes from is named. */
static void put_secret(struct show *s, const struct config_directive *d, struct buf *value)
{
	const char *secret = secret_of(d);
	if (!secret)
		return;
	put_indent(s);
	put(s, "# ");
	put(s, secret);
	put(s, " (from ");
	s->good = s->good && buf_append(s->out, buf_span(value));
	put(s, ")\n");
}

static void show_row(struct show *s, const struct config_directive *d, const void *object,
    const struct config_origin *origins)
{
	struct buf value;
	buf_init(&value, LINE_MAX_BYTES);
	size_t n = 0;
	struct config_origin origin = origins[config_directive_slot(d)];
	while (print_item(d, object, n, &value, &origin)) {
		put_item(s, d, &value, origin);
		put_secret(s, d, &value);
		n++;
	}
	if (!n)
		put_absent(s, d);
	buf_fini(&value);
}

static bool is_shown(const struct config_directive *d, enum config_block block)
{
	return d->block == block && !(d->flags & (CONFIG_FLAG_LATER | CONFIG_FLAG_HIDDEN));
}

/* A block whose required values are absent is itself absent; users, when nobody is named. */
static bool block_is_absent(enum config_block block, const void *object)
{
	const struct config_users *users = &((const struct config *)object)->users;
	bool absent = block == CONFIG_BLOCK_USERS && !users->store_count && !users->jwks.file;
	struct buf value;
	buf_init(&value, LINE_MAX_BYTES);
	for (size_t i = 0; i < config_directive_count; i++) {
		const struct config_directive *d = &config_directives[i];
		struct config_origin origin;
		if (is_shown(d, block) && (d->flags & CONFIG_FLAG_REQUIRED))
			absent = absent || !print_item(d, object, 0, &value, &origin);
	}
	buf_fini(&value);
	return absent;
}

static void show_block(struct show *s, enum config_block block, const void *object,
    const struct config_origin *origins);

static void put_within(struct show *s, const struct config_directive *d, const void *object,
    const struct config_origin *origins)
{
	put_indent(s);
	put(s, d->name);
	put(s, " {\n");
	s->indent++;
	show_block(s, d->child, object, origins);
	s->indent--;
	put_indent(s);
	put(s, "}\n");
}

static void show_values(struct show *s, const struct config_directive *d, const void *object,
    const struct config_origin *origins)
{
	if (block_is_absent(d->child, object)) {
		put_absent(s, d);
		return;
	}
	put_within(s, d, object, origins);
}

static void show_oauth(
    struct show *s, const struct config_directive *d, const struct config_account *account)
{
	if (account->oauth)
		put_within(s, d, account->oauth, account->oauth->origins);
	else
		put_absent(s, d);
}

/* On a route, what it could not obey is left out: as a directive it would be an error. */
static bool is_obeyed(const struct config_directive *d, const void *object)
{
	const struct config_route *route = object;
	if (d->flags & CONFIG_FLAG_SESSION)
		return config_route_has_session(route);
	return !(d->flags & CONFIG_FLAG_DELIVERY) || !route->refuse.code;
}

/* A directive, or a block within the same object. */
static void show_directive(struct show *s, const struct config_directive *d, const void *object,
    const struct config_origin *origins)
{
	if (d->child == CONFIG_BLOCK_TOP)
		show_row(s, d, object, origins);
	else if (d->child == CONFIG_BLOCK_OAUTH)
		show_oauth(s, d, object);
	else if (config_blocks[d->child].object == config_blocks[d->block].object)
		show_values(s, d, object, origins);
}

/* The stores are asked in the order in which they stand: they are shown first, and in it. Returns
   those shown, a bit each. */
static unsigned show_stores(
    struct show *s, const struct config *config, const struct config_origin *origins)
{
	static const char *const names[] = {
		[CONFIG_STORE_FILE] = "file",
		[CONFIG_STORE_SQLITE] = "sqlite",
		[CONFIG_STORE_DOVECOT] = "dovecot",
	};
	unsigned shown = 0;
	for (size_t i = 0; i < config->users.store_count; i++) {
		enum config_store store = config->users.stores[i];
		show_directive(
		    s, config_directive_find(CONFIG_BLOCK_USERS, names[store]), config, origins);
		shown |= 1u << store;
	}
	return shown;
}

static bool is_among(const struct config_directive *d, unsigned stores)
{
	return (d->read == config_read_users_file && (stores & 1u << CONFIG_STORE_FILE)) ||
	       (d->read == config_read_users_sqlite && (stores & 1u << CONFIG_STORE_SQLITE)) ||
	       (d->read == config_read_users_dovecot && (stores & 1u << CONFIG_STORE_DOVECOT));
}

/* The directives of a block. */
static void show_block(struct show *s, enum config_block block, const void *object,
    const struct config_origin *origins)
{
	unsigned stores = block == CONFIG_BLOCK_USERS ? show_stores(s, object, origins) : 0;
	for (size_t i = 0; i < config_directive_count; i++) {
		const struct config_directive *d = &config_directives[i];
		if (is_shown(d, block) && is_obeyed(d, object) && !is_among(d, stores))
			show_directive(s, d, object, origins);
	}
}

static void open_object(struct show *s, enum config_block block)
{
	put(s, "\n");
	put(s, config_blocks[block].name);
}

static void put_label(struct show *s, const char *label)
{
	put(s, " ");
	s->good = s->good && config_quote(s->out, label);
}

static void close_object(struct show *s, enum config_block block, const void *object,
    const struct config_origin *origins, struct config_origin origin)
{
	put(s, " {");
	put_origin(s, origin);
	s->indent = 1;
	show_block(s, block, object, origins);
	s->indent = 0;
	put(s, "}\n");
}

static void show_certificates(struct show *s, const struct config *config)
{
	for (size_t i = 0; i < config->certificate_count; i++) {
		const struct config_certificate *c = &config->certificates[i];
		open_object(s, CONFIG_BLOCK_TLS);
		if (c->label)
			put_label(s, c->label);
		close_object(s, CONFIG_BLOCK_TLS, c, c->origins, c->origin);
	}
}

static void show_listeners(struct show *s, const struct config *config)
{
	for (size_t i = 0; i < config->listener_count; i++) {
		const struct config_listener *listener = &config->listeners[i];
		open_object(s, CONFIG_BLOCK_LISTEN);
		put_label(s, listener->label);
		close_object(s, CONFIG_BLOCK_LISTEN, listener, listener->origins, listener->origin);
	}
}

static void show_domains(struct show *s, const struct config *config)
{
	for (size_t i = 0; i < config->domain_count; i++) {
		const struct config_domain *domain = &config->domains[i];
		open_object(s, CONFIG_BLOCK_DOMAIN);
		for (size_t j = 0; j < domain->pattern_count; j++)
			put_label(s, domain->patterns[j].text);
		close_object(s, CONFIG_BLOCK_DOMAIN, domain, domain->origins, domain->origin);
	}
}

/* Those without a name stand in their route. */
static void show_accounts(struct show *s, const struct config *config)
{
	for (size_t i = 0; i < config->account_count; i++) {
		const struct config_account *account = &config->accounts[i];
		if (!account->label)
			continue;
		open_object(s, CONFIG_BLOCK_ACCOUNT);
		put_label(s, account->label);
		close_object(s, CONFIG_BLOCK_ACCOUNT, account, account->origins, account->origin);
	}
}

static void show_routes(struct show *s, const struct config *config)
{
	for (size_t i = 0; i < config->route_count; i++) {
		const struct config_route *route = &config->routes[i];
		open_object(s, CONFIG_BLOCK_ROUTE);
		for (size_t j = 0; j < route->pattern_count; j++)
			put_label(s, route->patterns[j].text);
		close_object(s, CONFIG_BLOCK_ROUTE, route, route->origins, route->origin);
	}
}

static void show_logins(struct show *s, const struct config *config)
{
	for (size_t i = 0; i < config->login_count; i++) {
		const struct config_login *login = &config->logins[i];
		open_object(s, CONFIG_BLOCK_LOGIN);
		for (size_t j = 0; j < login->pattern_count; j++)
			put_label(s, login->patterns[j].text);
		close_object(s, CONFIG_BLOCK_LOGIN, login, login->origins, login->origin);
	}
}

bool config_show(const struct config *config, struct buf *out)
{
	struct show s = { .out = out, .good = true };
	show_block(&s, CONFIG_BLOCK_TOP, config, config->origins);
	show_certificates(&s, config);
	show_listeners(&s, config);
	show_domains(&s, config);
	show_accounts(&s, config);
	show_routes(&s, config);
	show_logins(&s, config);
	return s.good;
}
