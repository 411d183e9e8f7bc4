/* SPDX-License-Identifier: MIT */
/* The ladder with all mechanisms: which one comes first, and what a refusal or a lie leads to. */
#include "sasl/ladder.h"

#include "base/memory.h"
#include "sasl/scram_server.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANDOM SPAN("0123456789abcdefghijklmn")
#define ALL                                                                                        \
	"LOGIN PLAIN NTLM CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 "         \
	"SCRAM-SHA-256-PLUS XOAUTH2 OAUTHBEARER GSSAPI EXTERNAL"

/* Letters of what the account has: P password, T token, C certificate, U one that the server did
   not ask for, K kerberos, N no login; B: the connection can be bound, I: it is in clear. */
struct fixture {
	struct span offered[16], only[4];
	struct sasl_ladder_settings settings;
	struct sasl_memory memory;
	struct sasl_ladder ladder;
	struct sasl_ladder_action action;
	struct buf text;
};

static size_t split(const char *text, struct span *words)
{
	struct span rest = span_from_string(text);
	size_t count = 0;

	while (span_take_word(&rest, &words[count]))
		count++;
	return count;
}

static bool has(const char *letters, char letter)
{
	return strchr(letters, letter) != NULL;
}

static void set_up(struct fixture *f, const char *offered, const char *letters, const char *only)
{
	memset(f, 0, sizeof(*f));
	f->settings = (struct sasl_ladder_settings){
		.offered = f->offered,
		.offered_count = split(offered, f->offered),
		.only = f->only,
		.only_count = split(only, f->only),
		.tls_active = !has(letters, 'I'),
		.cleartext_allowed = true,
		.credentials = { .login = has(letters, 'N') ? SPAN("") : SPAN("u"),
		    .password = has(letters, 'P') ? SPAN("p") : SPAN(""),
		    .token = has(letters, 'T') ? SPAN("t0ken") : SPAN(""),
		    .certificate = has(letters, 'C'),
		    .certificate_unasked = has(letters, 'U'),
		    .kerberos = has(letters, 'K'),
		    .host = SPAN("hop.example.net"),
		    .port = 587 },
		.random = RANDOM,
	};
	if (has(letters, 'B'))
		f->settings.binding.tls_exporter = SPAN("exporter");
	buf_init(&f->text, 16384);
}

static void tear_down(struct fixture *f)
{
	sasl_ladder_fini(&f->ladder);
	buf_fini(&f->text);
}

static const char *describe(struct fixture *f)
{
	static const char *const kinds[] = { "START", "RESPOND", "CANCEL", "DONE", "GIVE_UP" };
	static const char *const troubles[] = { "none", "no-tls", "not-offered", "no-mechanism",
		"credentials", "refused", "temporary", "confused", "untrusted", "local" };
	const struct sasl_ladder_action *a = &f->action;

	buf_clear(&f->text);
	buf_append_string(&f->text, kinds[a->kind]);
	if (a->kind == SASL_LADDER_START || a->kind == SASL_LADDER_DONE)
		buf_printf(&f->text, " %.*s", SPAN_ARG(a->mechanism));
	if ((a->kind == SASL_LADDER_START && a->has_initial) || a->kind == SASL_LADDER_RESPOND) {
		buf_printf(&f->text, " %u ", a->payload);
		for (size_t i = 0; i < a->bytes.len; i++)
			buf_append_byte(&f->text, a->bytes.data[i] == '\0'   ? '|'
						  : a->bytes.data[i] == '\1' ? '^'
									     : a->bytes.data[i]);
	}
	if (a->kind == SASL_LADDER_GIVE_UP)
		buf_printf(&f->text, " %s %.*s: %s", troubles[a->trouble], SPAN_ARG(a->mechanism),
		    a->sentence);
	return buf_string(&f->text);
}

static void begin(struct fixture *f)
{
	sasl_ladder_begin(&f->ladder, &f->settings, &f->memory, &f->action);
}

