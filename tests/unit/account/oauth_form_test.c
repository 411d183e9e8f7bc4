/* SPDX-License-Identifier: MIT */
#include "account/oauth_form.h"

#include "account/oauth_proof.h"
#include "account/oauth_remedy.h"
#include "base/base64.h"
#include "base/memory.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static struct oauth_account account = {
	.settings = {
		.label = "ms",
		.login = "scan@contoso.example",
		.provider = OAUTH_PROVIDER_MICROSOFT,
		.flow = OAUTH_FLOW_CODE,
		.tenant = "contoso.example",
		.client_id = "id 1&2",
		.authorization_endpoint = "https://id.example.org/authorize",
		.token_endpoint = "https://id.example.org/token",
		.scope = "mail offline_access",
	},
	.references = 1,
};

static int give_secret(void **state)
{
	buf_init_secret(&account.client_secret, 100);
	buf_init_secret(&account.key, OAUTH_KEY_FILE_MAX);
	buf_append_string(&account.client_secret, "s=e&c");
	return 0;
}

static int take_secret(void **state)
{
	buf_fini(&account.client_secret);
	buf_fini(&account.key);
	return 0;
}

static void expect(struct buf *form, const char *want)
{
	assert_string_equal(buf_string(form), want);
	buf_clear(form);
}

static void forms_have_every_field_escaped(void **state)
{
	struct buf form;

	buf_init_secret(&form, OAUTH_FORM_MAX);
	oauth_form_refresh(&account, SPAN("a/b+c"), &form);
	expect(&form, "grant_type=refresh_token&refresh_token=a%2Fb%2Bc&client_id=id%201%262&"
		      "client_secret=s%3De%26c");
	oauth_form_device(&account, &form);
	expect(&form, "client_id=id%201%262&scope=mail%20offline_access");
	oauth_form_device_token(&account, SPAN("d"), &form);
	expect(&form, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&"
		      "device_code=d&client_id=id%201%262&client_secret=s%3De%26c");
	oauth_form_client_credentials(&account, &form);
	expect(&form, "grant_type=client_credentials&scope=mail%20offline_access&"
		      "client_id=id%201%262&client_secret=s%3De%26c");
	oauth_form_assertion(SPAN("a.b.c"), &form);
	expect(&form,
	    "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b.c");
	oauth_form_code(&account, SPAN("x"), SPAN("http://127.0.0.1:1"), SPAN("v"), &form);
	expect(&form,
	    "grant_type=authorization_code&code=x&redirect_uri=http%3A%2F%2F127.0.0.1%3A1&"
	    "code_verifier=v&client_id=id%201%262&client_secret=s%3De%26c");
	buf_fini(&form);
}

static void the_sign_in_address_carries_no_secret(void **state)
{
	struct buf url;

	buf_init(&url, OAUTH_FORM_MAX);
	oauth_form_authorization(&account, SPAN("http://localhost:1"), SPAN("c"), SPAN("s"), &url);
	expect(&url, "https://id.example.org/authorize?response_type=code&client_id=id%201%262&"
		     "redirect_uri=http%3A%2F%2Flocalhost%3A1&scope=mail%20offline_access&state=s&"
		     "code_challenge=c&code_challenge_method=S256&"
		     "login_hint=scan%40contoso.example");
	account.settings.provider = OAUTH_PROVIDER_GOOGLE;
	account.settings.authorization_endpoint = "https://id.example.org/authorize?tenant=1";
	oauth_form_authorization(&account, SPAN("r"), SPAN("c"), SPAN("s"), &url);
	assert_non_null(strstr(buf_string(&url), "authorize?tenant=1&response_type=code"));
	assert_non_null(strstr(buf_string(&url), "&access_type=offline&prompt=consent"));
	account.settings.provider = OAUTH_PROVIDER_MICROSOFT;
	buf_fini(&url);
}

static const struct value_case {
	const char *address, *name, *want; /* NULL: none */
} value_cases[] = {
	{ "/?code=abc&state=x", "code", "abc" },
	{ "/?code=abc&state=x", "state", "x" },
	{ "http://127.0.0.1:1/?state=x&code=a%2Fb%3D", "code", "a/b=" },
	{ "code=abc", "code", "abc" },
	{ "/?code=a+b#code=c", "code", "a b" },
	{ "/?code=1&code=2", "code", "1" },
	{ "/?xcode=1", "code", NULL },
	{ "/?code", "code", NULL },
	{ "/?code=", "code", "" },
	{ "/?code=%", "code", NULL },
	{ "/?code=%4", "code", NULL },
	{ "/?code=%4x", "code", NULL },
	{ "/?code=0123456789012345678901234567890123456789", "code", NULL },
	{ "", "code", NULL },
};

static void a_redirected_address_is_read(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(value_cases); i++) {
		const struct value_case *c = &value_cases[i];
		struct buf value;
		bool found;

		buf_init(&value, 32);
		found = oauth_form_value(
		    span_from_string(c->address), span_from_string(c->name), &value);
		if (found != (c->want != NULL))
			fail_msg("%s: %d", c->address, found);
		assert_string_equal(buf_string(&value), c->want ? c->want : "");
		buf_fini(&value);
	}
}

