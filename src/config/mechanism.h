/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_MECHANISM_H
#define FRANK_CONFIG_MECHANISM_H

/*
 * The SASL mechanisms by name, and what an account must have for each. How they work is known to
 * src/sasl alone; a test compares the two lists.
 */

#include "base/fault.h"
#include "config/config.h"

enum config_secret {
	CONFIG_SECRET_PASSWORD = 1,
	CONFIG_SECRET_TOKEN = 2,
	CONFIG_SECRET_CERTIFICATE = 4,
	CONFIG_SECRET_KERBEROS = 8,
};

struct config_mechanism {
	const char *name;
	enum config_secret needs;
};

extern const struct config_mechanism config_mechanisms[];
extern const size_t config_mechanism_count;

/* In any case. NULL when there is none of that name; the fault then suggests the near one. */
const struct config_mechanism *config_mechanism_find(const char *name, struct fault *fault_out);

/* What the account can show, as bits of enum config_secret. */
unsigned config_account_secrets(const struct config_account *account);

#endif
