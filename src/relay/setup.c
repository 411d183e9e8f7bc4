/* SPDX-License-Identifier: MIT */
#include "relay/setup.h"

#include "base/memory.h"
#include "relay/quirk_use.h"
#include "relay/setup_tls.h"
#include "smtp/domain.h"

#include <string.h>

#define ADDRESS_MAX 2048

static void complain(struct buf *problems, const char *level, const char *where, const char *text)
{
	buf_printf(problems, "%s%s%s: %s\n", where ? where : "", where ? ": " : "", level, text);
}

static bool load_users(struct setup *setup, struct buf *problems)
{
	setup->stores = setup_auth_open(setup->config, &setup->users, problems);
	if (setup->users)
		setup->mailboxes = recipients_of_users(setup->users);
	return setup->stores;
}

static bool load_listeners(struct setup *setup, struct buf *problems)
{
	size_t count = setup->config->listener_count;
	bool good = true;

	setup->offers = mem_alloc_array(count + 1, sizeof(*setup->offers));
	for (size_t i = 0; i < count; i++) {
		if (setup->stores)
			good &= setup_auth_offer(&setup->offers[i], setup->stores,
			    &setup->config->listeners[i], problems);
	}
	return good;
}

static bool load_recipients(struct setup *setup, struct buf *problems)
{
	const struct config *config = setup->config;
	bool good = true;

	setup->domains = mem_alloc_array(config->domain_count + 1, sizeof(*setup->domains));
	for (size_t i = 0; i < config->domain_count; i++) {
		struct fault fault;
		setup->domains[i].hop = config->route_count + i;
		if (!config->domains[i].recipients_file)
			continue;
		setup->domains[i].recipients =
		    recipients_read(config->domains[i].recipients_file, &fault);
		if (!setup->domains[i].recipients) {
			complain(problems, "error", NULL, fault.text);
			good = false;
		}
	}
	return good;
}

static bool check_alias_list(const struct config_alias *aliases, size_t count, struct buf *problems)
{
	char origin[CONFIG_ORIGIN_TEXT_MAX];
	bool good = true;

	for (size_t i = 0; i < count; i++) {
		if (aliases[i].address_count <= SETUP_ALIAS_ADDRESSES_MAX)
			continue;
		config_origin_format(aliases[i].origin, origin);
		complain(problems, "error", origin, "an alias leads to 100 addresses at most");
		good = false;
	}
	return good;
}

static bool check_aliases(const struct setup *setup, struct buf *problems)
{
	const struct config *config = setup->config;
	bool good = true;

	for (size_t i = 0; i < config->domain_count; i++)
		good &= check_alias_list(
		    config->domains[i].aliases, config->domains[i].alias_count, problems);
	for (size_t i = 0; i < config->route_count; i++)
		good &= check_alias_list(
		    config->routes[i].aliases, config->routes[i].alias_count, problems);
	return good;
}

static void set_server(struct smtp_server_settings *server, const struct config *config,
    const struct config_listener *listener, bool trusted)
{
	*server = (struct smtp_server_settings){
		.hostname = config->hostname,
		.size_max_bytes = listener->size_max_bytes,
		.recipients_max = listener->recipients_max,
		.auth_failures_max = listener->auth_failures_max,
		.errors_max = listener->errors_max,
		.commands_max = listener->commands_max,
		.tls_offered = listener->tls == CONFIG_TLS_MODE_STARTTLS,
		.tls_active = listener->tls == CONFIG_TLS_MODE_IMPLICIT,
		.auth_required = listener->auth == CONFIG_AUTH_MODE_REQUIRED && !trusted,
		.auth_needs_tls = !listener->cleartext_auth,
		.strict = listener->strict,
		.quirks = quirk_use_for_all(listener),
		.chunking = true,
		.dsn = true,
		.smtputf8 = true,
		.limits = true,
		.requiretls = true,
	};
}

