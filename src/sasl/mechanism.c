/* SPDX-License-Identifier: MIT */
#include "sasl/mechanism.h"

static const struct mechanism_row {
	const char *name;
	enum sasl_secret secret;
} rows[SASL_MECHANISM_COUNT] = {
	[SASL_MECHANISM_LOGIN] = { "LOGIN", SASL_SECRET_PASSWORD },
	[SASL_MECHANISM_PLAIN] = { "PLAIN", SASL_SECRET_PASSWORD },
	[SASL_MECHANISM_NTLM] = { "NTLM", SASL_SECRET_PASSWORD },
	[SASL_MECHANISM_CRAM_MD5] = { "CRAM-MD5", SASL_SECRET_PASSWORD },
	[SASL_MECHANISM_DIGEST_MD5] = { "DIGEST-MD5", SASL_SECRET_PASSWORD },
	[SASL_MECHANISM_SCRAM_SHA_1] = { "SCRAM-SHA-1", SASL_SECRET_PASSWORD },
	[SASL_MECHANISM_SCRAM_SHA_1_PLUS] = { "SCRAM-SHA-1-PLUS", SASL_SECRET_PASSWORD },
	[SASL_MECHANISM_SCRAM_SHA_256] = { "SCRAM-SHA-256", SASL_SECRET_PASSWORD },
	[SASL_MECHANISM_SCRAM_SHA_256_PLUS] = { "SCRAM-SHA-256-PLUS", SASL_SECRET_PASSWORD },
	[SASL_MECHANISM_XOAUTH2] = { "XOAUTH2", SASL_SECRET_TOKEN },
	[SASL_MECHANISM_OAUTHBEARER] = { "OAUTHBEARER", SASL_SECRET_TOKEN },
	[SASL_MECHANISM_GSSAPI] = { "GSSAPI", SASL_SECRET_KERBEROS },
	[SASL_MECHANISM_EXTERNAL] = { "EXTERNAL", SASL_SECRET_CERTIFICATE },
};

const char *sasl_mechanism_name(enum sasl_mechanism mechanism)
{
	return rows[mechanism].name;
}

bool sasl_mechanism_find(struct span name, enum sasl_mechanism *mechanism_out)
{
	for (int i = 0; i < SASL_MECHANISM_COUNT; i++) {
		if (span_equal_nocase(name, span_from_string(rows[i].name))) {
			*mechanism_out = (enum sasl_mechanism)i;
			return true;
		}
	}
	return false;
}

enum sasl_secret sasl_mechanism_secret(enum sasl_mechanism mechanism)
{
	return rows[mechanism].secret;
}

bool sasl_mechanism_is_scram(enum sasl_mechanism mechanism)
{
	return mechanism >= SASL_MECHANISM_SCRAM_SHA_1 &&
	       mechanism <= SASL_MECHANISM_SCRAM_SHA_256_PLUS;
}

bool sasl_mechanism_is_bound(enum sasl_mechanism mechanism)
{
	return mechanism == SASL_MECHANISM_SCRAM_SHA_1_PLUS ||
	       mechanism == SASL_MECHANISM_SCRAM_SHA_256_PLUS;
}

bool sasl_ends_with_line_end(struct span secret)
{
	return secret.len > 0 &&
	       (secret.data[secret.len - 1] == '\n' || secret.data[secret.len - 1] == '\r');
}
