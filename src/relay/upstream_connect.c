/* SPDX-License-Identifier: MIT */
#include "relay/upstream_private.h"

#include <stdio.h>

static void try_next(struct upstream *u);

const struct config_via *upstream_via(const struct upstream *u)
{
	return &u->settings.vias[u->via];
}

bool upstream_has_name(const struct config_via *via)
{
	struct net_address numeric;

	return via->host && !net_address_parse(span_from_string(via->host), via->port, &numeric);
}

/* ---- the end of a session ---- */

void upstream_forget_session(struct upstream *u)
{
	upstream_auth_forget(u);
	if (u->client_alive)
		smtp_client_fini(&u->client);
	u->client_alive = u->tls_pending = false;
	conn_close(&u->conn, CONN_CLOSE_FLUSH);
}

/* A host that cannot be used may have a neighbour that can; but a refused login is never tried
   again elsewhere with the same secret, and who has too many connections does not ask next door. */
static bool another_may_do(const struct upstream *u)
{
	switch (u->trouble) {
	case UPSTREAM_TROUBLE_AUTH:
	case UPSTREAM_TROUBLE_AUTH_TEMPORARY:
	case UPSTREAM_TROUBLE_TOKEN:
	case UPSTREAM_TROUBLE_LIMIT:
		return false;
	case UPSTREAM_TROUBLE_NONE:
	case UPSTREAM_TROUBLE_NAME:
	case UPSTREAM_TROUBLE_CONNECTION:
	case UPSTREAM_TROUBLE_GREETING:
	case UPSTREAM_TROUBLE_TLS:
	case UPSTREAM_TROUBLE_LOCAL:
		break;
	}
	return !u->was_ready;
}

void upstream_give_up_address(
    struct upstream *u, enum smtp_client_stage stage, const struct smtp_received_reply *reply)
{
	if (another_may_do(u) &&
	    (u->address + 1 < u->addresses.count || u->via + 1 < u->settings.via_count)) {
		upstream_note(u, "%s", u->trouble_text);
		try_next(u);
		return;
	}
	upstream_fail(u, stage, reply);
}

/* ---- addresses ---- */

static enum smtp_client_starttls starttls_of(const struct upstream *u)
{
	const struct config_via *via = upstream_via(u);

	if (u->settings.tls_off || via->path)
		return SMTP_CLIENT_STARTTLS_NEVER;
	if (via->scheme == CONFIG_SCHEME_SUBMISSION)
		return SMTP_CLIENT_STARTTLS_REQUIRED;
	return u->settings.account && !u->settings.cleartext_auth ? SMTP_CLIENT_STARTTLS_REQUIRED
								  : SMTP_CLIENT_STARTTLS_IF_OFFERED;
}

static void begin_session(struct upstream *u)
{
	const struct config_via *via = upstream_via(u);
	struct smtp_client_settings settings = {
		.ehlo_name = u->settings.ehlo_name,
		.starttls = starttls_of(u),
		.tls_active = via->scheme == CONFIG_SCHEME_SMTPS,
		.auth_required = u->settings.account,
		.lmtp = via->scheme == CONFIG_SCHEME_LMTP,
		.pipelining_off = u->settings.pipelining_off,
	};

	u->trouble = UPSTREAM_TROUBLE_NONE;
	u->deadline_stage = SMTP_CLIENT_STAGE_CLOSED;
	u->learned->tls_version[0] = '\0';
	smtp_client_init(&u->client, &settings, conn_output(u->conn));
	u->client_alive = true;
	if (u->observe)
		smtp_client_observe(&u->client, upstream_observe_line, u);
	if (settings.tls_active)
		upstream_start_tls(u);
}

static void try_address(struct upstream *u)
{
	const struct net_address *to = &u->addresses.addresses[u->address];
	const struct net_address *source = u->settings.source.len ? &u->settings.source : NULL;
	char text[NET_ADDRESS_TEXT_MAX];

	upstream_forget_session(u);
	net_address_format(to, text);
	if (upstream_has_name(upstream_via(u)))
		snprintf(u->peer, sizeof(u->peer), "%.120s (%s)", upstream_via(u)->host, text);
	else
		snprintf(u->peer, sizeof(u->peer), "%s", text);
	upstream_note(u, "connecting to %s", u->peer);
	u->conn = conn_connect(u->loop, to, source, UPSTREAM_CONNECT_MS, upstream_pump, u);
	begin_session(u);
}

static void skip_other_families(struct upstream *u)
{
	sa_family_t family = u->settings.source.any.sa_family;
	size_t kept = 0;

	if (u->settings.source.len == 0)
		return;
	for (size_t i = 0; i < u->addresses.count; i++)
		if (u->addresses.addresses[i].any.sa_family == family)
			u->addresses.addresses[kept++] = u->addresses.addresses[i];
	u->addresses.count = kept;
}

static void on_resolved(
    const struct resolver_result *result, const struct fault *fault, void *owner)
{
	struct upstream *u = owner;

	u->resolver = NULL;
	u->addresses.count = 0;
	u->address = 0;
	if (result) {
		u->addresses = *result;
		skip_other_families(u);
	}
	if (u->addresses.count > 0) {
		try_address(u);
		return;
	}
	upstream_set_trouble(u, UPSTREAM_TROUBLE_NAME, "%s",
	    result ? "the host has no address of the family of \"source\"" : fault->text);
	upstream_give_up_address(u, SMTP_CLIENT_STAGE_GREETING, NULL);
}

/* A unix socket has no name to look up. */
static void try_path(struct upstream *u)
{
	u->addresses.count = 1;
	u->address = 0;
	try_address(u);
}

void upstream_start_via(struct upstream *u)
{
	const struct config_via *via = upstream_via(u);

	u->addresses.count = 0;
	if (via->path &&
	    net_address_from_path(span_from_string(via->path), &u->addresses.addresses[0]))
		try_path(u);
	else /* a path that no socket can have fails there, as a name */
		u->resolver = resolver_start(u->loop,
		    span_from_string(via->host ? via->host : via->path), via->port, on_resolved, u);
}

/* From a failure to the next address, or to the next host. */
static void try_next(struct upstream *u)
{
	if (u->address + 1 < u->addresses.count) {
		u->address++;
		try_address(u);
		return;
	}
	upstream_forget_session(u);
	u->via++;
	upstream_start_via(u);
}
