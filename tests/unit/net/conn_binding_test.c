/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "maker.h"

#include "net/conn_internal.h"

/* What SASL takes from TLS: channel bindings, and whether a client certificate was shown. */

static const struct recipe mail = { "mail.example", "DNS:mail.example", -1, 30, NULL };
static const struct recipe device = { "printer.example", "DNS:printer.example", -1, 30, NULL };

static struct tls_server_context *server;

static int setup(void **state)
{
	struct fault fault;

	harness_setup(state);
	maker_open();
	maker_make("mail", &mail);
	maker_make("device", &device);
	server = tls_server_context_create(
	    &(struct tls_server_policy){ maker_path("mail", ".pem"), maker_path("mail", ".key") },
	    NULL, &fault);
	assert_non_null(server);
	return 0;
}

static int teardown(void **state)
{
	tls_server_context_unref(&server);
	maker_close();
	return harness_teardown(state);
}

static struct tls_client_context *make_client(const char *certificate)
{
	struct tls_client_policy policy = {
		.verify = true,
		.trust_path = maker_path("mail", ".pem"),
	};
	struct fault fault;
	struct tls_client_context *context;

	if (certificate) {
		policy.certificate_path = maker_path(certificate, ".pem");
		policy.key_path = maker_path(certificate, ".key");
	}
	context = tls_client_context_create(&policy, &fault);
	assert_non_null(context);
	return context;
}

