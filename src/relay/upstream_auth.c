/* SPDX-License-Identifier: MIT */
#include "relay/upstream_private.h"

#include "base/base64.h"
#include "base/memory.h"
#include "base/random.h"

#include <assert.h>
#include <stdio.h>

enum { RANDOM_LEN = 32, CREDENTIAL_MAX = 16384 };

/*
 * One climb of the ladder. It has copies of all that it uses, so that a worker can take a step
 * while the session ends: then the worker's answer finds no upstream, and frees it.
 */
struct upstream_auth {
	struct worker_job job;     /* while working it is the pool's */
	struct upstream *upstream; /* NULL: gone; the loop's thread alone looks at it */
	bool working;
	struct sasl_ladder ladder;
	struct sasl_memory memory;
	struct sasl_ladder_action action;
	struct buf login, password, token, exporter, unique; /* secret */
	struct buf challenge;
	struct smtp_extensions offered;
	struct span names[SMTP_MECHANISMS_MAX];
	struct span *only;
	struct sasl_scram_cache scram_cache; /* secret */
	char random[RANDOM_LEN];
};

static void destroy(struct upstream_auth *auth)
{
	sasl_ladder_fini(&auth->ladder);
	sasl_scram_cache_fini(&auth->scram_cache);
	buf_fini(&auth->login);
	buf_fini(&auth->password);
	buf_fini(&auth->token);
	buf_fini(&auth->exporter);
	buf_fini(&auth->unique);
	buf_fini(&auth->challenge);
	mem_free(auth->only);
	mem_wipe(auth->random, sizeof(auth->random));
	mem_free(auth);
}

void upstream_auth_forget(struct upstream *u)
{
	struct upstream_auth *auth = u->auth;

	u->auth = NULL;
	if (!auth)
		return;
	auth->upstream = NULL;
	if (!auth->working)
		destroy(auth);
}

bool upstream_auth_is_working(const struct upstream *u)
{
	return u->auth && u->auth->working;
}

/* ---- what the ladder says ---- */

/* What is about to be sent as an AUTH payload, so that the observer can show it decoded. */
static void remember_payload(struct upstream *u, const struct sasl_ladder_action *action)
{
	buf_clear(&u->payload);
	if (u->observe)
		base64_encode(&u->payload, action->bytes);
	u->payload_step = action->payload;
}

/* A token is another matter than a password: the account's owner can get a new one. */
static enum upstream_trouble trouble_of(const struct upstream *u, enum sasl_trouble trouble)
{
	switch (trouble) {
	case SASL_TROUBLE_TEMPORARY:
		return UPSTREAM_TROUBLE_AUTH_TEMPORARY;
	case SASL_TROUBLE_NO_TLS:
		return UPSTREAM_TROUBLE_TLS;
	case SASL_TROUBLE_REFUSED:
		return u->settings.token.len > 0 ? UPSTREAM_TROUBLE_TOKEN : UPSTREAM_TROUBLE_AUTH;
	case SASL_TROUBLE_NONE:
	case SASL_TROUBLE_NOT_OFFERED:
	case SASL_TROUBLE_NO_MECHANISM:
	case SASL_TROUBLE_CREDENTIALS:
	case SASL_TROUBLE_CONFUSED:
	case SASL_TROUBLE_UNTRUSTED:
	case SASL_TROUBLE_LOCAL:
		return UPSTREAM_TROUBLE_AUTH;
	}
	return UPSTREAM_TROUBLE_AUTH;
}

/* reply NULL: it is not a reply that ended it. */
static void give_up(struct upstream *u, const struct sasl_ladder_action *action,
    const struct smtp_received_reply *reply)
{
	u->learned->mechanism[0] = '\0';
	u->login_refused = action->trouble == SASL_TROUBLE_REFUSED;
	upstream_set_trouble(
	    u, trouble_of(u, action->trouble), "%s: %s", u->peer, action->sentence);
	if (reply)
		upstream_add_remedy(u, reply);
	smtp_client_quit(&u->client);
}

