/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/load.h"
#include "config/match.h"
#include "config/show.h"
#include "config/table.h"

#include "full.h"
#include "memory_source.h"

#include <arpa/inet.h>
#include <stdlib.h>

static const struct config *load(const char *text)
{
	struct config_report report;
	const struct config *config = memory_load(span_from_string(text), &report);
	if (!config)
		memory_print(&report);
	assert_non_null(config);
	config_report_fini(&report);
	return config;
}

static void every_global_directive_is_obeyed(void **state)
{
	const struct config *c = load(full_config);
	assert_string_equal(c->hostname, "relay.example.org");
	assert_string_equal(c->postmaster, "admin@example.org");
	assert_string_equal(c->user, "frank");
	assert_int_equal(c->lanes, 3);
	assert_string_equal(c->default_domain, "example.org");
	assert_int_equal(c->lifetime_ms, 3 * 86400000LL);
	assert_int_equal(c->delay_warning_ms, 2 * 3600000LL);
	assert_int_equal(c->log.target, LOG_TARGET_FILE);
	assert_string_equal(c->log.path, "/var/log/frank.log");
	assert_true(c->log.json);
	assert_int_equal(c->timeout.command_ms, 60000);
	assert_int_equal(c->timeout.data_ms, 120000);
	assert_int_equal(c->retry.first_ms, 30000);
	assert_true(c->retry.factor == 1.5);
	assert_int_equal(c->retry.max_ms, 7200000);
	assert_int_equal(c->certificate_count, 2);
	assert_string_equal(c->certificates[1].label, "own");
	assert_null(c->certificates[0].label);
	assert_string_equal(c->certificates[0].certificate, "/etc/frank/cert.pem");
	assert_string_equal(c->certificates[0].key, "/etc/frank/key.pem");
	assert_string_equal(c->users.file, "/etc/frank/users");
	assert_int_equal(c->users.store_count, 3);
	assert_int_equal(c->users.stores[0], CONFIG_STORE_DOVECOT);
	assert_int_equal(c->users.stores[1], CONFIG_STORE_SQLITE);
	assert_int_equal(c->users.stores[2], CONFIG_STORE_FILE);
	assert_string_equal(c->users.dovecot, "/run/auth");
	assert_string_equal(c->users.sqlite.path, "/etc/frank/u.db");
	assert_string_equal(c->users.sqlite.query, "SELECT 1");
	assert_string_equal(c->users.jwks.file, "/etc/frank/keys.jwks");
	assert_string_equal(c->users.jwks.issuer, "https://id.example.org");
	assert_string_equal(c->users.jwks.audience, "smtp");
	assert_string_equal(c->users.jwks.login_claim, "email");
	assert_string_equal(c->spool.path, "/srv/spool");
	assert_int_equal(c->spool.min_free_bytes, 1 << 30);
	assert_int_equal(c->spool.history_ms, 86400000);
	assert_string_equal(c->state.path, "/srv/state");
	assert_string_equal(c->bounce.reverse_path, "bounces@example.org");
	assert_string_equal(c->bounce.from, "mailer@example.org");
	assert_string_equal(c->admin.socket, "/run/other.sock");
	assert_string_equal(c->admin.group, "operators");
	config_unref(&c);
	assert_null(c);
}

