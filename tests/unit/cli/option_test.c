/* SPDX-License-Identifier: MIT */
#include "cli/option.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

struct target {
	bool quiet;
	const char *file;
	struct cli_option_list to;
	int tls;
	uint64_t messages, size_max;
};

static const struct cli_option options[] = {
	{ "quiet", 'q', CLI_OPTION_FLAG, NULL, offsetof(struct target, quiet), "says nothing" },
	{ "file", 'f', CLI_OPTION_TEXT, "FILE", offsetof(struct target, file), "reads\nthat" },
	{ "to", 0, CLI_OPTION_LIST, "ADDRESS", offsetof(struct target, to), "goes there" },
	{ "tls", 0, CLI_OPTION_CHOICE, "off|starttls|implicit", offsetof(struct target, tls),
	    "how" },
	{ "messages", 0, CLI_OPTION_NUMBER, "N", offsetof(struct target, messages), "so many" },
	{ "size-max", 0, CLI_OPTION_SIZE, "SIZE", offsetof(struct target, size_max), "so large" },
	{ "password", 0, CLI_OPTION_REFUSED, NULL, 0, "never here" },
};

/* What a command line, split at blanks, comes to. */
struct outcome {
	enum cli_option_result result;
	struct target target;
	int operands;
	char *argv[20];
	char copy[300];
	struct fault fault;
};

static void parse(const char *line, struct outcome *o)
{
	char *rest = o->copy;
	int argc = 0;
	*o = (struct outcome){ .target = { .tls = -1 }, .operands = -1 };
	snprintf(o->copy, sizeof(o->copy), "%s", line);
	for (char *word; (word = strsep(&rest, " ")) != NULL;)
		o->argv[argc++] = word;
	o->result = cli_options_parse(
	    options, ARRAY_LEN(options), argc, o->argv, &o->target, &o->operands, &o->fault);
}

static void values_are_taken_in_every_form(void **state)
{
	static const char *const lines[] = {
		"x -q --file name --tls starttls",
		"x --quiet --file=name --tls=starttls",
		"x -fname -q --tls starttls",
		"x -f name --tls=starttls --quiet",
	};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct outcome o;
		parse(lines[i], &o);
		assert_int_equal(o.result, CLI_OPTION_PARSED);
		assert_true(o.target.quiet);
		assert_string_equal(o.target.file, "name");
		assert_int_equal(o.target.tls, 1);
		assert_int_equal(o.operands, 0);
	}
}

static void operands_stand_anywhere(void **state)
{
	struct outcome o;
	parse("x one -q two --file f - -- --three -q", &o);
	assert_int_equal(o.result, CLI_OPTION_PARSED);
	assert_int_equal(o.operands, 5);
	static const char *const wanted[] = { "one", "two", "-", "--three", "-q" };
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		assert_string_equal(o.argv[i + 1], wanted[i]);
}

static void what_is_not_given_stays(void **state)
{
	struct outcome o;
	parse("x", &o);
	assert_int_equal(o.result, CLI_OPTION_PARSED);
	assert_int_equal(o.target.tls, -1);
	assert_null(o.target.file);
	assert_false(o.target.quiet);
}

static void a_list_keeps_its_order(void **state)
{
	struct outcome o;
	parse("x --to a --to=b --to c", &o);
	assert_int_equal(o.target.to.count, 3);
	assert_string_equal(o.target.to.items[0], "a");
	assert_string_equal(o.target.to.items[1], "b");
	assert_string_equal(o.target.to.items[2], "c");
	cli_option_list_fini(&o.target.to);
	assert_int_equal(o.target.to.count, 0);
}

static void sizes_and_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = {
		{ "0", 0 },
		{ "17", 17 },
		{ "2KB", 2048 },
		{ "50MB", 52428800 },
		{ "1gb", 1 << 30 },
		{ "17179869183GB", 17179869183u << 30 },
	};
	struct outcome o;
	char line[100];
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		snprintf(line, sizeof(line), "x --size-max %s --messages 3", sizes[i].text);
		parse(line, &o);
		assert_int_equal(o.result, CLI_OPTION_PARSED);
		assert_int_equal(o.target.messages, 3);
		assert_true(o.target.size_max == sizes[i].bytes);
	}
}

static void help_is_asked_for(void **state)
{
	struct outcome o;
	parse("x -q --help", &o);
	assert_int_equal(o.result, CLI_OPTION_HELP);
	parse("x one -h", &o);
	assert_int_equal(o.result, CLI_OPTION_HELP);
	parse("x -- -h", &o);
	assert_int_equal(o.result, CLI_OPTION_PARSED);
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *line, *words;
	} cases[] = {
		{ "x --qiet", "--qiet is no option here; did you mean --quiet?" },
		{ "x --zzzzzz", "--zzzzzz is no option here" },
		{ "x -z", "-z is no option here" },
		{ "x --file", "--file wants a value: FILE" },
		{ "x -f", "--file wants a value: FILE" },
		{ "x --quiet=yes", "--quiet takes no value" },
		{ "x --tls on", "--tls is off|starttls|implicit, not \"on\"" },
		{ "x --tls of", "not \"of\"" },
		{ "x --tls=", "not \"\"" },
		{ "x --messages many", "--messages wants a number, not \"many\"" },
		{ "x --messages -1", "not \"-1\"" },
		{ "x --size-max 5XB", "wants a size, as in 50MB, not \"5XB\"" },
		{ "x --size-max MB", "not \"MB\"" },
		{ "x --size-max 17179869184GB", "wants a size" },
		{ "x --size-max 99999999999999999999", "wants a size" },
		{ "x --password x", "--password: never here" },
		{ "x --password=x", "--password: never here" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct outcome o;
		parse(cases[i].line, &o);
		assert_int_equal(o.result, CLI_OPTION_WRONG);
		if (strstr(o.fault.text, cases[i].words) == NULL)
			fail_msg("%s: %s", cases[i].line, o.fault.text);
		/* What stands where a password was given is never repeated. */
		assert_null(strstr(o.fault.text, "--password: x"));
	}
}

static void one_hyphen_too_few_is_understood(void **state)
{
	struct outcome o;
	parse("x -tls off", &o);
	assert_int_equal(o.result, CLI_OPTION_WRONG);
	assert_string_equal(o.fault.text, "-tls is no option here; did you mean --tls?");
}

static void help_describes_what_is_taken(void **state)
{
	struct buf out;
	buf_init(&out, 8192);
	cli_options_describe(options, ARRAY_LEN(options), &out);
	const char *text = buf_string(&out);
	assert_non_null(strstr(text, "  -q, --quiet               says nothing\n"));
	assert_non_null(strstr(text, "  -f, --file FILE           reads\n"
				     "                            that\n"));
	assert_non_null(strstr(text, "      --tls off|starttls|implicit\n"
				     "                            how\n"));
	assert_null(strstr(text, "password"));
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_taken_in_every_form),
		cmocka_unit_test(operands_stand_anywhere),
		cmocka_unit_test(what_is_not_given_stays),
		cmocka_unit_test(a_list_keeps_its_order),
		cmocka_unit_test(sizes_and_numbers),
		cmocka_unit_test(help_is_asked_for),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(one_hyphen_too_few_is_understood),
		cmocka_unit_test(help_describes_what_is_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
