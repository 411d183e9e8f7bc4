/* SPDX-License-Identifier: MIT */
#include "sasl/describe.h"

#include "base/base64.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static const struct describe_case {
	const char *mechanism;
	unsigned step;
	const char *payload, *want;
} describe_cases[] = {
	{ "PLAIN", 0, "AHNjYW4Ac2VjcmV0", "[PLAIN: user \"scan\", password hidden, 12 octets]" },
	{ "plain", 0,
	    "c2NhbgBzY2FuAHNlY3JldA==", "[plain: user \"scan\", password hidden, 16 octets]" },
	{ "PLAIN", 0, "dXNlcjFAZXhhbXBsZS5uZXQAbm90Lm15LnJlYWwucGFzc3dvcmQ=",
	    "[PLAIN: malformed, hidden, 38 octets]" },
	{ "PLAIN", 0, "AHNlY3JldA==", "[PLAIN: malformed, hidden, 7 octets]" },
	{ "PLAIN", 0, "c2VjcmV0", "[PLAIN: malformed, hidden, 6 octets]" },
	{ "PLAIN", 0, "AHMAZQBjcmV0", "[PLAIN: malformed, hidden, 9 octets]" },
	{ "PLAIN", 0, "=", "[PLAIN: empty, 0 octets]" },
	{ "PLAIN", 0, "not base64!", "[PLAIN: not base64, hidden, 11 octets]" },
	{ "PLAIN", 1, "c2VjcmV0", "[PLAIN: hidden, 6 octets]" },
	{ "LOGIN", 0, "c2Nhbg==", "[LOGIN: user \"scan\", 4 octets]" },
	{ "LOGIN", 1, "c2VjcmV0", "[LOGIN: password hidden, 6 octets]" },
	{ "LOGIN", 2, "c2VjcmV0", "[LOGIN: password hidden, 6 octets]" },
	{ "LOGIN", 1, "*", "[LOGIN: cancelled]" },
	{ "LOGIN", 0, "G1sySg==", "[LOGIN: user \"\\x1b[2J\", 4 octets]" },
	{ "XOAUTH2", 0, "c2VjcmV0", "[XOAUTH2: malformed, hidden, 6 octets]" },
	{ "XOAUTH2", 1, "dXNlcj1zY2FuAWF1dGg9QmVhcmVyIHNlY3JldAEB",
	    "[XOAUTH2: malformed, hidden, 30 octets]" },
	{ "SKEY", 0, "c2VjcmV0", "[SKEY: hidden, 6 octets]" },
	{ "CRAM-MD5", 0, "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw",
	    "[CRAM-MD5: user \"tim\", digest hidden, 36 octets]" },
	{ "CRAM-MD5", 0, "dGltIHNlY3JldA==", "[CRAM-MD5: malformed, hidden, 10 octets]" },
	{ "CRAM-MD5", 0, "c2VjcmV0YjkxM2E2MDJjN2VkYTdhNDk1YjRlNmU3MzM0ZDM4OTA=",
	    "[CRAM-MD5: malformed, hidden, 38 octets]" },
	{ "DIGEST-MD5", 0, "dXNlcm5hbWU9ImNocmlzIixyZWFsbT0iciIscmVzcG9uc2U9c2VjcmV0",
	    "[DIGEST-MD5: user \"chris\", response hidden, 42 octets]" },
	{ "DIGEST-MD5", 0, "dXNlcm5hbWU9ImNoXCJyaXMiLHJlc3BvbnNlPXNlY3JldA==",
	    "[DIGEST-MD5: user \"ch\\\\\"ris\", response hidden, 34 octets]" },
	{ "DIGEST-MD5", 0,
	    "dXNlcm5hbWU9InNlY3JldA==", "[DIGEST-MD5: malformed, hidden, 16 octets]" },
	{ "DIGEST-MD5", 0,
	    "dXNlcm5hbWU9InNlY3JldFw=", "[DIGEST-MD5: malformed, hidden, 17 octets]" },
	{ "DIGEST-MD5", 0, "c2VjcmV0", "[DIGEST-MD5: malformed, hidden, 6 octets]" },
	{ "DIGEST-MD5", 1, "=", "[DIGEST-MD5: empty, 0 octets]" },
	{ "SCRAM-SHA-256", 0, "biwsbj1zY2FuLHI9c2VjcmV0bm9uY2U=",
	    "[SCRAM-SHA-256: user \"scan\", not bound to TLS, 23 octets]" },
	{ "SCRAM-SHA-256", 0, "eSwsbj1zYz0yQ2FuLHI9eA==",
	    "[SCRAM-SHA-256: user \"sc,an\", not bound to TLS since no -PLUS is offered, 16 "
	    "octets]" },
	{ "SCRAM-SHA-1-PLUS", 0, "cD10bHMtZXhwb3J0ZXIsLG49c2NhbixyPXg=",
	    "[SCRAM-SHA-1-PLUS: user \"scan\", bound by \"tls-exporter\", 26 octets]" },
	{ "SCRAM-SHA-1", 0, "bj1zZWNyZXQ=", "[SCRAM-SHA-1: malformed, hidden, 8 octets]" },
	{ "SCRAM-SHA-1", 1, "Yz1iaXdzLHI9eCxwPWMyVmpjbVYw",
	    "[SCRAM-SHA-1: proof hidden, not bound to TLS, 21 octets]" },
	{ "SCRAM-SHA-1-PLUS", 1,
	    "Yz1jRDEwYkhNdGRXNXBjWFZsTEN3d01USXpORFUyTnpnNVlXST0scj14LHA9YzJWamNtVjA=",
	    "[SCRAM-SHA-1-PLUS: proof hidden, bound by \"tls-unique\" with 12 octets, 53 octets]" },
	{ "SCRAM-SHA-1", 1, "c2VjcmV0", "[SCRAM-SHA-1: malformed, hidden, 6 octets]" },
	{ "SCRAM-SHA-1", 2, "=", "[SCRAM-SHA-1: empty, 0 octets]" },
	{ "XOAUTH2", 0, "dXNlcj1zY2FuAWF1dGg9QmVhcmVyIHNlY3JldAEB",
	    "[XOAUTH2: user \"scan\", token hidden with 6 octets, 30 octets]" },
	{ "XOAUTH2", 0, "dXNlcj1zZWNyZXQ=", "[XOAUTH2: malformed, hidden, 11 octets]" },
	{ "XOAUTH2", 1, "=", "[XOAUTH2: refusal acknowledged, 0 octets]" },
	{ "XOAUTH2", 1, "c2VjcmV0", "[XOAUTH2: malformed, hidden, 6 octets]" },
	{ "OAUTHBEARER", 0, "bixhPXNjYW4sAWF1dGg9QmVhcmVyIHNlY3JldAEB",
	    "[OAUTHBEARER: user \"scan\", token hidden with 6 octets, 30 octets]" },
	{ "OAUTHBEARER", 1, "AQ==", "[OAUTHBEARER: refusal acknowledged, 1 octets]" },
	{ "EXTERNAL", 0, "=", "[EXTERNAL: the certificate's own user, 0 octets]" },
	{ "EXTERNAL", 0,
	    "c2Nhbg==", "[EXTERNAL: user \"scan\", proved by the certificate, 4 octets]" },
	{ "GSSAPI", 0, "c2VjcmV0", "[GSSAPI: Kerberos data hidden, 6 octets]" },
	{ "NTLM", 0,
	    "TlRMTVNTUAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "[NTLM: negotiation, 32 octets]" },
	{ "NTLM", 1,
	    "TlRMTVNTUAADAAAAGAAYAEwAAAAYABgATAAAAAQABABAAAAACAAIAEQAAAAAAAAAQAAAAAAAAABAAAAAAQAAAE"
	    "UAWABzAGMAYQBuAHNlY3JldHNlY3JldHNlY3JldHNlY3JldA==",
	    "[NTLM: user \"scan\", response hidden, 100 octets]" },
	{ "NTLM", 1,
	    "TlRMTVNTUAADAAAAGAAYAAAAAAAYABgAAAAAABgAGAAAAAAACAAIAPD///"
	    "8AAAAAAAAAAAAAAAAAAAAAAAAAAA==",
	    "[NTLM: malformed, hidden, 64 octets]" },
	{ "NTLM", 1, "c2VjcmV0", "[NTLM: malformed, hidden, 6 octets]" },
};

static void payloads_show_the_user_and_no_secret(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(describe_cases); i++) {
		const struct describe_case *c = &describe_cases[i];
		struct buf out;

		buf_init(&out, 4096);
		assert_true(sasl_describe(
		    span_from_string(c->mechanism), c->step, span_from_string(c->payload), &out));
		assert_string_equal(buf_string(&out), c->want);
		assert_null(strstr(buf_string(&out), "secret"));
		buf_fini(&out);
	}
}

static void what_does_not_fit_leaves_nothing_behind(void **state)
{
	for (size_t max = 0; max < 47; max++) {
		struct buf out;

		buf_init(&out, max);
		assert_false(sasl_describe(SPAN("PLAIN"), 0, SPAN("AHNjYW4Ac2VjcmV0"), &out));
		assert_int_equal(out.len, 0);
		buf_fini(&out);
	}
}

/* Of what cannot be read nothing is shown, wherever it ends. */
static void every_prefix_of_a_payload_hides_the_secret(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(describe_cases); i++) {
		const struct describe_case *c = &describe_cases[i];

		for (size_t n = 0; n < strlen(c->payload); n++) {
			char *copy = mem_dup(c->payload, n);
			struct buf out;

			buf_init(&out, 4096);
			assert_true(sasl_describe(
			    span_from_string(c->mechanism), c->step, span_of(copy, n), &out));
			assert_null(strstr(buf_string(&out), "secre"));
			buf_fini(&out);
			mem_free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payloads_show_the_user_and_no_secret),
		cmocka_unit_test(every_prefix_of_a_payload_hides_the_secret),
		cmocka_unit_test(what_does_not_fit_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
