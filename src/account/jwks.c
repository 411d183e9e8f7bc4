/* SPDX-License-Identifier: MIT */
#include "account/jwks.h"

#include "base/base64.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <string.h>
#include <unistd.h>

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, NUMBER_MAX = 1024, COORDINATE = 32 };

bool account_base64url_decode(struct buf *out, struct span text)
{
	struct buf plain;
	bool done = true;
	buf_init_secret(&plain, out->max / 3 * 4 + 8);
	for (size_t i = 0; done && i < text.len; i++) {
		char c = text.data[i];
		done = c != '+' && c != '/' && c != '=' &&
		       buf_append_byte(&plain, c == '-'   ? '+'
					       : c == '_' ? '/'
							  : c);
	}
	while (done && plain.len % 4 != 0)
		done = buf_append_byte(&plain, '=');
	done = done && base64_decode(out, buf_span(&plain));
	buf_fini(&plain);
	return done;
}

/* ---- one key ---- */

/* The number that stands in base64url in that member; false when there is none. */
static bool take_number(const json_t *jwk, const char *name, struct buf *out)
{
	const json_t *value = json_object_get(jwk, name);
	return json_is_string(value) &&
	       account_base64url_decode(
		   out, span_of(json_string_value(value), json_string_length(value))) &&
	       out->len > 0;
}

static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *builder)
{
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
	if (context == NULL || parameters == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		key = NULL;
	OSSL_PARAM_free(parameters);
	EVP_PKEY_CTX_free(context);
	return key;
}

static EVP_PKEY *make_rsa(struct span n, struct span e)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	BIGNUM *modulus = BN_bin2bn((const unsigned char *)n.data, (int)n.len, NULL);
	BIGNUM *exponent = BN_bin2bn((const unsigned char *)e.data, (int)e.len, NULL);
	EVP_PKEY *key = NULL;
	if (builder != NULL && modulus != NULL && exponent != NULL &&
	    BN_num_bits(modulus) >= RSA_BITS_MIN && BN_num_bits(modulus) <= RSA_BITS_MAX &&
	    BN_num_bits(exponent) <= 64 && BN_is_odd(exponent) && !BN_is_one(exponent) &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
		key = make_key("RSA", builder);
	OSSL_PARAM_BLD_free(builder);
	BN_free(modulus);
	BN_free(exponent);
	return key;
}

static EVP_PKEY *read_rsa(const json_t *jwk)
{
	struct buf n, e;
	EVP_PKEY *key = NULL;
	buf_init(&n, NUMBER_MAX + 4);
	buf_init(&e, NUMBER_MAX + 4);
	if (take_number(jwk, "n", &n) && take_number(jwk, "e", &e))
		key = make_rsa(buf_span(&n), buf_span(&e));
	buf_fini(&n);
	buf_fini(&e);
	return key;
}

/* A point that is not on the curve is refused by OpenSSL when the key is checked. */
static bool is_on_curve(EVP_PKEY *key)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool good = context != NULL && EVP_PKEY_public_check(context) == 1;
	EVP_PKEY_CTX_free(context);
	return good;
}

