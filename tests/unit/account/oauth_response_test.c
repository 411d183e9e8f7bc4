/* SPDX-License-Identifier: MIT */
#include "account/oauth_response.h"

#include "base/memory.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static const char granted[] =
    "{\"token_type\":\"Bearer\",\"access_token\":\"eyJ0.a-b_c\",\"expires_in\":3599,"
    "\"refresh_token\":\"0.AXoA~\",\"scope\":\"x\",\"id_token\":\"z\"}";

static const struct grant_case {
	const char *name, *body;
	unsigned status;
	enum oauth_response want;
	int64_t lifetime_s; /* GRANTED */
	const char *says;   /* REFUSED: the code; GARBLED: part of the sentence */
} grant_cases[] = {
	{ "a token response", granted, 200, OAUTH_RESPONSE_GRANTED, 3599, NULL },
	{ "expires_in as text", "{\"access_token\":\"a\",\"expires_in\":\"60\"}", 200,
	    OAUTH_RESPONSE_GRANTED, 60, NULL },
	{ "no expires_in", "{\"access_token\":\"a\",\"token_type\":\"bearer\"}", 200,
	    OAUTH_RESPONSE_GRANTED, 3600, NULL },
	{ "a very long life is cut", "{\"access_token\":\"a\",\"expires_in\":1e300}", 200,
	    OAUTH_RESPONSE_GRANTED, OAUTH_LIFETIME_MAX_S, NULL },
	{ "a life of nothing", "{\"access_token\":\"a\",\"expires_in\":0}", 200,
	    OAUTH_RESPONSE_GARBLED, 0, "expires_in" },
	{ "a negative life", "{\"access_token\":\"a\",\"expires_in\":-5}", 200,
	    OAUTH_RESPONSE_GARBLED, 0, "expires_in" },
	{ "a life in words", "{\"access_token\":\"a\",\"expires_in\":\"soon\"}", 200,
	    OAUTH_RESPONSE_GARBLED, 0, "expires_in" },
	{ "another kind of token", "{\"access_token\":\"a\",\"token_type\":\"mac\"}", 200,
	    OAUTH_RESPONSE_GARBLED, 0, "access token" },
	{ "no token", "{\"token_type\":\"Bearer\"}", 200, OAUTH_RESPONSE_GARBLED, 0,
	    "access token" },
	{ "an empty token", "{\"access_token\":\"\"}", 200, OAUTH_RESPONSE_GARBLED, 0,
	    "access token" },
	{ "a token with a control character", "{\"access_token\":\"a\\u0001b\"}", 200,
	    OAUTH_RESPONSE_GARBLED, 0, "access token" },
	{ "a token with a blank", "{\"access_token\":\"a b\"}", 200, OAUTH_RESPONSE_GARBLED, 0,
	    "access token" },
	{ "a refresh token with a line end",
	    "{\"access_token\":\"a\",\"refresh_token\":\"b\\r\\nc\"}", 200, OAUTH_RESPONSE_GARBLED,
	    0, "refresh token" },
	{ "a token that is a number", "{\"access_token\":7}", 200, OAUTH_RESPONSE_GARBLED, 0,
	    "access token" },
	{ "an error", "{\"error\":\"invalid_grant\",\"error_description\":\"no\"}", 400,
	    OAUTH_RESPONSE_REFUSED, 0, "invalid_grant" },
	{ "an error with 200", "{\"error\":\"slow_down\",\"access_token\":\"a\"}", 200,
	    OAUTH_RESPONSE_REFUSED, 0, "slow_down" },
	{ "an error as an object",
	    "{\"error\":{\"status\":\"PERMISSION_DENIED\",\"message\":\"m\"}}", 403,
	    OAUTH_RESPONSE_REFUSED, 0, "PERMISSION_DENIED" },
	{ "a token with a wrong status", granted, 500, OAUTH_RESPONSE_GARBLED, 0, "out of order" },
	{ "a web page", "<html>", 200, OAUTH_RESPONSE_GARBLED, 0, "a web page" },
	{ "nothing", "", 200, OAUTH_RESPONSE_GARBLED, 0, "nothing" },
	{ "a redirect", "", 302, OAUTH_RESPONSE_GARBLED, 0, "never followed" },
	{ "no such end point", "<html>", 404, OAUTH_RESPONSE_GARBLED, 0, "no such end point" },
	{ "an array", "[]", 200, OAUTH_RESPONSE_GARBLED, 0, "no JSON object" },
	{ "a key twice", "{\"access_token\":\"a\",\"access_token\":\"b\"}", 200,
	    OAUTH_RESPONSE_GARBLED, 0, "broken" },
};

static void every_answer_is_a_grant_a_refusal_or_a_sentence(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(grant_cases); i++) {
		const struct grant_case *c = &grant_cases[i];
		struct oauth_grant grant;
		struct oauth_error error = { .code = "" };
		struct fault fault = { .text = "" };
		enum oauth_response got;

		oauth_grant_init(&grant);
		got = oauth_response_grant(
		    c->status, span_from_string(c->body), &grant, &error, &fault);
		if (got != c->want)
			fail_msg("%s: %d, %s", c->name, got, fault.text);
		switch (got) {
		case OAUTH_RESPONSE_GRANTED:
			assert_int_equal(grant.lifetime_s, c->lifetime_s);
			assert_true(grant.access_token.len > 0);
			break;
		case OAUTH_RESPONSE_REFUSED:
			assert_string_equal(error.code, c->says);
			break;
		case OAUTH_RESPONSE_GARBLED:
			if (!strstr(fault.text, c->says))
				fail_msg("%s: %s", c->name, fault.text);
			assert_int_equal(fault.kind, FAULT_TEMPORARY);
			assert_int_equal(grant.access_token.len, 0);
			break;
		}
		oauth_grant_fini(&grant);
	}
}

