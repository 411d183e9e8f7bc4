/* SPDX-License-Identifier: MIT */
#include "sasl/scram_server.h"

#include "base/base64.h"
#include "base/memory.h"

#include <assert.h>
#include <string.h>

/* What keeps server-first within one reply line of 512 octets in base64. */
enum { CLIENT_NONCE_MAX = 128, SALT_MAX = 128, DECOY_SALT = 16 };

enum state {
	STATE_CLIENT_FIRST,
	STATE_LOOKUP,
	STATE_CLIENT_FINAL,
	STATE_END, /* the server's signature is sent; the client acknowledges with nothing */
};

struct sasl_scram_server {
	enum state state;
	enum sasl_hash hash;
	bool known;
	struct span binding; /* data that the client is to repeat; borrows from the setup */
	struct buf header;   /* gs2-header as sent */
	struct buf first_bare, server_first;
	struct buf nonce; /* the client's, then both */
	char stored_key[SASL_DIGEST_MAX], server_key[SASL_DIGEST_MAX];
};

/* client-final-message; the spans borrow from it. */
struct client_final {
	struct span binding, nonce, proof;
	struct span without_proof;
};

void sasl_scram_server_destroy(struct sasl_scram_server **scram)
{
	if (!*scram)
		return;
	buf_fini(&(*scram)->header);
	buf_fini(&(*scram)->first_bare);
	buf_fini(&(*scram)->server_first);
	buf_fini(&(*scram)->nonce);
	mem_wipe(*scram, sizeof(**scram));
	mem_free(*scram);
	*scram = NULL;
}

static struct sasl_scram_server *create(enum sasl_mechanism mechanism)
{
	struct sasl_scram_server *scram = MEM_NEW(struct sasl_scram_server);

	scram->hash = sasl_scram_hash(mechanism);
	buf_init(&scram->header, 64 + 3 * SASL_NAME_MAX);
	buf_init(&scram->first_bare, SASL_SCRAM_MESSAGE_MAX);
	buf_init(&scram->server_first, SASL_SCRAM_MESSAGE_MAX);
	buf_init(&scram->nonce, SASL_SCRAM_NONCE_MAX);
	return scram;
}

/* ---- client-first ---- */

static enum sasl_outcome check_bound_flag(struct sasl_server *s, struct span flag)
{
	if (!span_starts_with(flag, SPAN("p=")))
		return sasl_server_refuse(s, "e=channel-bindings-dont-match",
		    "a -PLUS mechanism was begun without channel binding");
	if (!sasl_binding_find(&s->setup.binding, span_skip(flag, 2), &s->scram->binding))
		return sasl_server_refuse(s, "e=unsupported-channel-binding-type",
		    "the client binds the login to TLS in a way that is not known or not there");
	return SASL_OUTCOME_LOOKUP;
}

/* RFC 5802, 6: "y" says that the client could bind and thinks that we cannot; when -PLUS was on
   offer, somebody took it off on the way. */
static enum sasl_outcome check_flag(struct sasl_server *s, struct span flag)
{
	if (sasl_mechanism_is_bound(s->mechanism))
		return check_bound_flag(s, flag);
	if (span_equal(flag, SPAN("y")) && s->setup.bound_offered)
		return sasl_server_refuse(s, "e=server-does-support-channel-binding",
		    "the client did not see that -PLUS is offered: somebody may be in between");
	if (!span_equal(flag, SPAN("n")) && !span_equal(flag, SPAN("y")))
		return sasl_server_malformed(
		    s, "the first message must begin with n, or y, (p= is for -PLUS)");
	return SASL_OUTCOME_LOOKUP;
}

static bool take_name(struct sasl_server *s, struct span text, const char *what, struct buf *out)
{
	if (sasl_scram_read_name(text, out))
		return true;
	sasl_server_malformed(s, "the %s is malformed or longer than %zu octets", what, out->max);
	return false;
}

static bool take_authzid(struct sasl_server *s, struct span text)
{
	if (text.len == 0)
		return true;
	if (!span_starts_with(text, SPAN("a="))) {
		sasl_server_malformed(
		    s, "the second part of the first message must be empty or a=");
		return false;
	}
	return take_name(s, span_skip(text, 2), "name to act as", &s->identity.authzid);
}

static bool take_authcid(struct sasl_server *s, struct span text)
{
	struct buf name;
	bool taken;

	buf_init(&name, SASL_NAME_MAX);
	taken = take_name(s, text, "user name", &name) && sasl_server_take_name(s, buf_span(&name));
	buf_fini(&name);
	return taken;
}

static bool authzid_differs(const struct sasl_server *s)
{
	return s->identity.authzid.len > 0 &&
	       !span_equal(buf_span(&s->identity.authzid), buf_span(&s->identity.authcid));
}

/* client-first-message-bare (RFC 5802, 7) */
static enum sasl_outcome read_bare(struct sasl_server *s, struct span bare)
{
	struct span name, nonce, rest = bare;

