/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_CONFIG_H
#define FRANK_CONFIG_CONFIG_H

/*
 * The configuration as the relay sees it: complete, checked, immutable and counted. Every value is
 * set; where the file says nothing, the default stands here. What may be absent is NULL or 0, and
 * its comment says so. config_load() (config/load.h) makes one; config/match.h asks it questions;
 * config_show() (config/show.h) prints it with the origin of every value.
 *
 * All strings and arrays belong to the struct config and live as long as the last reference. The
 * order of arrays is the order of the file. Threads may share one without a lock.
 */

#include "base/log.h"
#include "base/span.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

/* Where a value or block was written. */
struct config_origin {
	const char *file;      /* NULL: nowhere, it is the default */
	unsigned line, column; /* from 1; line 0: file says it in words, "preset gmail" */
};

struct config_arena; /* owns the memory (config/arena.h) */

/* A pattern of an address, login or domain, see config/match.h. */
struct config_pattern {
	const char *text;   /* as written */
	bool any;           /* "*": everything, the empty reverse-path too */
	bool null_path;     /* "<>": the empty reverse-path only */
	bool subdomains;    /* "*.domain": what lies below domain, not domain itself */
	struct span local;  /* data NULL: any local part */
	struct span domain; /* data NULL: any domain; a bare login has len 0, data "" */
};

/* A network in CIDR form; prefix_len counts bits of an address of that family. */
struct config_network {
	const char *text;
	int family;              /* AF_INET or AF_INET6; v4-mapped networks are AF_INET */
	unsigned char bytes[16]; /* network byte order; bits behind the prefix are 0 */
	unsigned prefix_len;
};

struct config_networks {
	struct config_network *items; /* in the order of the file */
	size_t count;
};

struct config_rate {
	unsigned count; /* of messages or recipients; 0: no limit */
	int64_t per_ms; /* second, minute, hour or day; 0 without limit */
};

struct config_timeout {
	int64_t command_ms; /* until the next command is complete */
	int64_t data_ms;    /* between two reads inside DATA */
};

struct config_retry {
	int64_t first_ms, max_ms;
	double factor; /* 1 to 10 */
};

/* ---- listen LABEL { } ---- */

enum config_tls_mode { CONFIG_TLS_MODE_OFF, CONFIG_TLS_MODE_STARTTLS, CONFIG_TLS_MODE_IMPLICIT };
enum config_auth_mode {
	CONFIG_AUTH_MODE_REQUIRED,
	CONFIG_AUTH_MODE_OPTIONAL,
	CONFIG_AUTH_MODE_OFF,
};

/* How far back TLS goes: 1.3 alone, 1.2 too, or 1.0 and 1.1 as well with what they bring along. */
enum config_tls_policy {
	CONFIG_TLS_POLICY_MODERN,
	CONFIG_TLS_POLICY_INTERMEDIATE,
	CONFIG_TLS_POLICY_LEGACY,
};

/* Departures from SMTP that are understood where they are named. */
enum config_quirk {
	CONFIG_QUIRK_NO_HELLO,
	CONFIG_QUIRK_HELLO_NAME,
	CONFIG_QUIRK_AUTH_BLANK,
	CONFIG_QUIRK_AUTH_EQUALS,
	CONFIG_QUIRK_EARLY_QUIT,
	CONFIG_QUIRK_BARE_LF, /* only ever for networks */
	CONFIG_QUIRK_COUNT,
};

/* "no-hello", … */
const char *config_quirk_name(enum config_quirk quirk);

/* One directive: these quirks, for clients of these networks. */
struct config_quirks {
	unsigned quirks;    /* a bit each */
	const char **names; /* as written */
	size_t name_count;
	struct config_network *networks; /* none: everybody at that listener */
	size_t network_count;
	struct config_origin origin;
};