/* RFC 7636, appendix B. */
static void the_challenge_is_the_verifiers_digest(void **state)
{
	static const char verifier[] = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
	unsigned char digest[32];
	struct oauth_proof a, b;
	struct buf text;

	buf_init(&text, 100);
	SHA256((const unsigned char *)verifier, strlen(verifier), digest);
	oauth_base64url(&text, span_of(digest, 32));
	expect(&text, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
	oauth_proof_make(&a);
	oauth_proof_make(&b);
	SHA256((const unsigned char *)a.verifier, strlen(a.verifier), digest);
	oauth_base64url(&text, span_of(digest, 32));
	expect(&text, a.challenge);
	assert_string_not_equal(a.verifier, b.verifier);
	assert_string_not_equal(a.state, b.state);
	assert_string_not_equal(a.state, a.verifier);
	buf_fini(&text);
}

/* ---- a signed request ---- */

static EVP_PKEY *make_key(const char *kind)
{
	EVP_PKEY *key = strcmp(kind, "RSA") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem;
	long len;

	assert_true(key && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
	len = BIO_get_mem_data(bio, &pem);
	buf_clear(&account.key);
	buf_append(&account.key, span_of(pem, (size_t)len));
	BIO_free(bio);
	return key;
}

static void decode(struct span part, struct buf *out)
{
	struct buf plain;

	buf_init(&plain, 8192);
	for (size_t i = 0; i < part.len; i++)
		buf_append_byte(&plain, part.data[i] == '-'   ? '+'
					: part.data[i] == '_' ? '/'
							      : part.data[i]);
	while (plain.len % 4 != 0)
		buf_append_byte(&plain, '=');
	assert_true(base64_decode(out, buf_span(&plain)));
	buf_fini(&plain);
}

static void check_signature(EVP_PKEY *key, struct span signed_part, struct span signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	assert_int_equal(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(
	    EVP_DigestVerify(context, (const unsigned char *)signature.data, signature.len,
		(const unsigned char *)signed_part.data, signed_part.len),
	    1);
	EVP_MD_CTX_free(context);
}

static void a_service_account_signs_for_the_login(void **state)
{
	static char issuer[] = "robot@project.example", key_id[] = "k1";
	EVP_PKEY *key = make_key("RSA");
	struct span text, head, claims;
	struct buf assertion, plain;
	struct fault fault;
	json_t *claim;

	account.issuer = issuer;
	account.key_id = key_id;
	buf_init(&assertion, OAUTH_ASSERTION_MAX);
	buf_init(&plain, 8192);
	assert_true(oauth_assertion_make(&account, 1000, &assertion, &fault));
	text = buf_span(&assertion);
	assert_true(span_take_until(&text, '.', &head) && span_take_until(&text, '.', &claims));
	decode(text, &plain);
	check_signature(key, span_of(head.data, head.len + 1 + claims.len), buf_span(&plain));
	buf_clear(&plain);
	decode(head, &plain);
	expect(&plain, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}");
	decode(claims, &plain);
	claim = json_loads(buf_string(&plain), 0, NULL);
	assert_string_equal(
	    json_string_value(json_object_get(claim, "sub")), "scan@contoso.example");
	assert_string_equal(
	    json_string_value(json_object_get(claim, "iss")), "robot@project.example");
	assert_string_equal(
	    json_string_value(json_object_get(claim, "aud")), "https://id.example.org/token");
	assert_int_equal(json_integer_value(json_object_get(claim, "iat")), 1000);
	assert_int_equal(json_integer_value(json_object_get(claim, "exp")), 4600);
	json_decref(claim);
	buf_fini(&plain);
	buf_fini(&assertion);
	EVP_PKEY_free(key);
}

static void another_key_than_rsa_is_a_sentence(void **state)
{
	EVP_PKEY *key = make_key("EC");
	struct buf assertion;
	struct fault fault;

	account.settings.key_file = "/etc/key.json";
	buf_init(&assertion, OAUTH_ASSERTION_MAX);
	assert_false(oauth_assertion_make(&account, 1000, &assertion, &fault));
	assert_non_null(strstr(fault.text, "/etc/key.json: its private_key cannot be used"));
	buf_clear(&account.key);
	buf_append_string(&account.key, "no key");
	assert_false(oauth_assertion_make(&account, 1000, &assertion, &fault));
	assert_int_equal(assertion.len, 0);
	account.settings.key_file = NULL;
	buf_fini(&assertion);
	EVP_PKEY_free(key);
}

/* ---- remedies ---- */

static const struct remedy_case {
	enum oauth_provider provider;
	enum oauth_flow flow;
	const char *code, *description;
	enum oauth_trouble want;
	const char *says;
} remedy_cases[] = {
	{ 1, 0, "invalid_request", "AADSTS90002: Tenant 'x' not found.", OAUTH_TROUBLE_SETTINGS,
	    "there is no tenant contoso.example" },
	{ 1, 0, "invalid_request", "AADSTS900023: Specified tenant identifier 'x'",
	    OAUTH_TROUBLE_SETTINGS, "neither a tenant's ID nor its domain" },
	{ 1, 0, "unauthorized_client", "AADSTS700016: Application", OAUTH_TROUBLE_SETTINGS,
	    "has no application id 1&2" },
	{ 1, 2, "invalid_client", "AADSTS7000215: Invalid client secret provided.",
	    OAUTH_TROUBLE_SETTINGS, "the secret's value, not its ID" },
	{ 1, 2, "invalid_client", "AADSTS7000222: expired", OAUTH_TROUBLE_SETTINGS,
	    "has expired: make a new one" },
	{ 1, 0, "invalid_grant", "AADSTS65001: The user", OAUTH_TROUBLE_GRANT, "admin consent" },
	{ 1, 0, "interaction_required", "AADSTS50076: Due to", OAUTH_TROUBLE_GRANT,
	    "a second factor" },
	{ 1, 0, "interaction_required", "AADSTS53003: Access", OAUTH_TROUBLE_GRANT,
	    "conditional access" },
	{ 1, 0, "invalid_grant", "AADSTS70008: The provided", OAUTH_TROUBLE_GRANT,
	    "run frank token login ms" },
	{ 1, 0, "invalid_grant", "AADSTS700082: The refresh token", OAUTH_TROUBLE_GRANT,
	    "was not used for long" },
	{ 1, 0, "authorization_pending", "AADSTS70016: OAuth 2.0 device flow error.",
	    OAUTH_TROUBLE_WAIT, "nobody has signed in" },
	{ 0, 0, "authorization_pending", "", OAUTH_TROUBLE_WAIT, "nobody has signed in" },
	{ 0, 0, "slow_down", "", OAUTH_TROUBLE_SLOW_DOWN, "nobody has signed in" },
	{ 0, 0, "expired_token", "", OAUTH_TROUBLE_GRANT, "start again" },
	{ 0, 0, "access_denied", "", OAUTH_TROUBLE_GRANT, "declined" },
	{ 2, 1, "invalid_grant", "Token has been expired or revoked.", OAUTH_TROUBLE_GRANT,
	    "it lasts 7 days" },
	{ 2, 1, "invalid_client", "The OAuth client was not found.", OAUTH_TROUBLE_SETTINGS,
	    "do not belong together" },
	{ 2, 1, "disabled_client", "", OAUTH_TROUBLE_SETTINGS, "is disabled" },
	{ 2, 3, "unauthorized_client", "Client is unauthorized", OAUTH_TROUBLE_SETTINGS,
	    "Domain-wide delegation" },
	{ 2, 3, "invalid_grant", "Invalid email or User ID", OAUTH_TROUBLE_SETTINGS,
	    "no user scan@contoso.example" },
	{ 2, 3, "invalid_grant", "Invalid JWT Signature.", OAUTH_TROUBLE_SETTINGS, "key-file" },
	{ 0, 1, "invalid_grant", "gone", OAUTH_TROUBLE_GRANT, "Run frank token login ms" },
	{ 0, 2, "invalid_grant", "gone", OAUTH_TROUBLE_SETTINGS, "does not give id 1&2 a token" },
	{ 0, 1, "invalid_scope", "", OAUTH_TROUBLE_SETTINGS, "\"mail offline_access\"" },
	{ 0, 1, "temporarily_unavailable", "", OAUTH_TROUBLE_PASSING, "out of order" },
	{ 0, 1, "teapot", "short and stout", OAUTH_TROUBLE_PASSING, "(teapot: short and stout)" },
	{ 0, 1, "", "", OAUTH_TROUBLE_PASSING, "gives no token" },
};

static void each_refusal_has_its_remedy(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(remedy_cases); i++) {
		const struct remedy_case *c = &remedy_cases[i];
		struct oauth_error error = { .number = oauth_error_number(
						 span_from_string(c->description)) };
		char text[OAUTH_REMEDY_MAX];

		account.settings.provider = c->provider;
		account.settings.flow = c->flow;
		snprintf(error.code, sizeof(error.code), "%s", c->code);
		snprintf(error.description, sizeof(error.description), "%s", c->description);
		if (oauth_remedy(&account, &error, text) != c->want || !strstr(text, c->says))
			fail_msg("%s %s: %s", c->code, c->description, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_have_every_field_escaped),
		cmocka_unit_test(the_sign_in_address_carries_no_secret),
		cmocka_unit_test(a_redirected_address_is_read),
		cmocka_unit_test(the_challenge_is_the_verifiers_digest),
		cmocka_unit_test(a_service_account_signs_for_the_login),
		cmocka_unit_test(another_key_than_rsa_is_a_sentence),
		cmocka_unit_test(each_refusal_has_its_remedy),
	};
	return cmocka_run_group_tests(tests, give_secret, take_secret);
}
