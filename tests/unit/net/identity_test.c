/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "net/identity.h"

#include <openssl/x509v3.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* One name: 'm' mail, 'd' DNS, 'u' URI; len 0: as long as its text. */
struct name {
	char kind;
	const char *text;
	size_t len;
};

static GENERAL_NAME *make_name(const struct name *from)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	ASN1_STRING_set(text, from->text, (int)(from->len ? from->len : strlen(from->text)));
	GENERAL_NAME_set0_value(name,
	    from->kind == 'm'   ? GEN_EMAIL
	    : from->kind == 'd' ? GEN_DNS
				: GEN_URI,
	    text);
	return name;
}

/* Of what is looked at: the alternative names, and a common name that must not count. */
static X509 *make_certificate(const struct name *names, size_t count)
{
	X509 *certificate = X509_new();
	GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
	    (const unsigned char *)"common@example.org", -1, -1, 0);
	for (size_t i = 0; i < count; i++)
		sk_GENERAL_NAME_push(all, make_name(&names[i]));
	X509_add1_ext_i2d(certificate, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT);
	GENERAL_NAMES_free(all);
	return certificate;
}

static const struct identity_case {
	const char *name;
	struct name names[3];
	const char *wanted;
	enum identity_result want;
	const char *found;
} cases[] = {
	{ "a mail address", { { 'm', "a@x.org", 0 } }, "", IDENTITY_FOUND, "a@x.org" },
	{ "mail before DNS", { { 'd', "h.x.org", 0 }, { 'm', "a@x.org", 0 } }, "", IDENTITY_FOUND,
	    "a@x.org" },
	{ "DNS alone", { { 'u', "urn:x", 0 }, { 'd', "h.x.org", 0 } }, "", IDENTITY_FOUND,
	    "h.x.org" },
	{ "DNS by name", { { 'm', "a@x.org", 0 }, { 'd', "h.x.org", 0 } }, "H.X.org",
	    IDENTITY_FOUND, "h.x.org" },
	{ "the second address", { { 'm', "a@x.org", 0 }, { 'm', "b@x.org", 0 } }, "b@X.ORG",
	    IDENTITY_FOUND, "b@x.org" },
	{ "a local part in another case", { { 'm', "a@x.org", 0 } }, "A@x.org", IDENTITY_OTHER,
	    "" },
	{ "somebody else", { { 'm', "a@x.org", 0 } }, "b@x.org", IDENTITY_OTHER, "" },
	{ "the common name does not count", { { 'u', "urn:x", 0 } }, "", IDENTITY_NONE, "" },
	{ "a NUL in it", { { 'm', "a@x.org\0.evil", 13 } }, "", IDENTITY_NONE, "" },
	{ "a wildcard", { { 'd', "*.x.org", 0 } }, "", IDENTITY_NONE, "" },
	{ "a line end", { { 'm', "a@x.org\r\n", 0 } }, "", IDENTITY_NONE, "" },
};

static void names_are_found_as_the_rules_say(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct identity_case *c = &cases[i];
		size_t count = 0;
		while (count < ARRAY_LEN(c->names) && c->names[count].kind)
			count++;
		X509 *certificate = make_certificate(c->names, count);
		struct buf found;
		buf_init(&found, IDENTITY_MAX);
		if (identity_of_certificate(certificate, span_from_string(c->wanted), &found) !=
			c->want ||
		    !span_equal(buf_span(&found), span_from_string(c->found)))
			fail_msg("%s", c->name);
		buf_fini(&found);
		X509_free(certificate);
	}
}

static void a_certificate_without_alternative_names_names_nobody(void **state)
{
	X509 *certificate = X509_new();
	struct buf found;
	buf_init(&found, IDENTITY_MAX);
	assert_int_equal(identity_of_certificate(certificate, SPAN(""), &found), IDENTITY_NONE);
	buf_fini(&found);
	X509_free(certificate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found_as_the_rules_say),
		cmocka_unit_test(a_certificate_without_alternative_names_names_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