static void make_servers(struct setup *setup)
{
	const struct config *config = setup->config;

	setup->servers = mem_alloc_array(config->listener_count + 1, sizeof(*setup->servers));
	for (size_t i = 0; i < config->listener_count; i++) {
		set_server(&setup->servers[i][0], config, &config->listeners[i], false);
		set_server(&setup->servers[i][1], config, &config->listeners[i], true);
		/* Without TLS, the list that TLS will bring is named in refusals. */
		setup->servers[i][0].auth_mechanisms = setup->servers[i][1].auth_mechanisms =
		    setup->offers[i].lists[config->listeners[i].cleartext_auth
					       ? 0
					       : SETUP_OFFER_TLS | SETUP_OFFER_BOUND];
	}
}

/* ---- accounts ---- */

static bool load_accounts(struct setup *setup, struct buf *problems)
{
	const struct config *config = setup->config;
	bool good = true;

	setup->accounts = mem_alloc_array(config->account_count + 1, sizeof(*setup->accounts));
	for (size_t i = 0; i < config->account_count; i++) {
		setup->account_count++;
		good &= setup_account_load(
		    &setup->accounts[i], &config->accounts[i], config->user, problems);
	}
	return good;
}

/* ---- hops ---- */

static enum setup_hop_kind kind_of(const struct config_via *via)
{
	if (config_via_is_session(via))
		return SETUP_HOP_SESSION;
	return via->scheme == CONFIG_SCHEME_MAILDIR ? SETUP_HOP_MAILDIR : SETUP_HOP_DISCARD;
}

static bool key_is_taken(const struct setup *setup, struct span key)
{
	for (size_t i = 0; i < setup->hop_count; i++)
		if (span_equal(span_from_string(setup->hops[i].key), key))
			return true;
	return false;
}

static const char *account_name(const struct config_account *account)
{
	if (account->label)
		return account->label;
	if (account->login[0] != '\0')
		return account->login;
	return account->certificate ? "the certificate" : "kerberos";
}

/* "via as account", and a number behind it where two routes would share the key: their limits, and
   what is learned of them, are their own. */
static char *make_key(
    const struct setup *setup, const char *via, const struct config_account *account)
{
	struct buf key;
	size_t bare;

	buf_init(&key, 2048);
	buf_append_string(&key, via);
	if (account)
		buf_printf(&key, " as %s", account_name(account));
	bare = key.len;
	for (unsigned n = 2; key_is_taken(setup, buf_span(&key)); n++) {
		buf_truncate(&key, bare);
		buf_printf(&key, " #%u", n);
	}
	return buf_take_string(&key);
}

static bool is_same_hop(const struct config_route *a, const struct config_route *b)
{
	return a->via_count > 0 && strcmp(a->vias[0].text, b->vias[0].text) == 0 &&
	       !a->account == !b->account &&
	       (!a->account || strcmp(account_name(a->account), account_name(b->account)) == 0);
}

void setup_route_key(const struct config *config, size_t index, struct buf *key_out)
{
	const struct config_route *route = &config->routes[index];
	unsigned n = 1;

	for (size_t i = 0; i < index; i++)
		n += is_same_hop(&config->routes[i], route);
	buf_append_string(key_out, route->vias[0].text);
	if (route->account)
		buf_printf(key_out, " as %s", account_name(route->account));
	if (n > 1)
		buf_printf(key_out, " #%u", n);
}

static struct setup_hop *add_hop(
    struct setup *setup, const char *name, const struct config_account *account)
{
	struct setup_hop *hop = &setup->hops[setup->hop_count];
	const struct config *config = setup->config;

	hop->key = make_key(setup, name, account);
	hop->retry = config->retry;
	hop->lifetime_ms = config->lifetime_ms;
	hop->delay_warning_ms = config->delay_warning_ms;
	hop->connections_max = 20;
	hop->messages_per_connection = 1000;
	setup->hop_count++;
	return hop;
}

static bool load_tls(
    struct setup_hop *hop, bool verify, const char *trust_path, struct buf *problems)
{
	const struct config_account *account = hop->account ? hop->account->config : NULL;
	struct tls_client_policy policy = {
		.level = hop->route ? setup_tls_level(hop->route->tls_policy)
				    : TLS_LEVEL_INTERMEDIATE,
		.verify = verify,
		.trust_path = trust_path,
		.certificate_path = account ? account->certificate : NULL,
		.key_path = account ? account->key : NULL,
	};
	struct fault fault;

