/* SPDX-License-Identifier: MIT */
#include "sasl/scram.h"

#include "base/base64.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* RFC 5802, 5 and RFC 7677, 3: the nonces decoded, so that ours come out as theirs. */
static const struct vector {
	enum sasl_mechanism mechanism;
	const char *nonce, *client_first, *server_first, *client_final, *server_final;
} vectors[] = {
	{ SASL_MECHANISM_SCRAM_SHA_1, "fyko+d2lbbFgONRv9qkxdawL",
	    "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
	    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
	    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
	    "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
	    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=" },
	{ SASL_MECHANISM_SCRAM_SHA_256, "rOprNGfwEbeRWgbNEkqO", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
	    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,"
	    "i=4096",
	    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
};

struct player {
	struct sasl_client client;
	struct buf out, random;
	struct sasl_client_settings settings;
};

static void set_up(struct player *p, const char *nonce)
{
	*p = (struct player){ .settings = {
				  .credentials = { SPAN("user"), SPAN("pencil") },
			      } };
	buf_init_secret(&p->out, SASL_CLIENT_BYTES_MAX);
	buf_init(&p->random, 64);
	assert_true(base64_decode(&p->random, span_from_string(nonce)));
	p->settings.random = buf_span(&p->random);
}

static void tear_down(struct player *p)
{
	sasl_client_fini(&p->client);
	buf_fini(&p->out);
	buf_fini(&p->random);
}

static void start(struct player *p, enum sasl_mechanism mechanism)
{
	buf_clear(&p->out);
	sasl_client_start(&p->client, mechanism, &p->settings, true, &p->out);
}

static enum sasl_client_result step(struct player *p, const char *challenge)
{
	buf_clear(&p->out);
	return sasl_client_step(&p->client, span_from_string(challenge), &p->out);
}

static void the_published_exchanges_come_out(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct player p;

		set_up(&p, v->nonce);
		start(&p, v->mechanism);
		assert_string_equal(buf_string(&p.out), v->client_first);
		assert_true(sasl_client_is_slow(&p.client));
		assert_int_equal(step(&p, v->server_first), SASL_CLIENT_RESPOND);
		assert_string_equal(buf_string(&p.out), v->client_final);
		assert_false(sasl_client_may_succeed(&p.client));
		assert_int_equal(step(&p, v->server_final), SASL_CLIENT_RESPOND);
		assert_int_equal(p.out.len, 0);
		assert_true(sasl_client_may_succeed(&p.client));
		assert_int_equal(step(&p, ""), SASL_CLIENT_UNEXPECTED);
		tear_down(&p);
	}
}

static void without_an_initial_response_the_first_message_answers_nothing(void **state)
{
	const struct vector *v = &vectors[0];
	struct player p;

	set_up(&p, v->nonce);
	sasl_client_start(&p.client, v->mechanism, &p.settings, false, &p.out);
	assert_int_equal(p.out.len, 0);
	assert_int_equal(step(&p, ""), SASL_CLIENT_RESPOND);
	assert_string_equal(buf_string(&p.out), v->client_first);
	assert_true(sasl_client_is_slow(&p.client));
	assert_int_equal(step(&p, v->server_first), SASL_CLIENT_RESPOND);
	assert_string_equal(buf_string(&p.out), v->client_final);
	assert_false(sasl_client_is_slow(&p.client));
	tear_down(&p);
}

static void an_ignored_initial_response_is_sent_again_once(void **state)
{
	const struct vector *v = &vectors[0];
	struct player p;

	set_up(&p, v->nonce);
	start(&p, v->mechanism);
	assert_int_equal(step(&p, ""), SASL_CLIENT_RESPOND);
	assert_string_equal(buf_string(&p.out), v->client_first);
	assert_true(p.client.initial_ignored);
	assert_int_equal(step(&p, ""), SASL_CLIENT_UNEXPECTED);
	tear_down(&p);
}

#define NONCE "fyko+d2lbbFgONRv9qkxdawL"
#define FIRST "r=" NONCE "3rfc,s=QSXCR+Q6sek8bf92,"

static const struct bad_first {
	const char *name, *challenge;
	enum sasl_client_result want;
	const char *sentence; /* its beginning */
} bad_firsts[] = {
	{ "a nonce that is ours alone", "r=" NONCE ",s=QSXCR+Q6sek8bf92,i=4096",
	    SASL_CLIENT_UNTRUSTED, "the server's nonce does not extend ours" },
	{ "a nonce that is another's", "r=Fyko+d2lbbFgONRv9qkxdawL3rfc,s=QSXCR+Q6sek8bf92,i=4096",
	    SASL_CLIENT_UNTRUSTED, "the server's nonce does not extend ours" },
	{ "a nonce that is shorter", "r=fyko,s=QSXCR+Q6sek8bf92,i=4096", SASL_CLIENT_UNTRUSTED,
	    "the server's nonce does not extend ours" },
	{ "an empty nonce", "r=,s=QSXCR+Q6sek8bf92,i=4096", SASL_CLIENT_UNEXPECTED, "" },
	{ "one iteration", FIRST "i=1", SASL_CLIENT_UNTRUSTED,
	    "the server asks for 1 iterations of the password's hash, fewer than 4096" },
	{ "one iteration too few", FIRST "i=4095", SASL_CLIENT_UNTRUSTED,
	    "the server asks for 4095" },
	{ "no iterations", FIRST "i=0", SASL_CLIENT_UNEXPECTED, "" },
	{ "negative iterations", FIRST "i=-4096", SASL_CLIENT_UNEXPECTED, "" },
	{ "one iteration too many", FIRST "i=10000001", SASL_CLIENT_UNTRUSTED,
	    "the server asks for 10000001 iterations of the password's hash; more than 10000000" },
	{ "iterations beyond a number", FIRST "i=99999999999999999999999999", SASL_CLIENT_UNTRUSTED,
	    "the server asks for 4294967295" },
	{ "iterations that are no number", FIRST "i=4096x", SASL_CLIENT_UNEXPECTED, "" },
	{ "a salt that is not base64", "r=" NONCE "3rfc,s=%%%,i=4096", SASL_CLIENT_UNEXPECTED, "" },
	{ "an empty salt", "r=" NONCE "3rfc,s=,i=4096", SASL_CLIENT_UNEXPECTED, "" },
	{ "another order", "s=QSXCR+Q6sek8bf92,r=" NONCE "3rfc,i=4096", SASL_CLIENT_UNEXPECTED,
	    "" },
	{ "an extension that must be understood", "m=x," FIRST "i=4096", SASL_CLIENT_UNTRUSTED,
	    "the server demands an extension" },
	{ "the second message first", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", SASL_CLIENT_UNEXPECTED,
	    "" },
	{ "a prompt", "Username:", SASL_CLIENT_UNEXPECTED, "" },
	{ "an error", "e=unknown-user", SASL_CLIENT_RESPOND,
	    "the server says unknown-user: it does not know the user" },
	{ "an error of its own", "e=\x1b[2Joops", SASL_CLIENT_RESPOND,
	    "the server says \"\\x1b[2Joops\"" },
	{ "an extension that may be ignored", FIRST "i=4096,z=1", SASL_CLIENT_RESPOND, "" },
};

static void a_bad_first_message_ends_with_a_sentence_and_no_proof(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_firsts); i++) {
		const struct bad_first *b = &bad_firsts[i];
		struct player p;

		print_message("%s\n", b->name);
		set_up(&p, NONCE);
		start(&p, SASL_MECHANISM_SCRAM_SHA_1);
		assert_int_equal(step(&p, b->challenge), b->want);
		assert_true(span_starts_with(
		    span_from_string(p.client.sentence), span_from_string(b->sentence)));
		assert_false(sasl_client_may_succeed(&p.client));
		if (b->want != SASL_CLIENT_RESPOND)
			assert_int_equal(p.out.len, 0);
		tear_down(&p);
	}
}