/* "334 text" or a reply. */
static void hear(struct fixture *f, const char *text)
{
	if (strncmp(text, "334 ", 4) == 0)
		sasl_ladder_challenge(&f->ladder, span_from_string(text + 4), &f->action);
	else
		sasl_ladder_reply(&f->ladder,
		    (unsigned)(text[0] - '0') * 100 + (unsigned)(text[1] - '0') * 10 +
			(unsigned)(text[2] - '0'),
		    span_from_string(text + 4), &f->action);
}

/* ---- the beginning ---- */

static const struct first_case {
	const char *offered, *letters, *only, *want; /* want: how the first action begins */
} first_cases[] = {
	{ ALL, "PB", "", "START SCRAM-SHA-256-PLUS 0 p=tls-exporter,,n=u,r=" },
	{ ALL, "P", "", "START SCRAM-SHA-256 0 n,,n=u,r=" },
	{ "PLAIN SCRAM-SHA-256", "PB", "", "START SCRAM-SHA-256 0 y,,n=u,r=" },
	{ "PLAIN SCRAM-SHA-1-PLUS SCRAM-SHA-1", "P", "", "START SCRAM-SHA-1 0 n,,n=u,r=" },
	{ "PLAIN SCRAM-SHA-512-PLUS SCRAM-SHA-1", "PB", "", "START SCRAM-SHA-1 0 n,,n=u,r=" },
	{ "LOGIN PLAIN NTLM CRAM-MD5 DIGEST-MD5", "P", "", "START DIGEST-MD5" },
	{ "LOGIN PLAIN NTLM CRAM-MD5", "P", "", "START CRAM-MD5" },
	{ "LOGIN PLAIN NTLM", "P", "", "START NTLM" },
	{ ALL, "T", "",
	    "START OAUTHBEARER 0 n,a=u,^host=hop.example.net^port=587^auth=Bearer t0ken^^" },
	{ "LOGIN PLAIN XOAUTH2", "T", "", "START XOAUTH2 0 user=u^auth=Bearer t0ken^^" },
	{ "LOGIN PLAIN XOAUTH2", "PT", "", "START XOAUTH2 0 user=u^auth=Bearer t0ken^^" },
	{ ALL, "KP", "", "START GSSAPI" },
	{ ALL, "P", "CRAM-MD5 LOGIN", "START CRAM-MD5" },
	{ ALL, "P", "login", "START LOGIN" },
	{ ALL, "CP", "", "START EXTERNAL 0 u" },
	{ ALL, "CN", "", "START EXTERNAL 0 " },
	{ ALL, "KN", "", "START GSSAPI" },
	{ "XOAUTH2", "P", "",
	    "GIVE_UP no-mechanism : the server offers XOAUTH2 for signing in; the account has a "
	    "password and no oauth block" },
	{ "XOAUTH2 EXTERNAL SKEY", "P", "",
	    "GIVE_UP no-mechanism : the server offers XOAUTH2 EXTERNAL SKEY for signing in; the "
	    "account has a password and no oauth block and no certificate" },
	{ "PLAIN LOGIN", "T", "",
	    "GIVE_UP no-mechanism : the server offers PLAIN LOGIN for signing in; the account has "
	    "an access token and no password" },
	{ "PLAIN", "CN", "",
	    "GIVE_UP no-mechanism : the server offers PLAIN for signing in; the account has a "
	    "certificate and no password" },
	{ "EXTERNAL", "UN", "",
	    "GIVE_UP no-mechanism : the server offers EXTERNAL for signing in; the account has a "
	    "certificate; the server did not ask for the certificate in the TLS handshake, as it "
	    "must be set up to do before EXTERNAL can work" },
	{ "PLAIN", "UN", "",
	    "GIVE_UP no-mechanism : the server offers PLAIN for signing in; the account has a "
	    "certificate and no password; the server did not ask for the certificate in the TLS "
	    "handshake, as it must be set up to do before EXTERNAL can work" },
	{ "PLAIN", "UP", "", "START PLAIN 0 |u|p" },
	{ "PLAIN", "UP", "EXTERNAL",
	    "GIVE_UP no-mechanism : the server offers PLAIN for signing in, and only EXTERNAL may "
	    "be used; the server did not ask for the certificate in the TLS handshake, as it must "
	    "be set up to do before EXTERNAL can work" },
	{ "", "UN", "",
	    "GIVE_UP not-offered : the server does not offer AUTH; the server did not ask "
	    "for the certificate in the TLS handshake, as it must be set up to do before EXTERNAL "
	    "can work" },
	{ "EXTERNAL", "UIN", "",
	    "GIVE_UP no-mechanism : the server offers EXTERNAL for signing in; the account has a "
	    "certificate; the certificate can be shown under TLS only" },
	{ "GSSAPI", "T", "",
	    "GIVE_UP no-mechanism : the server offers GSSAPI for signing in; the account has an "
	    "access token and no kerberos" },
	{ "SKEY", "P", "",
	    "GIVE_UP no-mechanism : the server offers SKEY for signing in, and Frank speaks "
	    "nothing "
	    "of that" },
	{ "SCRAM-SHA-256-PLUS", "P", "",
	    "GIVE_UP no-mechanism : the server offers SCRAM-SHA-256-PLUS for signing in, and that "
	    "cannot be done on this connection: nothing of its TLS can be bound to" },
	{ "PLAIN LOGIN", "P", "SCRAM-SHA-256 SCRAM-SHA-1",
	    "GIVE_UP no-mechanism : the server offers PLAIN LOGIN for signing in, and only "
	    "SCRAM-SHA-256 SCRAM-SHA-1 may be used" },
};

