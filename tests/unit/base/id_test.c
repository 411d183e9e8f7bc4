/* SPDX-License-Identifier: MIT */
#include "base/id.h"
#include "base/memory.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define WALL_MS INT64_C(1795231471007)

static void ids_never_go_back(void **state)
{
	struct id_source source;
	uint64_t last = 0;

	id_source_init(&source, 5, 9);
	for (int64_t i = 0; i < 5000; i++) { /* the clock jumps to and fro, and stands still */
		uint64_t id = id_next(&source, WALL_MS + (i % 7 == 0 ? -100000 : i / 3000));

		assert_true(id > last);
		assert_int_equal(id >> 16 & 63, 5);
		assert_int_equal(id >> 10 & 63, 9);
		last = id;
	}
	assert_in_range(id_wall_ms(last) - WALL_MS, 0, 10);
	last = id_next(&source, WALL_MS + 60000);
	assert_true(id_wall_ms(last) == WALL_MS + 60000);
}

static void an_id_is_never_zero(void **state)
{
	struct id_source source;

	id_source_init(&source, 0, 0);
	assert_true(id_next(&source, 0) > 0);
	assert_true(id_next(&source, 0) > 1);
	id_source_init(&source, 0, 0);
	assert_true(id_next(&source, INT64_MIN) > 0);
}

static void text_goes_back_to_the_number(void **state)
{
	static const struct {
		uint64_t id;
		const char *text;
	} cases[] = {
		{ 1, "0000000000001" },
		{ 31, "000000000000z" },
		{ 32, "0000000000010" },
		{ INT64_MAX, "7zzzzzzzzzzzz" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[ID_TEXT_SIZE];
		uint64_t id = 0;

		assert_string_equal(id_format(cases[i].id, text), cases[i].text);
		assert_true(id_parse(span_from_string(text), &id));
		assert_true(id == cases[i].id);
	}
}

static void text_sorts_as_the_number_does(void **state)
{
	char before[ID_TEXT_SIZE] = "", text[ID_TEXT_SIZE];
	struct id_source source;

	id_source_init(&source, 63, 63);
	for (int64_t i = 0; i < 3000; i++) {
		id_format(id_next(&source, WALL_MS + i * i), text);
		assert_true(strcmp(before, text) < 0);
		memcpy(before, text, sizeof(text));
	}
}

static void only_the_text_of_an_id_is_parsed(void **state)
{
	static const char *const wrong[] = {
		"",
		"0",
		"000000000001",
		"00000000000001",
		"8000000000000",
		"z000000000001",
		"000000000000i",
		"000000000000l",
		"000000000000o",
		"000000000000u",
		"000000000000-",
		" 000000000001",
		"0000000000000",
	};
	uint64_t id = 4711;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(id_parse(span_from_string(wrong[i]), &id));
	assert_true(id == 4711);
	assert_true(id_parse(SPAN("00000000000ZZ"), &id));
	assert_int_equal(id, 1023);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_never_go_back),
		cmocka_unit_test(an_id_is_never_zero),
		cmocka_unit_test(text_goes_back_to_the_number),
		cmocka_unit_test(text_sorts_as_the_number_does),
		cmocka_unit_test(only_the_text_of_an_id_is_parsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