static void every_directive_of_a_listener_is_obeyed(void **state)
{
	const struct config *c = load(full_config);
	const struct config_listener *l = &c->listeners[0];
	assert_int_equal(c->listener_count, 2);
	assert_string_equal(l->label, "lan");
	assert_int_equal(l->address_count, 4);
	assert_string_equal(l->addresses[0].text, "*:2525");
	assert_true(l->addresses[0].any && l->addresses[1].any);
	assert_int_equal(l->addresses[0].socket.ss_family, AF_INET);
	assert_int_equal(l->addresses[1].socket.ss_family, AF_INET6);
	assert_string_equal(l->addresses[2].text, "[::1]:26");
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&l->addresses[2].socket;
	assert_true(IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr));
	assert_int_equal(ntohs(in6->sin6_port), 26);
	const struct sockaddr_in *in = (const struct sockaddr_in *)&l->addresses[3].socket;
	assert_int_equal(ntohl(in->sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(l->addresses[3].port, 0);
	assert_int_equal(l->tls, CONFIG_TLS_MODE_OFF);
	assert_int_equal(l->auth, CONFIG_AUTH_MODE_OPTIONAL);
	assert_int_equal(l->relay_from_count, 3);
	assert_int_equal(l->relay_from[0].family, AF_INET);
	assert_int_equal(l->relay_from[0].prefix_len, 24);
	assert_int_equal(l->relay_from[1].family, AF_INET6);
	assert_int_equal(l->relay_from[2].prefix_len, 32);
	assert_int_equal(l->size_max_bytes, 10 << 20);
	assert_int_equal(l->recipients_max, 200);
	assert_int_equal(l->connections_max, 300);
	assert_int_equal(l->connections_per_address, 7);
	assert_true(l->cleartext_auth);
	assert_int_equal(l->auth_failures_max, 3);
	assert_int_equal(l->mechanism_count, 2);
	assert_string_equal(l->mechanisms[0], "CRAM-MD5");
	assert_string_equal(l->mechanisms[1], "PLAIN");
	assert_null(l->client_ca);
	assert_string_equal(c->listeners[1].client_ca, "/etc/frank/ca.pem");
	assert_true(l->strict);
	assert_int_equal(l->timeout.command_ms, 5000);
	assert_int_equal(l->timeout.data_ms, 6000);
	assert_int_equal(c->listeners[1].tls, CONFIG_TLS_MODE_IMPLICIT);
	assert_int_equal(c->listeners[1].timeout.command_ms, 60000);
	config_unref(&c);
}

static void every_directive_of_a_domain_is_obeyed(void **state)
{
	const struct config *c = load(full_config);
	const struct config_domain *d = &c->domains[0];
	assert_int_equal(c->domain_count, 2);
	assert_int_equal(d->pattern_count, 2);
	assert_string_equal(d->patterns[1].text, "*.example.org");
	assert_int_equal(d->recipients, CONFIG_RECIPIENTS_FILE);
	assert_string_equal(d->recipients_file, "/etc/frank/recipients");
	assert_int_equal(d->alias_count, 2);
	assert_string_equal(d->aliases[0].name, "info");
	assert_int_equal(d->aliases[0].address_count, 2);
	assert_string_equal(d->aliases[0].addresses[1], "b@example.net");
	assert_int_equal(d->deliver.scheme, CONFIG_SCHEME_MAILDIR);
	assert_string_equal(d->deliver.path, "/var/mail/%d/%u");
	assert_int_equal(c->domains[1].recipients, CONFIG_RECIPIENTS_ANY);
	assert_int_equal(c->domains[1].deliver.scheme, CONFIG_SCHEME_LMTP);
	assert_string_equal(c->domains[1].deliver.path, "/run/lmtp");
	config_unref(&c);
}

static void every_directive_of_a_route_is_obeyed(void **state)
{
	const struct config *c = load(full_config);
	const struct config_route *r = &c->routes[0];
	assert_int_equal(c->route_count, 8);
	assert_int_equal(r->pattern_count, 2);
	assert_int_equal(r->match_count, 4);
	assert_int_equal(r->matches[0].key, CONFIG_MATCH_KEY_SENDER);
	assert_int_equal(r->matches[0].pattern_count, 2);
	assert_int_equal(r->matches[1].key, CONFIG_MATCH_KEY_LOGIN);
	assert_int_equal(r->matches[2].key, CONFIG_MATCH_KEY_CLIENT);
	assert_int_equal(r->matches[2].network_count, 2);
	assert_int_equal(r->matches[3].key, CONFIG_MATCH_KEY_LISTENER);
	assert_string_equal(r->matches[3].listeners[0], "lan");
	assert_int_equal(r->via_count, 3);
	assert_int_equal(r->vias[0].scheme, CONFIG_SCHEME_SMTPS);
	assert_string_equal(r->vias[0].host, "smtp.example.net");
	assert_int_equal(r->vias[0].port, 465);
	assert_int_equal(r->vias[1].port, 10025);
	assert_string_equal(r->vias[1].host, "2001:db8::1");
	assert_int_equal(r->vias[2].scheme, CONFIG_SCHEME_SUBMISSION);
	assert_int_equal(r->vias[2].port, 587);
	assert_string_equal(r->account->label, "up");
	assert_string_equal(r->account->login, "frank@example.net");
	assert_string_equal(r->account->password_file, "/run/secret");
	assert_ptr_equal(r->account, &c->accounts[r->account->index]);
	assert_int_equal(r->initial_response, CONFIG_INITIAL_RESPONSE_NO);
	assert_true(r->cleartext_auth);
	assert_string_equal(r->ehlo, "[192.0.2.1]");
	assert_string_equal(r->source, "192.0.2.1");
	assert_int_equal(r->source_socket.ss_family, AF_INET);
	assert_false(r->tls_verify);
	assert_string_equal(r->tls_trust, "/etc/ca.pem");
	assert_string_equal(r->tls_name, "mx.example.net");
	assert_int_equal(r->connections_max, 4);
	assert_int_equal(r->rate.count, 30);
	assert_int_equal(r->rate.per_ms, 60000);
	assert_int_equal(r->messages_per_connection, 50);
	assert_int_equal(r->lifetime_ms, 86400000);
	assert_int_equal(r->delay_warning_ms, 0);
	assert_int_equal(r->retry.first_ms, 10000);
	assert_true(r->retry.factor == 3);
	assert_int_equal(r->retry.max_ms, 1200000);
	assert_int_equal(r->mechanism_count, 1);
	assert_string_equal(r->mechanisms[0], "LOGIN");
	assert_int_equal(r->sender.kind, CONFIG_SENDER_REPLACE);
	assert_string_equal(r->sender.address, "out@example.net");
	assert_null(r->sender.file);
	assert_int_equal(r->header_from.kind, CONFIG_HEADER_FROM_KEEP_NAME);
	assert_string_equal(r->header_from.address, "out@example.net");
	assert_int_equal(r->alias_count, 2);
	assert_string_equal(r->aliases[0].name, "root");
	assert_string_equal(r->aliases[1].name, "info@example.com");
	assert_int_equal(r->aliases[1].address_count, 2);
	assert_string_equal(r->aliases[1].addresses[1], "c@example.net");
	assert_string_equal(r->default_domain, "example.net");
	config_unref(&c);
}

static void every_directive_of_an_account_is_obeyed(void **state)
{
	const struct config *c = load(full_config);
	const struct config_account *a = &c->accounts[0];
	assert_string_equal(a->certificate, "/etc/frank/client.pem");
	assert_string_equal(a->key, "/etc/client-key.pem");
	assert_int_equal(a->mechanism_count, 2);
	assert_string_equal(a->mechanisms[0], "PLAIN");
	assert_string_equal(a->mechanisms[1], "EXTERNAL");
	assert_null(a->oauth);
	assert_null(a->password_command);
	assert_false(a->kerberos);
	const struct config_account *krb = c->routes[4].account, *cmd = c->routes[5].account;
	assert_true(krb->kerberos);
	assert_string_equal(krb->login, "");
	assert_string_equal(cmd->password_command[0], "pass");
	assert_string_equal(cmd->password_command[2], "my mail");
	assert_null(cmd->password_command[3]);
	assert_string_equal(c->routes[6].account->password_command[0], "/etc/frank/bin/own");
	assert_string_equal(c->routes[6].account->login, "o");
	assert_string_equal(c->routes[5].mechanisms[0], "NTLM");
	assert_int_equal(c->routes[4].mechanism_count, 0);
	config_unref(&c);
}

static void every_directive_of_oauth_is_obeyed(void **state)
{
	const struct config *c = load(full_config);
	const struct config_oauth *o = c->routes[3].account->oauth;
	assert_non_null(o);
	assert_int_equal(o->preset, CONFIG_OAUTH_PRESET_MICROSOFT365);
	assert_int_equal(o->flow, CONFIG_OAUTH_FLOW_CODE);
	assert_string_equal(o->tenant, "contoso.example");
	assert_string_equal(o->client_id, "1b4e");
	assert_string_equal(o->client_secret_file, "/etc/frank/secrets/ms");
	assert_null(o->key_file);
	assert_string_equal(o->authorization_endpoint, "https://id.example.org/a");
	assert_null(o->device_endpoint);
	assert_string_equal(o->token_endpoint, "https://id.example.org/t");
	assert_string_equal(o->scope, "one two");
	assert_string_equal(o->trust, "/etc/id.pem");
	config_unref(&c);
}

static void a_from_rule_follows_the_sender_rule(void **state)
{
	const struct config *c = load(full_config);
	const struct config_route *map = &c->routes[3], *own = &c->routes[4], *name = &c->routes[5];
	assert_int_equal(map->sender.kind, CONFIG_SENDER_MAP);
	assert_string_equal(map->sender.file, "/etc/frank/senders");
	assert_int_equal(map->header_from.kind, CONFIG_HEADER_FROM_MAP);
	assert_string_equal(map->header_from.file, "/etc/frank/senders");
	assert_int_equal(own->sender.kind, CONFIG_SENDER_KEEP);
	assert_int_equal(own->header_from.kind, CONFIG_HEADER_FROM_REPLACE);
	assert_string_equal(own->header_from.address, "x@example.org");
	assert_null(name->header_from.address);
	assert_null(name->header_from.file);
	config_unref(&c);
}

#define MICROSOFT "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/"

/* What a preset fills in; NULL: nothing. */
static const struct preset_case {
	const char *oauth;
	enum config_oauth_flow flow;
	const char *authorization, *device, *token, *scope;
	unsigned connections_max, rate;
} preset_cases[] = {
	{ "preset microsoft365; tenant contoso.example; client-id x;", CONFIG_OAUTH_FLOW_DEVICE,
	    NULL, MICROSOFT "devicecode", MICROSOFT "token",
	    "https://outlook.office.com/SMTP.Send offline_access", 3, 30 },
	{ "preset microsoft365; tenant contoso.example; client-id x; flow code;",
	    CONFIG_OAUTH_FLOW_CODE, MICROSOFT "authorize", NULL, MICROSOFT "token",
	    "https://outlook.office.com/SMTP.Send offline_access", 3, 30 },
	{ "preset microsoft365; tenant contoso.example; client-id x; flow client-credentials; "
	  "client-secret-file s;",
	    CONFIG_OAUTH_FLOW_CLIENT_CREDENTIALS, NULL, NULL, MICROSOFT "token",
	    "https://outlook.office365.com/.default", 3, 30 },
	{ "preset microsoft365; tenant contoso.example; client-id x; scope mine; "
	  "token-endpoint https://a.example/t;",
	    CONFIG_OAUTH_FLOW_DEVICE, NULL, MICROSOFT "devicecode", "https://a.example/t", "mine",
	    3, 30 },
	{ "preset gmail; client-id x; client-secret-file s;", CONFIG_OAUTH_FLOW_CODE,
	    "https://accounts.google.com/o/oauth2/v2/auth", NULL,
	    "https://oauth2.googleapis.com/token", "https://mail.google.com/", 5, 0 },
	{ "preset gmail; flow service-account; key-file k;", CONFIG_OAUTH_FLOW_SERVICE_ACCOUNT,
	    NULL, NULL, "https://oauth2.googleapis.com/token", "https://mail.google.com/", 5, 0 },
	{ "flow client-credentials; client-id x; client-secret-file s; "
	  "token-endpoint https://a.example:8443/t;",
	    CONFIG_OAUTH_FLOW_CLIENT_CREDENTIALS, NULL, NULL, "https://a.example:8443/t", NULL, 20,
	    0 },
};

static void same(const char *is, const char *want)
{
	if (want)
		assert_string_equal(is, want);
	else
		assert_null(is);
}

/* Where a directive of a route stands. */
static const struct config_origin *route_row(const struct config *c, size_t route, const char *name)
{
	const struct config_directive *d = config_directive_find(CONFIG_BLOCK_ROUTE, name);
	return &c->routes[route].origins[config_directive_slot(d)];
}

static void presets_fill_in_what_their_flow_needs(void **state)
{
	for (size_t i = 0; i < sizeof(preset_cases) / sizeof(preset_cases[0]); i++) {
		const struct preset_case *want = &preset_cases[i];
		char text[1024];
		snprintf(text, sizeof(text),
		    "account a { login b; oauth { %s } } route * { via smtp://h; account a; }",
		    want->oauth);
		const struct config *c = load(text);
		const struct config_oauth *o = c->accounts[0].oauth;
		assert_int_equal(o->flow, want->flow);
		same(o->authorization_endpoint, want->authorization);
		same(o->device_endpoint, want->device);
		same(o->token_endpoint, want->token);
		same(o->scope, want->scope);
		assert_int_equal(c->routes[0].connections_max, want->connections_max);
		assert_int_equal(c->routes[0].rate.count, want->rate);
		assert_true(want->rate || !route_row(c, 0, "rate")->file);
		config_unref(&c);
	}
}

static void what_a_preset_fills_in_says_so(void **state)
{
	const struct config *c =
	    load("account a { login b; oauth { preset microsoft365; tenant t; client-id x; } }\n"
		 "route *@a.b { via smtp://h; account a; connections-max 2; }\n"
		 "route * { via smtp://h; account a; }");
	struct buf shown;
	buf_init(&shown, 1 << 20);
	assert_true(config_show(c, &shown));
	const char *text = buf_string(&shown);
	assert_non_null(strstr(text, "\t\tflow device;\t# preset microsoft365\n"));
	assert_non_null(strstr(text, "/t/oauth2/v2.0/token;\t# preset microsoft365\n"));
	assert_non_null(strstr(text, "\t\t# authorization-endpoint: none\t"));
	assert_non_null(strstr(text, "\tconnections-max 2;\t# /etc/frank/frank.conf:2\n"));
	assert_non_null(strstr(text, "\tconnections-max 3;\t# preset microsoft365\n"));
	assert_non_null(strstr(text, "\trate 30/m;\t# preset microsoft365\n"));
	buf_fini(&shown);
	config_unref(&c);
}

static void routes_may_refuse_sign_in_by_themselves_and_inherit(void **state)
{
	const struct config *c = load(full_config);
	assert_int_equal(c->routes[1].refuse.code, 550);
	assert_string_equal(c->routes[1].refuse.enhanced, "5.7.1");
	assert_string_equal(c->routes[1].refuse.text, "Not from here");
	const struct config_route *own = &c->routes[2];
	assert_null(own->account->label);
	assert_string_equal(own->account->login, "other user");
	assert_string_equal(own->account->password_file, "/etc/frank/secrets/other");
	assert_int_equal(own->retry.first_ms, 30000);
	assert_int_equal(own->lifetime_ms, 3 * 86400000LL);
	assert_int_equal(own->delay_warning_ms, 2 * 3600000LL);
	assert_true(own->retry.factor == 1.5);
	assert_string_equal(own->default_domain, "example.org");
	assert_int_equal(own->retry.max_ms, 7200000);
	assert_string_equal(own->ehlo, "relay.example.org");
	assert_null(own->tls_trust);
	assert_int_equal(c->routes[7].vias[0].scheme, CONFIG_SCHEME_DISCARD);
	config_unref(&c);
}

/* The first block of each kind is full: it may show no default, but for what excludes something
   else there. So every directive of the table is set in full_config, and read back by the tests
   above. */
static void policy_is_obeyed(void **state)
{
	const struct config *c = load(full_config);
	assert_false(c->bans.automatic);
	assert_int_equal(c->bans.failures, 3);
	assert_int_equal(c->bans.address_failures, 4);
	assert_int_equal(c->bans.window_ms, 3600000);
	assert_int_equal(c->bans.first_ms, 120000);
	assert_int_equal(c->bans.max_ms, 7200000);
	assert_int_equal(c->bans.delay_ms, 5000);
	assert_int_equal(c->bans.exempt.count, 2);
	assert_int_equal(c->deny.count, 1);
	assert_string_equal(c->proxy_protocol.items[0].text, "10.0.0.5");
	assert_string_equal(c->xclient.items[1].text, "::1");
	const struct config_listener *lan = &c->listeners[0];
	assert_int_equal(lan->errors_max, 5);
	assert_int_equal(lan->commands_max, 50);
	assert_int_equal(lan->rate.count, 60);
	assert_int_equal(lan->rate.per_ms, 3600000);
	assert_string_equal(lan->deny.items[0].text, "10.0.0.9");
	assert_string_equal(lan->proxy_protocol.items[0].text, "10.0.0.7");
	assert_string_equal(lan->xclient.items[0].text, "10.0.0.8");
	config_unref(&c);
}

static void the_first_login_block_that_fits_holds(void **state)
{
	const struct config *c = load("login scanner *@dev.example.org { send-as <>; rate 5/m; "
				      "recipients 6/h; sessions 7; on-limit hold; }\n"
				      "login * { }");
	const struct config_login *first = config_login_find(c, SPAN("Scanner"));
	assert_ptr_equal(first, &c->logins[0]);
	assert_ptr_equal(config_login_find(c, SPAN("a@dev.example.org")), first);
	assert_ptr_equal(config_login_find(c, SPAN("a@example.org")), &c->logins[1]);
	assert_int_equal(first->rate.count, 5);
	assert_int_equal(first->recipients.per_ms, 3600000);
	assert_int_equal(first->sessions, 7);
	assert_int_equal(first->on_limit, CONFIG_ON_LIMIT_HOLD);
	assert_int_equal(c->logins[1].on_limit, CONFIG_ON_LIMIT_REJECT);
	assert_int_equal(c->logins[1].send_as_count, 0);
	config_unref(&c);
}

static const struct {
	const char *send_as, *login, *address;
	bool may;
} send_as_cases[] = {
	{ "any", "a@b.example", "x@y.example", true },
	{ "any", "a@b.example", "", true },
	{ "%login", "a@b.example", "A@B.example", true },
	{ "%login", "a@b.example", "x@b.example", false },
	{ "%login", "a@b.example", "", false },
	{ "%login", "scanner", "scanner@example.org", true },
	{ "%login", "scanner", "scanner@b.example", false },
	{ "%login", "scanner", "scanner", false },
	{ "%login <>", "a@b.example", "", true },
	{ "%login@c.example", "a@b.example", "a@c.example", true },
	{ "%login@c.example", "a@b.example", "a@b.example", false },
	{ "%login@*.c.example", "scanner", "scanner@x.c.example", true },
	{ "%login@*", "a@b.example", "a@anywhere.example", true },
	{ "%login@*", "a@b.example", "x@anywhere.example", false },
	{ "*@b.example x@y.example", "a@c.example", "x@y.example", true },
	{ "*@b.example", "a@b.example", "a@x.b.example", false },
};

static void a_login_sends_as_its_rule_says(void **state)
{
	for (size_t i = 0; i < sizeof(send_as_cases) / sizeof(send_as_cases[0]); i++) {
		char text[200];
		snprintf(text, sizeof(text), "default-domain example.org; login * { send-as %s; }",
		    send_as_cases[i].send_as);
		const struct config *c = load(text);
		bool may = config_login_may_send_as(c, &c->logins[0],
		    span_from_string(send_as_cases[i].login),
		    span_from_string(send_as_cases[i].address));
		if (may != send_as_cases[i].may)
			fail_msg("%s: %s as <%s>", text, send_as_cases[i].login,
			    send_as_cases[i].address);
		config_unref(&c);
	}
}

static void no_directive_is_left_out_of_these_tests(void **state)
{
	static const char *const openings[] = { "hostname ", "listen lan ", "domain example.org ",
		"account up ", "route *@example.net " };
	static const char *const excluded[] = { "# refuse:", "# login:", "# password-file:",
		"# password-command:", "# oauth:", "kerberos no;",
		"# client-ca:", "# certificate:", "tls-policy intermediate;" };
	const struct config *c = load(full_config);
	struct buf shown;
	buf_init(&shown, 1 << 20);
	assert_true(config_show(c, &shown));
	for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
		char *start = strstr(buf_string(&shown), openings[i]);
		assert_non_null(start);
		struct span block = span_from_string(start), line;
		block = span_head(block, span_find_span(block, SPAN("\n\n")));
		while (span_take_until(&block, '\n', &line)) {
			bool fallback = span_find_span(line, SPAN("# default")) < line.len;
			for (size_t j = 0; j < sizeof(excluded) / sizeof(excluded[0]); j++)
				if (span_starts_with(
					span_trim(line), span_from_string(excluded[j])))
					fallback = false;
			if (fallback)
				fail_msg("%.*s", SPAN_ARG(line));
		}
	}
	buf_fini(&shown);
	config_unref(&c);
}