static void the_strongest_that_can_be_served_comes_first(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(first_cases); i++) {
		const struct first_case *c = &first_cases[i];
		struct fixture f;

		print_message("%s, %s, %s\n", c->offered, c->letters, c->only);
		set_up(&f, c->offered, c->letters, c->only);
		begin(&f);
		assert_memory_equal(describe(&f), c->want, strlen(c->want));
		tear_down(&f);
	}
}

/* ---- conversations ---- */

static const struct talk {
	const char *name, *offered, *letters;
	const char *said[8];
	const char *done[8]; /* how the actions begin */
} talks[] = {
	{ "CRAM-MD5", "PLAIN CRAM-MD5", "P", { "", "334 <1@hop.example.net>", "235 ok" },
	    { "START CRAM-MD5", "RESPOND 0 u ", "DONE CRAM-MD5" } },
	{ "a refused digest is not tried as a password", "PLAIN LOGIN CRAM-MD5", "P",
	    { "", "334 <1@hop.example.net>", "535 5.7.8 no" },
	    { "START CRAM-MD5", "RESPOND 0 u ",
		"GIVE_UP refused CRAM-MD5: the server refused the login: 535 5.7.8 no" } },
	{ "a user without a stored secret", "PLAIN CRAM-MD5", "P",
	    { "", "334 <1@hop.example.net>",
		"535 5.7.8 Error: authentication failed: no mechanism available", "235 ok" },
	    { "START CRAM-MD5", "RESPOND 0 u ", "START PLAIN 0 |u|p", "DONE PLAIN" } },
	{ "CRAM-MD5 that is not understood is not begun with an initial response", "PLAIN CRAM-MD5",
	    "P", { "", "501 what", "235 ok" },
	    { "START CRAM-MD5", "START PLAIN 0 |u|p", "DONE PLAIN" } },
	{ "a refused certificate leaves the password", "PLAIN EXTERNAL", "CP",
	    { "", "535 5.7.8 no certificate", "235 ok" },
	    { "START EXTERNAL 0 u", "START PLAIN 0 |u|p", "DONE PLAIN" } },
	{ "a refused password leaves nothing", "PLAIN EXTERNAL", "P", { "", "535 5.7.8 no" },
	    { "START PLAIN 0 |u|p",
		"GIVE_UP refused PLAIN: the server refused the login: 535 5.7.8 no" } },
	{ "a token's refusal is explained", "XOAUTH2 PLAIN", "T",
	    { "", "334 {\"status\":\"401\"}", "535 5.7.8 credentials rejected" },
	    { "START XOAUTH2 0 ", "RESPOND 1 ",
		"GIVE_UP refused XOAUTH2: the server refused the login: 535 5.7.8 credentials "
		"rejected; the server says of the token: status \"401\"" } },
	{ "and is not tried in the other form", "XOAUTH2 OAUTHBEARER", "T",
	    { "", "334 {\"status\":\"invalid_token\"}", "535 5.7.8 no" },
	    { "START OAUTHBEARER 0 ", "RESPOND 1 ^", "GIVE_UP refused OAUTHBEARER: " } },
	{ "a token whose initial response is ignored", "XOAUTH2", "T",
	    { "", "334 ", "334 {}", "535 no" },
	    { "START XOAUTH2 0 user=u^", "RESPOND 0 user=u^", "RESPOND 1 ",
		"GIVE_UP refused XOAUTH2: " } },
	{ "a token at a server that rejects initial responses", "XOAUTH2", "T",
	    { "", "501 x", "334 ", "235 ok" },
	    { "START XOAUTH2 0 user=u^", "START XOAUTH2", "RESPOND 0 user=u^", "DONE XOAUTH2" } },
	{ "a token at a server that never ends asking", "XOAUTH2", "T",
	    { "", "334 {}", "334 {}", "334 {}", "334 {}" },
	    { "START XOAUTH2 0 ", "RESPOND 1 ", "CANCEL", "CANCEL",
		"GIVE_UP confused XOAUTH2: the server goes on asking after the login was "
		"cancelled" } },
	{ "EXTERNAL without initial responses", "EXTERNAL", "CN", { "", "501 x", "334 ", "235 ok" },
	    { "START EXTERNAL 0 ", "START EXTERNAL", "RESPOND 0 ", "DONE EXTERNAL" } },
	{ "a SCRAM server with one iteration gets no password", "PLAIN SCRAM-SHA-256", "P",
	    { "", "334 r=rkAJs8V0vPY6yMj1yXLVBQ3bzzzzzzzzzzzz,s=QSXCR+Q6sek8bf92,i=4096",
		"501 cancelled" },
	    { "START SCRAM-SHA-256 0 n,,n=u,r=", "CANCEL",
		"GIVE_UP untrusted SCRAM-SHA-256: SCRAM-SHA-256: the server's nonce does not "
		"extend ours" } },
	{ "not after a yes to the cancellation either", "PLAIN SCRAM-SHA-256", "P",
	    { "", "334 r=x,s=QSXCR+Q6sek8bf92,i=4096", "235 welcome" },
	    { "START SCRAM-SHA-256 0 n,,n=u,r=", "CANCEL", "GIVE_UP untrusted SCRAM-SHA-256: " } },
	{ "nor after challenges without end", "PLAIN SCRAM-SHA-256", "P",
	    { "", "334 r=x,s=QSXCR+Q6sek8bf92,i=4096", "334 x", "334 x" },
	    { "START SCRAM-SHA-256 0 n,,n=u,r=", "CANCEL", "CANCEL",
		"GIVE_UP untrusted SCRAM-SHA-256: " } },
	{ "a yes without a proof is none", "PLAIN SCRAM-SHA-256", "P", { "", "235 welcome" },
	    { "START SCRAM-SHA-256 0 n,,n=u,r=",
		"GIVE_UP untrusted SCRAM-SHA-256: SCRAM-SHA-256: the server accepts the login and "
		"does not prove that it knows the secret" } },
	{ "a SCRAM server that plays LOGIN leads to the next one", "PLAIN SCRAM-SHA-256", "P",
	    { "", "334 Username:", "501 x", "334 Username:", "501 x", "235 ok" },
	    { "START SCRAM-SHA-256 0 ", "CANCEL", "START SCRAM-SHA-256", "CANCEL",
		"START PLAIN 0 |u|p", "DONE PLAIN" } },
	{ "SCRAM's own refusal", "PLAIN SCRAM-SHA-256", "P",
	    { "", "334 e=unknown-user", "535 5.7.8 no" },
	    { "START SCRAM-SHA-256 0 ", "RESPOND 1 ",
		"GIVE_UP refused SCRAM-SHA-256: the server refused the login: 535 5.7.8 no; the "
		"server says unknown-user: it does not know the user" } },
	{ "4yz after a proof", "PLAIN SCRAM-SHA-256", "P", { "", "454 4.7.0 later" },
	    { "START SCRAM-SHA-256 0 ",
		"GIVE_UP temporary SCRAM-SHA-256: the server cannot check the login now: 454 4.7.0 "
		"later" } },
	{ "without a ticket the password is tried", "PLAIN GSSAPI", "KP",
	    { "", "334 ", "501 cancelled", "235 ok" },
	    { "START GSSAPI", "CANCEL", "START PLAIN 0 |u|p", "DONE PLAIN" } },
	{ "and without either it is said", "PLAIN GSSAPI", "KN", { "", "334 ", "501 cancelled" },
	    { "START GSSAPI", "CANCEL",
		"GIVE_UP local GSSAPI: no Kerberos ticket for smtp/hop.example.net could be "
		"had" } },
};

