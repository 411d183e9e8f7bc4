/* SPDX-License-Identifier: MIT */
#include "account/signin.h"

#include "account/census.h"
#include "account/lookup.h"
#include "base/memory.h"
#include "base/random.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static enum account_signin_state act(
    struct account_signin *s, enum sasl_outcome outcome, int64_t now_ms, int64_t now_s);

void account_signin_init(struct account_signin *s, const struct account_signin_place *place)
{
	*s = (struct account_signin){ .place = *place };
	buf_init_secret(&s->tls_exporter, CONN_CHANNEL_BINDING_MAX);
	buf_init_secret(&s->tls_unique, CONN_CHANNEL_BINDING_MAX);
	buf_init(&s->login, USERS_NAME_MAX_BYTES);
	sasl_server_init(&s->sasl);
}

void account_signin_fini(struct account_signin *s)
{
	sasl_server_fini(&s->sasl);
	buf_fini(&s->tls_exporter);
	buf_fini(&s->tls_unique);
	buf_fini(&s->login);
	mem_wipe(s->random, sizeof(s->random));
}

uint64_t account_signin_share(const struct sockaddr *peer)
{
	struct account_address address = account_address_of(peer);
	uint64_t halves[2];
	memcpy(halves, address.bytes, sizeof(halves));
	return halves[0] ^ halves[1];
}

static enum account_signin_state end(
    struct account_signin *s, enum account_signin_state state, const char *reason)
{
	if (reason != s->reason)
		snprintf(s->reason, sizeof(s->reason), "%.*s", (int)sizeof(s->reason) - 1, reason);
	return state;
}

/* ---- the end ---- */

static enum account_signin_state pass(struct account_signin *s, struct span login)
{
	if (!buf_append(&s->login, login))
		return end(s, ACCOUNT_SIGNIN_REFUSED, "the name is too long");
	return ACCOUNT_SIGNIN_PASSED;
}

/* The mechanism may have words for the client's machine. */
static enum account_signin_state reject(struct account_signin *s, const char *reason)
{
	end(s, ACCOUNT_SIGNIN_REFUSED, reason);
	return act(s, sasl_server_reject(&s->sasl), 0, 0);
}

static enum account_signin_state unavailable(struct account_signin *s, const char *why)
{
	char name[200];
	account_store_name(&s->place.stores->items[s->store], name, sizeof(name));
	snprintf(s->reason, sizeof(s->reason), "%s: %s", name, why);
	return ACCOUNT_SIGNIN_UNAVAILABLE;
}

/* ---- what is stored of a user ---- */

static bool is_lookup(const struct account_signin *s)
{
	return sasl_mechanism_is_scram(s->sasl.mechanism) ||
	       s->sasl.mechanism == SASL_MECHANISM_CRAM_MD5;
}

static enum sasl_outcome answer_scram(struct account_signin *s, const struct account_user *user)
{
	bool sha_1 = sasl_scram_hash(s->sasl.mechanism) == SASL_HASH_SHA_1;
	const struct account_scram *stored =
	    user ? account_user_scram(user, sha_1 ? ACCOUNT_SCRAM_SHA_1 : ACCOUNT_SCRAM_SHA_256)
		 : NULL;
	if (user != NULL && stored == NULL)
		end(s, ACCOUNT_SIGNIN_REFUSED,
		    "the user has no verifier for this mechanism (frank user passwd makes one)");
	if (stored == NULL)
		return sasl_server_found_verifier(&s->sasl, NULL);
	struct sasl_scram_verifier verifier = {
		.iterations = stored->iterations,
		.salt = stored->salt,
		.stored_key = stored->stored_key,
		.server_key = stored->server_key,
	};
	return sasl_server_found_verifier(&s->sasl, &verifier);
}

/* user is NULL when nobody knows him. */
static enum account_signin_state found(struct account_signin *s, const struct account_user *user)
{
	if (s->sasl.mechanism != SASL_MECHANISM_CRAM_MD5)
		return act(s, answer_scram(s, user), 0, 0);
	if (user != NULL && user->secret.len == 0)
		end(s, ACCOUNT_SIGNIN_REFUSED,
		    "the user's password itself is not stored, which CRAM-MD5 needs");
	struct span secret = user != NULL ? user->secret : SPAN("");
	return act(s, sasl_server_found_password(&s->sasl, secret), 0, 0);
}

/* ---- stores, one after the other ---- */

static struct account_check_question question_of(const struct account_signin *s, int64_t now_ms)
{
	return (struct account_check_question){
		.login = buf_span(&s->sasl.identity.authcid),
		.password = buf_span(&s->sasl.identity.password),
		.asker = s->place.asker,
		.reply_to = s->place.reply_to,
		.kind = s->place.kind,
		.now_ms = now_ms,
		.deadline_ms = now_ms + s->place.deadline_ms,
		.share = s->place.share,
	};
}

static bool is_last(const struct account_signin *s)
{
	return s->store + 1 >= s->place.stores->count;
}

