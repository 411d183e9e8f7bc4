/* SPDX-License-Identifier: MIT */
#include "account/oauth.h"

#include "account/secret.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const flow_names[] = {
	[OAUTH_FLOW_DEVICE] = "device",
	[OAUTH_FLOW_CODE] = "code",
	[OAUTH_FLOW_CLIENT_CREDENTIALS] = "client-credentials",
	[OAUTH_FLOW_SERVICE_ACCOUNT] = "service-account",
};

const char *oauth_flow_name(enum oauth_flow flow)
{
	return flow_names[flow];
}

bool oauth_flow_is_interactive(enum oauth_flow flow)
{
	return flow == OAUTH_FLOW_DEVICE || flow == OAUTH_FLOW_CODE;
}

const char *oauth_label_fault(const char *label)
{
	size_t len = strlen(label);

	if (len == 0)
		return "is empty";
	if (len > OAUTH_LABEL_MAX)
		return "is longer than 64 bytes";
	if (label[0] == '.')
		return "begins with a dot";
	for (size_t i = 0; i < len; i++)
		if (!byte_is_alpha(label[i]) && !byte_is_digit(label[i]) &&
		    !strchr("-_.@+", label[i]))
			return "has something else than letters, digits and - _ . @ +";
	return NULL;
}

const char *oauth_host(const char *url, char out[OAUTH_HOST_MAX])
{
	struct span rest = span_from_string(url), host;

	out[0] = '\0';
	if (span_starts_with_nocase(rest, SPAN("https://")))
		rest = span_skip(rest, strlen("https://"));
	if (!span_take_until(&rest, '/', &host) || host.len >= OAUTH_HOST_MAX)
		return out;
	memcpy(out, host.data, host.len);
	out[host.len] = '\0';
	return out;
}

/* ---- the files that are named ---- */

static bool cannot(struct fault *fault_out, const char *path, const char *what)
{
	fault_set(fault_out, FAULT_LOCAL, "%s %s: %s", path, what, strerror(errno));
	return false;
}