static void play(const struct talk *t)
{
	struct fixture f;

	print_message("%s\n", t->name);
	set_up(&f, t->offered, t->letters, "");
	begin(&f);
	for (size_t i = 0;; i++) {
		const char *done = describe(&f);

		assert_non_null(t->done[i]);
		if (strncmp(done, t->done[i], strlen(t->done[i])) != 0)
			assert_string_equal(done, t->done[i]);
		if (f.action.kind == SASL_LADDER_DONE || f.action.kind == SASL_LADDER_GIVE_UP)
			break;
		assert_non_null(t->said[i + 1]);
		hear(&f, t->said[i + 1]);
	}
	tear_down(&f);
}

static void refusals_and_lies_have_a_defined_end(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(talks); i++)
		play(&talks[i]);
}

/* ---- against our own server ---- */

static void a_whole_login_by_scram_says_when_it_is_slow(void **state)
{
	const struct sasl_server_setup setup = { .random = SPAN("abcdefghijklmnop"),
		.decoy_key = SPAN("key"),
		.binding = { SPAN("exporter"), SPAN("") } };
	struct sasl_scram_verifier verifier = { .iterations = 4096, .salt = SPAN("salt") };
	struct sasl_scram_keys keys;
	struct sasl_scram_cache cache = { 0 };
	char salted[SASL_DIGEST_MAX];
	struct sasl_server s;
	struct fixture f;

	assert_true(sasl_scram_salt(SASL_HASH_SHA_256, SPAN("p"), verifier.salt, 4096, salted));
	assert_true(sasl_scram_keys(SASL_HASH_SHA_256, salted, &keys));
	verifier.stored_key = span_of(keys.stored_key, 32);
	verifier.server_key = span_of(keys.server_key, 32);
	set_up(&f, ALL, "PB", "");
	f.settings.scram_cache = &cache;
	begin(&f);
	sasl_server_init(&s);
	sasl_server_equip(&s, &setup);
	assert_int_equal(sasl_server_start(&s, SASL_MECHANISM_SCRAM_SHA_256_PLUS,
			     f.action.has_initial, f.action.bytes),
	    SASL_OUTCOME_LOOKUP);
	assert_int_equal(sasl_server_found_verifier(&s, &verifier), SASL_OUTCOME_CHALLENGE);
	assert_true(sasl_ladder_is_slow(&f.ladder));
	sasl_ladder_challenge(&f.ladder, s.challenge, &f.action);
	assert_int_equal(f.action.payload, 1);
	assert_int_equal(sasl_server_step(&s, f.action.bytes), SASL_OUTCOME_CHALLENGE);
	assert_false(s.refused);
	sasl_ladder_challenge(&f.ladder, s.challenge, &f.action);
	assert_int_equal(sasl_server_step(&s, f.action.bytes), SASL_OUTCOME_PROVED);
	sasl_ladder_reply(&f.ladder, 235, SPAN("ok"), &f.action);
	assert_string_equal(describe(&f), "DONE SCRAM-SHA-256-PLUS");
	assert_false(sasl_ladder_is_slow(&f.ladder));
	assert_int_equal(f.memory.way[SASL_MECHANISM_SCRAM_SHA_256_PLUS], SASL_WAY_WITH_INITIAL);
	assert_int_equal(cache.entries[SASL_HASH_SHA_256].iterations, 4096);
	sasl_scram_cache_fini(&cache);
	sasl_server_fini(&s);
	tear_down(&f);
}