static void succeeded(struct upstream *u)
{
	u->learned->memory = u->auth->memory;
	scram_keep_put(u->settings.scram, &u->auth->scram_cache);
}

static void take_action(struct upstream *u, const struct smtp_received_reply *reply)
{
	const struct sasl_ladder_action *action = &u->auth->action;

	switch (action->kind) {
	case SASL_LADDER_START:
		snprintf(u->learned->mechanism, sizeof(u->learned->mechanism), "%.*s",
		    SPAN_ARG(action->mechanism));
		remember_payload(u, action);
		smtp_client_auth_start(
		    &u->client, action->mechanism, action->has_initial, action->bytes);
		break;
	case SASL_LADDER_RESPOND:
		remember_payload(u, action);
		smtp_client_auth_respond(&u->client, action->bytes);
		break;
	case SASL_LADDER_CANCEL:
		smtp_client_auth_cancel(&u->client);
		break;
	case SASL_LADDER_DONE:
		succeeded(u);
		break; /* READY follows by itself */
	case SASL_LADDER_GIVE_UP:
		give_up(u, action, reply);
		break;
	}
	buf_clear(&u->payload);
}

/* ---- beginning ---- */

static enum sasl_initial_response initial_response(const struct upstream *u)
{
	switch (u->settings.initial_response) {
	case CONFIG_INITIAL_RESPONSE_AUTO:
		return SASL_INITIAL_RESPONSE_AUTO;
	case CONFIG_INITIAL_RESPONSE_YES:
		return SASL_INITIAL_RESPONSE_YES;
	case CONFIG_INITIAL_RESPONSE_NO:
		return SASL_INITIAL_RESPONSE_NO;
	}
	return SASL_INITIAL_RESPONSE_AUTO;
}

static void copy(struct buf *b, struct span bytes)
{
	bool fits;

	buf_init_secret(b, CREDENTIAL_MAX);
	fits = buf_append(b, bytes);
	assert(fits); /* whoever read them has checked */
}

static struct upstream_auth *create(struct upstream *u)
{
	struct upstream_auth *auth = MEM_NEW(struct upstream_auth);
	const struct upstream_settings *settings = &u->settings;

	auth->upstream = u;
	auth->memory = u->learned->memory;
	auth->offered = *smtp_client_extensions(&u->client);
	for (size_t i = 0; i < auth->offered.mechanism_count; i++)
		auth->names[i] = span_from_string(auth->offered.mechanisms[i]);
	auth->only = mem_alloc_array(settings->mechanism_count + 1, sizeof(*auth->only));
	for (size_t i = 0; i < settings->mechanism_count; i++)
		auth->only[i] = span_from_string(settings->mechanisms[i]);
	copy(&auth->login, settings->login);
	copy(&auth->password, settings->password);
	copy(&auth->token, settings->token);
	buf_init_secret(&auth->exporter, CONN_CHANNEL_BINDING_MAX);
	buf_init_secret(&auth->unique, CONN_CHANNEL_BINDING_MAX);
	conn_channel_binding(u->conn, &auth->exporter, &auth->unique);
	buf_init(&auth->challenge, SMTP_RECEIVED_OCTETS_KEPT);
	scram_keep_get(settings->scram, &auth->scram_cache);
	random_bytes(auth->random, sizeof(auth->random));
	return auth;
}

static bool certificate_was_shown(const struct upstream *u)
{
	struct conn_tls_info info;

	return conn_tls_info(u->conn, &info) && info.certificate_shown;
}