/* UNKNOWN when the next store is to be asked. */
static enum account_check_result ask_users(
    struct account_signin *s, struct account_users *users, int64_t now_ms, bool *found_out)
{
	struct account_check_question question = question_of(s, now_ms);
	const struct account_user *user = account_users_find(users, question.login);
	*found_out = user != NULL;
	if (user == NULL && !is_last(s))
		return ACCOUNT_CHECK_UNKNOWN;
	if (is_lookup(s))
		return user != NULL ? ACCOUNT_CHECK_FOUND : ACCOUNT_CHECK_UNKNOWN;
	return account_check_begin(s->place.checker, users, &question);
}

static enum account_check_result ask_sqlite(
    struct account_signin *s, struct account_sqlite *db, int64_t now_ms)
{
	struct account_check_question question = question_of(s, now_ms);
	enum account_lookup what = is_lookup(s) ? ACCOUNT_LOOKUP_CREDENTIALS
				   : is_last(s) ? ACCOUNT_LOOKUP_PASSWORD_LAST
						: ACCOUNT_LOOKUP_PASSWORD;
	return account_lookup_begin(s->place.checker, s->place.stores, db, what, &question);
}

static enum account_check_result ask_dovecot(
    struct account_signin *s, const char *path, int64_t now_ms)
{
	struct account_check_question question = question_of(s, now_ms);
	char client[NET_ADDRESS_TEXT_MAX];
	if (is_lookup(s))
		return ACCOUNT_CHECK_UNKNOWN;
	if (s->place.dovecots == NULL)
		return ACCOUNT_CHECK_DOWN;
	if (conn_peer(s->place.conn)->any.sa_family != AF_UNIX)
		question.client =
		    span_from_string(net_address_format_host(conn_peer(s->place.conn), client));
	return account_dovecot_ask(s->place.dovecots, path, &question);
}

static enum account_signin_state take(struct account_signin *s, enum account_check_result result,
    const struct account_user *user, struct span login, const char *why, int64_t now_ms);

/* Asks the present store. */
static enum account_signin_state ask(struct account_signin *s, int64_t now_ms)
{
	struct account_store *store = &s->place.stores->items[s->store];
	struct span login = buf_span(&s->sasl.identity.authcid);
	const struct account_user *user = NULL;
	enum account_check_result result = ACCOUNT_CHECK_UNKNOWN;
	bool known = false;
	switch (store->kind) {
	case ACCOUNT_STORE_USERS:
		result = ask_users(s, store->users, now_ms, &known);
		user = known ? account_users_find(store->users, login) : NULL;
		break;
	case ACCOUNT_STORE_SQLITE:
		result = ask_sqlite(s, store->sqlite, now_ms);
		break;
	case ACCOUNT_STORE_DOVECOT:
		result = ask_dovecot(s, store->path, now_ms);
		break;
	}
	return take(s, result, user, login, "it is not asked here", now_ms);
}

static enum account_signin_state ask_next(struct account_signin *s, int64_t now_ms)
{
	if (!is_last(s)) {
		s->store++;
		return ask(s, now_ms);
	}
	if (is_lookup(s))
		return found(s, NULL);
	return reject(s, "unknown user or wrong password");
}

static enum account_signin_state take_refusal(
    struct account_signin *s, const char *why, int64_t now_ms)
{
	/* Perhaps it does not know the user. */
	if (s->place.stores->items[s->store].kind == ACCOUNT_STORE_DOVECOT)
		return ask_next(s, now_ms);
	return reject(s, *why != '\0' ? why : "unknown user or wrong password");
}

/* What the present store has said. */
static enum account_signin_state take(struct account_signin *s, enum account_check_result result,
    const struct account_user *user, struct span login, const char *why, int64_t now_ms)
{
	switch (result) {
	case ACCOUNT_CHECK_PENDING:
		return ACCOUNT_SIGNIN_PENDING;
	case ACCOUNT_CHECK_PASS:
		return pass(s, login);
	case ACCOUNT_CHECK_FAIL:
		return take_refusal(s, why, now_ms);
	case ACCOUNT_CHECK_UNKNOWN:
		return ask_next(s, now_ms);
	case ACCOUNT_CHECK_FOUND:
		return found(s, user);
	case ACCOUNT_CHECK_BUSY:
		return end(s, ACCOUNT_SIGNIN_UNAVAILABLE, "too many logins are being checked");
	case ACCOUNT_CHECK_DOWN:
		return unavailable(s, why);
	}
	return ACCOUNT_SIGNIN_REFUSED;
}

enum account_signin_state account_signin_answer(
    struct account_signin *s, struct account_check_answer *answer, int64_t now_ms)
{
	const struct account_user *user = answer->found != NULL ? &answer->found->user : NULL;
	struct span login = answer->login != NULL ? span_from_string(answer->login)
						  : buf_span(&s->sasl.identity.authcid);
	s->fault = answer->result == ACCOUNT_CHECK_BUSY ? NULL : &s->place.stores->items[s->store];
	if (answer->why[0] == '\0' && answer->result == ACCOUNT_CHECK_DOWN)
		return unavailable(s, "it does not answer");
	return take(s, answer->result, user, login, answer->why, now_ms);
}

/* ---- tokens and certificates ---- */

