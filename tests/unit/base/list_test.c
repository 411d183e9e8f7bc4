/* SPDX-License-Identifier: MIT */
#include "base/list.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

struct item {
	int number;
	struct list link;
};

static void assert_order(const struct list *head, const int *want, size_t count)
{
	size_t i = 0;

	LIST_FOR_EACH (at, head) {
		assert_true(i < count);
		assert_int_equal(LIST_ENTRY(at, struct item, link)->number, want[i]);
		assert_ptr_equal(at->next->prev, at);
		i++;
	}
	assert_int_equal(i, count);
}

static void elements_stand_where_they_were_put(void **state)
{
	struct item a = { .number = 1 }, b = { .number = 2 }, c = { .number = 3 };
	struct item d = { .number = 4 };
	struct list head;

	list_init(&head);
	assert_true(list_is_empty(&head));
	list_append(&head, &b.link);
	list_append(&head, &d.link);
	list_prepend(&head, &a.link);
	list_insert_before(&d.link, &c.link);
	assert_false(list_is_empty(&head));
	assert_order(&head, (int[]){ 1, 2, 3, 4 }, 4);
}

static void a_removed_element_is_in_no_list(void **state)
{
	struct item a = { .number = 1 }, b = { .number = 2 };
	struct list head;

	list_init(&head);
	assert_false(list_is_linked(&a.link));
	list_append(&head, &a.link);
	list_append(&head, &b.link);
	assert_true(list_is_linked(&a.link));
	list_remove(&a.link);
	assert_false(list_is_linked(&a.link));
	assert_order(&head, (int[]){ 2 }, 1);
	assert_ptr_equal(list_take_first(&head), &b.link);
	assert_false(list_is_linked(&b.link));
	assert_null(list_take_first(&head));
	assert_true(list_is_empty(&head));
}

static void the_element_at_the_position_may_be_removed(void **state)
{
	struct item items[5];
	struct list head;

	list_init(&head);
	for (int i = 0; i < 5; i++) {
		items[i] = (struct item){ .number = i };
		list_append(&head, &items[i].link);
	}
	LIST_FOR_EACH_SAFE (at, &head) {
		if (LIST_ENTRY(at, struct item, link)->number % 2 == 0)
			list_remove(at);
	}
	assert_order(&head, (int[]){ 1, 3 }, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_stand_where_they_were_put),
		cmocka_unit_test(a_removed_element_is_in_no_list),
		cmocka_unit_test(the_element_at_the_position_may_be_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