/* before, then len times "A", then behind. */
static const struct long_first {
	const char *before;
	size_t len;
	const char *behind;
	enum sasl_client_result want;
} long_firsts[] = {
	{ "r=" NONCE, SASL_SCRAM_NONCE_MAX - 24, ",s=QSXCR+Q6sek8bf92,i=4096",
	    SASL_CLIENT_RESPOND },
	{ "r=" NONCE, SASL_SCRAM_NONCE_MAX - 23, ",s=QSXCR+Q6sek8bf92,i=4096",
	    SASL_CLIENT_UNEXPECTED },
	{ "r=" NONCE "3rfc,s=", 340, ",i=4096", SASL_CLIENT_RESPOND },
	{ "r=" NONCE "3rfc,s=", 344, ",i=4096", SASL_CLIENT_UNEXPECTED },
	{ FIRST "i=4096,z=", SASL_SCRAM_MESSAGE_MAX, "", SASL_CLIENT_UNEXPECTED },
};

static void long_messages_salts_and_nonces_are_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(long_firsts); i++) {
		const struct long_first *f = &long_firsts[i];
		struct buf text;
		struct player p;

		buf_init(&text, 4096);
		buf_append_string(&text, f->before);
		for (size_t k = 0; k < f->len; k++)
			buf_append_byte(&text, 'A');
		buf_append_string(&text, f->behind);
		set_up(&p, NONCE);
		start(&p, SASL_MECHANISM_SCRAM_SHA_1);
		assert_int_equal(step(&p, buf_string(&text)), f->want);
		tear_down(&p);
		buf_fini(&text);
	}
}