static void each_exchange_has_a_nonce_of_its_own(void **state)
{
	char first[64], second[64];
	struct fixture f;

	set_up(&f, "SCRAM-SHA-256 SCRAM-SHA-1", "P", "");
	begin(&f);
	snprintf(first, sizeof(first), "%.50s", strstr(describe(&f), "r="));
	hear(&f, "535 unknown mechanism");
	snprintf(second, sizeof(second), "%.50s", strstr(describe(&f), "r="));
	assert_string_not_equal(first, second);
	tear_down(&f);
}

static void without_random_octets_there_is_no_scram(void **state)
{
	struct fixture f;

	set_up(&f, "PLAIN SCRAM-SHA-256", "P", "");
	f.settings.random = SPAN("");
	begin(&f);
	assert_string_equal(describe(&f), "START PLAIN 0 |u|p");
	tear_down(&f);
}

static void yes_makes_no_initial_response_where_the_server_speaks_first(void **state)
{
	static const char *const offers[] = { "CRAM-MD5", "DIGEST-MD5", "NTLM" };

	for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
		struct fixture f;

		set_up(&f, offers[i], "P", "");
		f.settings.initial_response = SASL_INITIAL_RESPONSE_YES;
		begin(&f);
		assert_int_equal(f.action.kind, SASL_LADDER_START);
		assert_false(f.action.has_initial);
		tear_down(&f);
	}
}