static enum account_signin_state pass_unless_locked(struct account_signin *s, struct span login)
{
	if (account_stores_locked(s->place.stores, login))
		return reject(s, "the user is locked");
	return pass(s, login);
}

static enum account_signin_state check_token(struct account_signin *s, int64_t now_s)
{
	const struct sasl_identity *identity = &s->sasl.identity;
	enum account_signin_state state;
	struct fault fault = { 0 };
	struct buf login;
	if (s->place.stores->jwks == NULL)
		return reject(s, "tokens are not taken here");
	buf_init(&login, USERS_NAME_MAX_BYTES);
	if (account_jwt_check(s->place.stores->jwks, buf_span(&identity->token),
		buf_span(&identity->authcid), now_s, &login, &fault))
		state = pass_unless_locked(s, buf_span(&login));
	else
		state = reject(s, fault.text);
	buf_fini(&login);
	return state;
}

static enum account_signin_state check_certificate(struct account_signin *s)
{
	enum account_signin_state state;
	struct fault fault = { 0 };
	struct buf login;
	buf_init(&login, USERS_NAME_MAX_BYTES);
	if (conn_client_identity(
		s->place.conn, buf_span(&s->sasl.identity.authcid), &login, &fault))
		state = pass_unless_locked(s, buf_span(&login));
	else
		state = reject(s, fault.text);
	buf_fini(&login);
	return state;
}

static enum account_signin_state check_password(struct account_signin *s, int64_t now_ms)
{
	s->store = 0;
	if (s->place.stores->count == 0)
		return reject(s, "there are no users with passwords");
	return ask(s, now_ms);
}

static enum account_signin_state check_identity(
    struct account_signin *s, int64_t now_ms, int64_t now_s)
{
	switch (sasl_mechanism_secret(s->sasl.mechanism)) {
	case SASL_SECRET_PASSWORD:
		return check_password(s, now_ms);
	case SASL_SECRET_TOKEN:
		return check_token(s, now_s);
	case SASL_SECRET_CERTIFICATE:
		return check_certificate(s);
	case SASL_SECRET_KERBEROS:
	case SASL_SECRET_COUNT:
		break;
	}
	assert(!"a mechanism that is not spoken to clients");
	return ACCOUNT_SIGNIN_REFUSED;
}

/* ---- the mechanism ---- */

/* A failed SCRAM is 535 at once: its last words would be a challenge that a guesser need not
   answer. OAuth's clients wait for theirs. */
static bool ends_at_once(const struct account_signin *s)
{
	return s->sasl.refused && sasl_mechanism_secret(s->sasl.mechanism) != SASL_SECRET_TOKEN;
}

static enum account_signin_state act(
    struct account_signin *s, enum sasl_outcome outcome, int64_t now_ms, int64_t now_s)
{
	switch (outcome) {
	case SASL_OUTCOME_CHALLENGE:
		if (!ends_at_once(s))
			return ACCOUNT_SIGNIN_CHALLENGE;
		break;
	case SASL_OUTCOME_IDENTITY:
		return check_identity(s, now_ms, now_s);
	case SASL_OUTCOME_LOOKUP:
		return check_password(s, now_ms);
	case SASL_OUTCOME_PROVED:
		return pass(s, buf_span(&s->sasl.identity.authcid));
	case SASL_OUTCOME_REFUSED:
		break;
	case SASL_OUTCOME_MALFORMED:
		return end(s, ACCOUNT_SIGNIN_MALFORMED, s->sasl.sentence);
	}
	return end(s, ACCOUNT_SIGNIN_REFUSED, s->reason[0] != '\0' ? s->reason : s->sasl.sentence);
}

static void equip(struct account_signin *s, enum sasl_mechanism mechanism)
{
	struct sasl_server_setup setup = {
		.random = span_of(s->random, sizeof(s->random)),
		.hostname = s->place.hostname,
		.decoy_key = s->place.decoy_key,
		.decoy_iterations = account_stores_iterations(s->place.stores),
		.bound_offered = s->place.bound_offered,
	};
	random_bytes(s->random, sizeof(s->random));
	if (sasl_mechanism_is_scram(mechanism))
		conn_channel_binding(s->place.conn, &s->tls_exporter, &s->tls_unique);
	setup.binding.tls_exporter = buf_span(&s->tls_exporter);
	setup.binding.tls_unique = buf_span(&s->tls_unique);
	sasl_server_equip(&s->sasl, &setup);
}

enum account_signin_state account_signin_begin(struct account_signin *s,
    enum sasl_mechanism mechanism, bool has_initial, struct span initial, int64_t now_ms,
    int64_t now_s)
{
	assert(sasl_server_speaks(mechanism));
	equip(s, mechanism);
	return act(s, sasl_server_start(&s->sasl, mechanism, has_initial, initial), now_ms, now_s);
}

enum account_signin_state account_signin_step(
    struct account_signin *s, struct span response, int64_t now_ms, int64_t now_s)
{
	return act(s, sasl_server_step(&s->sasl, response), now_ms, now_s);
}

bool account_signin_had_failed(const struct account_signin *s)
{
	return s->sasl.refused;
}
