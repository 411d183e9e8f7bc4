/* SPDX-License-Identifier: MIT */
#include "net/tls.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/memory.h"
#include "net/address.h"
#include "net/certificate.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

enum {
	TICKET_KEYS_MAX = 128, /* OpenSSL 3 has 80 bytes of them */
	SESSIONS_MAX = 512,
	SESSION_MAX_SECONDS = 3600,
	PROBLEM_MAX = 384,
};

/* What tells a file from another, and from itself after a change. */
struct file_mark {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct tls_server_context {
	atomic_uint references;
	SSL_CTX *ctx;
	char *paths[2]; /* certificate, key */
	struct file_mark marks[2];
	char *ca_path; /* or NULL */
	struct file_mark ca_mark;
	int64_t expires_ms;
};

struct tls_client_context {
	atomic_uint references;
	SSL_CTX *ctx;
	bool verify;
	char *paths[2]; /* certificate, key; NULL without */
	struct file_mark marks[2];
	pthread_mutex_t lock; /* of sessions */
	struct map *sessions; /* key → SSL_SESSION */
};

/* What an SSL object knows of us; its application data. */
struct tls_state {
	struct tls_server_context *server;
	struct tls_client_context *client;
	char *name; /* the one to verify */
	char *session_key;
	char *problem; /* the first that verification found */
	bool certificate_shown;
};

/* ---- both roles ---- */

static SSL_CTX *make_ctx(const SSL_METHOD *method, struct fault *fault_out)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
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

static SSL *open_ssl(SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl)
		SSL_set_app_data(ssl, MEM_NEW(struct tls_state));
	return ssl;
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

/* ---- a certificate and its key ---- */

static struct file_mark mark_file(const char *path)
{
	struct file_mark mark = { .size = -1 };
	struct stat status;

