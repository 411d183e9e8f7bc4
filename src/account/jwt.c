/* SPDX-License-Identifier: MIT */
#include "account/jwt.h"

#include "account/jwks.h"
#include "base/memory.h"

#include <jansson.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

enum {
	PART_MAX = 12288, /* octets of one decoded part: more than an AUTH line holds */
	SIGNATURE_MAX = 1024,
	ES256_SIGNATURE = 64,
	NESTING_MAX = 8,
};

struct parts {
	struct span header, claims, signature; /* in base64url */
	struct span signed_text;               /* the first two with their dot */
};

static bool fail(struct fault *fault_out, const char *why)
{
	fault_set(fault_out, FAULT_PERMANENT, "%s", why);
	return false;
}

/* ---- the form ---- */

static bool split(struct span token, struct parts *parts)
{
	struct span rest = token;
	if (!span_take_until(&rest, '.', &parts->header) ||
	    !span_take_until(&rest, '.', &parts->claims) || rest.len == 0 ||
	    span_find(rest, '.') < rest.len)
		return false;
	parts->signature = rest;
	parts->signed_text = span_head(token, token.len - rest.len - 1);
	return true;
}

/* jansson has a depth limit of its own (JSON_PARSER_MAX_DEPTH, 2,048); claims are flat. */
static bool is_flat(struct span text)
{
	unsigned depth = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '{' || text.data[i] == '[')
			depth++;
		if (depth > NESTING_MAX)
			return false;
		if ((text.data[i] == '}' || text.data[i] == ']') && depth > 0)
			depth--;
	}
	return true;
}

/* A JSON object in base64url, or NULL. A name that stands twice has two readers (RFC 8725, 2.1). */
static json_t *read_part(struct span text)
{
	json_t *object = NULL;
	struct buf decoded;
	buf_init_secret(&decoded, PART_MAX);
	if (account_base64url_decode(&decoded, text) && is_flat(buf_span(&decoded)))
		object =
		    json_loadb(buf_span(&decoded).data, decoded.len, JSON_REJECT_DUPLICATES, NULL);
	buf_fini(&decoded);
	if (json_is_object(object))
		return object;
	json_decref(object);
	return NULL;
}

/* ---- the signature ---- */

/* r and s as they are (RFC 7518, 3.4) to the form that OpenSSL takes. */
static int to_der(struct span raw, unsigned char **der_out)
{
	ECDSA_SIG *signature = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn((const unsigned char *)raw.data, ES256_SIGNATURE / 2, NULL);
	BIGNUM *s = BN_bin2bn(
	    (const unsigned char *)raw.data + ES256_SIGNATURE / 2, ES256_SIGNATURE / 2, NULL);
	int len = -1;
	if (signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) == 1) {
		len = i2d_ECDSA_SIG(signature, der_out);
	} else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(signature);
	return len;
}

static bool verify(EVP_PKEY *key, struct span text, struct span signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context != NULL &&
		    EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
		    EVP_DigestVerify(context, (const unsigned char *)signature.data, signature.len,
			(const unsigned char *)text.data, text.len) == 1;
	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return good;
}

static bool fits(const struct account_jwk *key, struct span text, struct span signature)
{
	unsigned char *der = NULL;
	if (key->kind == ACCOUNT_JWK_RSA)
		return verify(key->key, text, signature); /* PKCS #1 v1.5 is RSA's default */
	if (signature.len != ES256_SIGNATURE)
		return false;
	int len = to_der(signature, &der);
	bool good = len > 0 && verify(key->key, text, span_of(der, (size_t)len));
	OPENSSL_free(der);
	return good;
}

/* With a kid, keys of that name; without one on either side, every key of the kind. */
static bool may_be(const struct account_jwk *key, enum account_jwk_kind kind, const char *id)
{
	if (key->kind != kind)
		return false;
	return id == NULL || (key->id != NULL && strcmp(key->id, id) == 0);
}

static bool find_kind(const char *algorithm, enum account_jwk_kind *kind_out)
{
	if (algorithm != NULL && strcmp(algorithm, "RS256") == 0)
		*kind_out = ACCOUNT_JWK_RSA;
	else if (algorithm != NULL && strcmp(algorithm, "ES256") == 0)
		*kind_out = ACCOUNT_JWK_EC;
	else
		return false;
	return true;
}

