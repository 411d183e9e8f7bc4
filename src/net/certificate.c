/* SPDX-License-Identifier: MIT */
#include "net/certificate.h"

#include "base/escape.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "net/address.h"
#include "net/privilege.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	FILE_MAX = 1 << 20,
	NAMES_MAX = 8, /* shown */
	SAN_MAX = 8192,
};

/* ---- dates ---- */

static int64_t to_wall_ms(const ASN1_TIME *time)
{
	struct tm tm;

	if (!time || !ASN1_TIME_to_tm(time, &tm))
		return 0;
	return (int64_t)timegm(&tm) * 1000;
}

static const char *format_date(const ASN1_TIME *time, char out[MOMENT_TEXT_MAX])
{
	return moment_format_rfc3339(to_wall_ms(time), out);
}

int64_t certificate_expires_ms(const X509 *certificate)
{
	return to_wall_ms(X509_get0_notAfter(certificate));
}

/* ---- fingerprint ---- */

void certificate_fingerprint(const X509 *certificate, char out[96])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	out[0] = '\0';
	if (!X509_digest(certificate, EVP_sha256(), digest, &len))
		return;
	for (unsigned i = 0; i < len && i < 32; i++)
		snprintf(out + 3 * i, 4, "%02X%s", digest[i], i + 1 < len ? ":" : "");
}

/* ---- files ---- */

static bool is_current(X509 *leaf, const char *path, struct fault *fault_out)
{
	const ASN1_TIME *from = X509_get0_notBefore(leaf), *to = X509_get0_notAfter(leaf);
	char date[MOMENT_TEXT_MAX];

	if (X509_cmp_current_time(to) < 0) {
		fault_set(fault_out, FAULT_LOCAL, "the certificate in %s expired on %s", path,
		    format_date(to, date));
		return false;
	}
	if (X509_cmp_current_time(from) > 0) {
		fault_set(fault_out, FAULT_LOCAL, "the certificate in %s is not valid before %s",
		    path, format_date(from, date));
		return false;
	}
	return true;
}

static STACK_OF(X509) * parse_chain(struct span pem)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	X509 *certificate;

	while (chain && bio && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (!sk_X509_push(chain, certificate)) {
			X509_free(certificate);
			break;
		}
	}
	BIO_free(bio);
	return chain;
}

STACK_OF(X509) * certificate_load_chain(const char *path, struct fault *fault_out)
{
	STACK_OF(X509) *chain = NULL;
	struct buf pem;
	bool good = false;

	buf_init(&pem, FILE_MAX);
	if (privilege_read(path, &pem, fault_out)) {
		chain = parse_chain(buf_span(&pem));
		good = sk_X509_num(chain) > 0;
		if (!good)
			fault_set(
			    fault_out, FAULT_LOCAL, "%s holds no certificate in PEM form", path);
		else
			good = is_current(sk_X509_value(chain, 0), path, fault_out);
	}
	buf_fini(&pem);
	ERR_clear_error();
	if (good)
		return chain;
	sk_X509_pop_free(chain, X509_free);
	return NULL;
}

/* Read by group is left to those who keep keys in a group; all else is a key given away. */
static bool is_protected(const char *path, struct fault *fault_out)
{
	struct stat status;

	if (stat(path, &status) != 0) {
		fault_set(fault_out, FAULT_LOCAL, "cannot open %s: %s", path, strerror(errno));
		return false;
	}
	if (status.st_mode & 007) {
		fault_set(fault_out, FAULT_LOCAL,
		    "the key file %s can be used by others (mode "
		    "%04o); chmod 600 %s, and replace the key if others have accounts here",
		    path, (unsigned)status.st_mode & 07777, path);
		return false;
	}
	if (status.st_mode & 020) {
		fault_set(fault_out, FAULT_LOCAL,
		    "the key file %s can be written by its group "
		    "(mode %04o); chmod 600 %s",
		    path, (unsigned)status.st_mode & 07777, path);
		return false;
	}
	return true;
}

static int refuse_passphrase(char *out, int size, int writing, void *asked)
{
	*(bool *)asked = true;
	return -1;
}

