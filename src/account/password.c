/* SPDX-License-Identifier: MIT */
#include "account/password.h"

#include "base/memory.h"
#include "base/random.h"
#include "sasl/scram.h"

#include <crypt.h>
#include <errno.h>
#include <string.h>

_Static_assert(PASSWORD_HASH_SIZE == CRYPT_OUTPUT_SIZE, "libxcrypt's own size");
_Static_assert(PASSWORD_MAX_BYTES + 1 == CRYPT_MAX_PASSPHRASE_SIZE, "libxcrypt's own limit");

bool account_password_is_possible(struct span password)
{
	return password.len > 0 && password.len <= PASSWORD_MAX_BYTES &&
	       span_find(password, '\0') == password.len;
}

/* crypt_rn(3) with 32 KiB of its own on the heap. setting is a setting or a whole hash. */
static bool run_crypt(struct span password, const char *setting, char out[PASSWORD_HASH_SIZE])
{
	char phrase[CRYPT_MAX_PASSPHRASE_SIZE];
	memcpy(phrase, password.data, password.len);
	phrase[password.len] = '\0';
	struct crypt_data *data = MEM_NEW(struct crypt_data);
	const char *hash = crypt_rn(phrase, setting, data, sizeof(*data));
	if (hash != NULL)
		memcpy(out, hash, strlen(hash) + 1);
	mem_wipe(data, sizeof(*data));
	mem_free(data);
	mem_wipe(phrase, sizeof(phrase));
	return hash != NULL;
}

static bool matches_crypt(struct span hash, struct span password)
{
	char computed[PASSWORD_HASH_SIZE];
	if (!run_crypt(password, hash.data, computed))
		return false;
	bool equal = span_equal_secret(span_from_string(computed), hash);
	mem_wipe(computed, sizeof(computed));
	return equal;
}

/* RFC 5802, section 3: StoredKey := H(HMAC(Hi(password, salt, i), "Client Key")). */
static bool matches_scram(const struct account_scram *scram, struct span password)
{
	enum sasl_hash hash =
	    scram->hash == ACCOUNT_SCRAM_SHA_1 ? SASL_HASH_SHA_1 : SASL_HASH_SHA_256;
	struct sasl_scram_keys keys;
	char salted[SASL_DIGEST_MAX];
	bool equal =
	    sasl_scram_salt(hash, password, scram->salt, scram->iterations, salted) &&
	    sasl_scram_keys(hash, salted, &keys) &&
	    span_equal_secret(span_of(keys.stored_key, sasl_digest_len(hash)), scram->stored_key);
	mem_wipe(salted, sizeof(salted));
	mem_wipe(&keys, sizeof(keys));
	return equal;
}

bool account_password_matches(const struct account_user *user, struct span password)
{
	if (!account_password_is_possible(password))
		return false;
	if (user->hash.len > 0)
		return matches_crypt(user->hash, password);
	if (user->scram_count > 0)
		return matches_scram(&user->scram[0], password);
	return user->secret.len > 0 && span_equal_secret(user->secret, password);
}

struct span account_password_credential(const struct account_user *user)
{
	if (user->hash.len > 0)
		return user->hash;
	return user->scram_count > 0 ? user->scram[0].stored_key : user->secret;
}

const struct account_user *account_password_subject(
    const struct account_users *users, struct span login, bool *known_out)
{
	const struct account_user *user = account_users_find(users, login);
	*known_out = user != NULL && account_user_works(user);
	return *known_out ? user : account_users_decoy(users);
}

bool account_password_check(
    const struct account_users *users, struct span login, struct span password)
{
	bool known;
	const struct account_user *subject = account_password_subject(users, login, &known);
	bool matches = account_password_matches(subject, password);
	return known && matches;
}

bool account_password_hash(
    struct span password, char out[PASSWORD_HASH_SIZE], struct fault *fault_out)
{
	if (!account_password_is_possible(password)) {
		fault_set(fault_out, FAULT_LOCAL, "a password has 1 to %d bytes, and no NUL",
		    PASSWORD_MAX_BYTES);
		return false;
	}
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	/* No random bytes given: the library takes them from the kernel. */
	if (crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof(setting)) == NULL ||
	    !run_crypt(password, setting, out)) {
		fault_set(fault_out, FAULT_LOCAL, "libcrypt cannot make a yescrypt hash: %s",
		    strerror(errno));
		return false;
	}
	return true;
}

/* A number below limit, each as likely as any other. */
static unsigned random_below(unsigned limit)
{
	unsigned char byte;
	do {
		random_bytes(&byte, 1);
	} while (byte >= 256 / limit * limit);
	return byte % limit;
}

bool account_password_generate(struct buf *out)
{
	static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz23456789";
	char text[4 * 7];
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 7 == 6 ? '-' : alphabet[random_below(sizeof(alphabet) - 1)];
	bool fits = buf_append(out, span_of(text, sizeof(text) - 1));
	mem_wipe(text, sizeof(text));
	return fits;
}
