/* SPDX-License-Identifier: MIT */
#include "smtp/words.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define VERBS "EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT STARTTLS AUTH"

static const struct near_case {
	const char *list, *word, *want; /* NULL: nothing is near */
} near_cases[] = {
	{ "PLAIN LOGIN", "LOGON", "LOGIN" },
	{ "PLAIN LOGIN", "plian", "PLAIN" },
	{ "PLAIN LOGIN", "PLAINN", "PLAIN" },
	{ "PLAIN LOGIN", "CRAM-MD5", NULL },
	{ "PLAIN LOGIN", "", NULL },
	{ "", "LOGIN", NULL },
	{ VERBS, "HALO", "HELO" },
	{ VERBS, "HLEO", "HELO" },
	{ VERBS, "STARTLS", "STARTTLS" },
	{ VERBS, "STATRTLS", "STARTTLS" },
	{ VERBS, "NOP", "NOOP" },
	{ VERBS, "NO", NULL }, /* half of it would be wrong */
	{ "AB", "AX", NULL },
	{ VERBS, "MAILS", "MAIL" },
	{ VERBS, "XYZZY", NULL },
	{ VERBS, "HELOHELOHELOHELOHELOHELOHELO", NULL },
	{ "abc abd", "abx", "abc" }, /* the first of the nearest */
	{ "wxyz1 wxyz", "WXYZ", "wxyz" },
};

static void the_nearest_word_is_found(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(near_cases); i++) {
		const struct near_case *c = &near_cases[i];
		struct span near = SPAN("");
		bool found =
		    smtp_words_near(span_from_string(c->list), span_from_string(c->word), &near);

		print_message("%s\n", c->word);
		assert_int_equal(found, c->want != NULL);
		if (c->want)
			assert_true(span_equal(near, span_from_string(c->want)));
	}
}

static void a_slip_is_a_letter_missing_added_other_or_swapped(void **state)
{
	assert_int_equal(smtp_words_distance(SPAN("AUTH"), SPAN("auth"), 3), 0);
	assert_int_equal(smtp_words_distance(SPAN("AUTH"), SPAN("AUH"), 3), 1);
	assert_int_equal(smtp_words_distance(SPAN("AUTH"), SPAN("AUTHE"), 3), 1);
	assert_int_equal(smtp_words_distance(SPAN("AUTH"), SPAN("AUHT"), 3), 1);
	assert_int_equal(smtp_words_distance(SPAN("AUTH"), SPAN("OUTH"), 3), 1);
	assert_int_equal(smtp_words_distance(SPAN("AUTH"), SPAN("MAIL"), 3), 4);
	assert_int_equal(smtp_words_distance(SPAN(""), SPAN("AB"), 3), 2);
	assert_int_equal(smtp_words_distance(SPAN("AB"), SPAN(""), 3), 2);
}

static void words_are_found_in_any_case(void **state)
{
	struct span found;

	assert_true(smtp_words_contain(SPAN("PLAIN LOGIN"), SPAN("login"), &found));
	assert_true(span_equal(found, SPAN("LOGIN")));
	assert_true(smtp_words_contain(SPAN("PLAIN LOGIN"), SPAN("PLAIN"), NULL));
	assert_false(smtp_words_contain(SPAN("PLAIN LOGIN"), SPAN("LOGI"), NULL));
	assert_false(smtp_words_contain(SPAN("PLAIN LOGIN"), SPAN(""), NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_word_is_found),
		cmocka_unit_test(a_slip_is_a_letter_missing_added_other_or_swapped),
		cmocka_unit_test(words_are_found_in_any_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