/* A socket to bind. "*:25" gives two in a row, 0.0.0.0 and [::] (to be bound with IPV6_V6ONLY). */
struct config_address {
	const char *text; /* as written: "*:25", "[::1]:25", "127.0.0.1:2525" */
	bool any;         /* from "*": a machine without that family goes without it */
	uint16_t port;    /* 0: the kernel chooses */
	struct sockaddr_storage socket;
	socklen_t socket_len;
	struct config_origin origin;
};

struct config_listener {
	struct config_origin origin;
	const struct config_origin *origins; /* by row of the directive table */
	const char *label;                   /* unique among listeners, never empty */
	struct config_address *addresses;    /* at least one */
	size_t address_count;
	enum config_tls_mode tls;
	enum config_auth_mode auth;
	struct config_network *relay_from; /* these relay without AUTH */
	size_t relay_from_count;
	uint64_t size_max_bytes;
	unsigned recipients_max;
	unsigned connections_max;
	unsigned connections_per_address; /* loopback and relay_from are exempt */
	bool cleartext_auth;              /* AUTH is offered without TLS too */
	unsigned auth_failures_max;
	unsigned errors_max;   /* wrong commands before 421; a kept message forgives them */
	unsigned commands_max; /* commands without a kept message before 421 */
	/* These hold beside those at the top: */
	struct config_networks deny;           /* 554 at the greeting */
	struct config_networks proxy_protocol; /* these begin with a PROXY header, always */
	struct config_networks xclient;        /* these may say XCLIENT */
	struct config_rate rate;               /* messages of one address */
	const char *client_ca; /* PEM: clients are asked for certificates of these; NULL: not */
	const char *const *mechanisms; /* the only ones to be offered; none: see the manual */
	size_t mechanism_count;
	bool strict;
	struct config_quirks *quirks; /* its own; those at the top hold too */
	size_t quirks_count;
	enum config_tls_policy tls_policy;
	const char **certificate_names; /* as written; none: those without a label */
	size_t certificate_name_count;
	const size_t *certificates;    /* places in config->certificates, in order */
	size_t certificate_count;      /* with TLS at least one */
	struct config_timeout timeout; /* its own or the global one */
};

/* ---- tls [LABEL] { } ---- */

#define CONFIG_CERTIFICATES_MAX 100

struct config_certificate {
	struct config_origin origin;
	const struct config_origin *origins;
	const char *label;       /* NULL: for listeners that name none; several may share one */
	const char *certificate; /* a path; NULL: made, and kept in the state directory */
	const char *key;         /* the same */
};

/* ---- next hops ---- */

enum config_scheme {
	CONFIG_SCHEME_SMTP,       /* 25, STARTTLS where offered */
	CONFIG_SCHEME_SUBMISSION, /* 587, STARTTLS required */
	CONFIG_SCHEME_SMTPS,      /* 465, TLS from the first byte */
	CONFIG_SCHEME_LMTP,       /* 24, or a unix socket; TLS as SMTP */
	CONFIG_SCHEME_MAILDIR,
	CONFIG_SCHEME_DISCARD,
};

struct config_route;

struct config_via {
	const char *text; /* as written, with its scheme */
	enum config_scheme scheme;
	const char *host; /* name or address, no brackets; NULL without */
	uint16_t port;    /* 0 without host */
	const char *path; /* MAILDIR: with %u and %d; LMTP: the unix socket; else NULL */
	struct config_origin origin;
};

/* Whether messages go there over SMTP or LMTP (as against into a maildir, or nowhere). */
bool config_via_is_session(const struct config_via *via);
/* Whether any of its vias is one. */
bool config_route_has_session(const struct config_route *route);
/* "smtp", "submission", … */
const char *config_scheme_name(enum config_scheme scheme);

/* ---- domain NAME … { } ---- */

enum config_recipients { CONFIG_RECIPIENTS_USERS, CONFIG_RECIPIENTS_ANY, CONFIG_RECIPIENTS_FILE };

