/* SPDX-License-Identifier: MIT */
#include "sasl/ladder.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define AUTO SASL_INITIAL_RESPONSE_AUTO
#define YES SASL_INITIAL_RESPONSE_YES
#define NO SASL_INITIAL_RESPONSE_NO

/* A conversation: what the server says ("334 prompt", decoded, or a reply), and after it the
   ladder's action. Bytes are written with NUL as a bar: "START PLAIN |u|p". The first action has no
   cause. */
static const struct talk {
	const char *name;
	const char *offered;
	enum sasl_initial_response initial_response;
	const char *said[12];
	const char *done[12];
	const char *memory; /* afterwards: "PLAIN+" with, "PLAIN-" without, "PLAIN!" failed */
	const char *memory_before;
} talks[] = {
	{ "PLAIN is the stronger one, with its initial response", "LOGIN PLAIN", AUTO,
	    { "", "235 ok" }, { "START PLAIN |u|p", "DONE" }, "PLAIN+" },
	{ "LOGIN goes without one", "LOGIN", AUTO,
	    { "", "334 Username:", "334 Password:", "235 ok" },
	    { "START LOGIN", "RESPOND u", "RESPOND p", "DONE" }, "LOGIN-" },
	{ "no: PLAIN without", "PLAIN", NO, { "", "334 ", "235 ok" },
	    { "START PLAIN", "RESPOND |u|p", "DONE" }, "PLAIN-" },
	{ "yes: LOGIN with", "LOGIN", YES, { "", "334 Password:", "235 ok" },
	    { "START LOGIN u", "RESPOND p", "DONE" }, "LOGIN+" },
	{ "the other way after 500", "LOGIN SKEY", YES,
	    { "", "500 5.5.1 Invalid command", "334 Username:", "334 Password:", "235 ok" },
	    { "START LOGIN u", "START LOGIN", "RESPOND u", "RESPOND p", "DONE" }, "LOGIN-" },
	{ "the second session makes no detour", "LOGIN SKEY", YES,
	    { "", "334 Username:", "334 Password:", "235 ok" },
	    { "START LOGIN", "RESPOND u", "RESPOND p", "DONE" }, "LOGIN-", "LOGIN-" },
	{ "what was learned can be wrong by now", "LOGIN", AUTO,
	    { "", "501 need more", "334 Password:", "235 ok" },
	    { "START LOGIN", "START LOGIN u", "RESPOND p", "DONE" }, "LOGIN+", "LOGIN-" },
	{ "501, too", "PLAIN", AUTO, { "", "501 x", "334 ", "235 ok" },
	    { "START PLAIN |u|p", "START PLAIN", "RESPOND |u|p", "DONE" }, "PLAIN-" },
	{ "502, too", "PLAIN", AUTO, { "", "502 x", "334 ", "235 ok" },
	    { "START PLAIN |u|p", "START PLAIN", "RESPOND |u|p", "DONE" }, "PLAIN-" },
	{ "503, too", "PLAIN", AUTO, { "", "503 x", "334 ", "235 ok" },
	    { "START PLAIN |u|p", "START PLAIN", "RESPOND |u|p", "DONE" }, "PLAIN-" },
	{ "504, too", "PLAIN", AUTO, { "", "504 x", "334 ", "235 ok" },
	    { "START PLAIN |u|p", "START PLAIN", "RESPOND |u|p", "DONE" }, "PLAIN-" },
	{ "each way of each mechanism, once", "PLAIN LOGIN", YES,
	    { "", "500 a", "500 b", "500 c", "500 d" },
	    { "START PLAIN |u|p", "START PLAIN", "START LOGIN u", "START LOGIN",
		"GIVE_UP confused: the server lists mechanisms for signing in and understands none "
		"of "
		"them: 500 d" },
	    "" },
	{ "a mechanism that is not understood is remembered when another one works", "PLAIN LOGIN",
	    YES, { "", "500 a", "500 b", "500 c", "334 Username:", "334 Password:", "235 ok" },
	    { "START PLAIN |u|p", "START PLAIN", "START LOGIN u", "START LOGIN", "RESPOND u",
		"RESPOND p", "DONE" },
	    "PLAIN! LOGIN-" },
	{ "and comes last in the next session", "PLAIN LOGIN", YES,
	    { "", "334 Username:", "334 Password:", "235 ok" },
	    { "START LOGIN", "RESPOND u", "RESPOND p", "DONE" }, "PLAIN! LOGIN-", "PLAIN! LOGIN-" },
	{ "but comes, when the other fails", "PLAIN LOGIN", AUTO,
	    { "", "504 a", "504 b", "235 ok" },
	    { "START LOGIN", "START LOGIN u", "START PLAIN |u|p", "DONE" }, "PLAIN+ LOGIN-!",
	    "PLAIN! LOGIN-" },
	{ "535 ends it", "PLAIN LOGIN", AUTO, { "", "535 5.7.8 authentication failed" },
	    { "START PLAIN |u|p",
		"GIVE_UP refused: the server refused the login: 535 5.7.8 authentication failed" },
	    "" },
	{ "535 ends it after the other way, too", "PLAIN LOGIN", YES,
	    { "", "500 what", "334 ", "535 authorization failed (#5.7.0)" },
	    { "START PLAIN |u|p", "START PLAIN", "RESPOND |u|p",
		"GIVE_UP refused: the server refused the login: 535 authorization failed "
		"(#5.7.0)" },
	    "" },
	{ "a provider that wants no passwords", "LOGIN XOAUTH2", AUTO,
	    { "",
		"334 Username:", "334 Password:", "535 5.7.139 basic authentication is disabled" },
	    { "START LOGIN", "RESPOND u", "RESPOND p",
		"GIVE_UP refused: the server refused the login: 535 5.7.139 basic authentication "
		"is "
		"disabled" },
	    "" },
	{ "550 5.7.30 ends it", "PLAIN LOGIN", AUTO,
	    { "", "550 5.7.30 Basic authentication is not supported" },
	    { "START PLAIN |u|p", "GIVE_UP refused: the server refused the login: 550 5.7.30 Basic "
				  "authentication is not "
				  "supported" },
	    "" },
	{ "534 5.7.9 ends it", "PLAIN LOGIN", AUTO,
	    { "", "534 5.7.9 Application-specific password required" },
	    { "START PLAIN |u|p", "GIVE_UP refused: the server refused the login: 534 5.7.9 "
				  "Application-specific password "
				  "required" },
	    "" },
	{ "535 about the mechanism leads to the next one", "PLAIN LOGIN", AUTO,
	    { "", "535 5.7.8 Error: authentication failed: Invalid authentication mechanism",
		"334 Username:", "334 Password:", "235 ok" },
	    { "START PLAIN |u|p", "START LOGIN", "RESPOND u", "RESPOND p", "DONE" },
	    "PLAIN! LOGIN-" },
	{ "so does an unrecognized authentication type", "PLAIN LOGIN", AUTO,
	    { "", "535 5.7.4 Unrecognized Authentication Type", "334 ", "334 ", "235 ok" },
	    { "START PLAIN |u|p", "START LOGIN", "RESPOND u", "RESPOND p", "DONE" },
	    "PLAIN! LOGIN-" },
	{ "and a status that says it, as qmail writes it", "PLAIN LOGIN", AUTO,
	    { "", "535 no (#5.7.4)", "334 ", "334 ", "235 ok" },
	    { "START PLAIN |u|p", "START LOGIN", "RESPOND u", "RESPOND p", "DONE" },
	    "PLAIN! LOGIN-" },
	{ "4yz is for now", "PLAIN LOGIN", AUTO,
	    { "", "454 4.7.0 Temporary authentication failure" },
	    { "START PLAIN |u|p",
		"GIVE_UP temporary: the server cannot check the login now: 454 4.7.0 Temporary "
		"authentication failure" },
	    "" },
	{ "a prompt for the name already sent is cancelled, and the other way taken", "LOGIN", YES,
	    { "", "334 Username:", "501 cancelled", "334 Username:", "334 Password:", "235 ok" },
	    { "START LOGIN u", "CANCEL", "START LOGIN", "RESPOND u", "RESPOND p", "DONE" },
	    "LOGIN-" },
	{ "a second request for the name gets the name again", "LOGIN", AUTO,
	    { "", "334 Username:", "334 User name:", "334 Password:", "235 ok" },
	    { "START LOGIN", "RESPOND u", "RESPOND u", "RESPOND p", "DONE" }, "LOGIN-" },
	{ "a third one does not", "LOGIN", AUTO,
	    { "", "334 Username:", "334 Username:", "334 Username:", "501 x",
		"334 Password:", "235 ok" },
	    { "START LOGIN", "RESPOND u", "RESPOND u", "CANCEL", "START LOGIN u", "RESPOND p",
		"DONE" },
	    "LOGIN+" },
	{ "PLAIN whose initial response is ignored", "PLAIN", AUTO, { "", "334 ", "235 ok" },
	    { "START PLAIN |u|p", "RESPOND |u|p", "DONE" }, "PLAIN-" },
	{ "PLAIN that is played as LOGIN gives no token to a prompt", "PLAIN", NO,
	    { "", "334 Username:", "501 cancelled", "235 ok" },
	    { "START PLAIN", "CANCEL", "START PLAIN |u|p", "DONE" }, "PLAIN+" },
	{ "a cancelled login cannot succeed", "LOGIN", YES, { "", "334 Username:", "235 welcome" },
	    { "START LOGIN u", "CANCEL",
		"GIVE_UP confused: the server accepts a login that was cancelled: 334 asks for "
		"\"Username:\"" },
	    "" },
	{ "4yz to a cancellation", "LOGIN", YES, { "", "334 Username:", "454 later" },
	    { "START LOGIN u", "CANCEL",
		"GIVE_UP temporary: the server cannot check the login now: 334 asks for "
		"\"Username:\"" },
	    "" },
	{ "a server that cannot be cancelled", "LOGIN", YES,
	    { "", "334 Username:", "334 Password:", "334 Password:" },
	    { "START LOGIN u", "CANCEL", "CANCEL",
		"GIVE_UP confused: the server goes on asking after the login was cancelled" },
	    "" },
	{ "a server that asks without end", "LOGIN", AUTO,
	    { "", "334 a", "334 b", "334 c", "501 x", "334 a", "334 b", "501 y" },
	    { "START LOGIN", "RESPOND u", "RESPOND p", "CANCEL", "START LOGIN u", "RESPOND p",
		"CANCEL",
		"GIVE_UP confused: the server lists mechanisms for signing in and understands none "
		"of "
		"them: 334 asks for \"b\"" },
	    "" },
};

