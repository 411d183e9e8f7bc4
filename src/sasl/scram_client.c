/* SPDX-License-Identifier: MIT */
#include "sasl/scram.h"

#include "base/base64.h"
#include "base/escape.h"
#include "base/memory.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum state {
	STATE_BEGIN, /* nothing sent */
	STATE_FIRST, /* client-first sent */
	STATE_FINAL, /* client-final sent */
	STATE_ERROR, /* the server said e= */
	STATE_DONE,  /* the server's signature was right */
};

struct sasl_scram_client {
	enum state state;
	enum sasl_hash hash;
	struct span binding;   /* data of the channel binding, or empty */
	struct buf header;     /* gs2-header: "p=tls-exporter,," */
	struct buf first_bare; /* "n=user,r=nonce" */
	struct buf nonce;
	char server_signature[SASL_DIGEST_MAX];
};

/* What the server says first. The spans borrow from the challenge. */
struct server_first {
	struct span nonce;
	struct buf salt;
	unsigned iterations;
};

__attribute__((format(printf, 2, 3))) static enum sasl_client_result untrusted(
    struct sasl_client *c, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(c->sentence, sizeof(c->sentence), format, arguments);
	va_end(arguments);
	return SASL_CLIENT_UNTRUSTED;
}

/* RFC 5802, 6: "y" tells a server that does offer -PLUS that somebody took it off its list. */
static void make_header(struct sasl_client *c)
{
	struct sasl_scram_client *scram = c->scram;
	struct span data;
	const char *type = sasl_binding_choose(&c->settings.binding, &data);

	if (sasl_mechanism_is_bound(c->mechanism)) {
		assert(type);
		scram->binding = data;
		buf_printf(&scram->header, "p=%s,,", type);
	} else {
		buf_append_string(
		    &scram->header, type && !c->settings.binding_offered ? "y,," : "n,,");
	}
}

static void append_first(struct sasl_client *c, struct buf *out)
{
	bool fits = buf_append(out, buf_span(&c->scram->header)) &&
		    buf_append(out, buf_span(&c->scram->first_bare));

	assert(fits);
	c->scram->state = STATE_FIRST;
}

void sasl_scram_client_start(struct sasl_client *c, bool with_initial, struct buf *out)
{
	struct sasl_scram_client *scram = MEM_NEW(struct sasl_scram_client);
	bool fits;

	c->scram = scram;
	scram->hash = sasl_scram_hash(c->mechanism);
	buf_init(&scram->header, 64);
	buf_init(&scram->nonce, SASL_SCRAM_NONCE_MAX);
	buf_init(&scram->first_bare, 3 * SASL_NAME_MAX + SASL_SCRAM_NONCE_MAX + 16);
	make_header(c);
	fits = sasl_scram_append_nonce(&scram->nonce, c->settings.random) &&
	       buf_append_string(&scram->first_bare, "n=") &&
	       sasl_scram_append_name(&scram->first_bare, c->settings.credentials.login) &&
	       buf_append_string(&scram->first_bare, ",r=") &&
	       buf_append(&scram->first_bare, buf_span(&scram->nonce));
	assert(fits);
	if (with_initial)
		append_first(c, out);
}

void sasl_scram_client_destroy(struct sasl_scram_client **scram)
{
	if (!*scram)
		return;
	buf_fini(&(*scram)->header);
	buf_fini(&(*scram)->first_bare);
	buf_fini(&(*scram)->nonce);
	mem_wipe(*scram, sizeof(**scram));
	mem_free(*scram);
	*scram = NULL;
}

/* ---- server-first ---- */

static enum sasl_client_result check_nonce(struct sasl_client *c, struct span nonce)
{
	struct span ours = buf_span(&c->scram->nonce);

	if (!sasl_scram_nonce_is_sound(nonce))
		return SASL_CLIENT_UNEXPECTED;
	if (!span_starts_with(nonce, ours) || nonce.len == ours.len)
		return untrusted(
		    c, "the server's nonce does not extend ours: its answer is to another login");
	return SASL_CLIENT_RESPOND;
}

static enum sasl_client_result check_iterations(struct sasl_client *c, unsigned iterations)
{
	unsigned min = c->settings.scram_iterations_min;

	if (min == 0)
		min = SASL_SCRAM_ITERATIONS_MIN;
	if (iterations < min)
		return untrusted(c,
		    "the server asks for %u iterations of the password's hash, fewer than %u: with "
		    "such a proof the password could be guessed quickly",
		    iterations, min);
	if (iterations > SASL_SCRAM_ITERATIONS_MAX)
		return untrusted(c,
		    "the server asks for %u iterations of the password's hash; more than %u are "
		    "not calculated",
		    iterations, SASL_SCRAM_ITERATIONS_MAX);
	return SASL_CLIENT_RESPOND;
}

