/* SPDX-License-Identifier: MIT */
#include "maker.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/frank-tls-XXXXXX";
static int serial = 1;

void maker_open(void)
{
	memcpy(directory + strlen(directory) - 6, "XXXXXX", 6);
	assert_non_null(mkdtemp(directory));
}

void maker_close(void)
{
	DIR *d = opendir(directory);
	struct dirent *entry;

	while ((entry = readdir(d))) {
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(d), entry->d_name, 0);
	}
	closedir(d);
	rmdir(directory);
}

const char *maker_path(const char *name, const char *suffix)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s%s", directory, name, suffix);
	return path;
}

static FILE *create(const char *name, const char *suffix, unsigned mode)
{
	FILE *file = fopen(maker_path(name, suffix), "w");

	assert_non_null(file);
	assert_int_equal(fchmod(fileno(file), mode), 0);
	return file;
}

static X509 *read_certificate(const char *name)
{
	FILE *file = fopen(maker_path(name, ".pem"), "r");
	X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);

	fclose(file);
	return certificate;
}

static EVP_PKEY *read_key(const char *name)
{
	FILE *file = fopen(maker_path(name, ".key"), "r");
	EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);

	fclose(file);
	return key;
}

static void extend(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(extension);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

static void fill(X509 *certificate, EVP_PKEY *key, const struct recipe *recipe)
{
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
	    (const unsigned char *)recipe->common_name, -1, -1, 0);
	X509_time_adj_ex(X509_getm_notBefore(certificate), (int)recipe->from_days, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(certificate), (int)recipe->to_days, 0, NULL);
	X509_set_pubkey(certificate, key);
	if (recipe->names)
		extend(certificate, NID_subject_alt_name, recipe->names);
	else
		extend(certificate, NID_basic_constraints, "critical,CA:TRUE");
}

void maker_make(const char *name, const struct recipe *recipe)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	X509 *issuer = recipe->issuer ? read_certificate(recipe->issuer) : NULL;
	EVP_PKEY *issuer_key = recipe->issuer ? read_key(recipe->issuer) : NULL;
	FILE *file;

	fill(certificate, key, recipe);
	X509_set_issuer_name(certificate, X509_get_subject_name(issuer ? issuer : certificate));
	assert_true(X509_sign(certificate, issuer_key ? issuer_key : key, EVP_sha256()) > 0);
	file = create(name, ".pem", 0644);
	PEM_write_X509(file, certificate);
	fclose(file);
	file = create(name, ".key", 0600);
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	X509_free(certificate);
	X509_free(issuer);
	EVP_PKEY_free(key);
	EVP_PKEY_free(issuer_key);
}

void maker_write(const char *name, const char *suffix, const char *text, unsigned mode)
{
	FILE *file = create(name, suffix, mode);

	fputs(text, file);
	fclose(file);
}