static void every_prefix_of_a_servers_message_is_read_without_harm(void **state)
{
	const struct vector *v = &vectors[0];

	for (size_t i = 0; i < strlen(v->server_first); i++) {
		char *copy = mem_dup(v->server_first, i);
		struct player p;
		enum sasl_client_result result;

		set_up(&p, v->nonce);
		start(&p, v->mechanism);
		result = sasl_client_step(&p.client, span_of(copy, i), &p.out);
		assert_true(
		    i == 0 ? result == SASL_CLIENT_RESPOND
			   : result == SASL_CLIENT_UNEXPECTED || result == SASL_CLIENT_UNTRUSTED);
		tear_down(&p);
		mem_free(copy);
	}
	for (size_t i = 0; i < strlen(v->server_final); i++) {
		char *copy = mem_dup(v->server_final, i);
		struct player p;

		set_up(&p, v->nonce);
		start(&p, v->mechanism);
		assert_int_equal(step(&p, v->server_first), SASL_CLIENT_RESPOND);
		assert_int_not_equal(
		    sasl_client_step(&p.client, span_of(copy, i), &p.out), SASL_CLIENT_RESPOND);
		assert_false(sasl_client_may_succeed(&p.client));
		tear_down(&p);
		mem_free(copy);
	}
}

static const struct {
	const char *challenge;
	enum sasl_client_result want;
	const char *sentence;
} finals[] = {
	{ "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=,x=y", SASL_CLIENT_RESPOND, "" },
	{ "v=RmF9pqV8S7suAoZWja4dJRkFsKQ=", SASL_CLIENT_UNTRUSTED,
	    "the server does not prove that it knows the password: its signature is wrong" },
	{ "v=", SASL_CLIENT_UNTRUSTED,
	    "the server does not prove that it knows the password: its signature is wrong" },
	{ "v=%", SASL_CLIENT_UNTRUSTED,
	    "the server does not prove that it knows the password: its signature is wrong" },
	{ "e=invalid-proof", SASL_CLIENT_RESPOND,
	    "the server says invalid-proof: the password is wrong" },
	{ "e=server-does-support-channel-binding", SASL_CLIENT_RESPOND,
	    "the server says server-does-support-channel-binding: it offers channel binding, and "
	    "the offer did not arrive: somebody is in between" },
	{ "", SASL_CLIENT_UNEXPECTED, "" },
	{ "r=x,s=y,i=4096", SASL_CLIENT_UNEXPECTED, "" },
};