static void no_prefix_of_a_token_response_is_taken(void **state)
{
	for (size_t len = 0; len < sizeof(granted) - 1; len++) {
		char *body = mem_dup(granted, len);
		struct oauth_grant grant;
		struct oauth_error error;
		struct fault fault;

		oauth_grant_init(&grant);
		assert_int_equal(
		    oauth_response_grant(200, span_of(body, len), &grant, &error, &fault),
		    OAUTH_RESPONSE_GARBLED);
		oauth_grant_fini(&grant);
		mem_free(body);
	}
}

static enum oauth_response read_token_of(size_t len, struct oauth_grant *grant)
{
	struct buf body;
	struct oauth_error error;
	struct fault fault;
	enum oauth_response result;

	buf_init(&body, len + 100);
	buf_append_string(&body, "{\"access_token\":\"");
	memset(buf_reserve(&body, len), 'x', len);
	buf_commit(&body, len);
	buf_append_string(&body, "\"}");
	result = oauth_response_grant(200, buf_span(&body), grant, &error, &fault);
	buf_fini(&body);
	return result;
}

static void a_token_has_8_kib_at_most(void **state)
{
	struct oauth_grant grant;

	oauth_grant_init(&grant);
	assert_int_equal(read_token_of(OAUTH_TOKEN_MAX, &grant), OAUTH_RESPONSE_GRANTED);
	assert_int_equal(grant.access_token.len, OAUTH_TOKEN_MAX);
	assert_int_equal(read_token_of(OAUTH_TOKEN_MAX + 1, &grant), OAUTH_RESPONSE_GARBLED);
	assert_int_equal(read_token_of(OAUTH_RESPONSE_MAX, &grant), OAUTH_RESPONSE_GARBLED);
	oauth_grant_fini(&grant);
}

static void microsofts_numbers_are_found(void **state)
{
	assert_int_equal(oauth_error_number(SPAN("AADSTS65001: The user")), 65001);
	assert_int_equal(oauth_error_number(SPAN("x AADSTS7000222: y")), 7000222);
	assert_int_equal(oauth_error_number(SPAN("AADSTS")), 0);
	assert_int_equal(oauth_error_number(SPAN("AADSTSx")), 0);
	assert_int_equal(oauth_error_number(SPAN("")), 0);
}

static void an_error_is_one_escaped_line(void **state)
{
	struct oauth_grant grant;
	struct oauth_error error;
	struct fault fault;

	oauth_grant_init(&grant);
	assert_int_equal(oauth_response_grant(400,
			     SPAN("{\"error\":\"in\\u001bvalid\",\"error_description\":"
				  "\"AADSTS90002: Tenant\\u0007 gone.\\r\\nTrace ID: 1\"}"),
			     &grant, &error, &fault),
	    OAUTH_RESPONSE_REFUSED);
	assert_string_equal(error.code, "in\\x1bvalid");
	assert_null(strstr(error.description, "Trace"));
	assert_null(strchr(error.description, '\a'));
	assert_int_equal(error.number, 90002);
	oauth_grant_fini(&grant);
}

static const struct device_case {
	const char *name, *body;
	const char *says; /* NULL: taken */
} device_cases[] = {
	{ "RFC 8628, 3.2",
	    "{\"device_code\":\"GmRh\",\"user_code\":\"WDJB-MJHT\",\"verification_uri\":"
	    "\"https://example.com/device\",\"expires_in\":1800,\"interval\":5}",
	    NULL },
	{ "Google's verification_url",
	    "{\"device_code\":\"G\",\"user_code\":\"W\",\"verification_url\":"
	    "\"https://example.com/device\"}",
	    NULL },
	{ "an address that is not https",
	    "{\"device_code\":\"G\",\"user_code\":\"W\",\"verification_uri\":"
	    "\"http://example.com/device\"}",
	    "https address" },
	{ "an address with a terminal sequence",
	    "{\"device_code\":\"G\",\"user_code\":\"W\",\"verification_uri\":"
	    "\"https://example.com/\\u001b[2J\"}",
	    "https address" },
	{ "a user code with a blank",
	    "{\"device_code\":\"G\",\"user_code\":\"W W\",\"verification_uri\":"
	    "\"https://example.com/device\"}",
	    "user_code" },
	{ "no device code",
	    "{\"user_code\":\"W\",\"verification_uri\":\"https://example.com/device\"}",
	    "device_code" },
};

static void a_device_response_is_fit_to_be_shown(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(device_cases); i++) {
		const struct device_case *c = &device_cases[i];
		struct oauth_device device;
		struct oauth_error error;
		struct fault fault = { .text = "" };
		enum oauth_response got;

		oauth_device_init(&device);
		got =
		    oauth_response_device(200, span_from_string(c->body), &device, &error, &fault);
		if ((got == OAUTH_RESPONSE_GRANTED) != (c->says == NULL))
			fail_msg("%s: %s", c->name, fault.text);
		if (c->says)
			assert_non_null(strstr(fault.text, c->says));
		else
			assert_string_equal(device.address, "https://example.com/device");
		if (!c->says)
			assert_int_equal(device.interval_s, 5);
		oauth_device_fini(&device);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_is_a_grant_a_refusal_or_a_sentence),
		cmocka_unit_test(no_prefix_of_a_token_response_is_taken),
		cmocka_unit_test(a_token_has_8_kib_at_most),
		cmocka_unit_test(microsofts_numbers_are_found),
		cmocka_unit_test(an_error_is_one_escaped_line),
		cmocka_unit_test(a_device_response_is_fit_to_be_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
