/* SPDX-License-Identifier: MIT */
/*
 * Tokens and key sets of strangers. The first byte chooses. A token: the keys are two whose private
 * halves nobody has any more, so that none is ever good, however it is signed, and the sentence
 * shows nothing of it. Otherwise a key set: read, or refused with a sentence.
 */
#include "account/jwt.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char key_set[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"r\",\"e\":\"AQAB\",\"n\":\""
    "knIN6Gr8ZE00JYhDbIOBDVAlIAndVhaxAw_DRtKAUQgiT6TMwQ9JD1zfDkLFhyE5qu3zWktA"
    "RhLWE8-BCv9JFO6Jq-m25iZiMAQ57JyZUoVeCUHvFgqu3r9WZRPdKmDjW3wGc5rFUqIawAH9"
    "YiRXfDqVSTfdfHSWCP72R2DZKq5CX5HG5x6wWUirPahXVqnEOknJZKumuDlgz4ESZc96QrOI"
    "Uy7GTn2khQriBt669aLF2_eEJx-MbJdsTTZgUSBBsXt36u0tHjQ4PelWt6kgkllhUHWGNtYY"
    "8zloFb8nDLsH87JZ1CKE54hJIVkky5vknOYbfsWp1K0WHszEZQeNVQ"
    "\"},{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\",\"x\":\""
    "hE8AUQpgRWHm9pwIraDLLocwcU8BbPwMyQ8Oco44NLk"
    "\",\"y\":\""
    "05jCoekijsFF7zFYSIfo4DBTXdYn4qW7fG7A58zLTfo"
    "\"}]}";

static const struct account_jwks_settings settings = {
	.issuer = "https://login.example.org",
	.audience = "smtp",
	.login_claim = "email",
};

static void check_sentence(const struct fault *fault)
{
	assert(fault->text[0]);
	for (const char *p = fault->text; *p; p++)
		assert(*p >= ' ' && *p < 127);
}

static void try_token(struct span token)
{
	static struct account_jwks *keys;
	struct fault fault;
	struct buf login;
	bool good;

	if (!keys)
		keys = account_jwks_parse(span_from_string(key_set), &settings, &fault);
	assert(keys && account_jwks_count(keys) == 2);
	buf_init(&login, 1024);
	good = account_jwt_check(keys, token, SPAN(""), 1700000000, &login, &fault);
	assert(!good && login.len == 0);
	check_sentence(&fault);
	buf_fini(&login);
}

static void try_keys(struct span text)
{
	struct fault fault;
	struct account_jwks *keys = account_jwks_parse(text, &settings, &fault);

	if (!keys) {
		check_sentence(&fault);
		return;
	}
	assert(account_jwks_count(keys) > 0);
	assert(account_jwks_count(keys) <= ACCOUNT_JWKS_KEYS_MAX);
	account_jwks_destroy(&keys);
	assert(!keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		try_keys(span_of(data + 1, size - 1));
	else
		try_token(span_of(data + 1, size - 1));
	return 0;
}