static void the_servers_signature_is_checked(void **state)
{
	const struct vector *v = &vectors[0];

	for (size_t i = 0; i < ARRAY_LEN(finals); i++) {
		struct player p;

		set_up(&p, v->nonce);
		start(&p, v->mechanism);
		assert_int_equal(step(&p, v->server_first), SASL_CLIENT_RESPOND);
		assert_int_equal(step(&p, finals[i].challenge), finals[i].want);
		assert_string_equal(p.client.sentence, finals[i].sentence);
		assert_int_equal(sasl_client_may_succeed(&p.client), i == 0);
		tear_down(&p);
	}
}

static void the_header_says_whether_the_login_is_bound(void **state)
{
	static const struct {
		enum sasl_mechanism mechanism;
		struct sasl_binding binding;
		bool offered;
		const char *want;
	} rows[] = {
		{ SASL_MECHANISM_SCRAM_SHA_1, { { "", 0 }, { "", 0 } }, false, "n,,n=" },
		{ SASL_MECHANISM_SCRAM_SHA_1, { { "", 0 }, { "", 0 } }, true, "n,,n=" },
		{ SASL_MECHANISM_SCRAM_SHA_1, { { "e", 1 }, { "", 0 } }, false, "y,,n=" },
		{ SASL_MECHANISM_SCRAM_SHA_1, { { "e", 1 }, { "", 0 } }, true, "n,,n=" },
		{ SASL_MECHANISM_SCRAM_SHA_1_PLUS, { { "e", 1 }, { "", 0 } }, true,
		    "p=tls-exporter,,n=" },
		{ SASL_MECHANISM_SCRAM_SHA_1_PLUS, { { "e", 1 }, { "u", 1 } }, true,
		    "p=tls-unique,,n=" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct player p;

		set_up(&p, NONCE);
		p.settings.binding = rows[i].binding;
		p.settings.binding_offered = rows[i].offered;
		start(&p, rows[i].mechanism);
		assert_true(span_starts_with(buf_span(&p.out), span_from_string(rows[i].want)));
		tear_down(&p);
	}
}

static void names_with_commas_travel(void **state)
{
	struct player p;
	struct buf name;

	set_up(&p, NONCE);
	p.settings.credentials.login = SPAN("a,b=c");
	start(&p, SASL_MECHANISM_SCRAM_SHA_1);
	assert_string_equal(buf_string(&p.out), "n,,n=a=2Cb=3Dc,r=" NONCE);
	tear_down(&p);
	buf_init(&name, 16);
	assert_true(sasl_scram_read_name(SPAN("a=2Cb=3Dc"), &name));
	assert_string_equal(buf_string(&name), "a,b=c");
	assert_false(sasl_scram_read_name(SPAN("=2"), &name));
	assert_false(sasl_scram_read_name(SPAN("=2c"), &name));
	buf_fini(&name);
}

static void a_kept_key_spares_its_derivation_and_holds_for_its_password_only(void **state)
{
	const struct vector *v = &vectors[1];
	struct sasl_scram_cache cache = { 0 };
	const struct sasl_scram_cached *entry = &cache.entries[SASL_HASH_SHA_256];
	char salted[SASL_DIGEST_MAX];
	struct player p;

	for (int round = 0; round < 2; round++) {
		set_up(&p, v->nonce);
		p.settings.scram_cache = &cache;
		start(&p, v->mechanism);
		assert_int_equal(step(&p, v->server_first), SASL_CLIENT_RESPOND);
		assert_string_equal(buf_string(&p.out), v->client_final);
		tear_down(&p);
		assert_int_equal(entry->iterations, 4096);
	}
	assert_true(sasl_scram_cache_find(&cache, SASL_HASH_SHA_256, SPAN("pencil"),
	    span_of(entry->salt, entry->salt_len), 4096, salted));
	assert_false(sasl_scram_cache_find(&cache, SASL_HASH_SHA_256, SPAN("pencils"),
	    span_of(entry->salt, entry->salt_len), 4096, salted));
	assert_false(sasl_scram_cache_find(&cache, SASL_HASH_SHA_256, SPAN("pencil"),
	    span_of(entry->salt, entry->salt_len), 4097, salted));
	assert_false(sasl_scram_cache_find(&cache, SASL_HASH_SHA_256, SPAN("pencil"),
	    span_of(entry->salt, entry->salt_len - 1), 4096, salted));
	assert_false(sasl_scram_cache_find(&cache, SASL_HASH_SHA_1, SPAN("pencil"),
	    span_of(entry->salt, entry->salt_len), 4096, salted));
	/* What is kept is what is used: with another key the proof is another. */
	memset(salted, 'x', sizeof(salted));
	sasl_scram_cache_put(&cache, SASL_HASH_SHA_256, SPAN("pencil"),
	    SPAN("[m\x99h\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81"), 4096, salted);
	set_up(&p, v->nonce);
	p.settings.scram_cache = &cache;
	start(&p, v->mechanism);
	assert_int_equal(step(&p, v->server_first), SASL_CLIENT_RESPOND);
	assert_string_not_equal(buf_string(&p.out), v->client_final);
	tear_down(&p);
	cache.entries[SASL_HASH_SHA_256].salted[0] ^= 1;
	assert_false(sasl_scram_cache_find(&cache, SASL_HASH_SHA_256, SPAN("pencil"),
	    span_of(entry->salt, entry->salt_len), 4096, salted));
	sasl_scram_cache_fini(&cache);
	assert_int_equal(entry->iterations, 0);
}

static void a_nonce_is_printable_without_comma_and_bounded(void **state)
{
	static char text[SASL_SCRAM_NONCE_MAX + 1];

	memset(text, '~', sizeof(text));
	assert_true(sasl_scram_nonce_is_sound(span_of(text, SASL_SCRAM_NONCE_MAX)));
	assert_false(sasl_scram_nonce_is_sound(span_of(text, SASL_SCRAM_NONCE_MAX + 1)));
	assert_true(sasl_scram_nonce_is_sound(SPAN("a=b")));
	assert_false(sasl_scram_nonce_is_sound(SPAN("")));
	assert_false(sasl_scram_nonce_is_sound(SPAN("a,b")));
	assert_false(sasl_scram_nonce_is_sound(SPAN("a b")));
	assert_false(sasl_scram_nonce_is_sound(SPAN("a\0b")));
	assert_false(sasl_scram_nonce_is_sound(SPAN("a\x80")));
}

static void fewer_iterations_can_be_allowed(void **state)
{
	struct player p;

	set_up(&p, NONCE);
	p.settings.scram_iterations_min = 1000;
	start(&p, SASL_MECHANISM_SCRAM_SHA_1);
	assert_int_equal(step(&p, FIRST "i=1000"), SASL_CLIENT_RESPOND);
	tear_down(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_exchanges_come_out),
		cmocka_unit_test(without_an_initial_response_the_first_message_answers_nothing),
		cmocka_unit_test(an_ignored_initial_response_is_sent_again_once),
		cmocka_unit_test(a_bad_first_message_ends_with_a_sentence_and_no_proof),
		cmocka_unit_test(long_messages_salts_and_nonces_are_refused),
		cmocka_unit_test(every_prefix_of_a_servers_message_is_read_without_harm),
		cmocka_unit_test(the_servers_signature_is_checked),
		cmocka_unit_test(the_header_says_whether_the_login_is_bound),
		cmocka_unit_test(names_with_commas_travel),
		cmocka_unit_test(a_kept_key_spares_its_derivation_and_holds_for_its_password_only),
		cmocka_unit_test(a_nonce_is_printable_without_comma_and_bounded),
		cmocka_unit_test(fewer_iterations_can_be_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