static void an_empty_file_gives_the_defaults(void **state)
{
	const struct config *c = load("");
	assert_string_equal(c->hostname, "box.example.org");
	assert_null(c->postmaster);
	assert_null(c->user);
	assert_int_equal(c->lanes, 0);
	assert_int_equal(c->timeout.command_ms, 300000);
	assert_int_equal(c->timeout.data_ms, 600000);
	assert_int_equal(c->lifetime_ms, 5 * 86400000LL);
	assert_int_equal(c->delay_warning_ms, 4 * 3600000LL);
	assert_int_equal(c->retry.first_ms, 60000);
	assert_true(c->retry.factor == 2);
	assert_int_equal(c->retry.max_ms, 3600000);
	assert_string_equal(c->spool.path, "/var/spool/frank");
	assert_int_equal(c->spool.min_free_bytes, 256 << 20);
	assert_int_equal(c->spool.history_ms, 7 * 86400000LL);
	assert_string_equal(c->state.path, "/var/lib/frank");
	assert_null(c->bounce.reverse_path);
	assert_string_equal(c->bounce.from, "postmaster@box.example.org");
	assert_int_equal(c->log.target, LOG_TARGET_STDERR);
	assert_false(c->log.json);
	assert_string_equal(c->admin.socket, "/run/frank/admin.sock");
	assert_string_equal(c->admin.group, "frank");
	config_unref(&c);
}

