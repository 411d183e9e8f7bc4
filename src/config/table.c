/* SPDX-License-Identifier: MIT */
#include "config/table.h"

#include "config/directive.h"
#include "config/reader.h"
#include "config/value.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

#define KB 1024LL
#define MB (1024 * KB)
#define GB (1024 * MB)
#define SECOND 1000LL
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

const struct config_block_info config_blocks[CONFIG_BLOCK_COUNT] = {
	[CONFIG_BLOCK_TOP] = { "", "", CONFIG_OBJECT_CONFIG },
	[CONFIG_BLOCK_TIMEOUT] = { "timeout", "timeout", CONFIG_OBJECT_CONFIG },
	[CONFIG_BLOCK_RETRY] = { "retry", "retry", CONFIG_OBJECT_CONFIG },
	[CONFIG_BLOCK_TLS] = { "tls", "tls", CONFIG_OBJECT_CERTIFICATE },
	[CONFIG_BLOCK_USERS] = { "users", "users", CONFIG_OBJECT_CONFIG },
	[CONFIG_BLOCK_USERS_SQLITE] = { "sqlite", "users sqlite", CONFIG_OBJECT_CONFIG },
	[CONFIG_BLOCK_USERS_JWKS] = { "jwks", "users jwks", CONFIG_OBJECT_CONFIG },
	[CONFIG_BLOCK_SPOOL] = { "spool", "spool", CONFIG_OBJECT_CONFIG },
	[CONFIG_BLOCK_STATE] = { "state", "state", CONFIG_OBJECT_CONFIG },
	[CONFIG_BLOCK_BOUNCE] = { "bounce", "bounce", CONFIG_OBJECT_CONFIG },
	[CONFIG_BLOCK_ADMIN] = { "admin", "admin", CONFIG_OBJECT_CONFIG },
	[CONFIG_BLOCK_BANS] = { "bans", "bans", CONFIG_OBJECT_CONFIG },
	[CONFIG_BLOCK_LISTEN] = { "listen", "listen", CONFIG_OBJECT_LISTENER },
	[CONFIG_BLOCK_LISTEN_TIMEOUT] = { "timeout", "listen timeout", CONFIG_OBJECT_LISTENER },
	[CONFIG_BLOCK_DOMAIN] = { "domain", "domain", CONFIG_OBJECT_DOMAIN },
	[CONFIG_BLOCK_ACCOUNT] = { "account", "account", CONFIG_OBJECT_ACCOUNT },
	[CONFIG_BLOCK_OAUTH] = { "oauth", "account oauth", CONFIG_OBJECT_OAUTH },
	[CONFIG_BLOCK_ROUTE] = { "route", "route", CONFIG_OBJECT_ROUTE },
	[CONFIG_BLOCK_ROUTE_RETRY] = { "retry", "route retry", CONFIG_OBJECT_ROUTE },
	[CONFIG_BLOCK_LOGIN] = { "login", "login", CONFIG_OBJECT_LOGIN },
};

#define REQUIRED CONFIG_FLAG_REQUIRED
#define COMPUTED CONFIG_FLAG_COMPUTED
#define INHERITED (CONFIG_FLAG_INHERITED | CONFIG_FLAG_COMPUTED)
#define REPEATABLE CONFIG_FLAG_REPEATABLE
#define MAY_BE_NONE CONFIG_FLAG_MAY_BE_NONE
#define DELIVERY CONFIG_FLAG_DELIVERY
#define SESSION CONFIG_FLAG_SESSION

#define PLAIN(type_name, object, member)                                                           \
	.type = &config_type_##type_name, .offset = offsetof(struct object, member)
#define SPECIAL(what) .read = config_read_##what, .print = config_print_##what
#define NETWORKS(object, member) SPECIAL(networks), .offset = offsetof(struct object, member)
#define OBJECT(what, block) .read = config_read_##what, .child = block, .value = "{ }"
#define VALUES(block_name) .read = config_read_block, .child = block_name, .value = "{ }"
#define LATER(block_name, directive)                                                               \
	{                                                                                          \
		.block = block_name, .name = directive, .flags = CONFIG_FLAG_LATER,                \
		.meaning = "not in this version"                                                   \
	}