static void a_certificate_counts_under_tls_only(void **state)
{
	struct fixture f;

	set_up(&f, "PLAIN EXTERNAL", "CP", "");
	f.settings.tls_active = false;
	f.settings.cleartext_allowed = true;
	begin(&f);
	assert_string_equal(describe(&f), "START PLAIN 0 |u|p");
	tear_down(&f);
}

static void what_was_refused_comes_last_when_another_one_works(void **state)
{
	struct fixture f;

	set_up(&f, "PLAIN EXTERNAL", "CP", "");
	begin(&f);
	hear(&f, "535 no");
	hear(&f, "235 ok");
	assert_true(f.memory.failed[SASL_MECHANISM_EXTERNAL]);
	assert_false(f.memory.failed[SASL_MECHANISM_PLAIN]);
	begin(&f);
	assert_string_equal(describe(&f), "START PLAIN 0 |u|p");
	tear_down(&f);
}

/* No ticket of whoever runs this. */
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_strongest_that_can_be_served_comes_first),
		cmocka_unit_test(refusals_and_lies_have_a_defined_end),
		cmocka_unit_test(a_whole_login_by_scram_says_when_it_is_slow),
		cmocka_unit_test(each_exchange_has_a_nonce_of_its_own),
		cmocka_unit_test(without_random_octets_there_is_no_scram),
		cmocka_unit_test(yes_makes_no_initial_response_where_the_server_speaks_first),
		cmocka_unit_test(a_certificate_counts_under_tls_only),
		cmocka_unit_test(what_was_refused_comes_last_when_another_one_works),
	};

	setenv("KRB5CCNAME", "FILE:/nonexistent/tickets", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
