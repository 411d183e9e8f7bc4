/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/span.h"
#include "relay/events.h"

#include <string.h>

static void test_every_event_has_a_name_and_a_meaning(void **state)
{
	for (unsigned i = 0; i < EVENT_COUNT; i++) {
		const char *name = event_name((enum event)i);
		const char *meaning = event_meaning((enum event)i);
		if (!name || !meaning)
			fail_msg("event %u has no row", i);
		assert_true(strlen(name) > 0);
		assert_int_equal(meaning[strlen(meaning) - 1], '.');
		assert_in_range(event_level((enum event)i), LOG_LEVEL_DEBUG, LOG_LEVEL_ERROR);
	}
}

static void test_names_are_words_with_hyphens(void **state)
{
	for (unsigned i = 0; i < EVENT_COUNT; i++)
		for (const char *c = event_name((enum event)i); *c; c++)
			if ((*c < 'a' || *c > 'z') && *c != '-')
				fail_msg("%s", event_name((enum event)i));
}

static void test_no_two_events_share_a_name(void **state)
{
	for (unsigned i = 0; i < EVENT_COUNT; i++)
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(
			    event_name((enum event)i), event_name((enum event)j));
}

static void test_a_line_begins_with_level_and_name_of_its_event(void **state)
{
	struct log_line line;
	struct span text;

	event_begin(&line, EVENT_HOP_PAUSED);
	text = span_of(line.text, line.len);
	assert_int_equal(line.level, event_level(EVENT_HOP_PAUSED));
	assert_true(span_find_span(text, SPAN("hop-paused")) < text.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_event_has_a_name_and_a_meaning),
		cmocka_unit_test(test_names_are_words_with_hyphens),
		cmocka_unit_test(test_no_two_events_share_a_name),
		cmocka_unit_test(test_a_line_begins_with_level_and_name_of_its_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
