/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base64.h"
#include "base/conceal.h"

#include <string.h>

#define LONG "ya29.a0AfH6SMBx-Jq7_long.token/with+letters~and=0123456789"

static const struct row {
	const char *name, *secret, *text, *want; /* NULL: nothing is hidden */
} rows[] = {
	{ "as it is", "Secret-42", "5.7.8 bad Secret-42 here", "5.7.8 bad [hidden] here" },
	{ "in another case", "Secret-42", "5.7.8 SECRET-42", "5.7.8 [hidden]" },
	{ "twice, with the words around", "Secret-42", "a xSecret-42y (Secret-42) b",
	    "a [hidden] ([hidden]) b" },
	{ "a part of a short one is no secret", "Secret-42", "Secret is not enough", NULL },
	{ "too short to be one", "abc", "abc", NULL },
	{ "four octets", "abcd", "x abcd y", "x [hidden] y" },
	{ "as base64", "Secret-42", "no: U2VjcmV0LTQy", "no: [hidden]" },
	/* \0scanner@example.org\0Secret-42, and with one and two octets more in front */
	{ "in PLAIN's payload", "Secret-42",
	    "501 AUTH PLAIN AHNjYW5uZXJAZXhhbXBsZS5vcmcAU2VjcmV0LTQy?", "501 AUTH PLAIN [hidden]" },
	{ "one octet further", "Secret-42", "x YQBzY2FubmVyAFNlY3JldC00Mg== y", "x [hidden] y" },
	{ "two octets further", "Secret-42", "x YWIAc2Nhbm5lcgBTZWNyZXQtNDI= y", "x [hidden] y" },
	{ "a token", LONG, "the token '" LONG "' has expired", "the token '[hidden]' has expired" },
	{ "cut after a piece", LONG, "expired: ya29.a0AfH6S...", "expired: [hidden]" },
	{ "a piece of its middle", LONG, "expired: _long.token/ and", "expired: [hidden] and" },
	{ "eleven octets are no piece", LONG, "expired: ya29.a0AfH6", NULL },
	{ "its end", LONG, "...=0123456789 and=0123456789", "...=0123456789 [hidden]" },
	{ "nothing of it", LONG, "5.7.8 Error: authentication failed", NULL },
	{ "a line of nothing", LONG, "", NULL },
};

static void check(const struct conceal *c, const struct row *row, struct span text)
{
	struct buf out;

	buf_init(&out, 1000);
	buf_append_string(&out, "=");
	print_message("%s\n", row->name);
	assert_int_equal(conceal_hide(c, text, &out), row->want != NULL);
	assert_int_equal(out.data[0], '=');
	assert_string_equal(buf_string(&out) + 1, row->want ? row->want : "");
	buf_fini(&out);
}

static void test_a_secret_is_not_repeated(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct conceal c;

		conceal_init(&c);
		check(&c, &(struct row){ .name = "none known" }, span_from_string(rows[i].text));
		conceal_add(&c, SPAN(""));
		conceal_add(&c, span_from_string(rows[i].secret));
		conceal_add(&c, SPAN("another secret of no matter"));
		check(&c, &rows[i], span_from_string(rows[i].text));
		conceal_fini(&c);
		check(&c, &(struct row){ .name = "none left" }, span_from_string(rows[i].text));
	}
}

/* Whatever 12 octets in a row of a token or of an AUTH payload with it: each is found. */
static void test_every_piece_of_twelve_octets_is_found(void **state)
{
	struct conceal c;
	struct buf payload, text, out;

	conceal_init(&c);
	conceal_add(&c, SPAN(LONG));
	buf_init(&payload, 1000);
	buf_init(&text, 1000);
	buf_init(&out, 1000);
	for (size_t before = 0; before < 3; before++) {
		buf_clear(&payload);
		buf_clear(&text);
		buf_printf(&payload, "%.*s%s", (int)before, "xy", LONG);
		assert_true(base64_encode(&text, buf_span(&payload)));
		for (size_t at = 3; at + 12 + 3 <= text.len; at++)
			assert_true(conceal_hide(&c, span_of(text.data + at, 12), &out));
	}
	for (size_t at = 0; at + 12 <= strlen(LONG); at++)
		assert_true(conceal_hide(&c, span_of(&LONG[at], 12), &out));
	conceal_fini(&c);
	buf_fini(&payload);
	buf_fini(&text);
	buf_fini(&out);
}

static void test_the_longest_secrets_are_taken(void **state)
{
	static char secret[CONCEAL_SECRET_MAX];
	char text[40] = "say xxxxxxxxxxxxxxxxxxxx again";
	struct conceal c;

	conceal_init(&c);
	for (size_t i = 0; i < CONCEAL_FORMS_MAX / 4; i++) {
		memset(secret, i == 2 ? 'x' : 'a' + (int)i, sizeof(secret));
		conceal_add(&c, span_of(secret, sizeof(secret)));
	}
	conceal_hide_in(&c, text, sizeof(text));
	assert_string_equal(text, "say [hidden] again");
	conceal_hide_in(&c, text, sizeof(text));
	assert_string_equal(text, "say [hidden] again");
	conceal_fini(&c);
}

static void test_a_text_that_grows_is_cut(void **state)
{
	char text[12] = "abcd abcd";
	struct conceal c;

	conceal_init(&c);
	conceal_add(&c, SPAN("abcd"));
	conceal_hide_in(&c, text, sizeof(text));
	assert_string_equal(text, "[hidden] [h");
	conceal_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_secret_is_not_repeated),
		cmocka_unit_test(test_every_piece_of_twelve_octets_is_found),
		cmocka_unit_test(test_the_longest_secrets_are_taken),
		cmocka_unit_test(test_a_text_that_grows_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
