/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "relay/queue_work.h"

static const struct request_case {
	const char *name, *verb, *request;
	bool good;
} request_cases[] = {
	{ "a list needs nothing", "list", "{}", true },
	{ "show needs an id", "show", "{}", false },
	{ "show takes an id", "show", "{\"ids\":[\"0s9w5c1rr0000\"]}", true },
	{ "ids are taken in either case", "show", "{\"ids\":[\"0S9W5C1RR0000\"]}", true },
	{ "an id that is none is refused", "show", "{\"ids\":[\"banana\"]}", false },
	{ "an id that is no text is refused", "show", "{\"ids\":[1]}", false },
	{ "no ids at all are refused", "list", "{\"ids\":[]}", false },
	{ "ids that are no list are refused", "list", "{\"ids\":\"0s9w5c1rr0000\"}", false },
	{ "an unknown verb is refused", "explode", "{}", false },
	{ "a change of nothing in particular is refused", "drop", "{}", false },
	{ "a change of everything must be asked for", "drop", "{\"all\":true}", true },
	{ "all that is not true is none", "drop", "{\"all\":1}", false },
	{ "a dry run must say which, too", "hold", "{\"dry_run\":true}", false },
	{ "run is about everything", "run", "{}", true },
	{ "a pattern says which", "drop", "{\"from\":\"*@example.org\"}", true },
	{ "the empty sender says which", "drop", "{\"from\":\"\"}", true },
	{ "a pattern that is no text is refused", "drop", "{\"from\":7}", false },
	{ "an age says which", "retry", "{\"older\":3600}", true },
	{ "an age that is no number is refused", "retry", "{\"older\":\"1h\"}", false },
	{ "an age below zero is refused", "retry", "{\"older\":-1}", false },
	{ "an age past all bounds is refused", "retry", "{\"older\":9000000000000000000}", false },
	{ "a state says which", "release", "{\"states\":[\"held\"]}", true },
	{ "an unknown state is refused", "list", "{\"states\":[\"lost\"]}", false },
	{ "a state that is no text is refused", "list", "{\"states\":[null]}", false },
	{ "what has ended cannot be changed", "drop", "{\"states\":[\"done\"]}", false },
};

static void requests_are_read_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(request_cases); i++) {
		const struct request_case *c = &request_cases[i];
		json_t *request = json_loads(c->request, 0, NULL);
		struct fault fault = { 0 };
		struct queue_work *work = queue_work_create(c->verb, request, &fault);
		if ((work != NULL) != c->good)
			fail_msg("%s: %s", c->name, work ? "taken" : fault.text);
		if (!work && fault.text[0] == '\0')
			fail_msg("%s: refused without a word", c->name);
		queue_work_destroy(&work);
		json_decref(request);
	}
}

static void too_many_ids_are_refused_and_doubles_count_once(void **state)
{
	json_t *request = json_pack("{s:[]}", "ids"), *ids = json_object_get(request, "ids");
	struct fault fault;
	struct queue_work *work;

	(void)state;
	for (int i = 0; i < QUEUE_IDS_MAX; i++)
		json_array_append_new(ids, json_string("0s9w5c1rr0000"));
	work = queue_work_create("show", request, &fault);
	assert_non_null(work);
	assert_int_equal(work->filter.id_count, 1);
	queue_work_destroy(&work);
	json_array_append_new(ids, json_string("0s9w5c1rr0001"));
	assert_null(queue_work_create("show", request, &fault));
	json_decref(request);
}

static void ended_messages_are_listed_by_id_or_state_only(void **state)
{
	static const struct {
		const char *verb, *request;
		unsigned states;
	} cases[] = {
		{ "list", "{}", 0 }, /* the store's: what is queued */
		{ "list", "{\"states\":[\"done\",\"held\"]}",
		    SPOOL_MESSAGE_DONE | SPOOL_MESSAGE_HELD },
		{ "show", "{\"ids\":[\"0s9w5c1rr0000\"]}",
		    SPOOL_MESSAGE_QUEUED | SPOOL_MESSAGE_ENDED },
		{ "drop", "{\"ids\":[\"0s9w5c1rr0000\"]}", SPOOL_MESSAGE_QUEUED },
		{ "drop", "{\"states\":[\"done\",\"held\"]}", SPOOL_MESSAGE_HELD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *request = json_loads(cases[i].request, 0, NULL);
		struct fault fault;
		struct queue_work *work = queue_work_create(cases[i].verb, request, &fault);
		assert_non_null(work);
		assert_int_equal(work->filter.states, cases[i].states);
		queue_work_destroy(&work);
		json_decref(request);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_read_or_refused),
		cmocka_unit_test(too_many_ids_are_refused_and_doubles_count_once),
		cmocka_unit_test(ended_messages_are_listed_by_id_or_state_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
