/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "maker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct recipe root = { "Test Root", NULL, -1, 30, NULL };
static const struct recipe good = { "mail.example",
	"DNS:mail.example,DNS:*.wild.example,"
	"IP:127.0.0.1",
	-1, 30, "root" };
static const struct recipe lone = { "lone.example", "DNS:mail.example", -1, 30, NULL };
static const struct recipe stranger = { "Stranger Root", NULL, -1, 30, NULL };
static const struct recipe foreign = { "foreign.example", "DNS:mail.example", -1, 30, "stranger" };

/* An expired certificate is not loaded by our own server: here it is the root that has expired. */
static const struct recipe old_root = { "Old Root", NULL, -30, -1, NULL };
static const struct recipe under_old = { "mail.example", "DNS:mail.example", -1, 30, "oldroot" };

static struct tls_server_context *server;

static int setup(void **state)
{
	struct fault fault;

	harness_setup(state);
	maker_open();
	maker_make("root", &root);
	maker_make("stranger", &stranger);
	maker_make("oldroot", &old_root);
	maker_make("good", &good);
	maker_make("lone", &lone);
	maker_make("foreign", &foreign);
	maker_make("underold", &under_old);
	server = tls_server_context_create(
	    &(struct tls_server_policy){ maker_path("good", ".pem"), maker_path("good", ".key") },
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

static struct tls_client_context *make_client(bool verify, const char *trust)
{
	struct tls_client_policy policy = {
		.verify = verify,
		.trust_path = maker_path(trust, ".pem"),
	};
	struct fault fault;
	struct tls_client_context *context = tls_client_context_create(&policy, &fault);

	assert_non_null(context);
	return context;
}

static void start_tls(
    struct end *a, struct end *b, struct tls_client_context *client, const char *name)
{
	assert_int_equal(conn_tls_accept(b->c, server), 0);
	assert_int_equal(conn_tls_connect(a->c, client, name), 0);
}

/* Both ends with TLS up. */
static void open_tls_pair(struct end *a, struct end *b, struct tls_client_context *client)
{
	open_pair(a, b);
	start_tls(a, b, client, "mail.example");
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

/* ---- bytes ---- */

static void tls_comes_up_verified(void **state)
{
	struct tls_client_context *client = make_client(true, "root");
	struct conn_tls_info info;
	struct end a, b;

	open_pair(&a, &b);
	assert_false(conn_tls_info(a.c, &info));
	end_fini(&a);
	end_fini(&b);
	open_tls_pair(&a, &b, client);
	assert_true(conn_tls_info(a.c, &info));
	assert_string_equal(info.version, "TLSv1.3");
	assert_true(info.verified && info.peer_certificate && !info.resumed);
	assert_null(info.verify_problem);
	assert_true(info.cipher_bits >= 128);
	assert_true(conn_tls_info(b.c, &info));
	assert_false(info.verified || info.peer_certificate);
	close_pair(&a, &b);
	tls_client_context_unref(&client);
}

static void echo_returns_single_bytes(void **state)
{
	struct tls_client_context *client = make_client(true, "root");
	struct end a, b;

	open_tls_pair(&a, &b, client);
	b.echo = true;
	for (size_t i = 0; i < 100; i++) {
		char byte = pattern(i);

		buf_append(conn_output(a.c), span_of(&byte, 1));
		conn_flush(a.c);
		UNTIL(a.got.len == i + 1);
	}
	assert_pattern(&a.got, 100);
	close_pair(&a, &b);
	tls_client_context_unref(&client);
}

static void ceilings_hold_while_the_reader_rests(void **state)
{
	enum { TOTAL = 8 << 20 };
	struct tls_client_context *client = make_client(true, "root");
	struct end a, b;

	open_tls_pair(&a, &b, client);
	a.to_send = TOTAL;
	b.hold = true;
	conn_wake(a.c);
	UNTIL(conn_input(b.c).len == CONN_INPUT_MAX && conn_output_pending(a.c) > CONN_OUTPUT_LOW);
	idle_turns();
	assert_true(a.sent < TOTAL);
	b.hold = false;
	conn_wake(b.c);
	UNTIL(b.got.len == TOTAL);
	assert_pattern(&b.got, TOTAL);
	assert_true(b.input_seen_max <= CONN_INPUT_MAX);
	assert_string_equal(b.fault, "");
	assert_true(a.pending_max <= CONN_OUTPUT_MAX + 65536);
	close_pair(&a, &b);
	tls_client_context_unref(&client);
}

static void consume_a_little(struct end *e)
{
	size_t n = conn_input(e->c).len;

	n = n < 1000 ? n : 1000;
	buf_append(&e->got, span_head(conn_input(e->c), n));
	conn_consume(e->c, n);
	if (conn_input(e->c).len)
		conn_wake(e->c);
	e->eof = conn_eof(e->c);
}

static void nothing_is_lost_before_the_end(void **state)
{
	enum { TOTAL = 1 << 20 };
	struct tls_client_context *client = make_client(true, "root");
	struct end a, b;

	open_tls_pair(&a, &b, client);
	b.react = consume_a_little;
	a.to_send = TOTAL;
	conn_wake(a.c);
	UNTIL(a.to_send == 0);
	conn_close(&a.c, CONN_CLOSE_FLUSH);
	UNTIL(b.eof && conn_input(b.c).len == 0);
	assert_pattern(&b.got, TOTAL);
	close_pair(&a, &b);
	tls_client_context_unref(&client);
}

static void half_closed_peer_still_gets_output(void **state)
{
	struct tls_client_context *client = make_client(true, "root");
	struct end a, b;

	open_tls_pair(&a, &b, client);
	say(&a, "question");
	conn_shutdown(a.c);
	UNTIL(b.eof);
	assert_got(&b, "question");
	say(&b, "answer");
	UNTIL(a.got.len == 6);
	assert_got(&a, "answer");
	assert_null(conn_fault(a.c));
	close_pair(&a, &b);
	tls_client_context_unref(&client);
}

static void an_end_without_close_notify_is_an_end(void **state)
{
	struct tls_client_context *client = make_client(true, "root");
	struct end a, b;

	open_tls_pair(&a, &b, client);
	say(&a, "bye");
	UNTIL(b.got.len == 3);
	conn_close(&a.c, CONN_CLOSE_NOW);
	UNTIL(b.eof);
	assert_null(conn_fault(b.c));
	close_pair(&a, &b);
	tls_client_context_unref(&client);
}

/* ---- STARTTLS ---- */

static void injected_plaintext_is_discarded_and_counted(void **state)
{
	struct tls_client_context *client = make_client(true, "root");
	struct end a, b;

	open_tcp_pair(&a, &b);
	b.hold = true;
	say(&a, "STARTTLS\r\nMAIL FROM:<evil@example>\r\n");
	UNTIL(conn_input(b.c).len == 36);
	conn_consume(b.c, 10);
	buf_append_string(conn_output(b.c), "220 go\r\n");
	assert_int_equal(conn_tls_accept(b.c, server), 26);
	assert_int_equal(conn_input(b.c).len, 0);
	b.hold = false;
	UNTIL(a.got.len == 8);
	assert_got(&a, "220 go\r\n");
	assert_int_equal(conn_tls_connect(a.c, client, "mail.example"), 0);
	UNTIL(a.tls && b.tls);
	say(&a, "EHLO b\r\n");
	UNTIL(b.got.len == 8);
	assert_got(&b, "EHLO b\r\n");
	close_pair(&a, &b);
	tls_client_context_unref(&client);
}

static void output_before_tls_goes_out_in_clear(void **state)
{
	struct tls_client_context *client = make_client(true, "root");
	enum { LONG = 250000 };
	char *big = calloc(1, LONG);
	struct end a, b;

	open_pair(&a, &b);
	a.hold = true; /* the clear output is long and the reader slow */
	conn_pause(a.c);
	buf_append(conn_output(b.c), span_of(big, LONG));
	conn_flush(b.c);
	assert_true(conn_output_pending(b.c) > 0);
	buf_append_string(conn_output(b.c), "220 go\r\n");
	conn_tls_accept(b.c, server);
	buf_append_string(conn_output(b.c), "under TLS");
	idle_turns();
	a.hold = false;
	conn_resume(a.c);
	UNTIL(a.got.len == LONG + 8);
	buf_clear(&a.got);
	conn_tls_connect(a.c, client, "mail.example");
	UNTIL(a.got.len == 9);
	assert_got(&a, "under TLS");
	free(big);
	close_pair(&a, &b);
	tls_client_context_unref(&client);
}

static void a_peer_in_clear_is_named_as_such(void **state)
{
	struct tls_client_context *client = make_client(true, "root");
	struct end a, b;

	open_pair(&a, &b);
	conn_tls_connect(a.c, client, "mail.example");
	say(&b, "220 mail.example ESMTP\r\n");
	UNTIL(a.fault[0]);
	assert_non_null(strstr(a.fault, "does not speak TLS"));
	assert_false(conn_tls_active(a.c));
	close_pair(&a, &b);
	tls_client_context_unref(&client);
}

static void a_peer_that_leaves_the_handshake_is_a_fault(void **state)
{
	struct end a, b;

	open_pair(&a, &b);
	conn_tls_accept(b.c, server);
	conn_close(&a.c, CONN_CLOSE_NOW);
	UNTIL(b.fault[0]);
	assert_non_null(strstr(b.fault, "closed the connection during the TLS handshake"));
	close_pair(&a, &b);
}

static void a_silent_peer_ends_with_the_deadline(void **state)
{
	struct end a, b;

	open_pair(&a, &b);
	conn_tls_accept(b.c, server);
	conn_set_deadline(b.c, 10);
	UNTIL(b.fault[0]);
	assert_non_null(strstr(b.fault, "timed out after 10ms"));
	close_pair(&a, &b);
}

static void closing_in_the_handshake_is_clean(void **state)
{
	struct tls_client_context *client = make_client(true, "root");

	for (int turns = 0; turns < 6; turns++) {
		for (int how = CONN_CLOSE_LINGER; how <= CONN_CLOSE_NOW; how++) {
			struct end a, b;

			open_pair(&a, &b);
			start_tls(&a, &b, client, "mail.example");
			buf_append_string(conn_output(b.c), "never to be seen in clear");
			for (int i = 0; i < turns; i++)
				turn();
			conn_close(&b.c, (enum conn_close)how);
			UNTIL(a.eof || a.fault[0]);
			assert_true(a.got.len == 0 || a.tls);
			close_pair(&a, &b);
		}
	}
	tls_client_context_unref(&client);
}

/* ---- verification ---- */

static const struct verify_case {
	const char *name, *certificate, *trust, *wanted;
	bool verify;
	const char *want; /* in the fault, or without verify in verify_problem */
} verify_cases[] = {
	{ "good", "good", "root", "mail.example", true, NULL },
	{ "case of the name", "good", "root", "MAIL.example", true, NULL },
	{ "wildcard", "good", "root", "a.wild.example", true, NULL },
	{ "address", "good", "root", "127.0.0.1", true, NULL },
	{ "another name", "good", "root", "smtp.example", true,
	    "the certificate is for "
	    "mail.example, *.wild.example, 127.0.0.1 and not for smtp.example" },
	{ "another address", "good", "root", "127.0.0.2", true, "and not for 127.0.0.2" },
	{ "wildcard two deep", "good", "root", "a.b.wild.example", true, "and not for a.b.wild" },
	{ "self-signed", "lone", "root", "mail.example", true,
	    "the certificate of lone.example is "
	    "self-signed and not trusted here" },
	{ "self-signed, trusted itself", "lone", "lone", "mail.example", true, NULL },
	{ "unknown issuer", "foreign", "root", "mail.example", true,
	    "the certificate of "
	    "foreign.example was issued by Stranger Root, which is unknown here" },
	{ "expired issuer", "underold", "oldroot", "mail.example", true,
	    "the certificate of "
	    "Old Root expired on 20" },
	{ "another name, unverified", "good", "root", "smtp.example", false, "not for smtp" },
	{ "self-signed, unverified", "lone", "root", "mail.example", false, "self-signed" },
	{ "good, unverified", "good", "root", "mail.example", false, NULL },
};

static void check_info(const struct verify_case *v, const struct end *a)
{
	struct conn_tls_info info;

	assert_true(conn_tls_info(a->c, &info));
	assert_int_equal(info.verified, v->want == NULL);
	if (!v->want)
		assert_null(info.verify_problem);
	else if (!info.verify_problem || !strstr(info.verify_problem, v->want))
		fail_msg("%s: %s", v->name, info.verify_problem ? info.verify_problem : "nothing");
}

static void run_verify_case(const struct verify_case *v)
{
	struct tls_client_context *client = make_client(v->verify, v->trust);
	struct end a, b;

	open_pair(&a, &b);
	start_tls(&a, &b, client, v->wanted);
	UNTIL((a.tls && b.tls) || a.fault[0]);
	if (v->want && v->verify) {
		if (!strstr(a.fault, v->want) || a.tls)
			fail_msg("%s: %s", v->name, a.fault);
		UNTIL(b.fault[0]);
	} else {
		check_info(v, &a);
	}
	close_pair(&a, &b);
	tls_client_context_unref(&client);
}

static void verification_says_what_is_wrong(void **state)
{
	for (size_t i = 0; i < sizeof(verify_cases) / sizeof(verify_cases[0]); i++) {
		struct fault fault;

		tls_server_context_unref(&server);
		server = tls_server_context_create(
		    &(struct tls_server_policy){ maker_path(verify_cases[i].certificate, ".pem"),
			maker_path(verify_cases[i].certificate, ".key") },
		    NULL, &fault);
		assert_non_null(server);
		run_verify_case(&verify_cases[i]);
	}
}

static void the_server_hears_that_it_is_not_trusted(void **state)
{
	struct tls_client_context *client = make_client(true, "stranger");
	struct end a, b;

	open_pair(&a, &b);
	start_tls(&a, &b, client, "mail.example");
	UNTIL(b.fault[0]);
	assert_non_null(strstr(b.fault, "the peer does not trust our certificate"));
	close_pair(&a, &b);
	tls_client_context_unref(&client);
}

/* ---- resumption ---- */

static bool connect_and_say(
    struct tls_client_context *client, struct net_address *address, int listening, const char *name)
{
	struct conn_tls_info info;
	struct end a, b;

	end_init(&a);
	end_init(&b);
	a.c = conn_connect(&loop, address, NULL, 10000, end_ready, &a);
	conn_tls_connect(a.c, client, name);
	UNTIL(conn_connected(a.c));
	b.c = conn_open(&loop, accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), NULL,
	    end_ready, &b);
	conn_tls_accept(b.c, server);
	b.echo = true;
	UNTIL(a.tls);
	say(&a, "hello"); /* the ticket travels with the answer */
	UNTIL(a.got.len == 5);
	assert_true(conn_tls_info(a.c, &info));
	assert_true(info.verified && info.peer_certificate);
	/* Not even an end without a word makes the session a broken one. */
	conn_close(&a.c, CONN_CLOSE_NOW);
	UNTIL(b.eof);
	close_pair(&a, &b);
	return info.resumed;
}

static void sessions_are_resumed_also_across_a_reload(void **state)
{
	struct tls_client_context *client = make_client(true, "root");
	struct tls_client_context *other = make_client(true, "root");
	struct tls_server_context *next;
	struct net_address address;
	int listening = listen_on_loopback(&address);
	struct fault fault;

	assert_false(connect_and_say(client, &address, listening, "mail.example"));
	assert_true(connect_and_say(client, &address, listening, "mail.example"));
	/* Another name, another policy: no session of theirs. */
	assert_false(connect_and_say(client, &address, listening, "a.wild.example"));
	assert_false(connect_and_say(other, &address, listening, "mail.example"));
	next = tls_server_context_create(
	    &(struct tls_server_policy){ maker_path("good", ".pem"), maker_path("good", ".key") },
	    server, &fault);
	tls_server_context_unref(&server);
	server = next;
	assert_true(connect_and_say(client, &address, listening, "mail.example"));
	next = tls_server_context_create(
	    &(struct tls_server_policy){ maker_path("good", ".pem"), maker_path("good", ".key") },
	    NULL, &fault);
	tls_server_context_unref(&server);
	server = next;
	assert_false(connect_and_say(client, &address, listening, "mail.example"));
	close(listening);
	tls_client_context_unref(&client);
	tls_client_context_unref(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tls_comes_up_verified),
		TEST(echo_returns_single_bytes),
		TEST(ceilings_hold_while_the_reader_rests),
		TEST(nothing_is_lost_before_the_end),
		TEST(half_closed_peer_still_gets_output),
		TEST(an_end_without_close_notify_is_an_end),
		TEST(injected_plaintext_is_discarded_and_counted),
		TEST(output_before_tls_goes_out_in_clear),
		TEST(a_peer_in_clear_is_named_as_such),
		TEST(a_peer_that_leaves_the_handshake_is_a_fault),
		TEST(a_silent_peer_ends_with_the_deadline),
		TEST(closing_in_the_handshake_is_clean),
		TEST(verification_says_what_is_wrong),
		TEST(the_server_hears_that_it_is_not_trusted),
		TEST(sessions_are_resumed_also_across_a_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