	if (sasl_scram_take(&rest, 'm', &name))
		return sasl_server_refuse(s, "e=extensions-not-supported",
		    "the client demands an extension of SCRAM that nobody has");
	if (!sasl_scram_take(&rest, 'n', &name) || !sasl_scram_take(&rest, 'r', &nonce) ||
	    !sasl_scram_nonce_is_sound(nonce) || nonce.len > CLIENT_NONCE_MAX)
		return sasl_server_malformed(s,
		    "the first message must hold n=NAME,r=NONCE, the nonce printable and at most "
		    "%d octets",
		    CLIENT_NONCE_MAX);
	if (!take_authcid(s, name))
		return SASL_OUTCOME_MALFORMED;
	if (authzid_differs(s))
		return sasl_server_malformed(
		    s, "the message asks to act as another user than the one who signs in");
	buf_append(&s->scram->first_bare, bare);
	buf_append(&s->scram->nonce, nonce);
	s->scram->state = STATE_LOOKUP;
	return SASL_OUTCOME_LOOKUP;
}

static enum sasl_outcome read_first(struct sasl_server *s, struct span message)
{
	struct span rest = message, flag, authzid;
	enum sasl_outcome outcome;

	if (message.len > SASL_SCRAM_MESSAGE_MAX || !span_take_until(&rest, ',', &flag) ||
	    !span_take_until(&rest, ',', &authzid))
		return sasl_server_malformed(s, "the first message must be n,,n=NAME,r=NONCE");
	outcome = check_flag(s, flag);
	if (outcome != SASL_OUTCOME_LOOKUP)
		return outcome;
	if (!take_authzid(s, authzid))
		return SASL_OUTCOME_MALFORMED;
	if (!buf_append(&s->scram->header, span_head(message, message.len - rest.len)))
		return sasl_server_malformed(s, "the first message is too long");
	return read_bare(s, rest);
}

enum sasl_outcome sasl_scram_server_start(
    struct sasl_server *s, bool has_initial, struct span initial)
{
	assert(s->setup.random.len >= SASL_SERVER_RANDOM_MIN);
	s->scram = create(s->mechanism);
	return has_initial ? read_first(s, initial) : SASL_OUTCOME_CHALLENGE;
}

/* ---- server-first ---- */

/* Nobody knows a password for these keys. */
static bool make_decoy(struct sasl_server *s, char salt_out[SASL_DIGEST_MAX])
{
	struct span key = s->setup.decoy_key, name = buf_span(&s->identity.authcid);

	assert(key.len > 0);
	return sasl_hmac(s->scram->hash, key, name, salt_out) &&
	       sasl_hmac(s->scram->hash, key, SPAN("stored key"), s->scram->stored_key) &&
	       sasl_hmac(s->scram->hash, key, SPAN("server key"), s->scram->server_key);
}

static bool append_server_first(struct sasl_server *s, struct span salt, unsigned iterations)
{
	struct buf *first = &s->scram->server_first;

	return sasl_scram_append_nonce(&s->scram->nonce, s->setup.random) &&
	       buf_append_string(first, "r=") && buf_append(first, buf_span(&s->scram->nonce)) &&
	       buf_append_string(first, ",s=") && base64_encode(first, salt) &&
	       buf_printf(first, ",i=%u", iterations);
}

static bool answer_unknown(struct sasl_server *s)
{
	unsigned iterations = s->setup.decoy_iterations;
	char salt[SASL_DIGEST_MAX];

	return make_decoy(s, salt) && append_server_first(s, span_of(salt, DECOY_SALT),
					  iterations > 0 ? iterations : SASL_SCRAM_ITERATIONS_MIN);
}

static bool answer_known(struct sasl_server *s, const struct sasl_scram_verifier *verifier)
{
	size_t len = sasl_digest_len(s->scram->hash);

	assert(verifier->stored_key.len == len && verifier->server_key.len == len);
	assert(verifier->salt.len <= SALT_MAX && verifier->iterations > 0);
	memcpy(s->scram->stored_key, verifier->stored_key.data, len);
	memcpy(s->scram->server_key, verifier->server_key.data, len);
	s->scram->known = true;
	return append_server_first(s, verifier->salt, verifier->iterations);
}

enum sasl_outcome sasl_scram_server_found(
    struct sasl_server *s, const struct sasl_scram_verifier *verifier)
{
	assert(s->scram->state == STATE_LOOKUP);
	if (!(verifier ? answer_known(s, verifier) : answer_unknown(s)))
		return sasl_server_refuse(
		    s, "e=other-error", "this machine's OpenSSL forbids the digest");
	s->scram->state = STATE_CLIENT_FINAL;
	s->challenge = buf_span(&s->scram->server_first);
	return SASL_OUTCOME_CHALLENGE;
}

/* ---- client-final ---- */

