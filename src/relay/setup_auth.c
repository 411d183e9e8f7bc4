/* SPDX-License-Identifier: MIT */
#include "relay/setup_auth.h"

#include "base/memory.h"

#include <string.h>
#include <sys/un.h>

#define BIT(mechanism) (1u << (mechanism))

static void complain(struct buf *problems, const char *level, const char *text)
{
	buf_printf(problems, "%s: %s\n", level, text);
}

/* ---- stores ---- */

static bool open_users(const char *path, struct account_stores *stores,
    struct account_users **users_out, struct buf *problems)
{
	struct account_notes *notes = MEM_NEW(struct account_notes);
	char text[512];

	*users_out = account_users_read(path, notes);
	for (size_t i = 0; i < notes->count; i++) {
		account_note_format(&notes->items[i], path, text, sizeof(text));
		complain(problems, notes->items[i].kind == ACCOUNT_NOTE_ERROR ? "error" : "warning",
		    text);
	}
	mem_free(notes);
	if (*users_out)
		account_stores_add_users(stores, path, *users_out);
	return *users_out;
}

static bool open_sqlite(
    const struct config *config, struct account_stores *stores, struct buf *problems)
{
	const char *path = config->users.sqlite.path;
	struct account_sqlite *db;
	struct fault fault;

	db = account_sqlite_open(path, config->users.sqlite.query, &fault);
	if (db)
		account_stores_add_sqlite(stores, path, &db);
	else
		complain(problems, "error", fault.text);
	return stores->items[0].sqlite || stores->items[1].sqlite || stores->items[2].sqlite;
}

/* Whether Dovecot is there is seen when it is asked: it may start later than the relay. */
static bool open_dovecot(const char *path, struct account_stores *stores, struct buf *problems)
{
	struct sockaddr_un limit;

	if (strlen(path) >= sizeof(limit.sun_path)) {
		complain(problems, "error", "the path of Dovecot's socket is too long");
		return false;
	}
	account_stores_add_dovecot(stores, path);
	return true;
}

static bool open_keys(
    const struct config *config, struct account_stores *stores, struct buf *problems)
{
	struct account_jwks_settings settings = {
		.issuer = config->users.jwks.issuer,
		.audience = config->users.jwks.audience,
		.login_claim = config->users.jwks.login_claim,
	};
	struct fault fault;

	if (!config->users.jwks.file)
		return true;
	stores->jwks = account_jwks_read(config->users.jwks.file, &settings, &fault);
	if (!stores->jwks)
		complain(problems, "error", fault.text);
	return stores->jwks;
}

static bool open_store(enum config_store store, const struct config *config,
    struct account_stores *stores, struct account_users **users_out, struct buf *problems)
{
	switch (store) {
	case CONFIG_STORE_FILE:
		return open_users(config->users.file, stores, users_out, problems);
	case CONFIG_STORE_SQLITE:
		return open_sqlite(config, stores, problems);
	case CONFIG_STORE_DOVECOT:
		return open_dovecot(config->users.dovecot, stores, problems);
	}
	return false;
}

struct account_stores *setup_auth_open(
    const struct config *config, struct account_users **users_out, struct buf *problems)
{
	struct account_stores *stores = account_stores_create();
	bool good = open_keys(config, stores, problems);

	*users_out = NULL;
	for (size_t i = 0; i < config->users.store_count; i++)
		good &= open_store(config->users.stores[i], config, stores, users_out, problems);
	if (!good) {
		account_stores_unref(&stores);
		account_users_unref(users_out);
	}
	return stores;
}

/* ---- offers ---- */

/* The strongest first: there are clients that take the first they know. */
static const enum sasl_mechanism usual_order[] = {
	SASL_MECHANISM_EXTERNAL,
	SASL_MECHANISM_SCRAM_SHA_256_PLUS,
	SASL_MECHANISM_SCRAM_SHA_256,
	SASL_MECHANISM_SCRAM_SHA_1_PLUS,
	SASL_MECHANISM_SCRAM_SHA_1,
	SASL_MECHANISM_OAUTHBEARER,
	SASL_MECHANISM_XOAUTH2,
	SASL_MECHANISM_PLAIN,
	SASL_MECHANISM_LOGIN,
};