EVP_PKEY *certificate_load_key(const char *path, struct fault *fault_out)
{
	EVP_PKEY *key = NULL;
	bool encrypted = false;
	struct buf pem;
	BIO *bio;

	buf_init_secret(&pem, FILE_MAX);
	if (is_protected(path, fault_out) && privilege_read(path, &pem, fault_out)) {
		bio = BIO_new_mem_buf(buf_span(&pem).data, (int)pem.len);
		key =
		    bio ? PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, &encrypted) : NULL;
		BIO_free(bio);
		if (!key && encrypted)
			fault_set(fault_out, FAULT_LOCAL,
			    "the key in %s is encrypted and nobody "
			    "is there to type its passphrase; openssl pkey -in %s -out NEW removes "
			    "it",
			    path, path);
		else if (!key)
			fault_set(
			    fault_out, FAULT_LOCAL, "%s holds no private key in PEM form", path);
	}
	buf_fini(&pem);
	ERR_clear_error();
	return key;
}

/* ---- self-signed ---- */

static bool add_extension(X509 *certificate, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	bool added;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	added = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return added;
}

/* A name stands in a list of OpenSSL's own syntax, so it may hold nothing that ends it. */
static bool append_name(struct buf *list, const char *name)
{
	struct net_address address;
	char text[NET_ADDRESS_TEXT_MAX];

	if (net_address_parse(span_from_string(name), 0, &address))
		return buf_printf(
		    list, "%sIP:%s", list->len ? "," : "", net_address_format_host(&address, text));
	for (const char *p = name; *p; p++) {
		if (!byte_is_alpha(*p) && !byte_is_digit(*p) && !strchr(".-_*", *p))
			return false;
	}
	return *name && buf_printf(list, "%sDNS:%s", list->len ? "," : "", name);
}

static bool add_names(
    X509 *certificate, const char *hostname, const char *const *names, size_t count)
{
	static const char *const always[] = { "localhost", "127.0.0.1", "::1" };
	struct buf list;
	bool good;

	buf_init(&list, SAN_MAX);
	good = append_name(&list, hostname);
	for (size_t i = 0; good && i < count; i++)
		good = append_name(&list, names[i]);
	for (size_t i = 0; good && i < ARRAY_LEN(always); i++)
		good = append_name(&list, always[i]);
	good = good && add_extension(certificate, NID_subject_alt_name, buf_string(&list));
	buf_fini(&list);
	return good;
}

static bool set_serial(X509 *certificate)
{
	unsigned char bytes[8];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
	BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	bool done = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));

	BN_free(number);
	return done;
}

static bool set_subject(X509 *certificate, const char *hostname)
{
	X509_NAME *name = X509_get_subject_name(certificate);
	/* A common name has at most 64 characters (RFC 5280, appendix A); the names that count
	   are the alternative ones. */
	const char *shown = strlen(hostname) <= 64 ? hostname : "frank";

	return X509_NAME_add_entry_by_txt(
		   name, "CN", MBSTRING_UTF8, (const unsigned char *)shown, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(certificate, name) == 1;
}

static X509 *make_certificate(
    EVP_PKEY *key, const char *hostname, const char *const *names, size_t count, int days)
{
	X509 *certificate = X509_new();

	if (certificate && X509_set_version(certificate, X509_VERSION_3) &&
	    set_serial(certificate) && set_subject(certificate, hostname) &&
	    X509_gmtime_adj(X509_getm_notBefore(certificate), -86400) &&
	    X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, NULL) &&
	    X509_set_pubkey(certificate, key) && add_names(certificate, hostname, names, count) &&
	    add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE") &&
	    add_extension(certificate, NID_subject_key_identifier, "hash") &&
	    X509_sign(certificate, key, EVP_sha256()) > 0)
		return certificate;
	X509_free(certificate);
	return NULL;
}

static bool write_file(
    const char *directory, const char *name, mode_t mode, BIO *pem, struct fault *fault_out)
{
	long len;
	char path[4096], *data;
	bool done;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path)) {
		fault_set(fault_out, FAULT_LOCAL, "the path of %s is too long", name);
		return false;
	}
	len = BIO_get_mem_data(pem, &data);
	done = file_replace(path, mode, span_of(data, (size_t)len));
	if (!done)
		fault_set(fault_out, FAULT_LOCAL, "cannot write %s: %s", path, strerror(errno));
	return done;
}

static bool write_pair(
    const char *directory, X509 *certificate, EVP_PKEY *key, struct fault *fault_out)
{
	BIO *key_pem = BIO_new(BIO_s_secmem()), *certificate_pem = BIO_new(BIO_s_mem());
	bool done = false;

	if (key_pem && certificate_pem &&
	    PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) &&
	    PEM_write_bio_X509(certificate_pem, certificate))
		done = write_file(directory, "key.pem", 0600, key_pem, fault_out) &&
		       write_file(directory, "cert.pem", 0644, certificate_pem, fault_out);
	else
		fault_set(fault_out, FAULT_LOCAL, "OpenSSL cannot write a key");
	BIO_free(key_pem);
	BIO_free(certificate_pem);
	return done;
}