static void describe_action(const struct sasl_ladder_action *a, struct buf *out)
{
	static const char *const troubles[] = { "none", "no-tls", "not-offered", "no-mechanism",
		"credentials", "refused", "temporary", "confused", "untrusted", "local" };
	static const char *const kinds[] = { "START", "RESPOND", "CANCEL", "DONE", "GIVE_UP" };

	buf_clear(out);
	buf_append_string(out, kinds[a->kind]);
	if (a->kind == SASL_LADDER_START)
		buf_printf(out, " %.*s", SPAN_ARG(a->mechanism));
	if ((a->kind == SASL_LADDER_START && a->has_initial) || a->kind == SASL_LADDER_RESPOND) {
		buf_append_byte(out, ' ');
		for (size_t i = 0; i < a->bytes.len; i++)
			buf_append_byte(out, a->bytes.data[i] ? a->bytes.data[i] : '|');
	}
	if (a->kind == SASL_LADDER_GIVE_UP)
		buf_printf(out, " %s: %s", troubles[a->trouble], a->sentence);
}

static size_t split(const char *text, struct span *words)
{
	struct span rest = span_from_string(text);
	size_t count = 0;

	while (span_take_word(&rest, &words[count]))
		count++;
	return count;
}

static void load_memory(struct sasl_memory *memory, const char *text)
{
	struct span words[4];
	size_t count = split(text ? text : "", words);

	*memory = (struct sasl_memory){ 0 };
	for (size_t i = 0; i < count; i++) {
		enum sasl_mechanism mechanism;

		assert_true(sasl_mechanism_find(span_head(words[i], 5), &mechanism));
		if (span_find(words[i], '+') < words[i].len)
			memory->way[mechanism] = SASL_WAY_WITH_INITIAL;
		if (span_find(words[i], '-') < words[i].len)
			memory->way[mechanism] = SASL_WAY_WITHOUT_INITIAL;
		memory->failed[mechanism] = span_find(words[i], '!') < words[i].len;
	}
}

