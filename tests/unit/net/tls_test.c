/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/moment.h"
#include "maker.h"
#include "net/certificate.h"
#include "net/tls.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct recipe good = { "mail.example", "DNS:mail.example", -1, 30, NULL };
static const struct recipe old = { "old.example", "DNS:old.example", -30, -1, NULL };
static const struct recipe early = { "early.example", "DNS:early.example", 5, 30, NULL };

static int setup(void **state)
{
	maker_open();
	maker_make("good", &good);
	maker_make("other", &good);
	maker_make("old", &old);
	maker_make("early", &early);
	return 0;
}

static int teardown(void **state)
{
	maker_close();
	return 0;
}

static void a_good_pair_is_taken(void **state)
{
	struct tls_server_context *context, *second;
	struct fault fault = { 0 };
	int64_t left;

	context = tls_server_context_create(
	    &(struct tls_server_policy){ maker_path("good", ".pem"), maker_path("good", ".key") },
	    NULL, &fault);
	assert_non_null(context);
	assert_int_equal(fault.kind, FAULT_NONE);
	left = tls_server_context_expires_ms(context) - moment_wall_ms();
	assert_in_range(left, 29 * 86400000LL, 30 * 86400000LL + 1000);
	second = tls_server_context_ref(context);
	tls_server_context_unref(&context);
	assert_null(context);
	assert_false(tls_server_context_is_stale(second));
	tls_server_context_unref(&second);
	tls_server_context_unref(&second);
}

static const struct refusal {
	const char *name, *certificate, *key;
	unsigned key_mode;
	const char *want;
} refusals[] = {
	{ "missing certificate", "none", "good", 0600, "No such file" },
	{ "missing key", "good", "none", 0, "No such file" },
	{ "certificate for another key", "good", "other", 0600, "does not belong to the key" },
	{ "expired", "old", "old", 0600, "expired on 20" },
	{ "not yet valid", "early", "early", 0600, "is not valid before 20" },
	{ "others may read the key", "good", "good", 0604, "can be used by others (mode 0604)" },
	{ "others may run the key", "good", "good", 0601, "can be used by others" },
	{ "the group may write the key", "good", "good", 0620, "can be written by its group" },
	{ "certificate that is none", "text", "good", 0600, "holds no certificate" },
	{ "key that is none", "good", "text", 0600, "holds no private key" },
	{ "encrypted key", "good", "locked", 0600, "is encrypted" },
};

static void write_locked_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *file = fopen(maker_path("locked", ".key"), "w");

	PEM_write_PrivateKey(
	    file, key, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6, NULL, NULL);
	fclose(file);
	EVP_PKEY_free(key);
}

static void bad_pairs_are_refused_in_a_sentence(void **state)
{
	maker_write("text", ".pem", "no PEM at all\n", 0644);
	maker_write("text", ".key", "no PEM at all\n", 0600);
	write_locked_key();
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		struct fault fault = { 0 };
		const char *certificate = maker_path(r->certificate, ".pem");
		const char *key = maker_path(r->key, ".key");

		if (r->key_mode)
			assert_int_equal(chmod(key, r->key_mode), 0);
		assert_null(tls_server_context_create(
		    &(struct tls_server_policy){ certificate, key }, NULL, &fault));
		if (fault.kind != FAULT_LOCAL || !strstr(fault.text, r->want))
			fail_msg("%s: %s", r->name, fault.text);
		if (r->key_mode)
			assert_int_equal(chmod(key, 0600), 0);
	}
}

static void the_group_may_read_the_key(void **state)
{
	struct fault fault;
	struct tls_server_context *context;

	assert_int_equal(chmod(maker_path("good", ".key"), 0640), 0);
	context = tls_server_context_create(
	    &(struct tls_server_policy){ maker_path("good", ".pem"), maker_path("good", ".key") },
	    NULL, &fault);
	assert_non_null(context);
	tls_server_context_unref(&context);
}

static void changed_files_make_a_context_stale(void **state)
{
	struct fault fault;
	struct tls_server_context *context = tls_server_context_create(
	    &(struct tls_server_policy){ maker_path("good", ".pem"), maker_path("good", ".key") },
	    NULL, &fault);

	assert_non_null(context);
	assert_int_equal(rename(maker_path("other", ".pem"), maker_path("good", ".pem")), 0);
	assert_true(tls_server_context_is_stale(context));
	tls_server_context_unref(&context);
}

static void trust_must_be_readable(void **state)
{
	struct tls_client_policy policy = { .verify = true };
	struct tls_client_context *context;
	struct fault fault = { 0 };

	policy.trust_path = maker_path("none", ".pem");
	assert_null(tls_client_context_create(&policy, &fault));
	assert_non_null(strstr(fault.text, "none.pem"));
	maker_write("text", ".pem", "no PEM at all\n", 0644);
	policy.trust_path = maker_path("text", ".pem");
	assert_null(tls_client_context_create(&policy, &fault));
	policy.trust_path = maker_path("good", ".pem");
	context = tls_client_context_create(&policy, &fault);
	assert_non_null(context);
	tls_client_context_unref(&context);
	policy.trust_path = NULL;
	context = tls_client_context_create(&policy, &fault);
	assert_non_null(context);
	tls_client_context_unref(&context);
}

static void self_signed_names_everything(void **state)
{
	static const char *const names[] = { "also.example", "192.0.2.7" };
	char directory[256];
	struct fault fault = { 0 };
	struct tls_server_context *context;
	struct stat status;
	STACK_OF(X509) * chain;
	struct buf text;

	snprintf(directory, sizeof(directory), "%s", maker_path("", ""));
	assert_true(tls_self_signed(directory, "relay.example", names, 2, 90, &fault));
	assert_true(tls_self_signed(directory, "relay.example", names, 2, 90, &fault));
	assert_int_equal(stat(maker_path("key", ".pem"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	context = tls_server_context_create(
	    &(struct tls_server_policy){ maker_path("cert", ".pem"), maker_path("key", ".pem") },
	    NULL, &fault);
	assert_non_null(context);
	tls_server_context_unref(&context);
	chain = certificate_load_chain(maker_path("cert", ".pem"), &fault);
	buf_init(&text, 1000);
	certificate_append_names(&text, sk_X509_value(chain, 0));
	assert_string_equal(
	    buf_string(&text), "relay.example, also.example, 192.0.2.7, localhost, 127.0.0.1, ::1");
	buf_fini(&text);
	sk_X509_pop_free(chain, X509_free);
}

static void self_signed_refuses_what_is_no_name(void **state)
{
	struct fault fault = { 0 };

	assert_false(
	    tls_self_signed(maker_path("", ""), "a.example,DNS:b.example", NULL, 0, 9, &fault));
	assert_false(tls_self_signed(maker_path("", ""), "", NULL, 0, 9, &fault));
	assert_false(tls_self_signed("/nonexistent", "a.example", NULL, 0, 9, &fault));
	assert_non_null(strstr(fault.text, "/nonexistent"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_pair_is_taken),
		TEST(bad_pairs_are_refused_in_a_sentence),
		TEST(the_group_may_read_the_key),
		TEST(changed_files_make_a_context_stale),
		TEST(trust_must_be_readable),
		TEST(self_signed_names_everything),
		TEST(self_signed_refuses_what_is_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