static EVP_PKEY *make_ec(struct span x, struct span y)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	unsigned char point[1 + 2 * COORDINATE] = { POINT_CONVERSION_UNCOMPRESSED };
	EVP_PKEY *key = NULL;
	memcpy(point + 1, x.data, COORDINATE);
	memcpy(point + 1 + COORDINATE, y.data, COORDINATE);
	if (builder != NULL &&
	    OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ==
		1 &&
	    OSSL_PARAM_BLD_push_octet_string(
		builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1)
		key = make_key("EC", builder);
	OSSL_PARAM_BLD_free(builder);
	if (key != NULL && !is_on_curve(key)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

static bool member_is(const json_t *jwk, const char *name, const char *wanted)
{
	const char *value = json_string_value(json_object_get(jwk, name));
	return value != NULL && strcmp(value, wanted) == 0;
}

static EVP_PKEY *read_ec(const json_t *jwk)
{
	struct buf x, y;
	EVP_PKEY *key = NULL;
	buf_init(&x, COORDINATE + 4);
	buf_init(&y, COORDINATE + 4);
	if (member_is(jwk, "crv", "P-256") && take_number(jwk, "x", &x) &&
	    take_number(jwk, "y", &y) && x.len == COORDINATE && y.len == COORDINATE)
		key = make_ec(buf_span(&x), buf_span(&y));
	buf_fini(&x);
	buf_fini(&y);
	return key;
}

/* A member that is there says the wanted thing. */
static bool allows(const json_t *jwk, const char *name, const char *wanted)
{
	return json_object_get(jwk, name) == NULL || member_is(jwk, name, wanted);
}

static void take_key(struct account_jwks *keys, const json_t *jwk)
{
	struct account_jwk *to = &keys->keys[keys->count];
	bool rsa = member_is(jwk, "kty", "RSA"), ec = member_is(jwk, "kty", "EC");
	if (keys->count == ACCOUNT_JWKS_KEYS_MAX || (!rsa && !ec) || !allows(jwk, "use", "sig") ||
	    !allows(jwk, "alg", rsa ? "RS256" : "ES256"))
		return;
	to->key = rsa ? read_rsa(jwk) : read_ec(jwk);
	ERR_clear_error();
	if (to->key == NULL)
		return;
	to->kind = rsa ? ACCOUNT_JWK_RSA : ACCOUNT_JWK_EC;
	to->id = mem_strdup(json_string_value(json_object_get(jwk, "kid")));
	keys->count++;
}

/* ---- the set ---- */

struct account_jwks *account_jwks_parse(
    struct span text, const struct account_jwks_settings *settings, struct fault *fault_out)
{
	json_t *root = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL), *jwk;
	struct account_jwks *keys = MEM_NEW(struct account_jwks);
	size_t i;
	keys->issuer = mem_strdup(settings->issuer);
	keys->audience = mem_strdup(settings->audience);
	keys->login_claim = mem_strdup(settings->login_claim);
	json_array_foreach(json_object_get(root, "keys"), i, jwk) take_key(keys, jwk);
	if (keys->count == 0) {
		fault_set(fault_out, FAULT_LOCAL,
		    root == NULL ? "no JSON: a key set begins with {\"keys\":["
				 : "no key for RS256 (RSA, 2048 bits or more) or ES256 (P-256)");
		account_jwks_destroy(&keys);
	}
	json_decref(root);
	return keys;
}

static bool read_file(const char *path, struct buf *text, struct fault *fault_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : 1;
	char *room = NULL;
	while (n > 0 && (room = buf_reserve(text, 16384)) != NULL) {
		n = read(fd, room, 16384);
		if (n > 0)
			buf_commit(text, (size_t)n);
	}
	if (n < 0)
		fault_set(fault_out, FAULT_LOCAL, "cannot be read: %s", strerror(errno));
	else if (n > 0)
		fault_set(fault_out, FAULT_LOCAL, "is too large for a set of keys");
	if (fd >= 0)
		close(fd);
	return n == 0;
}

struct account_jwks *account_jwks_read(
    const char *path, const struct account_jwks_settings *settings, struct fault *fault_out)
{
	struct account_jwks *keys = NULL;
	struct fault fault = { 0 };
	struct buf text;
	buf_init(&text, ACCOUNT_JWKS_FILE_MAX);
	if (read_file(path, &text, &fault))
		keys = account_jwks_parse(buf_span(&text), settings, &fault);
	buf_fini(&text);
	if (keys == NULL)
		fault_set(fault_out, FAULT_LOCAL, "%s: %s", path, fault.text);
	return keys;
}

void account_jwks_destroy(struct account_jwks **keys)
{
	struct account_jwks *mine = *keys;
	*keys = NULL;
	if (mine == NULL)
		return;
	for (size_t i = 0; i < mine->count; i++) {
		EVP_PKEY_free(mine->keys[i].key);
		mem_free(mine->keys[i].id);
	}
	mem_free(mine->issuer);
	mem_free(mine->audience);
	mem_free(mine->login_claim);
	mem_free(mine);
}

size_t account_jwks_count(const struct account_jwks *keys)
{
	return keys->count;
}