static void play(const struct talk *t)
{
	struct span offered[4];
	struct sasl_ladder_settings settings = {
		.offered = offered,
		.offered_count = split(t->offered, offered),
		.tls_active = true,
		.credentials = { SPAN("u"), SPAN("p") },
		.initial_response = t->initial_response,
	};
	struct sasl_memory memory, want;
	struct sasl_ladder ladder;
	struct sasl_ladder_action action;
	struct buf text;

	buf_init(&text, 4096);
	load_memory(&memory, t->memory_before);
	load_memory(&want, t->memory);
	sasl_ladder_begin(&ladder, &settings, &memory, &action);
	for (size_t i = 0;; i++) {
		describe_action(&action, &text);
		if (!t->done[i] || strcmp(buf_string(&text), t->done[i]) != 0)
			print_error("%s, step %zu\n", t->name, i);
		assert_non_null(t->done[i]);
		assert_string_equal(buf_string(&text), t->done[i]);
		if (action.kind == SASL_LADDER_DONE || action.kind == SASL_LADDER_GIVE_UP)
			break;
		assert_non_null(t->said[i + 1]);
		if (strncmp(t->said[i + 1], "334 ", 4) == 0)
			sasl_ladder_challenge(
			    &ladder, span_from_string(t->said[i + 1] + 4), &action);
		else
			sasl_ladder_reply(&ladder,
			    (unsigned)(t->said[i + 1][0] - '0') * 100 +
				(unsigned)(t->said[i + 1][1] - '0') * 10 +
				(unsigned)(t->said[i + 1][2] - '0'),
			    span_from_string(t->said[i + 1] + 4), &action);
	}
	assert_memory_equal(memory.way, want.way, sizeof(want.way));
	assert_memory_equal(memory.failed, want.failed, sizeof(want.failed));
	sasl_ladder_fini(&ladder);
	buf_fini(&text);
}

