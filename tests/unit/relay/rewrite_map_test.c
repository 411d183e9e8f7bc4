/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "base/buf.h"
#include "base/memory.h"
#include "relay/rewrite_map.h"

#include <stdio.h>
#include <string.h>

static struct directory directory;

static struct rewrite_map *read_text(const char *text, struct fault *fault)
{
	return rewrite_map_read(directory_write(&directory, "map", text), fault);
}

/* What stands for the address, or "-". */
static const char *find(const struct rewrite_map *map, const char *address)
{
	static char out[300];
	struct span to = SPAN("-");

	if (!rewrite_map_find(map, span_from_string(address), &to))
		assert_string_equal(to.data, "-");
	snprintf(out, sizeof(out), "%.*s", SPAN_ARG(to));
	return out;
}

static void the_first_line_that_fits_wins(void **state)
{
	static const struct {
		const char *address, *want;
	} rows[] = {
		{ "ann@example.net", "first@example.org" },
		{ "ANN@Example.NET", "first@example.org" },
		{ "ann@example.net.", "first@example.org" },
		{ "bob@example.net", "pattern@example.org" },
		{ "carl@example.net", "pattern@example.org" },
		{ "root@far.example", "root@example.org" },
		{ "root@a.sub.example", "root@example.org" },
		{ "x@a.sub.example", "sub@example.org" },
		{ "x@sub.example", "-" },
		{ "root", "bare@example.org" },
		{ "ROOT", "bare@example.org" },
		{ "a#b@example.com", "hash@example.org" },
		{ "", "-" },
		{ "@", "-" },
	};
	struct fault fault;
	struct rewrite_map *map = read_text("# who is who\n"
					    "ann@Example.net\tfirst@example.org # a comment\r\n"
					    "\n"
					    "  *@example.net   pattern@example.org\n"
					    "carl@example.net later@example.org\n"
					    "ann@example.net later@example.org\n"
					    "root@* root@example.org\n"
					    "*@*.sub.example sub@example.org\n"
					    "a#b@example.com hash@example.org\n"
					    "root bare@example.org",
	    &fault);

	assert_non_null(map);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(find(map, rows[i].address), rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].address, find(map, rows[i].address));
	rewrite_map_destroy(&map);
	assert_null(map);
	rewrite_map_destroy(&map);
}

static void a_star_is_everybody_but_a_bounce(void **state)
{
	struct fault fault;
	struct rewrite_map *map = read_text("* all@example.org\n", &fault);

	assert_string_equal(find(map, "x@y.example"), "all@example.org");
	assert_string_equal(find(map, "root"), "all@example.org");
	assert_string_equal(find(map, ""), "-");
	rewrite_map_destroy(&map);
	map = read_text("* all@example.org\n<> bounce@example.org\n", &fault);
	assert_string_equal(find(map, ""), "bounce@example.org");
	rewrite_map_destroy(&map);
	map = read_text("<> bounce@example.org\n", &fault);
	assert_string_equal(find(map, "x@y.example"), "-");
	rewrite_map_destroy(&map);
}

static void an_empty_file_knows_nobody(void **state)
{
	struct fault fault;
	struct rewrite_map *map = read_text("# nothing\n", &fault);

	assert_non_null(map);
	assert_string_equal(find(map, "root"), "-");
	rewrite_map_destroy(&map);
}

static void a_wrong_line_is_named_with_its_column(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "a@b.example c@d.example\nroot\n", "map:2:5: an address is missing" },
		{ "root # c@d.example\n", "map:1:5: an address is missing" },
		{ " root@* a@b.example c@d.example\n", "map:1:21: a line holds a pattern, one" },
		{ "root@* root\n", "map:1:8: \"root\" is not a complete address" },
		{ "ro*t@x.example a@b.example\n", "map:1:1: \"ro*t@x.example\" is not a pattern" },
		{ "\n\nx*  a@b.example\n", "map:3:1: " },
		{ "root@* <a@b.example>\n", "map:1:8: " },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault fault = { 0 };
		struct rewrite_map *map = read_text(rows[i].text, &fault);
		if (map || !strstr(fault.text, rows[i].want))
			fail_msg("%s: %s", rows[i].text, map ? "is taken" : fault.text);
		assert_int_equal(fault.kind, FAULT_LOCAL);
	}
}

static void patterns_are_counted(void **state)
{
	struct fault fault = { 0 };
	struct rewrite_map *map;
	struct buf text;

	buf_init(&text, 1 << 20);
	for (int i = 0; i < 10000; i++)
		buf_printf(&text, "*@d%d.example a@b.example\n", i);
	map = read_text(buf_string(&text), &fault);
	assert_non_null(map);
	assert_string_equal(find(map, "x@d9999.example"), "a@b.example");
	rewrite_map_destroy(&map);
	buf_printf(&text, "x@y.example a@b.example\n*@one.more.example a@b.example\n");
	assert_null(read_text(buf_string(&text), &fault));
	assert_non_null(strstr(fault.text, "map:10002:1: the file has more than 10000 patterns"));
	buf_fini(&text);
}

/* Reading ends, and says so or gives a map, wherever the file was cut. */
static void every_prefix_of_a_file_is_taken_or_refused(void **state)
{
	const char *whole =
	    "# c\nann@b.example c@d.example # x\r\n*@e.example\tf@g.example\n<> h@i.j";
	char cut[200];

	for (size_t len = 0; len <= strlen(whole); len++) {
		struct fault fault = { 0 };
		struct rewrite_map *map;

		snprintf(cut, sizeof(cut), "%.*s", (int)len, whole);
		map = read_text(cut, &fault);
		assert_true(map || strlen(fault.text) > 0);
		rewrite_map_destroy(&map);
	}
}

static int begin(void **state)
{
	directory_make(&directory);
	return 0;
}

static int end(void **state)
{
	directory_remove(&directory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_line_that_fits_wins),
		cmocka_unit_test(a_star_is_everybody_but_a_bounce),
		cmocka_unit_test(an_empty_file_knows_nobody),
		cmocka_unit_test(a_wrong_line_is_named_with_its_column),
		cmocka_unit_test(patterns_are_counted),
		cmocka_unit_test(every_prefix_of_a_file_is_taken_or_refused),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
