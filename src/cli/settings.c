/* SPDX-License-Identifier: MIT */
#include "cli/settings.h"

#include <string.h>

static bool offers_auth(const struct config_listener *listener)
{
	return listener->auth != CONFIG_AUTH_MODE_OFF &&
	       (listener->tls != CONFIG_TLS_MODE_OFF || listener->cleartext_auth);
}

static bool is_loopback(const struct config_address *address)
{
	const struct sockaddr *any = (const struct sockaddr *)&address->socket;
	if (any->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&address->socket;
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	}
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->socket;
	return any->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static bool has(const struct cli_setting *settings, size_t count, const struct cli_setting *wanted)
{
	for (size_t i = 0; i < count; i++) {
		if (settings[i].port == wanted->port && settings[i].tls == wanted->tls &&
		    strcmp(settings[i].host, wanted->host) == 0)
			return true;
	}
	return false;
}

size_t cli_settings_collect(
    const struct config *config, struct cli_setting settings_out[CLI_SETTINGS_MAX])
{
	size_t count = 0;
	for (size_t i = 0; i < config->listener_count; i++) {
		const struct config_listener *listener = &config->listeners[i];
		for (size_t k = 0; offers_auth(listener) && k < listener->address_count; k++) {
			const struct config_address *address = &listener->addresses[k];
			struct cli_setting setting = {
				.host = is_loopback(address) ? "localhost" : config->hostname,
				.port = address->port,
				.tls = listener->tls,
			};
			if (count < CLI_SETTINGS_MAX && !has(settings_out, count, &setting))
				settings_out[count++] = setting;
		}
	}
	return count;
}

const char *cli_settings_tls_name(enum config_tls_mode tls)
{
	switch (tls) {
	case CONFIG_TLS_MODE_STARTTLS:
		return "STARTTLS";
	case CONFIG_TLS_MODE_IMPLICIT:
		return "SSL/TLS";
	case CONFIG_TLS_MODE_OFF:
		break;
	}
	return "no encryption";
}

static const char *directive_word(enum config_tls_mode tls)
{
	switch (tls) {
	case CONFIG_TLS_MODE_STARTTLS:
		return "starttls";
	case CONFIG_TLS_MODE_IMPLICIT:
		return "implicit";
	case CONFIG_TLS_MODE_OFF:
		break;
	}
	return "off";
}

json_t *cli_settings_json(const struct cli_setting *settings, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:i, s:s}", "host", settings[i].host, "port",
			      (int)settings[i].port, "tls", directive_word(settings[i].tls)));
	return list;
}
