/* SPDX-License-Identifier: MIT */
#include "net/tls.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/memory.h"
#include "net/address.h"
#include "net/certificate.h"
#include "net/tls_pair.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

enum {
	SESSIONS_MAX = 512,
	SESSION_MAX_SECONDS = 3600,
	PROBLEM_MAX = 384,
};

struct tls_client_context {
	atomic_uint references;
	SSL_CTX *ctx;
	bool verify;
	struct tls_pair own;  /* empty without */
	pthread_mutex_t lock; /* of sessions */
	struct map *sessions; /* key → SSL_SESSION */
};

/* ---- both roles ---- */

static bool set_level(SSL_CTX *ctx, enum tls_level level)
{
	switch (level) {
	case TLS_LEVEL_INTERMEDIATE:
		return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	case TLS_LEVEL_MODERN:
		return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	case TLS_LEVEL_LEGACY:
		/* Below level 1 OpenSSL has no MD5-SHA1, which TLS 1.0 and 1.1 sign with. */
		SSL_CTX_set_security_level(ctx, 0);
		SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
		return SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION) &&
		       SSL_CTX_set_dh_auto(ctx, 1) &&
		       SSL_CTX_set_cipher_list(ctx, "DEFAULT:!aNULL:!eNULL:@SECLEVEL=0");
	}
	return false;
}

SSL_CTX *tls_make_ctx(const SSL_METHOD *method, enum tls_level level, struct fault *fault_out)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx || !set_level(ctx, level) ||
	    !SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384:P-521")) {
		fault_set(fault_out, FAULT_LOCAL, "OpenSSL cannot make a TLS context: %s",
		    ERR_reason_error_string(ERR_peek_last_error()));
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(
	    ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	return ctx;
}

SSL *tls_open_ssl(SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl)
		SSL_set_app_data(ssl, MEM_NEW(struct tls_state));
	return ssl;
}

void tls_note_problem(struct tls_state *state, X509_STORE_CTX *store, const char *name)
{
	struct buf text;

	if (state->problem)
		return;
	buf_init(&text, PROBLEM_MAX);
	certificate_explain(
	    &text, X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_current_cert(store), name);
	state->problem = buf_take_string(&text);
}

void tls_close(struct ssl_st **ssl)
{
	struct tls_state *state = *ssl ? SSL_get_app_data(*ssl) : NULL;

	if (!*ssl)
		return;
	/* Without this the session counts as broken, and is not resumed. */
	SSL_set_shutdown(*ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(*ssl);
	*ssl = NULL;
	tls_server_context_unref(&state->server);
	tls_client_context_unref(&state->client);
	mem_free(state->name);
	mem_free(state->session_key);
	mem_free(state->problem);
	mem_free(state);
}

/* ---- client: verification ---- */

static int on_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_state *state = SSL_get_app_data(ssl);

	if (!ok)
		tls_note_problem(state, store, state->name);
	return ok || !state->client->verify;
}

/* A resumed session brings its verdict along, but not the certificates that led to it. */
const char *tls_verify_problem(struct ssl_st *ssl)
{
	struct tls_state *state = SSL_get_app_data(ssl);
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	long verdict = SSL_get_verify_result(ssl);
	struct buf text;

	if (!state->problem && state->client && certificate && verdict != X509_V_OK) {
		buf_init(&text, PROBLEM_MAX);
		certificate_explain(&text, (int)verdict, certificate, state->name);
		state->problem = buf_take_string(&text);
	}
	return state->problem;
}

bool tls_verify_wanted(struct ssl_st *ssl)
{
	struct tls_state *state = SSL_get_app_data(ssl);

	return state->client && state->client->verify;
}