struct config_alias {
	const char *name;       /* a local part; on a route also a complete address */
	const char **addresses; /* complete addresses */
	size_t address_count;
	struct config_origin origin;
};

struct config_domain {
	struct config_origin origin;
	const struct config_origin *origins;
	struct config_pattern *patterns; /* of domains; at least one */
	size_t pattern_count;
	enum config_recipients recipients;
	const char *recipients_file; /* for CONFIG_RECIPIENTS_FILE, else NULL */
	struct config_alias *aliases;
	size_t alias_count;
	struct config_via deliver; /* MAILDIR, LMTP or DISCARD */
};

/* ---- account NAME { } ---- */

enum config_oauth_preset {
	CONFIG_OAUTH_PRESET_NONE,
	CONFIG_OAUTH_PRESET_MICROSOFT365,
	CONFIG_OAUTH_PRESET_GMAIL,
};

enum config_oauth_flow {
	CONFIG_OAUTH_FLOW_DEVICE,             /* RFC 8628 */
	CONFIG_OAUTH_FLOW_CODE,               /* RFC 6749, 4.1, with PKCE (RFC 7636) */
	CONFIG_OAUTH_FLOW_CLIENT_CREDENTIALS, /* RFC 6749, 4.4 */
	CONFIG_OAUTH_FLOW_SERVICE_ACCOUNT,    /* RFC 7523: a signed JWT for the account's login */
};

/* How an account gets its tokens. What the flow needs is there: from the file or from the preset.
   End points are https always. */
struct config_oauth {
	struct config_origin origin;
	const struct config_origin *origins;
	enum config_oauth_preset preset;
	enum config_oauth_flow flow;
	const char *tenant;                 /* only with MICROSOFT365, else NULL */
	const char *client_id;              /* NULL with SERVICE_ACCOUNT only */
	const char *client_secret_file;     /* NULL: a public client */
	const char *key_file;               /* SERVICE_ACCOUNT: its JSON; else NULL */
	const char *authorization_endpoint; /* CODE, else NULL */
	const char *device_endpoint;        /* DEVICE, else NULL */
	const char *token_endpoint;
	const char *scope; /* divided by blanks; NULL: the provider's own */
	const char *trust; /* PEM file or directory, for https; NULL: the system's */
};

/*
 * What signs in at a next hop: a login with one of password_file, password_command, oauth or
 * kerberos; a certificate comes beside one of them or alone. Secrets themselves are never part of
 * the configuration.
 */
struct config_account {
	struct config_origin origin;
	const struct config_origin *origins;
	const char *label; /* NULL: a route's own. With oauth it can be the name of a file */
	const char *login; /* empty: none, and then there is a certificate or kerberos */
	const char *password_file;
	/* NULL-terminated arguments, run without a shell; the first line it prints is the
	   password. The program is a path, or a bare name that is looked for in PATH. */
	const char *const *password_command;
	const struct config_oauth *oauth; /* NULL: none; only accounts with a label have it */
	const char *certificate, *key;    /* PEM files for TLS and EXTERNAL; both or neither */
	bool kerberos;                    /* GSSAPI with the tickets of the service's user */
	const char *const *mechanisms;    /* the only ones to be used; none: any it can serve */
	size_t mechanism_count;
	size_t index; /* its place in config->accounts */
};

/* ---- route PATTERN … { } ---- */

enum config_match_key {
	CONFIG_MATCH_KEY_SENDER,
	CONFIG_MATCH_KEY_LOGIN,
	CONFIG_MATCH_KEY_CLIENT,
	CONFIG_MATCH_KEY_LISTENER,
};

/* One of the values must fit, and all matches of a route must. */
struct config_match {
	enum config_match_key key;
	struct config_pattern *patterns; /* SENDER, LOGIN */
	size_t pattern_count;
	struct config_network *networks; /* CLIENT */
	size_t network_count;
	const char **listeners; /* LISTENER: labels that exist */
	size_t listener_count;
	struct config_origin origin;
};