static void listeners_and_routes_have_the_designed_defaults(void **state)
{
	const struct config *c = load("tls { certificate c; key k; } users { file u; }\n"
				      "listen { address *:587; } route * { via smtp://h; }");
	const struct config_listener *l = &c->listeners[0];
	assert_string_equal(l->label, "*:587");
	assert_int_equal(l->tls, CONFIG_TLS_MODE_STARTTLS);
	assert_int_equal(l->auth, CONFIG_AUTH_MODE_REQUIRED);
	assert_int_equal(l->size_max_bytes, 50 << 20);
	assert_int_equal(l->recipients_max, 1000);
	assert_int_equal(l->connections_max, 10000);
	assert_int_equal(l->connections_per_address, 100);
	assert_int_equal(l->auth_failures_max, 5);
	assert_false(l->cleartext_auth || l->strict);
	assert_int_equal(l->relay_from_count, 0);
	const struct config_route *r = &c->routes[0];
	assert_int_equal(r->vias[0].port, 25);
	assert_null(r->account);
	assert_int_equal(r->initial_response, CONFIG_INITIAL_RESPONSE_AUTO);
	assert_true(r->tls_verify);
	assert_false(r->cleartext_auth);
	assert_int_equal(r->connections_max, 20);
	assert_int_equal(r->rate.count, 0);
	assert_int_equal(r->messages_per_connection, 1000);
	assert_string_equal(c->certificates[0].key, "/etc/frank/k");
	config_unref(&c);
}