static void the_ladder_goes_the_other_way_once_and_stops_at_a_refusal(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(talks); i++)
		play(&talks[i]);
}

static const struct start_case {
	const char *offered;
	bool tls_active, cleartext_allowed;
	struct span only_mechanism;
	const char *want;
} start_cases[] = {
	{ "PLAIN", false, false, { "", 0 },
	    "GIVE_UP no-tls: the connection is not under TLS: the login is not sent in clear "
	    "text" },
	{ "PLAIN", false, true, { "", 0 }, "START PLAIN |u|p" },
	{ "", true, false, { "", 0 }, "GIVE_UP not-offered: the server does not offer AUTH" },
	{ "", false, true, { "", 0 },
	    "GIVE_UP not-offered: the server does not offer AUTH; many servers offer it only under "
	    "TLS" },
	{ "GSSAPI SKEY", true, false, { "", 0 },
	    "GIVE_UP no-mechanism: the server offers GSSAPI SKEY for signing in; the account has a "
	    "password and no kerberos" },
	{ "PLAIN LOGIN", true, false, { "login", 5 }, "START LOGIN" },
	{ "PLAIN", true, false, { "LOGIN", 5 },
	    "GIVE_UP no-mechanism: the server offers PLAIN for signing in, and only LOGIN may be "
	    "used" },
	{ "PLAIN", true, false, { "CRAM-MD5", 8 },
	    "GIVE_UP no-mechanism: the server offers PLAIN for signing in, and only CRAM-MD5 may "
	    "be used" },
};

