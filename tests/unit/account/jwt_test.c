/* SPDX-License-Identifier: MIT */
#include "account/jwks.h"
#include "account/jwt.h"
#include "base/base64.h"
#include "base/memory.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define NOW 1000000
#define CLAIMS "\"iss\":\"https://id.example.org\",\"aud\":\"smtp\",\"sub\":\"anna\""
#define GOOD "{" CLAIMS ",\"exp\":1000100}"

static EVP_PKEY *rsa, *ec;
static struct account_jwks *keys;

static void encode(struct buf *out, struct span bytes)
{
	struct buf plain;
	buf_init(&plain, 8192);
	assert_true(base64_encode(&plain, bytes));
	for (size_t i = 0; i < plain.len; i++) {
		char c = buf_span(&plain).data[i];
		if (c != '=')
			buf_append_byte(out, c == '+' ? '-' : c == '/' ? '_' : c);
	}
	buf_fini(&plain);
}

static void put_number(struct buf *out, const char *name, EVP_PKEY *key, const char *parameter)
{
	BIGNUM *number = NULL;
	unsigned char bytes[512];
	assert_int_equal(EVP_PKEY_get_bn_param(key, parameter, &number), 1);
	int len = key == ec ? BN_bn2binpad(number, bytes, 32) : BN_bn2bin(number, bytes);
	buf_printf(out, ",\"%s\":\"", name);
	encode(out, span_of(bytes, (size_t)len));
	buf_append_byte(out, '"');
	BN_free(number);
}

static void put_keys(struct buf *out, const char *more)
{
	buf_append_string(out, "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"r\"");
	put_number(out, "n", rsa, OSSL_PKEY_PARAM_RSA_N);
	put_number(out, "e", rsa, OSSL_PKEY_PARAM_RSA_E);
	buf_append_string(out, "},{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\"");
	put_number(out, "x", ec, OSSL_PKEY_PARAM_EC_PUB_X);
	put_number(out, "y", ec, OSSL_PKEY_PARAM_EC_PUB_Y);
	buf_printf(out, "}%s]}", more);
}

static const struct account_jwks_settings settings = { "https://id.example.org", "smtp", "sub" };

static int make_keys(void **state)
{
	struct fault fault;
	struct buf text;
	rsa = EVP_RSA_gen(2048);
	ec = EVP_EC_gen("P-256");
	buf_init(&text, 8192);
	put_keys(&text,
	    ",{\"kty\":\"oct\",\"k\":\"AAAA\"},{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\"}");
	keys = account_jwks_parse(buf_span(&text), &settings, &fault);
	buf_fini(&text);
	return keys == NULL || account_jwks_count(keys) != 2;
}

static int free_keys(void **state)
{
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
	account_jwks_destroy(&keys);
	return 0;
}

/* As JWS wants it: r and s of 32 octets each, not OpenSSL's form. */
static size_t raw_of(unsigned char *signature, size_t len)
{
	const unsigned char *at = signature;
	ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &at, (long)len);
	assert_non_null(parsed);
	BN_bn2binpad(ECDSA_SIG_get0_r(parsed), signature, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(parsed), signature + 32, 32);
	ECDSA_SIG_free(parsed);
	return 64;
}

static void sign(struct buf *token, EVP_PKEY *key)
{
	unsigned char signature[512];
	size_t len = sizeof(signature);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(context, signature, &len,
			     (const unsigned char *)buf_span(token).data, token->len),
	    1);
	EVP_MD_CTX_free(context);
	if (key == ec)
		len = raw_of(signature, len);
	buf_append_byte(token, '.');
	encode(token, span_of(signature, len));
}

static void make_token(struct buf *token, const char *header, const char *claims, EVP_PKEY *key)
{
	buf_init(token, 16384);
	encode(token, span_from_string(header));
	buf_append_byte(token, '.');
	encode(token, span_from_string(claims));
	sign(token, key);
}

static bool check(struct span token, const char *login, char why[256])
{
	struct fault fault = { 0 };
	struct buf name;
	buf_init(&name, 255);
	bool good = account_jwt_check(keys, token, span_from_string(login), NOW, &name, &fault);
	assert_int_equal(name.len > 0, good);
	if (good)
		assert_true(span_equal(buf_span(&name), SPAN("anna")));
	snprintf(why, 256, "%.255s", good ? "" : fault.text);
	buf_fini(&name);
	return good;
}

