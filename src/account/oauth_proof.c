/* SPDX-License-Identifier: MIT */
#include "account/oauth_proof.h"

#include "base/base64.h"
#include "base/memory.h"
#include "base/random.h"

#include <assert.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <string.h>

bool oauth_base64url(struct buf *out, struct span bytes)
{
	size_t before = out->len;

	if (!base64_encode(out, bytes))
		return false;
	for (size_t i = before; i < out->len; i++) {
		char *c = &out->data[out->start + i];
		if (*c == '+')
			*c = '-';
		else if (*c == '/')
			*c = '_';
	}
	while (out->len > before && out->data[out->start + out->len - 1] == '=')
		buf_truncate(out, out->len - 1);
	return true;
}

/* ---- PKCE ---- */

static void write_text(char out[OAUTH_PROOF_TEXT], const unsigned char bytes[32])
{
	struct buf text;

	buf_init_secret(&text, OAUTH_PROOF_TEXT);
	oauth_base64url(&text, span_of(bytes, 32));
	assert(text.len == OAUTH_PROOF_TEXT - 1);
	memcpy(out, text.data + text.start, text.len);
	out[text.len] = '\0';
	buf_fini(&text);
}

void oauth_proof_make(struct oauth_proof *proof_out)
{
	unsigned char bytes[32];

	random_bytes(bytes, sizeof(bytes));
	write_text(proof_out->verifier, bytes);
	random_bytes(bytes, sizeof(bytes));
	write_text(proof_out->state, bytes);
	SHA256((const unsigned char *)proof_out->verifier, OAUTH_PROOF_TEXT - 1, bytes);
	write_text(proof_out->challenge, bytes);
}

/* ---- a signed request ---- */

static bool append_json(struct buf *out, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	bool good;

	json_decref(object);
	assert(text);
	good = oauth_base64url(out, span_from_string(text));
	free(text);
	return good;
}

static bool append_claims(const struct oauth_account *account, int64_t now_s, struct buf *out)
{
	const struct oauth_settings *settings = &account->settings;
	json_t *header =
	    json_pack("{s:s,s:s,s:s*}", "alg", "RS256", "typ", "JWT", "kid", account->key_id);
	json_t *claims = json_pack("{s:s,s:s,s:s,s:s*,s:I,s:I}", "iss", account->issuer, "sub",
	    settings->login, "aud", settings->token_endpoint, "scope", settings->scope, "iat",
	    (json_int_t)now_s, "exp", (json_int_t)(now_s + OAUTH_ASSERTION_LIFETIME_S));
	bool good;

	assert(header && claims);
	good = append_json(out, header);
	good = buf_append_byte(out, '.') && good;
	return append_json(out, claims) && good;
}

static EVP_PKEY *read_key(const struct oauth_account *account)
{
	struct span pem = buf_span(&account->key);
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (char *)"") : NULL;

	BIO_free(bio);
	if (key && EVP_PKEY_base_id(key) != EVP_PKEY_RSA) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

static bool append_signature(EVP_PKEY *key, struct buf *out)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char signature[1024];
	size_t len = sizeof(signature);
	struct span text = buf_span(out);
	bool good;

	good = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
	       EVP_DigestSign(
		   context, signature, &len, (const unsigned char *)text.data, text.len) == 1;
	EVP_MD_CTX_free(context);
	return good && buf_append_byte(out, '.') && oauth_base64url(out, span_of(signature, len));
}

bool oauth_assertion_make(
    const struct oauth_account *account, int64_t now_s, struct buf *out, struct fault *fault_out)
{
	size_t before = out->len;
	EVP_PKEY *key;
	bool good;

	assert(before == 0);
	ERR_clear_error();
	key = read_key(account);
	good = key && append_claims(account, now_s, out) && append_signature(key, out);
	EVP_PKEY_free(key);
	ERR_clear_error();
	if (good)
		return true;
	buf_truncate(out, before);
	fault_set(fault_out, FAULT_LOCAL,
	    "%s: its private_key cannot be used: an RSA key in PEM "
	    "form is expected",
	    account->settings.key_file);
	return false;
}