static bool expect_name(SSL *ssl, const char *name)
{
	struct net_address address;

	if (net_address_parse(span_from_string(name), 0, &address))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

/* ---- client: sessions ---- */

static void free_session(void *session)
{
	SSL_SESSION_free(session);
}

/* Under the lock. */
static void make_room(struct map *sessions)
{
	size_t position = 0;
	struct span key;
	void *session;

	if (map_count(sessions) < SESSIONS_MAX || !map_next(sessions, &position, &key, &session))
		return;
	map_remove(sessions, key);
	free_session(session);
}

/* Returns 1: the reference to the session is ours now. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_state *state = SSL_get_app_data(ssl);
	void *old;

	if (!state->client || state->client->own.leaf || !SSL_SESSION_is_resumable(session))
		return 0;
	pthread_mutex_lock(&state->client->lock);
	make_room(state->client->sessions);
	old = map_set(state->client->sessions, span_from_string(state->session_key), session);
	pthread_mutex_unlock(&state->client->lock);
	if (old)
		free_session(old);
	return 1;
}

/* A copy: OpenSSL writes into the session it uses, and other threads may use this one too. */
static void offer_session(SSL *ssl, struct tls_state *state)
{
	struct span key = span_from_string(state->session_key);
	SSL_SESSION *session;

	pthread_mutex_lock(&state->client->lock);
	session = map_get(state->client->sessions, key);
	if (session)
		session = SSL_SESSION_dup(session);
	pthread_mutex_unlock(&state->client->lock);
	if (session)
		SSL_set_session(ssl, session);
	SSL_SESSION_free(session);
}

/* ---- client: context ---- */

static bool load_trust(SSL_CTX *ctx, const char *path, struct fault *fault_out)
{
	struct stat status;
	bool loaded;

	ERR_clear_error();
	if (!path)
		loaded = SSL_CTX_set_default_verify_paths(ctx) == 1;
	else if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
		loaded = SSL_CTX_load_verify_dir(ctx, path) == 1;
	else
		loaded = SSL_CTX_load_verify_file(ctx, path) == 1;
	if (!loaded)
		fault_set(fault_out, FAULT_LOCAL, "no trusted certificates can be read from %s",
		    path ? path : "the system's store");
	return loaded;
}

/* Sees the one message that tells: Certificate (RFC 5246, 7.4.6; RFC 8446, 4.4.2), which is empty
   where none of ours fits, or CompressedCertificate (RFC 8879, 4), which says how long the other
   one was; OpenSSL sends that from 3.2 on. */
static void on_message(
    int sent, int version, int type, const void *bytes, size_t len, SSL *ssl, void *argument)
{
	enum { COMPRESSED = 25, COMPRESSED_HEAD = 9, EMPTY_MAX = 16 };
	struct tls_state *state = SSL_get_app_data(ssl);
	const unsigned char *message = bytes;

	(void)version;
	(void)argument;
	if (!sent || type != SSL3_RT_HANDSHAKE || len < COMPRESSED_HEAD)
		return;
	if (message[0] == COMPRESSED)
		len = (size_t)message[6] << 16 | (size_t)message[7] << 8 | message[8];
	else if (message[0] != SSL3_MT_CERTIFICATE)
		return;
	if (len > EMPTY_MAX)
		state->certificate_shown = true;
}

bool tls_certificate_shown(struct ssl_st *ssl)
{
	const struct tls_state *state = SSL_get_app_data(ssl);

	return state->client && state->certificate_shown;
}

static bool load_own_certificate(struct tls_client_context *context,
    const struct tls_client_policy *policy, struct fault *fault_out)
{
	if (!policy->certificate_path)
		return true;
	SSL_CTX_set_msg_callback(context->ctx, on_message);
	return tls_pair_load(
		   &context->own, policy->certificate_path, policy->key_path, fault_out) &&
	       tls_pair_use(&context->own, context->ctx, fault_out);
}

static bool set_up_client(struct tls_client_context *context,
    const struct tls_client_policy *policy, struct fault *fault_out)
{
	context->ctx = tls_make_ctx(TLS_client_method(), policy->level, fault_out);
	if (!context->ctx)
		return false;
	if (!policy->verify && policy->level != TLS_LEVEL_LEGACY)
		SSL_CTX_set_security_level(context->ctx, 1);
	SSL_CTX_set_verify(context->ctx, SSL_VERIFY_PEER, on_verify);
	SSL_CTX_set_session_cache_mode(
	    context->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_set_timeout(context->ctx, SESSION_MAX_SECONDS);
	SSL_CTX_sess_set_new_cb(context->ctx, on_new_session);
	return load_trust(context->ctx, policy->trust_path, fault_out) &&
	       load_own_certificate(context, policy, fault_out);
}

struct tls_client_context *tls_client_context_create(
    const struct tls_client_policy *policy, struct fault *fault_out)
{
	struct tls_client_context *context = MEM_NEW(struct tls_client_context);

	context->references = 1;
	context->verify = policy->verify;
	context->sessions = map_create();
	pthread_mutex_init(&context->lock, NULL);
	if (!set_up_client(context, policy, fault_out))
		tls_client_context_unref(&context);
	return context;
}

struct tls_client_context *tls_client_context_ref(struct tls_client_context *context)
{
	atomic_fetch_add(&context->references, 1);
	return context;
}

void tls_client_context_unref(struct tls_client_context **context)
{
	struct tls_client_context *mine = *context;

	*context = NULL;
	if (!mine || atomic_fetch_sub(&mine->references, 1) > 1)
		return;
	map_destroy(&mine->sessions, free_session);
	pthread_mutex_destroy(&mine->lock);
	SSL_CTX_free(mine->ctx);
	tls_pair_fini(&mine->own);
	mem_free(mine);
}

bool tls_client_context_is_stale(const struct tls_client_context *context)
{
	return context->own.leaf && tls_pair_is_stale(&context->own);
}

static char *make_session_key(const char *peer, const char *name)
{
	struct buf key;

	buf_init(&key, 4096);
	buf_printf(&key, "%s %s", peer, name);
	return buf_take_string(&key);
}

struct ssl_st *tls_client_context_open(
    struct tls_client_context *context, const char *peer, const char *name)
{
	SSL *ssl = tls_open_ssl(context->ctx);
	struct tls_state *state = ssl ? SSL_get_app_data(ssl) : NULL;

	if (!ssl)
		return NULL;
	state->client = tls_client_context_ref(context);
	state->name = mem_strdup(name);
	state->session_key = make_session_key(peer, name);
	if (!expect_name(ssl, name)) {
		tls_close(&ssl);
		return NULL;
	}
	offer_session(ssl, state);
	SSL_set_connect_state(ssl);
	return ssl;
}