enum config_initial_response {
	CONFIG_INITIAL_RESPONSE_AUTO,
	CONFIG_INITIAL_RESPONSE_YES,
	CONFIG_INITIAL_RESPONSE_NO,
};

/* A refusal, checked: "550 5.7.1 No such luck" is 550, "5.7.1", "No such luck". */
struct config_refusal {
	unsigned code;        /* 400 to 599; 0: the route does not refuse */
	const char *enhanced; /* NULL: none was written */
	const char *text;     /* printable ASCII, not empty */
};

enum config_sender {
	CONFIG_SENDER_KEEP,
	CONFIG_SENDER_REPLACE,
	CONFIG_SENDER_MAP,
};

/* The reverse-path as this route's hops see it. */
struct config_sender_rule {
	enum config_sender kind;
	const char *address; /* REPLACE, else NULL */
	const char *file;    /* MAP, else NULL */
};

enum config_header_from {
	CONFIG_HEADER_FROM_KEEP,
	CONFIG_HEADER_FROM_REPLACE,   /* name and address */
	CONFIG_HEADER_FROM_KEEP_NAME, /* the address alone */
	CONFIG_HEADER_FROM_MAP,
};

/* The From field as this route's hops see it. */
struct config_header_from_rule {
	enum config_header_from kind;
	/* REPLACE, KEEP_NAME: its own address, or that of the sender rule. NULL where the sender
	   is mapped: the address that the map gave, and the field stays when it gave none. */
	const char *address;
	const char *file; /* MAP: its own or that of the sender rule; else NULL */
};

struct config_route {
	struct config_origin origin;
	const struct config_origin *origins;
	size_t index;                    /* its place in config->routes */
	struct config_pattern *patterns; /* of recipients; at least one */
	size_t pattern_count;
	struct config_match *matches;
	size_t match_count;
	struct config_via *vias; /* in order of preference; none when it refuses */
	size_t via_count;
	struct config_refusal refuse;
	const struct config_account *account; /* NULL: none. Set: never used unauthenticated */
	const char *const *mechanisms;        /* its own or the account's; none: any */
	size_t mechanism_count;
	enum config_initial_response initial_response;
	bool cleartext_auth;
	const char *ehlo;                      /* its own or the hostname */
	const char *source;                    /* address to connect from; NULL: any */
	struct sockaddr_storage source_socket; /* port 0; its family is the only one then tried */
	socklen_t source_socket_len;           /* 0 without source */
	bool tls_verify;
	const char *tls_trust; /* PEM file or directory; NULL: the system's */
	const char *tls_name;  /* NULL: the host of the via */
	enum config_tls_policy tls_policy;
	unsigned connections_max;
	struct config_rate rate;
	unsigned messages_per_connection;
	struct config_retry retry; /* these three: its own or the global ones */
	int64_t lifetime_ms;
	int64_t delay_warning_ms; /* 0: none */
	struct config_sender_rule sender;
	struct config_header_from_rule header_from;
	struct config_alias *aliases;
	size_t alias_count;
	const char *default_domain; /* its own or the global one; NULL: bare addresses stay */
};

/* ---- users { } ---- */

enum config_store { CONFIG_STORE_FILE, CONFIG_STORE_SQLITE, CONFIG_STORE_DOVECOT };
#define CONFIG_STORES_MAX 3

/* Who may sign in. Without any of it no listener takes AUTH, but for one with client_ca. */
struct config_users {
	enum config_store stores[CONFIG_STORES_MAX]; /* in this order; each once */
	size_t store_count;
	const char *file; /* with FILE, else NULL */
	struct {
		const char *path, *query; /* with SQLITE, else NULL */
	} sqlite;
	const char *dovecot; /* with DOVECOT: the path of its socket; else NULL */
	struct {
		const char *file; /* NULL: tokens are not taken */
		const char *issuer, *audience, *login_claim;
	} jwks;
};

