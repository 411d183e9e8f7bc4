/* SPDX-License-Identifier: MIT */
#include "sasl/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <assert.h>

static const EVP_MD *algorithm(enum sasl_hash hash)
{
	switch (hash) {
	case SASL_HASH_MD5:
		return EVP_md5();
	case SASL_HASH_SHA_1:
		return EVP_sha1();
	case SASL_HASH_SHA_256:
		return EVP_sha256();
	case SASL_HASH_COUNT:
		break;
	}
	assert(!"a hash");
	return NULL;
}

size_t sasl_digest_len(enum sasl_hash hash)
{
	static const size_t lens[SASL_HASH_COUNT] = { 16, 20, 32 };

	return lens[hash];
}

/* OpenSSL takes no NULL where there is nothing. */
static const unsigned char *octets(struct span s)
{
	return (const unsigned char *)(s.len > 0 ? s.data : "");
}

bool sasl_digest(enum sasl_hash hash, struct span bytes, char out[SASL_DIGEST_MAX])
{
	unsigned len;

	return EVP_Digest(octets(bytes), bytes.len, (unsigned char *)out, &len, algorithm(hash),
		   NULL) == 1;
}

bool sasl_hmac(enum sasl_hash hash, struct span key, struct span bytes, char out[SASL_DIGEST_MAX])
{
	unsigned len;

	return HMAC(algorithm(hash), octets(key), (int)key.len, octets(bytes), bytes.len,
		   (unsigned char *)out, &len) != NULL;
}

bool sasl_derive(enum sasl_hash hash, struct span password, struct span salt, unsigned iterations,
    char out[SASL_DIGEST_MAX])
{
	return PKCS5_PBKDF2_HMAC((const char *)octets(password), (int)password.len, octets(salt),
		   (int)salt.len, (int)iterations, algorithm(hash), (int)sasl_digest_len(hash),
		   (unsigned char *)out) == 1;
}

bool sasl_append_hex(struct buf *out, struct span bytes)
{
	static const char digits[] = "0123456789abcdef";
	char *room = buf_reserve(out, bytes.len * 2);

	if (!room)
		return false;
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char byte = (unsigned char)bytes.data[i];

		room[2 * i] = digits[byte >> 4];
		room[2 * i + 1] = digits[byte & 15];
	}
	buf_commit(out, bytes.len * 2);
	return true;
}
