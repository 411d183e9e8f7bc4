/* SPDX-License-Identifier: MIT */
#include "relay/certificates.h"

#include "base/moment.h"
#include "relay/events.h"
#include "relay/setup_tls.h"

#include <string.h>

/* Place number n of all that all listeners show, doubles included. */
static bool find_nth(const struct setup *setup, size_t n, struct tls_certificate_info *info_out)
{
	for (size_t i = 0; i < setup->config->listener_count; i++) {
		const struct tls_server_context *context = setup->listener_tls[i];
		for (size_t j = 0; context && tls_server_context_certificate(context, j, info_out);
		     j++)
			if (n-- == 0)
				return true;
	}
	return false;
}

static bool stands_before(const struct setup *setup, size_t n, const char *path)
{
	struct tls_certificate_info info;

	for (size_t i = 0; i < n && find_nth(setup, i, &info); i++)
		if (strcmp(info.path, path) == 0)
			return true;
	return false;
}

bool certificates_next(
    const struct setup *setup, size_t *position, struct tls_certificate_info *info_out)
{
	while (find_nth(setup, *position, info_out)) {
		size_t n = (*position)++;
		if (!stands_before(setup, n, info_out->path))
			return true;
	}
	return false;
}

static bool was_shown(const struct setup *before, const struct tls_certificate_info *info)
{
	struct tls_certificate_info other;
	size_t position = 0;

	while (before && certificates_next(before, &position, &other))
		if (strcmp(other.fingerprint, info->fingerprint) == 0)
			return true;
	return false;
}

static void log_one(const struct tls_certificate_info *info, enum event event)
{
	char expires[MOMENT_TEXT_MAX];
	struct log_line line;

	event_begin(&line, event);
	log_text(&line, "file", info->path);
	log_text(&line, "kind", info->kind);
	log_text(&line, "expires", moment_format_rfc3339(info->expires_ms, expires));
	log_text(&line, "fingerprint", info->fingerprint);
	log_end(&line);
}

void certificates_log(const struct setup *setup, const struct setup *before)
{
	struct tls_certificate_info info;
	size_t position = 0;

	while (certificates_next(setup, &position, &info))
		if (!was_shown(before, &info))
			log_one(&info, EVENT_CERTIFICATE_SHOWN);
}

static void warn(struct certificates_watch *watch, const struct setup *setup, int64_t now_ms)
{
	struct tls_certificate_info info;
	size_t position = 0;

	if (watch->warned_ms != 0 && now_ms - watch->warned_ms < CERTIFICATES_SAY_MS)
		return;
	while (certificates_next(setup, &position, &info)) {
		if (info.expires_ms - now_ms >= CERTIFICATES_WARN_MS)
			continue;
		log_one(&info, EVENT_CERTIFICATE_EXPIRES);
		watch->warned_ms = now_ms;
	}
}

/* The listeners' or a hop's; its file or one beside it. NULL: all are as they were loaded. */
static const char *find_stale(const struct setup *setup)
{
	struct tls_certificate_info info;

	for (size_t i = 0; i < setup->config->listener_count; i++)
		if (setup->listener_tls[i] && tls_server_context_is_stale(setup->listener_tls[i]) &&
		    tls_server_context_certificate(setup->listener_tls[i], 0, &info))
			return info.path;
	for (size_t i = 0; i < setup->hop_count; i++)
		if (setup->hops[i].tls && tls_client_context_is_stale(setup->hops[i].tls))
			return setup->hops[i].account->config->certificate;
	return NULL;
}

bool certificates_look(struct certificates_watch *watch, const struct setup *setup, int64_t now_ms,
    struct fault *why_out)
{
	const char *stale = find_stale(setup);

	warn(watch, setup, now_ms);
	if (stale) {
		fault_set(why_out, FAULT_LOCAL,
		    "%s, its key or a certificate beside it has changed; reloading", stale);
		return true;
	}
	if (!setup_tls_renewal_is_due(setup, now_ms) ||
	    (watch->tried_ms != 0 && now_ms - watch->tried_ms < CERTIFICATES_RENEW_MS))
		return false;
	watch->tried_ms = now_ms;
	fault_set(
	    why_out, FAULT_LOCAL, "our own certificate ends soon and is made anew; reloading");
	return true;
}
