/* SPDX-License-Identifier: MIT */
#include "relay/setup_tls.h"

#include "base/memory.h"
#include "base/moment.h"
#include "net/certificate.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWN_DAYS 366
#define PATH_MAX_BYTES 4096

/* ---- our own certificate ---- */

struct own_paths {
	char directory[PATH_MAX_BYTES];
	char certificate[PATH_MAX_BYTES + 16], key[PATH_MAX_BYTES + 16];
};

static void find_own(const struct config *config, struct own_paths *paths)
{
	snprintf(paths->directory, sizeof(paths->directory), "%s/certificate", config->state.path);
	snprintf(paths->certificate, sizeof(paths->certificate), "%s/cert.pem", paths->directory);
	snprintf(paths->key, sizeof(paths->key), "%s/key.pem", paths->directory);
}

static bool own_is_good(const struct config *config, const struct own_paths *paths)
{
	struct fault fault;
	STACK_OF(X509) *chain = certificate_load_chain(paths->certificate, &fault);
	EVP_PKEY *key = chain ? certificate_load_key(paths->key, &fault) : NULL;
	X509 *leaf = key ? sk_X509_value(chain, 0) : NULL;
	bool good = leaf && X509_check_private_key(leaf, key) == 1 &&
		    X509_check_host(leaf, config->hostname, 0, 0, NULL) == 1 &&
		    certificate_expires_ms(leaf) - moment_wall_ms() > SETUP_TLS_RENEW_MS;

	EVP_PKEY_free(key);
	sk_X509_pop_free(chain, X509_free);
	return good;
}

/* While we are still root: who makes it anew later is the user that we run as. */
static bool give_away(const struct config *config, const struct own_paths *paths, bool state_is_new,
    struct fault *fault_out)
{
	const char *const all[] = { paths->directory, paths->certificate, paths->key,
		state_is_new ? config->state.path : paths->directory };
	const struct passwd *user = config->user ? getpwnam(config->user) : NULL;

	for (size_t i = 0; user && geteuid() == 0 && i < ARRAY_LEN(all); i++) {
		if (lchown(all[i], user->pw_uid, user->pw_gid) == 0)
			continue;
		fault_set(fault_out, FAULT_LOCAL, "cannot give %s to %s: %s", all[i], config->user,
		    strerror(errno));
		return false;
	}
	return true;
}

static bool make_own(
    const struct config *config, const struct own_paths *paths, struct fault *fault_out)
{
	bool state_is_new = mkdir(config->state.path, 0750) == 0;

	if (!state_is_new && errno != EEXIST) {
		fault_set(fault_out, FAULT_LOCAL, "cannot make %s for the certificate: %s",
		    config->state.path, strerror(errno));
		return false;
	}
	if (mkdir(paths->directory, 0750) != 0 && errno != EEXIST) {
		fault_set(fault_out, FAULT_LOCAL, "cannot make %s for the certificate: %s",
		    paths->directory, strerror(errno));
		return false;
	}
	return tls_self_signed(paths->directory, config->hostname, NULL, 0, OWN_DAYS, fault_out) &&
	       give_away(config, paths, state_is_new, fault_out);
}

/* ---- contexts ---- */

static void complain(struct buf *problems, const char *level, const char *label, const char *text)
{
	buf_printf(problems, "listen %s: %s: %s\n", label, level, text);
}

static bool policies_are_equal(const struct config_listener *a, const struct config_listener *b)
{
	bool same_ca = a->client_ca && b->client_ca ? strcmp(a->client_ca, b->client_ca) == 0
						    : a->client_ca == b->client_ca;

	return same_ca && a->tls_policy == b->tls_policy &&
	       a->certificate_count == b->certificate_count &&
	       memcmp(a->certificates, b->certificates,
		   a->certificate_count * sizeof(*a->certificates)) == 0;
}

/* One that has been made for a listener before this one, or NULL. */
static struct tls_server_context *find_equal(const struct setup *setup, size_t listener)
{
	const struct config_listener *all = setup->config->listeners;

	for (size_t i = 0; i < listener; i++)
		if (setup->listener_tls[i] && policies_are_equal(&all[i], &all[listener]))
			return setup->listener_tls[i];
	return NULL;
}

static const struct tls_server_context *find_previous(
    const struct setup *previous, const struct config_listener *listener)
{
	for (size_t i = 0; previous && i < previous->config->listener_count; i++)
		if (previous->listener_tls[i] &&
		    strcmp(previous->config->listeners[i].label, listener->label) == 0)
			return previous->listener_tls[i];
	return NULL;
}

enum tls_level setup_tls_level(enum config_tls_policy policy)
{
	switch (policy) {
	case CONFIG_TLS_POLICY_MODERN:
		return TLS_LEVEL_MODERN;
	case CONFIG_TLS_POLICY_INTERMEDIATE:
		return TLS_LEVEL_INTERMEDIATE;
	case CONFIG_TLS_POLICY_LEGACY:
		return TLS_LEVEL_LEGACY;
	}
	return TLS_LEVEL_INTERMEDIATE;
}

