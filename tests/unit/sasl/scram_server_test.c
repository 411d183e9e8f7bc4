/* SPDX-License-Identifier: MIT */
#include "sasl/scram_server.h"

#include "base/base64.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#define PLAIN_ONE SASL_MECHANISM_SCRAM_SHA_256
#define PLUS_ONE SASL_MECHANISM_SCRAM_SHA_256_PLUS
#define CHALLENGE SASL_OUTCOME_CHALLENGE
#define LOOKUP SASL_OUTCOME_LOOKUP
#define MALFORMED SASL_OUTCOME_MALFORMED

static const struct sasl_server_setup usual = {
	.random = { "0123456789abcdefghijklmn", 24 },
	.hostname = { "relay.example.org", 17 },
	.decoy_key = { "a key of the process", 20 },
	.binding = { { "exporter", 8 }, { "", 0 } },
};

static const struct first_case {
	const char *name;
	enum sasl_mechanism mechanism;
	bool bound_offered;
	const char *message;
	enum sasl_outcome want;
	const char *said; /* the sentence, or the challenge of a refusal */
} first_cases[] = {
	{ "n", PLAIN_ONE, true, "n,,n=scan,r=abc", LOOKUP, "" },
	{ "y where nothing is bound", PLAIN_ONE, false, "y,,n=scan,r=abc", LOOKUP, "" },
	{ "y where -PLUS was offered is a stripped offer", PLAIN_ONE, true, "y,,n=scan,r=abc",
	    CHALLENGE, "e=server-does-support-channel-binding" },
	{ "p in the plain one", PLAIN_ONE, true, "p=tls-exporter,,n=scan,r=abc", MALFORMED,
	    "the first message must begin with n, or y, (p= is for -PLUS)" },
	{ "p in -PLUS", PLUS_ONE, true, "p=tls-exporter,,n=scan,r=abc", LOOKUP, "" },
	{ "n in -PLUS", PLUS_ONE, true, "n,,n=scan,r=abc", CHALLENGE,
	    "e=channel-bindings-dont-match" },
	{ "a type that is not there", PLUS_ONE, true, "p=tls-unique,,n=scan,r=abc", CHALLENGE,
	    "e=unsupported-channel-binding-type" },
	{ "a type that nobody knows", PLUS_ONE, true, "p=tls-server-end-point,,n=scan,r=abc",
	    CHALLENGE, "e=unsupported-channel-binding-type" },
	{ "the same name to act as", PLAIN_ONE, false, "n,a=scan,n=scan,r=abc", LOOKUP, "" },
	{ "another name to act as", PLAIN_ONE, false, "n,a=boss,n=scan,r=abc", MALFORMED,
	    "the message asks to act as another user than the one who signs in" },
	{ "a demanded extension", PLAIN_ONE, false, "n,,m=x,n=scan,r=abc", CHALLENGE,
	    "e=extensions-not-supported" },
	{ "an extension", PLAIN_ONE, false, "n,,n=scan,r=abc,x=y", LOOKUP, "" },
	{ "no name", PLAIN_ONE, false, "n,,n=,r=abc", MALFORMED, "the user name is empty" },
	{ "a name of another encoding", PLAIN_ONE, false, "n,,n=sc=an,r=abc", MALFORMED,
	    "the user name is malformed or longer than 255 octets" },
	{ "no nonce", PLAIN_ONE, false, "n,,n=scan,r=", MALFORMED,
	    "the first message must hold n=NAME,r=NONCE, the nonce printable and at most 128 "
	    "octets" },
	{ "another order", PLAIN_ONE, false, "n,,r=abc,n=scan", MALFORMED,
	    "the first message must hold n=NAME,r=NONCE, the nonce printable and at most 128 "
	    "octets" },
	{ "nothing", PLAIN_ONE, false, "", MALFORMED,
	    "the first message must be n,,n=NAME,r=NONCE" },
	{ "PLAIN's token", PLAIN_ONE, false, "scan", MALFORMED,
	    "the first message must be n,,n=NAME,r=NONCE" },
};

static void first_messages_are_taken_refused_or_malformed(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(first_cases); i++) {
		const struct first_case *c = &first_cases[i];
		struct sasl_server_setup setup = usual;
		struct sasl_server s;

		print_message("%s\n", c->name);
		setup.bound_offered = c->bound_offered;
		sasl_server_init(&s);
		sasl_server_equip(&s, &setup);
		assert_int_equal(
		    sasl_server_start(&s, c->mechanism, true, span_from_string(c->message)),
		    c->want);
		if (c->want == MALFORMED)
			assert_string_equal(s.sentence, c->said);
		if (c->want == LOOKUP)
			assert_true(span_equal(buf_span(&s.identity.authcid), SPAN("scan")));
		if (c->want == CHALLENGE) {
			assert_true(span_equal(s.challenge, span_from_string(c->said)));
			assert_true(s.refused && s.sentence[0]);
			assert_int_equal(sasl_server_step(&s, SPAN("")), SASL_OUTCOME_REFUSED);
		}
		sasl_server_fini(&s);
	}
}

