/* SPDX-License-Identifier: MIT */
#include "smtp/command.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define Q(quirk) SMTP_QUIRK_BIT(SMTP_QUIRK_##quirk)

static struct span exact_copy(struct span s)
{
	char *copy = malloc(s.len ? s.len : 1);

	memcpy(copy, s.data, s.len);
	return span_of(copy, s.len);
}

static void assert_text(struct span got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.data, want, got.len);
}

static const struct split_case {
	const char *line, *verb, *arguments;
	unsigned quirks;
} split_cases[] = {
	{ "NOOP", "NOOP", "", 0 },
	{ "EHLO host", "EHLO", "host", 0 },
	{ "MAIL FROM:<a@b> SIZE=1", "MAIL", "FROM:<a@b> SIZE=1", 0 },
	{ "EHLO  host", "EHLO", "host", Q(EXTRA_BLANK) },
	{ "EHLO\thost", "EHLO", "host", Q(EXTRA_BLANK) },
	{ "QUIT ", "QUIT", "", Q(TRAILING_BLANK) },
	{ "EHLO host \t", "EHLO", "host", Q(TRAILING_BLANK) },
	{ " QUIT", "QUIT", "", Q(LEADING_BLANK) },
	{ "", "", "", 0 },
	{ "  ", "", "", 0 },
};

static void a_line_is_split_into_verb_and_arguments(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(split_cases); i++) {
		const struct split_case *c = &split_cases[i];
		struct span copy = exact_copy(span_from_string(c->line));
		struct smtp_command command;

		print_message("[%s]\n", c->line);
		smtp_command_split(copy, &command);
		assert_text(command.verb, c->verb);
		assert_text(command.arguments, c->arguments);
		assert_int_equal(command.quirks, c->quirks);
		free((void *)copy.data);
	}
}

static const struct path_case {
	const char *arguments;
	enum smtp_path_flaw want;
	const char *mailbox, *parameters;
	unsigned quirks;
} path_cases[] = {
	{ "FROM:<a@b>", SMTP_PATH_VALID, "a@b", "", 0 },
	{ "from:<a@b> SIZE=1", SMTP_PATH_VALID, "a@b", " SIZE=1", 0 },
	{ "FROM:<>", SMTP_PATH_VALID, "", "", 0 },
	{ "FROM: <a@b>", SMTP_PATH_VALID, "a@b", "", Q(BLANK_AFTER_COLON) },
	{ "FROM:<a@b >", SMTP_PATH_VALID, "a@b", "", Q(BLANK_IN_BRACKETS) },
	{ "FROM:< a@b>", SMTP_PATH_VALID, "a@b", "", Q(BLANK_IN_BRACKETS) },
	{ "FROM:a@b SIZE=1", SMTP_PATH_VALID, "a@b", " SIZE=1", Q(NO_BRACKETS) },
	{ "FROM: a@b", SMTP_PATH_VALID, "a@b", "", Q(NO_BRACKETS) | Q(BLANK_AFTER_COLON) },
	{ "FROM:\"a b\"@c X", SMTP_PATH_VALID, "\"a b\"@c", " X", Q(NO_BRACKETS) },
	{ "FROM:<a@b>  X", SMTP_PATH_VALID, "a@b", "  X", Q(EXTRA_BLANK) },
	{ "FROM:<\">\"@b>", SMTP_PATH_VALID, "\">\"@b", "", 0 },
	{ "", SMTP_PATH_NO_KEYWORD },
	{ "<a@b>", SMTP_PATH_NO_KEYWORD },
	{ ":<a@b>", SMTP_PATH_NO_KEYWORD },
	{ "FROMA:<a@b>", SMTP_PATH_NO_KEYWORD },
	{ "fromage@b", SMTP_PATH_NO_KEYWORD },
	{ "tom@b", SMTP_PATH_NO_KEYWORD },
	{ "TO:<a@b>", SMTP_PATH_WRONG_KEYWORD },
	{ "to: a@b", SMTP_PATH_WRONG_KEYWORD },
	{ "FROM a@b", SMTP_PATH_NO_COLON },
	{ "FROM<a@b>", SMTP_PATH_NO_COLON },
	{ "FROM=<a@b>", SMTP_PATH_NO_COLON },
	{ "FROM", SMTP_PATH_NO_COLON },
	{ "FROM :<a@b>", SMTP_PATH_BLANK_BEFORE_COLON },
	{ "FROM:", SMTP_PATH_NO_ADDRESS },
	{ "FROM: ", SMTP_PATH_NO_ADDRESS },
	{ "FROM:<a@b", SMTP_PATH_NO_CLOSING_BRACKET },
	{ "FROM:<", SMTP_PATH_NO_CLOSING_BRACKET },
	{ "FROM:a@b>", SMTP_PATH_NO_OPENING_BRACKET },
	{ "FROM:<a@b>X", SMTP_PATH_TEXT_BEHIND_BRACKET },
	{ "FROM:<a@b>>", SMTP_PATH_TEXT_BEHIND_BRACKET },
	{ "FROM:<\xc3\xa4@b>", SMTP_PATH_VALID, "\xc3\xa4@b", "", 0 },
	{ "FROM:<\xe4@b>", SMTP_PATH_BAD_ADDRESS },
	{ "FROM:<<a@b>", SMTP_PATH_BAD_ADDRESS },
	{ "FROM:<a@b c>", SMTP_PATH_BAD_ADDRESS },
};

