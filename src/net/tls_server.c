/* SPDX-License-Identifier: MIT */
#include "net/tls_pair.h"

#include "base/memory.h"
#include "net/certificate.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>

enum { TICKET_KEYS_MAX = 128 }; /* OpenSSL 3 has 80 bytes of them */

struct tls_server_context {
	atomic_uint references;
	SSL_CTX *ctx;
	struct tls_pair *pairs;
	size_t pair_count;
	struct tls_file client_ca;
};

/* ---- which certificate ---- */

/* Whether the two can stand side by side: other kinds of key for a name that both have. */
static bool share_a_name(const struct tls_pair *a, const struct tls_pair *b)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(a->leaf, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const ASN1_STRING *text = name->type == GEN_DNS ? name->d.dNSName : NULL;

		found = text && X509_check_host(b->leaf, (const char *)ASN1_STRING_get0_data(text),
				    (size_t)ASN1_STRING_length(text), 0, NULL) == 1;
	}
	GENERAL_NAMES_free(names);
	return found;
}

static bool is_for(const struct tls_pair *pair, const char *name)
{
	return X509_check_host(pair->leaf, name, 0, 0, NULL) == 1;
}

/* The kinds of key that are there already, a handful. */
struct kinds {
	int items[8];
	size_t count;
};

/* False: there is one of that kind already. */
static bool add_kind(struct kinds *kinds, const EVP_PKEY *key)
{
	int kind = EVP_PKEY_get_base_id(key);

	for (size_t i = 0; i < kinds->count; i++)
		if (kinds->items[i] == kind)
			return false;
	if (kinds->count == ARRAY_LEN(kinds->items))
		return false;
	kinds->items[kinds->count++] = kind;
	return true;
}

/* Who asks for a name gets the certificates for it, the first of each kind of key; OpenSSL then
   takes the one whose signatures the client understands. Who asks for none, or for one that nobody
   has, gets those that stand in the context. */
static int on_hello(SSL *ssl, void *argument)
{
	const struct tls_server_context *context = argument;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct kinds kinds = { .count = 0 };

	for (size_t i = 0; name && i < context->pair_count; i++) {
		const struct tls_pair *pair = &context->pairs[i];

		if (!is_for(pair, name) || !add_kind(&kinds, pair->private))
			continue;
		if (kinds.count == 1)
			SSL_certs_clear(ssl);
		if (SSL_use_cert_and_key(ssl, pair->leaf, pair->private, pair->chain, 1) != 1)
			return 0;
	}
	return 1;
}

/* The first one, and beside it those of other kinds of key that are for the same name. */
static bool use_pairs(struct tls_server_context *context, struct fault *fault_out)
{
	struct kinds kinds = { .count = 0 };
	size_t used = 0;

	for (size_t i = 0; i < context->pair_count; i++) {
		const struct tls_pair *pair = &context->pairs[i];

		if ((i > 0 && !share_a_name(&context->pairs[0], pair)) ||
		    !add_kind(&kinds, pair->private))
			continue;
		if (!tls_pair_use(pair, context->ctx, fault_out))
			return false;
		used++;
	}
	if (used < context->pair_count)
		SSL_CTX_set_cert_cb(context->ctx, on_hello, context);
	return true;
}

static bool load_pairs(struct tls_server_context *context, const struct tls_server_policy *policy,
    struct fault *fault_out)
{
	size_t count = 1 + policy->more_count;

	context->pairs = mem_alloc_array(count, sizeof(*context->pairs));
	for (size_t i = 0; i < count; i++) {
		struct tls_pair_paths paths = i > 0 ? policy->more[i - 1]
						    : (struct tls_pair_paths){
							      policy->certificate_path,
							      policy->key_path,
						      };

		context->pair_count++;
		if (!tls_pair_load(&context->pairs[i], paths.certificate, paths.key, fault_out))
			return false;
	}
	return use_pairs(context, fault_out);
}

/* ---- the rest of the context ---- */

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

	if (!ok)
		tls_note_problem(SSL_get_app_data(ssl), store, "the client");
	return 1;
}

static bool ask_for_certificates(
    struct tls_server_context *context, const char *path, struct fault *fault_out)
{
	STACK_OF(X509_NAME) * names;

	if (!path)
		return true;
	tls_file_watch(&context->client_ca, path);
	ERR_clear_error();
	names = SSL_load_client_CA_file(path);
	if (!names || SSL_CTX_load_verify_file(context->ctx, path) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		fault_set(fault_out, FAULT_LOCAL, "no certificates can be read from %s", path);
		return false;
	}
	SSL_CTX_set_client_CA_list(context->ctx, names);
	SSL_CTX_set_verify(context->ctx, SSL_VERIFY_PEER, on_client_certificate);
	SSL_CTX_set_options(context->ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(context->ctx, 0);
	return true;
}

static bool set_up(struct tls_server_context *context, const struct tls_server_policy *policy,
    const struct tls_server_context *previous, struct fault *fault_out)
{
	static const unsigned char id[] = "frank";

	context->ctx = tls_make_ctx(TLS_server_method(), policy->level, fault_out);
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
	return load_pairs(context, policy, fault_out) &&
	       ask_for_certificates(context, policy->client_ca_path, fault_out);
}

/* ---- life ---- */

struct tls_server_context *tls_server_context_create(const struct tls_server_policy *policy,
    const struct tls_server_context *previous, struct fault *fault_out)
{
	struct tls_server_context *context = MEM_NEW(struct tls_server_context);

	context->references = 1;
	if (!set_up(context, policy, previous, fault_out))
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
	for (size_t i = 0; i < mine->pair_count; i++)
		tls_pair_fini(&mine->pairs[i]);
	mem_free(mine->pairs);
	tls_file_fini(&mine->client_ca);
	mem_free(mine);
}

/* ---- questions ---- */

bool tls_server_context_is_stale(const struct tls_server_context *context)
{
	for (size_t i = 0; i < context->pair_count; i++)
		if (tls_pair_is_stale(&context->pairs[i]))
			return true;
	return tls_file_has_changed(&context->client_ca);
}

int64_t tls_server_context_expires_ms(const struct tls_server_context *context)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < context->pair_count; i++) {
		int64_t expires = certificate_expires_ms(context->pairs[i].leaf);
		first = expires < first ? expires : first;
	}
	return first;
}

bool tls_server_context_certificate(
    const struct tls_server_context *context, size_t index, struct tls_certificate_info *info_out)
{
	const struct tls_pair *pair = &context->pairs[index];

	if (index >= context->pair_count)
		return false;
	info_out->path = pair->certificate.path;
	info_out->expires_ms = certificate_expires_ms(pair->leaf);
	info_out->is_rsa = EVP_PKEY_get_base_id(pair->private) == EVP_PKEY_RSA;
	info_out->kind = EVP_PKEY_get0_type_name(pair->private);
	certificate_fingerprint(pair->leaf, info_out->fingerprint);
	return true;
}

bool tls_certificate_asked(struct ssl_st *ssl)
{
	const struct tls_state *state = SSL_get_app_data(ssl);

	return state->server && state->server->client_ca.path;
}

struct ssl_st *tls_server_context_open(struct tls_server_context *context)
{
	SSL *ssl = tls_open_ssl(context->ctx);

	if (!ssl)
		return NULL;
	((struct tls_state *)SSL_get_app_data(ssl))->server = tls_server_context_ref(context);
	SSL_set_accept_state(ssl);
	return ssl;
}