bool tls_self_signed(const char *directory, const char *hostname, const char *const *names,
    size_t count, int days, struct fault *fault_out)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = key ? make_certificate(key, hostname, names, count, days) : NULL;
	bool done = false;

	if (certificate)
		done = write_pair(directory, certificate, key, fault_out);
	else
		fault_set(fault_out, FAULT_LOCAL, "cannot make a certificate for %s", hostname);
	X509_free(certificate);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return done;
}

/* ---- words ---- */

static void append_address(struct buf *b, const ASN1_OCTET_STRING *address)
{
	int len = ASN1_STRING_length(address);
	char text[INET6_ADDRSTRLEN] = "?";

	if (len == 4 || len == 16)
		inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text,
		    sizeof(text));
	buf_append_string(b, text);
}

static bool append_general_name(struct buf *b, const GENERAL_NAME *name, const char *separator)
{
	if (name->type != GEN_DNS && name->type != GEN_IPADD)
		return false;
	buf_append_string(b, separator);
	if (name->type == GEN_DNS)
		escape_append(b, span_of(ASN1_STRING_get0_data(name->d.dNSName),
				     (size_t)ASN1_STRING_length(name->d.dNSName)));
	else
		append_address(b, name->d.iPAddress);
	return true;
}

static void append_common_name(struct buf *b, const X509_NAME *name)
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	const ASN1_STRING *text;

	if (at < 0)
		at = X509_NAME_get_index_by_NID(name, NID_organizationName, -1);
	if (at < 0) {
		buf_append_string(b, "somebody without a name");
		return;
	}
	text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	escape_append(b, span_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)));
}

void certificate_append_names(struct buf *b, X509 *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	int shown = 0, i;

	for (i = 0; i < sk_GENERAL_NAME_num(names) && shown < NAMES_MAX; i++)
		shown += append_general_name(b, sk_GENERAL_NAME_value(names, i), shown ? ", " : "");
	if (shown == 0)
		append_common_name(b, X509_get_subject_name(certificate));
	if (i < sk_GENERAL_NAME_num(names))
		buf_append_string(b, " and others");
	GENERAL_NAMES_free(names);
}

static void explain_mismatch(struct buf *b, X509 *certificate, const char *wanted)
{
	buf_append_string(b, "the certificate is for ");
	certificate_append_names(b, certificate);
	buf_append_string(b, " and not for ");
	escape_append(b, span_from_string(wanted));
}

static void explain_date(struct buf *b, X509 *certificate, const char *verb, const ASN1_TIME *time)
{
	char date[MOMENT_TEXT_MAX];

	buf_append_string(b, "the certificate of ");
	append_common_name(b, X509_get_subject_name(certificate));
	buf_printf(b, " %s %s", verb, format_date(time, date));
}

static void explain_issuer(struct buf *b, X509 *certificate, const char *behind)
{
	buf_append_string(b, "the certificate of ");
	append_common_name(b, X509_get_subject_name(certificate));
	buf_append_string(b, " was issued by ");
	append_common_name(b, X509_get_issuer_name(certificate));
	buf_append_string(b, behind);
}

static void explain_self_signed(struct buf *b, X509 *certificate)
{
	buf_append_string(b, "the certificate of ");
	append_common_name(b, X509_get_subject_name(certificate));
	buf_append_string(b, " is self-signed and not trusted here");
}

void certificate_explain(struct buf *b, int verify_error, X509 *certificate, const char *wanted)
{
	const char *problem = X509_verify_cert_error_string(verify_error);

	if (!certificate)
		verify_error = X509_V_ERR_UNSPECIFIED;
	switch (verify_error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		explain_mismatch(b, certificate, wanted);
		return;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		explain_date(b, certificate, "expired on", X509_get0_notAfter(certificate));
		return;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		explain_date(
		    b, certificate, "is not valid before", X509_get0_notBefore(certificate));
		return;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		explain_self_signed(b, certificate);
		return;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		explain_issuer(b, certificate, ", a root that is not trusted here");
		return;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		explain_issuer(b, certificate,
		    ", which is unknown here (or the server does not "
		    "send the certificates between)");
		return;
	default: /* OpenSSL has about 90 of them */
		buf_printf(b, "the certificate was refused: %s", problem);
	}
}