static void a_path_is_understood_or_its_mistake_named(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(path_cases); i++) {
		const struct path_case *c = &path_cases[i];
		struct span copy = exact_copy(span_from_string(c->arguments));
		struct smtp_path path;

		print_message("%s\n", c->arguments);
		assert_int_equal(
		    smtp_path_parse(copy, SPAN("FROM"), &path), c->want == SMTP_PATH_VALID);
		assert_int_equal(path.flaw, c->want);
		if (c->want == SMTP_PATH_VALID) {
			assert_text(path.address.mailbox, c->mailbox);
			assert_int_equal(path.address.is_null, c->mailbox[0] == '\0');
			assert_text(path.parameters, c->parameters);
			assert_int_equal(path.quirks, c->quirks);
		}
		free((void *)copy.data);
	}
}

static void every_prefix_of_a_path_is_judged(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(path_cases); i++) {
		struct span whole = span_from_string(path_cases[i].arguments);

		for (size_t len = 0; len <= whole.len; len++) {
			struct span copy = exact_copy(span_head(whole, len));
			struct smtp_path path;
			bool valid = smtp_path_parse(copy, SPAN("TO"), &path);

			assert_int_equal(valid, path.flaw == SMTP_PATH_VALID);
			valid = smtp_path_parse(copy, SPAN("FROM"), &path);
			assert_int_equal(valid, path.flaw == SMTP_PATH_VALID);
			free((void *)copy.data);
		}
	}
}

static const struct parameter_case {
	const char *text;
	enum smtp_parameter_result want;
	const char *keyword, *value; /* value NULL: there is none */
} parameter_cases[] = {
	{ "", SMTP_PARAMETER_NONE_LEFT, NULL, NULL },
	{ "  ", SMTP_PARAMETER_NONE_LEFT, NULL, NULL },
	{ " SIZE=10", SMTP_PARAMETER_TAKEN, "SIZE", "10" },
	{ "SMTPUTF8", SMTP_PARAMETER_TAKEN, "SMTPUTF8", NULL },
	{ "X-a=b", SMTP_PARAMETER_TAKEN, "X-a", "b" },
	{ "AUTH=<>", SMTP_PARAMETER_TAKEN, "AUTH", "<>" },
	{ "SIZE=", SMTP_PARAMETER_MALFORMED, "SIZE=", NULL },
	{ "=10", SMTP_PARAMETER_MALFORMED, "=10", NULL },
	{ "-X", SMTP_PARAMETER_MALFORMED, "-X", NULL },
	{ "<a@b>", SMTP_PARAMETER_MALFORMED, "<a@b>", NULL },
	{ "A=b=c", SMTP_PARAMETER_MALFORMED, "A=b=c", NULL },
	{ "A=\x7f", SMTP_PARAMETER_MALFORMED, "A=\x7f", NULL },
	{ "ORCPT=utf-8;\xc3\xa4@b", SMTP_PARAMETER_TAKEN, "ORCPT", "utf-8;\xc3\xa4@b" },
};

static void a_parameter_is_taken_off(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(parameter_cases); i++) {
		const struct parameter_case *c = &parameter_cases[i];
		struct span text = span_from_string(c->text);
		struct smtp_parameter parameter;

		print_message("%s\n", c->text);
		assert_int_equal(smtp_parameter_take(&text, &parameter), c->want);
		if (c->want == SMTP_PARAMETER_NONE_LEFT)
			continue;
		assert_text(parameter.keyword, c->keyword);
		if (c->want == SMTP_PARAMETER_TAKEN) {
			assert_int_equal(parameter.has_value, c->value != NULL);
			assert_text(parameter.value, c->value ? c->value : "");
		}
	}
}

static void parameters_come_one_after_the_other(void **state)
{
	struct span text = SPAN(" SIZE=1 BODY=7BIT");
	struct smtp_parameter parameter;

	assert_int_equal(smtp_parameter_take(&text, &parameter), SMTP_PARAMETER_TAKEN);
	assert_text(parameter.keyword, "SIZE");
	assert_int_equal(smtp_parameter_take(&text, &parameter), SMTP_PARAMETER_TAKEN);
	assert_text(parameter.keyword, "BODY");
	assert_int_equal(smtp_parameter_take(&text, &parameter), SMTP_PARAMETER_NONE_LEFT);
}

static void every_quirk_has_a_name_and_a_text(void **state)
{
	for (unsigned i = 0; i < SMTP_QUIRK_COUNT; i++) {
		assert_non_null(smtp_quirk_name(i));
		assert_non_null(smtp_quirk_text(i));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_split_into_verb_and_arguments),
		cmocka_unit_test(a_path_is_understood_or_its_mistake_named),
		cmocka_unit_test(every_prefix_of_a_path_is_judged),
		cmocka_unit_test(a_parameter_is_taken_off),
		cmocka_unit_test(parameters_come_one_after_the_other),
		cmocka_unit_test(every_quirk_has_a_name_and_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
