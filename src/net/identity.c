/* SPDX-License-Identifier: MIT */
#include "net/identity.h"

#include <openssl/x509v3.h>

static struct span text_of(const GENERAL_NAME *name, int type)
{
	const ASN1_IA5STRING *text = NULL;

	if (name->type != type)
		return SPAN("");
	if (type == GEN_EMAIL)
		text = name->d.rfc822Name;
	else if (type == GEN_DNS)
		text = name->d.dNSName;
	return text ? span_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text))
		    : SPAN("");
}

static bool is_sound(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] <= ' ' || name.data[i] > '~' || name.data[i] == '*')
			return false;
	}
	return name.len > 0 && name.len <= IDENTITY_MAX;
}

static bool names_match(struct span name, struct span wanted, int type)
{
	size_t local = span_find(name, '@');

	if (type == GEN_DNS || local == name.len)
		return span_equal_nocase(name, wanted);
	return wanted.len == name.len &&
	       span_equal(span_head(name, local), span_head(wanted, local)) &&
	       span_equal_nocase(span_skip(name, local), span_skip(wanted, local));
}

/* The first name of that type that fits; *seen is set when there is any. */
static struct span find_name(const GENERAL_NAMES *names, int type, struct span wanted, bool *seen)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		struct span name = text_of(sk_GENERAL_NAME_value(names, i), type);

		if (!is_sound(name))
			continue;
		*seen = true;
		if (wanted.len == 0 || names_match(name, wanted, type))
			return name;
	}
	return SPAN("");
}

enum identity_result identity_of_certificate(
    X509 *certificate, struct span wanted, struct buf *name_out)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	bool seen = false;
	struct span found = find_name(names, GEN_EMAIL, wanted, &seen);

	if (found.len == 0)
		found = find_name(names, GEN_DNS, wanted, &seen);
	if (found.len > 0 && !buf_append(name_out, found))
		found = SPAN("");
	GENERAL_NAMES_free(names);
	if (found.len > 0)
		return IDENTITY_FOUND;
	return seen ? IDENTITY_OTHER : IDENTITY_NONE;
}
