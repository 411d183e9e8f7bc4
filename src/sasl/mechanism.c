/* SPDX-License-Identifier: MIT */
#include "sasl/mechanism.h"

static const char *const names[SASL_MECHANISM_COUNT] = {
	[SASL_MECHANISM_LOGIN] = "LOGIN",
	[SASL_MECHANISM_PLAIN] = "PLAIN",
};

const char *sasl_mechanism_name(enum sasl_mechanism mechanism)
{
	return names[mechanism];
}

bool sasl_mechanism_find(struct span name, enum sasl_mechanism *mechanism_out)
{
	for (int i = 0; i < SASL_MECHANISM_COUNT; i++) {
		if (span_equal_nocase(name, span_from_string(names[i]))) {
			*mechanism_out = (enum sasl_mechanism)i;
			return true;
		}
	}
	return false;
}

bool sasl_ends_with_line_end(struct span secret)
{
	return secret.len > 0 &&
	       (secret.data[secret.len - 1] == '\n' || secret.data[secret.len - 1] == '\r');
}