static void listeners_show_the_certificates_that_they_name(void **state)
{
	const struct config *c =
	    load("tls { certificate a; key k; }\n"
		 "tls old { certificate b; key k; }\n"
		 "tls { certificate auto; }\n"
		 "tls old { certificate c; key k; }\n"
		 "users { file u; }\n"
		 "listen new { address *:25; }\n"
		 "listen old { address *:26; certificate old; tls-policy legacy; }\n"
		 "listen none { address *:27; tls off; auth off; }\n");
	const struct config_listener *l = c->listeners;

	assert_int_equal(c->certificate_count, 4);
	assert_int_equal(l[0].certificate_count, 2);
	assert_int_equal(l[0].certificates[0], 0);
	assert_int_equal(l[0].certificates[1], 2);
	assert_null(c->certificates[2].certificate);
	assert_int_equal(l[0].tls_policy, CONFIG_TLS_POLICY_INTERMEDIATE);
	assert_int_equal(l[1].certificate_count, 2);
	assert_int_equal(l[1].certificates[0], 1);
	assert_int_equal(l[1].certificates[1], 3);
	assert_int_equal(l[1].tls_policy, CONFIG_TLS_POLICY_LEGACY);
	config_unref(&c);
}

static void quirks_are_for_everybody_or_for_networks(void **state)
{
	const struct config *c =
	    load("quirks no-hello from 192.0.2.0/24 ::1;\n"
		 "listen a { address *:25; tls off; auth off; relay-from ::1;\n"
		 "quirks hello-name early-quit;\n"
		 "quirks legacy bare-lf from 10.0.0.0/8; }\n");
	const struct config_listener *l = c->listeners;

	assert_int_equal(c->quirks_count, 1);
	assert_int_equal(c->quirks[0].quirks, 1u << CONFIG_QUIRK_NO_HELLO);
	assert_int_equal(c->quirks[0].network_count, 2);
	assert_int_equal(l[0].quirks_count, 2);
	assert_int_equal(
	    l[0].quirks[0].quirks, 1u << CONFIG_QUIRK_HELLO_NAME | 1u << CONFIG_QUIRK_EARLY_QUIT);
	assert_int_equal(l[0].quirks[0].network_count, 0);
	assert_int_equal(l[0].quirks[1].quirks, (1u << CONFIG_QUIRK_COUNT) - 1);
	assert_int_equal(l[0].quirks[1].network_count, 1);
	config_unref(&c);
}