static bool check_signature(const struct account_jwks *keys, const struct parts *parts,
    const json_t *header, struct fault *fault_out)
{
	const char *id = json_string_value(json_object_get(header, "kid"));
	enum account_jwk_kind kind;
	struct buf signature;
	bool good = false, any = false;
	if (!find_kind(json_string_value(json_object_get(header, "alg")), &kind))
		return fail(fault_out, "the token is not signed with RS256 or ES256");
	buf_init(&signature, SIGNATURE_MAX);
	if (account_base64url_decode(&signature, parts->signature)) {
		for (size_t i = 0; i < keys->count && !good; i++) {
			if (!may_be(&keys->keys[i], kind, id))
				continue;
			any = true;
			good = fits(&keys->keys[i], parts->signed_text, buf_span(&signature));
		}
	}
	buf_fini(&signature);
	if (good)
		return true;
	return fail(fault_out, any ? "the signature of the token is wrong"
				   : "the token is signed by a key that is not in the set");
}

/* ---- the claims ---- */

static bool text_is(const json_t *value, const char *wanted)
{
	return json_is_string(value) && json_string_length(value) == strlen(wanted) &&
	       memcmp(json_string_value(value), wanted, strlen(wanted)) == 0;
}

/* RFC 7519, 4.1.3: a string, or an array of them. */
static bool is_for(const json_t *audience, const char *wanted)
{
	const json_t *each;
	size_t i;
	if (!json_is_array(audience))
		return text_is(audience, wanted);
	json_array_foreach(audience, i, each)
	{
		if (text_is(each, wanted))
			return true;
	}
	return false;
}

/* A NumericDate may have a fraction. False when it is none, or beyond reason. */
static bool take_time(const json_t *value, int64_t *time_out)
{
	double number = json_number_value(value);
	if (!json_is_number(value) || number < 0 || number > 1e12)
		return false;
	*time_out = (int64_t)number;
	return true;
}

static bool check_time(const json_t *claims, int64_t now_s, struct fault *fault_out)
{
	const json_t *not_before = json_object_get(claims, "nbf");
	int64_t expires, begins = 0;
	if (!take_time(json_object_get(claims, "exp"), &expires))
		return fail(fault_out, "the token does not say when it expires");
	if (now_s >= expires + ACCOUNT_JWT_CLOCK_S) {
		fault_set(fault_out, FAULT_PERMANENT, "the token expired %lld seconds ago",
		    (long long)(now_s - expires));
		return false;
	}
	if (not_before != NULL && !take_time(not_before, &begins))
		return fail(fault_out, "the token's nbf is no time");
	if (begins > now_s + ACCOUNT_JWT_CLOCK_S)
		return fail(fault_out, "the token is not valid yet");
	return true;
}

static bool take_login(const struct account_jwks *keys, const json_t *claims, struct span login,
    struct buf *login_out, struct fault *fault_out)
{
	const json_t *value = json_object_get(claims, keys->login_claim);
	struct span name = span_of(json_string_value(value), json_string_length(value));
	if (name.len == 0 || name.len > 255 || span_find(name, '\0') < name.len) {
		fault_set(fault_out, FAULT_PERMANENT, "the token names nobody in \"%s\"",
		    keys->login_claim);
		return false;
	}
	if (strcmp(keys->login_claim, "email") == 0 &&
	    json_is_false(json_object_get(claims, "email_verified")))
		return fail(fault_out, "the token's address is not verified by the provider");
	if (login.len > 0 && !span_equal(login, name))
		return fail(fault_out, "the token belongs to another user than the one named");
	return buf_append(login_out, name);
}

static bool check_claims(const struct account_jwks *keys, const json_t *claims, struct span login,
    int64_t now_s, struct buf *login_out, struct fault *fault_out)
{
	if (!text_is(json_object_get(claims, "iss"), keys->issuer))
		return fail(fault_out, "the token is by another issuer");
	if (!is_for(json_object_get(claims, "aud"), keys->audience))
		return fail(fault_out, "the token is for another audience");
	return check_time(claims, now_s, fault_out) &&
	       take_login(keys, claims, login, login_out, fault_out);
}

bool account_jwt_check(const struct account_jwks *keys, struct span token, struct span login,
    int64_t now_s, struct buf *login_out, struct fault *fault_out)
{
	struct parts parts;
	if (!split(token, &parts))
		return fail(fault_out, "the token is no JWT");
	json_t *header = read_part(parts.header), *claims = NULL;
	bool good = false;
	if (header == NULL)
		fail(fault_out, "the token's header is no JSON");
	else if (json_object_get(header, "crit") != NULL)
		fail(fault_out, "the token demands an extension (crit)");
	else
		good = check_signature(keys, &parts, header, fault_out);
	/* What is not signed is not read. */
	if (good && (claims = read_part(parts.claims)) == NULL)
		good = fail(fault_out, "the token's claims are no JSON");
	good = good && check_claims(keys, claims, login, now_s, login_out, fault_out);
	json_decref(header);
	json_decref(claims);
	return good;
}
