/* SPDX-License-Identifier: MIT */
#include "config/mechanism.h"

#include "base/memory.h"
#include "config/near.h"
#include "config/problem.h"

const struct config_mechanism config_mechanisms[] = {
	{ "LOGIN", CONFIG_SECRET_PASSWORD },
	{ "PLAIN", CONFIG_SECRET_PASSWORD },
	{ "NTLM", CONFIG_SECRET_PASSWORD },
	{ "CRAM-MD5", CONFIG_SECRET_PASSWORD },
	{ "DIGEST-MD5", CONFIG_SECRET_PASSWORD },
	{ "SCRAM-SHA-1", CONFIG_SECRET_PASSWORD },
	{ "SCRAM-SHA-1-PLUS", CONFIG_SECRET_PASSWORD },
	{ "SCRAM-SHA-256", CONFIG_SECRET_PASSWORD },
	{ "SCRAM-SHA-256-PLUS", CONFIG_SECRET_PASSWORD },
	{ "XOAUTH2", CONFIG_SECRET_TOKEN },
	{ "OAUTHBEARER", CONFIG_SECRET_TOKEN },
	{ "GSSAPI", CONFIG_SECRET_KERBEROS },
	{ "EXTERNAL", CONFIG_SECRET_CERTIFICATE },
};

const size_t config_mechanism_count = ARRAY_LEN(config_mechanisms);

const struct config_mechanism *config_mechanism_find(const char *name, struct fault *fault_out)
{
	struct span typed = span_from_string(name);
	const char *near = NULL;
	unsigned best = CONFIG_NEAR_NOT;
	char shown[CONFIG_SHOWN_MAX];
	for (size_t i = 0; i < config_mechanism_count; i++) {
		const struct config_mechanism *each = &config_mechanisms[i];
		if (span_equal_nocase(typed, span_from_string(each->name)))
			return each;
		if (config_near_keep(typed, each->name, &best))
			near = each->name;
	}
	config_shown(typed, shown);
	if (near)
		fault_set(fault_out, FAULT_LOCAL,
		    "\"%s\" is no mechanism that is spoken here; did you mean %s?", shown, near);
	else
		fault_set(fault_out, FAULT_LOCAL,
		    "\"%s\" is no mechanism that is spoken here, such as PLAIN or SCRAM-SHA-256",
		    shown);
	return NULL;
}

unsigned config_account_secrets(const struct config_account *account)
{
	unsigned secrets = 0;
	if (account->password_file || account->password_command)
		secrets |= CONFIG_SECRET_PASSWORD;
	if (account->oauth)
		secrets |= CONFIG_SECRET_TOKEN;
	if (account->certificate)
		secrets |= CONFIG_SECRET_CERTIFICATE;
	if (account->kerberos)
		secrets |= CONFIG_SECRET_KERBEROS;
	return secrets;
}