static const struct token_case {
	const char *header, *claims;
	bool signed_by_ec;
	const char *login, *why; /* why NULL: good */
} cases[] = {
	{ "{\"alg\":\"RS256\",\"kid\":\"r\"}", GOOD, false, "", NULL },
	{ "{\"alg\":\"RS256\"}", GOOD, false, "anna", NULL },
	{ "{\"alg\":\"ES256\",\"kid\":\"e\"}", GOOD, true, "", NULL },
	{ "{\"alg\":\"ES256\",\"kid\":\"e\"}", GOOD, true, "bert", "another user" },
	{ "{\"alg\":\"RS256\",\"kid\":\"e\"}", GOOD, false, "", "not in the set" },
	{ "{\"alg\":\"ES256\",\"kid\":\"r\"}", GOOD, false, "", "not in the set" },
	{ "{\"alg\":\"RS256\"}", GOOD, true, "", "signature of the token is wrong" },
	{ "{\"alg\":\"none\"}", GOOD, false, "", "not signed with" },
	{ "{\"alg\":\"HS256\"}", GOOD, false, "", "not signed with" },
	{ "{\"alg\":\"RS512\"}", GOOD, false, "", "not signed with" },
	{ "{\"alg\":256}", GOOD, false, "", "not signed with" },
	{ "{\"alg\":\"RS256\",\"alg\":\"RS256\"}", GOOD, false, "", "header is no JSON" },
	{ "{\"alg\":\"RS256\",\"crit\":[\"b64\"]}", GOOD, false, "", "demands an extension" },
	{ "[\"RS256\"]", GOOD, false, "", "header is no JSON" },
	{ "{\"alg\":\"RS256\"}", "{" CLAIMS "}", false, "", "does not say when" },
	{ "{\"alg\":\"RS256\"}", "{" CLAIMS ",\"exp\":\"1000100\"}", false, "",
	    "does not say when" },
	{ "{\"alg\":\"RS256\"}", "{" CLAIMS ",\"exp\":999940}", false, "",
	    "expired 60 seconds ago" },
	{ "{\"alg\":\"RS256\"}", "{" CLAIMS ",\"exp\":999941.5}", false, "", NULL },
	{ "{\"alg\":\"RS256\"}", "{" CLAIMS ",\"exp\":1e300}", false, "", "does not say when" },
	{ "{\"alg\":\"RS256\"}", "{" CLAIMS ",\"exp\":1000100,\"nbf\":1000061}", false, "",
	    "not valid yet" },
	{ "{\"alg\":\"RS256\"}", "{" CLAIMS ",\"exp\":1000100,\"nbf\":1000060}", false, "", NULL },
	{ "{\"alg\":\"RS256\"}", "{" CLAIMS ",\"exp\":1000100,\"nbf\":true}", false, "",
	    "no time" },
	{ "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"https://id.example.org/"
	    "\",\"aud\":\"smtp\",\"sub\":\"anna\",\"exp\":1000100}",
	    false, "", "another issuer" },
	{ "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"https://id.example.org\",\"aud\":[\"a\",\"smtp\"],\"sub\":\"anna\","
	    "\"exp\":1000100}",
	    false, "", NULL },
	{ "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"https://"
	    "id.example.org\",\"aud\":[\"a\",1],\"sub\":\"anna\",\"exp\":1000100}",
	    false, "", "another audience" },
	{ "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"https://id.example.org\",\"aud\":\"smtp\",\"exp\":1000100}", false, "",
	    "names nobody in \"sub\"" },
	{ "{\"alg\":\"RS256\"}", "[[[[[[[[[[]]]]]]]]]]", false, "", "claims are no JSON" },
};

static void a_token_is_taken_when_all_of_it_is_right(void **state)
{
	char why[256];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct token_case *c = &cases[i];
		struct buf token;
		make_token(&token, c->header, c->claims, c->signed_by_ec ? ec : rsa);
		bool good = check(buf_span(&token), c->login, why);
		if (good != (c->why == NULL) || (c->why != NULL && strstr(why, c->why) == NULL))
			fail_msg("%s %s: %s", c->header, c->claims, why);
		buf_fini(&token);
	}
}

static void no_prefix_and_no_changed_byte_is_taken(void **state)
{
	char why[256];
	struct buf token;
	make_token(&token, cases[2].header, cases[2].claims, ec);
	assert_true(check(buf_span(&token), "", why));
	for (size_t i = 0; i < token.len; i++) {
		char *copy = mem_dup(buf_span(&token).data, i);
		assert_false(check(span_of(copy, i), "", why));
		mem_free(copy);
	}
	for (size_t i = 0; i < token.len; i++) {
		char *copy = mem_dup(buf_span(&token).data, token.len);
		copy[i] = copy[i] == 'A' ? 'B' : 'A';
		assert_false(check(span_of(copy, token.len), "", why));
		mem_free(copy);
	}
	buf_append_string(&token, ".AA");
	assert_false(check(buf_span(&token), "", why));
	buf_fini(&token);
}

/* The public key is no secret: whoever signs with it by HMAC must not come in (RFC 8725, 2.1). */
static void an_hmac_under_the_public_key_is_refused(void **state)
{
	char why[256];
	struct buf token;
	make_token(&token, "{\"alg\":\"HS256\",\"kid\":\"r\"}", GOOD, rsa);
	assert_false(check(buf_span(&token), "", why));
	buf_fini(&token);
}

static void key_sets_without_a_usable_key_are_refused(void **state)
{
	static const char *const bad[] = { "", "{", "[]", "{\"keys\":{}}", "{\"keys\":[]}",
		"{\"keys\":[1,null]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
		"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\"}]}",
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
		"\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
		"\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct fault fault;
		assert_null(account_jwks_parse(span_from_string(bad[i]), &settings, &fault));
		assert_int_equal(fault.kind, FAULT_LOCAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_taken_when_all_of_it_is_right),
		cmocka_unit_test(no_prefix_and_no_changed_byte_is_taken),
		cmocka_unit_test(an_hmac_under_the_public_key_is_refused),
		cmocka_unit_test(key_sets_without_a_usable_key_are_refused),
	};
	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