static void the_ladder_begins_only_where_it_may(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(start_cases); i++) {
		const struct start_case *c = &start_cases[i];
		struct span offered[4];
		struct sasl_ladder_settings settings = {
			.offered = offered,
			.offered_count = split(c->offered, offered),
			.tls_active = c->tls_active,
			.cleartext_allowed = c->cleartext_allowed,
			.credentials = { SPAN("u"), SPAN("p") },
			.only = &c->only_mechanism,
			.only_count = c->only_mechanism.len > 0,
		};
		struct sasl_memory memory = { 0 };
		struct sasl_ladder ladder;
		struct sasl_ladder_action action;
		struct buf text;

		buf_init(&text, 4096);
		sasl_ladder_begin(&ladder, &settings, &memory, &action);
		describe_action(&action, &text);
		assert_string_equal(buf_string(&text), c->want);
		sasl_ladder_fini(&ladder);
		buf_fini(&text);
	}
}

static void credentials_that_cannot_travel_are_not_tried(void **state)
{
	struct span offered = SPAN("PLAIN");
	struct sasl_ladder_settings settings = {
		.offered = &offered,
		.offered_count = 1,
		.tls_active = true,
		.credentials = { SPAN("u"), SPAN("p\0q") },
	};
	struct sasl_memory memory = { 0 };
	struct sasl_ladder ladder;
	struct sasl_ladder_action action;

	sasl_ladder_begin(&ladder, &settings, &memory, &action);
	assert_int_equal(action.kind, SASL_LADDER_GIVE_UP);
	assert_int_equal(action.trouble, SASL_TROUBLE_CREDENTIALS);
	assert_string_equal(action.sentence, "the password contains a NUL");
	sasl_ladder_fini(&ladder);
}

static void a_server_that_wants_tls_first_is_understood(void **state)
{
	static const unsigned codes[] = { 530, 538 };

	for (size_t i = 0; i < 4; i++) {
		struct span offered = SPAN("PLAIN");
		struct sasl_ladder_settings settings = {
			.offered = &offered,
			.offered_count = 1,
			.tls_active = i >= 2,
			.cleartext_allowed = true,
			.credentials = { SPAN("u"), SPAN("p") },
		};
		struct sasl_memory memory = { 0 };
		struct sasl_ladder ladder;
		struct sasl_ladder_action action;

		sasl_ladder_begin(&ladder, &settings, &memory, &action);
		sasl_ladder_reply(&ladder, codes[i % 2], SPAN("5.7.11 encrypt first"), &action);
		assert_int_equal(action.kind, SASL_LADDER_GIVE_UP);
		assert_int_equal(
		    action.trouble, i < 2 ? SASL_TROUBLE_NO_TLS : SASL_TROUBLE_REFUSED);
		sasl_ladder_fini(&ladder);
	}
}

static void peer_text_in_a_sentence_is_printable(void **state)
{
	static char noise[4000];
	struct span offered = SPAN("PLAIN");
	struct sasl_ladder_settings settings = {
		.offered = &offered,
		.offered_count = 1,
		.tls_active = true,
		.credentials = { SPAN("u"), SPAN("p") },
	};
	struct sasl_memory memory = { 0 };
	struct sasl_ladder ladder;
	struct sasl_ladder_action action;

	memset(noise, 0x1b, sizeof(noise));
	sasl_ladder_begin(&ladder, &settings, &memory, &action);
	sasl_ladder_reply(&ladder, 535, span_of(noise, sizeof(noise)), &action);
	assert_int_equal(action.kind, SASL_LADDER_GIVE_UP);
	assert_null(strchr(action.sentence, 0x1b));
	assert_non_null(strstr(action.sentence, "535 \\x1b"));
	sasl_ladder_fini(&ladder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_ladder_goes_the_other_way_once_and_stops_at_a_refusal),
		cmocka_unit_test(the_ladder_begins_only_where_it_may),
		cmocka_unit_test(credentials_that_cannot_travel_are_not_tried),
		cmocka_unit_test(a_server_that_wants_tls_first_is_understood),
		cmocka_unit_test(peer_text_in_a_sentence_is_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