	if (hop->kind != SETUP_HOP_SESSION)
		return true;
	hop->tls = tls_client_context_create(&policy, &fault);
	if (!hop->tls)
		complain(problems, "error", hop->key, fault.text);
	return hop->tls != NULL;
}

static bool add_refusal(struct setup *setup, const struct config_route *route)
{
	struct fault name;
	struct setup_hop *hop;

	fault_set(&name, FAULT_PERMANENT, "refuse %u%s%s %s", route->refuse.code,
	    route->refuse.enhanced ? " " : "", route->refuse.enhanced ? route->refuse.enhanced : "",
	    route->refuse.text);
	hop = add_hop(setup, name.text, NULL);
	hop->kind = SETUP_HOP_REFUSE;
	hop->route = route;
	return true;
}

static bool load_maps(const struct setup *setup, struct setup_hop *hop, struct buf *problems)
{
	struct fault fault;

	if (rewrite_init(&hop->rewrite, setup->config, hop->route, &fault))
		return true;
	complain(problems, "error", NULL, fault.text);
	return false;
}

static bool add_route(struct setup *setup, const struct config_route *route, struct buf *problems)
{
	struct setup_hop *hop;
	bool good;

	if (route->via_count == 0)
		return add_refusal(setup, route);
	hop = add_hop(setup, route->vias[0].text, route->account);
	hop->kind = kind_of(&route->vias[0]);
	hop->route = route;
	hop->vias = route->vias;
	hop->via_count = route->via_count;
	hop->retry = route->retry;
	hop->lifetime_ms = route->lifetime_ms;
	hop->delay_warning_ms = route->delay_warning_ms;
	hop->rate = route->rate;
	hop->connections_max = route->connections_max;
	hop->messages_per_connection = route->messages_per_connection;
	if (route->account) {
		hop->account = &setup->accounts[route->account->index];
		hop->scram = scram_keep_create();
	}
	good = load_tls(hop, route->tls_verify, route->tls_trust, problems);
	return load_maps(setup, hop, problems) && good;
}

static bool add_domain(
    struct setup *setup, const struct config_domain *domain, struct buf *problems)
{
	struct setup_hop *hop = add_hop(setup, domain->deliver.text, NULL);

	hop->kind = kind_of(&domain->deliver);
	hop->domain = domain;
	hop->vias = &domain->deliver;
	hop->via_count = 1;
	return load_tls(hop, true, NULL, problems);
}

static bool make_hops(struct setup *setup, struct buf *problems)
{
	const struct config *config = setup->config;
	bool good = true;

	setup->hops =
	    mem_alloc_array(config->route_count + config->domain_count + 1, sizeof(*setup->hops));
	for (size_t i = 0; i < config->route_count; i++)
		good &= add_route(setup, &config->routes[i], problems);
	for (size_t i = 0; i < config->domain_count; i++)
		good &= add_domain(setup, &config->domains[i], problems);
	add_hop(setup, "no-route", NULL)->kind = SETUP_HOP_NOWHERE;
	return good;
}

/* ---- life ---- */

static void destroy(struct setup *setup)
{
	size_t domains = setup->config->domain_count;

	account_stores_unref(&setup->stores);
	account_users_unref(&setup->users);
	for (size_t i = 0; setup->offers && i < setup->config->listener_count; i++) {
		setup_auth_offer_fini(&setup->offers[i]);
		tls_server_context_unref(&setup->listener_tls[i]);
	}
	mem_free(setup->offers);
	mem_free(setup->listener_tls);
	recipients_destroy(&setup->mailboxes);
	for (size_t i = 0; i < setup->hop_count; i++) {
		mem_free(setup->hops[i].key);
		scram_keep_destroy(&setup->hops[i].scram);
		tls_client_context_unref(&setup->hops[i].tls);
		rewrite_fini(&setup->hops[i].rewrite);
	}
	for (size_t i = 0; i < setup->account_count; i++)
		setup_account_fini(&setup->accounts[i]);
	for (size_t i = 0; setup->domains && i < domains; i++)
		recipients_destroy(&setup->domains[i].recipients);
	mem_free(setup->accounts);
	mem_free(setup->hops);
	mem_free(setup->domains);
	mem_free(setup->servers);
	config_unref(&setup->config);
	mem_free(setup);
}