static bool is_possible(enum sasl_mechanism mechanism, unsigned state)
{
	if (sasl_mechanism_is_bound(mechanism))
		return (state & SETUP_OFFER_TLS) && (state & SETUP_OFFER_BOUND);
	if (mechanism == SASL_MECHANISM_EXTERNAL)
		return (state & SETUP_OFFER_TLS) && (state & SETUP_OFFER_CERTIFICATE);
	return true;
}

static char *make_list(const enum sasl_mechanism *order, size_t count, unsigned state)
{
	struct buf list;

	buf_init(&list, 512);
	for (size_t i = 0; i < count; i++)
		if (is_possible(order[i], state))
			buf_printf(
			    &list, "%s%s", list.len ? " " : "", sasl_mechanism_name(order[i]));
	return buf_take_string(&list);
}

static unsigned possible(unsigned mask, const struct config_listener *listener)
{
	return mask | (listener->client_ca ? BIT(SASL_MECHANISM_EXTERNAL) : 0);
}

static size_t choose_usual(const struct account_stores *stores,
    const struct config_listener *listener, enum sasl_mechanism order[SASL_MECHANISM_COUNT])
{
	unsigned mask = possible(account_stores_every(stores), listener);
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(usual_order); i++)
		if (mask & BIT(usual_order[i]))
			order[count++] = usual_order[i];
	return count;
}

static void warn_idle(
    const struct config_listener *listener, const char *name, struct buf *problems)
{
	char origin[CONFIG_ORIGIN_TEXT_MAX];

	buf_printf(problems, "%s: warning: \"%s\" does not offer %s: no user can serve it\n",
	    config_origin_format(listener->origin, origin), listener->label, name);
}

static size_t choose_named(const struct account_stores *stores,
    const struct config_listener *listener, enum sasl_mechanism order[SASL_MECHANISM_COUNT],
    struct buf *problems)
{
	unsigned mask = possible(account_stores_any(stores), listener);
	enum sasl_mechanism mechanism;
	size_t count = 0;

	for (size_t i = 0; i < listener->mechanism_count; i++) {
		if (sasl_mechanism_find(span_from_string(listener->mechanisms[i]), &mechanism) &&
		    (mask & BIT(mechanism)))
			order[count++] = mechanism;
		else
			warn_idle(listener, listener->mechanisms[i], problems);
	}
	return count;
}

bool setup_auth_offer(struct setup_offer *offer, const struct account_stores *stores,
    const struct config_listener *listener, struct buf *problems)
{
	enum sasl_mechanism order[SASL_MECHANISM_COUNT];
	char origin[CONFIG_ORIGIN_TEXT_MAX];
	size_t count = 0;

	if (listener->auth != CONFIG_AUTH_MODE_OFF)
		count = listener->mechanism_count > 0
			    ? choose_named(stores, listener, order, problems)
			    : choose_usual(stores, listener, order);
	for (unsigned state = 0; state < SETUP_OFFER_STATES; state++)
		offer->lists[state] = make_list(order, count, state);
	if (count > 0 || listener->auth == CONFIG_AUTH_MODE_OFF)
		return true;
	buf_printf(problems, "%s: error: \"%s\" could offer no mechanism to sign in with\n",
	    config_origin_format(listener->origin, origin), listener->label);
	return false;
}

/* Both bindings are secrets of the connection: only whether there is one is looked at. */
static bool has_binding(const struct conn *conn)
{
	struct buf exporter, unique;
	bool any;

	buf_init_secret(&exporter, CONN_CHANNEL_BINDING_MAX);
	buf_init_secret(&unique, CONN_CHANNEL_BINDING_MAX);
	conn_channel_binding(conn, &exporter, &unique);
	any = exporter.len > 0 || unique.len > 0;
	buf_fini(&exporter);
	buf_fini(&unique);
	return any;
}

unsigned setup_auth_state(const struct conn *conn)
{
	struct conn_tls_info info;

	if (!conn_tls_info(conn, &info))
		return 0;
	return SETUP_OFFER_TLS | (has_binding(conn) ? SETUP_OFFER_BOUND : 0) |
	       (info.verified ? SETUP_OFFER_CERTIFICATE : 0);
}

void setup_auth_offer_fini(struct setup_offer *offer)
{
	for (unsigned state = 0; state < SETUP_OFFER_STATES; state++)
		mem_free(offer->lists[state]);
}