/* ---- both of our sides ---- */

static void look_up(
    enum sasl_hash hash, struct sasl_scram_keys *keys, struct sasl_scram_verifier *verifier)
{
	char salted[SASL_DIGEST_MAX];

	*verifier = (struct sasl_scram_verifier){ .iterations = 4096, .salt = SPAN("some salt") };
	assert_true(sasl_scram_salt(hash, SPAN("secret"), verifier->salt, 4096, salted));
	assert_true(sasl_scram_keys(hash, salted, keys));
	verifier->stored_key = span_of(keys->stored_key, sasl_digest_len(hash));
	verifier->server_key = span_of(keys->server_key, sasl_digest_len(hash));
}

struct duel {
	struct sasl_client client;
	struct sasl_server server;
	struct buf out;
};

/* As far as client-final, which is in out. */
static void fight(struct duel *d, enum sasl_mechanism mechanism, const char *password, bool known)
{
	struct sasl_client_settings settings = {
		.credentials = { SPAN("scan"), span_from_string(password) },
		.binding = { SPAN("exporter"), SPAN("") },
		.binding_offered = true,
		.random = SPAN("ABCDEFGHIJKLMNOPQRSTUVWX"),
	};
	struct sasl_scram_verifier verifier;
	struct sasl_scram_keys keys;

	buf_init_secret(&d->out, SASL_CLIENT_BYTES_MAX);
	sasl_server_init(&d->server);
	sasl_server_equip(&d->server, &usual);
	sasl_client_start(&d->client, mechanism, &settings, true, &d->out);
	assert_int_equal(sasl_server_start(&d->server, mechanism, true, buf_span(&d->out)), LOOKUP);
	look_up(sasl_scram_hash(mechanism), &keys, &verifier);
	assert_int_equal(
	    sasl_server_found_verifier(&d->server, known ? &verifier : NULL), CHALLENGE);
	buf_clear(&d->out);
	assert_int_equal(
	    sasl_client_step(&d->client, d->server.challenge, &d->out), SASL_CLIENT_RESPOND);
}

static void end(struct duel *d)
{
	sasl_client_fini(&d->client);
	sasl_server_fini(&d->server);
	buf_fini(&d->out);
}

static void both_sides_prove_themselves(void **state)
{
	for (enum sasl_mechanism m = SASL_MECHANISM_SCRAM_SHA_1;
	     m <= SASL_MECHANISM_SCRAM_SHA_256_PLUS; m++) {
		struct duel d;

		fight(&d, m, "secret", true);
		assert_int_equal(sasl_server_step(&d.server, buf_span(&d.out)), CHALLENGE);
		assert_false(d.server.refused);
		buf_clear(&d.out);
		assert_int_equal(
		    sasl_client_step(&d.client, d.server.challenge, &d.out), SASL_CLIENT_RESPOND);
		assert_true(sasl_client_may_succeed(&d.client));
		assert_int_equal(
		    sasl_server_step(&d.server, buf_span(&d.out)), SASL_OUTCOME_PROVED);
		end(&d);
	}
}

static void a_signature_is_acknowledged_with_nothing(void **state)
{
	struct duel d;

	fight(&d, PLAIN_ONE, "secret", true);
	assert_int_equal(sasl_server_step(&d.server, buf_span(&d.out)), CHALLENGE);
	assert_int_equal(sasl_server_step(&d.server, SPAN("thanks")), MALFORMED);
	end(&d);
}

static void an_unknown_user_fails_like_a_wrong_password(void **state)
{
	static const struct {
		const char *password;
		bool known;
	} rows[] = { { "wrong", true }, { "secret", false } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct duel d;

		fight(&d, PLAIN_ONE, rows[i].password, rows[i].known);
		assert_int_equal(sasl_server_step(&d.server, buf_span(&d.out)), CHALLENGE);
		assert_true(d.server.refused);
		assert_true(span_equal(d.server.challenge, SPAN("e=invalid-proof")));
		assert_string_equal(d.server.sentence, "unknown user or wrong password");
		assert_int_equal(sasl_server_step(&d.server, SPAN("")), SASL_OUTCOME_REFUSED);
		end(&d);
	}
}

static void first_challenge(const char *message, char *out, size_t size)
{
	struct sasl_server s;

	sasl_server_init(&s);
	sasl_server_equip(&s, &usual);
	assert_int_equal(sasl_server_start(&s, PLAIN_ONE, true, span_from_string(message)), LOOKUP);
	assert_int_equal(sasl_server_found_verifier(&s, NULL), CHALLENGE);
	assert_true(s.challenge.len < size);
	memcpy(out, s.challenge.data, s.challenge.len);
	out[s.challenge.len] = '\0';
	sasl_server_fini(&s);
}