/* All of a small file, within the ceiling of b. */
static bool read_fd(int fd, struct buf *b)
{
	for (;;) {
		char *room;
		ssize_t n;
		size_t want = b->max - b->len;
		if (want == 0)
			return false;
		if (want > 16384)
			want = 16384;
		room = buf_reserve(b, want);
		n = room ? read(fd, room, want) : -1;
		if (n < 0 && room && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		buf_commit(b, (size_t)n);
	}
}

static bool read_file(const char *path, struct buf *b, bool *exposed_out, struct fault *fault_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat status;
	bool good;

	if (fd < 0)
		return cannot(fault_out, path, "cannot be opened");
	errno = 0;
	good = fstat(fd, &status) == 0 && read_fd(fd, b);
	if (!good && errno == 0)
		errno = EFBIG;
	if (!good)
		cannot(fault_out, path, "cannot be read");
	*exposed_out = good && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0;
	close(fd);
	return good;
}

static char *take_text(const json_t *root, const char *key)
{
	return mem_strdup(json_string_value(json_object_get(root, key)));
}

/* What Google calls a service account key: {"type":"service_account","client_email":…,
   "private_key":"-----BEGIN PRIVATE KEY-----…"}. */
static bool take_key(struct oauth_account *account, struct span text, struct fault *fault_out)
{
	const char *path = account->settings.key_file;
	json_error_t error;
	json_t *root = json_loadb(text.data, text.len, 0, &error);
	const json_t *key = json_object_get(root, "private_key");
	bool good = false;

	account->issuer = take_text(root, "client_email");
	account->key_id = take_text(root, "private_key_id");
	if (!json_is_object(root))
		fault_set(fault_out, FAULT_LOCAL,
		    "%s is no JSON: the key of a service account is expected, as the provider's "
		    "console gives it",
		    path);
	else if (!account->issuer || !json_is_string(key))
		fault_set(fault_out, FAULT_LOCAL,
		    "%s has no client_email or no private_key: the key of a service account is "
		    "expected, as the provider's console gives it",
		    path);
	else
		good = buf_append_string(&account->key, json_string_value(key));
	if (json_is_string(key))
		mem_wipe((char *)json_string_value(key), json_string_length(key));
	json_decref(root);
	return good;
}

static bool load_key(struct oauth_account *account, bool *exposed_out, struct fault *fault_out)
{
	struct buf text;
	bool good;

	buf_init_secret(&text, OAUTH_KEY_FILE_MAX);
	good = read_file(account->settings.key_file, &text, exposed_out, fault_out) &&
	       take_key(account, buf_span(&text), fault_out);
	buf_fini(&text);
	return good;
}

static bool is_directory(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool load_trust(struct oauth_account *account, struct fault *fault_out)
{
	const char *path = account->settings.trust;
	bool exposed;

	if (!path || is_directory(path))
		return true;
	if (!read_file(path, &account->trust, &exposed, fault_out))
		return false;
	if (span_find_span(buf_span(&account->trust), SPAN("-----BEGIN ")) < account->trust.len)
		return true;
	fault_set(fault_out, FAULT_LOCAL, "%s has no certificate in PEM form", path);
	return false;
}

static bool load(struct oauth_account *account, const char **exposed_out, struct fault *fault_out)
{
	const struct oauth_settings *settings = &account->settings;
	bool exposed = false;

	if (settings->client_secret_file && !account_secret_read(settings->client_secret_file,
						&account->client_secret, &exposed, fault_out))
		return false;
	if (exposed)
		*exposed_out = settings->client_secret_file;
	if (settings->flow == OAUTH_FLOW_SERVICE_ACCOUNT && !load_key(account, &exposed, fault_out))
		return false;
	if (exposed && !*exposed_out)
		*exposed_out = settings->key_file;
	return load_trust(account, fault_out);
}

/* ---- life ---- */

/* The strings of the settings, in one place for copying and freeing. */
#define STRINGS(settings)                                                                          \
	{                                                                                          \
		&(settings)->label, &(settings)->login, &(settings)->tenant,                       \
		    &(settings)->client_id, &(settings)->client_secret_file,                       \
		    &(settings)->key_file, &(settings)->authorization_endpoint,                    \
		    &(settings)->device_endpoint, &(settings)->token_endpoint, &(settings)->scope, \
		    &(settings)->trust                                                             \
	}

static void destroy(struct oauth_account *account)
{
	const char **strings[] = STRINGS(&account->settings);

	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		mem_free((char *)*strings[i]);
	buf_fini(&account->client_secret);
	buf_fini(&account->key);
	buf_fini(&account->trust);
	mem_free(account->key_id);
	mem_free(account->issuer);
	mem_free(account);
}

struct oauth_account *oauth_account_load(
    const struct oauth_settings *settings, const char **exposed_out, struct fault *fault_out)
{
	struct oauth_account *account = MEM_NEW(struct oauth_account);
	const char **strings[] = STRINGS(&account->settings);
	const char *exposed = NULL;
	bool good;

	account->references = 1;
	account->settings = *settings;
	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		*strings[i] = mem_strdup(*strings[i]);
	buf_init_secret(&account->client_secret, SECRET_MAX_BYTES);
	buf_init_secret(&account->key, OAUTH_KEY_FILE_MAX);
	buf_init(&account->trust, OAUTH_TRUST_MAX);
	good = load(account, &exposed, fault_out);
	if (exposed_out) /* one of the caller's strings, which outlive ours */
		*exposed_out = !exposed ? NULL
			       : exposed == account->settings.key_file
				   ? settings->key_file
				   : settings->client_secret_file;
	if (good)
		return account;
	destroy(account);
	return NULL;
}

struct oauth_account *oauth_account_ref(struct oauth_account *account)
{
	atomic_fetch_add(&account->references, 1);
	return account;
}

void oauth_account_unref(struct oauth_account **account)
{
	struct oauth_account *gone = *account;

	*account = NULL;
	if (gone && atomic_fetch_sub(&gone->references, 1) == 1)
		destroy(gone);
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool oauth_account_equal(const struct oauth_account *a, const struct oauth_account *b)
{
	const struct oauth_settings *x = &a->settings, *y = &b->settings;

	return same(x->label, y->label) && same(x->login, y->login) && x->flow == y->flow &&
	       same(x->client_id, y->client_id) && same(x->token_endpoint, y->token_endpoint) &&
	       same(x->scope, y->scope) && same(a->issuer, b->issuer);
}