static const struct setup *create(const struct config *config, const struct setup *previous,
    bool dry, struct buf *problems_out)
{
	struct setup *setup = MEM_NEW(struct setup);
	bool good;

	setup->config = config_ref(config);
	setup->references = 1;
	good = load_users(setup, problems_out);
	good &= setup_tls_load(setup, previous, dry, problems_out);
	good &= load_listeners(setup, problems_out);
	good &= load_recipients(setup, problems_out);
	good &= check_aliases(setup, problems_out);
	good &= load_accounts(setup, problems_out);
	good &= make_hops(setup, problems_out);
	make_servers(setup);
	if (!good) {
		destroy(setup);
		return NULL;
	}
	config_unref(&config);
	return setup;
}

const struct setup *setup_create(
    const struct config *config, const struct setup *previous, struct buf *problems_out)
{
	return create(config, previous, false, problems_out);
}

const struct setup *setup_check(const struct config *config, struct buf *problems_out)
{
	return create(config, NULL, true, problems_out);
}

const struct setup *setup_ref(const struct setup *setup)
{
	atomic_fetch_add(&((struct setup *)setup)->references, 1);
	return setup;
}

void setup_unref(const struct setup **setup)
{
	struct setup *s = (struct setup *)*setup;

	*setup = NULL;
	if (s && atomic_fetch_sub(&s->references, 1) == 1)
		destroy(s);
}

/* ---- questions ---- */

const struct setup_hop *setup_hop_by_route(const struct setup *setup, size_t route)
{
	return &setup->hops[route == CONFIG_NO_ROUTE ? setup->hop_count - 1 : route];
}

static const struct setup_hop *find_hop(
    const struct setup *setup, const struct config_question *question)
{
	const struct config_domain *domain;
	struct span local, name;

	if (config_address_split(question->recipient, &local, &name)) {
		domain = config_domain_find(setup->config, name);
		if (domain)
			return &setup->hops[setup->domains[domain - setup->config->domains].hop];
	}
	return setup_hop_by_route(setup, config_route_find(setup->config, question, NULL));
}

/* The queue has addresses as their senders wrote them, the configuration has domains in ASCII. */
static const struct setup_hop *find_hop_utf8(
    const struct setup *setup, const struct config_question *question)
{
	struct config_question asked = *question;
	const struct setup_hop *hop;
	struct buf sender, recipient;

	buf_init(&sender, ADDRESS_MAX);
	buf_init(&recipient, ADDRESS_MAX);
	if (smtp_mailbox_append_comparable(&sender, question->sender))
		asked.sender = buf_span(&sender);
	if (smtp_mailbox_append_comparable(&recipient, question->recipient))
		asked.recipient = buf_span(&recipient);
	hop = find_hop(setup, &asked);
	buf_fini(&sender);
	buf_fini(&recipient);
	return hop;
}

const struct setup_hop *setup_hop_for(
    const struct setup *setup, const struct config_question *question)
{
	if (smtp_text_is_ascii(question->sender) && smtp_text_is_ascii(question->recipient))
		return find_hop(setup, question);
	return find_hop_utf8(setup, question);
}

const struct setup_hop *setup_hop_by_key(const struct setup *setup, struct span key)
{
	for (size_t i = 0; i < setup->hop_count; i++)
		if (span_equal(span_from_string(setup->hops[i].key), key))
			return &setup->hops[i];
	return NULL;
}

const struct config_listener *setup_listener_at(
    const struct setup *setup, const struct config_address *address)
{
	const struct config *config = setup->config;

	for (size_t i = 0; i < config->listener_count; i++)
		for (size_t j = 0; j < config->listeners[i].address_count; j++)
			if (config_address_equal(&config->listeners[i].addresses[j], address))
				return &config->listeners[i];
	return NULL;
}
