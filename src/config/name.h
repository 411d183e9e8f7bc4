/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_NAME_H
#define FRANK_CONFIG_NAME_H

/* Names and patterns in a configuration: of domains (RFC 5321, 4.1.2), mail addresses, logins. */

#include "base/fault.h"
#include "config/arena.h"
#include "config/config.h"

/* A domain name in its ASCII form, not an address. "_" is taken: container networks use it. */
bool config_domain_check(struct span text, struct fault *fault_out);
/* local@domain, the local part a dot-string of at most 64 bytes. */
bool config_mail_check(const char *text, struct fault *fault_out);

enum config_pattern_use {
	CONFIG_PATTERN_USE_RECIPIENT,
	CONFIG_PATTERN_USE_SENDER, /* "<>" too */
	CONFIG_PATTERN_USE_LOGIN,  /* bare names too */
	CONFIG_PATTERN_USE_DOMAIN, /* "example.org" or "*.example.org" */
};

bool config_pattern_parse(struct config_arena *arena, const char *text, enum config_pattern_use use,
    struct config_pattern *out, struct fault *fault_out);

#endif