/* Unlike span_to_u64() a count without end is "too many" and not malformed. */
static bool read_iterations(struct span text, unsigned *iterations_out)
{
	uint64_t value;

	if (text.len == 0 || text.data[0] == '0')
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!byte_is_digit(text.data[i]))
			return false;
	}
	if (!span_to_u64(text, &value) || value > UINT32_MAX)
		value = UINT32_MAX;
	*iterations_out = (unsigned)value;
	return true;
}

static enum sasl_client_result read_first(
    struct sasl_client *c, struct span message, struct server_first *first)
{
	enum sasl_client_result result;
	struct span salt, count;

	if (sasl_scram_take(&message, 'm', &salt))
		return untrusted(c, "the server demands an extension of SCRAM that nobody has");
	if (!sasl_scram_take(&message, 'r', &first->nonce) ||
	    !sasl_scram_take(&message, 's', &salt) || !sasl_scram_take(&message, 'i', &count) ||
	    !read_iterations(count, &first->iterations))
		return SASL_CLIENT_UNEXPECTED;
	result = check_nonce(c, first->nonce);
	if (result == SASL_CLIENT_RESPOND)
		result = check_iterations(c, first->iterations);
	if (result == SASL_CLIENT_RESPOND &&
	    (!base64_decode(&first->salt, salt) || first->salt.len == 0))
		result = SASL_CLIENT_UNEXPECTED;
	return result;
}

/* ---- client-final ---- */

static bool salted_password(
    struct sasl_client *c, const struct server_first *first, char salted_out[SASL_DIGEST_MAX])
{
	struct sasl_scram_cache *cache = c->settings.scram_cache;
	struct span password = c->settings.credentials.password, salt = buf_span(&first->salt);
	enum sasl_hash hash = c->scram->hash;

	if (cache &&
	    sasl_scram_cache_find(cache, hash, password, salt, first->iterations, salted_out))
		return true;
	if (!sasl_scram_salt(hash, password, salt, first->iterations, salted_out))
		return false;
	if (cache)
		sasl_scram_cache_put(cache, hash, password, salt, first->iterations, salted_out);
	return true;
}

/* client-final-message-without-proof (RFC 5802, 7) */
static bool append_without_proof(
    struct sasl_client *c, const struct server_first *first, struct buf *out)
{
	struct buf bound;
	bool fits;

	buf_init(&bound, 1024);
	fits = buf_append(&bound, buf_span(&c->scram->header)) &&
	       buf_append(&bound, c->scram->binding) && buf_append_string(out, "c=") &&
	       base64_encode(out, buf_span(&bound)) && buf_append_string(out, ",r=") &&
	       buf_append(out, first->nonce);
	buf_fini(&bound);
	return fits;
}

/* ClientProof, and the signature that the server is to answer with (RFC 5802, 3). */
static bool sign(struct sasl_client *c, const char *salted, struct span message, struct buf *out)
{
	enum sasl_hash hash = c->scram->hash;
	size_t len = sasl_digest_len(hash);
	struct sasl_scram_keys keys;
	char proof[SASL_DIGEST_MAX];
	bool done =
	    sasl_scram_keys(hash, salted, &keys) &&
	    sasl_hmac(hash, span_of(keys.stored_key, len), message, proof) &&
	    sasl_hmac(hash, span_of(keys.server_key, len), message, c->scram->server_signature);

	for (size_t i = 0; done && i < len; i++)
		proof[i] = (char)(proof[i] ^ keys.client_key[i]);
	done = done && buf_append_string(out, ",p=") && base64_encode(out, span_of(proof, len));
	mem_wipe(&keys, sizeof(keys));
	mem_wipe(proof, sizeof(proof));
	return done;
}

static bool append_final(
    struct sasl_client *c, struct span challenge, const struct server_first *first, struct buf *out)
{
	char salted[SASL_DIGEST_MAX];
	struct buf message;
	size_t begin = out->len;
	bool done;

	buf_init(&message, 3 * SASL_SCRAM_MESSAGE_MAX);
	done = append_without_proof(c, first, out) &&
	       buf_append(&message, buf_span(&c->scram->first_bare)) &&
	       buf_append_byte(&message, ',') && buf_append(&message, challenge) &&
	       buf_append_byte(&message, ',') &&
	       buf_append(&message, span_skip(buf_span(out), begin)) &&
	       salted_password(c, first, salted) && sign(c, salted, buf_span(&message), out);
	mem_wipe(salted, sizeof(salted));
	buf_fini(&message);
	return done;
}

