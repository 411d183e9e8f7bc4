/* SPDX-License-Identifier: MIT */
#include "account/users_scram.h"

#include "base/base64.h"
#include "base/memory.h"
#include "base/random.h"
#include "sasl/scram.h"

static const struct mechanism {
	const char *name;
	size_t key_bytes;
} mechanisms[] = {
	[ACCOUNT_SCRAM_SHA_1] = { "SCRAM-SHA-1", 20 },
	[ACCOUNT_SCRAM_SHA_256] = { "SCRAM-SHA-256", 32 },
};

static const char form[] =
    "a verifier has the form SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey";

const char *users_scram_name(enum account_scram_hash hash)
{
	return mechanisms[hash].name;
}

size_t users_scram_key_bytes(enum account_scram_hash hash)
{
	return mechanisms[hash].key_bytes;
}

size_t users_scram_length(struct span s)
{
	unsigned colons = 0;
	size_t len = 0;
	while (len < s.len && s.data[len] != ' ' && s.data[len] != '\t') {
		if (s.data[len] == ':' && ++colons == 3)
			break;
		len++;
	}
	return len;
}

/* Takes the part up to the separator, which must be there. */
static bool take_part(struct span *text, char separator, struct span *part_out)
{
	size_t len = span_find(*text, separator);
	if (len == text->len)
		return false;
	*part_out = span_head(*text, len);
	*text = span_skip(*text, len + 1);
	return true;
}

static bool find_mechanism(struct span name, enum account_scram_hash *hash_out)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		if (span_equal(name, span_from_string(mechanisms[i].name))) {
			*hash_out = (enum account_scram_hash)i;
			return true;
		}
	}
	return false;
}

/* Appends the decoded value, which must have between min and max bytes. */
static bool decode(struct buf *out, struct span text, size_t min, size_t max)
{
	size_t before = out->len;
	if (!base64_decode(out, text))
		return false;
	size_t len = out->len - before;
	return len >= min && len <= max;
}

struct parts {
	struct span salt, stored_key, server_key; /* in base64 */
};

static const char *decode_parts(const struct parts *parts, struct account_scram *scram_out)
{
	size_t key_bytes = users_scram_key_bytes(scram_out->hash);
	const char *fault = NULL;
	struct buf values;
	buf_init_secret(&values, USERS_SCRAM_SALT_MAX_BYTES + 2 * ACCOUNT_SCRAM_KEY_MAX_BYTES +
				     4 /* decoding rounds up */);
	if (!decode(&values, parts->salt, 1, USERS_SCRAM_SALT_MAX_BYTES))
		fault = "the verifier's salt is not base64 of 1 to 128 bytes";
	else if (!decode(&values, parts->stored_key, key_bytes, key_bytes))
		fault = "the verifier's StoredKey is not base64 of a key of its mechanism's length";
	else if (!decode(&values, parts->server_key, key_bytes, key_bytes))
		fault = "the verifier's ServerKey is not base64 of a key of its mechanism's length";
	if (fault == NULL) {
		struct span all = buf_span(&values);
		size_t salt_len = all.len - 2 * key_bytes;
		const char *copy = mem_dup(all.data, all.len);
		scram_out->salt = span_of(copy, salt_len);
		scram_out->stored_key = span_of(copy + salt_len, key_bytes);
		scram_out->server_key = span_of(copy + salt_len + key_bytes, key_bytes);
	}
	buf_fini(&values);
	return fault;
}

const char *users_scram_parse(struct span text, struct account_scram *scram_out)
{
	struct account_scram scram = { 0 };
	struct span name, iterations;
	struct parts parts;
	if (!take_part(&text, '$', &name) || !take_part(&text, ':', &iterations) ||
	    !take_part(&text, '$', &parts.salt) || !take_part(&text, ':', &parts.stored_key))
		return form;
	parts.server_key = text;
	if (!find_mechanism(name, &scram.hash))
		return "a verifier for a mechanism that is unknown here: SCRAM-SHA-256 and "
		       "SCRAM-SHA-1 are known";
	uint64_t count;
	if (!span_to_u64(iterations, &count) || count == 0 || count > USERS_SCRAM_ITERATIONS_MAX)
		return "the verifier's iterations are not a number from 1 to 10000000";
	scram.iterations = (unsigned)count;
	const char *fault = decode_parts(&parts, &scram);
	if (fault == NULL)
		*scram_out = scram;
	return fault;
}

static enum sasl_hash sasl_hash_of(enum account_scram_hash hash)
{
	return hash == ACCOUNT_SCRAM_SHA_1 ? SASL_HASH_SHA_1 : SASL_HASH_SHA_256;
}

static bool put_verifier(struct buf *out, enum account_scram_hash hash, struct span salt,
    const struct sasl_scram_keys *keys)
{
	size_t len = users_scram_key_bytes(hash);
	return buf_printf(out, "%s$%d:", users_scram_name(hash), USERS_SCRAM_ITERATIONS) &&
	       base64_encode(out, salt) && buf_append_byte(out, '$') &&
	       base64_encode(out, span_of(keys->stored_key, len)) && buf_append_byte(out, ':') &&
	       base64_encode(out, span_of(keys->server_key, len));
}

bool users_scram_make(enum account_scram_hash hash, struct span password, struct buf *out)
{
	char salt[16], salted[SASL_DIGEST_MAX];
	struct sasl_scram_keys keys;
	random_bytes(salt, sizeof(salt));
	bool made = sasl_scram_salt(sasl_hash_of(hash), password, span_of(salt, sizeof(salt)),
			USERS_SCRAM_ITERATIONS, salted) &&
		    sasl_scram_keys(sasl_hash_of(hash), salted, &keys) &&
		    put_verifier(out, hash, span_of(salt, sizeof(salt)), &keys);
	mem_wipe(salted, sizeof(salted));
	mem_wipe(&keys, sizeof(keys));
	return made;
}

void users_scram_fini(struct account_scram *scram)
{
	/* All three lie in one block that begins with the salt. */
	char *block = (char *)scram->salt.data;
	if (block != NULL)
		mem_wipe(block, scram->salt.len + scram->stored_key.len + scram->server_key.len);
	mem_free(block);
	*scram = (struct account_scram){ 0 };
}