#define TOP CONFIG_BLOCK_TOP
#define LISTEN CONFIG_BLOCK_LISTEN
#define DOMAIN CONFIG_BLOCK_DOMAIN
#define ACCOUNT CONFIG_BLOCK_ACCOUNT
#define OAUTH CONFIG_BLOCK_OAUTH
#define ROUTE CONFIG_BLOCK_ROUTE
#define LOGIN CONFIG_BLOCK_LOGIN

const struct config_directive config_directives[] = {
	/* ---- at the top ---- */
	{ TOP, "hostname", "NAME", "the machine's full name",
	    "the name of this relay in greetings, EHLO and Received fields",
	    PLAIN(hostname, config, hostname), .flags = COMPUTED },
	{ TOP, "postmaster", "ADDRESS", NULL,
	    "receives what can be neither delivered nor bounced; without it that is held",
	    PLAIN(mail, config, postmaster) },
	{ TOP, "user", "NAME", NULL, "the account to run as, once everything is bound",
	    PLAIN(account_name, config, user) },
	{ TOP, "lanes", "N", "one per core", "threads that serve connections",
	    PLAIN(number, config, lanes), .min = 1, .max = 64, .flags = COMPUTED },
	{ TOP, "default-domain", "NAME", NULL,
	    "completes addresses without a domain in submitted mail",
	    PLAIN(hostname, config, default_domain) },
	{ TOP, "lifetime", "TIME", "5d", "how long a message is tried before it bounces",
	    PLAIN(time, config, lifetime_ms), .min = SECOND, .max = 100 * DAY },
	{ TOP, "delay-warning", "TIME|none", "4h",
	    "the age at which a sender is told that a message is still waiting",
	    PLAIN(time, config, delay_warning_ms), .min = SECOND, .max = 100 * DAY,
	    .flags = MAY_BE_NONE },
	{ TOP, "log", "stderr|syslog|file PATH [json]", "stderr", "where log lines go",
	    SPECIAL(log) },
	{ TOP, "timeout", .meaning = "how long clients may be silent",
	    VALUES(CONFIG_BLOCK_TIMEOUT) },
	{ CONFIG_BLOCK_TIMEOUT, "command", "TIME", "5m", "until the next command is complete",
	    PLAIN(time, config, timeout.command_ms), .min = SECOND, .max = DAY },
	{ CONFIG_BLOCK_TIMEOUT, "data", "TIME", "10m", "between two pieces of a message",
	    PLAIN(time, config, timeout.data_ms), .min = SECOND, .max = DAY },
	{ TOP, "retry", .meaning = "when a waiting message is tried again",
	    VALUES(CONFIG_BLOCK_RETRY) },
	{ CONFIG_BLOCK_RETRY, "first", "TIME", "1m", "the first pause",
	    PLAIN(time, config, retry.first_ms), .min = SECOND, .max = 7 * DAY },
	{ CONFIG_BLOCK_RETRY, "factor", "FACTOR", "2", "each pause is so many times the last",
	    PLAIN(factor, config, retry.factor), .min = 1, .max = 10 },
	{ CONFIG_BLOCK_RETRY, "max", "TIME", "1h", "the longest pause",
	    PLAIN(time, config, retry.max_ms), .min = SECOND, .max = 7 * DAY },
	{ TOP, "users", .meaning = "who may sign in", VALUES(CONFIG_BLOCK_USERS) },
	{ CONFIG_BLOCK_USERS, "file", "PATH", NULL, "the users file", SPECIAL(users_file) },
	{ CONFIG_BLOCK_USERS, "sqlite", .meaning = "users in a database of SQLite",
	    OBJECT(users_sqlite, CONFIG_BLOCK_USERS_SQLITE) },
	{ CONFIG_BLOCK_USERS_SQLITE, "path", "PATH", NULL, "the database, which is only read",
	    PLAIN(path, config, users.sqlite.path), .flags = REQUIRED },
	{ CONFIG_BLOCK_USERS_SQLITE, "query", "SELECT", NULL,
	    "gives the credentials of the user :login", PLAIN(text, config, users.sqlite.query),
	    .max = 4000, .flags = REQUIRED },
	{ CONFIG_BLOCK_USERS, "dovecot", "SOCKET", NULL,
	    "Dovecot's auth socket, which is asked about passwords", SPECIAL(users_dovecot) },
	{ CONFIG_BLOCK_USERS, "jwks", .meaning = "OAuth tokens are taken, and checked here",
	    VALUES(CONFIG_BLOCK_USERS_JWKS) },
	{ CONFIG_BLOCK_USERS_JWKS, "file", "PATH", NULL,
	    "the keys of the identity provider, as it publishes them",
	    PLAIN(path, config, users.jwks.file), .flags = REQUIRED },
	{ CONFIG_BLOCK_USERS_JWKS, "issuer", "URL", NULL, "what must stand in the token as iss",
	    PLAIN(text, config, users.jwks.issuer), .max = 1000, .flags = REQUIRED },
	{ CONFIG_BLOCK_USERS_JWKS, "audience", "NAME", NULL,
	    "what must stand in it as aud, or among them", PLAIN(text, config, users.jwks.audience),
	    .max = 1000, .flags = REQUIRED },
	{ CONFIG_BLOCK_USERS_JWKS, "login-claim", "NAME", "sub",
	    "the member of the token that is the login",
	    PLAIN(text, config, users.jwks.login_claim), .max = 100 },
	{ TOP, "spool", .meaning = "where accepted messages are kept", VALUES(CONFIG_BLOCK_SPOOL) },
	{ CONFIG_BLOCK_SPOOL, "path", "PATH", "/var/spool/frank", "the directory of the spool",
	    PLAIN(path, config, spool.path) },
	{ CONFIG_BLOCK_SPOOL, "min-free", "SIZE", "256MB",
	    "with less free space nothing new is accepted (452 4.3.1)",
	    PLAIN(size, config, spool.min_free_bytes), .max = 1024 * GB },
	{ CONFIG_BLOCK_SPOOL, "history", "TIME|none", "7d",
	    "how long finished messages stay in \"queue show\"",
	    PLAIN(time, config, spool.history_ms), .min = SECOND, .max = 1000 * DAY,
	    .flags = MAY_BE_NONE },
	{ TOP, "state", .meaning = "where the relay keeps what it learned",
	    VALUES(CONFIG_BLOCK_STATE) },
	{ CONFIG_BLOCK_STATE, "path", "PATH", "/var/lib/frank", "the directory of tokens",
	    PLAIN(path, config, state.path) },
	{ TOP, "bounce", .meaning = "how undeliverable mail is reported",
	    VALUES(CONFIG_BLOCK_BOUNCE) },
	{ CONFIG_BLOCK_BOUNCE, "reverse-path", "empty|ADDRESS", "empty",
	    "the envelope sender of reports; some providers refuse the empty one",
	    PLAIN(mail_or_empty, config, bounce.reverse_path) },
	{ CONFIG_BLOCK_BOUNCE, "from", "ADDRESS", "postmaster, else postmaster@hostname",
	    "the From address of reports", PLAIN(mail, config, bounce.from), .flags = COMPUTED },
	{ TOP, "admin", .meaning = "the socket of the commands", VALUES(CONFIG_BLOCK_ADMIN) },
	{ CONFIG_BLOCK_ADMIN, "socket", "PATH", "/run/frank/admin.sock", "its path",
	    PLAIN(path, config, admin.socket) },
	{ CONFIG_BLOCK_ADMIN, "group", "NAME", "frank", "the group that may use it",
	    PLAIN(account_name, config, admin.group) },
	{ TOP, "quirks", "NAME … from NETWORK …", NULL,
	    "departures from SMTP that are understood from clients of these networks",
	    SPECIAL(quirks), .flags = REPEATABLE },
	{ TOP, "tls", .meaning = "a certificate shown to clients: tls { } or tls LABEL { }",
	    OBJECT(tls, CONFIG_BLOCK_TLS), .flags = REPEATABLE },
	{ TOP, "listen", .meaning = "where clients connect: listen LABEL { }",
	    OBJECT(listener, LISTEN), .flags = REPEATABLE },
	{ TOP, "domain", .meaning = "mail that is delivered here: domain NAME { }",
	    OBJECT(domain, DOMAIN), .flags = REPEATABLE },
	{ TOP, "account", .meaning = "how to sign in at a next hop: account NAME { }",
	    OBJECT(named_account, ACCOUNT), .flags = REPEATABLE },
	{ TOP, "route", .meaning = "where mail goes: route PATTERN { }; the first that fits wins",
	    OBJECT(route, ROUTE), .flags = REPEATABLE },
	{ TOP, "login",
	    .meaning = "what a login may do: login PATTERN { }; the first that fits holds",
	    OBJECT(login, LOGIN), .flags = REPEATABLE },
	{ TOP, "bans", .meaning = "who fails to sign in too often is turned away",
	    VALUES(CONFIG_BLOCK_BANS) },
	{ CONFIG_BLOCK_BANS, "automatic", "yes|no", "yes",
	    "failures lead to bans; without it only those of \"ban add\" hold",
	    PLAIN(flag, config, bans.automatic) },
	{ CONFIG_BLOCK_BANS, "failures", "N", "10",
	    "failures of one login from one address before both together are banned",
	    PLAIN(number, config, bans.failures), .min = 1, .max = 100000 },
	{ CONFIG_BLOCK_BANS, "address-failures", "N", "30",
	    "failures from one address, with any login, before it is banned",
	    PLAIN(number, config, bans.address_failures), .min = 1, .max = 100000 },
	{ CONFIG_BLOCK_BANS, "window", "TIME", "10m", "the time in which failures are counted",
	    PLAIN(time, config, bans.window_ms), .min = SECOND, .max = 7 * DAY },
	{ CONFIG_BLOCK_BANS, "first", "TIME", "10m",
	    "the first ban; each further one is twice as long", PLAIN(time, config, bans.first_ms),
	    .min = SECOND, .max = 100 * DAY },
	{ CONFIG_BLOCK_BANS, "max", "TIME", "1d", "the longest ban",
	    PLAIN(time, config, bans.max_ms), .min = SECOND, .max = 100 * DAY },
	{ CONFIG_BLOCK_BANS, "delay", "TIME|none", "1s",
	    "the pause before a failed login is answered; it doubles, up to 30s",
	    PLAIN(time, config, bans.delay_ms), .min = 1, .max = 30 * SECOND,
	    .flags = MAY_BE_NONE },
	{ CONFIG_BLOCK_BANS, "exempt", "NETWORK …", NULL,
	    "these are never banned nor made to wait; nor are loopback and relay-from",
	    NETWORKS(config, bans.exempt), .flags = REPEATABLE },
	{ TOP, "deny", "NETWORK …", NULL, "these are turned away by every listener",
	    NETWORKS(config, deny), .flags = REPEATABLE },
	{ TOP, "proxy-protocol", "NETWORK …", NULL,
	    "connections from these begin with a PROXY header, at every listener",
	    NETWORKS(config, proxy_protocol), .flags = REPEATABLE },
	{ TOP, "xclient", "NETWORK …", NULL,
	    "these may say by XCLIENT whom they speak for, at every listener",
	    NETWORKS(config, xclient), .flags = REPEATABLE },
	LATER(TOP, "arc"),
	LATER(TOP, "cluster"),
	LATER(TOP, "console"),
	LATER(TOP, "dane"),
	LATER(TOP, "dkim"),
	LATER(TOP, "dns"),
	LATER(TOP, "metrics"),
	LATER(TOP, "mta-sts"),
	LATER(TOP, "node"),
	LATER(TOP, "policy"),
	LATER(TOP, "store"),
	LATER(TOP, "tls-rpt"),
	LATER(TOP, "trace"),
	LATER(CONFIG_BLOCK_SPOOL, "postgresql"),

	/* ---- tls ---- */
	{ CONFIG_BLOCK_TLS, "certificate", "PATH|auto", NULL,
	    "PEM file with the certificate chain; auto makes a self-signed one",
	    SPECIAL(tls_certificate), .flags = REQUIRED },
	{ CONFIG_BLOCK_TLS, "key", "PATH", NULL, "PEM file with its private key",
	    PLAIN(path, config_certificate, key) },

	/* ---- listen ---- */
	{ LISTEN, "address", "HOST:PORT …", NULL, "what to bind; * is every address of the machine",
	    SPECIAL(address), .flags = REQUIRED | REPEATABLE },
	{ LISTEN, "tls", "off|starttls|implicit", "starttls",
	    "no TLS, STARTTLS offered, or TLS from the first byte",
	    PLAIN(choice, config_listener, tls) },
	{ LISTEN, "auth", "required|optional|off", "required",
	    "whether clients must, may or cannot sign in", PLAIN(choice, config_listener, auth) },
	{ LISTEN, "relay-from", "NETWORK …", NULL, "these networks relay without signing in",
	    SPECIAL(relay_from), .flags = REPEATABLE },
	{ LISTEN, "size-max", "SIZE", "50MB", "the largest message taken",
	    PLAIN(size, config_listener, size_max_bytes), .min = KB, .max = 4 * GB },
	{ LISTEN, "recipients-max", "N", "1000", "recipients of one message",
	    PLAIN(number, config_listener, recipients_max), .min = 1, .max = 100000 },
	{ LISTEN, "connections-max", "N", "10000", "connections at one time",
	    PLAIN(number, config_listener, connections_max), .min = 1, .max = 1000000 },
	{ LISTEN, "connections-per-address", "N", "100",
	    "connections from one address; loopback and relay-from are exempt",
	    PLAIN(number, config_listener, connections_per_address), .min = 1, .max = 1000000 },
	{ LISTEN, "cleartext-auth", "yes|no", "no", "signing in is offered without TLS too",
	    PLAIN(flag, config_listener, cleartext_auth) },
	{ LISTEN, "mechanisms", "MECHANISM …", "all that every user can serve, but CRAM-MD5",
	    "the only ones to be offered", SPECIAL(listen_mechanisms), .flags = COMPUTED },
	{ LISTEN, "client-ca", "PATH", NULL,
	    "who shows a certificate signed by one of these signs in with it, by EXTERNAL",
	    PLAIN(path, config_listener, client_ca) },
	{ LISTEN, "auth-failures-max", "N", "5", "failed attempts before 421 and close",
	    PLAIN(number, config_listener, auth_failures_max), .min = 1, .max = 1000 },
	{ LISTEN, "errors-max", "N", "20",
	    "wrong commands before 421 and close; a message that is kept forgives them",
	    PLAIN(number, config_listener, errors_max), .min = 1, .max = 100000 },
	{ LISTEN, "commands-max", "N", "100",
	    "commands without a message that is kept, before 421 and close",
	    PLAIN(number, config_listener, commands_max), .min = 10, .max = 1000000 },
	{ LISTEN, "rate", "N/s|N/m|N/h|N/d|none", "none",
	    "messages taken from one address in that time; more get 451",
	    PLAIN(rate, config_listener, rate), .flags = MAY_BE_NONE },
	{ LISTEN, "deny", "NETWORK …", NULL, "these are turned away here",
	    NETWORKS(config_listener, deny), .flags = REPEATABLE },
	{ LISTEN, "proxy-protocol", "NETWORK …", NULL,
	    "connections from these begin with a PROXY header",
	    NETWORKS(config_listener, proxy_protocol), .flags = REPEATABLE },
	{ LISTEN, "xclient", "NETWORK …", NULL, "these may say by XCLIENT whom they speak for",
	    NETWORKS(config_listener, xclient), .flags = REPEATABLE },
	{ LISTEN, "strict", "yes|no", "no",
	    "harmless slips of syntax are refused too, such as a blank after MAIL FROM:",
	    PLAIN(flag, config_listener, strict) },
	{ LISTEN, "quirks", "NAME … [from NETWORK …]", NULL,
	    "departures from SMTP that are understood here", SPECIAL(quirks), .flags = REPEATABLE },
	{ LISTEN, "tls-policy", "modern|intermediate|legacy", "intermediate",
	    "TLS 1.3 alone, 1.2 and 1.3, or 1.0 to 1.3 with old ciphers",
	    PLAIN(choice, config_listener, tls_policy) },
	{ LISTEN, "certificate", "LABEL …", "the tls blocks without a label",
	    "the tls blocks whose certificates are shown here", SPECIAL(listen_certificate),
	    .flags = COMPUTED },
	{ LISTEN, "timeout", .meaning = "how long clients may be silent here",
	    VALUES(CONFIG_BLOCK_LISTEN_TIMEOUT) },
	{ CONFIG_BLOCK_LISTEN_TIMEOUT, "command", "TIME", "as at the top",
	    "until the next command is complete", PLAIN(time, config_listener, timeout.command_ms),
	    .min = SECOND, .max = DAY, .flags = INHERITED },
	{ CONFIG_BLOCK_LISTEN_TIMEOUT, "data", "TIME", "as at the top",
	    "between two pieces of a message", PLAIN(time, config_listener, timeout.data_ms),
	    .min = SECOND, .max = DAY, .flags = INHERITED },

	/* ---- domain ---- */
	{ DOMAIN, "recipients", "any|users|file PATH", "users",
	    "who exists there; others are refused with 550 5.1.1", SPECIAL(recipients) },
	{ DOMAIN, "alias", "NAME ADDRESS …", NULL, "mail for NAME goes to these addresses",
	    SPECIAL(alias), .flags = REPEATABLE },
	{ DOMAIN, "deliver", "maildir:PATH|lmtp://HOST|lmtp://unix:PATH|discard", NULL,
	    "where its mail is put; %u and %d are local part and domain", SPECIAL(deliver),
	    .flags = REQUIRED },
	LATER(DOMAIN, "dkim"),

	/* ---- account ---- */
	{ ACCOUNT, "login", "NAME", NULL, "the name to sign in with",
	    PLAIN(login, config_account, login) },
	{ ACCOUNT, "password-file", "PATH", NULL, "the file that holds the password",
	    PLAIN(path, config_account, password_file) },
	{ ACCOUNT, "password-command", "COMMAND ARGUMENT …", NULL,
	    "the program that prints the password", SPECIAL(password_command) },
	{ ACCOUNT, "password", .read = config_read_password, .flags = CONFIG_FLAG_HIDDEN },
	{ ACCOUNT, "oauth", .meaning = "signs in with tokens of an identity provider",
	    OBJECT(oauth, OAUTH) },
	{ ACCOUNT, "certificate", "PATH", NULL,
	    "PEM file with the client certificate shown to hops, for EXTERNAL",
	    PLAIN(certificate, config_account, certificate) },
	{ ACCOUNT, "key", "PATH", NULL, "PEM file with its private key",
	    PLAIN(path, config_account, key) },
	{ ACCOUNT, "kerberos", "yes|no", "no", "signs in with a Kerberos ticket, by GSSAPI",
	    PLAIN(flag, config_account, kerberos) },
	{ ACCOUNT, "mechanisms", "MECHANISM …", "all that the account can serve",
	    "the only ones to sign in with", SPECIAL(mechanisms), .flags = COMPUTED },

	/* ---- account oauth ---- */
	{ OAUTH, "preset", "none|microsoft365|gmail", "none",
	    "a provider whose end points, scope and limits are known",
	    PLAIN(choice, config_oauth, preset) },
	{ OAUTH, "flow", "device|code|client-credentials|service-account",
	    "device with microsoft365, code with gmail", "how the provider is asked for tokens",
	    PLAIN(choice, config_oauth, flow), .flags = COMPUTED },
	{ OAUTH, "tenant", "NAME", NULL, "the directory of microsoft365: its domain or id",
	    PLAIN(hostname, config_oauth, tenant) },
	{ OAUTH, "client-id", "ID", NULL, "the application as the provider knows it",
	    PLAIN(text, config_oauth, client_id), .max = 255 },
	{ OAUTH, "client-secret-file", "PATH", NULL, "the file that holds its secret",
	    PLAIN(path, config_oauth, client_secret_file) },
	{ OAUTH, "client-secret", .read = config_read_password, .flags = CONFIG_FLAG_HIDDEN },
	{ OAUTH, "key-file", "PATH", NULL, "the JSON file with the key of a service account",
	    PLAIN(path, config_oauth, key_file) },
	{ OAUTH, "authorization-endpoint", "URL", "the preset's",
	    "where a person signs in, for flow code",
	    PLAIN(https, config_oauth, authorization_endpoint), .flags = COMPUTED },
	{ OAUTH, "device-endpoint", "URL", "the preset's",
	    "where a device code is asked for, for flow device",
	    PLAIN(https, config_oauth, device_endpoint), .flags = COMPUTED },
	{ OAUTH, "token-endpoint", "URL", "the preset's", "where tokens are asked for",
	    PLAIN(https, config_oauth, token_endpoint), .flags = COMPUTED },
	{ OAUTH, "scope", "SCOPES", "the preset's", "what is asked for; several stand in quotes",
	    PLAIN(text, config_oauth, scope), .max = 1000, .flags = COMPUTED },
	{ OAUTH, "trust", "system|PATH", "system", "who may have signed the provider's certificate",
	    PLAIN(path_or_system, config_oauth, trust) },

	/* ---- route ---- */
	{ ROUTE, "match", "sender|login|client|listener PATTERN …", NULL,
	    "a further condition: one of the patterns must fit", SPECIAL(match),
	    .flags = REPEATABLE },
	{ ROUTE, "via", "URL …", NULL, "the next hops, in order of preference", SPECIAL(via),
	    .flags = REPEATABLE },
	{ ROUTE, "refuse", "REPLY", NULL, "the mail is refused with this reply, 4yz or 5yz",
	    SPECIAL(refuse) },
	{ ROUTE, "account", "NAME", NULL, "the account to sign in with; always, and under TLS",
	    SPECIAL(account), .flags = SESSION },
	{ ROUTE, "login", "NAME", NULL, "short for an account of this route alone", SPECIAL(own),
	    .flags = SESSION },
	{ ROUTE, "password-file", "PATH", NULL, "the file that holds its password", SPECIAL(own),
	    .flags = SESSION },
	{ ROUTE, "password-command", "COMMAND ARGUMENT …", NULL, "the program that prints it",
	    SPECIAL(own), .flags = SESSION },
	{ ROUTE, "password", .read = config_read_password, .flags = CONFIG_FLAG_HIDDEN },
	{ ROUTE, "mechanisms", "MECHANISM …", "as in the account", "the only ones to sign in with",
	    SPECIAL(route_mechanisms), .flags = SESSION | COMPUTED },
	{ ROUTE, "initial-response", "auto|yes|no", "auto",
	    "whether AUTH carries its first answer; auto learns what the hop takes",
	    PLAIN(choice, config_route, initial_response), .flags = SESSION },
	{ ROUTE, "cleartext-auth", "yes|no", "no", "the account may be used without TLS",
	    PLAIN(flag, config_route, cleartext_auth), .flags = SESSION },
	{ ROUTE, "ehlo", "NAME", "the hostname", "the name said to the hop",
	    PLAIN(ehlo, config_route, ehlo), .flags = SESSION | COMPUTED },
	{ ROUTE, "source", "ADDRESS", NULL,
	    "the address to connect from; hops are then reached over its family only",
	    SPECIAL(source), .flags = SESSION },
	{ ROUTE, "tls-verify", "yes|no", "yes", "the hop's certificate must be right",
	    PLAIN(flag, config_route, tls_verify), .flags = SESSION },
	{ ROUTE, "tls-trust", "system|PATH", "system", "who may have signed it",
	    PLAIN(path_or_system, config_route, tls_trust), .flags = SESSION },
	{ ROUTE, "tls-name", "NAME", "the host of the via", "the name it must bear",
	    PLAIN(hostname, config_route, tls_name), .flags = SESSION | COMPUTED },
	{ ROUTE, "tls-policy", "modern|intermediate|legacy", "intermediate",
	    "TLS 1.3 alone, 1.2 and 1.3, or 1.0 to 1.3 with old ciphers",
	    PLAIN(choice, config_route, tls_policy), .flags = SESSION },
	{ ROUTE, "connections-max", "N", "20", "connections to one hop at one time",
	    PLAIN(number, config_route, connections_max), .min = 1, .max = 10000,
	    .flags = SESSION },
	{ ROUTE, "rate", "N/s|N/m|N/h|N/d|none", "none", "messages passed on in that time",
	    PLAIN(rate, config_route, rate), .flags = DELIVERY | MAY_BE_NONE },
	{ ROUTE, "messages-per-connection", "N", "1000", "messages before a connection is closed",
	    PLAIN(number, config_route, messages_per_connection), .min = 1, .max = 1000000,
	    .flags = SESSION },
	{ ROUTE, "lifetime", "TIME", "as at the top",
	    "how long a message is tried before it bounces", PLAIN(time, config_route, lifetime_ms),
	    .min = SECOND, .max = 100 * DAY, .flags = DELIVERY | INHERITED },
	{ ROUTE, "delay-warning", "TIME|none", "as at the top",
	    "the age at which a sender is told that a message is still waiting",
	    PLAIN(time, config_route, delay_warning_ms), .min = SECOND, .max = 100 * DAY,
	    .flags = DELIVERY | INHERITED | MAY_BE_NONE },
	{ ROUTE, "retry", .meaning = "when a waiting message is tried again",
	    VALUES(CONFIG_BLOCK_ROUTE_RETRY), .flags = DELIVERY },
	{ CONFIG_BLOCK_ROUTE_RETRY, "first", "TIME", "as at the top", "the first pause",
	    PLAIN(time, config_route, retry.first_ms), .min = SECOND, .max = 7 * DAY,
	    .flags = INHERITED },
	{ CONFIG_BLOCK_ROUTE_RETRY, "factor", "FACTOR", "as at the top",
	    "each pause is so many times the last", PLAIN(factor, config_route, retry.factor),
	    .min = 1, .max = 10, .flags = INHERITED },
	{ CONFIG_BLOCK_ROUTE_RETRY, "max", "TIME", "as at the top", "the longest pause",
	    PLAIN(time, config_route, retry.max_ms), .min = SECOND, .max = 7 * DAY,
	    .flags = INHERITED },
	{ ROUTE, "sender", "keep|replace ADDRESS|map FILE", "keep",
	    "the reverse-path that hops are told", SPECIAL(sender), .flags = SESSION },
	{ ROUTE, "header-from", "keep|replace [ADDRESS]|keep-name [ADDRESS]|map [FILE]", "keep",
	    "the From field that hops are given", SPECIAL(header_from), .flags = SESSION },
	{ ROUTE, "alias", "NAME ADDRESS …", NULL,
	    "mail for NAME that takes this route goes to these addresses", SPECIAL(route_alias),
	    .flags = DELIVERY | REPEATABLE },
	{ ROUTE, "default-domain", "NAME", "as at the top",
	    "completes addresses without a domain, in the envelope and in the header",
	    PLAIN(hostname, config_route, default_domain), .flags = DELIVERY | INHERITED },
	LATER(ROUTE, "dane"),
	LATER(ROUTE, "dkim"),
	LATER(ROUTE, "mta-sts"),
	LATER(ROUTE, "tls-certificate"),
	LATER(ROUTE, "tls-key"),

	/* ---- login ---- */
	{ LOGIN, "send-as", "any|%login|%login@DOMAIN|PATTERN …", "any",
	    "the senders and From addresses it may use; <> is the empty sender", SPECIAL(send_as),
	    .flags = REPEATABLE | COMPUTED },
	{ LOGIN, "rate", "N/s|N/m|N/h|N/d|none", "none", "its messages in that time",
	    PLAIN(rate, config_login, rate), .flags = MAY_BE_NONE },
	{ LOGIN, "recipients", "N/s|N/m|N/h|N/d|none", "none", "its recipients in that time",
	    PLAIN(rate, config_login, recipients), .flags = MAY_BE_NONE },
	{ LOGIN, "sessions", "N", NULL, "its sessions at one time",
	    PLAIN(number, config_login, sessions), .min = 1, .max = 1000000 },
	{ LOGIN, "on-limit", "reject|hold", "reject",
	    "beyond rate and recipients: 451, or taken and held in the queue",
	    PLAIN(choice, config_login, on_limit) },
};