/* ---- login PATTERN … { } ---- */

enum config_send_as_kind {
	CONFIG_SEND_AS_PATTERN, /* "any" is the pattern "*" */
	CONFIG_SEND_AS_LOGIN,   /* "%login": the login; a bare one with default-domain */
	CONFIG_SEND_AS_LOCAL,   /* "%login@…": its local part, and a domain of the pattern */
};

struct config_send_as {
	const char *text; /* as written */
	enum config_send_as_kind kind;
	struct config_pattern pattern; /* PATTERN; LOCAL: of its domain only */
};

enum config_on_limit {
	CONFIG_ON_LIMIT_REJECT, /* 451 */
	CONFIG_ON_LIMIT_HOLD,   /* taken, and held in the queue */
};

/* What who has signed in under such a name may do; the first that fits holds. */
struct config_login {
	struct config_origin origin;
	const struct config_origin *origins;
	struct config_pattern *patterns; /* of logins; at least one */
	size_t pattern_count;
	struct config_send_as *send_as; /* none: as anybody */
	size_t send_as_count;
	struct config_rate rate, recipients;
	unsigned sessions; /* at one time; 0: no limit */
	enum config_on_limit on_limit;
};

/* Who has failed to sign in too often is turned away for a while (account/bans.h). */
struct config_bans {
	bool automatic; /* false: only those that an operator adds */
	unsigned failures, address_failures;
	int64_t window_ms, first_ms, max_ms;
	int64_t delay_ms; /* before the first failed login is answered; 0: none */
	struct config_networks exempt;
};

/* ---- the whole ---- */

struct config {
	struct config_arena *arena;
	const struct config_origin *origins;
	const char *file; /* the file it was read from */

	const char *hostname;
	const char *postmaster;     /* NULL: what can be neither delivered nor bounced is held */
	const char *user;           /* NULL: runs as its caller */
	unsigned lanes;             /* 0: one per core */
	const char *default_domain; /* NULL: bare addresses are not completed */
	struct config_timeout timeout;
	struct config_retry retry;
	int64_t lifetime_ms;
	int64_t delay_warning_ms; /* 0: none */

	struct config_users users;
	struct {
		const char *path;
		uint64_t min_free_bytes;
		int64_t history_ms; /* 0: none */
	} spool;
	struct {
		const char *path; /* tokens/, what was learned of hops, bans */
	} state;
	struct config_bans bans;
	struct config_networks deny, proxy_protocol, xclient; /* at every listener */
	struct {
		const char *reverse_path; /* NULL: empty, "<>" */
		const char *from;         /* default: postmaster, else postmaster@hostname */
	} bounce;
	struct {
		enum log_target target;
		const char *path; /* for FILE, else NULL */
		bool json;
	} log;
	struct {
		const char *socket, *group;
	} admin;

	struct config_quirks *quirks; /* each for networks */
	size_t quirks_count;
	struct config_certificate *certificates;
	size_t certificate_count;
	struct config_listener *listeners;
	size_t listener_count;
	struct config_domain *domains;
	size_t domain_count;
	struct config_account *accounts; /* the anonymous ones too */
	size_t account_count;
	struct config_route *routes;
	size_t route_count;
	struct config_login *logins;
	size_t login_count;

	_Atomic unsigned references;
};

/* One more reference; returns its argument. Any thread. */
const struct config *config_ref(const struct config *config);
/* Gives one reference back and clears the pointer; the last one frees. Any thread; NULL is fine. */
void config_unref(const struct config **config);

/* For a reload: whether both name the same socket to bind (family, address, port). */
bool config_address_equal(const struct config_address *a, const struct config_address *b);

/* "file:line", "default", or "preset gmail". Returns out. */
#define CONFIG_ORIGIN_TEXT_MAX 256
const char *config_origin_format(struct config_origin origin, char out[CONFIG_ORIGIN_TEXT_MAX]);

#endif