static void origins_name_file_and_line(void **state)
{
	const struct config *c = load(full_config);
	char text[CONFIG_ORIGIN_TEXT_MAX];
	assert_string_equal(config_origin_format(c->listeners[0].addresses[2].origin, text),
	    "/etc/frank/frank.conf:19");
	assert_string_equal(config_origin_format((struct config_origin){ 0 }, text), "default");
	config_unref(&c);
}

static void variables_fill_one_value_and_are_not_read_again(void **state)
{
	const struct config *c =
	    load("account a { login \"${ODD}\"; password-file /x; }\n"
		 "account b { login ${REF}; password-file ${EMPTY:-/y}; }\n"
		 "account c { login pre${NONE:-fix}; password-file \"/a\\\"\\\\\\${HOST}\"; }\n"
		 "route * { via submission://${HOST}:26; }");
	assert_string_equal(c->accounts[0].login, "a b; c { \"d");
	assert_string_equal(c->accounts[1].login, "${HOST}");
	assert_string_equal(c->accounts[1].password_file, "/y");
	assert_string_equal(c->accounts[2].login, "prefix");
	assert_string_equal(c->accounts[2].password_file, "/a\"\\${HOST}");
	assert_string_equal(c->routes[0].vias[0].host, "smtp.example.net");
	assert_int_equal(c->routes[0].vias[0].port, 26);
	config_unref(&c);
}

