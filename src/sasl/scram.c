/* SPDX-License-Identifier: MIT */
#include "sasl/scram.h"

#include "base/base64.h"
#include "base/memory.h"
#include "sasl/rare.h"

#include <assert.h>

/* What is taken of the random octets: 24 make a nonce of 32 characters. */
enum { NONCE_OCTETS_MAX = 24 };

enum sasl_hash sasl_scram_hash(enum sasl_mechanism mechanism)
{
	assert(sasl_mechanism_is_scram(mechanism));
	return mechanism == SASL_MECHANISM_SCRAM_SHA_1 ||
		       mechanism == SASL_MECHANISM_SCRAM_SHA_1_PLUS
		   ? SASL_HASH_SHA_1
		   : SASL_HASH_SHA_256;
}

static bool is_printable_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] < ' ' || s.data[i] > '~')
			return false;
	}
	return true;
}

void sasl_scram_prepare(struct span password, struct buf *out)
{
	buf_clear(out);
	if (is_printable_ascii(password) || !sasl_rare_prepare(password, out))
		buf_append(out, password);
}

bool sasl_scram_salt(enum sasl_hash hash, struct span password, struct span salt,
    unsigned iterations, char salted_out[SASL_DIGEST_MAX])
{
	struct buf prepared;
	bool done;

	assert(password.len <= SASL_PASSWORD_MAX);
	buf_init_secret(&prepared, SASL_PASSWORD_MAX * 4);
	sasl_scram_prepare(password, &prepared);
	done = sasl_derive(hash, buf_span(&prepared), salt, iterations, salted_out);
	buf_fini(&prepared);
	return done;
}

bool sasl_scram_keys(enum sasl_hash hash, const char *salted, struct sasl_scram_keys *keys_out)
{
	size_t len = sasl_digest_len(hash);

	return sasl_hmac(hash, span_of(salted, len), SPAN("Client Key"), keys_out->client_key) &&
	       sasl_digest(hash, span_of(keys_out->client_key, len), keys_out->stored_key) &&
	       sasl_hmac(hash, span_of(salted, len), SPAN("Server Key"), keys_out->server_key);
}

bool sasl_scram_take(struct span *message, char attribute, struct span *value_out)
{
	struct span piece;

	if (message->len < 2 || message->data[0] != attribute || message->data[1] != '=')
		return false;
	span_take_until(message, ',', &piece);
	*value_out = span_skip(piece, 2);
	return true;
}

bool sasl_scram_nonce_is_sound(struct span nonce)
{
	for (size_t i = 0; i < nonce.len; i++) {
		if (nonce.data[i] <= ' ' || nonce.data[i] > '~' || nonce.data[i] == ',')
			return false;
	}
	return nonce.len > 0 && nonce.len <= SASL_SCRAM_NONCE_MAX;
}

bool sasl_scram_append_nonce(struct buf *out, struct span random)
{
	size_t len = random.len < NONCE_OCTETS_MAX ? random.len : NONCE_OCTETS_MAX;

	assert(len > 0);
	return base64_encode(out, span_head(random, len));
}

bool sasl_scram_append_name(struct buf *out, struct span name)
{
	bool fits = true;

	for (size_t i = 0; fits && i < name.len; i++) {
		if (name.data[i] == ',')
			fits = buf_append_string(out, "=2C");
		else if (name.data[i] == '=')
			fits = buf_append_string(out, "=3D");
		else
			fits = buf_append_byte(out, name.data[i]);
	}
	return fits;
}

bool sasl_scram_read_name(struct span text, struct buf *out)
{
	bool fits = true;

	while (fits && text.len > 0) {
		if (text.data[0] != '=') {
			fits = buf_append_byte(out, text.data[0]);
			text = span_skip(text, 1);
		} else if (span_starts_with(text, SPAN("=2C"))) {
			fits = buf_append_byte(out, ',');
			text = span_skip(text, 3);
		} else if (span_starts_with(text, SPAN("=3D"))) {
			fits = buf_append_byte(out, '=');
			text = span_skip(text, 3);
		} else {
			return false;
		}
	}
	return fits;
}
