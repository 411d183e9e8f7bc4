/* SPDX-License-Identifier: MIT */
#include "sasl/cram_md5.h"

#include "base/base64.h"
#include "base/memory.h"
#include "sasl/digest.h"

#include <assert.h>
#include <stdio.h>

enum { DIGEST_HEX = 32 };

static bool append_digest(struct buf *out, struct span password, struct span challenge)
{
	char digest[SASL_DIGEST_MAX];

	return sasl_hmac(SASL_HASH_MD5, password, challenge, digest) &&
	       sasl_append_hex(out, span_of(digest, sasl_digest_len(SASL_HASH_MD5)));
}

/* Server. */

/* "<random@host>": RFC 2195, 2, wants a timestamp in it too; random octets are as fresh. */
static bool make_challenge(struct sasl_server *s)
{
	struct span random = s->setup.random;

	assert(random.len >= SASL_SERVER_RANDOM_MIN);
	return buf_append_byte(&s->said, '<') &&
	       sasl_append_hex(&s->said, span_head(random, SASL_SERVER_RANDOM_MIN)) &&
	       buf_append_byte(&s->said, '@') && buf_append(&s->said, s->setup.hostname) &&
	       buf_append_byte(&s->said, '>');
}

enum sasl_outcome sasl_cram_server_start(
    struct sasl_server *s, bool has_initial, struct span initial)
{
	bool fits;

	if (has_initial)
		return sasl_server_malformed(s, "CRAM-MD5 has no initial response");
	fits = make_challenge(s);
	assert(fits);
	s->challenge = buf_span(&s->said);
	return SASL_OUTCOME_CHALLENGE;
}

static bool is_hex(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];

		if (!byte_is_digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F'))
			return false;
	}
	return true;
}

/* The digest stands behind the last blank; names with blanks exist. It is kept where a password
   would stand until the owner has found the user. */
enum sasl_outcome sasl_cram_server_step(struct sasl_server *s, struct span response)
{
	struct span digest;

	if (response.len < DIGEST_HEX + 1 || response.data[response.len - DIGEST_HEX - 1] != ' ')
		return sasl_server_malformed(
		    s, "the response must be: user, blank, 32 hexadecimal digits");
	digest = span_skip(response, response.len - DIGEST_HEX);
	if (!is_hex(digest))
		return sasl_server_malformed(s, "the digest is not 32 hexadecimal digits");
	if (!sasl_server_take_name(s, span_head(response, response.len - DIGEST_HEX - 1)))
		return SASL_OUTCOME_MALFORMED;
	buf_append(&s->identity.password, digest);
	return SASL_OUTCOME_LOOKUP;
}

enum sasl_outcome sasl_cram_server_found(struct sasl_server *s, struct span password)
{
	struct buf want;
	char digest[DIGEST_HEX];
	bool right;

	for (size_t i = 0; i < DIGEST_HEX; i++)
		digest[i] = byte_to_lower(buf_span(&s->identity.password).data[i]);
	buf_init_secret(&want, DIGEST_HEX);
	right = append_digest(&want, password, buf_span(&s->said)) &&
		span_equal_secret(buf_span(&want), span_of(digest, DIGEST_HEX)) && password.len > 0;
	buf_fini(&want);
	buf_fini(&s->identity.password);
	if (!right)
		return sasl_server_refuse(s, "", "unknown user or wrong password");
	return SASL_OUTCOME_PROVED;
}

/* Client. */

void sasl_cram_client_start(struct sasl_client *c, bool with_initial, struct buf *out)
{
	assert(!with_initial);
}

/* The digest must not answer what is no challenge of this mechanism: an empty one, or the prompt
   of another, is the same for everybody and can be prepared for. */
enum sasl_client_result sasl_cram_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out)
{
	struct span password = c->settings.credentials.password;

	if (c->step > 1 || challenge.len == 0 || challenge.len > SASL_CRAM_CHALLENGE_MAX)
		return SASL_CLIENT_UNEXPECTED;
	if (challenge.data[0] != '<' && sasl_prompt_asks_for_name(challenge))
		return SASL_CLIENT_NAME_AGAIN;
	if (!buf_append(out, c->settings.credentials.login) || !buf_append_byte(out, ' ') ||
	    !append_digest(out, password, challenge)) {
		snprintf(c->sentence, sizeof(c->sentence),
		    "CRAM-MD5 cannot be calculated on this machine: its OpenSSL allows no MD5");
		return SASL_CLIENT_UNABLE;
	}
	return SASL_CLIENT_RESPOND;
}