static void includes_are_read_in_place_and_from_their_directory(void **state)
{
	static const struct memory_file files[] = {
		{ "/c/main", SPAN("include sub/one;\nroute * { include sub/hop; }") },
		{ "/c/sub/one", SPAN("hostname one.example.org; include d/*;") },
		{ "/c/sub/d/2", SPAN("user two;") },
		{ "/c/sub/d/3", SPAN("users { file here; }") },
		{ "/c/sub/hop", SPAN("via smtp://h;") },
	};
	struct config_report report;
	const struct config *c = memory_load_files(files, 5, &report);
	if (!c)
		memory_print(&report);
	assert_non_null(c);
	assert_string_equal(c->hostname, "one.example.org");
	assert_string_equal(c->user, "two");
	assert_string_equal(c->users.file, "/c/sub/d/here");
	assert_string_equal(c->routes[0].vias[0].origin.file, "/c/sub/hop");
	config_unref(&c);
	config_report_fini(&report);
}

static void references_keep_a_configuration_alive(void **state)
{
	const struct config *c = load(full_config), *second = config_ref(c);
	config_unref(&c);
	assert_null(c);
	assert_string_equal(second->hostname, "relay.example.org");
	config_unref(&second);
	config_unref(&second);
}

static void equal_addresses_are_the_same_socket(void **state)
{
	const struct config *a = load(full_config), *b = load(full_config);
	const struct config_address *x = a->listeners[0].addresses, *y = b->listeners[0].addresses;
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < 4; j++)
			assert_int_equal(config_address_equal(&x[i], &y[j]), i == j);
	config_unref(&a);
	config_unref(&b);
}