	if (stat(path, &status) == 0) {
		mark.device = status.st_dev;
		mark.inode = status.st_ino;
		mark.size = status.st_size;
		mark.changed = status.st_mtim;
	}
	return mark;
}

static bool use_certificate(SSL_CTX *ctx, STACK_OF(X509) * chain)
{
	for (int i = 1; i < sk_X509_num(chain); i++) {
		if (!SSL_CTX_add1_chain_cert(ctx, sk_X509_value(chain, i)))
			return false;
	}
	return SSL_CTX_use_certificate(ctx, sk_X509_value(chain, 0)) == 1;
}

static bool use_pair(SSL_CTX *ctx, STACK_OF(X509) * chain, EVP_PKEY *key, char *const paths[2],
    struct fault *fault_out)
{
	ERR_clear_error();
	if (!X509_check_private_key(sk_X509_value(chain, 0), key)) {
		fault_set(fault_out, FAULT_LOCAL,
		    "the certificate in %s does not belong to the "
		    "key in %s",
		    paths[0], paths[1]);
		return false;
	}
	if (use_certificate(ctx, chain) && SSL_CTX_use_PrivateKey(ctx, key) == 1)
		return true;
	fault_set(fault_out, FAULT_LOCAL, "the certificate in %s cannot be used: %s", paths[0],
	    ERR_reason_error_string(ERR_peek_last_error()));
	return false;
}

static bool load_pair(
    SSL_CTX *ctx, char *const paths[2], int64_t *expires_ms_out, struct fault *fault_out)
{
	STACK_OF(X509) *chain = certificate_load_chain(paths[0], fault_out);
	EVP_PKEY *key = chain ? certificate_load_key(paths[1], fault_out) : NULL;
	bool done = key && use_pair(ctx, chain, key, paths, fault_out);

	if (done)
		*expires_ms_out = certificate_expires_ms(sk_X509_value(chain, 0));
	EVP_PKEY_free(key);
	sk_X509_pop_free(chain, X509_free);
	return done;
}

/* Before reading: a change meanwhile is then seen as one. */
static void remember_pair(
    char *paths[2], struct file_mark marks[2], const char *certificate_path, const char *key_path)
{
	paths[0] = mem_strdup(certificate_path);
	paths[1] = mem_strdup(key_path);
	for (size_t i = 0; i < 2; i++)
		marks[i] = mark_file(paths[i]);
}

static bool marks_equal(const struct file_mark *a, const struct file_mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool pair_is_stale(char *const paths[2], const struct file_mark marks[2])
{
	for (size_t i = 0; i < 2; i++) {
		struct file_mark now = mark_file(paths[i]);

		if (!marks_equal(&now, &marks[i]))
			return true;
	}
	return false;
}

/* ---- server ---- */

static void carry_ticket_keys(SSL_CTX *to, SSL_CTX *from)
{
	unsigned char keys[TICKET_KEYS_MAX];
	long len = SSL_CTX_get_tlsext_ticket_keys(from, NULL, 0);

	if (len <= 0 || len > (long)sizeof(keys))
		return;
	if (SSL_CTX_get_tlsext_ticket_keys(from, keys, len) == 1)
		SSL_CTX_set_tlsext_ticket_keys(to, keys, len);
	mem_wipe(keys, sizeof(keys));
}

/* Whatever is wrong with a client's certificate, the session goes on: without it. */
static int on_client_certificate(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_state *state = SSL_get_app_data(ssl);
	struct buf text;

	if (!ok && !state->problem) {
		buf_init(&text, PROBLEM_MAX);
		certificate_explain(&text, X509_STORE_CTX_get_error(store),
		    X509_STORE_CTX_get_current_cert(store), "the client");
		state->problem = buf_take_string(&text);
	}
	return 1;
}

static bool ask_for_certificates(
    struct tls_server_context *context, const char *ca_path, struct fault *fault_out)
{
	STACK_OF(X509_NAME) * names;

	if (!ca_path)
		return true;
	context->ca_path = mem_strdup(ca_path);
	context->ca_mark = mark_file(ca_path);
	ERR_clear_error();
	names = SSL_load_client_CA_file(ca_path);
	if (!names || SSL_CTX_load_verify_file(context->ctx, ca_path) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		fault_set(fault_out, FAULT_LOCAL, "no certificates can be read from %s", ca_path);
		return false;
	}
	SSL_CTX_set_client_CA_list(context->ctx, names);
	SSL_CTX_set_verify(context->ctx, SSL_VERIFY_PEER, on_client_certificate);
	SSL_CTX_set_options(context->ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(context->ctx, 0);
	return true;
}

static bool set_up_server(struct tls_server_context *context,
    const struct tls_server_policy *policy, const struct tls_server_context *previous,
    struct fault *fault_out)
{
	static const unsigned char id[] = "frank";

	context->ctx = make_ctx(TLS_server_method(), fault_out);
	if (!context->ctx)
		return false;
	/* AES-128 first, unless a client without AES in hardware prefers ChaCha20: its key schedule
	   runs on SHA-256, which is cheaper than SHA-384 by a tenth of the handshake. */
	SSL_CTX_set_ciphersuites(context->ctx,
	    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
	SSL_CTX_set_options(
	    context->ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_num_tickets(context->ctx, 1);
	SSL_CTX_set_session_cache_mode(context->ctx, SSL_SESS_CACHE_OFF); /* tickets only */
	SSL_CTX_set_session_id_context(context->ctx, id, sizeof(id) - 1);
	if (previous)
		carry_ticket_keys(context->ctx, previous->ctx);
	return load_pair(context->ctx, context->paths, &context->expires_ms, fault_out) &&
	       ask_for_certificates(context, policy->client_ca_path, fault_out);
}

struct tls_server_context *tls_server_context_create(const struct tls_server_policy *policy,
    const struct tls_server_context *previous, struct fault *fault_out)
{
	struct tls_server_context *context = MEM_NEW(struct tls_server_context);

	context->references = 1;
	remember_pair(context->paths, context->marks, policy->certificate_path, policy->key_path);
	if (!set_up_server(context, policy, previous, fault_out))
		tls_server_context_unref(&context);
	return context;
}

struct tls_server_context *tls_server_context_ref(struct tls_server_context *context)
{
	atomic_fetch_add(&context->references, 1);
	return context;
}

void tls_server_context_unref(struct tls_server_context **context)
{
	struct tls_server_context *mine = *context;

	*context = NULL;
	if (!mine || atomic_fetch_sub(&mine->references, 1) > 1)
		return;
	SSL_CTX_free(mine->ctx);
	mem_free(mine->paths[0]);
	mem_free(mine->paths[1]);
	mem_free(mine->ca_path);
	mem_free(mine);
}

bool tls_server_context_is_stale(const struct tls_server_context *context)
{
	struct file_mark ca_mark;

	if (pair_is_stale(context->paths, context->marks))
		return true;
	if (!context->ca_path)
		return false;
	ca_mark = mark_file(context->ca_path);
	return !marks_equal(&ca_mark, &context->ca_mark);
}

int64_t tls_server_context_expires_ms(const struct tls_server_context *context)
{
	return context->expires_ms;
}

struct ssl_st *tls_server_context_open(struct tls_server_context *context)
{
	SSL *ssl = open_ssl(context->ctx);

	if (!ssl)
		return NULL;
	((struct tls_state *)SSL_get_app_data(ssl))->server = tls_server_context_ref(context);
	SSL_set_accept_state(ssl);
	return ssl;
}

/* ---- client: verification ---- */

static int on_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_state *state = SSL_get_app_data(ssl);
	struct buf text;

	if (!ok && !state->problem) {
		buf_init(&text, PROBLEM_MAX);
		certificate_explain(&text, X509_STORE_CTX_get_error(store),
		    X509_STORE_CTX_get_current_cert(store), state->name);
		state->problem = buf_take_string(&text);
	}
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

bool tls_certificate_asked(struct ssl_st *ssl)
{
	const struct tls_state *state = SSL_get_app_data(ssl);

	return state->server && state->server->ca_path;
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

	if (!state->client || state->client->paths[0] || !SSL_SESSION_is_resumable(session))
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
	int64_t expires_ms;

	if (!policy->certificate_path)
		return true;
	remember_pair(context->paths, context->marks, policy->certificate_path, policy->key_path);
	SSL_CTX_set_msg_callback(context->ctx, on_message);
	return load_pair(context->ctx, context->paths, &expires_ms, fault_out);
}

static bool set_up_client(struct tls_client_context *context,
    const struct tls_client_policy *policy, struct fault *fault_out)
{
	context->ctx = make_ctx(TLS_client_method(), fault_out);
	if (!context->ctx)
		return false;
	if (policy->version_min == TLS_VERSION_1_3)
		SSL_CTX_set_min_proto_version(context->ctx, TLS1_3_VERSION);
	if (!policy->verify)
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
	mem_free(mine->paths[0]);
	mem_free(mine->paths[1]);
	mem_free(mine);
}

bool tls_client_context_is_stale(const struct tls_client_context *context)
{
	return context->paths[0] && pair_is_stale(context->paths, context->marks);
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
	SSL *ssl = open_ssl(context->ctx);
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