static void climb(struct upstream *u)
{
	struct upstream_auth *auth = u->auth;
	const struct config_via *via = upstream_via(u);
	bool shown = certificate_was_shown(u);
	struct sasl_ladder_settings settings = {
		.offered = auth->names,
		.offered_count = auth->offered.mechanism_count,
		.tls_active = smtp_client_tls_active(&u->client),
		.cleartext_allowed = u->settings.cleartext_auth,
		.credentials = {
			.login = buf_span(&auth->login),
			.password = buf_span(&auth->password),
			.token = buf_span(&auth->token),
			.certificate = shown,
			.certificate_unasked = u->settings.certificate && !shown,
			.kerberos = u->settings.kerberos,
			.host = span_from_string(via->host ? via->host : "localhost"),
			.port = via->port,
		},
		.only = auth->only,
		.only_count = u->settings.mechanism_count,
		.initial_response = initial_response(u),
		.binding = { buf_span(&auth->exporter), buf_span(&auth->unique) },
		.random = span_of(auth->random, sizeof(auth->random)),
		.scram_cache = &auth->scram_cache,
	};

	sasl_ladder_begin(&auth->ladder, &settings, &auth->memory, &auth->action);
	take_action(u, NULL);
}

/* A hop that repeats what it was sent shows it to nobody. Not before now: the list of extensions is
   no place for a secret, and a word of it may look like one. */
static void conceal_credentials(struct upstream *u)
{
	conceal_fini(&u->conceal);
	conceal_add(&u->conceal, u->settings.password);
	conceal_add(&u->conceal, u->settings.token);
	smtp_client_conceal(&u->client, &u->conceal);
}

void upstream_auth_begin(struct upstream *u)
{
	u->learned->greeted = true;
	u->learned->extensions = *smtp_client_extensions(&u->client);
	if (!u->settings.account) {
		smtp_client_auth_none(&u->client);
		return;
	}
	conceal_credentials(u);
	assert(!u->auth);
	u->auth = create(u);
	climb(u);
}

/* ---- going on ---- */

static void take_step(struct upstream_auth *auth)
{
	sasl_ladder_challenge(&auth->ladder, buf_span(&auth->challenge), &auth->action);
}

static void run_step(struct worker_job *job)
{
	take_step(CONTAINER_OF(job, struct upstream_auth, job));
}

static void ask_worker(struct upstream *u)
{
	struct upstream_auth *auth = u->auth;

	auth->job = (struct worker_job){
		.kind = UPSTREAM_JOB,
		.run = run_step,
		.reply_to = u->settings.slow_reply_to,
	};
	auth->working = true;
	if (worker_pool_submit(u->settings.slow_pool, &auth->job))
		return;
	auth->working = false;
	upstream_set_trouble(u, UPSTREAM_TROUBLE_AUTH_TEMPORARY,
	    "%s: too many others are signing in at the same time here", u->peer);
	smtp_client_quit(&u->client);
}

void upstream_auth_challenge(struct upstream *u, const struct smtp_client_event *event)
{
	struct upstream_auth *auth = u->auth;

	buf_clear(&auth->challenge);
	buf_append(&auth->challenge, event->challenge);
	if (u->settings.slow_pool && sasl_ladder_is_slow(&auth->ladder)) {
		ask_worker(u);
		return;
	}
	take_step(auth);
	take_action(u, NULL);
}

void upstream_stepped(struct worker_job *job)
{
	struct upstream_auth *auth = CONTAINER_OF(job, struct upstream_auth, job);

	auth->working = false;
	if (!auth->upstream) {
		destroy(auth);
		return;
	}
	/* An end of the connection meanwhile was found by the pump, and has taken the upstream. */
	auth->upstream->deadline_stage = SMTP_CLIENT_STAGE_CLOSED; /* anew, for the reply */
	take_action(auth->upstream, NULL);
	upstream_flush(auth->upstream);
}

void upstream_auth_timeout(struct upstream *u)
{
	upstream_auth_forget(u);
	upstream_set_trouble(u, UPSTREAM_TROUBLE_AUTH_TEMPORARY,
	    "%s: signing in takes longer than %d s here; is the ticket server there?", u->peer,
	    UPSTREAM_STEP_MS / 1000);
	smtp_client_quit(&u->client);
}

void upstream_auth_reply(struct upstream *u, const struct smtp_client_event *event)
{
	struct upstream_auth *auth = u->auth;

	sasl_ladder_reply(&auth->ladder, event->reply->code, event->reply->text, &auth->action);
	take_action(u, event->reply);
}