/* The same meaning gives the same text, but for where things come from. */
static char *show_bare(const struct config *config)
{
	struct buf shown, bare;
	buf_init(&shown, 1 << 20);
	buf_init(&bare, 1 << 20);
	assert_true(config_show(config, &shown));
	struct span left = buf_span(&shown), line;
	while (span_take_until(&left, '\n', &line)) {
		line = span_trim(span_head(line, span_find(line, '#')));
		if (line.len) {
			buf_append(&bare, line);
			buf_append_byte(&bare, '\n');
		}
	}
	buf_fini(&shown);
	return buf_take_string(&bare);
}

static void what_show_prints_can_be_read_again(void **state)
{
	const struct config *first = load(full_config);
	char *once = show_bare(first);
	const struct config *second = load(once);
	char *twice = show_bare(second);
	assert_string_equal(once, twice);
	free(once);
	free(twice);
	config_unref(&first);
	config_unref(&second);
}

static void show_names_origins_and_only_the_files_of_secrets(void **state)
{
	const struct config *c = load(full_config);
	struct buf shown;
	buf_init(&shown, 1 << 20);
	assert_true(config_show(c, &shown));
	const char *text = buf_string(&shown);
	assert_non_null(strstr(text, "hostname relay.example.org;\t# /etc/frank/frank.conf:1\n"));
	assert_non_null(strstr(text, "# password (from /run/secret)"));
	assert_non_null(strstr(text, "# password (from /etc/frank/secrets/other)"));
	assert_non_null(strstr(text, "# password (from pass show \"my mail\")"));
	assert_non_null(strstr(text, "# client secret (from /etc/frank/secrets/ms)"));
	assert_non_null(strstr(text, "\tstrict no;\t# default\n"));
	buf_fini(&shown);
	buf_init(&shown, 100);
	assert_false(config_show(c, &shown));
	buf_fini(&shown);
	config_unref(&c);
}

/* A prefix of a right configuration is right or has an error: it is never half obeyed in silence,
   and never a crash. */
static void every_prefix_is_read_or_refused(void **state)
{
	size_t len = strlen(full_config), read = 0;
	for (size_t i = 0; i <= len; i++) {
		char *copy = malloc(i + 1); /* exact, so that reading past it is seen */
		memcpy(copy, full_config, i);
		struct config_report report;
		const struct config *c = memory_load(span_of(copy, i), &report);
		assert_true((c != NULL) == (report.error_count == 0));
		read += c != NULL;
		config_unref(&c);
		config_report_fini(&report);
		free(copy);
	}
	assert_true(read > 10 && read < len / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_global_directive_is_obeyed),
		cmocka_unit_test(every_directive_of_a_listener_is_obeyed),
		cmocka_unit_test(every_directive_of_a_domain_is_obeyed),
		cmocka_unit_test(every_directive_of_a_route_is_obeyed),
		cmocka_unit_test(every_directive_of_an_account_is_obeyed),
		cmocka_unit_test(every_directive_of_oauth_is_obeyed),
		cmocka_unit_test(a_from_rule_follows_the_sender_rule),
		cmocka_unit_test(presets_fill_in_what_their_flow_needs),
		cmocka_unit_test(what_a_preset_fills_in_says_so),
		cmocka_unit_test(routes_may_refuse_sign_in_by_themselves_and_inherit),
		cmocka_unit_test(policy_is_obeyed),
		cmocka_unit_test(the_first_login_block_that_fits_holds),
		cmocka_unit_test(a_login_sends_as_its_rule_says),
		cmocka_unit_test(no_directive_is_left_out_of_these_tests),
		cmocka_unit_test(an_empty_file_gives_the_defaults),
		cmocka_unit_test(listeners_and_routes_have_the_designed_defaults),
		cmocka_unit_test(origins_name_file_and_line),
		cmocka_unit_test(variables_fill_one_value_and_are_not_read_again),
		cmocka_unit_test(includes_are_read_in_place_and_from_their_directory),
		cmocka_unit_test(references_keep_a_configuration_alive),
		cmocka_unit_test(equal_addresses_are_the_same_socket),
		cmocka_unit_test(what_show_prints_can_be_read_again),
		cmocka_unit_test(show_names_origins_and_only_the_files_of_secrets),
		cmocka_unit_test(every_prefix_is_read_or_refused),
		cmocka_unit_test(listeners_show_the_certificates_that_they_name),
		cmocka_unit_test(quirks_are_for_everybody_or_for_networks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