static enum sasl_client_result answer_first(
    struct sasl_client *c, struct span challenge, struct buf *out)
{
	struct server_first first = { 0 };
	enum sasl_client_result result;

	buf_init(&first.salt, SASL_SCRAM_SALT_MAX);
	result = read_first(c, challenge, &first);
	if (result == SASL_CLIENT_RESPOND && !append_final(c, challenge, &first, out)) {
		snprintf(c->sentence, sizeof(c->sentence),
		    "%s cannot be calculated on this machine", sasl_mechanism_name(c->mechanism));
		result = SASL_CLIENT_UNABLE;
	}
	buf_fini(&first.salt);
	if (result == SASL_CLIENT_RESPOND)
		c->scram->state = STATE_FINAL;
	return result;
}

/* ---- server-final ---- */

/* RFC 5802, 7, server-error-value. */
static const struct {
	const char *value, *words;
} errors[] = {
	{ "invalid-proof", "the password is wrong" },
	{ "unknown-user", "it does not know the user" },
	{ "invalid-username-encoding", "it cannot read the user name" },
	{ "channel-bindings-dont-match",
	    "its end of the TLS connection is not ours: somebody is in between" },
	{ "server-does-support-channel-binding",
	    "it offers channel binding, and the offer did not arrive: somebody is in between" },
	{ "channel-binding-not-supported", "it does not bind logins to TLS" },
	{ "unsupported-channel-binding-type",
	    "it binds logins to TLS in another way; use the mechanism without -PLUS" },
	{ "invalid-encoding", "it cannot read what it was sent" },
	{ "extensions-not-supported", "it demands an extension" },
	{ "no-resources", "it has no resources" },
	{ "other-error", "something else is wrong" },
};

static void explain_error(struct sasl_client *c, struct span value)
{
	char text[80];

	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		if (span_equal(value, span_from_string(errors[i].value))) {
			snprintf(c->sentence, sizeof(c->sentence), "the server says %s: %s",
			    errors[i].value, errors[i].words);
			return;
		}
	}
	snprintf(c->sentence, sizeof(c->sentence), "the server says \"%s\"",
	    escape_to(text, sizeof(text), value));
}

/* The error is acknowledged with nothing; what it means for the login is said by the reply. */
static bool is_error(struct sasl_client *c, struct span challenge)
{
	struct span value;

	if (!sasl_scram_take(&challenge, 'e', &value))
		return false;
	explain_error(c, value);
	c->scram->state = STATE_ERROR;
	return true;
}

static enum sasl_client_result check_signature(struct sasl_client *c, struct span challenge)
{
	size_t len = sasl_digest_len(c->scram->hash);
	struct buf signature;
	struct span value;
	bool right;

	if (!sasl_scram_take(&challenge, 'v', &value))
		return SASL_CLIENT_UNEXPECTED;
	buf_init(&signature, SASL_DIGEST_MAX);
	right = base64_decode(&signature, value) &&
		span_equal_secret(buf_span(&signature), span_of(c->scram->server_signature, len));
	buf_fini(&signature);
	if (!right)
		return untrusted(c, "the server does not prove that it knows the password: its "
				    "signature is wrong");
	c->server_proved = true;
	c->scram->state = STATE_DONE;
	return SASL_CLIENT_RESPOND;
}

/* ---- the exchange ---- */

static enum sasl_client_result begin(struct sasl_client *c, struct span challenge, struct buf *out)
{
	if (sasl_prompt_asks_for_name(challenge))
		return SASL_CLIENT_NAME_AGAIN;
	append_first(c, out);
	return SASL_CLIENT_RESPOND;
}

/* A server that ignores initial responses asks with nothing for what has come. */
static enum sasl_client_result repeat_first(struct sasl_client *c, struct buf *out)
{
	if (!c->with_initial || c->initial_ignored)
		return SASL_CLIENT_UNEXPECTED;
	c->initial_ignored = true;
	append_first(c, out);
	return SASL_CLIENT_RESPOND;
}

enum sasl_client_result sasl_scram_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out)
{
	if (challenge.len > SASL_SCRAM_MESSAGE_MAX)
		return SASL_CLIENT_UNEXPECTED;
	switch (c->scram->state) {
	case STATE_BEGIN:
		return begin(c, challenge, out);
	case STATE_FIRST:
		if (challenge.len == 0)
			return repeat_first(c, out);
		return is_error(c, challenge) ? SASL_CLIENT_RESPOND
					      : answer_first(c, challenge, out);
	case STATE_FINAL:
		return is_error(c, challenge) ? SASL_CLIENT_RESPOND : check_signature(c, challenge);
	case STATE_ERROR:
	case STATE_DONE:
		break;
	}
	return SASL_CLIENT_UNEXPECTED;
}