const size_t config_directive_count = ARRAY_LEN(config_directives);

size_t config_object_first(enum config_object object)
{
	size_t i = 0;
	while (config_blocks[config_directives[i].block].object != object)
		i++;
	return i;
}

size_t config_object_count(enum config_object object)
{
	size_t first = config_object_first(object), i = first;
	while (i < config_directive_count &&
	       config_blocks[config_directives[i].block].object == object)
		i++;
	return i - first;
}

const struct config_directive *config_directive_find(enum config_block block, const char *name)
{
	for (size_t i = 0; i < config_directive_count; i++)
		if (config_directives[i].block == block && !strcmp(config_directives[i].name, name))
			return &config_directives[i];
	return NULL;
}

size_t config_directive_slot(const struct config_directive *d)
{
	return (size_t)(d - config_directives) -
	       config_object_first(config_blocks[d->block].object);
}

const struct config_directive *config_directive_parent(const struct config_directive *d)
{
	enum config_block block = CONFIG_BLOCK_TOP;
	if (d->block == CONFIG_BLOCK_LISTEN_TIMEOUT)
		block = CONFIG_BLOCK_TIMEOUT;
	else if (d->block == CONFIG_BLOCK_ROUTE_RETRY)
		block = CONFIG_BLOCK_RETRY;
	const struct config_directive *parent = config_directive_find(block, d->name);
	assert(parent && parent->type == d->type);
	return parent;
}

bool config_directive_next(size_t *position, struct config_directive_info *info_out)
{
	while (*position < config_directive_count &&
	       (config_directives[*position].flags & CONFIG_FLAG_HIDDEN))
		(*position)++;
	if (*position == config_directive_count)
		return false;
	const struct config_directive *d = &config_directives[(*position)++];
	*info_out = (struct config_directive_info){
		.block = config_blocks[d->block].path,
		.name = d->name,
		.value = d->value,
		.fallback = d->fallback,
		.meaning = d->meaning,
		.repeatable = d->flags & CONFIG_FLAG_REPEATABLE,
		.later = d->flags & CONFIG_FLAG_LATER,
	};
	return true;
}