static void an_unknown_user_has_the_same_salt_at_each_try(void **state)
{
	char first[400], second[400], other[400];

	first_challenge("n,,n=nobody,r=abc", first, sizeof(first));
	first_challenge("n,,n=nobody,r=abc", second, sizeof(second));
	first_challenge("n,,n=noone,r=abc", other, sizeof(other));
	assert_string_equal(first, second);
	assert_string_not_equal(first, other);
	assert_non_null(strstr(first, ",i=4096"));
}

static void a_changed_final_message_is_refused(void **state)
{
	static const struct {
		const char *part, *instead, *said;
	} rows[] = {
		{ "c=biws", "c=eSws", "e=channel-bindings-dont-match" },
		{ "c=biws", "c=%%%%", "e=channel-bindings-dont-match" },
		{ ",r=Q", ",r=R", "e=other-error" },
		{ ",p=", ",x=1,p=", "e=invalid-proof" },
		{ ",p=", ",q=", NULL },
		{ "c=", "d=", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct duel d;
		struct buf changed;
		size_t at, len = strlen(rows[i].part);

		fight(&d, PLAIN_ONE, "secret", true);
		at = span_find_span(buf_span(&d.out), span_from_string(rows[i].part));
		assert_true(at < d.out.len);
		buf_init(&changed, 1024);
		buf_append(&changed, span_head(buf_span(&d.out), at));
		buf_append_string(&changed, rows[i].instead);
		buf_append(&changed, span_skip(buf_span(&d.out), at + len));
		assert_int_equal(sasl_server_step(&d.server, buf_span(&changed)),
		    rows[i].said ? CHALLENGE : MALFORMED);
		if (rows[i].said)
			assert_true(span_equal(d.server.challenge, span_from_string(rows[i].said)));
		buf_fini(&changed);
		end(&d);
	}
}

static void every_prefix_of_a_clients_message_is_read_without_harm(void **state)
{
	static const char first[] = "n,a=scan,n=scan,r=abc";
	size_t finals = 1;

	for (size_t i = 0; i < strlen(first); i++) {
		char *copy = mem_dup(first, i);
		struct sasl_server s;

		sasl_server_init(&s);
		sasl_server_equip(&s, &usual);
		assert_int_equal(sasl_server_start(&s, PLAIN_ONE, true, span_of(copy, i)),
		    i > strlen("n,a=scan,n=scan,r=") ? LOOKUP : MALFORMED);
		sasl_server_fini(&s);
		mem_free(copy);
	}
	for (size_t i = 0; i < finals; i++) {
		struct duel d;
		char *copy;
		enum sasl_outcome outcome;

		fight(&d, PLUS_ONE, "secret", true);
		finals = d.out.len;
		copy = mem_dup(buf_span(&d.out).data, i);
		outcome = sasl_server_step(&d.server, span_of(copy, i));
		assert_true(outcome == MALFORMED || (outcome == CHALLENGE && d.server.refused));
		mem_free(copy);
		end(&d);
	}
}

static void a_reply_line_holds_the_longest_challenge(void **state)
{
	static char salt[128], nonce[129];
	struct sasl_scram_verifier verifier = { .iterations = SASL_SCRAM_ITERATIONS_MAX,
		.salt = { salt, sizeof(salt) },
		.stored_key = { salt, 32 },
		.server_key = { salt, 32 } };
	struct sasl_server s;
	struct buf message, encoded;

	memset(nonce, 'n', sizeof(nonce) - 1);
	buf_init(&message, 1024);
	buf_init(&encoded, 1024);
	buf_printf(&message, "n,,n=scan,r=%s", nonce);
	sasl_server_init(&s);
	sasl_server_equip(&s, &usual);
	assert_int_equal(sasl_server_start(&s, PLAIN_ONE, true, buf_span(&message)), LOOKUP);
	assert_int_equal(sasl_server_found_verifier(&s, &verifier), CHALLENGE);
	assert_true(base64_encode(&encoded, s.challenge));
	assert_true(4 + encoded.len + 2 <= 512);
	buf_append_byte(&message, 'n');
	assert_int_equal(sasl_server_start(&s, PLAIN_ONE, true, buf_span(&message)), MALFORMED);
	sasl_server_fini(&s);
	buf_fini(&message);
	buf_fini(&encoded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_messages_are_taken_refused_or_malformed),
		cmocka_unit_test(both_sides_prove_themselves),
		cmocka_unit_test(a_signature_is_acknowledged_with_nothing),
		cmocka_unit_test(an_unknown_user_fails_like_a_wrong_password),
		cmocka_unit_test(an_unknown_user_has_the_same_salt_at_each_try),
		cmocka_unit_test(a_changed_final_message_is_refused),
		cmocka_unit_test(every_prefix_of_a_clients_message_is_read_without_harm),
		cmocka_unit_test(a_reply_line_holds_the_longest_challenge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
