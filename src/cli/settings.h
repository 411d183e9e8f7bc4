/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CLI_SETTINGS_H
#define FRANK_CLI_SETTINGS_H

/*
 * What a person enters in a mail program to send through this relay: server, port and TLS of each
 * listener that a user can sign in at. A listener that offers AUTH to nobody is none of them: one
 * with "auth off", and one without TLS unless it says "cleartext-auth yes".
 */

#include "config/config.h"

#include <jansson.h>

#define CLI_SETTINGS_MAX 64 /* further addresses are left aside */

struct cli_setting {
	const char *host; /* lives as long as the configuration */
	uint16_t port;
	enum config_tls_mode tls;
};

/* Fills settings_out; returns how many there are. Equal ones stand there once. */
size_t cli_settings_collect(
    const struct config *config, struct cli_setting settings_out[CLI_SETTINGS_MAX]);

/* "STARTTLS", "SSL/TLS", "no encryption": as mail programs call it. */
const char *cli_settings_tls_name(enum config_tls_mode tls);

/* [{"host":…,"port":…,"tls":"starttls"}], with the configuration's words for TLS. */
json_t *cli_settings_json(const struct cli_setting *settings, size_t count);

#endif