static struct tls_server_context *make_context(const struct config *config,
    const struct config_listener *listener, const struct own_paths *own,
    const struct setup *previous, struct fault *fault_out)
{
	struct tls_pair_paths pairs[CONFIG_CERTIFICATES_MAX];
	struct tls_server_policy policy = {
		.client_ca_path = listener->client_ca,
		.level = setup_tls_level(listener->tls_policy),
		.more = pairs + 1,
		.more_count = listener->certificate_count - 1,
	};

	for (size_t i = 0; i < listener->certificate_count; i++) {
		const struct config_certificate *from =
		    &config->certificates[listener->certificates[i]];
		pairs[i].certificate = from->certificate ? from->certificate : own->certificate;
		pairs[i].key = from->certificate ? from->key : own->key;
	}
	policy.certificate_path = pairs[0].certificate;
	policy.key_path = pairs[0].key;
	return tls_server_context_create(&policy, find_previous(previous, listener), fault_out);
}

/* Clients without ECDHE, and most of those that stop at TLS 1.1, know RSA only. */
static void warn_without_rsa(const struct config_listener *listener,
    const struct tls_server_context *context, struct buf *problems)
{
	struct tls_certificate_info info;

	if (listener->tls_policy != CONFIG_TLS_POLICY_LEGACY)
		return;
	for (size_t i = 0; tls_server_context_certificate(context, i, &info); i++)
		if (info.is_rsa)
			return;
	complain(problems, "warning", listener->label,
	    "old clients often know RSA only: with tls-policy legacy one of the certificates "
	    "should have an RSA key");
}

static bool wants_own(const struct config *config, const struct config_listener *listener)
{
	for (size_t i = 0; i < listener->certificate_count; i++)
		if (!config->certificates[listener->certificates[i]].certificate)
			return listener->tls != CONFIG_TLS_MODE_OFF;
	return false;
}

static bool load_one(struct setup *setup, const struct setup *previous, size_t index,
    const struct own_paths *own, struct buf *problems)
{
	const struct config_listener *listener = &setup->config->listeners[index];
	struct tls_server_context *equal = find_equal(setup, index);
	struct fault fault;

	if (equal) {
		setup->listener_tls[index] = tls_server_context_ref(equal);
		return true;
	}
	setup->listener_tls[index] = make_context(setup->config, listener, own, previous, &fault);
	if (setup->listener_tls[index])
		warn_without_rsa(listener, setup->listener_tls[index], problems);
	else
		complain(problems, "error", listener->label, fault.text);
	return setup->listener_tls[index] != NULL;
}

bool setup_tls_load(
    struct setup *setup, const struct setup *previous, bool dry, struct buf *problems_out)
{
	const struct config *config = setup->config;
	bool good = true, own_is_there = true, own_wanted = false;
	struct own_paths own;
	struct fault fault;

	find_own(config, &own);
	setup->listener_tls =
	    mem_alloc_array(config->listener_count + 1, sizeof(struct tls_server_context *));
	for (size_t i = 0; i < config->listener_count; i++)
		own_wanted = own_wanted || wants_own(config, &config->listeners[i]);
	if (own_wanted && !own_is_good(config, &own)) {
		own_is_there = !dry && make_own(config, &own, &fault);
		if (!own_is_there && !dry) {
			buf_printf(problems_out, "error: %s\n", fault.text);
			return false;
		}
	}
	for (size_t i = 0; i < config->listener_count; i++) {
		const struct config_listener *listener = &config->listeners[i];
		if (listener->tls == CONFIG_TLS_MODE_OFF ||
		    (!own_is_there && wants_own(config, listener)))
			continue;
		good &= load_one(setup, previous, i, &own, problems_out);
	}
	return good;
}

void setup_tls_fini(struct setup *setup)
{
	for (size_t i = 0; setup->listener_tls && i < setup->config->listener_count; i++)
		tls_server_context_unref(&setup->listener_tls[i]);
	mem_free(setup->listener_tls);
	setup->listener_tls = NULL;
}

bool setup_tls_renewal_is_due(const struct setup *setup, int64_t now_ms)
{
	struct tls_certificate_info info;
	struct own_paths own;

	find_own(setup->config, &own);
	for (size_t i = 0; i < setup->config->listener_count; i++)
		for (size_t j = 0; setup->listener_tls[i] &&
				   tls_server_context_certificate(setup->listener_tls[i], j, &info);
		     j++)
			if (strcmp(info.path, own.certificate) == 0 &&
			    info.expires_ms - now_ms <= SETUP_TLS_RENEW_MS)
				return true;
	return false;
}
