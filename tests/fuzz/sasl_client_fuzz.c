/* SPDX-License-Identifier: MIT */
/*
 * A hostile server against the client's side of each mechanism: it ends, its sentence is printable,
 * the password itself leaves by PLAIN and LOGIN only and answers no prompt for a name, and no
 * server proves itself that does not know the password. The input: mechanism and ways, then
 * challenges, each ended by 0xff. GSSAPI is left out: it asks the machine's Kerberos.
 */
#include "sasl/client.h"

#include <assert.h>
#include <string.h>

#define PASSWORD "pass-WORD-42"
#define TOKEN "to-KEN-4242"

enum { STEPS_MAX = 8 };

static bool holds(struct span bytes, struct span secret)
{
	return span_find_span(bytes, secret) < bytes.len;
}

/* Millions of iterations are allowed, and only slow here. */
static bool asks_for_long_work(struct span challenge)
{
	size_t digits = 0;

	for (size_t i = 0; i < challenge.len; i++) {
		digits = byte_is_digit(challenge.data[i]) ? digits + 1 : 0;
		if (digits > 4)
			return true;
	}
	return false;
}

static void check(const struct sasl_client *c, enum sasl_client_result result,
    struct span challenge, struct span out)
{
	bool sends_password =
	    c->mechanism == SASL_MECHANISM_PLAIN || c->mechanism == SASL_MECHANISM_LOGIN;
	bool sends_token =
	    c->mechanism == SASL_MECHANISM_XOAUTH2 || c->mechanism == SASL_MECHANISM_OAUTHBEARER;

	assert(!holds(out, SPAN(PASSWORD)) || sends_password);
	assert(!holds(out, SPAN(TOKEN)) || sends_token);
	if (sasl_prompt_asks_for_name(challenge))
		assert(!holds(out, SPAN(PASSWORD)) && !holds(out, SPAN(TOKEN)));
	if (sasl_mechanism_is_scram(c->mechanism) || c->mechanism == SASL_MECHANISM_DIGEST_MD5)
		assert(!sasl_client_may_succeed(c));
	if (result == SASL_CLIENT_UNTRUSTED || result == SASL_CLIENT_UNABLE)
		assert(c->sentence[0]);
	for (const char *p = c->sentence; *p; p++)
		assert((unsigned char)*p >= ' ' && *p != 127);
	assert(strstr(c->sentence, PASSWORD) == NULL);
}

static void play(struct sasl_client *c, struct span rest, struct buf *out)
{
	struct span challenge;
	enum sasl_client_result result = SASL_CLIENT_RESPOND;

	for (unsigned i = 0; i < STEPS_MAX && result == SASL_CLIENT_RESPOND &&
			     span_take_until(&rest, (char)0xff, &challenge);
	     i++) {
		if (sasl_mechanism_is_scram(c->mechanism) && asks_for_long_work(challenge))
			return;
		buf_clear(out);
		result = sasl_client_step(c, challenge, out);
		check(c, result, challenge, buf_span(out));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sasl_client_settings settings = {
		.credentials = { .login = SPAN("lo,gin"),
		    .password = SPAN(PASSWORD),
		    .token = SPAN(TOKEN),
		    .host = SPAN("hop.example.net"),
		    .port = 587 },
		.random = SPAN("\0\1\2\3\4\5\6\7\0\1\2\3\4\5\6\7"),
		.scram_iterations_min = 1,
	};
	struct sasl_client c;
	struct buf out;
	enum sasl_mechanism mechanism;

	/* A server that names a secret itself proves nothing. */
	if (size < 1 || holds(span_of(data, size), SPAN(PASSWORD)) ||
	    holds(span_of(data, size), SPAN(TOKEN)))
		return 0;
	mechanism = (enum sasl_mechanism)((data[0] & 0x1f) % SASL_MECHANISM_COUNT);
	if (mechanism == SASL_MECHANISM_GSSAPI)
		return 0;
	if (sasl_mechanism_is_bound(mechanism) || (data[0] & 0x20))
		settings.binding.tls_exporter = SPAN("exporter");
	buf_init_secret(&out, SASL_CLIENT_BYTES_MAX);
	sasl_client_start(&c, mechanism, &settings,
	    (data[0] & 0x80) && sasl_client_permits_initial(mechanism), &out);
	play(&c, span_of(data + 1, size - 1), &out);
	sasl_client_fini(&c);
	buf_fini(&out);
	return 0;
}