/* c= and r= come first, p= last; what stands between is not known and signed all the same. */
static bool parse_final(struct span message, struct client_final *final)
{
	struct span rest = message, piece;

	if (!sasl_scram_take(&rest, 'c', &final->binding) ||
	    !sasl_scram_take(&rest, 'r', &final->nonce))
		return false;
	while (rest.len > 0) {
		final->without_proof = span_head(message, message.len - rest.len - 1);
		if (sasl_scram_take(&rest, 'p', &final->proof))
			return rest.len == 0;
		span_take_until(&rest, ',', &piece);
	}
	return false;
}

static bool binding_matches(struct sasl_server *s, struct span encoded)
{
	struct buf want, got;
	bool matches;

	buf_init(&want, SASL_SCRAM_MESSAGE_MAX);
	buf_init(&got, SASL_SCRAM_MESSAGE_MAX);
	matches = buf_append(&want, buf_span(&s->scram->header)) &&
		  buf_append(&want, s->scram->binding) && base64_decode(&got, encoded) &&
		  span_equal_secret(buf_span(&want), buf_span(&got));
	buf_fini(&want);
	buf_fini(&got);
	return matches;
}

static bool make_message(
    struct sasl_server *s, const struct client_final *final, struct buf *message)
{
	return buf_append(message, buf_span(&s->scram->first_bare)) &&
	       buf_append_byte(message, ',') &&
	       buf_append(message, buf_span(&s->scram->server_first)) &&
	       buf_append_byte(message, ',') && buf_append(message, final->without_proof);
}

/* ClientKey is what is left of the proof without the signature; its digest is what is stored
   (RFC 5802, 3). */
static bool proof_is_right(struct sasl_server *s, struct span proof, struct span message)
{
	size_t len = sasl_digest_len(s->scram->hash);
	char key[SASL_DIGEST_MAX], stored[SASL_DIGEST_MAX];
	bool right;

	if (proof.len != len ||
	    !sasl_hmac(s->scram->hash, span_of(s->scram->stored_key, len), message, key))
		return false;
	for (size_t i = 0; i < len; i++)
		key[i] = (char)(key[i] ^ proof.data[i]);
	right = sasl_digest(s->scram->hash, span_of(key, len), stored) &&
		span_equal_secret(span_of(stored, len), span_of(s->scram->stored_key, len));
	mem_wipe(key, sizeof(key));
	return right && s->scram->known;
}

static enum sasl_outcome sign(struct sasl_server *s, struct span message)
{
	size_t len = sasl_digest_len(s->scram->hash);
	char signature[SASL_DIGEST_MAX];

	if (!sasl_hmac(s->scram->hash, span_of(s->scram->server_key, len), message, signature) ||
	    !buf_append_string(&s->said, "v=") || !base64_encode(&s->said, span_of(signature, len)))
		return sasl_server_refuse(
		    s, "e=other-error", "this machine's OpenSSL forbids the digest");
	s->scram->state = STATE_END;
	s->challenge = buf_span(&s->said);
	return SASL_OUTCOME_CHALLENGE;
}

static enum sasl_outcome check_proof(struct sasl_server *s, const struct client_final *final)
{
	enum sasl_outcome outcome;
	struct buf message, proof;

	buf_init(&message, 3 * SASL_SCRAM_MESSAGE_MAX);
	buf_init_secret(&proof, SASL_DIGEST_MAX);
	if (make_message(s, final, &message) && base64_decode(&proof, final->proof) &&
	    proof_is_right(s, buf_span(&proof), buf_span(&message)))
		outcome = sign(s, buf_span(&message));
	else
		outcome =
		    sasl_server_refuse(s, "e=invalid-proof", "unknown user or wrong password");
	buf_fini(&message);
	buf_fini(&proof);
	return outcome;
}

static enum sasl_outcome read_final(struct sasl_server *s, struct span message)
{
	struct client_final final = { 0 };

	if (message.len > SASL_SCRAM_MESSAGE_MAX || !parse_final(message, &final))
		return sasl_server_malformed(s, "the second message must be c=...,r=...,p=...");
	if (!span_equal(final.nonce, buf_span(&s->scram->nonce)))
		return sasl_server_refuse(
		    s, "e=other-error", "the client's message is to another login's nonce");
	if (!binding_matches(s, final.binding))
		return sasl_server_refuse(s, "e=channel-bindings-dont-match",
		    "the client's end of the TLS connection is not ours: somebody may be in "
		    "between");
	return check_proof(s, &final);
}

enum sasl_outcome sasl_scram_server_step(struct sasl_server *s, struct span response)
{
	switch (s->scram->state) {
	case STATE_CLIENT_FIRST:
		return read_first(s, response);
	case STATE_CLIENT_FINAL:
		return read_final(s, response);
	case STATE_END:
		if (response.len > 0)
			return sasl_server_malformed(
			    s, "the server's signature is to be answered with nothing");
		return SASL_OUTCOME_PROVED;
	case STATE_LOOKUP:
		break;
	}
	assert(!"stepped while a user is looked up");
	return SASL_OUTCOME_REFUSED;
}
