/* SPDX-License-Identifier: MIT */
#include "net/tls_pair.h"

#include "base/memory.h"
#include "net/certificate.h"

#include <openssl/err.h>
#include <string.h>
#include <sys/stat.h>

/* ---- files ---- */

static void look_at(struct tls_file *file, const char *path)
{
	struct stat status;

	file->size = -1;
	if (stat(path, &status) != 0)
		return;
	file->device = status.st_dev;
	file->inode = status.st_ino;
	file->size = status.st_size;
	file->changed = status.st_mtim;
}

void tls_file_watch(struct tls_file *file, const char *path)
{
	*file = (struct tls_file){ .path = mem_strdup(path) };
	look_at(file, path);
}

bool tls_file_has_changed(const struct tls_file *file)
{
	struct tls_file now = { 0 };

	if (!file->path)
		return false;
	look_at(&now, file->path);
	return now.device != file->device || now.inode != file->inode || now.size != file->size ||
	       now.changed.tv_sec != file->changed.tv_sec ||
	       now.changed.tv_nsec != file->changed.tv_nsec;
}

void tls_file_fini(struct tls_file *file)
{
	mem_free(file->path);
	file->path = NULL;
}

/* ---- pairs ---- */

/* Takes the chain apart: the leaf stands first in its file. */
static void keep_chain(struct tls_pair *pair, STACK_OF(X509) * chain)
{
	pair->leaf = sk_X509_shift(chain);
	pair->chain = chain;
}

static bool belong_together(const struct tls_pair *pair, struct fault *fault_out)
{
	ERR_clear_error();
	if (X509_check_private_key(pair->leaf, pair->private))
		return true;
	ERR_clear_error();
	fault_set(fault_out, FAULT_LOCAL,
	    "the certificate in %s does not belong to the "
	    "key in %s",
	    pair->certificate.path, pair->key.path);
	return false;
}

bool tls_pair_load(struct tls_pair *pair, const char *certificate_path, const char *key_path,
    struct fault *fault_out)
{
	STACK_OF(X509) * chain;

	*pair = (struct tls_pair){ 0 };
	tls_file_watch(&pair->certificate, certificate_path);
	tls_file_watch(&pair->key, key_path);
	chain = certificate_load_chain(certificate_path, fault_out);
	if (!chain)
		return false;
	keep_chain(pair, chain);
	pair->private = certificate_load_key(key_path, fault_out);
	return pair->private && belong_together(pair, fault_out);
}

bool tls_pair_use(const struct tls_pair *pair, SSL_CTX *ctx, struct fault *fault_out)
{
	ERR_clear_error();
	if (SSL_CTX_use_cert_and_key(ctx, pair->leaf, pair->private, pair->chain, 1) == 1)
		return true;
	fault_set(fault_out, FAULT_LOCAL, "the certificate in %s cannot be used: %s",
	    pair->certificate.path, ERR_reason_error_string(ERR_peek_last_error()));
	ERR_clear_error();
	return false;
}

bool tls_pair_is_stale(const struct tls_pair *pair)
{
	return tls_file_has_changed(&pair->certificate) || tls_file_has_changed(&pair->key);
}

void tls_pair_fini(struct tls_pair *pair)
{
	tls_file_fini(&pair->certificate);
	tls_file_fini(&pair->key);
	X509_free(pair->leaf);
	sk_X509_pop_free(pair->chain, X509_free);
	EVP_PKEY_free(pair->private);
}