static int accept_any(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

struct wish {
	bool asks_for_certificate;
	bool tls_1_2;
	bool no_master_secret; /* the extended one is not offered */
};

static void open_tls(
    struct end *a, struct end *b, struct tls_client_context *client, struct wish wish)
{
	open_pair(a, b);
	conn_tls_accept(b->c, server);
	if (wish.asks_for_certificate)
		SSL_set_verify(b->c->tls->ssl, SSL_VERIFY_PEER, accept_any);
	conn_tls_connect(a->c, client, "mail.example");
	if (wish.tls_1_2)
		SSL_set_max_proto_version(a->c->tls->ssl, TLS1_2_VERSION);
	if (wish.no_master_secret)
		SSL_set_options(a->c->tls->ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	UNTIL((a->tls && b->tls) || a->fault[0] || b->fault[0]);
	assert_string_equal(a->fault, "");
	assert_string_equal(b->fault, "");
}

static void close_pair(struct end *a, struct end *b)
{
	end_fini(a);
	end_fini(b);
	UNTIL(loop.conn_count == 0);
}

struct bindings {
	struct buf exporter, unique;
};

static void take_bindings(const struct end *e, struct bindings *out)
{
	buf_init_secret(&out->exporter, CONN_CHANNEL_BINDING_MAX);
	buf_init_secret(&out->unique, CONN_CHANNEL_BINDING_MAX);
	conn_channel_binding(e->c, &out->exporter, &out->unique);
}

static void drop_bindings(struct bindings *bindings)
{
	buf_fini(&bindings->exporter);
	buf_fini(&bindings->unique);
}

static void assert_equal_bindings(
    const struct bindings *a, const struct bindings *b, size_t exporter, size_t unique)
{
	assert_int_equal(a->exporter.len, exporter);
	assert_int_equal(a->unique.len, unique);
	assert_true(span_equal(buf_span(&a->exporter), buf_span(&b->exporter)));
	assert_true(span_equal(buf_span(&a->unique), buf_span(&b->unique)));
}

static void compare_ends(
    const struct end *a, const struct end *b, size_t exporter, size_t unique, char first_out[12])
{
	struct bindings ours, theirs;

	take_bindings(a, &ours);
	take_bindings(b, &theirs);
	assert_equal_bindings(&ours, &theirs, exporter, unique);
	if (first_out)
		memcpy(first_out, ours.unique.len ? ours.unique.data : ours.exporter.data, 12);
	drop_bindings(&ours);
	drop_bindings(&theirs);
}

static void both_ends_have_the_same_exporter_under_1_3(void **state)
{
	struct tls_client_context *client = make_client(NULL);
	struct end a, b;
	char first[12], second[12];

	open_tls(&a, &b, client, (struct wish){ 0 });
	compare_ends(&a, &b, 32, 0, first);
	close_pair(&a, &b);
	open_tls(&a, &b, client, (struct wish){ 0 });
	compare_ends(&a, &b, 32, 0, second);
	assert_memory_not_equal(first, second, sizeof(first));
	close_pair(&a, &b);
	tls_client_context_unref(&client);
}

static void both_ends_have_the_same_tls_unique_under_1_2(void **state)
{
	struct tls_client_context *client = make_client(NULL);
	struct conn_tls_info info;
	struct end a, b;

	open_tls(&a, &b, client, (struct wish){ .tls_1_2 = true });
	assert_true(conn_tls_info(a.c, &info));
	assert_false(info.resumed);
	compare_ends(&a, &b, 0, 12, NULL);
	close_pair(&a, &b);
	/* Resumed, where it is the server's Finished that counts. */
	open_tls(&a, &b, client, (struct wish){ .tls_1_2 = true });
	assert_true(conn_tls_info(a.c, &info));
	assert_true(info.resumed);
	compare_ends(&a, &b, 0, 12, NULL);
	close_pair(&a, &b);
	tls_client_context_unref(&client);
}

static void tls_unique_is_left_out_where_two_connections_could_share_it(void **state)
{
	struct tls_client_context *client = make_client(NULL);
	struct end a, b;

	open_tls(&a, &b, client, (struct wish){ .tls_1_2 = true, .no_master_secret = true });
	compare_ends(&a, &b, 0, 0, NULL);
	close_pair(&a, &b);
	tls_client_context_unref(&client);
}

static void there_is_no_binding_without_tls(void **state)
{
	struct bindings bindings;
	struct end a, b;

	open_pair(&a, &b);
	take_bindings(&a, &bindings);
	assert_int_equal(bindings.exporter.len + bindings.unique.len, 0);
	drop_bindings(&bindings);
	close_pair(&a, &b);
}

/* ---- our certificate ---- */

static void assert_shown(struct tls_client_context *client, struct wish wish, bool want)
{
	struct conn_tls_info info;
	struct end a, b;

	open_tls(&a, &b, client, wish);
	assert_true(conn_tls_info(a.c, &info));
	assert_int_equal(info.certificate_shown, want);
	assert_true(conn_tls_info(b.c, &info));
	assert_int_equal(info.peer_certificate, want);
	assert_false(info.certificate_shown);
	close_pair(&a, &b);
}

static void a_certificate_is_shown_to_who_asks_for_it(void **state)
{
	struct tls_client_context *client = make_client("device");

	/* Again and again: no session is resumed. */
	for (int i = 0; i < 2; i++) {
		assert_shown(client, (struct wish){ .asks_for_certificate = true }, true);
		assert_shown(
		    client, (struct wish){ .asks_for_certificate = true, .tls_1_2 = true }, true);
	}
	tls_client_context_unref(&client);
}

static void a_certificate_is_not_shown_unasked(void **state)
{
	struct tls_client_context *client = make_client("device");

	assert_shown(client, (struct wish){ 0 }, false);
	assert_shown(client, (struct wish){ .tls_1_2 = true }, false);
	tls_client_context_unref(&client);
}

static void who_has_none_shows_none(void **state)
{
	struct tls_client_context *client = make_client(NULL);

	assert_shown(client, (struct wish){ .asks_for_certificate = true }, false);
	assert_shown(client, (struct wish){ .asks_for_certificate = true, .tls_1_2 = true }, false);
	assert_false(tls_client_context_is_stale(client));
	tls_client_context_unref(&client);
}

static void a_pair_that_does_not_belong_together_is_refused(void **state)
{
	struct tls_client_policy policy = {
		.trust_path = maker_path("mail", ".pem"),
		.certificate_path = maker_path("device", ".pem"),
		.key_path = maker_path("mail", ".key"),
	};
	struct fault fault;

	assert_null(tls_client_context_create(&policy, &fault));
	assert_non_null(strstr(fault.text, "does not belong to the key"));
}

static void a_new_certificate_makes_the_context_stale(void **state)
{
	struct tls_client_context *client = make_client("device");

	assert_false(tls_client_context_is_stale(client));
	maker_make("device", &device);
	assert_true(tls_client_context_is_stale(client));
	tls_client_context_unref(&client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_ends_have_the_same_exporter_under_1_3),
		TEST(both_ends_have_the_same_tls_unique_under_1_2),
		TEST(tls_unique_is_left_out_where_two_connections_could_share_it),
		TEST(there_is_no_binding_without_tls),
		TEST(a_certificate_is_shown_to_who_asks_for_it),
		TEST(a_certificate_is_not_shown_unasked),
		TEST(who_has_none_shows_none),
		TEST(a_pair_that_does_not_belong_together_is_refused),
		TEST(a_new_certificate_makes_the_context_stale),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
